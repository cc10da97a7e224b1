//! The exponentially weighted mean.

use super::{each_by_itself, last};
use crate::{Error, Forecast, Forecaster, ModelId, Quantiles};

/// The exponentially weighted mean of the values, the same at every step: simple exponential smoothing with a given weight.
///
/// Starts at the first value. Spread: normal, with the root of the mean squared one-step error of the context, variance growing as
/// 1 + (h − 1)·α² (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 8.1). Needs two values.
#[derive(Debug, Clone, Copy)]
pub struct Ewma {
    alpha: f64,
}

impl Ewma {
    /// `alpha`: weight of the newest value, above 0, at most 1.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(alpha: f64) -> Result<Self, Error> {
        if alpha > 0.0 && alpha <= 1.0 {
            return Ok(Self { alpha });
        }
        Err(Error::Parameter {
            model: "ewma".to_owned(),
            parameter: format!("alpha={alpha}"),
            reason: "expected a weight above 0 and at most 1".to_owned(),
        })
    }
}

impl Default for Ewma {
    /// Half of the weight lies on the newest 3.1 values.
    fn default() -> Self {
        Self { alpha: 0.2 }
    }
}

impl Forecaster for Ewma {
    fn id(&self) -> ModelId {
        ModelId::new("ewma/1", format!("alpha={}", self.alpha))
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, 2, |context| {
            let (mut level, mut squares) = (context[0], 0.0);
            for &value in &context[1..] {
                let error = value - level;
                squares += error * error;
                // Exactly the value where the weight is 1.
                level = if self.alpha < 1.0 { level + self.alpha * error } else { value };
            }
            debug_assert!(self.alpha < 1.0 || level == last(context));
            let sigma = (squares / (context.len() - 1) as f64).sqrt();
            Quantiles::normal((0..horizon).map(|step| {
                let ahead = step as f64;
                (level, sigma * (1.0 + ahead * self.alpha * self.alpha).sqrt())
            }))
        })
    }
}
