//! How bars are cut. Start at [`Rules`].

use std::{fmt, str::FromStr};

use super::book::BANDS;
use crate::{
    columns::BAND_EDGES,
    instrument::{Instrument, PRICE_SCALE, parse_decimal},
};

/// Which time cuts the bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BarClock {
    /// When the event happened.
    #[default]
    Event,
    /// When it was received.
    Receive,
}

/// Which rows end an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventEnds {
    /// Rows with F_LAST, and clears.
    #[default]
    Flag,
    /// Every row, for sources without F_LAST.
    Row,
}

/// When a bar ends.
///
/// Read from text: a number and `ns`, `us`, `ms`, `s`, `m`, `h` or `d` for time; `t` for trades; `v` for volume, `usd` for
/// turnover (price times size, in the currency of the price), both decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarSize {
    /// Every so many ns, counted from the Unix epoch.
    Time(i64),
    /// At the end of the event with the so-manieth trade.
    Trades(i64),
    /// At the end of the event in which so much was traded, in 1e-9.
    Volume(i64),
    /// At the end of the event in which so much was turned over, in 1e-9.
    Turnover(i64),
}

/// Longest bar, ns.
const BAR_NS_MAX: i64 = 366 * 86_400 * 1_000_000_000;

/// A bar size that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "bar {0:?}: expected a time such as 5s, 250ms, 1m (at most 366d), or trades, volume or turnover such as 1000t, \
     50000v, 1000000usd"
)]
pub struct BarSizeError(String);

impl FromStr for BarSize {
    type Err = BarSizeError;

    fn from_str(text: &str) -> Result<Self, BarSizeError> {
        let error = || BarSizeError(text.to_owned());
        let digits = text.find(|letter: char| letter.is_ascii_alphabetic()).ok_or_else(error)?;
        let (number, unit) = text.split_at(digits);
        if !number.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(error());
        }
        let decimal = || parse_decimal(number).filter(|number| *number > 0).ok_or_else(error);
        let time = |ns: i64| -> Result<Self, BarSizeError> {
            let ns = i128::from(decimal()?) * i128::from(ns) / i128::from(PRICE_SCALE);
            i64::try_from(ns).ok().filter(|ns| (1..=BAR_NS_MAX).contains(ns)).map(Self::Time).ok_or_else(error)
        };
        match unit {
            "ns" => time(1),
            "us" => time(1_000),
            "ms" => time(1_000_000),
            "s" => time(1_000_000_000),
            "m" | "min" => time(60_000_000_000),
            "h" => time(3_600_000_000_000),
            "d" => time(86_400_000_000_000),
            "t" => number.parse().ok().filter(|trades| *trades > 0).map(Self::Trades).ok_or_else(error),
            "v" => Ok(Self::Volume(decimal()?)),
            "usd" => Ok(Self::Turnover(decimal()?)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for BarSize {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = |value: i64| value as f64 / PRICE_SCALE as f64;
        match *self {
            Self::Time(ns) if ns % 1_000_000_000 == 0 => write!(to, "{}s", ns / 1_000_000_000),
            Self::Time(ns) if ns % 1_000_000 == 0 => write!(to, "{}ms", ns / 1_000_000),
            Self::Time(ns) => write!(to, "{ns}ns"),
            Self::Trades(trades) => write!(to, "{trades}t"),
            Self::Volume(volume) => write!(to, "{}v", decimal(volume)),
            Self::Turnover(turnover) => write!(to, "{}usd", decimal(turnover)),
        }
    }
}

/// How finely a source tells sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeUnit {
    /// Whole shares or contracts.
    Whole,
    /// 1e-9.
    Nano,
}

impl SizeUnit {
    /// Quanta in a size of 1.
    pub fn quanta(self) -> i64 {
        match self {
            Self::Whole => 1,
            Self::Nano => 1_000_000_000,
        }
    }
}

/// What a source can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceForm {
    /// Levels of the book, 0 to 10.
    pub levels: u8,
    /// Unit of its sizes.
    pub size_unit: SizeUnit,
    /// Whether every row ends an event, as where rows are sampled at trades.
    pub every_row_ends: bool,
}

/// How the bars of one instrument are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) size: BarSize,
    pub(crate) clock: BarClock,
    pub(crate) every_row_ends: bool,
    /// Point in 1e-9.
    pub(crate) point: f64,
    /// Edges of the bands in 1e-9.
    pub(crate) edges: [i64; BANDS],
    /// Lot in quanta.
    pub(crate) lot: f64,
    /// Quanta in a size of 1.
    pub(crate) quanta: f64,
    /// Levels that the source tells.
    pub(crate) levels: u8,
    /// Total at which a bar of trades, volume or turnover ends, in the unit of the sums.
    pub(crate) threshold: i128,
}

impl Rules {
    pub(crate) fn new(size: BarSize, clock: BarClock, ends: EventEnds, of: &Instrument, form: SourceForm) -> Self {
        let quanta = form.size_unit.quanta();
        let threshold = match size {
            BarSize::Time(_) => 0,
            BarSize::Trades(trades) => i128::from(trades),
            // Rounded up: a total reaches it exactly where it reaches the decimal.
            BarSize::Volume(volume) => {
                let exact = i128::from(volume) * i128::from(quanta);
                (exact + i128::from(PRICE_SCALE) - 1) / i128::from(PRICE_SCALE)
            }
            // Prices are in 1e-9, so the product is.
            BarSize::Turnover(turnover) => i128::from(turnover) * i128::from(quanta),
        };
        Self {
            size,
            clock,
            every_row_ends: form.every_row_ends || ends == EventEnds::Row,
            point: of.point as f64,
            edges: BAND_EDGES.map(|edge| edge * of.point),
            lot: of.lot * quanta as f64,
            quanta: quanta as f64,
            levels: form.levels,
            threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_sizes_read_and_print() {
        for (text, want) in [
            ("5s", Some("5s")),
            ("0.5s", Some("500ms")),
            ("90m", Some("5400s")),
            ("1us", Some("1000ns")),
            ("1000t", Some("1000t")),
            ("0.5v", Some("0.5v")),
            ("1000000usd", Some("1000000usd")),
            ("0s", None),
            ("-5s", None),
            ("5", None),
            ("s", None),
            ("1.5t", None),
            ("367d", None),
            ("5 s", None),
            ("1e3s", None),
        ] {
            let read = text.parse::<BarSize>().ok().map(|size| size.to_string());
            assert_eq!(read.as_deref(), want, "{text}");
        }
    }
}
