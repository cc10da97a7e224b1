//! How far a figure could have come out otherwise. Start at [`bootstrap`].

use std::fmt;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::Serialize;

use crate::{Error, error::finite};

/// Two ends, and how sure one is that the truth lies between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interval {
    low: f64,
    high: f64,
    level: f64,
    method: Method,
}

/// Where an interval comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// [`bootstrap`]; with the same numbers it comes out again.
    Bootstrap(Bootstrap),
    /// [`conformal_radius`] on so many residuals.
    Conformal {
        /// Residuals that it was calibrated on.
        residuals: usize,
    },
    /// [`Interval::given`]: by a formula of the caller's.
    Given,
}

impl Interval {
    /// An interval that the caller has from elsewhere. `level`: above 0, below 1.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::Reversed`], [`Error::Level`].
    pub fn given(low: f64, high: f64, level: f64) -> Result<Self, Error> {
        Self::new(low, high, level, Method::Given)
    }

    /// `prediction` ± the [`conformal_radius`] of `residuals`, in whatever unit they have.
    ///
    /// # Errors
    /// As [`conformal_radius`], and [`Error::NotFinite`].
    pub fn conformal(prediction: f64, residuals: &[f64], level: f64) -> Result<Self, Error> {
        let radius = conformal_radius(residuals, level)?;
        let method = Method::Conformal { residuals: residuals.len() };
        Self::new(prediction - radius, prediction + radius, level, method)
    }

    fn new(low: f64, high: f64, level: f64, method: Method) -> Result<Self, Error> {
        finite("interval", low)?;
        finite("interval", high)?;
        check_level(level)?;
        if low > high { Err(Error::Reversed { low, high }) } else { Ok(Self { low, high, level, method }) }
    }

    /// Lower end.
    pub const fn low(&self) -> f64 {
        self.low
    }

    /// Upper end.
    pub const fn high(&self) -> f64 {
        self.high
    }

    /// Share of such intervals that hold the truth, above 0 and below 1.
    pub const fn level(&self) -> f64 {
        self.level
    }

    /// Where it comes from.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Whether `value` lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two decimals of a per cent at most: 0.95 × 100 is not 95 in binary.
        let percent = (self.level * 10_000.0).round() / 100.0;
        write!(out, "[{}, {}] at {percent} %", self.low, self.high)
    }
}

/// How rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// Each row by itself: for rows that do not depend on one another.
    Independent,
    /// Runs of so many rows, the last followed by the first: for rows in order of time, where neighbours are alike.
    Blocks {
        /// Rows a run.
        rows: usize,
    },
}

/// Rules of a [`bootstrap`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bootstrap {
    /// Times that the statistic is computed anew; 1,000 are usual.
    pub resamples: usize,
    /// Level of the interval, above 0, below 1.
    pub level: f64,
    /// Where chance begins; the same seed gives the same interval on every machine.
    pub seed: u64,
    /// How rows are drawn.
    pub resampling: Resampling,
}

/// Percentile interval of `statistic` over rows drawn anew with replacement.
///
/// `rows`: the samples, in order of time where blocks are drawn; pairs (model, baseline) keep the two together.
/// Costs `rules.resamples` calls of `statistic`, memory of one copy of `rows` and one number a resample.
///
/// # Errors
/// [`Error::TooFew`] below 2 rows; [`Error::NotFinite`] if the statistic is, for any resample;
/// [`Error::Level`]; [`Error::Zero`] without resamples or with empty blocks.
pub fn bootstrap<R: Copy>(rows: &[R], statistic: impl Fn(&[R]) -> f64, rules: &Bootstrap) -> Result<Interval, Error> {
    let [interval] = bootstrap_each(rows, |rows| [statistic(rows)], rules)?;
    Ok(interval)
}

/// [`bootstrap`] of several statistics of the same rows, each as if alone: rows are drawn once for all of them.
///
/// # Errors
/// As [`bootstrap`].
pub fn bootstrap_each<R: Copy, const N: usize>(
    rows: &[R],
    statistics: impl Fn(&[R]) -> [f64; N],
    rules: &Bootstrap,
) -> Result<[Interval; N], Error> {
    check_level(rules.level)?;
    let block = match rules.resampling {
        Resampling::Independent => 1,
        Resampling::Blocks { rows: 0 } => return Err(Error::Zero { what: "rows a block" }),
        Resampling::Blocks { rows: block } => block.min(rows.len()),
    };
    if rules.resamples == 0 {
        return Err(Error::Zero { what: "resamples" });
    }
    if rows.len() < 2 {
        return Err(Error::TooFew { what: "bootstrap", needed: 2, found: rows.len() });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(rules.seed);
    let mut drawn = Vec::with_capacity(rows.len() + block);
    let mut found: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(rules.resamples));
    for _ in 0..rules.resamples {
        drawn.clear();
        while drawn.len() < rows.len() {
            let start = below(&mut rng, rows.len());
            let to_end = block.min(rows.len() - start);
            drawn.extend_from_slice(&rows[start..start + to_end]);
            drawn.extend_from_slice(&rows[..block - to_end]);
        }
        drawn.truncate(rows.len());
        for (found, value) in found.iter_mut().zip(statistics(&drawn)) {
            found.push(finite("statistic of a resample", value)?);
        }
    }
    let tail = (1.0 - rules.level) / 2.0;
    let interval = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        let (low, high) = (quantile(&values, tail), quantile(&values, 1.0 - tail));
        Interval::new(low, high, rules.level, Method::Bootstrap(*rules))
    };
    let intervals = found.into_iter().map(interval).collect::<Result<Vec<_>, Error>>()?;
    Ok(intervals.try_into().expect("one interval a statistic"))
}

/// How far from a prediction the truth lies at most in a share `level` of cases, by the residuals of predictions that were not
/// fitted on: split conformal prediction (Vovk et al.; Lei et al. 2018).
///
/// Holds for any distribution, as long as the next case is exchangeable with those behind `residuals`.
///
/// # Errors
/// [`Error::TooFew`]: a level of 0.9 needs 9 residuals, 0.99 needs 99. [`Error::NotFinite`], [`Error::Level`].
pub fn conformal_radius(residuals: &[f64], level: f64) -> Result<f64, Error> {
    check_level(level)?;
    let mut radii =
        residuals.iter().map(|&residual| finite("residual", residual.abs())).collect::<Result<Vec<_>, _>>()?;
    // The nudge keeps 0.9 × 10 from being 9.000000000000002 and then 10.
    let rank = ((residuals.len() + 1) as f64 * level - 1e-9).ceil().max(1.0) as usize;
    if rank > residuals.len() {
        let needed = (level / (1.0 - level) - 1e-9).ceil() as usize;
        return Err(Error::TooFew { what: "conformal interval", needed, found: residuals.len() });
    }
    let (_, radius, _) = radii.select_nth_unstable_by(rank - 1, f64::total_cmp);
    Ok(*radius)
}

fn check_level(level: f64) -> Result<(), Error> {
    if level > 0.0 && level < 1.0 { Ok(()) } else { Err(Error::Level { found: level }) }
}

/// An index below `count`, each equally likely to within `count` / 2⁶⁴. Written out so that no
/// version of a crate of random numbers changes a figure.
fn below(rng: &mut impl Rng, count: usize) -> usize {
    ((u128::from(rng.next_u64()) * count as u128) >> 64) as usize
}

/// Between the two nearest of `sorted`, as numpy's default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn mean(rows: &[f64]) -> f64 {
        rows.iter().sum::<f64>() / rows.len() as f64
    }

    fn rules(resampling: Resampling) -> Bootstrap {
        Bootstrap { resamples: 500, level: 0.9, seed: 7, resampling }
    }

    #[track_caller]
    fn check(rows: &[f64], rules: &Bootstrap, want: Expect) {
        want.assert_eq(&match bootstrap(rows, mean, rules) {
            Ok(interval) => format!("[{:.4}, {:.4}]", interval.low(), interval.high()),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn several_statistics_of_the_same_rows_are_as_if_alone() {
        let rows: Vec<f64> = (0..60).map(|row| f64::from(row * 37 % 23)).collect();
        let most = |rows: &[f64]| rows.iter().fold(f64::MIN, |most, row| most.max(*row));
        for resampling in [Resampling::Independent, Resampling::Blocks { rows: 4 }] {
            let rules = rules(resampling);
            let each = bootstrap_each(&rows, |rows| [mean(rows), most(rows)], &rules).unwrap();
            let alone = [bootstrap(&rows, mean, &rules).unwrap(), bootstrap(&rows, most, &rules).unwrap()];
            assert_eq!(each, alone);
            assert_ne!(each[0], each[1]);
        }
    }

    #[test]
    fn a_seed_gives_the_same_interval_for_ever() {
        let rows = [0.12, 0.10, 0.31, 0.07, 0.22, 0.15, 0.18, 0.09];
        check(&rows, &rules(Resampling::Independent), expect!["[0.1125, 0.2001]"]);
        check(&rows, &Bootstrap { seed: 8, ..rules(Resampling::Independent) }, expect!["[0.1138, 0.1989]"]);
        check(&rows, &rules(Resampling::Blocks { rows: 3 }), expect!["[0.1288, 0.1850]"]);
        // One block is the whole, turned: every mean is the mean.
        check(&rows, &rules(Resampling::Blocks { rows: 99 }), expect!["[0.1550, 0.1550]"]);
    }

    #[test]
    fn refuses_what_has_no_interval() {
        check(&[1.0], &rules(Resampling::Independent), expect!["bootstrap: expected at least 2 samples, found 1"]);
        check(
            &[1.0, f64::NAN],
            &rules(Resampling::Independent),
            expect!["statistic of a resample: expected a finite number, found NaN"],
        );
        check(
            &[1.0, 2.0],
            &rules(Resampling::Blocks { rows: 0 }),
            expect!["rows a block: expected at least 1, found 0"],
        );
        check(
            &[1.0, 2.0],
            &Bootstrap { resamples: 0, ..rules(Resampling::Independent) },
            expect!["resamples: expected at least 1, found 0"],
        );
        check(
            &[1.0, 2.0],
            &Bootstrap { level: 1.0, ..rules(Resampling::Independent) },
            expect!["level: expected more than 0 and less than 1, found 1"],
        );
        assert_eq!(Interval::given(2.0, 1.0, 0.5), Err(Error::Reversed { low: 2.0, high: 1.0 }));
    }

    #[test]
    fn pairs_stay_together() {
        let pairs: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i), f64::from(i) + 1.0)).collect();
        let gap = |rows: &[(f64, f64)]| rows.iter().map(|row| row.1 - row.0).sum::<f64>() / rows.len() as f64;
        let interval = bootstrap(&pairs, gap, &rules(Resampling::Independent)).unwrap();
        assert_eq!((interval.low(), interval.high()), (1.0, 1.0));
    }

    #[test]
    fn blocks_widen_the_interval_where_neighbours_are_alike() {
        // 20 runs of 25 equal values: the truth has 20 samples, not 500.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let rows: Vec<f64> = (0..20).flat_map(|_| [(below(&mut rng, 100)) as f64; 25]).collect();
        let width = |resampling| {
            let interval = bootstrap(&rows, mean, &rules(resampling)).unwrap();
            interval.high() - interval.low()
        };
        let (independent, blocks) = (width(Resampling::Independent), width(Resampling::Blocks { rows: 25 }));
        assert!(blocks > 3.0 * independent, "{blocks} against {independent}");
    }

    #[test]
    fn the_interval_of_a_mean_holds_the_truth_about_as_often_as_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let held = (0..300)
            .filter(|&seed| {
                let rows: Vec<f64> = (0..60).map(|_| below(&mut rng, 1001) as f64).collect();
                let rules = Bootstrap { resamples: 200, seed, ..rules(Resampling::Independent) };
                bootstrap(&rows, mean, &rules).unwrap().contains(500.0)
            })
            .count();
        assert!((250..=290).contains(&held), "{held} of 300 at 90 %");
    }

    #[test]
    fn a_conformal_radius_is_the_rank_that_the_theorem_names() {
        let residuals: Vec<f64> = (1..=9).map(|i| f64::from(i) * if i % 2 == 0 { -1.0 } else { 1.0 }).collect();
        assert_eq!(conformal_radius(&residuals, 0.9), Ok(9.0));
        assert_eq!(conformal_radius(&residuals, 0.5), Ok(5.0));
        assert_eq!(conformal_radius(&residuals, 0.01), Ok(1.0));
        assert_eq!(
            conformal_radius(&residuals, 0.95),
            Err(Error::TooFew { what: "conformal interval", needed: 19, found: 9 })
        );
        let interval = Interval::conformal(100.0, &residuals, 0.5).unwrap();
        assert_eq!((interval.low(), interval.high()), (95.0, 105.0));
        assert!(matches!(conformal_radius(&[f64::NAN], 0.5), Err(Error::NotFinite { .. })));
    }

    proptest! {
        #[test]
        fn conformal_covers_at_least_its_level(residuals in proptest::collection::vec(-100.0f64..100.0, 2..60), level in 0.05f64..0.95) {
            // Leave one out, each in turn the next case: exchangeable by construction, so coverage over all is at least the level.
            let n = residuals.len();
            let mut covered = 0;
            for left_out in 0..n {
                let others: Vec<f64> = residuals.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, r)| *r).collect();
                match conformal_radius(&others, level) {
                    Ok(radius) => covered += usize::from(residuals[left_out].abs() <= radius),
                    Err(_) => return Ok(()),
                }
            }
            prop_assert!(covered as f64 >= level * n as f64 - 1e-6, "{covered} of {n} at {level}");
        }

        #[test]
        fn the_interval_lies_within_the_rows(rows in proptest::collection::vec(-1e6f64..1e6, 2..40), seed: u64, block in 1usize..50) {
            let rules = Bootstrap { resamples: 50, level: 0.8, seed, resampling: Resampling::Blocks { rows: block } };
            let least = |rows: &[f64]| rows.iter().copied().fold(f64::INFINITY, f64::min);
            let interval = bootstrap(&rows, least, &rules).unwrap();
            prop_assert!(interval.low() >= least(&rows));
            prop_assert!(interval.high() <= rows.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
    }
}
