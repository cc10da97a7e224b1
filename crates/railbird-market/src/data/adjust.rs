//! Splits and dividends, applied forward. Start at [`events`].
//!
//! Invariant: a bar's adjusted price depends on events up to that bar alone, so that what comes later rewrites nothing.

use railbird_timeline::Ts;
use serde::Serialize;

use super::{
    Bars, File, Table,
    bars::{DAY_NS, day},
};
use crate::Error;

/// What is applied to prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// Nothing: a known split breaks the series.
    None,
    /// Splits.
    Splits,
    /// Splits, and dividends as if reinvested.
    All,
}

impl Adjustment {
    pub(super) fn applies(self, kind: EventKind) -> bool {
        match kind {
            EventKind::Split => self != Self::None,
            EventKind::Dividend => self == Self::All,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    Split,
    Dividend,
}

/// From the bar at `time` on, prices are multiplied by `factor` to go on where the earlier ones left off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Event {
    pub(super) time: Ts,
    pub(super) kind: EventKind,
    pub(super) factor: f64,
}

/// A factor file: each row holds, up to its date, what earlier prices are multiplied by to meet the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// Last day, price factor, split factor; by day.
    rows: Vec<(i64, f64, f64)>,
}

impl Factors {
    /// Reads `date,price factor,split factor[,reference price]`, dates as YYYYMMDD, ascending.
    ///
    /// # Errors
    /// [`Error::Table`] with the line.
    pub fn parse(file: &File) -> Result<Self, Error> {
        let refused = |line: usize, problem: &str| Error::Table {
            place: format!("{}, line {line}", file.name),
            problem: problem.to_owned(),
            advice: "expected YYYYMMDD,price factor,split factor with ascending dates and factors above 0",
        };
        let text = std::str::from_utf8(&file.bytes).map_err(|_| refused(1, "no text in UTF-8"))?;
        let mut rows: Vec<(i64, f64, f64)> = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line_number = index + 1;
            let mut cells = line.split(',').map(str::trim);
            let date = cells.next().filter(|date| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()));
            let date = date.ok_or_else(|| refused(line_number, "no date"))?;
            let instant = format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..]);
            let last = day(instant.parse::<Ts>().map_err(|_| refused(line_number, "no such date"))?);
            let mut factor = || {
                let factor: Option<f64> = cells.next().and_then(|cell| cell.parse().ok());
                factor.filter(|factor: &f64| factor.is_finite() && *factor > 0.0)
            };
            let (Some(price), Some(split)) = (factor(), factor()) else {
                return Err(refused(line_number, "no factors"));
            };
            if rows.last().is_some_and(|row| row.0 >= last) {
                return Err(refused(line_number, "the date is not later than the one before"));
            }
            rows.push((last, price, split));
        }
        Ok(Self { rows })
    }
}

/// Splits and dividends that a file's own columns or its factors tell of, oldest first, each at the first bar that it moves.
pub(super) fn events(table: &Table, factors: Option<&Factors>) -> Vec<Event> {
    let times = &table.bars.time;
    let mut events = Vec::new();
    if let Some(factors) = factors {
        for pair in factors.rows.windows(2) {
            let [(last, price_before, split_before), (_, price, split)] = [pair[0], pair[1]];
            let first = times.partition_point(|time| day(*time) <= last);
            let Some(&time) = times.get(first) else { continue };
            let mut add = |kind, factor: f64| {
                if (factor - 1.0).abs() > 1e-9 {
                    events.push(Event { time, kind, factor });
                }
            };
            add(EventKind::Split, simple(split / split_before));
            add(EventKind::Dividend, price / price_before);
        }
        return events;
    }
    for (at, &time) in times.iter().enumerate() {
        let ratio = table.split_ratio.get(at).copied().unwrap_or(1.0);
        if ratio != 1.0 {
            events.push(Event { time, kind: EventKind::Split, factor: ratio });
        }
        let dividend = table.dividend.get(at).copied().unwrap_or(0.0);
        let Some(before) = at.checked_sub(1).map(|before| table.bars.close[before]) else { continue };
        // Reinvested at the last close with it: a share becomes before / (before - dividend) shares.
        if dividend > 0.0 && dividend < before {
            events.push(Event { time, kind: EventKind::Dividend, factor: before / (before - dividend) });
        }
    }
    events
}

/// Multiplies prices from each event on, and divides volumes by splits; events at or before the first bar move nothing.
pub(super) fn apply(bars: &mut Bars, events: &[Event]) {
    let Some(&first) = bars.time.first() else { return };
    let mut events = events.iter().skip_while(|event| event.time <= first).peekable();
    if events.peek().is_none() {
        return;
    }
    let (mut price, mut shares) = (1.0, 1.0);
    for at in 0..bars.len() {
        while let Some(event) = events.next_if(|event| event.time <= bars.time[at]) {
            price *= event.factor;
            if event.kind == EventKind::Split {
                shares *= event.factor;
            }
        }
        for column in [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close] {
            column[at] *= price;
        }
        bars.volume[at] /= shares;
        if let Some(quotes) = &mut bars.quotes {
            quotes.bid_close[at] *= price;
            quotes.ask_close[at] *= price;
        }
    }
}

/// A ratio that was written with few digits, as the fraction of small numbers that it stands for.
///
/// The digits of a factor depend on all later splits; the fraction does not.
fn simple(ratio: f64) -> f64 {
    for below in 1..=20 {
        let below = f64::from(below);
        let above = (ratio * below).round();
        if above >= 1.0 && (above / below / ratio - 1.0).abs() < 2e-4 {
            return above / below;
        }
    }
    ratio
}

/// Nanoseconds as days.
pub(super) fn days(nanos: i64) -> f64 {
    nanos as f64 / DAY_NS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_digits_become_the_fraction_that_they_stand_for() {
        assert_eq!(simple(0.25 / 0.035_714_30), 7.0);
        assert_eq!(simple(1.0 / 8.0), 0.125);
        assert_eq!(simple(1.0 / 0.333_333), 3.0);
        assert_eq!(simple(1.5), 1.5);
        assert_eq!(simple(1.0 / 0.997_307), 1.0 / 0.997_307);
    }
}
