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
        Self::at(context, drift, &steps, keep, first_error(&steps, keep))
    }

    /// The fit with a given `1 − α` and error at the first value.
    fn at(context: &[f64], drift: f64, steps: &[f64], keep: f64, first: f64) -> Result<Self, Unmade> {
        let mut error = first;
        let (mut sum, mut squares) = (0.0, 0.0);
        for (t, step) in (1..).zip(steps) {
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
    // Random walks have their least at the edge, where halving would go on for long.
    for (edge, place, outwards) in [(KEEP_LEAST, 0, 1.0), (KEEP_MOST, GRID - 1, -1.0)] {
        if best == place && slope_of_squares(steps, edge).0 * outwards >= 0.0 {
            return edge;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Series that `bench/rivals/market_forecasts.py` makes too.
    fn series(kind: &str, count: usize) -> Vec<f64> {
        let (mut state, mut value) = (1u64, 100.0);
        let mut next = |t: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chance = (state >> 11) as f64 / 2f64.powi(53) - 0.5;
            value = match kind {
                "walk" => value + chance,
                "trend" => 100.0 + 0.3 * t as f64 + 4.0 * chance,
                "noise" => 100.0 + 10.0 * chance,
                _ => 0.7 * value + 0.3 * (100.0 + 20.0 * chance),
            };
            value
        };
        (0..count).map(&mut next).collect()
    }

    type Fitted = (&'static str, usize, f64, f64, f64, f64, [f64; 3]);

    /// Kind, values, and what statsforecast 2.1.1 fits and says: α, first level, σ, sum of squares, three steps.
    #[rustfmt::skip]
    const STATSFORECAST: &[Fitted] = &[
        ("walk", 6, 0.5, 49.961604585436355, 0.15530085517318296, 0.0583474142724958, [100.26208349516506, 100.29845237071795, 100.33482124627083]),
        ("walk", 20, 0.5, 49.961604585436355, 0.19580545108318223, 0.6153534686804522, [100.24022754889548, 100.24765919925062, 100.25509084960575]),
        ("walk", 100, 0.9312499999999977, 34.81699319547573, 0.2863271402251696, 7.870630425497251, [98.64288835992706, 98.62982700343214, 98.61676564693722]),
        ("walk", 512, 0.9018749999999965, 30.211157772755826, 0.281449100947156, 40.24676003527637, [102.27393574390861, 102.27514670081193, 102.27635765771527]),
        ("trend", 6, 0.1, 50.8723102036127, 0.9277288941065712, 1.723045068632106, [101.89079712280665, 102.09674772139326, 102.30269831997987]),
        ("trend", 20, 0.24374999999999925, 51.715659029560605, 1.111720522587332, 21.578586621809688, [105.21251959155155, 105.35635282084363, 105.50018605013572]),
        ("trend", 100, 0.3424804687499989, 51.94688020839208, 1.2755920786070765, 173.90079788663795, [129.92008828971893, 130.06870474728143, 130.21732120484396]),
        ("trend", 512, 0.3429687499999991, 51.67671651523132, 1.2588605823106485, 900.4450898759665, [253.22021798251407, 253.37035778962354, 253.520497596733]),
        ("noise", 6, 0.1, 50.15872135589572, 2.2002955858384454, 9.682800473759622, [100.90948657581993, 101.04936307228645, 101.18923956875298]),
        ("noise", 20, 0.1, 50.00474058919946, 2.509531835609412, 100.83450787313365, [99.81257381270485, 99.79715688593505, 99.78173995916525]),
        ("noise", 100, 0.10268599987030022, 50.16059039906591, 2.963311244207543, 843.0713315884694, [100.2204600578811, 100.21700120178741, 100.21354234569372]),
        ("noise", 512, 0.10000000000000003, 50.285617557765825, 2.9147671698166064, 4315.906877708754, [100.25664133474153, 100.25699085251519, 100.25734037028884]),
        ("smooth", 6, 0.1, 50.5278366817559, 0.8755211461310565, 1.5331889907798162, [101.25516431506965, 101.4375909710544, 101.62001762703916]),
        ("smooth", 20, 0.10350704193115173, 50.412954778649556, 1.1450283476264957, 21.095851872213014, [100.20944049512472, 100.20653869191653, 100.20363688870836]),
        ("smooth", 100, 0.6840087890624995, 46.121960964940556, 1.8119197822824893, 315.32794934723194, [102.07903655773485, 102.07039469077161, 102.06175282380836]),
        ("smooth", 512, 0.6836730957031237, 47.003500631942586, 1.7965008532266313, 1639.533625333987, [99.39316473905457, 99.39386500859264, 99.39456527813071]),
    ];

    fn sum_of_squares(fit: &Fit, count: usize, steps: &[f64], keep: f64, first: f64) -> f64 {
        let mut error = first;
        let errors = steps.iter().map(|step| {
            error = step + keep * error;
            error * error
        });
        assert!(fit.sigma >= 0.0 && steps.len() + 1 == count);
        errors.skip(SETTLING - 1).sum()
    }

    #[test]
    fn with_its_parameters_the_forecasts_are_those_of_statsforecast() {
        for &(kind, count, alpha, level, sigma, squares, want) in STATSFORECAST {
            let context = series(kind, count);
            let drift = slope(&context) / 2.0;
            let steps: Vec<f64> = context.windows(2).map(|pair| pair[1] - pair[0] - drift).collect();
            let mean = context.iter().sum::<f64>() / count as f64;
            let line_at_first = mean - (count as f64 - 1.0) * drift;
            let first = context[0] - level - line_at_first / 2.0;
            let fit = Fit::at(&context, drift, &steps, 1.0 - alpha, first).unwrap();
            for (step, want) in want.iter().enumerate() {
                let found = fit.next + step as f64 * fit.drift;
                assert!((found / want - 1.0).abs() < 1e-12, "{kind} {count} step {step}: {found} for {want}");
            }
            assert!((fit.sigma / sigma - 1.0).abs() < 1e-9, "{kind} {count}: {} for {sigma}", fit.sigma);
            let found = sum_of_squares(&fit, count, &steps, 1.0 - alpha, first);
            assert!((found / squares - 1.0).abs() < 1e-9, "{kind} {count}: {found} for {squares}");
        }
    }

    #[test]
    fn fits_no_worse_than_statsforecast_and_forecasts_as_near_as_its_search_comes() {
        for &(kind, count, alpha, _, sigma, squares, want) in STATSFORECAST {
            let context = series(kind, count);
            let drift = slope(&context) / 2.0;
            let steps: Vec<f64> = context.windows(2).map(|pair| pair[1] - pair[0] - drift).collect();
            let keep = best_keep(&steps);
            let fit = Fit::of(&context).unwrap();
            let found = sum_of_squares(&fit, count, &steps, keep, first_error(&steps, keep));
            assert!(found <= squares * (1.0 + 1e-12), "{kind} {count}: {found} is more than {squares}");
            // Its search ends when the squares no longer change in its first digits: where they are flat, α may differ.
            if (found / squares - 1.0).abs() < 1e-6 {
                assert!((1.0 - keep - alpha).abs() < 5e-3, "{kind} {count}: {} for {alpha}", 1.0 - keep);
                let off = (fit.next - want[0]).abs();
                assert!(off < 1e-3 * sigma, "{kind} {count}: {} for {}", fit.next, want[0]);
            }
        }
    }

    #[test]
    fn no_value_of_the_parameter_is_better() {
        for kind in ["walk", "trend", "noise", "smooth"] {
            for count in [5, 6, 9, 40, 512, 3_000] {
                let context = series(kind, count);
                let drift = slope(&context) / 2.0;
                let steps: Vec<f64> = context.windows(2).map(|pair| pair[1] - pair[0] - drift).collect();
                let keep = best_keep(&steps);
                let best = squares(&steps, [keep; LANES])[0];
                for trial in 0..200 {
                    let keep = KEEP_LEAST + (KEEP_MOST - KEEP_LEAST) * f64::from(trial) / 199.0;
                    let other = squares(&steps, [keep; LANES])[0];
                    let slack = 1e-9 * other.abs().max(1e-9);
                    assert!(best <= other + slack, "{kind} {count}: {best} at best, {other} at {keep}");
                }
            }
        }
    }

    #[test]
    fn a_line_goes_on_and_a_constant_stays() {
        let line: Vec<f64> = (0..50).map(|i| 10.0 + 2.0 * f64::from(i)).collect();
        let fit = Fit::of(&line).unwrap();
        assert!((fit.drift - 1.0).abs() < 1e-12, "half of the slope: {}", fit.drift);
        let constant = Fit::of(&[7.5; 30]).unwrap();
        assert_eq!((constant.next, constant.drift, constant.sigma), (7.5, 0.0, 0.0));
    }
}
