//! What is odd about a series, and where it is not one series. Start at [`examine`].

use std::{fmt, ops::Range};

use railbird_timeline::Ts;
use serde::Serialize;

use super::{
    Bars, Calendar, LoadOptions, Table,
    adjust::{Event, EventKind, days},
    bars::{day, weekday},
};
use crate::Error;

/// What happens where a series breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaks {
    /// It becomes two.
    Split,
    /// It is refused.
    Refuse,
}

/// Two neighbouring bars that are not one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Break {
    /// Row of the first bar behind it.
    pub row: usize,
    /// Time of the bar before.
    pub from: Ts,
    /// Time of the first bar behind it.
    pub to: Ts,
    /// Why.
    pub reason: Reason,
}

/// Why two bars are not one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// Too long without a bar.
    Hole {
        /// Days between the two.
        days: f64,
        /// The next open over the close before, told splits left out.
        factor: f64,
    },
    /// A price that jumps, and nothing explains it.
    Jump {
        /// The next open over the close before, told splits left out.
        factor: f64,
    },
    /// A split that is told of, and was not asked to be applied.
    Split {
        /// Shares that one share became.
        ratio: f64,
        /// The next open over the close before.
        factor: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hole { days, factor } => {
                write!(out, "a hole of {days:.1} days, then a price {factor:.4} times the last")
            }
            Self::Jump { factor } => write!(out, "an unexplained jump to {factor:.4} times the last close"),
            Self::Split { ratio, factor } => {
                write!(
                    out,
                    "a split of {ratio} for 1 that is told of but not applied, the price {factor:.4} times the last"
                )
            }
        }
    }
}

/// Rows of an unbroken stretch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Rows.
    pub rows: Range<usize>,
    /// Time of the first.
    pub from: Ts,
    /// Time of the last.
    pub to: Ts,
}

/// What was found in a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Bars kept.
    pub bars: usize,
    /// Days of the market.
    pub calendar: Calendar,
    /// Rows left out for lack of a price.
    pub rows_without_prices: usize,
    /// Bars left out since their prices contradict one another.
    pub bad_bars: usize,
    /// Place of the first that was left out.
    pub first_dropped: Option<String>,
    /// Columns kept out.
    pub ignored_columns: Vec<String>,
    /// Bars whose volume is 0.
    pub zero_volume: usize,
    /// Bars without a volume.
    pub without_volume: usize,
    /// Days of the calendar without a bar, breaks left out; holidays are among them.
    pub days_without_bars: i64,
    /// Longest time without a bar that is no break, days.
    pub gap_days_max: f64,
    /// Whether the last 64 days follow another calendar than the first.
    pub mixed_calendar: bool,
    /// Bars whose high or low lies further from open and close than the bound for jumps.
    pub spikes: usize,
    /// Splits that the file or its factors tell of.
    pub splits: usize,
    /// Dividends that the file or its factors tell of.
    pub dividends: usize,
    /// Mean of ask over bid, less 1, in basis points; none without quotes.
    pub spread_bp: Option<f64>,
    /// Where it breaks, oldest first.
    pub breaks: Vec<Break>,
}

/// Finds what is odd and cuts at each break.
pub(super) fn examine(
    symbol: &str,
    table: &Table,
    calendar: Calendar,
    events: &[Event],
    options: &LoadOptions,
) -> Result<(Findings, Vec<Segment>), Error> {
    let bars = &table.bars;
    let hole_days_max = options.hole_days_max.unwrap_or(match calendar {
        // The longest closures since 1980 are of a week; a market that never closes has none.
        Calendar::Exchange => 10.0,
        Calendar::Always => 3.0,
    });
    let breaks = find_breaks(bars, events, hole_days_max, options);
    if let (Breaks::Refuse, Some(first)) = (options.breaks, breaks.first()) {
        return Err(Error::Broken {
            symbol: symbol.to_owned(),
            at: first.to.to_string(),
            reason: format!("{} after {}", first.reason, first.from),
            advice: advice(&first.reason),
        });
    }
    let mut starts = vec![0];
    starts.extend(breaks.iter().map(|found| found.row));
    let ends = starts.iter().skip(1).copied().chain([bars.len()]);
    let segments = starts.iter().zip(ends).map(|(&start, end)| Segment {
        rows: start..end,
        from: bars.time[start],
        to: bars.time[end - 1],
    });
    let findings = Findings {
        bars: bars.len(),
        calendar,
        rows_without_prices: table.rows_without_prices,
        bad_bars: table.bad_bars,
        first_dropped: table.first_dropped.clone(),
        ignored_columns: table.ignored_columns.clone(),
        zero_volume: bars.volume.iter().filter(|volume| **volume == 0.0).count(),
        without_volume: bars.volume.iter().filter(|volume| volume.is_nan()).count(),
        days_without_bars: days_without_bars(bars, calendar, &breaks),
        gap_days_max: gap_days_max(bars, &breaks),
        mixed_calendar: calendar != newest_calendar(&bars.time),
        spikes: spikes(bars, options.jump_max),
        splits: events.iter().filter(|event| event.kind == EventKind::Split).count(),
        dividends: events.iter().filter(|event| event.kind == EventKind::Dividend).count(),
        spread_bp: spread_bp(bars),
        breaks,
    };
    Ok((findings, segments.collect()))
}

fn find_breaks(bars: &Bars, events: &[Event], hole_days_max: f64, options: &LoadOptions) -> Vec<Break> {
    let mut breaks = Vec::new();
    let mut events = events.iter().peekable();
    for row in 1..bars.len() {
        let (from, to) = (bars.time[row - 1], bars.time[row]);
        let (mut applied, mut not_applied) = (1.0, 1.0);
        while let Some(event) = events.next_if(|event| event.time <= to) {
            match event.kind {
                EventKind::Split if options.adjust.applies(event.kind) => applied *= event.factor,
                EventKind::Split => not_applied *= event.factor,
                EventKind::Dividend => {}
            }
        }
        let factor = bars.open[row] / bars.close[row - 1];
        let jumps = |factor: f64| factor > options.jump_max || factor < 1.0 / options.jump_max;
        let gap = days(to.since(from));
        let explained = factor * applied;
        let reason = if gap > hole_days_max {
            Reason::Hole { days: gap, factor: explained }
        } else if !(0.95..=1.05).contains(&not_applied) && !jumps(factor * not_applied) {
            Reason::Split { ratio: not_applied, factor }
        } else if jumps(explained) {
            Reason::Jump { factor: explained }
        } else {
            continue;
        };
        breaks.push(Break { row, from, to, reason });
    }
    breaks
}

fn advice(reason: &Reason) -> String {
    match reason {
        Reason::Hole { .. } => "fill the hole, raise --hole-days, or split with --breaks split".to_owned(),
        Reason::Jump { .. } => {
            "if it is a split, give its factors; if it is real, raise --jump; or split with --breaks split".to_owned()
        }
        Reason::Split { .. } => "apply it with --adjust splits, or split the series with --breaks split".to_owned(),
    }
}

fn days_without_bars(bars: &Bars, calendar: Calendar, breaks: &[Break]) -> i64 {
    let mut count = 0;
    let mut breaks = breaks.iter().map(|found| found.row).peekable();
    for row in 1..bars.len() {
        let broken = breaks.next_if_eq(&row).is_some();
        let (from, to) = (day(bars.time[row - 1]), day(bars.time[row]));
        if !broken && to > from + 1 {
            let open = |day: &i64| calendar == Calendar::Always || weekday(*day) < 5;
            count += (from + 1..to).filter(open).count() as i64;
        }
    }
    count
}

fn gap_days_max(bars: &Bars, breaks: &[Break]) -> f64 {
    let mut breaks = breaks.iter().map(|found| found.row).peekable();
    let gaps = (1..bars.len())
        .filter(|row| breaks.next_if_eq(row).is_none())
        .map(|row| days(bars.time[row].since(bars.time[row - 1])));
    gaps.fold(0.0, f64::max)
}

fn newest_calendar(times: &[Ts]) -> Calendar {
    let (mut start, mut count, mut last) = (times.len(), 0, None);
    while start > 0 && count < 65 {
        start -= 1;
        let day = day(times[start]);
        count += usize::from(last.replace(day) != Some(day));
    }
    Calendar::of(&times[if count < 65 { start } else { start + 1 }..])
}

fn spikes(bars: &Bars, bound: f64) -> usize {
    let far = |row: &usize| {
        let (open, close) = (bars.open[*row], bars.close[*row]);
        bars.high[*row] > open.max(close) * bound || bars.low[*row] < open.min(close) / bound
    };
    (0..bars.len()).filter(far).count()
}

fn spread_bp(bars: &Bars) -> Option<f64> {
    let quotes = bars.quotes.as_ref()?;
    let spreads = quotes.bid_close.iter().zip(&quotes.ask_close).map(|(bid, ask)| ask / bid - 1.0);
    Some(spreads.sum::<f64>() / bars.len() as f64 * 1e4)
}
