//! Quantiles of paths made of steps that were seen.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{each_by_itself, last};
use crate::{Error, Forecast, ForecastKey, Forecaster, LEVELS, ModelId, Quantiles};

/// Quantiles of paths that go on from the last value by steps drawn from the context with replacement (Efron 1979; for forecasts Thombs and
/// Schucany 1990).
///
/// Steps are ratios where all values are above 0, else differences. Chance begins at the seed and the bytes of the context, so that
/// neighbouring contexts do not share their luck. Needs 20 values.
#[derive(Debug, Clone, Copy)]
pub struct QuantileBootstrap {
    paths: usize,
}

impl QuantileBootstrap {
    /// `paths`: from 19, so that each level has its own path, to 100,000.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(paths: usize) -> Result<Self, Error> {
        if (19..=100_000).contains(&paths) {
            return Ok(Self { paths });
        }
        Err(Error::Parameter {
            model: "bootstrap".to_owned(),
            parameter: format!("paths={paths}"),
            reason: "expected 19 to 100000 paths".to_owned(),
        })
    }
}

impl Default for QuantileBootstrap {
    fn default() -> Self {
        Self { paths: 999 }
    }
}

impl Forecaster for QuantileBootstrap {
    fn id(&self) -> ModelId {
        ModelId::new("bootstrap/1", format!("paths={}", self.paths))
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, 20, |context| {
            let are_ratios = context.iter().all(|&value| value > 0.0);
            let step = |pair: &[f64]| if are_ratios { pair[1] / pair[0] } else { pair[1] - pair[0] };
            let steps: Vec<f64> = context.windows(2).map(step).collect();
            let mut rng = ChaCha8Rng::from_seed(*ForecastKey::new(&[0; 32], context, 1, seed).as_bytes());
            let mut ends = vec![last(context); self.paths];
            let mut values = Vec::with_capacity(horizon * LEVELS.len());
            for _ in 0..horizon {
                for end in &mut ends {
                    let place = (u128::from(rng.next_u64()) * steps.len() as u128) >> 64;
                    let step = steps[place as usize];
                    *end = if are_ratios { *end * step } else { *end + step };
                }
                let mut sorted = ends.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                values.extend(LEVELS.map(|level| quantile(&sorted, level)));
            }
            Quantiles::of_standard_levels(values.into())
        })
    }
}

/// Between the two nearest of `sorted`, as numpy's default.
pub(super) fn quantile(sorted: &[f64], level: f64) -> f64 {
    let place = level * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
