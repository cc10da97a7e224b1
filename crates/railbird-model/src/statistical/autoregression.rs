//! Steps that depend on the steps before them.

use super::{each_by_itself, last};
use crate::{Error, Forecast, Forecaster, ModelId, Quantiles};

/// Autoregression of the steps between values, about their mean: ARIMA(p, 1, 0) with drift.
///
/// Coefficients by the Yule–Walker equations, solved as Levinson and Durbin do (Brockwell and Davis, Time Series: Theory and Methods, 8.1,
/// 5.2), so that the steps are always stationary. Spread: normal; the variance of the innovations, summed over the weights that an
/// innovation has on later values. Needs 2·p + 3 values. Steps that are all alike go on as they are.
#[derive(Debug, Clone, Copy)]
pub struct Autoregression {
    lags: usize,
}

/// More lags than this are refused: they cost their square.
const LAGS_MAX: usize = 100;

impl Autoregression {
    /// `lags`: p, from 1 to 100.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(lags: usize) -> Result<Self, Error> {
        if (1..=LAGS_MAX).contains(&lags) {
            return Ok(Self { lags });
        }
        Err(Error::Parameter {
            model: "ar".to_owned(),
            parameter: format!("lags={lags}"),
            reason: format!("expected 1 to {LAGS_MAX} lags"),
        })
    }
}

impl Default for Autoregression {
    fn default() -> Self {
        Self { lags: 5 }
    }
}

impl Forecaster for Autoregression {
    fn id(&self) -> ModelId {
        ModelId::new("ar/1", format!("lags={}", self.lags))
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, 2 * self.lags + 3, |context| {
            let count = (context.len() - 1) as f64;
            let mean = (last(context) - context[0]) / count;
            let mut steps: Vec<f64> = context.windows(2).map(|pair| pair[1] - pair[0] - mean).collect();
            let covariance = |lag: usize| steps.iter().zip(&steps[lag..]).map(|(a, b)| a * b).sum::<f64>() / count;
            let covariances: Vec<f64> = (0..=self.lags).map(covariance).collect();
            let (coefficients, variance) = levinson(&covariances);
            // Weight of an innovation on the value so many steps later: the sum of its weights on the steps.
            let mut weights: Vec<f64> = Vec::with_capacity(horizon);
            let (mut on_value, mut variance_ahead, mut value) = (0.0, 0.0, last(context));
            let path: Vec<(f64, f64)> = (0..horizon)
                .map(|step| {
                    let weight = if step == 0 { 1.0 } else { recent(&coefficients, &weights) };
                    weights.push(weight);
                    on_value += weight;
                    variance_ahead += variance * on_value * on_value;
                    let next = recent(&coefficients, &steps);
                    steps.push(next);
                    value += mean + next;
                    (value, variance_ahead.sqrt())
                })
                .collect();
            Quantiles::normal(path.into_iter())
        })
    }
}

/// Sum of coefficients times the newest values, the first coefficient with the newest.
fn recent(coefficients: &[f64], values: &[f64]) -> f64 {
    coefficients.iter().zip(values.iter().rev()).map(|(coefficient, value)| coefficient * value).sum()
}

/// Coefficients, and the variance of what they leave, from autocovariances at lags 0 to p.
fn levinson(covariances: &[f64]) -> (Vec<f64>, f64) {
    let mut coefficients: Vec<f64> = Vec::new();
    let mut variance = covariances[0];
    for lag in 1..covariances.len() {
        if variance <= covariances[0] * 1e-14 {
            // All alike, or predicted without rest: further lags have nothing to explain.
            break;
        }
        let explained: f64 = coefficients.iter().zip((1..lag).rev()).map(|(c, lag)| c * covariances[lag]).sum();
        let reflection = (covariances[lag] - explained) / variance;
        let mirrored: Vec<f64> = coefficients.iter().rev().map(|c| reflection * c).collect();
        coefficients.iter_mut().zip(mirrored).for_each(|(c, m)| *c -= m);
        coefficients.push(reflection);
        variance *= 1.0 - reflection * reflection;
    }
    (coefficients, variance.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levinson_solves_the_equations_of_yule_and_walker() {
        let covariances = [2.0, 1.1, 0.4, -0.3];
        let (coefficients, variance) = levinson(&covariances);
        for (row, &right) in covariances.iter().enumerate().skip(1) {
            let left: f64 = coefficients.iter().enumerate().map(|(at, c)| c * covariances[row.abs_diff(at + 1)]).sum();
            assert!((left - right).abs() < 1e-12, "row {row}: {left} for {right}");
        }
        let left: f64 = coefficients.iter().zip(&covariances[1..]).map(|(c, r)| c * r).sum();
        assert!((covariances[0] - left - variance).abs() < 1e-12);
    }

    #[test]
    fn finds_the_coefficient_that_made_the_series() {
        let (mut state, mut step, mut value) = (7u64, 0.0, 100.0);
        let context: Vec<f64> = (0..5_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                step = 0.6 * step + (state >> 11) as f64 / 2f64.powi(53) - 0.5;
                value += step;
                value
            })
            .collect();
        let forecast = Autoregression::new(1).unwrap().predict_batch(&[&context], 2, 0).unwrap().remove(0);
        let newest = context[4_999] - context[4_998];
        let ahead = forecast.median(0).unwrap() - context[4_999];
        assert!((ahead - 0.6 * newest).abs() < 0.05, "{ahead} after {newest}");
        // σ of the innovations is 1/√12; at two steps an innovation weighs 1.6, then 1.
        let spread = |step| (forecast.at(step, 0.9).unwrap() - forecast.median(step).unwrap()) / 1.281_551_565_544_6;
        assert!((spread(0) / (1.0 / 12f64.sqrt()) - 1.0).abs() < 0.03, "{}", spread(0));
        assert!((spread(1) / spread(0) - (1.0 + 1.6f64 * 1.6).sqrt()).abs() < 0.05, "{}", spread(1) / spread(0));
    }
}
