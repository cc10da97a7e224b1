//! How good forecasts were, always beside the naive one. Start at [`ForecastScore::of`].

use serde::Serialize;

use crate::{Error, error::finite};

/// A forecast and what came, both in the unit of the series.
#[derive(Debug, Clone, Copy)]
pub struct Forecasted<'a> {
    /// What came.
    pub actual: f64,
    /// The last value that was known: the naive forecast.
    pub last: f64,
    /// Median of the forecast.
    pub point: f64,
    /// Quantiles, one for each of the levels that the score is given.
    pub quantiles: &'a [f64],
}

/// Quality of a set of forecasts, with the naive forecast's beside each figure.
///
/// The naive forecast is the last known value; its quantiles are that value at every level, since it claims no spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForecastScore {
    /// Forecasts scored.
    pub count: usize,
    /// Mean absolute error, in units of the scale: below 1 is better than naive forecasts were in training (Hyndman and Koehler 2006).
    pub mase: f64,
    /// The naive forecast's, in the same units.
    pub mase_naive: f64,
    /// Mean pinball loss over all levels (Koenker and Bassett 1978), in the unit of the series.
    pub pinball: f64,
    /// The naive forecast's.
    pub pinball_naive: f64,
    /// Share of what came that lies within the interval from the lowest to the highest level, ends included.
    pub coverage: f64,
    /// Share that should: highest less lowest level.
    pub coverage_wanted: f64,
}

impl ForecastScore {
    /// Scores `forecasts`. `levels`: of their quantiles, ascending. `scale`: [`naive_scale`] of values before the first forecast.
    ///
    /// # Errors
    /// [`Error::TooFew`] without forecasts or levels, or with as many quantiles as there are not levels; [`Error::NotFinite`], also for a scale
    /// of 0, which is that of a series that never moved; [`Error::Level`].
    pub fn of(forecasts: &[Forecasted<'_>], levels: &[f64], scale: f64) -> Result<Self, Error> {
        if forecasts.is_empty() || levels.is_empty() {
            return Err(Error::TooFew { what: "forecasts", needed: 1, found: 0 });
        }
        if let Some(&found) = levels.iter().find(|&&level| !(level > 0.0 && level < 1.0)) {
            return Err(Error::Level { found });
        }
        let count = forecasts.len() as f64;
        let (mut error, mut error_naive, mut loss, mut loss_naive, mut covered) = (0.0, 0.0, 0.0, 0.0, 0usize);
        for forecast in forecasts {
            let &Forecasted { actual, last, point, quantiles } = forecast;
            if quantiles.len() != levels.len() {
                return Err(Error::TooFew { what: "quantiles", needed: levels.len(), found: quantiles.len() });
            }
            error += finite("forecast", (actual - point).abs())?;
            error_naive += finite("naive forecast", (actual - last).abs())?;
            for (&level, &quantile) in levels.iter().zip(quantiles) {
                loss += finite("quantile", pinball(level, quantile, actual))?;
                loss_naive += pinball(level, last, actual);
            }
            covered += usize::from(quantiles[0] <= actual && actual <= quantiles[levels.len() - 1]);
        }
        let losses = count * levels.len() as f64;
        Ok(Self {
            count: forecasts.len(),
            mase: finite("MASE", error / count / scale)?,
            mase_naive: finite("MASE", error_naive / count / scale)?,
            pinball: loss / losses,
            pinball_naive: loss_naive / losses,
            coverage: covered as f64 / count,
            coverage_wanted: levels[levels.len() - 1] - levels[0],
        })
    }
}

/// Mean absolute step of `history`, oldest first: what MASE divides by.
///
/// # Errors
/// [`Error::TooFew`] below two values, [`Error::NotFinite`].
pub fn naive_scale(history: &[f64]) -> Result<f64, Error> {
    if history.len() < 2 {
        return Err(Error::TooFew { what: "scale", needed: 2, found: history.len() });
    }
    let sum: f64 = history.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
    finite("scale", sum / (history.len() - 1) as f64)
}

/// Pinball loss of a quantile: the expected loss is least where `quantile` is the one at `level`.
pub fn pinball(level: f64, quantile: f64, actual: f64) -> f64 {
    let above = actual - quantile;
    if above >= 0.0 { level * above } else { (level - 1.0) * above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        let levels = [0.1, 0.5, 0.9];
        let quantiles = [[9.0, 11.0, 13.0], [10.0, 12.0, 14.0]];
        let forecasts = [
            Forecasted { actual: 12.0, last: 10.0, point: 11.0, quantiles: &quantiles[0] },
            Forecasted { actual: 8.0, last: 12.0, point: 12.0, quantiles: &quantiles[1] },
        ];
        let score = ForecastScore::of(&forecasts, &levels, 2.0).unwrap();
        assert_eq!((score.count, score.mase, score.mase_naive, score.coverage), (2, 1.25, 1.5, 0.5));
        assert!((score.coverage_wanted - 0.8).abs() < 1e-12);
        // 0.3 + 0.5 + 0.1 of the first, 1.8 + 2 + 0.6 of the second, over six.
        assert!((score.pinball - 5.3 / 6.0).abs() < 1e-12, "{}", score.pinball);
        // 2 × 1.5 and 4 × 1.5.
        assert!((score.pinball_naive - 9.0 / 6.0).abs() < 1e-12, "{}", score.pinball_naive);
        assert_eq!(naive_scale(&[1.0, 3.0, 2.0]), Ok(1.5));
    }

    #[test]
    fn the_naive_forecast_scores_as_itself() {
        let quantiles = [5.0; 2];
        let forecasts =
            [7.0, 3.0, 5.0].map(|actual| Forecasted { actual, last: 5.0, point: 5.0, quantiles: &quantiles });
        let score = ForecastScore::of(&forecasts, &[0.2, 0.5], 1.0).unwrap();
        assert_eq!((score.mase, score.pinball), (score.mase_naive, score.pinball_naive));
    }

    #[test]
    fn the_loss_is_least_at_the_quantile() {
        let actual: Vec<f64> = (0..100).map(f64::from).collect();
        for level in [0.1, 0.5, 0.9] {
            let loss = |quantile: f64| actual.iter().map(|&actual| pinball(level, quantile, actual)).sum::<f64>();
            let best = (0..100).map(f64::from).min_by(|&a, &b| loss(a).total_cmp(&loss(b))).unwrap();
            assert!((best - 100.0 * level).abs() <= 1.0, "{best} at {level}");
        }
    }

    #[test]
    fn what_cannot_be_scored_is_refused() {
        let forecast = |point, quantiles| Forecasted { actual: 1.0, last: 1.0, point, quantiles };
        assert!(matches!(ForecastScore::of(&[], &[0.5], 1.0), Err(Error::TooFew { .. })));
        assert!(matches!(ForecastScore::of(&[forecast(1.0, &[])], &[0.5], 1.0), Err(Error::TooFew { .. })));
        assert!(matches!(ForecastScore::of(&[forecast(1.0, &[1.0])], &[1.5], 1.0), Err(Error::Level { .. })));
        assert!(matches!(ForecastScore::of(&[forecast(f64::NAN, &[1.0])], &[0.5], 1.0), Err(Error::NotFinite { .. })));
        assert!(matches!(ForecastScore::of(&[forecast(1.0, &[1.0])], &[0.5], 0.0), Err(Error::NotFinite { .. })));
        assert!(matches!(naive_scale(&[1.0]), Err(Error::TooFew { .. })));
    }
}
