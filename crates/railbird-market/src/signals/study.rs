//! One account in full: both rules within a bar, buy-and-hold beside, and an interval. Start at [`study`].

use railbird_backtest::Metrics;
use railbird_measure::{Baseline, Better, Bootstrap, Resampling, Score, bootstrap};
use railbird_timeline::Ts;
use serde::Serialize;

use super::{
    bits::Bits,
    rules::{Rules, SameBar, Size, Stops, Trade},
    skip::Counts,
    walk::{Column, Signals, Walked, walk},
};
use crate::{Error, data::Calendar};

/// What one rule gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Figures, defined in [`railbird_backtest::DEFINITIONS`].
    pub metrics: Metrics,
    /// Trades and what became of them.
    pub counts: Counts,
}

/// An account, studied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Study {
    /// Steps: the times of all its symbols.
    pub steps: usize,
    /// Of the first step.
    pub from: String,
    /// Of the last.
    pub to: String,
    /// Steps a year.
    pub steps_a_year: f64,
    /// Stop first, where a bar does not prove otherwise.
    pub pessimistic: Run,
    /// Target first, where a bar does not prove otherwise.
    pub optimistic: Run,
    /// All symbols in equal parts, bought at the first bar's next open and held.
    pub buy_and_hold: Metrics,
    /// Mean return a step of the pessimistic run, with a 95 % interval from resampled blocks of 20 steps, beside buy-and-hold's.
    /// `None` with less than two steps.
    pub mean: Option<Score>,
    /// Trades of the pessimistic run.
    #[serde(skip)]
    pub trades: Vec<Trade>,
}

/// Draws of the bootstrap at most; fewer where there are very many steps.
const RESAMPLES: usize = 1000;
/// Returns that the bootstrap may draw in all.
const DRAWN_MAX: usize = 40_000_000;

/// Walks `columns` in one account under `rules`, whose same-bar rule is replaced by each of both.
///
/// # Errors
/// [`Error::Setting`] for a rule that makes no sense; [`Error::Measure`] without a bar, or where the interval cannot be made.
pub fn study(columns: &[Column<'_>], rules: &Rules, calendar: Calendar, seed: u64) -> Result<Study, Error> {
    if let Some((what, expected, found)) = rules.problem() {
        return Err(Error::Setting { what, expected, found: found.to_string() });
    }
    let run = |same_bar| walk(columns, &Rules { same_bar, ..rules.clone() });
    let (pessimistic, optimistic) = rayon::join(|| run(SameBar::Pessimistic), || run(SameBar::Optimistic));
    let held = hold(columns, rules);
    let measure = |reason: String| Error::Measure { symbol: "signals".to_owned(), reason };
    let (Some(from), Some(to)) = (pessimistic.time.first(), pessimistic.time.last()) else {
        return Err(measure("no bar to walk over".to_owned()));
    };
    let steps_a_year = steps_a_year(&pessimistic.time, calendar);
    let gains: Vec<f64> = pessimistic.periods.iter().map(|period| period.gain).collect();
    let mean = |gains: &[f64]| gains.iter().sum::<f64>() / gains.len() as f64;
    let score = if gains.len() < 2 {
        None
    } else {
        let resamples = (DRAWN_MAX / gains.len()).clamp(50, RESAMPLES);
        let block = Resampling::Blocks { rows: 20.min(gains.len()) };
        let interval = bootstrap(&gains, mean, &Bootstrap { resamples, level: 0.95, seed, resampling: block });
        let baseline = Baseline { name: "buy and hold", value: held.metrics(steps_a_year).mean };
        let score = interval.and_then(|interval| {
            Score::new("mean return a step", Better::Higher, mean(&gains), baseline, gains.len(), interval)
        });
        Some(score.map_err(|error| measure(error.to_string()))?)
    };
    let of = |walked: &Walked| Run { metrics: walked.metrics(steps_a_year), counts: walked.counts };
    Ok(Study {
        steps: pessimistic.time.len(),
        from: from.to_string(),
        to: to.to_string(),
        steps_a_year,
        pessimistic: of(&pessimistic),
        optimistic: of(&optimistic),
        buy_and_hold: held.metrics(steps_a_year),
        mean: score,
        trades: pessimistic.trades,
    })
}

/// Each symbol bought once with an equal part, and held.
fn hold(columns: &[Column<'_>], rules: &Rules) -> Walked {
    let once = |column: &Column<'_>| {
        let mut entry = Bits::none(column.prices.time.len());
        if !entry.is_empty() {
            entry.set(0, true);
        }
        Signals { long_entry: entry, ..Signals::default() }
    };
    let signals: Vec<Signals> = columns.iter().map(once).collect();
    let columns: Vec<Column<'_>> =
        columns.iter().zip(&signals).map(|(column, signals)| Column { prices: column.prices, signals }).collect();
    let size = Size::Value(rules.cash / columns.len().max(1) as f64);
    walk(&columns, &Rules { size, lot: 0.0, stops: Stops::default(), bars_max: 0, ..rules.clone() })
}

/// Steps a day on days that have any, times the calendar's days.
fn steps_a_year(times: &[Ts], calendar: Calendar) -> f64 {
    const DAY_NS: i64 = 86_400_000_000_000;
    let mut days = 0_usize;
    let mut last = None;
    for time in times {
        let day = time.nanos().div_euclid(DAY_NS);
        days += usize::from(last.replace(day) != Some(day));
    }
    calendar.days_a_year() * times.len() as f64 / days.max(1) as f64
}
