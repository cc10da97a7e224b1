//! A figure that says what it is worth. Start at [`Score::new`].

use std::{fmt, num::NonZeroUsize};

use serde::Serialize;

use crate::{Error, Interval, error::finite};

/// What a score would be if one predicted without thinking: the last value, the mean, the favourite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baseline {
    /// What the baseline predicts, in words: "last lap time".
    pub name: &'static str,
    /// Its score on the same samples, in the same unit.
    pub value: f64,
}

/// Which of two scores is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Errors, losses, times.
    Lower,
    /// Accuracies, returns, rates.
    Higher,
}

/// A figure with its naive baseline, the number of samples behind it and an interval around it.
///
/// All of them are needed to make one, and none can be taken away:
///
/// ```
/// use railbird_measure::{Baseline, Better, Bootstrap, Resampling, Score, bootstrap};
///
/// let errors = [0.12, 0.10, 0.31, 0.07, 0.22];
/// let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len() as f64;
/// let rules = Bootstrap { resamples: 1000, level: 0.95, seed: 7, resampling: Resampling::Independent };
/// let score = Score::new(
///     "mean absolute error, s",
///     Better::Lower,
///     mean(&errors),
///     Baseline { name: "last lap time", value: 0.35 },
///     errors.len(),
///     bootstrap(&errors, mean, &rules)?,
/// )?;
/// assert!(score.beats_baseline());
/// # Ok::<(), railbird_measure::Error>(())
/// ```
///
/// A score without a baseline, a sample size and an interval does not compile:
///
/// ```compile_fail,E0061
/// use railbird_measure::{Better, Score};
///
/// let score = Score::new("accuracy", Better::Higher, 0.93);
/// ```
///
/// Nor does one that is put together by hand:
///
/// ```compile_fail,E0451
/// use railbird_measure::{Better, Score};
///
/// fn without_doubt(honest: Score) -> Score {
///     Score { value: 1.0, ..honest }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    name: &'static str,
    better: Better,
    value: f64,
    baseline: Baseline,
    samples: NonZeroUsize,
    interval: Interval,
}

impl Score {
    /// `name`: what is measured, with its unit. `samples`: independent samples behind `value` and behind the baseline.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::TooFew`] without samples.
    pub fn new(
        name: &'static str,
        better: Better,
        value: f64,
        baseline: Baseline,
        samples: usize,
        interval: Interval,
    ) -> Result<Self, Error> {
        finite("score", value)?;
        finite("baseline", baseline.value)?;
        let samples = NonZeroUsize::new(samples).ok_or(Error::TooFew { what: "score", needed: 1, found: 0 })?;
        Ok(Self { name, better, value, baseline, samples, interval })
    }

    /// What is measured, with its unit.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Which direction is good.
    pub const fn better(&self) -> Better {
        self.better
    }

    /// The figure.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// What naive predictions score.
    pub const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Samples behind the figure.
    pub const fn samples(&self) -> NonZeroUsize {
        self.samples
    }

    /// Where the figure could as well have come out.
    pub const fn interval(&self) -> &Interval {
        &self.interval
    }

    /// Whether the whole interval is better than the baseline, not only the figure.
    pub fn beats_baseline(&self) -> bool {
        match self.better {
            Better::Lower => self.interval.high() < self.baseline.value,
            Better::Higher => self.interval.low() > self.baseline.value,
        }
    }

    /// How far the figure is better than the baseline, in the score's unit; negative where it is worse.
    pub fn gain(&self) -> f64 {
        match self.better {
            Better::Lower => self.baseline.value - self.value,
            Better::Higher => self.value - self.baseline.value,
        }
    }
}

/// One line: `mean absolute error, s: 0.164 [0.096, 0.238] at 95 %, n = 5; last lap time: 0.35`.
impl fmt::Display for Score {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, baseline, samples, interval, .. } = self;
        write!(out, "{name}: {value} {interval}, n = {samples}; {}: {}", baseline.name, baseline.value)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn score(better: Better, value: f64, baseline: f64, samples: usize) -> Result<Score, Error> {
        let interval = Interval::given(value - 1.0, value + 1.0, 0.9)?;
        Score::new("error, s", better, value, Baseline { name: "mean", value: baseline }, samples, interval)
    }

    #[track_caller]
    fn check(better: Better, value: f64, baseline: f64, samples: usize, want: Expect) {
        want.assert_eq(&match score(better, value, baseline, samples) {
            Ok(score) => format!("{score}; gain {}, beats {}", score.gain(), score.beats_baseline()),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn beats_its_baseline_only_with_the_whole_interval() {
        check(
            Better::Lower,
            2.0,
            3.5,
            9,
            expect!["error, s: 2 [1, 3] at 90 %, n = 9; mean: 3.5; gain 1.5, beats true"],
        );
        check(
            Better::Lower,
            2.0,
            2.5,
            9,
            expect!["error, s: 2 [1, 3] at 90 %, n = 9; mean: 2.5; gain 0.5, beats false"],
        );
        check(
            Better::Higher,
            2.0,
            0.5,
            9,
            expect!["error, s: 2 [1, 3] at 90 %, n = 9; mean: 0.5; gain 1.5, beats true"],
        );
        check(
            Better::Higher,
            2.0,
            3.5,
            9,
            expect!["error, s: 2 [1, 3] at 90 %, n = 9; mean: 3.5; gain -1.5, beats false"],
        );
    }

    #[test]
    fn is_refused_without_numbers_or_samples() {
        check(Better::Lower, 2.0, f64::NAN, 9, expect!["baseline: expected a finite number, found NaN"]);
        check(Better::Lower, f64::INFINITY, 1.0, 9, expect!["interval: expected a finite number, found inf"]);
        check(Better::Lower, 2.0, 1.0, 0, expect!["score: expected at least 1 samples, found 0"]);
    }

    #[test]
    fn says_all_of_it_in_json() {
        let json = serde_json::to_string(&score(Better::Higher, 2.0, 0.5, 9).unwrap()).unwrap();
        expect![[r#"{"name":"error, s","better":"higher","value":2.0,"baseline":{"name":"mean","value":0.5},"samples":9,"interval":{"low":1.0,"high":3.0,"level":0.9,"method":"given"}}"#]].assert_eq(&json);
    }
}
