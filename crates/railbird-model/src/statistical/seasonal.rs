//! The same time of the last season.

use super::each_by_itself;
use crate::{Error, Forecast, Forecaster, ModelId, Quantiles};

/// The value of one season before.
///
/// Spread: normal, with the root of the mean squared difference to the value a season before, growing with the root of the seasons ahead
/// (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.5). Needs one season and one value.
#[derive(Debug, Clone, Copy)]
pub struct SeasonalNaive {
    period: usize,
}

impl SeasonalNaive {
    /// `period`: values a season, from 1.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(period: usize) -> Result<Self, Error> {
        if (1..=1_000_000).contains(&period) {
            return Ok(Self { period });
        }
        Err(Error::Parameter {
            model: "seasonal".to_owned(),
            parameter: format!("period={period}"),
            reason: "expected 1 to 1000000 values a season".to_owned(),
        })
    }
}

impl Default for SeasonalNaive {
    /// A week of trading days.
    fn default() -> Self {
        Self { period: 5 }
    }
}

impl Forecaster for SeasonalNaive {
    fn id(&self) -> ModelId {
        ModelId::new("seasonal/1", format!("period={}", self.period))
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        let period = self.period;
        each_by_itself(contexts, horizon, period + 1, |context| {
            let pairs = context.iter().zip(&context[period..]);
            let squares: f64 = pairs.map(|(before, after)| (after - before) * (after - before)).sum();
            let sigma = (squares / (context.len() - period) as f64).sqrt();
            let season = &context[context.len() - period..];
            Quantiles::normal((0..horizon).map(|step| {
                let seasons = (step / period + 1) as f64;
                (season[step % period], sigma * seasons.sqrt())
            }))
        })
    }
}
