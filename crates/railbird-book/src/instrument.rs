//! What must be known of an instrument beside its ticks. Start at [`Instruments::parse`].
//!
//! Invariant: instruments are data. No name and no price stands in code; those that are built in stand in
//! `instruments.toml`.

use jiff::{civil::Time, tz::TimeZone};
use serde::Deserialize;

/// Prices are whole numbers of this part of a quoted price.
pub const PRICE_SCALE: i64 = 1_000_000_000;

/// Largest point and tick, in 1e-9: what is ten times larger still fits beside any price.
const PRICE_MAX: i64 = 100_000_000 * PRICE_SCALE;

/// What must be known of an instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Instrument {
    /// Its name, or the beginning of one and an asterisk.
    pub symbol: String,
    /// Unit of the distances of the bands, in 1e-9 of the quoted price; above 0.
    pub point: i64,
    /// Smallest step of the price, in 1e-9; above 0.
    pub tick: i64,
    /// Usual size of an order: scales `ln(1 + size / lot)` alone; above 0.
    pub lot: f64,
    /// Name of its time zone, as in the IANA database.
    pub time_zone: String,
    /// Its trading day, in local time.
    pub sessions: Sessions,
    /// When the next contract takes over.
    pub roll: RollRule,
}

/// The trading day, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// When trading before the regular session begins; on the evening before where it is later than `open`.
    pub pre_market: Time,
    /// When the regular session opens.
    pub open: Time,
    /// When it closes.
    pub close: Time,
}

/// When the next contract takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum RollRule {
    /// Never: a share, a coin.
    #[default]
    Never,
    /// Contracts of March, June, September and December.
    Quarterly {
        /// Days before the third Friday of the month.
        days_before: u8,
    },
}

/// Known instruments.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruments {
    list: Vec<Instrument>,
}

/// What is wrong with a table of instruments.
#[derive(Debug, thiserror::Error)]
pub enum InstrumentError {
    /// Not the form that is expected.
    #[error("instruments: {0}")]
    Form(#[from] toml::de::Error),
    /// A value that cannot be.
    #[error("instrument {symbol}: {what} is {found:?}, expected {expected}")]
    Value {
        /// Whose it is.
        symbol: String,
        /// Which value.
        what: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    instrument: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    symbol: String,
    point: String,
    tick: String,
    #[serde(default = "one")]
    lot: f64,
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default)]
    sessions: SessionsEntry,
    #[serde(default)]
    roll: RollRule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SessionsEntry {
    pre_market: String,
    open: String,
    close: String,
}

impl Default for SessionsEntry {
    fn default() -> Self {
        Self { pre_market: "00:00".to_owned(), open: "00:00".to_owned(), close: "23:59:59".to_owned() }
    }
}

fn one() -> f64 {
    1.0
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Instruments {
    /// Reads a table: one `[[instrument]]` each, with `symbol`, `point`, `tick` and, where they matter, `lot`,
    /// `time_zone`, `sessions` and `roll`.
    ///
    /// # Errors
    /// [`InstrumentError`].
    pub fn parse(text: &str) -> Result<Self, InstrumentError> {
        let file: File = toml::from_str(text)?;
        Ok(Self { list: file.instrument.into_iter().map(Instrument::try_from).collect::<Result<_, _>>()? })
    }

    /// Those that are built in; the last of them fits every name.
    pub fn built_in() -> Self {
        Self::parse(include_str!("instruments.toml")).expect("the built-in table is tested")
    }

    /// These first, then `others`.
    #[must_use]
    pub fn before(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self
    }

    /// The first that fits a name.
    pub fn find(&self, symbol: &str) -> Option<&Instrument> {
        self.list.iter().find(|instrument| instrument.fits(symbol))
    }

    /// All of them, in order.
    pub fn list(&self) -> &[Instrument] {
        &self.list
    }
}

impl Instrument {
    /// An instrument of which nothing but prices and sizes is known: trades around the clock, in UTC.
    ///
    /// # Errors
    /// [`InstrumentError::Value`] unless `point` and `tick` (in 1e-9) and `lot` are above 0.
    pub fn plain(symbol: &str, point: i64, tick: i64, lot: f64) -> Result<Self, InstrumentError> {
        let day = SessionsEntry::default();
        let instrument = Self {
            symbol: symbol.to_owned(),
            point,
            tick,
            lot,
            time_zone: utc(),
            sessions: Sessions::parse(symbol, &day)?,
            roll: RollRule::Never,
        };
        instrument.checked()
    }

    fn fits(&self, symbol: &str) -> bool {
        match self.symbol.strip_suffix('*') {
            Some(beginning) => symbol.starts_with(beginning),
            None => self.symbol == symbol,
        }
    }

    fn checked(self) -> Result<Self, InstrumentError> {
        let wrong = |what, found: String, expected| InstrumentError::Value {
            symbol: self.symbol.clone(),
            what,
            found,
            expected,
        };
        for (what, value) in [("point", self.point), ("tick", self.tick)] {
            if !(1..=PRICE_MAX).contains(&value) {
                return Err(wrong(what, value.to_string(), "a price above 0 and at most 100000000"));
            }
        }
        if !(self.lot.is_finite() && self.lot > 0.0) {
            return Err(wrong("lot", self.lot.to_string(), "a size above 0"));
        }
        if TimeZone::get(&self.time_zone).is_err() {
            return Err(wrong("time_zone", self.time_zone.clone(), "a name of the IANA database"));
        }
        Ok(self)
    }
}

impl TryFrom<Entry> for Instrument {
    type Error = InstrumentError;

    fn try_from(entry: Entry) -> Result<Self, InstrumentError> {
        let price = |what, text: &str| {
            parse_decimal(text).ok_or_else(|| InstrumentError::Value {
                symbol: entry.symbol.clone(),
                what,
                found: text.to_owned(),
                expected: "a price with at most nine decimals",
            })
        };
        let (point, tick) = (price("point", &entry.point)?, price("tick", &entry.tick)?);
        let sessions = Sessions::parse(&entry.symbol, &entry.sessions)?;
        let Entry { symbol, lot, time_zone, roll, .. } = entry;
        Self { symbol, point, tick, lot, time_zone, sessions, roll }.checked()
    }
}

impl Sessions {
    fn parse(symbol: &str, entry: &SessionsEntry) -> Result<Self, InstrumentError> {
        let time = |what, text: &str| {
            text.parse::<Time>().map_err(|_| InstrumentError::Value {
                symbol: symbol.to_owned(),
                what,
                found: text.to_owned(),
                expected: "a local time such as 09:30",
            })
        };
        Ok(Self {
            pre_market: time("pre_market", &entry.pre_market)?,
            open: time("open", &entry.open)?,
            close: time("close", &entry.close)?,
        })
    }
}

/// A decimal with at most nine digits after the point, in 1e-9, without rounding; `None` where it is not one or too large.
pub fn parse_decimal(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        digits => (false, digits),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    let mut push = |byte: u8| -> Option<()> {
        let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        value = value.checked_mul(10)?.checked_sub(digit)?;
        Some(())
    };
    for byte in whole {
        push(*byte)?;
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(9));
    for at in 0..9 {
        push(kept.get(at).copied().unwrap_or(b'0'))?;
    }
    // Digits beyond the ninth may only be noughts: nothing is rounded.
    if beyond.iter().any(|byte| *byte != b'0') {
        return None;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_reads_and_its_last_entry_fits_everything() {
        let known = Instruments::built_in();
        assert_eq!(known.find("MESH6").map(|found| (found.point, found.tick)), Some((1_000_000_000, 250_000_000)));
        assert!(known.find("").is_some_and(|found| found.symbol == "*"));
        assert!(known.list().iter().all(|entry| entry.point % entry.tick == 0));
    }

    #[test]
    fn ones_own_table_comes_first() {
        let own = "[[instrument]]\nsymbol = \"ABC\"\npoint = \"0.125\"\ntick = \"0.001\"\nlot = 100.0\n";
        let known = Instruments::parse(own).unwrap().before(Instruments::built_in());
        let found = known.find("ABC").unwrap();
        assert_eq!((found.point, found.tick, found.lot), (125_000_000, 1_000_000, 100.0));
        assert_ne!(known.find("ABCD").unwrap().symbol, "ABC");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let table = |line: &str| format!("[[instrument]]\nsymbol = \"X\"\n{line}\n");
        for (line, want) in [
            ("point = \"0\"\ntick = \"1\"", "instrument X: point is \"0\""),
            ("point = \"1\"\ntick = \"0.0000000001\"", "instrument X: tick is"),
            ("point = \"1\"\ntick = \"1\"\nlot = 0.0", "instrument X: lot is"),
            ("point = \"1\"\ntick = \"1\"\ntime_zone = \"Mars\"", "instrument X: time_zone is"),
            ("point = \"1\"\ntick = \"1\"\ncolour = 1", "unknown field"),
        ] {
            let error = Instruments::parse(&table(line)).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let max = i64::MAX.to_string();
        let max = format!("{}.{}", &max[..10], &max[10..]);
        for (text, want) in [
            ("5.51", Some(5_510_000_000)),
            ("-.5", Some(-500_000_000)),
            ("7", Some(7_000_000_000)),
            ("0.1234567890", Some(123_456_789)),
            ("0.1234567891", None),
            ("", None),
            (".", None),
            ("1e3", None),
            ("1.-2", None),
            ("99999999999", None),
            (max.as_str(), Some(i64::MAX)),
            ("-9223372036.854775808", Some(i64::MIN)),
        ] {
            assert_eq!(parse_decimal(text), want, "{text}");
        }
    }
}
