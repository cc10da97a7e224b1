//! Which forecasts a walk asks for, asked once each. Start at [`Forecasts::make`].
//!
//! Invariant: the context of bar `t` is a function of `t` alone: the values of one key on bars `[max(0, t - 512), t)`.

use std::ops::Range;

use railbird_model::{Forecaster, LEVELS};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    data::{Bars, Key},
    units::{Move, move_from, to_units},
};

/// Most values in a context.
pub const CONTEXT_MAX: usize = 512;
/// Fewest bars before the first that is forecast.
pub const CONTEXT_MIN: usize = 64;

/// A walk's forecasts as a list of calls, before any is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    calls: usize,
    /// Key and bar of each forecast, by key and then by bar.
    unique: Vec<(Key, usize)>,
}

impl Plan {
    /// `calls`: key and bar of each, repeats included, bars below `bars`.
    pub fn new(bars: usize, calls: impl Iterator<Item = (Key, usize)>) -> Self {
        let mut wanted = vec![false; bars * Key::ALL.len()];
        let mut count = 0;
        for (key, bar) in calls {
            count += 1;
            wanted[key.index() * bars + bar] = true;
        }
        let unique = Key::ALL.into_iter().flat_map(|key| (0..bars).map(move |bar| (key, bar)));
        let unique = unique.filter(|(key, bar)| wanted[key.index() * bars + bar]).collect();
        Self { calls: count, unique }
    }

    /// The calls of `sims` simulations of `horizon` one-step forecasts each, for every key: simulation `s`, from 1, has its
    /// last target at bar `bars - s`.
    pub fn simulations(bars: usize, sims: usize, horizon: usize) -> Self {
        let targets = (1..=sims).flat_map(move |sim| (bars - sim + 1).saturating_sub(horizon)..bars - sim + 1);
        Self::new(bars, targets.flat_map(|bar| Key::ALL.map(|key| (key, bar))))
    }

    /// One call a key and bar of `rows`.
    pub fn continuous(rows: Range<usize>) -> Self {
        Self::new(rows.end, rows.flat_map(|bar| Key::ALL.map(|key| (key, bar))))
    }

    /// Calls, repeats included.
    pub const fn calls(&self) -> usize {
        self.calls
    }

    /// Key and bar of each forecast that is needed, once.
    pub fn unique(&self) -> &[(Key, usize)] {
        &self.unique
    }

    /// The values that the forecast of `key` at `bar` is made from.
    pub fn context(bars: &Bars, key: Key, bar: usize) -> &[f64] {
        &bars.prices(key)[bar.saturating_sub(CONTEXT_MAX)..bar]
    }
}

/// How many forecasts were asked for and how many were needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Forecasts that the loop as written asks for.
    pub calls: usize,
    /// Different ones among them: what is handed to the forecaster, in one batch.
    pub unique: usize,
    /// Bars and keys for which there was no forecast.
    pub missing: usize,
}

/// Forecasts of bars, one step ahead each; NaN where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecasts {
    /// By bar and key.
    points: Vec<[f64; 4]>,
    /// Quantiles of the close at [`LEVELS`], by bar.
    closes: Vec<[f64; 9]>,
    /// How many.
    pub counts: Counts,
}

impl Forecasts {
    /// Asks `forecaster` once for each forecast of the plan, all in one batch.
    ///
    /// # Errors
    /// [`Error::Forecast`] where the forecaster fails as a whole; a single context without an answer is missing instead.
    pub fn make(symbol: &str, bars: &Bars, plan: &Plan, forecaster: &dyn Forecaster, seed: u64) -> Result<Self, Error> {
        let failed = |reason: String| Error::Forecast { symbol: symbol.to_owned(), reason };
        let contexts: Vec<&[f64]> = plan.unique.iter().map(|&(key, bar)| Plan::context(bars, key, bar)).collect();
        let answers = forecaster.predict_batch(&contexts, 1, seed).map_err(|error| failed(error.to_string()))?;
        if answers.len() != contexts.len() {
            return Err(failed(format!("expected {} answers, found {}", contexts.len(), answers.len())));
        }
        let mut forecasts = Self {
            points: vec![[f64::NAN; 4]; bars.len()],
            closes: vec![[f64::NAN; 9]; bars.len()],
            counts: Counts { calls: plan.calls, unique: plan.unique.len(), missing: 0 },
        };
        for (&(key, bar), answer) in plan.unique.iter().zip(&answers) {
            let point = answer.median(0).filter(|point| point.is_finite());
            forecasts.counts.missing += usize::from(point.is_none());
            forecasts.points[bar][key.index()] = point.unwrap_or(f64::NAN);
            if key == Key::Close {
                for (level, into) in LEVELS.iter().zip(&mut forecasts.closes[bar]) {
                    *into = answer.at(0, *level).unwrap_or(f64::NAN);
                }
            }
        }
        Ok(forecasts)
    }

    /// Point forecast of a price at `bar`; NaN where there is none.
    pub fn point(&self, bar: usize, key: Key) -> f64 {
        self.points[bar][key.index()]
    }

    /// Quantiles of the close at `bar`, at [`LEVELS`]; NaN where there are none.
    pub fn close_quantiles(&self, bar: usize) -> &[f64; 9] {
        &self.closes[bar]
    }

    /// What is known of bar `at` from its forecasts, as moves.
    pub(crate) fn moves(&self, bars: &Bars, at: usize) -> ForecastMoves {
        let last_close = bars.close[at - 1];
        let points = &self.points[at];
        let quantiles = &self.closes[at];
        ForecastMoves {
            own: Key::ALL.map(|key| move_from(points[key.index()], bars.prices(key)[at - 1])),
            from_close: Key::ALL.map(|key| move_from(points[key.index()], last_close)),
            width: to_units((quantiles[5] - quantiles[3]) / last_close),
        }
    }
}

/// Forecasts of one bar as moves; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForecastMoves {
    /// From the last value of the same key.
    pub(crate) own: [Option<Move>; 4],
    /// From the last close.
    pub(crate) from_close: [Option<Move>; 4],
    /// From the 40 % to the 60 % quantile of the close, over the last close.
    pub(crate) width: Option<Move>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_asks_six_times_for_what_it_needs_once() {
        for (sims, calls, unique) in [(70, 1960, 304), (50, 1400, 224), (35, 980, 164), (10, 280, 64)] {
            let plan = Plan::simulations(200, sims, 7);
            assert_eq!((plan.calls(), plan.unique().len()), (calls, unique), "{sims}");
        }
    }

    #[test]
    fn a_context_ends_before_its_bar() {
        let prices: Vec<f64> = (0..1000).map(f64::from).collect();
        let bars = Bars { close: prices, ..Bars::default() };
        assert_eq!(Plan::context(&bars, Key::Close, 3), [0.0, 1.0, 2.0]);
        let context = Plan::context(&bars, Key::Close, 700);
        assert_eq!((context.len(), context[0], context[511]), (512, 188.0, 699.0));
    }
}
