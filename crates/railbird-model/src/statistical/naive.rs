//! The two that every other has to beat.

use super::{each_by_itself, last};
use crate::{Error, Forecast, Forecaster, ModelId, Quantiles};

/// The last value, at every step.
///
/// Spread: normal, with the root of the mean squared step of the context, growing with the root of the steps ahead, as for a random
/// walk (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.5). Needs two values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naive;

/// The line through the first and the last value, from the last on.
///
/// Spread: normal; variance σ²·h·(1 + h/(n − 1)) at step h of a context of n values, σ² the variance of the steps about their mean with n − 2
/// degrees of freedom (Hyndman and Athanasopoulos, as for [`Naive`]). Needs three values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drift;

impl Forecaster for Naive {
    fn id(&self) -> ModelId {
        ModelId::new("naive/1", "")
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, 2, |context| {
            let steps = context.len() - 1;
            let squares: f64 = context.windows(2).map(|pair| (pair[1] - pair[0]) * (pair[1] - pair[0])).sum();
            let sigma = (squares / steps as f64).sqrt();
            Quantiles::normal((1..=horizon).map(|step| (last(context), sigma * (step as f64).sqrt())))
        })
    }
}

impl Forecaster for Drift {
    fn id(&self) -> ModelId {
        ModelId::new("drift/1", "")
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, 3, |context| {
            let steps = (context.len() - 1) as f64;
            let drift = (last(context) - context[0]) / steps;
            let off = |pair: &[f64]| pair[1] - pair[0] - drift;
            let squares: f64 = context.windows(2).map(|pair| off(pair) * off(pair)).sum();
            let sigma = (squares / (steps - 1.0)).sqrt();
            Quantiles::normal((1..=horizon).map(|step| {
                let ahead = step as f64;
                (last(context) + ahead * drift, sigma * (ahead * (1.0 + ahead / steps)).sqrt())
            }))
        })
    }
}
