//! Mean and spread of each component over the first so many vectors. Start at [`Moments::of_first`].

use super::scan::Row;
use crate::vectors::DIMENSIONS;

/// Rows from one stored sum to the next: what remains is added up anew, at most this many rows.
const STEP: usize = 64;

/// Sums over vectors in order of time, so that those of any beginning are had at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moments {
    rows: usize,
    running: Sums,
    /// After every [`STEP`] rows.
    stored: Vec<Sums>,
}

/// Mean and standard deviation of each component; NaN where fewer than two vectors have it or all are equal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: [f64; DIMENSIONS],
    pub(crate) deviation: [f64; DIMENSIONS],
}

/// Of each component less the first value that it had, which keeps the digits.
#[derive(Debug, Clone)]
struct Sums {
    count: [f64; DIMENSIONS],
    first: [f64; DIMENSIONS],
    sum: [f64; DIMENSIONS],
    squares: [f64; DIMENSIONS],
}

impl Default for Sums {
    fn default() -> Self {
        let zero = [0.0; DIMENSIONS];
        Self { count: zero, first: zero, sum: zero, squares: zero }
    }
}

impl Moments {
    /// Adds the next vector.
    pub(crate) fn push(&mut self, row: &Row) {
        self.running.add(row);
        self.rows += 1;
        if self.rows.is_multiple_of(STEP) {
            self.stored.push(self.running.clone());
        }
    }

    /// Of the first `count` of `rows`, which are those pushed.
    pub(crate) fn of_first(&self, rows: &[Row], count: usize) -> Spread {
        let mut sums = (count / STEP).checked_sub(1).map_or_else(Sums::default, |at| self.stored[at].clone());
        rows[count / STEP * STEP..count].iter().for_each(|row| sums.add(row));
        sums.spread()
    }
}

impl Sums {
    fn add(&mut self, row: &Row) {
        for (at, &value) in row.iter().enumerate() {
            let value = f64::from(value);
            if value.is_nan() {
                continue;
            }
            if self.count[at] == 0.0 {
                self.first[at] = value;
            }
            let shifted = value - self.first[at];
            self.count[at] += 1.0;
            self.sum[at] += shifted;
            self.squares[at] += shifted * shifted;
        }
    }

    fn spread(&self) -> Spread {
        let mut spread = Spread { mean: [f64::NAN; DIMENSIONS], deviation: [f64::NAN; DIMENSIONS] };
        for at in 0..DIMENSIONS {
            if self.count[at] < 2.0 {
                continue;
            }
            let (mean, square) = (self.sum[at] / self.count[at], self.squares[at] / self.count[at]);
            let variance = square - mean * mean;
            // Below that, what is left of equal values is rounding.
            if variance > 1e-12 * square {
                spread.mean[at] = self.first[at] + mean;
                spread.deviation[at] = variance.sqrt();
            }
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_beginning_is_as_if_computed_alone() {
        let rows: Vec<Row> = (0..300_u32)
            .map(|row| {
                std::array::from_fn(|at| match at {
                    0 => 7.0,
                    1 if row % 3 == 0 => f32::NAN,
                    _ => (row.wrapping_mul(2_654_435_761).wrapping_add(at as u32 * 97) % 1000) as f32 + 1e6,
                })
            })
            .collect();
        let mut moments = Moments::default();
        rows.iter().for_each(|row| moments.push(row));
        for count in [0, 1, 2, 63, 64, 65, 128, 200, 300] {
            let spread = moments.of_first(&rows, count);
            assert!(spread.mean[0].is_nan(), "equal values have no spread");
            for at in 1..DIMENSIONS {
                let values: Vec<f64> =
                    rows[..count].iter().map(|row| f64::from(row[at])).filter(|value| !value.is_nan()).collect();
                if values.len() < 2 {
                    assert!(spread.deviation[at].is_nan(), "{count} {at}");
                    continue;
                }
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
                assert!((spread.mean[at] - mean).abs() < 1e-6, "{count} {at}");
                assert!((spread.deviation[at] - variance.sqrt()).abs() < 1e-6, "{count} {at}");
            }
        }
    }
}
