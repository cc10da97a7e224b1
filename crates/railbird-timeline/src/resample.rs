//! Cuts columns on one clock onto other steps. Start at [`Placements::of`].
//!
//! The clock is walked once; what it says about every step (the row before it, and how far the step is towards
//! the next) then serves each channel on that clock. [`Placements::linear`] is for continuous channels,
//! [`Placements::held`] for categories, which are never interpolated.
//!
//! Invariant: a held value is never from a row stamped after its step. A linear one reads the next row too, so it is known
//! only when that row is.

/// Where a step lies among the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// The last row at or before the step.
    pub row: usize,
    /// How far the step is on the way to the next row, from 0 to below 1; 0 after the last row.
    pub weight: f64,
}

/// Steps of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// First step, ns.
    pub start: i64,
    /// From one step to the next, ns.
    pub period_ns: i64,
    /// Number of steps.
    pub steps: usize,
}

impl Grid {
    /// The steps, ns; at the end of the range they stand still.
    pub fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.steps).map(move |step| {
            let step = i64::try_from(step).unwrap_or(i64::MAX);
            self.start.saturating_add(step.saturating_mul(self.period_ns))
        })
    }
}

/// Where each of many steps lies among the rows of one clock.
///
/// Made once a clock and set of steps, applied to every channel. 12 bytes a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placements {
    /// Row of each step from `before` on.
    rows: Vec<u32>,
    weights: Vec<f64>,
    /// Steps before the first row.
    before: usize,
    /// Rows of the clock.
    clock_rows: usize,
}

impl Placements {
    /// Places `steps` among `times`. O(rows + steps).
    ///
    /// `times`, `steps`: ns, ascending, equal ones allowed; of rows with one stamp the last counts. Where
    /// they do not ascend the placements are of no use, but in bounds.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` rows.
    pub fn of<T: Copy + Into<i64>, S: Into<i64>>(times: &[T], steps: impl IntoIterator<Item = S>) -> Self {
        let mut placements = Self::default();
        placements.place(times, steps);
        placements
    }

    /// As [`Placements::of`], in the memory of the placements that were here.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` rows.
    pub fn place<T: Copy + Into<i64>, S: Into<i64>>(&mut self, times: &[T], steps: impl IntoIterator<Item = S>) {
        assert!(u32::try_from(times.len()).is_ok(), "a clock has at most u32::MAX rows");
        self.rows.clear();
        self.weights.clear();
        self.before = 0;
        self.clock_rows = times.len();
        let mut steps = steps.into_iter().map(Into::into);
        let Some(first) = times.first().map(|&time| time.into()) else {
            self.before = steps.count();
            return;
        };
        let expected = steps.size_hint().0;
        self.rows.reserve(expected);
        self.weights.reserve(expected);
        let step = loop {
            match steps.next() {
                None => return,
                Some(step) if step < first => self.before += 1,
                Some(step) => break step,
            }
        };
        let mut walk = Walk { times, row: 0, from: first, to: i64::MAX, inverse: 0.0 };
        walk.enter(0);
        for step in std::iter::once(step).chain(steps) {
            while step >= walk.to && walk.row + 1 < times.len() {
                walk.enter(walk.row + 1);
            }
            self.rows.push(walk.row as u32);
            self.weights.push(walk.weight(step));
        }
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.before + self.rows.len()
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where step `step` lies; `None` before the first row.
    ///
    /// # Panics
    /// If there is no such step.
    pub fn get(&self, step: usize) -> Option<Placement> {
        assert!(step < self.len(), "step {step} of {}", self.len());
        let placed = step.checked_sub(self.before)?;
        Some(Placement { row: self.rows[placed] as usize, weight: self.weights[placed] })
    }

    /// A continuous channel at every step: on the straight line between the rows around it, held after the last.
    ///
    /// `values`: `[rows]`. `out`: becomes `[steps]`, NaN before the first row. O(steps), some ns each.
    ///
    /// # Panics
    /// If `values` has not one value a row.
    pub fn linear<V: Copy + Into<f64>>(&self, values: &[V], out: &mut Vec<f64>) {
        self.check(values.len());
        out.clear();
        out.reserve(self.len());
        out.resize(self.before, f64::NAN);
        let Some(last) = values.len().checked_sub(1) else { return };
        out.extend(self.rows.iter().zip(&self.weights).map(|(&row, &weight)| {
            let row = row as usize;
            blend(values[row].into(), values[(row + 1).min(last)].into(), weight)
        }));
    }

    /// A category at every step: the value of the last row at or before it.
    ///
    /// `values`: `[rows]`. `out`: becomes `[steps]`, `missing` before the first row.
    ///
    /// # Panics
    /// If `values` has not one value a row.
    pub fn held<V: Copy>(&self, values: &[V], missing: V, out: &mut Vec<V>) {
        self.check(values.len());
        out.clear();
        out.reserve(self.len());
        out.resize(self.before, missing);
        out.extend(self.rows.iter().map(|&row| values[row as usize]));
    }

    /// As [`Placements::held`], `None` before the first row.
    ///
    /// # Panics
    /// If `values` has not one value a row.
    pub fn held_option<V: Copy>(&self, values: &[V], out: &mut Vec<Option<V>>) {
        self.check(values.len());
        out.clear();
        out.reserve(self.len());
        out.resize(self.before, None);
        out.extend(self.rows.iter().map(|&row| Some(values[row as usize])));
    }

    fn check(&self, values: usize) {
        assert!(values == self.clock_rows, "{values} values on a clock of {} rows", self.clock_rows);
    }
}

impl Placement {
    /// A continuous channel here.
    ///
    /// # Panics
    /// If `values` does not reach [`Placement::row`].
    pub fn linear<V: Copy + Into<f64>>(self, values: &[V]) -> f64 {
        let next = (self.row + 1).min(values.len() - 1);
        blend(values[self.row].into(), values[next].into(), self.weight)
    }
}

/// Exactly `from` at weight 0, also next to an infinity or NaN.
#[inline]
fn blend(from: f64, to: f64, weight: f64) -> f64 {
    if weight == 0.0 { from } else { from + (to - from) * weight }
}

/// The interval between two rows in which the walk is.
struct Walk<'a, T> {
    times: &'a [T],
    row: usize,
    from: i64,
    to: i64,
    /// 1 / length of the interval; 0 after the last row. One division a row, not one a step.
    inverse: f64,
}

impl<T: Copy + Into<i64>> Walk<'_, T> {
    fn enter(&mut self, row: usize) {
        self.row = row;
        self.from = self.times[row].into();
        match self.times.get(row + 1) {
            Some(&next) => {
                self.to = next.into();
                self.inverse = 1.0 / self.to.wrapping_sub(self.from) as u64 as f64;
            }
            None => {
                self.to = i64::MAX;
                self.inverse = 0.0;
            }
        }
    }

    #[inline]
    fn weight(&self, step: i64) -> f64 {
        // Unsigned: the whole of i64 apart still fits. Below 1 also where rounding would reach it.
        let passed = step.wrapping_sub(self.from) as u64 as f64;
        (passed * self.inverse).min(1.0 - f64::EPSILON / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::{Ts, as_of};

    /// One channel, one step, nothing shared: what the walk must equal bit for bit.
    fn oracle(times: &[i64], values: &[f64], step: i64) -> f64 {
        let Some(row) = as_of(times, step) else { return f64::NAN };
        let Some(&next) = times.get(row + 1) else { return values[row] };
        let weight = step.abs_diff(times[row]) as f64 * (1.0 / next.abs_diff(times[row]) as f64);
        let weight = weight.min(1.0f64.next_down());
        if weight == 0.0 { values[row] } else { values[row] + (values[row + 1] - values[row]) * weight }
    }

    #[track_caller]
    fn check(rows: &[(i64, f64)], steps: &[i64], want: Expect) {
        let times: Vec<_> = rows.iter().map(|row| Ts(row.0)).collect();
        let values: Vec<_> = rows.iter().map(|row| row.1).collect();
        let placements = Placements::of(&times, steps.iter().copied());
        let (mut linear, mut held) = (vec![], vec![]);
        placements.linear(&values, &mut linear);
        placements.held_option(&values, &mut held);
        want.assert_eq(&format!("{linear:?} {held:?}"));
    }

    #[test]
    fn lines_between_rows_and_nothing_before_the_first() {
        check(
            &[(10, 1.0), (20, 2.0)],
            &[5, 10, 15, 20, 25],
            expect!["[NaN, 1.0, 1.5, 2.0, 2.0] [None, Some(1.0), Some(1.0), Some(2.0), Some(2.0)]"],
        );
        check(&[], &[5, 6], expect!["[NaN, NaN] [None, None]"]);
        check(&[(10, 1.0)], &[], expect!["[] []"]);
        check(&[(10, 1.0)], &[9, 10, 11], expect!["[NaN, 1.0, 1.0] [None, Some(1.0), Some(1.0)]"]);
    }

    #[test]
    fn of_rows_with_one_stamp_the_last_counts() {
        check(&[(10, 1.0), (10, 3.0), (20, 5.0)], &[10, 15], expect!["[3.0, 4.0] [Some(3.0), Some(3.0)]"]);
    }

    #[test]
    fn a_missing_value_reaches_only_the_steps_beside_it() {
        check(
            &[(0, 1.0), (10, f64::NAN), (20, 2.0)],
            &[0, 5, 10, 15, 20],
            expect!["[1.0, NaN, NaN, NaN, 2.0] [Some(1.0), Some(1.0), Some(NaN), Some(NaN), Some(2.0)]"],
        );
    }

    #[test]
    fn the_ends_of_the_range_are_in_bounds() {
        check(
            &[(i64::MIN, 0.0), (i64::MAX, 1.0)],
            &[i64::MIN, 0, i64::MAX],
            expect!["[0.0, 0.5, 1.0] [Some(0.0), Some(0.0), Some(1.0)]"],
        );
    }

    #[test]
    fn a_grid_steps_evenly() {
        let grid = Grid { start: -40, period_ns: 40, steps: 3 };
        assert_eq!(grid.iter().collect::<Vec<_>>(), [-40, 0, 40]);
        assert_eq!(Placements::of(&[0i64, 80], grid.iter()).get(2), Some(Placement { row: 0, weight: 0.5 }));
    }

    fn clock() -> impl Strategy<Value = Vec<i64>> {
        proptest::collection::vec(
            (0i64..5).prop_flat_map(|kind| match kind {
                0 => 0i64..1,
                1 => 1i64..2,
                _ => 2i64..400_000_000,
            }),
            0..80,
        )
        .prop_map(|gaps| {
            gaps.into_iter()
                .scan(1_742_094_442_785_000_000, |at, gap| {
                    *at += gap;
                    Some(*at)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn equals_the_oracle_bit_for_bit(times in clock(), seed: u64, steps in 0usize..200, period in 1i64..300_000_000) {
            // Bits that mean anything: NaN, infinities and denormals are among them.
            let values: Vec<f64> = (0..times.len() as u64).map(|i| {
                let bits = (i + 1).wrapping_mul(seed | 1);
                if i % 3 == 0 { f64::from_bits(bits) } else { (bits % 4000) as f64 / 10.0 - 200.0 }
            }).collect();
            let grid = Grid { start: 1_742_094_442_685_000_000, period_ns: period, steps };
            let placements = Placements::of(&times, grid.iter());
            let (mut linear, mut held) = (vec![], vec![]);
            placements.linear(&values, &mut linear);
            placements.held_option(&values, &mut held);
            prop_assert_eq!(linear.len(), steps);
            for (step, at) in grid.iter().enumerate() {
                let want = oracle(&times, &values, at);
                prop_assert!(linear[step].to_bits() == want.to_bits() || (linear[step].is_nan() && want.is_nan()));
                prop_assert_eq!(held[step].map(f64::to_bits), as_of(&times, at).map(|row| values[row].to_bits()));
                prop_assert_eq!(placements.get(step).map(|p| p.row), as_of(&times, at));
                if let Some(placement) = placements.get(step) {
                    prop_assert!((0.0..1.0).contains(&placement.weight));
                    prop_assert_eq!(placement.linear(&values).to_bits(), linear[step].to_bits());
                }
            }
        }

        #[test]
        fn a_step_whose_next_row_is_known_never_changes(times in clock(), cut in 0usize..80) {
            // The prefix law: with the rows up to the cut, every step at or before the last of them is as with all rows.
            let cut = cut.min(times.len());
            let Some(&last) = times[..cut].last() else { return Ok(()) };
            let values: Vec<f64> = (0..times.len()).map(|i| (i * i) as f64).collect();
            let steps: Vec<i64> = times.iter().flat_map(|&t| [t - 1, t, t + 1, t + 1_000_000]).filter(|&t| t < last).collect();
            let mut steps = steps; steps.sort_unstable();
            let (mut whole, mut known) = (vec![], vec![]);
            Placements::of(&times, steps.iter().copied()).linear(&values, &mut whole);
            Placements::of(&times[..cut], steps.iter().copied()).linear(&values[..cut], &mut known);
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&whole), bits(&known));
        }

        #[test]
        fn disorder_stays_in_bounds(times in proptest::collection::vec(any::<i64>(), 0..40), steps in proptest::collection::vec(any::<i64>(), 0..40)) {
            let values = vec![1.0; times.len()];
            let mut out = vec![];
            let placements = Placements::of(&times, steps.iter().copied());
            placements.linear(&values, &mut out);
            prop_assert_eq!(out.len(), steps.len());
        }
    }
}
