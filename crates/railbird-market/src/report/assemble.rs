//! A walk as a report.

use std::collections::BTreeMap;

use railbird_backtest::{Metrics, Period};
use railbird_measure::Score;
use railbird_model::LEVELS;
use railbird_timeline::Ts;

use super::{Curves, Figure, FigureInfo, FigureKind, FoldView, ForecastView, HeatView, StrategyView, SymbolView};
use crate::{
    AccountWalk, Day, FillMode, Forecasts, Levels, MOVE_ONE, PAY_ONE, Policy, SymbolSummary, SymbolWalk, WalkInput,
    WalkRules,
    data::{Bars, Key},
    objective,
    strategy::Strategy,
    summary::mean,
};

/// Cells of the map of the objective, along each axis.
const HEAT_CELLS: usize = 61;
/// Places in [`LEVELS`] of the band that is drawn: from the 10 % to the 90 % quantile.
const BAND: (usize, usize) = (0, 8);

/// What the figures mean, in the order in which they are shown.
pub fn figures() -> Vec<FigureInfo> {
    use FigureKind::{Days, Number, Part, Share};
    [
        ("total", "Return", Share, "product of (1 + r), less 1"),
        ("annualised", "A year", Share, "the total return over a year of the market's own days"),
        ("volatility", "Volatility", Part, "standard deviation of r, annualised"),
        ("sharpe", "Sharpe", Number, "mean of r over its standard deviation, annualised; nothing is risk-free"),
        ("sortino", "Sortino", Number, "mean of r over the root of the mean of min(r, 0) squared, annualised"),
        ("drawdown_max", "Drawdown", Share, "largest fall of equity from its highest so far"),
        ("drawdown_days", "Below a high", Days, "most bars in a row below an earlier high"),
        ("calmar", "Calmar", Number, "annualised return over the largest drawdown"),
        ("hit_rate", "Hits", Part, "share of held bars that gained"),
        ("exposure", "Exposure", Part, "mean of the absolute weight"),
        ("turnover", "Turnover", Part, "notional traded over equity, a bar"),
        (
            "mean_bp",
            "Mean, bp",
            Number,
            "mean return a bar in basis points, with the 95 % interval of a block bootstrap",
        ),
        (
            "deflated_sharpe",
            "Deflated Sharpe",
            Part,
            "probability that the Sharpe ratio beats the best of as many worthless trials",
        ),
    ]
    .into_iter()
    .map(|(key, name, kind, meaning)| FigureInfo { key, name, kind, meaning })
    .collect()
}

fn of_metrics(metrics: &Metrics, mean: Option<&Score>, deflated: Option<f64>) -> BTreeMap<&'static str, Figure> {
    let mean_bp = match mean {
        Some(score) => Figure {
            value: Some(score.value()),
            low: Some(score.interval().low()),
            high: Some(score.interval().high()),
        },
        None => Some(metrics.mean * 1e4).into(),
    };
    BTreeMap::from([
        ("total", Some(metrics.total).into()),
        ("annualised", Some(metrics.annualised).into()),
        ("volatility", metrics.volatility.into()),
        ("sharpe", metrics.sharpe.into()),
        ("sortino", metrics.sortino.into()),
        ("drawdown_max", Some(-metrics.drawdown_max).into()),
        ("drawdown_days", Some(metrics.drawdown_periods_max as f64).into()),
        ("calmar", metrics.calmar.into()),
        ("hit_rate", metrics.hit_rate.into()),
        ("exposure", Some(metrics.exposure).into()),
        ("turnover", Some(metrics.turnover).into()),
        ("mean_bp", mean_bp),
        ("deflated_sharpe", deflated.into()),
    ])
}

impl SymbolView {
    /// Everything of a symbol's walk. `model`: what forecast.
    pub fn of(
        input: &WalkInput<'_>,
        walk: &SymbolWalk,
        summary: &SymbolSummary,
        strategies: &[Box<dyn Strategy>],
        rules: &WalkRules,
        model: &str,
    ) -> Self {
        let bars_a_year = summary.bars_a_year;
        let account = |account: &AccountWalk| {
            let periods = account.periods();
            let metrics = Metrics::of(&periods, bars_a_year);
            // The deflated Sharpe ratio is of the fills that were asked for: those are what was chosen among.
            let same = summary.strategies.iter().find(|of| of.strategy == account.strategy && of.metrics == metrics);
            let mean = mean(&periods, &summary.buy_hold, rules.seed);
            let figures = of_metrics(&metrics, mean.as_ref(), same.and_then(|same| same.deflated_sharpe));
            Curves::of(gains(&periods), figures)
        };
        let times: Vec<i64> = walk.times.iter().copied().map(millis).collect();
        Self {
            symbol: walk.symbol.clone(),
            days_a_year: walk.calendar.days_a_year() as u32,
            buy_hold: account(&walk.buy_hold),
            runs: walk
                .accounts
                .iter()
                .map(|of| StrategyView {
                    strategy: of.strategy.to_owned(),
                    fills: of.fills.map_or("market orders", name_of_fills).to_owned(),
                    tuned: of.tuned != Some(false),
                    curves: account(of),
                    folds: of.days.iter().zip(&times).map(|(day, t_ms)| fold(day, *t_ms)).collect(),
                })
                .collect(),
            forecasts: Some(forecasts(input.bars, input.forecasts, &walk.bars, model)),
            heat: heat(input, walk, strategies, rules),
            t_ms: times,
        }
    }
}

fn gains(periods: &[Period]) -> Vec<f64> {
    periods.iter().map(|period| period.gain).collect()
}

fn millis(time: Ts) -> i64 {
    time.nanos().div_euclid(1_000_000)
}

fn share(units: i64) -> f64 {
    units as f64 / MOVE_ONE as f64
}

/// Name of a way to fill.
fn name_of_fills(fills: FillMode) -> &'static str {
    match fills {
        FillMode::Pessimistic => "pessimistic",
        FillMode::Optimistic => "optimistic",
        FillMode::Random => "random",
        FillMode::Finer => "finer",
    }
}

fn name_of_policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Close => "close",
        Policy::Level => "level",
    }
}

fn fold(day: &Day, t_ms: i64) -> FoldView {
    let levels: Option<Levels> = day.choice.map(|choice| choice.levels);
    let (long, short) = match (&day.order, &day.settled) {
        (Some(_), Some(settled)) => (settled.long.is_some(), settled.short.is_some()),
        _ => (day.period.weight > 0.0, day.period.weight < 0.0),
    };
    let ordered = day.order.is_some_and(|order| order.long > 0 || order.short > 0);
    let side = match (long, short) {
        (true, true) => "both",
        (true, false) => "long",
        (false, true) => "short",
        (false, false) => "flat",
    };
    let reason = match (day.missing, side, day.order.is_some()) {
        (true, ..) => Some("a value was missing".to_owned()),
        (_, "flat", true) if ordered => Some("no fill".to_owned()),
        _ => None,
    };
    FoldView {
        t_ms,
        m_high: levels.map(|levels| share(levels.high)),
        m_low: levels.map(|levels| share(levels.low)),
        policy: levels.map(|levels| name_of_policy(levels.policy)),
        side,
        trained: day.choice.map(|choice| choice.value as f64 / (2.0 * PAY_ONE)),
        scored: day.period.gain,
        reason,
    }
}

/// Forecasts of the close on the bars that were scored.
fn forecasts(bars: &Bars, forecasts: &Forecasts, scored: &[usize], model: &str) -> ForecastView {
    let known = |value: f64| value.is_finite().then_some(value);
    let quantile = |level: usize| scored.iter().map(|&bar| known(forecasts.close_quantiles(bar)[level])).collect();
    let point = |bar: usize| forecasts.point(bar, Key::Close);
    let errors: Vec<(f64, f64)> = scored
        .iter()
        .filter(|&&bar| point(bar).is_finite())
        .map(|&bar| ((point(bar) - bars.close[bar]).abs(), (bars.close[bar] - bars.close[bar - 1]).abs()))
        .collect();
    let (ours, naive) = errors.iter().fold((0.0, 0.0), |(ours, naive), (a, b)| (ours + a, naive + b));
    let inside = |bar: &&usize| {
        let quantiles = forecasts.close_quantiles(**bar);
        (quantiles[BAND.0]..=quantiles[BAND.1]).contains(&bars.close[**bar])
    };
    let banded = scored.iter().filter(|&&bar| forecasts.close_quantiles(bar)[BAND.0].is_finite()).count();
    let metrics = BTreeMap::from([
        ("error over naive's", Figure::from((naive > 0.0).then(|| ours / naive))),
        (
            "share inside the band",
            Figure::from((banded > 0).then(|| scored.iter().filter(inside).count() as f64 / banded as f64)),
        ),
    ]);
    ForecastView {
        model: model.to_owned(),
        low_level: LEVELS[BAND.0],
        high_level: LEVELS[BAND.1],
        median: scored.iter().map(|&bar| known(point(bar))).collect(),
        low: quantile(BAND.0),
        high: quantile(BAND.1),
        actual: scored.iter().map(|&bar| known(bars.close[bar])).collect(),
        metrics,
    }
}

/// The objective of the newest scored bar of the first strategy that searched for levels.
fn heat(
    input: &WalkInput<'_>,
    walk: &SymbolWalk,
    strategies: &[Box<dyn Strategy>],
    rules: &WalkRules,
) -> Option<HeatView> {
    let account = walk.accounts.iter().find(|account| {
        account.tuned == Some(true) && account.days.iter().any(|day| day.choice.is_some_and(|c| c.optimizer.is_some()))
    })?;
    let strategy = strategies.iter().find(|strategy| strategy.name() == account.strategy)?;
    let at = account.days.iter().rposition(|day| day.choice.is_some_and(|choice| choice.optimizer.is_some()))?;
    let choice = account.days[at].choice?;
    let map = objective(input, strategy.as_ref(), rules, account.fills?, at, choice.levels.policy, HEAT_CELLS)?;
    Some(HeatView {
        strategy: account.strategy.to_owned(),
        t_ms: millis(walk.times[at]),
        policy: name_of_policy(choice.levels.policy),
        highs: map.highs.iter().copied().map(share).collect(),
        lows: map.lows.iter().copied().map(share).collect(),
        values: map.values.iter().map(|value| *value as f64 / (2.0 * PAY_ONE)).collect(),
        chosen: (share(choice.levels.high), share(choice.levels.low)),
        best: choice.value as f64 / (2.0 * PAY_ONE),
    })
}
