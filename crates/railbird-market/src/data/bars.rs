//! Columns of bars. Start at [`Bars`].

use std::ops::Range;

use railbird_timeline::Ts;
use serde::Serialize;

/// A price of a bar that is forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// Close.
    Close,
    /// Low.
    Low,
    /// High.
    High,
    /// Open.
    Open,
}

impl Key {
    /// All, in the order in which they are forecast.
    pub const ALL: [Self; 4] = [Self::Close, Self::Low, Self::High, Self::Open];

    /// Place in [`Key::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Bars of one symbol, a column each, oldest first; all columns have the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bars {
    /// When the bar begins, or its day.
    pub time: Vec<Ts>,
    /// First price.
    pub open: Vec<f64>,
    /// Highest price.
    pub high: Vec<f64>,
    /// Lowest price.
    pub low: Vec<f64>,
    /// Last price.
    pub close: Vec<f64>,
    /// Volume, 0 or more; NaN where the file has none.
    pub volume: Vec<f64>,
    /// Bid and ask, where the file has both.
    pub quotes: Option<Quotes>,
}

/// Last bid and last ask of each bar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quotes {
    /// Last bid.
    pub bid_close: Vec<f64>,
    /// Last ask.
    pub ask_close: Vec<f64>,
}

impl Bars {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// A column of prices.
    pub fn prices(&self, key: Key) -> &[f64] {
        match key {
            Key::Close => &self.close,
            Key::Low => &self.low,
            Key::High => &self.high,
            Key::Open => &self.open,
        }
    }

    /// A copy of some rows.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let part = |column: &[f64]| column[rows.clone()].to_vec();
        Self {
            time: self.time[rows.clone()].to_vec(),
            open: part(&self.open),
            high: part(&self.high),
            low: part(&self.low),
            close: part(&self.close),
            volume: part(&self.volume),
            quotes: self
                .quotes
                .as_ref()
                .map(|quotes| Quotes { bid_close: part(&quotes.bid_close), ask_close: part(&quotes.ask_close) }),
        }
    }

    /// How long a bar lasts, nanoseconds: the least distance among the first 64, so that later bars change nothing.
    pub fn period_ns(&self) -> i64 {
        let first = &self.time[..self.len().min(65)];
        first.windows(2).map(|pair| pair[1].since(pair[0])).min().unwrap_or(DAY_NS)
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.time.extend(other.time);
        self.open.extend(other.open);
        self.high.extend(other.high);
        self.low.extend(other.low);
        self.close.extend(other.close);
        self.volume.extend(other.volume);
        self.quotes = match (self.quotes.take(), other.quotes) {
            (Some(mut own), Some(more)) => {
                own.bid_close.extend(more.bid_close);
                own.ask_close.extend(more.ask_close);
                Some(own)
            }
            _ => None,
        };
    }
}

pub(crate) const DAY_NS: i64 = 86_400_000_000_000;

/// Day of an instant, counted from 1970-01-01, UTC.
pub(crate) fn day(ts: Ts) -> i64 {
    ts.nanos().div_euclid(DAY_NS)
}

/// 1970-01-01 was a Thursday; 0 is Monday.
pub(crate) fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// On which days a market trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// Closed on Saturdays: 252 days a year.
    Exchange,
    /// Every day: 365 a year.
    Always,
}

impl Calendar {
    /// By the first 64 days that have bars, so that later bars change nothing: open on Saturdays, or not.
    pub fn of(times: &[Ts]) -> Self {
        let (mut days, mut saturdays, mut last) = (0, 0, None);
        for &time in times {
            let day = day(time);
            if last.replace(day) != Some(day) {
                days += 1;
                saturdays += usize::from(weekday(day) == 5);
                if days == 64 {
                    break;
                }
            }
        }
        // One day in seven where it never closes; a stray session on a Saturday is no market that never closes.
        if saturdays * 14 >= days && saturdays > 0 { Self::Always } else { Self::Exchange }
    }

    /// Days a year.
    pub const fn days_a_year(self) -> f64 {
        match self {
            Self::Exchange => 252.0,
            Self::Always => 365.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: &[i64]) -> Vec<Ts> {
        days.iter().map(|day| Ts(day * DAY_NS)).collect()
    }

    #[test]
    fn a_market_that_trades_on_saturdays_never_closes() {
        let all: Vec<i64> = (0..100).collect();
        let week: Vec<i64> = (0..100).filter(|&day| weekday(day) < 5).collect();
        assert_eq!(Calendar::of(&days(&all)), Calendar::Always);
        assert_eq!(Calendar::of(&days(&week)), Calendar::Exchange);
        // 1970-01-03 was a Saturday; one stray session changes nothing.
        let stray: Vec<i64> = (0..100).filter(|&day| weekday(day) < 5 || day == 2).collect();
        assert_eq!(Calendar::of(&days(&stray)), Calendar::Exchange);
        assert_eq!(weekday(2), 5);
    }
}
