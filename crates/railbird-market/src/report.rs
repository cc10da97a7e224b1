//! A walk as one document: what the page shows, what the report file carries, and what `--out` keeps beside the tables.
//! Start at [`Report`].
//!
//! Everything that is drawn is computed here: equity, drawdown, the objective over the levels. Times are ms since 1970,
//! UTC; returns and moves are shares; equity starts at 1 before the first day that is scored.

mod assemble;

use std::collections::BTreeMap;

use serde::Serialize;

pub use assemble::figures;

/// A figure with its interval at 95 %, where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Value; `None` where it is not defined.
    pub value: Option<f64>,
    /// Lower end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl From<Option<f64>> for Figure {
    fn from(value: Option<f64>) -> Self {
        Self { value, low: None, high: None }
    }
}

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureKind {
    /// In per cent, with its sign.
    Share,
    /// A part of something, in per cent; never below 0.
    Part,
    /// As it is.
    Number,
    /// A number of days.
    Days,
}

/// What a figure means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FigureInfo {
    /// Key in the tables of figures.
    pub key: &'static str,
    /// Name for readers.
    pub name: &'static str,
    /// How it is written.
    pub kind: FigureKind,
    /// How it is computed.
    pub meaning: &'static str,
}

/// Curves and figures of one account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curves {
    /// Equity at each day's close.
    pub equity: Vec<f64>,
    /// Equity over its highest so far, the start included, less 1: 0 or below.
    pub drawdown: Vec<f64>,
    /// Return of each day.
    pub returns: Vec<f64>,
    /// Figures by key.
    pub metrics: BTreeMap<&'static str, Figure>,
}

impl Curves {
    /// Curves of the returns of days in order.
    pub fn of(returns: Vec<f64>, metrics: BTreeMap<&'static str, Figure>) -> Self {
        let (mut now, mut high) = (1.0_f64, 1.0_f64);
        let (equity, drawdown) = returns
            .iter()
            .map(|gain| {
                now *= 1.0 + gain;
                high = high.max(now);
                (now, now / high - 1.0)
            })
            .unzip();
        Self { equity, drawdown, returns, metrics }
    }
}

/// A day that was scored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldView {
    /// The day.
    pub t_ms: i64,
    /// Move of the exit level.
    pub m_high: Option<f64>,
    /// Move of the entry level.
    pub m_low: Option<f64>,
    /// Policy chosen.
    pub policy: Option<&'static str>,
    /// `long`, `short`, `both` or `flat`.
    pub side: &'static str,
    /// What the choice earned, as a sum, on the days that it was chosen from.
    pub trained: Option<f64>,
    /// Return of the day.
    pub scored: f64,
    /// Why there was no trade, where there is a reason.
    pub reason: Option<String>,
}

/// A strategy under one fill policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyView {
    /// Name of the strategy.
    pub strategy: String,
    /// Fill policy.
    pub fills: String,
    /// Whether its levels were tuned on earlier days; else they are (0, 0).
    pub tuned: bool,
    /// Its account.
    #[serde(flatten)]
    pub curves: Curves,
    /// Its days.
    pub folds: Vec<FoldView>,
}

/// The objective over the levels on one day's training window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeatView {
    /// Strategy.
    pub strategy: String,
    /// Day for which was tuned.
    pub t_ms: i64,
    /// Policy of the map: the one chosen.
    pub policy: &'static str,
    /// Moves of the exit level, ascending.
    pub highs: Vec<f64>,
    /// Moves of the entry level, ascending.
    pub lows: Vec<f64>,
    /// Sum of the training days' pay, a row for each of `lows`.
    pub values: Vec<f64>,
    /// Moves chosen: exit, entry.
    pub chosen: (f64, f64),
    /// Sum at the moves chosen.
    pub best: f64,
}

/// Forecasts of the close, one step ahead, beside what came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForecastView {
    /// Model.
    pub model: String,
    /// Level of `low`.
    pub low_level: f64,
    /// Level of `high`.
    pub high_level: f64,
    /// Median, a day; `None` where there was no forecast.
    pub median: Vec<Option<f64>>,
    /// Lower quantile.
    pub low: Vec<Option<f64>>,
    /// Upper quantile.
    pub high: Vec<Option<f64>>,
    /// Close that came.
    pub actual: Vec<Option<f64>>,
    /// Scores beside the naive forecaster's.
    pub metrics: BTreeMap<&'static str, Figure>,
}

/// Everything of one symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SymbolView {
    /// Symbol.
    pub symbol: String,
    /// Days a year by which figures are annualised.
    pub days_a_year: u32,
    /// Days that were scored.
    pub t_ms: Vec<i64>,
    /// Buying and holding over the same days.
    pub buy_hold: Curves,
    /// Strategies.
    pub runs: Vec<StrategyView>,
    /// Forecasts.
    pub forecasts: Option<ForecastView>,
    /// Objective of the last day of the first strategy that chooses levels.
    pub heat: Option<HeatView>,
}

/// A symbol that was not walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedView {
    /// Symbol.
    pub symbol: String,
    /// Why.
    pub reason: String,
}

/// A walk. `S`: a [`SymbolView`], or one that was written as JSON before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report<S = SymbolView> {
    /// Name of the study.
    pub id: String,
    /// Model that forecast.
    pub model: String,
    /// Days scored a symbol.
    pub sims: u32,
    /// Bars that a simulation looks ahead.
    pub horizon: u32,
    /// Every setting that the result depends on.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// What the figures mean, in the order in which they are shown.
    pub figures: Vec<FigureInfo>,
    /// Symbols, in the order given.
    pub symbols: Vec<S>,
    /// Symbols that were not walked.
    pub refused: Vec<RefusedView>,
}

/// A study in a list.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct RunCard {
    /// Name of the study.
    pub id: String,
    /// Symbols walked.
    pub symbols: Vec<String>,
    /// Strategies.
    pub strategies: Vec<String>,
    /// Model that forecast.
    pub model: String,
    /// Days scored a symbol.
    pub sims: u32,
    /// First day scored.
    pub from_ms: i64,
    /// Last day scored.
    pub to_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::Curves;

    #[test]
    fn equity_compounds_and_drawdown_counts_from_the_highest_so_far() {
        let curves = Curves::of(vec![0.1, -0.5, 0.5, 1.0], std::collections::BTreeMap::new());
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(&curves.equity, &[1.1, 0.55, 0.825, 1.65]), "{:?}", curves.equity);
        assert!(close(&curves.drawdown, &[0.0, -0.5, -0.25, 0.0]), "{:?}", curves.drawdown);
        let fallen = Curves::of(vec![-0.2], std::collections::BTreeMap::new());
        assert!(close(&fallen.drawdown, &[-0.2]), "the start counts");
    }
}
