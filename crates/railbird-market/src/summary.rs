//! Figures of a walk, buy-and-hold beside each. Start at [`SymbolSummary::of`].

use railbird_backtest::{Metrics, Period};
use railbird_measure::{Baseline, Better, Bootstrap, Resampling, Score, bootstrap};
use serde::Serialize;

use crate::{
    fills::FillMode,
    walk::{AccountWalk, SymbolWalk, WalkRules},
};

/// Resamples behind an interval.
pub const RESAMPLES: usize = 1000;
/// Bars of a block that is drawn together.
const BLOCK: usize = 5;

/// Total returns of one account under the fills that are shown side by side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Side {
    /// Total return.
    pub total: f64,
    /// Mean return a bar, basis points.
    pub mean_bp: f64,
}

impl Side {
    fn of(account: &AccountWalk) -> Self {
        let periods = account.periods();
        let total = periods.iter().fold(1.0, |equity, period| equity * (1.0 + period.gain)) - 1.0;
        Self {
            total,
            mean_bp: periods.iter().map(|period| period.gain).sum::<f64>() / (periods.len() as f64).max(1.0) * 1e4,
        }
    }
}

/// What tuning promised, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Promise {
    /// Mean pay a training day at the levels chosen, basis points.
    pub training_bp: f64,
    /// Mean return a scored bar, basis points.
    pub scored_bp: f64,
}

/// One strategy on one symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategySummary {
    /// Strategy.
    pub strategy: &'static str,
    /// Figures under the fills that were asked for.
    pub metrics: Metrics,
    /// Probability that the Sharpe ratio is above the best of as many worthless trials as strategies were walked.
    pub deflated_sharpe: Option<f64>,
    /// Mean return a bar with its interval, beside buying and holding; `None` where it cannot be made.
    pub mean: Option<Score>,
    /// Pessimistic fills.
    pub pessimistic: Side,
    /// Optimistic fills.
    pub optimistic: Side,
    /// Levels (0, 0), pessimistic fills; `None` where nothing is tuned.
    pub untuned_pessimistic: Option<Side>,
    /// Levels (0, 0), optimistic fills.
    pub untuned_optimistic: Option<Side>,
    /// What tuning promised, under the fills that were asked for.
    pub promise: Option<Promise>,
    /// Bars for which a value was missing.
    pub missing: usize,
    /// Searches for levels.
    pub searches: u64,
    /// Pairs or points that they compared.
    pub evaluations: u64,
    /// Searches in which differential evolution took over.
    pub fallbacks: u64,
}

/// One symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SymbolSummary {
    /// Symbol.
    pub symbol: String,
    /// First scored bar.
    pub from: String,
    /// Last scored bar.
    pub to: String,
    /// Bars a year by which figures are annualised.
    pub bars_a_year: f64,
    /// Buying and holding over the same bars.
    pub buy_hold: Metrics,
    /// Strategies in the order in which they were asked for.
    pub strategies: Vec<StrategySummary>,
}

impl SymbolSummary {
    /// Figures of a walk.
    pub fn of(walk: &SymbolWalk, rules: &WalkRules) -> Self {
        let bars_a_year = walk.calendar.days_a_year() * walk.bars_a_day;
        let buy_hold = Metrics::of(&walk.buy_hold.periods(), bars_a_year);
        let mut names: Vec<&'static str> = Vec::new();
        for account in &walk.accounts {
            if !names.contains(&account.strategy) {
                names.push(account.strategy);
            }
        }
        let mut strategies: Vec<StrategySummary> =
            names.iter().filter_map(|name| strategy(walk, rules, name, bars_a_year, &buy_hold)).collect();
        let sharpes: Vec<f64> = strategies
            .iter()
            .filter_map(|summary| summary.metrics.sharpe)
            .map(|sharpe| sharpe / bars_a_year.sqrt())
            .collect();
        let spread = variance(&sharpes);
        for summary in &mut strategies {
            summary.deflated_sharpe = summary.metrics.deflated_sharpe(bars_a_year, names.len(), spread);
        }
        Self {
            symbol: walk.symbol.clone(),
            from: walk.times.first().map(ToString::to_string).unwrap_or_default(),
            to: walk.times.last().map(ToString::to_string).unwrap_or_default(),
            bars_a_year,
            buy_hold,
            strategies,
        }
    }
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)
}

fn strategy(
    walk: &SymbolWalk,
    rules: &WalkRules,
    name: &'static str,
    bars_a_year: f64,
    buy_hold: &Metrics,
) -> Option<StrategySummary> {
    let account = |fills: FillMode, untuned: bool| {
        walk.accounts.iter().find(|account| {
            account.strategy == name
                && account.fills.is_none_or(|of| of == fills)
                && (account.tuned == Some(false)) == untuned
        })
    };
    let main = account(rules.fills, false)?;
    let periods = main.periods();
    let choices = || main.days.iter().filter_map(|day| day.choice).filter(|choice| choice.optimizer.is_some());
    let training_days = match rules.schedule {
        crate::Schedule::Simulations { horizon, .. } => horizon as f64 - 1.0,
        crate::Schedule::Continuous { scheme, .. } => match scheme {
            railbird_backtest::Scheme::Rolling { rows } | railbird_backtest::Scheme::Anchored { rows } => rows as f64,
            railbird_backtest::Scheme::Expanding { .. } => f64::NAN,
        },
    };
    let count = choices().count();
    let promised: f64 = choices().map(|choice| choice.value as f64 / (2.0 * crate::PAY_ONE)).sum();
    let promise = (count > 0 && training_days > 0.0).then(|| Promise {
        training_bp: promised / count as f64 / training_days * 1e4,
        scored_bp: Side::of(main).mean_bp,
    });
    Some(StrategySummary {
        strategy: name,
        metrics: Metrics::of(&periods, bars_a_year),
        deflated_sharpe: None,
        mean: mean(&periods, buy_hold, rules.seed),
        pessimistic: Side::of(account(FillMode::Pessimistic, false)?),
        optimistic: Side::of(account(FillMode::Optimistic, false)?),
        untuned_pessimistic: account(FillMode::Pessimistic, true).map(Side::of),
        untuned_optimistic: account(FillMode::Optimistic, true).map(Side::of),
        promise,
        missing: main.days.iter().filter(|day| day.missing).count(),
        searches: count as u64,
        evaluations: choices().map(|choice| choice.evaluations).sum(),
        fallbacks: choices().filter(|choice| choice.fallback.is_some()).count() as u64,
    })
}

/// Mean return a bar in basis points, with the interval of a bootstrap in blocks of [`BLOCK`] bars.
pub(crate) fn mean(periods: &[Period], buy_hold: &Metrics, seed: u64) -> Option<Score> {
    let gains: Vec<f64> = periods.iter().map(|period| period.gain * 1e4).collect();
    let mean = |gains: &[f64]| gains.iter().sum::<f64>() / gains.len() as f64;
    let rules = Bootstrap { resamples: RESAMPLES, level: 0.95, seed, resampling: Resampling::Blocks { rows: BLOCK } };
    let interval = bootstrap(&gains, mean, &rules).ok()?;
    let baseline = Baseline { name: "buy and hold", value: buy_hold.mean * 1e4 };
    Score::new("mean return a bar, bp", Better::Higher, mean(&gains), baseline, gains.len(), interval).ok()
}
