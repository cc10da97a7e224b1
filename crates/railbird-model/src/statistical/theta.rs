//! The standard Theta method.

use super::{each_by_itself, last};
use crate::{Error, Forecast, Forecaster, ModelId, Quantiles, Unmade};

/// The standard Theta method, without season.
///
/// The mean of the line of regression and of simple exponential smoothing of the series with its curvature doubled (Assimakopoulos and
/// Nikolopoulos 2000), which is simple exponential smoothing with half the line's slope as drift (Hyndman and Billah 2003). Smoothing
/// parameter and first level minimise the squared one-step errors after the third value, the parameter between 0.1 and 0.99: model STM of
/// Fiorucci et al. 2016, as their forecTheta and statsforecast fit it.
///
/// They search with Nelder and Mead from 0.5; here the first level is solved for and the parameter is found on a grid and then by
/// bisection of the slope, so that the fit is never worse. Their intervals are drawn from 200 paths; here they are the same normal distribution by
/// formula, variance σ²·(1 + (h − 1)·α²) at step h. Needs five values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Theta;

/// Values needed: two parameters and a line are fitted, and σ needs two errors after the third value.
const NEEDED: usize = 5;
/// Errors of the first values do not count: the level has not settled.
const SETTLING: usize = 3;

impl Forecaster for Theta {
    fn id(&self) -> ModelId {
        ModelId::new("theta/1", "")
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, NEEDED, |context| {
            let fit = Fit::of(context)?;
            Quantiles::normal((0..horizon).map(|step| {
                let ahead = step as f64;
                (fit.next + ahead * fit.drift, fit.sigma * (1.0 + ahead * fit.alpha * fit.alpha).sqrt())
            }))
        })
    }
}

/// Smoothing parameter least and most, as `1 − α`.
const KEEP_LEAST: f64 = 0.01;
const KEEP_MOST: f64 = 0.9;
/// Values of `1 − α` tried first, evenly spaced, eight at a time.
const GRID: usize = 16;
const LANES: usize = 8;
/// Below this share the first level is forgotten.
const FORGOTTEN: f64 = 1e-20;

/// A fitted series.
struct Fit {
    /// Forecast of the next value, and what each further one adds.
    next: f64,
    drift: f64,
    alpha: f64,
    /// Standard deviation of the one-step errors.
    sigma: f64,
}

impl Fit {
    /// The errors of smoothing with drift obey e[t] = y[t] − y[t−1] − drift + keep·e[t−1], keep = 1 − α: one multiplication and one
    /// addition a value. The first level is e[0], free: e[t] = z[t] + c·keep^t, where z starts from 0, and the best c is least squares.
    fn of(context: &[f64]) -> Result<Self, Unmade> {
        let drift = slope(context) / 2.0;
        let steps: Vec<f64> = context.windows(2).map(|pair| pair[1] - pair[0] - drift).collect();
        let keep = best_keep(&steps);
        let first = first_error(&steps, keep);
        let mut error = first;
        let (mut sum, mut squares) = (0.0, 0.0);
        for (t, step) in (1..).zip(&steps) {
            error = step + keep * error;
            if t >= SETTLING {
                sum += error;
                squares += error * error;
            }
        }
        let count = (context.len() - SETTLING) as f64;
        // As statsforecast: about the mean error, with one degree of freedom less.
        let variance = ((squares - sum * sum / count) / (count - 1.0)).max(0.0);
        let next = last(context) + drift - keep * error;
        if next.is_finite() && variance.is_finite() {
            Ok(Self { next, drift, alpha: 1.0 - keep, sigma: variance.sqrt() })
        } else {
            Err(Unmade::Overflow)
        }
    }
}

/// Slope of the line of regression on 1, 2, … n.
fn slope(context: &[f64]) -> f64 {
    let n = context.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let products: f64 = (0..).zip(context).map(|(i, y)| (f64::from(i) - middle) * (y - context[0])).sum();
    12.0 * products / (n * (n * n - 1.0))
}

/// `1 − α` with the least squares of errors, the first level solved for.
fn best_keep(steps: &[f64]) -> f64 {
    let at = |place: usize| KEEP_LEAST + (KEEP_MOST - KEEP_LEAST) * place as f64 / (GRID - 1) as f64;
    let mut costs = [0.0; GRID];
    for (group, costs) in costs.chunks_exact_mut(LANES).enumerate() {
        costs.copy_from_slice(&squares(steps, std::array::from_fn(|lane| at(group * LANES + lane))));
    }
    let best = (0..GRID).min_by(|&a, &b| costs[a].total_cmp(&costs[b])).unwrap_or(0);
    let (mut low, mut high) = (at(best.saturating_sub(1)), at((best + 1).min(GRID - 1)));
    // The root of the slope between the neighbours: Gauss and Newton's step first, then secants, and halves where they lead out.
    let mut keep = at(best);
    let mut before: Option<(f64, f64)> = None;
    for _ in 0..30 {
        let (slope, curvature) = slope_of_squares(steps, keep);
        if slope > 0.0 {
            high = keep;
        } else {
            low = keep;
        }
        let step = match before {
            Some((at, other)) if other != slope => slope * (keep - at) / (slope - other),
            _ => slope / curvature,
        };
        let wanted = keep - step;
        let next = if wanted > low && wanted < high { wanted } else { low + (high - low) / 2.0 };
        before = Some((keep, slope));
        // Two places of 1 − α this near give forecasts that differ by less than their last digits mean.
        if (next - keep).abs() <= 1e-9 || high - low <= 1e-9 {
            return next.clamp(KEEP_LEAST, KEEP_MOST);
        }
        keep = next;
    }
    keep
}

/// Sum of squared errors from the third on, for several values of `1 − α` side by side.
fn squares(steps: &[f64], keep: [f64; LANES]) -> [f64; LANES] {
    let (mut z, mut w) = ([0.0; LANES], [1.0; LANES]);
    let (mut zz, mut zw, mut ww) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (settling, rest) = steps.split_at(SETTLING - 1);
    for &step in settling {
        for lane in 0..LANES {
            z[lane] = step + keep[lane] * z[lane];
            w[lane] *= keep[lane];
        }
    }
    let mut rest = rest.iter();
    for &step in rest.by_ref() {
        for lane in 0..LANES {
            z[lane] = step + keep[lane] * z[lane];
            w[lane] *= keep[lane];
            zz[lane] += z[lane] * z[lane];
            zw[lane] += z[lane] * w[lane];
            ww[lane] += w[lane] * w[lane];
        }
        if w[LANES - 1] < FORGOTTEN {
            break;
        }
    }
    for &step in rest {
        for lane in 0..LANES {
            z[lane] = step + keep[lane] * z[lane];
            zz[lane] += z[lane] * z[lane];
        }
    }
    std::array::from_fn(|lane| zz[lane] - zw[lane] * zw[lane] / ww[lane])
}

/// The error before the first step that makes the squares least.
fn first_error(steps: &[f64], keep: f64) -> f64 {
    let (mut z, mut w, mut zw, mut ww) = (0.0, 1.0, 0.0, 0.0);
    for (t, step) in (1..).zip(steps) {
        z = step + keep * z;
        w *= keep;
        if t >= SETTLING {
            zw += z * w;
            ww += w * w;
        }
        if w < FORGOTTEN {
            break;
        }
    }
    -zw / ww
}

/// Half the slope of the squares in `1 − α`, and its Gauss–Newton curvature.
fn slope_of_squares(steps: &[f64], keep: f64) -> (f64, f64) {
    let c = first_error(steps, keep);
    let (mut error, mut change) = (c, 0.0);
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (t, step) in (1..).zip(steps) {
        change = error + keep * change;
        error = step + keep * error;
        if t >= SETTLING {
            slope += error * change;
            curvature += change * change;
        }
    }
    (slope, curvature)
}
