//! The standard Theta method.

use std::collections::BTreeMap;

use rayon::prelude::*;
use rten_simd::{Isa, SimdOp};

use super::{last, usable};
use crate::{Error, Forecast, Forecaster, ModelId, Quantiles, Unmade, forecaster::check_horizon};

/// The standard Theta method, without season.
///
/// The mean of the line of regression and of simple exponential smoothing of the series with its curvature doubled (Assimakopoulos and
/// Nikolopoulos 2000), which is simple exponential smoothing with half the line's slope as drift (Hyndman and Billah 2003). Smoothing
/// parameter and first level minimise the squared one-step errors after the third value, the parameter between 0.1 and 0.99: model STM of
/// Fiorucci et al. 2016, as their forecTheta and statsforecast fit it.
///
/// They search with Nelder and Mead from 0.5; here the first level is solved for and the parameter is found on a grid and then by
/// the root of the slope, so that the fit is never worse. Their intervals are drawn from 200 paths; here they are the same normal distribution by
/// formula, variance σ²·(1 + (h − 1)·α²) at step h. Needs five values.
///
/// Contexts of one length are fitted eight at a time, side by side in the processor's lanes; each lane computes what it would alone, to the
/// last bit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Theta;

/// Values needed: two parameters and a line are fitted, and σ needs two errors after the third value.
const NEEDED: usize = 5;
/// Errors of the first values do not count: the level has not settled.
const SETTLING: usize = 3;
/// Contexts side by side.
const LANES: usize = 8;

impl Forecaster for Theta {
    fn id(&self) -> ModelId {
        ModelId::new("theta/2", "")
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        check_horizon(horizon)?;
        let mut answers: Vec<Option<Forecast>> = vec![None; contexts.len()];
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, context) in contexts.iter().enumerate() {
            match usable(context, NEEDED) {
                Ok(()) => by_length.entry(context.len()).or_default().push(index),
                Err(unmade) => answers[index] = Some(Forecast::Unmade(unmade)),
            }
        }
        let groups: Vec<&[usize]> = by_length.values().flat_map(|alike| alike.chunks(LANES)).collect();
        let fitted: Vec<[Forecast; LANES]> = groups
            .par_iter()
            .with_min_len(2)
            .map(|group| {
                // Lanes beyond the last context fit it again.
                let lanes = std::array::from_fn(|lane| contexts[group[lane.min(group.len() - 1)]]);
                Side { contexts: lanes }.dispatch().map(|fit| Forecast::from(fit.forecast(horizon)))
            })
            .collect();
        for (group, fitted) in groups.into_iter().zip(fitted) {
            group.iter().zip(fitted).for_each(|(&index, forecast)| answers[index] = Some(forecast));
        }
        Ok(answers.into_iter().map(|answer| answer.expect("each is refused or in one group")).collect())
    }
}

/// Contexts of one length, side by side.
struct Side<'a, const L: usize> {
    contexts: [&'a [f64]; L],
}

impl<const L: usize> SimdOp for Side<'_, L> {
    type Output = [Fit; L];

    /// Compiled for each set of instructions; nothing is contracted, so that all give the same bits.
    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) -> Self::Output {
        fit(self.contexts)
    }
}

/// Smoothing parameter least and most, as `1 − α`.
const KEEP_LEAST: f64 = 0.01;
const KEEP_MOST: f64 = 0.9;
/// Values of `1 − α` tried first, evenly spaced.
const GRID: usize = 16;
/// Below this share the first level is forgotten.
const FORGOTTEN: f64 = 1e-20;
/// Steps between two looks at whether it is.
const STRIDE: usize = 16;

/// A fitted series.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fit {
    /// Forecast of the next value, and what each further one adds.
    next: f64,
    drift: f64,
    alpha: f64,
    /// Variance of the one-step errors; not finite where squares are too large to be numbers.
    variance: f64,
}

impl Fit {
    fn forecast(&self, horizon: usize) -> Result<Quantiles, Unmade> {
        if !(self.next.is_finite() && self.variance.is_finite()) {
            return Err(Unmade::Overflow);
        }
        let sigma = self.variance.sqrt();
        Quantiles::normal((0..horizon).map(|step| {
            let ahead = step as f64;
            (self.next + ahead * self.drift, sigma * (1.0 + ahead * self.alpha * self.alpha).sqrt())
        }))
    }
}

/// The errors of smoothing with drift obey e[t] = y[t] − y[t−1] − drift + keep·e[t−1], keep = 1 − α: one multiplication and one
/// addition a value. The first level is e[0], free: e[t] = z[t] + c·keep^t, where z starts from 0, and the best c is least squares.
#[inline(always)]
fn fit<const L: usize>(contexts: [&[f64]; L]) -> [Fit; L] {
    let drift = contexts.map(|context| slope(context) / 2.0);
    let steps = steps(contexts, drift);
    let keep = best_keep(&steps);
    fit_at(contexts, drift, &steps, keep, first_error(&steps, keep))
}

/// Changes less drift, row by row.
#[inline(always)]
fn steps<const L: usize>(contexts: [&[f64]; L], drift: [f64; L]) -> Vec<[f64; L]> {
    let count = contexts.first().map_or(0, |context| context.len());
    let mut steps = vec![[0.0; L]; count - 1];
    for (lane, context) in contexts.into_iter().enumerate() {
        for (step, pair) in steps.iter_mut().zip(context.windows(2)) {
            step[lane] = pair[1] - pair[0] - drift[lane];
        }
    }
    steps
}

/// The fit with a given `1 − α` and error at the first value.
#[inline(always)]
fn fit_at<const L: usize>(
    contexts: [&[f64]; L],
    drift: [f64; L],
    steps: &[[f64; L]],
    keep: [f64; L],
    first: [f64; L],
) -> [Fit; L] {
    let mut error = first;
    let (mut sum, mut squares) = ([0.0; L], [0.0; L]);
    let (settling, rest) = steps.split_at(SETTLING - 1);
    for step in settling {
        for lane in 0..L {
            error[lane] = step[lane] + keep[lane] * error[lane];
        }
    }
    for step in rest {
        error = multiplied_and_added(keep, error, *step);
        squares = multiplied_and_added(error, error, squares);
        for lane in 0..L {
            sum[lane] += error[lane];
        }
    }
    let count = rest.len() as f64;
    std::array::from_fn(|lane| {
        // As statsforecast: about the mean error, with one degree of freedom less.
        let variance = (squares[lane] - sum[lane] * sum[lane] / count) / (count - 1.0);
        Fit {
            next: last(contexts[lane]) + drift[lane] - keep[lane] * error[lane],
            drift: drift[lane],
            alpha: 1.0 - keep[lane],
            variance: if variance < 0.0 { 0.0 } else { variance },
        }
    })
}

/// `a·b + c` in each lane, rounded twice. One operation over all lanes at a time: of several in one loop over lanes the compiler mixes halves.
#[inline(always)]
fn multiplied_and_added<const L: usize>(a: [f64; L], b: [f64; L], c: [f64; L]) -> [f64; L] {
    let mut result = [0.0; L];
    for lane in 0..L {
        result[lane] = c[lane] + a[lane] * b[lane];
    }
    result
}

/// Slope of the line of regression on 1, 2, … n.
#[inline(always)]
fn slope(context: &[f64]) -> f64 {
    const PARTS: usize = 8;
    let n = context.len() as f64;
    let middle = (n - 1.0) / 2.0;
    // In parts, so that an addition need not wait for the one before.
    let mut products = [0.0; PARTS];
    let mut at = 0.0;
    let mut chunks = context.chunks_exact(PARTS);
    for chunk in &mut chunks {
        for part in 0..PARTS {
            products[part] += (at + part as f64 - middle) * (chunk[part] - context[0]);
        }
        at += PARTS as f64;
    }
    for (part, value) in chunks.remainder().iter().enumerate() {
        products[part] += (at + part as f64 - middle) * (value - context[0]);
    }
    12.0 * products.iter().sum::<f64>() / (n * (n * n - 1.0))
}

/// A value of the grid.
const fn grid(place: usize) -> f64 {
    KEEP_LEAST + (KEEP_MOST - KEEP_LEAST) * place as f64 / (GRID - 1) as f64
}

/// Where the least squares of a lane are looked for.
#[derive(Clone, Copy)]
struct Search {
    low: f64,
    high: f64,
    /// Place and slope before this one.
    before: Option<(f64, f64)>,
    /// 1 or -1 where the grid's least stands at its lower or upper end, and has not been looked at.
    outwards: f64,
    found: bool,
}

/// `1 − α` with the least squares of errors, the first level solved for.
#[inline(always)]
fn best_keep<const L: usize>(steps: &[[f64; L]]) -> [f64; L] {
    let mut best = [0; L];
    let mut least = [f64::INFINITY; L];
    for pair in 0..GRID / 2 {
        let places = [2 * pair, 2 * pair + 1];
        for (place, squares) in places.into_iter().zip(squares(steps, places.map(grid))) {
            for lane in 0..L {
                if squares[lane] < least[lane] {
                    (best[lane], least[lane]) = (place, squares[lane]);
                }
            }
        }
    }
    let mut keep = best.map(grid);
    let mut searches = best.map(|best| Search {
        low: grid(best.saturating_sub(1)),
        high: grid((best + 1).min(GRID - 1)),
        before: None,
        // Random walks have their least at the edge, where halving would go on for long.
        outwards: if best == 0 {
            1.0
        } else if best == GRID - 1 {
            -1.0
        } else {
            0.0
        },
        found: false,
    });
    // The root of the slope between the neighbours: Gauss and Newton's step first, then secants, and halves where they lead out.
    for _ in 0..30 {
        let (slope, curvature) = slope_of_squares(steps, keep);
        for lane in 0..L {
            searches[lane].step(&mut keep[lane], slope[lane], curvature[lane]);
        }
        if searches.iter().all(|search| search.found) {
            break;
        }
    }
    keep
}

impl Search {
    /// Moves `keep` by what the squares do there.
    #[inline(always)]
    fn step(&mut self, keep: &mut f64, slope: f64, curvature: f64) {
        if self.found {
            return;
        }
        if self.outwards != 0.0 && slope * self.outwards >= 0.0 {
            self.found = true;
            return;
        }
        self.outwards = 0.0;
        if slope > 0.0 {
            self.high = *keep;
        } else {
            self.low = *keep;
        }
        let step = match self.before {
            Some((at, other)) if other != slope => slope * (*keep - at) / (slope - other),
            _ => slope / curvature,
        };
        let wanted = *keep - step;
        let inside = wanted > self.low && wanted < self.high;
        let next = if inside { wanted } else { self.low + (self.high - self.low) / 2.0 };
        self.before = Some((*keep, slope));
        // Two places of 1 − α this near give forecasts that differ by less than their last digits mean.
        self.found = (next - *keep).abs() <= 1e-9 || self.high - self.low <= 1e-9;
        *keep = if self.found { next.clamp(KEEP_LEAST, KEEP_MOST) } else { next };
    }
}

/// Sum of squared errors from the third on, for two values of `1 − α` side by side.
#[inline(always)]
fn squares<const L: usize>(steps: &[[f64; L]], keep: [f64; 2]) -> [[f64; L]; 2] {
    let mut z = [[0.0; L]; 2];
    let (mut zz, mut zw) = ([[0.0; L]; 2], [[0.0; L]; 2]);
    let (mut w, mut ww) = ([1.0; 2], [0.0; 2]);
    let (settling, rest) = steps.split_at(SETTLING - 1);
    for step in settling {
        for side in 0..2 {
            w[side] *= keep[side];
            for lane in 0..L {
                z[side][lane] = step[lane] + keep[side] * z[side][lane];
            }
        }
    }
    let mut strides = rest.chunks(STRIDE);
    for stride in strides.by_ref() {
        for step in stride {
            for side in 0..2 {
                w[side] *= keep[side];
                ww[side] += w[side] * w[side];
                for lane in 0..L {
                    z[side][lane] = step[lane] + keep[side] * z[side][lane];
                    zz[side][lane] += z[side][lane] * z[side][lane];
                    zw[side][lane] += z[side][lane] * w[side];
                }
            }
        }
        if w[0].max(w[1]) < FORGOTTEN {
            break;
        }
    }
    for stride in strides {
        for step in stride {
            for side in 0..2 {
                for lane in 0..L {
                    z[side][lane] = step[lane] + keep[side] * z[side][lane];
                    zz[side][lane] += z[side][lane] * z[side][lane];
                }
            }
        }
    }
    std::array::from_fn(|side| std::array::from_fn(|lane| zz[side][lane] - zw[side][lane] * zw[side][lane] / ww[side]))
}

/// The next power of `1 − α`, 0 once the first level is forgotten: from then on a lane adds nothing, however long its neighbours remember.
#[inline(always)]
fn fade(w: f64, keep: f64) -> f64 {
    let next = w * keep;
    if next < FORGOTTEN { 0.0 } else { next }
}

/// The error before the first step that makes the squares least.
#[inline(always)]
fn first_error<const L: usize>(steps: &[[f64; L]], keep: [f64; L]) -> [f64; L] {
    let (mut z, mut w, mut zw, mut ww) = ([0.0; L], [1.0; L], [0.0; L], [0.0; L]);
    let (settling, rest) = steps.split_at(SETTLING - 1);
    for step in settling {
        for lane in 0..L {
            z[lane] = step[lane] + keep[lane] * z[lane];
            w[lane] = fade(w[lane], keep[lane]);
        }
    }
    for stride in rest.chunks(STRIDE) {
        for step in stride {
            for lane in 0..L {
                z[lane] = step[lane] + keep[lane] * z[lane];
                w[lane] = fade(w[lane], keep[lane]);
                zw[lane] += z[lane] * w[lane];
                ww[lane] += w[lane] * w[lane];
            }
        }
        if w == [0.0; L] {
            break;
        }
    }
    std::array::from_fn(|lane| -zw[lane] / ww[lane])
}

/// Half the slope of the squares in `1 − α`, and its Gauss–Newton curvature.
///
/// With e = z + c·w and its change e' = z' + c·w' in 1 − α, both sums are made of sums of products of the four, in one pass.
#[inline(always)]
fn slope_of_squares<const L: usize>(steps: &[[f64; L]], keep: [f64; L]) -> ([f64; L], [f64; L]) {
    // `y` and `v` are the changes of z and w.
    let (mut z, mut y, mut w, mut v) = ([0.0; L], [0.0; L], [1.0; L], [0.0; L]);
    let [mut zy, mut yy, mut zw, mut ww] = [[0.0; L]; 4];
    let [mut mixed, mut wv, mut yv, mut vv] = [[0.0; L]; 4];
    let (settling, rest) = steps.split_at(SETTLING - 1);
    for step in settling {
        for lane in 0..L {
            y[lane] = z[lane] + keep[lane] * y[lane];
            z[lane] = step[lane] + keep[lane] * z[lane];
            v[lane] = w[lane] + keep[lane] * v[lane];
            w[lane] = fade(w[lane], keep[lane]);
        }
    }
    let mut strides = rest.chunks(STRIDE);
    for stride in strides.by_ref() {
        for step in stride {
            y = multiplied_and_added(keep, y, z);
            z = multiplied_and_added(keep, z, *step);
            for lane in 0..L {
                let change = w[lane] + keep[lane] * v[lane];
                w[lane] = fade(w[lane], keep[lane]);
                v[lane] = if w[lane] == 0.0 { 0.0 } else { change };
            }
            zy = multiplied_and_added(z, y, zy);
            yy = multiplied_and_added(y, y, yy);
            zw = multiplied_and_added(z, w, zw);
            ww = multiplied_and_added(w, w, ww);
            mixed = multiplied_and_added(w, y, multiplied_and_added(z, v, mixed));
            wv = multiplied_and_added(w, v, wv);
            yv = multiplied_and_added(y, v, yv);
            vv = multiplied_and_added(v, v, vv);
        }
        if w == [0.0; L] {
            break;
        }
    }
    for step in strides.flatten() {
        y = multiplied_and_added(keep, y, z);
        z = multiplied_and_added(keep, z, *step);
        zy = multiplied_and_added(z, y, zy);
        yy = multiplied_and_added(y, y, yy);
    }
    let c: [f64; L] = std::array::from_fn(|lane| -zw[lane] / ww[lane]);
    let slope = std::array::from_fn(|lane| zy[lane] + c[lane] * (mixed[lane] + c[lane] * wv[lane]));
    let curvature = std::array::from_fn(|lane| yy[lane] + c[lane] * (2.0 * yv[lane] + c[lane] * vv[lane]));
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

    fn sum_of_squares(steps: &[[f64; 1]], keep: f64, first: f64) -> f64 {
        let mut error = first;
        let errors = steps.iter().map(|[step]| {
            error = step + keep * error;
            error * error
        });
        errors.skip(SETTLING - 1).sum()
    }

    /// Half the slope, and the changes less it.
    fn ready(context: &[f64]) -> (f64, Vec<[f64; 1]>) {
        let drift = slope(context) / 2.0;
        (drift, steps([context], [drift]))
    }

    #[test]
    fn with_its_parameters_the_forecasts_are_those_of_statsforecast() {
        for &(kind, count, alpha, level, sigma, squares, want) in STATSFORECAST {
            let context = series(kind, count);
            let (drift, steps) = ready(&context);
            let mean = context.iter().sum::<f64>() / count as f64;
            let line_at_first = mean - (count as f64 - 1.0) * drift;
            let first = context[0] - level - line_at_first / 2.0;
            let [fit] = fit_at([&context], [drift], &steps, [1.0 - alpha], [first]);
            for (step, want) in want.iter().enumerate() {
                let found = fit.next + step as f64 * fit.drift;
                assert!((found / want - 1.0).abs() < 1e-12, "{kind} {count} step {step}: {found} for {want}");
            }
            let found = fit.variance.sqrt();
            assert!((found / sigma - 1.0).abs() < 1e-9, "{kind} {count}: {found} for {sigma}");
            let found = sum_of_squares(&steps, 1.0 - alpha, first);
            assert!((found / squares - 1.0).abs() < 1e-9, "{kind} {count}: {found} for {squares}");
        }
    }

    #[test]
    fn fits_no_worse_than_statsforecast_and_forecasts_as_near_as_its_search_comes() {
        for &(kind, count, alpha, _, sigma, squares, want) in STATSFORECAST {
            let context = series(kind, count);
            let (_, steps) = ready(&context);
            let [keep] = best_keep(&steps);
            let [fit] = fit([&context]);
            let found = sum_of_squares(&steps, keep, first_error(&steps, [keep])[0]);
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
                let (_, steps) = ready(&context);
                let [keep] = best_keep(&steps);
                let best = squares(&steps, [keep; 2])[0][0];
                for trial in 0..200 {
                    let keep = KEEP_LEAST + (KEEP_MOST - KEEP_LEAST) * f64::from(trial) / 199.0;
                    let other = squares(&steps, [keep; 2])[0][0];
                    let slack = 1e-9 * other.abs().max(1e-9);
                    assert!(best <= other + slack, "{kind} {count}: {best} at best, {other} at {keep}");
                }
            }
        }
    }

    #[test]
    fn a_line_goes_on_and_a_constant_stays() {
        let line: Vec<f64> = (0..50).map(|i| 10.0 + 2.0 * f64::from(i)).collect();
        let [found] = fit([&line]);
        assert!((found.drift - 1.0).abs() < 1e-12, "half of the slope: {}", found.drift);
        let [constant] = fit([&[7.5; 30]]);
        assert_eq!((constant.next, constant.drift, constant.variance), (7.5, 0.0, 0.0));
    }

    #[test]
    fn a_lane_computes_what_it_would_alone() {
        for count in [5, 6, 20, 100, 512] {
            let kinds = ["walk", "noise", "trend", "smooth", "noise", "walk", "smooth", "trend"];
            let contexts: Vec<Vec<f64>> = (0..).zip(kinds).map(|(at, kind)| series(kind, count + at)).collect();
            let contexts: [&[f64]; LANES] = std::array::from_fn(|lane| &contexts[lane][lane..]);
            let together = Side { contexts }.dispatch();
            for lane in 0..LANES {
                let bits = |fit: Fit| [fit.next, fit.drift, fit.alpha, fit.variance].map(f64::to_bits);
                // Neither neighbours nor the processor's instructions change a bit.
                assert_eq!(bits(together[lane]), bits(fit([contexts[lane]])[0]), "{count} lane {lane}");
                assert_eq!(bits(together[lane]), bits(Side { contexts: [contexts[lane]] }.dispatch()[0]), "{count}");
            }
        }
    }

    #[test]
    fn a_batch_of_any_mix_is_answered_in_its_order() {
        let walk = series("walk", 600);
        let contexts: Vec<&[f64]> = (0..100).map(|at| &walk[at..at + 3 + at * 5 % 37 * 9]).collect();
        let batch = Theta.predict_batch(&contexts, 3, 0).unwrap();
        assert!(batch.iter().any(|forecast| forecast.made().is_none()));
        for (context, together) in contexts.iter().zip(&batch) {
            assert_eq!(Theta.predict_batch(&[context], 3, 0).unwrap()[0], *together, "{}", context.len());
        }
    }

    #[test]
    fn squares_that_are_no_numbers_give_no_forecast() {
        let huge: Vec<f64> = series("walk", 40).iter().map(|value| value * 1e200).collect();
        assert_eq!(Theta.predict_batch(&[&huge], 1, 0).unwrap(), [Forecast::Unmade(Unmade::Overflow)]);
    }
}
