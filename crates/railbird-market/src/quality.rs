//! How good the forecasts of the close were, beside the naive forecaster's. Start at [`Quality::of`].

use railbird_measure::{Baseline, Better, Bootstrap, Interval, Resampling, Score, bootstrap, bootstrap_each};
use railbird_model::LEVELS;
use serde::Serialize;

use crate::{
    data::{Bars, Key},
    forecasts::{CONTEXT_MAX, Forecasts},
};

/// Scores of one-step forecasts of the close over the scored bars, naive forecasts beside each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Mean absolute error over the mean absolute step within the context: 1 is as good as no change was before.
    pub mase: Option<Score>,
    /// Mean pinball loss of the levels 0.1 to 0.9, basis points of the last close.
    pub pinball: Option<Score>,
    /// Share of closes from the 10 % to the 90 % quantile; 0.8 is right.
    pub coverage: Option<f64>,
    /// The same of the naive forecaster.
    pub coverage_naive: Option<f64>,
    /// Bars that both forecast.
    pub bars: usize,
}

/// Losses of one bar.
#[derive(Debug, Clone, Copy, Default)]
struct Loss {
    scaled: f64,
    pinball_bp: f64,
    covered: f64,
}

impl Quality {
    /// Scores over `scored`; bars that either of the two could not forecast are left out of both.
    pub fn of(bars: &Bars, scored: &[usize], model: &Forecasts, naive: &Forecasts, seed: u64) -> Self {
        let pairs: Vec<(Loss, Loss)> =
            scored.iter().filter_map(|&at| Some((loss(bars, at, model)?, loss(bars, at, naive)?))).collect();
        let losses: Vec<[f64; 2]> = pairs.iter().map(|(model, _)| [model.scaled, model.pinball_bp]).collect();
        let rules =
            Bootstrap { resamples: crate::RESAMPLES, level: 0.95, seed, resampling: Resampling::Blocks { rows: 5 } };
        // Drawn once for both. A model that lacks a level has no pinball loss, and each stands alone.
        let [mase, pinball] = match bootstrap_each(&losses, means, &rules) {
            Ok(both) => both.map(Some),
            Err(_) => [0, 1].map(|at| bootstrap(&losses, |losses| means(losses)[at], &rules).ok()),
        };
        let score = |name, of: fn(&Loss) -> f64, interval: Option<Interval>| {
            let mean = |side: fn(&(Loss, Loss)) -> &Loss| {
                pairs.iter().map(|pair| of(side(pair))).sum::<f64>() / pairs.len() as f64
            };
            let baseline = Baseline { name: "naive", value: mean(|pair| &pair.1) };
            Score::new(name, Better::Lower, mean(|pair| &pair.0), baseline, pairs.len(), interval?).ok()
        };
        let share = |of: fn(&(Loss, Loss)) -> f64| {
            (!pairs.is_empty()).then(|| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64)
        };
        Self {
            mase: score("mean absolute scaled error of the close", |loss| loss.scaled, mase),
            pinball: score("pinball loss of the close, bp", |loss| loss.pinball_bp, pinball),
            coverage: share(|pair| pair.0.covered),
            coverage_naive: share(|pair| pair.1.covered),
            bars: pairs.len(),
        }
    }
}

fn means(losses: &[[f64; 2]]) -> [f64; 2] {
    let sums = losses.iter().fold([0.0; 2], |sums, loss| [sums[0] + loss[0], sums[1] + loss[1]]);
    sums.map(|sum| sum / losses.len() as f64)
}

fn loss(bars: &Bars, at: usize, forecasts: &Forecasts) -> Option<Loss> {
    let point = Some(forecasts.point(at, Key::Close)).filter(|point| point.is_finite())?;
    let context = &bars.close[at.saturating_sub(CONTEXT_MAX)..at];
    let steps: f64 = context.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
    let scale = steps / (context.len() as f64 - 1.0);
    let (actual, last) = (bars.close[at], *context.last()?);
    if scale.is_nan() || scale <= 0.0 {
        return None;
    }
    let quantiles = forecasts.close_quantiles(at);
    let pinball = |(level, quantile): (&f64, &f64)| {
        let miss = actual - quantile;
        if miss >= 0.0 { level * miss } else { (level - 1.0) * miss }
    };
    Some(Loss {
        scaled: (actual - point).abs() / scale,
        pinball_bp: LEVELS.iter().zip(quantiles).map(pinball).sum::<f64>() / LEVELS.len() as f64 / last * 1e4,
        covered: f64::from(u8::from(quantiles[0] <= actual && actual <= quantiles[8])),
    })
}
