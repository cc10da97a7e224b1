//! Which row held at a moment. Start at [`as_of`]; for many moments in order, at [`AsOf`].
//!
//! Invariant: a moment never sees a row stamped after it. Of rows with one stamp the last holds.

/// Index of the last row at or before `at`; `None` before the first.
///
/// `times`: ascending, equal stamps allowed. O(log rows).
pub fn as_of<T: Copy + PartialOrd>(times: &[T], at: T) -> Option<usize> {
    times.partition_point(|time| *time <= at).checked_sub(1)
}

/// Asks the same rows for many moments: amortised O(1) a question as long as the moments ascend.
///
/// A moment before the one asked last is answered too, in O(log rows).
#[derive(Debug, Clone)]
pub struct AsOf<'a, T> {
    times: &'a [T],
    /// Rows at or before the moment asked last.
    passed: usize,
}

impl<'a, T: Copy + PartialOrd> AsOf<'a, T> {
    /// `times`: ascending, equal stamps allowed.
    pub const fn new(times: &'a [T]) -> Self {
        Self { times, passed: 0 }
    }

    /// Same answer as [`as_of`].
    #[inline]
    pub fn at(&mut self, at: T) -> Option<usize> {
        if self.passed > 0 && self.times[self.passed - 1] > at {
            self.passed = self.times[..self.passed].partition_point(|time| *time <= at);
        } else {
            self.advance(at);
        }
        self.passed.checked_sub(1)
    }

    /// Gallops: a far jump costs the logarithm of the rows jumped over, not their number.
    #[inline]
    fn advance(&mut self, at: T) {
        let (mut low, mut stride) = (self.passed, 1);
        let rest = self.times.len();
        while low < rest && self.times[low] <= at {
            self.passed = low + 1;
            low = low.saturating_add(stride);
            stride = stride.saturating_mul(2);
        }
        let high = low.min(rest);
        self.passed += self.times[self.passed..high].partition_point(|time| *time <= at);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(times: &[i64], moments: &[i64], want: Expect) {
        let mut cursor = AsOf::new(times);
        let rows: Vec<_> = moments.iter().map(|&at| cursor.at(at)).collect();
        want.assert_eq(&format!("{rows:?}"));
    }

    #[test]
    fn the_last_of_equal_stamps_holds() {
        check(
            &[10, 20, 20, 30],
            &[9, 10, 19, 20, 29, 30, 99],
            expect!["[None, Some(0), Some(0), Some(2), Some(2), Some(3), Some(3)]"],
        );
        check(&[], &[1], expect!["[None]"]);
        check(&[10, 20], &[25, 5, 15], expect!["[Some(1), None, Some(0)]"]);
    }

    proptest! {
        #[test]
        fn the_cursor_agrees_with_a_scan(mut times in proptest::collection::vec(-50i64..50, 0..60),
                                         moments in proptest::collection::vec(-60i64..60, 0..60), sort: bool) {
            times.sort_unstable();
            let mut moments = moments;
            if sort { moments.sort_unstable(); }
            let mut cursor = AsOf::new(&times);
            for at in moments {
                let scanned = times.iter().rposition(|&time| time <= at);
                prop_assert_eq!(as_of(&times, at), scanned);
                prop_assert_eq!(cursor.at(at), scanned);
            }
        }

        #[test]
        fn rows_after_the_cut_change_nothing(mut times in proptest::collection::vec(-50i64..50, 0..60), cut in -60i64..60) {
            times.sort_unstable();
            let known = &times[..times.partition_point(|&time| time <= cut)];
            for at in -60..=cut {
                prop_assert_eq!(as_of(&times, at), as_of(known, at));
            }
        }
    }
}
