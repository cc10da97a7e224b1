//! What a forecaster answers. Start at [`Forecast`].

use std::sync::Arc;

use crate::Error;

/// Levels that every built-in forecaster gives.
pub const LEVELS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Most levels a forecast has, and most steps.
const LEVELS_MAX: usize = 1_000;
pub(crate) const HORIZON_MAX: usize = 10_000;

/// The answer for one context.
#[derive(Debug, Clone, PartialEq)]
pub enum Forecast {
    /// There is one.
    Made(Quantiles),
    /// There is none, and there will be none however often one asks.
    Unmade(Unmade),
}

/// Why a model has no forecast for a context. The same context gives the same reason again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmade {
    /// The context has too few values.
    TooShort {
        /// Fewest that the model needs.
        needed: usize,
        /// Values in the context.
        found: usize,
    },
    /// A value of the context is NaN or infinite.
    NotFinite {
        /// The first such value, counted from the oldest.
        at: usize,
    },
    /// The numbers are so large that the answer is none.
    Overflow,
    /// A model from elsewhere gave no answer for this context.
    Declined,
}

/// Quantiles of the value at each step ahead: levels × steps, every number finite, ascending with the level.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles {
    /// Above 0, below 1, ascending; 0.5 is among them. Shared by all answers of a model.
    levels: Arc<[f64]>,
    /// Step by step, within a step by level. Shared by copies: a batch holds the same forecast many times.
    values: Arc<[f64]>,
    /// Where 0.5 stands in `levels`.
    middle: usize,
}

impl Forecast {
    /// The quantiles, if it was made.
    pub const fn made(&self) -> Option<&Quantiles> {
        match self {
            Self::Made(quantiles) => Some(quantiles),
            Self::Unmade(_) => None,
        }
    }

    /// Median of a step, the first is 0: the point forecast.
    pub fn median(&self, step: usize) -> Option<f64> {
        self.made()?.median(step)
    }

    /// As [`Quantiles::at`].
    pub fn at(&self, step: usize, level: f64) -> Option<f64> {
        self.made()?.at(step, level)
    }

    /// Bytes from which [`Forecast::from_bytes`] makes the same again, bit by bit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let number = |bytes: &mut Vec<u8>, number: usize| bytes.extend_from_slice(&(number as u32).to_le_bytes());
        match self {
            Self::Made(quantiles) => {
                bytes.push(0);
                number(&mut bytes, quantiles.levels.len());
                for value in quantiles.levels.iter().chain(quantiles.values.iter()) {
                    bytes.extend_from_slice(&value.to_bits().to_le_bytes());
                }
            }
            Self::Unmade(Unmade::TooShort { needed, found }) => {
                bytes.push(1);
                number(&mut bytes, *needed);
                number(&mut bytes, *found);
            }
            Self::Unmade(Unmade::NotFinite { at }) => {
                bytes.push(2);
                number(&mut bytes, *at);
            }
            Self::Unmade(Unmade::Overflow) => bytes.push(3),
            Self::Unmade(Unmade::Declined) => bytes.push(4),
        }
        bytes
    }

    /// What [`Forecast::to_bytes`] wrote. `levels`: of the answer before, so that many share one copy; may be empty.
    ///
    /// # Errors
    /// [`Error::Stored`] for any other bytes: they may come from anyone.
    pub fn from_bytes(bytes: &[u8], levels: &mut Option<Arc<[f64]>>) -> Result<Self, Error> {
        let stored = |reason| Error::Stored { reason };
        let (&kind, rest) = bytes.split_first().ok_or(stored("empty"))?;
        let numbers: Vec<usize> = match kind {
            0 => Vec::new(),
            _ => rest.chunks_exact(4).map(|part| u32_of(part) as usize).collect(),
        };
        Ok(Self::Unmade(match (kind, numbers.as_slice()) {
            (0, _) => return Ok(Self::Made(quantiles_from_bytes(rest, levels)?)),
            (1, &[needed, found]) if rest.len() == 8 => Unmade::TooShort { needed, found },
            (2, &[at]) if rest.len() == 4 => Unmade::NotFinite { at },
            (3, []) if rest.is_empty() => Unmade::Overflow,
            (4, []) if rest.is_empty() => Unmade::Declined,
            _ => return Err(stored("of no known kind")),
        }))
    }
}

impl From<Result<Quantiles, Unmade>> for Forecast {
    fn from(result: Result<Quantiles, Unmade>) -> Self {
        match result {
            Ok(quantiles) => Self::Made(quantiles),
            Err(unmade) => Self::Unmade(unmade),
        }
    }
}

impl Quantiles {
    /// `levels`: above 0, below 1, ascending, 0.5 among them. `values`: step by step, within a step one a level, ascending, finite.
    ///
    /// # Errors
    /// [`Error::Quantiles`].
    pub fn new(levels: impl Into<Arc<[f64]>>, values: impl Into<Arc<[f64]>>) -> Result<Self, Error> {
        let (levels, values) = (levels.into(), values.into());
        let wrong = |reason: String| Err(Error::Quantiles { reason });
        let middle = middle_of(&levels)?;
        let steps = values.len() / levels.len();
        if steps == 0 || steps > HORIZON_MAX || steps * levels.len() != values.len() {
            return wrong(format!(
                "expected {} values a step for 1 to {HORIZON_MAX} steps, found {} values",
                levels.len(),
                values.len()
            ));
        }
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return wrong(format!("expected finite values, found {value}"));
        }
        if let Some(step) = values.chunks_exact(levels.len()).find(|step| !step.is_sorted()) {
            return wrong(format!("expected values that ascend with the level, found {step:?}"));
        }
        Ok(Self { levels, values, middle })
    }

    /// `point` of each step, and `spread` of each times the distance from the mean of a normal distribution in standard
    /// deviations.
    pub(crate) fn normal(steps: impl Iterator<Item = (f64, f64)>) -> Result<Self, Unmade> {
        let values: Arc<[f64]> =
            steps.flat_map(|(point, spread)| NORMAL.map(|deviations| point + spread * deviations)).collect();
        Self::of_standard_levels(values)
    }

    /// `values`: step by step, one for each of [`LEVELS`], ascending unless they are not finite.
    pub(crate) fn of_standard_levels(values: Arc<[f64]>) -> Result<Self, Unmade> {
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Unmade::Overflow);
        }
        Ok(Self { levels: standard_levels(), values, middle: 4 })
    }

    /// Levels, ascending; 0.5 is one of them.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Steps ahead.
    pub fn horizon(&self) -> usize {
        self.values.len() / self.levels.len()
    }

    /// The values of a step, one a level.
    pub fn step(&self, step: usize) -> Option<&[f64]> {
        self.values.chunks_exact(self.levels.len()).nth(step)
    }

    /// All values: step by step, within a step by level.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Median of a step, the first is 0; `None` beyond the last.
    pub fn median(&self, step: usize) -> Option<f64> {
        Some(self.step(step)?[self.middle])
    }

    /// Quantile of a step, on the line between the two nearest levels; `None` beyond the last step and outside the levels
    /// that there are, since tails are not made up.
    pub fn at(&self, step: usize, level: f64) -> Option<f64> {
        let values = self.step(step)?;
        // Levels are written as decimals, and 0.1 + 0.2 is 0.30000000000000004.
        let near = |found: f64| (found - level).abs() < 1e-9;
        if let Some(exact) = self.levels.iter().position(|&found| near(found)) {
            return Some(values[exact]);
        }
        let above = self.levels.partition_point(|&found| found < level);
        let below = above.checked_sub(1)?;
        let share = (level - self.levels[below]) / (self.levels.get(above)? - self.levels[below]);
        Some(values[below] + (values[above] - values[below]) * share)
    }
}

/// One copy for all answers.
fn standard_levels() -> Arc<[f64]> {
    static SHARED: std::sync::LazyLock<Arc<[f64]>> = std::sync::LazyLock::new(|| Arc::from(LEVELS));
    Arc::clone(&SHARED)
}

/// Where 0.5 stands among levels that are as they have to be.
fn middle_of(levels: &[f64]) -> Result<usize, Error> {
    let wrong = |reason: String| Err(Error::Quantiles { reason });
    if levels.is_empty() || levels.len() > LEVELS_MAX {
        return wrong(format!("expected 1 to {LEVELS_MAX} levels, found {}", levels.len()));
    }
    if levels.iter().any(|&level| !(level > 0.0 && level < 1.0)) || !levels.is_sorted_by(|a, b| a < b) {
        return wrong(format!("expected ascending levels above 0 and below 1, found {levels:?}"));
    }
    match levels.iter().position(|&level| level == 0.5) {
        Some(middle) => Ok(middle),
        None => wrong(format!("expected the level 0.5 among the levels, found {levels:?}")),
    }
}

fn quantiles_from_bytes(rest: &[u8], shared: &mut Option<Arc<[f64]>>) -> Result<Quantiles, Error> {
    let stored = |reason| Error::Stored { reason };
    let (count, rest) = rest.split_at_checked(4).ok_or(stored("ends early"))?;
    let count = u32_of(count) as usize;
    if count == 0 || count > LEVELS_MAX || rest.len() % 8 != 0 || rest.len() / 8 > LEVELS_MAX * HORIZON_MAX {
        return Err(stored("of an impossible size"));
    }
    let mut numbers = rest.chunks_exact(8).map(|part| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(part);
        f64::from_bits(u64::from_le_bytes(bytes))
    });
    let levels: Vec<f64> = numbers.by_ref().take(count).collect();
    let values: Arc<[f64]> = numbers.collect();
    let levels = match shared {
        Some(shared) if shared[..] == levels[..] => Arc::clone(shared),
        _ if levels[..] == LEVELS => standard_levels(),
        _ => Arc::from(levels),
    };
    *shared = Some(Arc::clone(&levels));
    Quantiles::new(levels, values).map_err(|_| stored("no quantiles"))
}

/// Little-endian, of four bytes.
fn u32_of(part: &[u8]) -> u32 {
    part.iter().rev().fold(0, |number, &byte| (number << 8) | u32::from(byte))
}

/// Quantiles of the standard normal distribution at [`LEVELS`], to the last bit that f64 has (Wichura 1988, AS 241).
const NORMAL: [f64; 9] = [
    -1.281_551_565_544_600_4,
    -0.841_621_233_572_914_3,
    -0.524_400_512_708_040_7,
    -0.253_347_103_135_799_7,
    0.0,
    0.253_347_103_135_799_7,
    0.524_400_512_708_040_7,
    0.841_621_233_572_914_3,
    1.281_551_565_544_600_4,
];

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(levels: &[f64], values: &[f64], want: Expect) {
        want.assert_eq(&match Quantiles::new(levels, values) {
            Ok(quantiles) => format!("{quantiles:?}"),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn says_what_is_wrong_with_quantiles() {
        check(&[], &[1.0], expect!["quantiles: expected 1 to 1000 levels, found 0"]);
        check(
            &[0.1, 0.9],
            &[1.0, 2.0],
            expect!["quantiles: expected the level 0.5 among the levels, found [0.1, 0.9]"],
        );
        check(
            &[0.5, 0.1],
            &[1.0, 2.0],
            expect!["quantiles: expected ascending levels above 0 and below 1, found [0.5, 0.1]"],
        );
        check(
            &[0.5, 0.9],
            &[1.0, 2.0, 3.0],
            expect!["quantiles: expected 2 values a step for 1 to 10000 steps, found 3 values"],
        );
        check(&[0.5], &[f64::NAN], expect!["quantiles: expected finite values, found NaN"]);
        check(
            &[0.5, 0.9],
            &[2.0, 1.0],
            expect!["quantiles: expected values that ascend with the level, found [2.0, 1.0]"],
        );
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours_and_tails_are_not_made_up() {
        let quantiles = Quantiles::new([0.1, 0.5, 0.9], [1.0, 2.0, 4.0, 10.0, 20.0, 40.0]).unwrap();
        assert_eq!((quantiles.horizon(), quantiles.median(0), quantiles.median(1)), (2, Some(2.0), Some(20.0)));
        assert_eq!(quantiles.at(0, 0.5), Some(2.0));
        assert_eq!(quantiles.at(1, 0.7), Some(30.0));
        assert_eq!(quantiles.at(1, 0.9), Some(40.0));
        assert_eq!((quantiles.at(0, 0.05), quantiles.at(0, 0.95), quantiles.at(2, 0.5)), (None, None, None));
        let many = Quantiles::new(LEVELS, LEVELS).unwrap();
        assert_eq!(many.at(0, 0.1 + 0.2), Some(0.3));
    }

    #[test]
    fn numbers_too_large_are_not_passed_on() {
        assert_eq!(Quantiles::normal([(f64::MAX, f64::MAX)].into_iter()), Err(Unmade::Overflow));
        assert_eq!(Quantiles::normal([(1.0, 0.0)].into_iter()).unwrap().values(), [1.0; 9]);
    }

    #[test]
    fn every_kind_comes_back_from_its_bytes() {
        let made = Forecast::Made(Quantiles::new([0.5, 0.9], [-0.0, 2.0]).unwrap());
        let kinds = [
            made,
            Forecast::Unmade(Unmade::TooShort { needed: 5, found: 2 }),
            Forecast::Unmade(Unmade::NotFinite { at: 7 }),
            Forecast::Unmade(Unmade::Overflow),
            Forecast::Unmade(Unmade::Declined),
        ];
        for kind in kinds {
            let bytes = kind.to_bytes();
            let back = Forecast::from_bytes(&bytes, &mut None).unwrap();
            assert_eq!((&back, back.to_bytes()), (&kind, bytes.clone()));
            for cut in 0..bytes.len() {
                assert!(Forecast::from_bytes(&bytes[..cut], &mut None).is_err(), "{kind:?} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_refused_or_read_but_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(forecast) = Forecast::from_bytes(&bytes, &mut None) {
                prop_assert_eq!(forecast.to_bytes(), bytes);
            }
        }
    }
}
