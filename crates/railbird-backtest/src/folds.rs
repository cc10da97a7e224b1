//! Which days train and which day is scored. Start at [`Folds::walk`].
//!
//! Invariant: what trains a scored row lies before it, `purge` rows away; only [`combinatorial`], which is a study of its
//! own, trains on later rows.

use std::ops::Range;

use serde::Serialize;

use crate::Error;

/// How the training rows of a scored row are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// The `rows` newest rows before it.
    Rolling {
        /// Rows that train.
        rows: usize,
    },
    /// All rows before it.
    Expanding {
        /// Rows before the first that is scored.
        rows: usize,
    },
    /// The first rows, once for all that follow.
    Anchored {
        /// Rows that train.
        rows: usize,
    },
}

/// A scored row and the rows that train for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows that train; before `test`, and possibly none.
    pub train: Range<usize>,
    /// The row that is scored, once.
    pub test: usize,
}

/// The folds of a walk, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    folds: Vec<Fold>,
}

impl Folds {
    /// One fold for each row from `rows.start` plus what the scheme trains on, to `rows.end`.
    ///
    /// `purge`: rows left out between training and test, for labels that reach forward.
    ///
    /// # Errors
    /// [`Error::NoFolds`] where no row is left to score.
    pub fn walk(rows: Range<usize>, scheme: Scheme, purge: usize) -> Result<Self, Error> {
        let (Scheme::Rolling { rows: train } | Scheme::Expanding { rows: train } | Scheme::Anchored { rows: train }) =
            scheme;
        let first = rows.start.saturating_add(train).saturating_add(purge);
        let needed = train.saturating_add(purge).saturating_add(1);
        if first >= rows.end {
            return Err(Error::NoFolds { needed, found: rows.len() });
        }
        let folds = (first..rows.end).map(|test| {
            let end = test - purge;
            let train = match scheme {
                Scheme::Rolling { rows: train } => end - train..end,
                Scheme::Expanding { .. } => rows.start..end,
                Scheme::Anchored { rows: train } => rows.start..rows.start + train,
            };
            Fold { train, test }
        });
        Ok(Self { folds: folds.collect() })
    }

    /// The folds, oldest first.
    pub fn as_slice(&self) -> &[Fold] {
        &self.folds
    }
}

/// One split of a combinatorial study: groups that are tested together, and what is left to train on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// Rows that are tested, ascending.
    pub test: Vec<Range<usize>>,
    /// Rows that train, ascending; neither within `purge` rows before a tested group nor `purge + embargo` rows behind one.
    pub train: Vec<Range<usize>>,
}

/// Most splits that a combinatorial study may have.
pub const COMBINATIONS_MAX: usize = 10_000;

/// Combinatorial purged splits (López de Prado 2018, chapter 12): `rows` in `groups` of like size, `tested` of them tested
/// at a time, in every combination, lexicographic.
///
/// Training rows may lie behind tested ones: that is what the study is for, and why it is never mixed with a walk.
///
/// # Errors
/// [`Error::Groups`] unless 1 <= `tested` < `groups` <= rows, with at most [`COMBINATIONS_MAX`] combinations.
pub fn combinatorial(
    rows: Range<usize>,
    groups: usize,
    tested: usize,
    purge: usize,
    embargo: usize,
) -> Result<Vec<Combination>, Error> {
    let wrong = Error::Groups { groups, tested, rows: rows.len() };
    if tested == 0 || tested >= groups || groups > rows.len() {
        return Err(wrong);
    }
    let mut count: usize = 1;
    for step in 0..tested {
        count = count.saturating_mul(groups - step) / (step + 1);
        if count > COMBINATIONS_MAX {
            return Err(wrong);
        }
    }
    let bound = |group: usize| rows.start + rows.len() * group / groups;
    let mut chosen: Vec<usize> = (0..tested).collect();
    let mut combinations = Vec::with_capacity(count);
    loop {
        let test: Vec<Range<usize>> = chosen.iter().map(|&group| bound(group)..bound(group + 1)).collect();
        combinations.push(Combination { train: outside(&rows, &test, purge, embargo), test });
        // The next combination: the last place that can still move up does, and those behind it follow closely.
        let Some(place) = (0..tested).rev().find(|&place| chosen[place] < groups - tested + place) else {
            return Ok(combinations);
        };
        chosen[place] += 1;
        for next in place + 1..tested {
            chosen[next] = chosen[next - 1] + 1;
        }
    }
}

fn outside(rows: &Range<usize>, test: &[Range<usize>], purge: usize, embargo: usize) -> Vec<Range<usize>> {
    let mut train: Vec<Range<usize>> = Vec::new();
    let mut start = rows.start;
    for tested in test {
        let end = tested.start.saturating_sub(purge);
        if start < end {
            train.push(start..end);
        }
        start = tested.end.saturating_add(purge).saturating_add(embargo);
    }
    if start < rows.end {
        train.push(start..rows.end);
    }
    train
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(rows: Range<usize>, scheme: Scheme, purge: usize, want: Expect) {
        want.assert_eq(&match Folds::walk(rows, scheme, purge) {
            Ok(folds) => folds.as_slice().iter().map(|fold| format!("{:?}>{} ", fold.train, fold.test)).collect(),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn levels_are_chosen_from_days_before() {
        check(10..15, Scheme::Rolling { rows: 2 }, 0, expect!["10..12>12 11..13>13 12..14>14 "]);
        check(10..15, Scheme::Expanding { rows: 2 }, 0, expect!["10..12>12 10..13>13 10..14>14 "]);
        check(10..15, Scheme::Anchored { rows: 2 }, 0, expect!["10..12>12 10..12>13 10..12>14 "]);
        check(10..15, Scheme::Rolling { rows: 2 }, 1, expect!["10..12>13 11..13>14 "]);
        check(10..12, Scheme::Rolling { rows: 0 }, 0, expect!["10..10>10 11..11>11 "]);
        check(10..12, Scheme::Rolling { rows: 2 }, 0, expect!["walk: expected at least 3 rows, found 2"]);
    }

    #[test]
    fn a_combination_trains_away_from_what_it_tests() {
        let splits = combinatorial(0..12, 4, 2, 1, 1).unwrap();
        let shown: Vec<String> = splits.iter().map(|split| format!("{:?} {:?}", split.test, split.train)).collect();
        expect![[r"
            [0..3, 3..6] [8..12]
            [0..3, 6..9] [11..12]
            [0..3, 9..12] [5..8]
            [3..6, 6..9] [0..2, 11..12]
            [3..6, 9..12] [0..2]
            [6..9, 9..12] [0..5]"]]
        .assert_eq(&shown.join("\n"));
        assert!(combinatorial(0..12, 4, 4, 0, 0).is_err());
        assert!(combinatorial(0..12, 13, 1, 0, 0).is_err());
        assert!(combinatorial(0..1000, 100, 50, 0, 0).is_err());
    }
}
