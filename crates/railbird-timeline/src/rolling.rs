//! Sum, mean, least and most of what happened within a span of time. Start at [`Rolling`].
//!
//! Two stacks: rows that came since the older stack ran out are summed as they come, the older ones carry the summary of
//! themselves and all that are younger in their stack. Nothing is ever subtracted, so no rounding error builds up, and a NaN or an
//! infinity is forgotten with its row.

use crate::Ts;

/// Summary of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregate {
    /// Number of rows.
    pub rows: usize,
    /// 0 without rows.
    pub sum: f64,
    /// `None` without rows. NaN if any row is.
    pub min: Option<f64>,
    /// `None` without rows. NaN if any row is.
    pub max: Option<f64>,
}

impl Aggregate {
    const EMPTY: Self = Self { rows: 0, sum: 0.0, min: None, max: None };

    /// `None` without rows.
    pub fn mean(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.sum / self.rows as f64)
    }

    fn of(value: f64) -> Self {
        Self { rows: 1, sum: value, min: Some(value), max: Some(value) }
    }

    fn with(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            sum: self.sum + other.sum,
            min: pick(self.min, other.min, |a, b| a < b),
            max: pick(self.max, other.max, |a, b| a > b),
        }
    }
}

/// Unlike [`f64::min`], lets a NaN win: a window with an unknown in it has no known least.
fn pick(a: Option<f64>, b: Option<f64>, first_wins: impl Fn(f64, f64) -> bool) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.is_nan() || first_wins(a, b) { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// Rows within `(now − width, now]`.
#[derive(Debug, Clone)]
pub struct Rolling {
    width_ns: i64,
    rows_max: usize,
    dropped: u64,
    /// Oldest last, each with the summary of itself and all before it in the vector, which are younger.
    older: Vec<(Ts, Aggregate)>,
    /// Oldest first.
    newer: Vec<(Ts, f64)>,
    newer_aggregate: Aggregate,
    now: Ts,
}

impl Rolling {
    /// An empty window of `width_ns`, which holds at most `rows_max` rows; one more pushes the oldest out, which is counted.
    ///
    /// # Panics
    /// If `width_ns` or `rows_max` is not positive.
    pub fn new(width_ns: i64, rows_max: usize) -> Self {
        assert!(width_ns > 0 && rows_max > 0, "a window has a width and room for a row");
        Self {
            width_ns,
            rows_max,
            dropped: 0,
            older: vec![],
            newer: vec![],
            newer_aggregate: Aggregate::EMPTY,
            now: Ts::MIN,
        }
    }

    /// Adds a row and moves the window to end at it. Amortised O(1).
    ///
    /// Time never runs backwards in a window: a row stamped before the window's end counts as stamped there.
    pub fn push(&mut self, at: Ts, value: f64) {
        self.advance(at);
        if self.aggregate().rows == self.rows_max {
            self.pop_oldest();
            self.dropped += 1;
        }
        self.newer.push((self.now, value));
        self.newer_aggregate = self.newer_aggregate.with(Aggregate::of(value));
    }

    /// Moves the window to end at `now`, if that is later. Amortised O(1).
    pub fn advance(&mut self, now: Ts) {
        self.now = self.now.max(now);
        while let Some(oldest) = self.oldest()
            && self.now.since(oldest) >= self.width_ns
        {
            self.pop_oldest();
        }
    }

    /// What is in the window. O(1).
    pub fn aggregate(&self) -> Aggregate {
        match self.older.last() {
            Some((_, older)) => older.with(self.newer_aggregate),
            None => self.newer_aggregate,
        }
    }

    /// Rows pushed out for want of room since the window was made.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn oldest(&self) -> Option<Ts> {
        self.older.last().map(|row| row.0).or(self.newer.first().map(|row| row.0))
    }

    fn pop_oldest(&mut self) {
        if self.older.is_empty() {
            let mut aggregate = Aggregate::EMPTY;
            self.older.extend(self.newer.drain(..).rev().map(|(at, value)| {
                aggregate = Aggregate::of(value).with(aggregate);
                (at, aggregate)
            }));
            self.newer_aggregate = Aggregate::EMPTY;
        }
        self.older.pop();
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(width_ns: i64, rows_max: usize, rows: &[(i64, f64)], want: Expect) {
        let mut window = Rolling::new(width_ns, rows_max);
        let lines: Vec<String> = rows
            .iter()
            .map(|&(at, value)| {
                window.push(Ts(at), value);
                let all = window.aggregate();
                let [min, max, mean] = [all.min, all.max, all.mean()].map(Option::unwrap);
                format!(
                    "{} rows, sum {}, min {min}, max {max}, mean {mean}, {} dropped",
                    all.rows,
                    all.sum,
                    window.dropped()
                )
            })
            .collect();
        want.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_row_leaves_when_it_is_as_old_as_the_window_is_wide() {
        check(
            10,
            100,
            &[(0, 1.0), (5, 3.0), (10, 2.0), (30, 7.0)],
            expect![[r#"
                1 rows, sum 1, min 1, max 1, mean 1, 0 dropped
                2 rows, sum 4, min 1, max 3, mean 2, 0 dropped
                2 rows, sum 5, min 2, max 3, mean 2.5, 0 dropped
                1 rows, sum 7, min 7, max 7, mean 7, 0 dropped"#]],
        );
    }

    #[test]
    fn a_full_window_drops_its_oldest_and_a_nan_leaves_with_its_row() {
        check(
            100,
            2,
            &[(0, f64::NAN), (1, 2.0), (2, 4.0)],
            expect![[r#"
                1 rows, sum NaN, min NaN, max NaN, mean NaN, 0 dropped
                2 rows, sum NaN, min NaN, max NaN, mean NaN, 0 dropped
                2 rows, sum 6, min 2, max 4, mean 3, 1 dropped"#]],
        );
    }

    #[test]
    fn an_empty_window_has_no_mean() {
        let mut window = Rolling::new(10, 4);
        window.push(Ts(0), 1.0);
        window.advance(Ts(50));
        assert_eq!(window.aggregate(), Aggregate::EMPTY);
        assert_eq!(window.aggregate().mean(), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(rows in proptest::collection::vec((0i64..20, -1000i64..1000), 0..120), width in 1i64..60, rows_max in 1usize..20) {
            let mut window = Rolling::new(width, rows_max);
            let (mut kept, mut at): (Vec<(i64, f64)>, i64) = (vec![], 0);
            for (gap, value) in rows {
                at += gap;
                window.push(Ts(at), value as f64);
                kept.push((at, value as f64));
                kept.retain(|row| at - row.0 < width);
                if kept.len() > rows_max { kept.remove(0); }
                let all = window.aggregate();
                prop_assert_eq!(all.rows, kept.len());
                // Whole numbers: the sums are exact in any order.
                prop_assert_eq!(all.sum, kept.iter().map(|row| row.1).sum::<f64>());
                prop_assert_eq!(all.min, kept.iter().map(|row| row.1).reduce(f64::min));
                prop_assert_eq!(all.max, kept.iter().map(|row| row.1).reduce(f64::max));
            }
        }
    }
}
