//! The quadratic spline through a series, as SciPy's `interp1d(kind="quadratic")` draws it. Start at [`Spline::fit`].
//!
//! FastF1 draws positions and distances with it, so only it gives FastF1's values between the samples. Its
//! breakpoints lie in the middle between the samples, without the first and the last of them; then each sample meets
//! three coefficients, and the system is tridiagonal: O(samples) instead of a general solver.

/// Splines through `C` series on one clock.
#[derive(Debug, Default)]
pub(super) struct Spline<const C: usize> {
    /// Clock, any unit, rising strictly.
    times: Vec<f64>,
    /// Coefficients of each sample.
    coefficients: Vec<[f64; C]>,
    /// Of the elimination: kept to spare its allocation.
    upper: Vec<f64>,
}

/// Fewest samples of a quadratic spline; below, lines are drawn.
const SAMPLES_MIN: usize = 3;

impl<const C: usize> Spline<C> {
    /// Draws the spline through `values` at `times`, in the memory of the one that was here.
    ///
    /// `times`: rising strictly. `values`: one row a time.
    pub(super) fn fit(&mut self, times: impl IntoIterator<Item = f64>, values: impl IntoIterator<Item = [f64; C]>) {
        self.times.clear();
        self.times.extend(times);
        self.coefficients.clear();
        self.coefficients.extend(values);
        debug_assert_eq!(self.times.len(), self.coefficients.len(), "one row a time");
        debug_assert!(self.times.windows(2).all(|pair| pair[0] < pair[1]), "times rise strictly");
        let rows = self.times.len();
        if rows < SAMPLES_MIN {
            return;
        }
        // Thomas' elimination. The first and the last coefficient are the first and the last value.
        self.upper.clear();
        self.upper.push(0.0);
        let mut before = self.coefficients[0];
        for row in 1..rows - 1 {
            let [left, centre, right] = self.weights(row - 1, self.times[row]);
            let scale = 1.0 / (centre - left * self.upper[row - 1]);
            self.upper.push(right * scale);
            let here = &mut self.coefficients[row];
            for channel in 0..C {
                here[channel] = (here[channel] - left * before[channel]) * scale;
            }
            before = *here;
        }
        let mut after = self.coefficients[rows - 1];
        for row in (1..rows - 1).rev() {
            let upper = self.upper[row];
            let here = &mut self.coefficients[row];
            for channel in 0..C {
                here[channel] -= upper * after[channel];
            }
            after = *here;
        }
    }

    /// Values at `time`, which lies between the samples `row` and `row + 1`; beyond the ends the end pieces go on.
    pub(super) fn at(&self, row: usize, time: f64) -> [f64; C] {
        let rows = self.times.len();
        if rows < SAMPLES_MIN {
            return self.line(row, time);
        }
        // Piece p covers the middle before sample p + 1 to the middle after it.
        let row = row.min(rows - 2);
        let middle = (self.times[row] + self.times[row + 1]) / 2.0;
        let piece = if time < middle { row.saturating_sub(1) } else { row }.min(rows - 3);
        let [left, centre, right] = self.weights(piece, time);
        let [a, b, c] = [&self.coefficients[piece], &self.coefficients[piece + 1], &self.coefficients[piece + 2]];
        std::array::from_fn(|channel| left * a[channel] + centre * b[channel] + right * c[channel])
    }

    /// First and last time; zeros of none.
    pub(super) fn ends(&self) -> (f64, f64) {
        self.times.first().copied().zip(self.times.last().copied()).unwrap_or_default()
    }

    fn line(&self, row: usize, time: f64) -> [f64; C] {
        match (self.times.as_slice(), self.coefficients.as_slice()) {
            ([from, to], [a, b]) => {
                let weight = (time - from) / (to - from);
                std::array::from_fn(|channel| a[channel] + (b[channel] - a[channel]) * weight)
            }
            (_, rows) => rows.get(row).copied().unwrap_or([f64::NAN; C]),
        }
    }

    /// Breakpoint before piece `piece`; the first and last are the ends of the clock, and so are those beyond.
    fn breakpoint(&self, piece: usize) -> f64 {
        let last = self.times.len() - 1;
        if piece == 0 {
            self.times[0]
        } else if piece + 1 >= last {
            self.times[last]
        } else {
            (self.times[piece] + self.times[piece + 1]) / 2.0
        }
    }

    /// Weights of the coefficients `piece`, `piece + 1` and `piece + 2` at `time`.
    fn weights(&self, piece: usize, time: f64) -> [f64; 3] {
        let outer = self.breakpoint(piece.saturating_sub(1));
        let [from, to, next] = [self.breakpoint(piece), self.breakpoint(piece + 1), self.breakpoint(piece + 2)];
        let in_left = (time - outer) / (to - outer);
        let in_piece = (time - from) / (to - from);
        let in_right = (time - from) / (next - from);
        [
            (1.0 - in_piece) * (1.0 - in_left),
            (1.0 - in_piece) * in_left + in_piece * (1.0 - in_right),
            in_piece * in_right,
        ]
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(rows: &[(f64, f64)], at: &[f64], want: Expect) {
        let mut spline = Spline::<1>::default();
        spline.fit(rows.iter().map(|row| row.0), rows.iter().map(|row| [row.1]));
        let text: Vec<_> = at
            .iter()
            .map(|&time| {
                let row = rows.partition_point(|row| row.0 <= time).saturating_sub(1);
                format!("{:.4}", spline.at(row, time)[0])
            })
            .collect();
        want.assert_eq(&text.join(" "));
    }

    #[test]
    fn equals_scipy() {
        // scipy 1.17.1: interp1d([0,1,3,4,7], [0,2,-1,5,5], kind="quadratic", fill_value="extrapolate")
        check(
            &[(0.0, 0.0), (1.0, 2.0), (3.0, -1.0), (4.0, 5.0), (7.0, 5.0)],
            &[0.5, 1.5, 2.0, 2.5, 3.2, 5.0, 6.5, -0.5, 7.5],
            expect!["1.5516 1.3453 -0.4125 -1.7141 -0.1500 8.7375 7.3359 -2.6547 1.7297"],
        );
    }

    #[test]
    fn draws_lines_through_two_samples_and_holds_one() {
        check(&[(0.0, 1.0), (2.0, 3.0)], &[1.0, 3.0], expect!["2.0000 4.0000"]);
        check(&[(0.0, 1.0)], &[0.0, 3.0], expect!["1.0000 1.0000"]);
    }

    proptest! {
        #[test]
        fn meets_every_sample_and_every_parabola(gaps in proptest::collection::vec(0.05f64..1.0, 3..60), a in -5.0f64..5.0, b in -5.0f64..5.0) {
            let times: Vec<_> = gaps.iter().scan(0.0, |at, gap| { *at += gap; Some(*at) }).collect();
            let parabola = |time: f64| a * time * time + b * time - 1.0;
            let rough = |time: f64| (time * 3.0).sin();
            let mut spline = Spline::<2>::default();
            spline.fit(times.iter().copied(), times.iter().map(|&time| [parabola(time), rough(time)]));
            for row in 0..times.len() {
                let [smooth, wild] = spline.at(row, times[row]);
                prop_assert!((smooth - parabola(times[row])).abs() < 1e-6);
                prop_assert!((wild - rough(times[row])).abs() < 1e-9);
                let between = times[row] + gaps[(row + 1).min(gaps.len() - 1)] * 0.37;
                prop_assert!((spline.at(row, between)[0] - parabola(between)).abs() < 1e-6);
            }
        }
    }
}
