//! Signals and forecasts as a table of one's own: CSV, Parquet, either in gzip. Start at [`Table::read`].
//!
//! Columns, in any case: a time (`timestamp`, `time`, `date`), `symbol`, `known_at`, `long_entry`, `long_exit`, `short_entry`,
//! `short_exit` (1, 0, true, false, empty), `weight`, `forecast` (the move expected, as a share). A row with `known_at`
//! trades at the first bar that begins then or later; one without belongs to the bar of its time and trades at the next.

use std::{fmt, io::Read as _};

use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::{DataType, Float64Type, TimeUnit, TimestampNanosecondType},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use railbird_timeline::Ts;
use serde::Serialize;

use super::walk::Signals;
use crate::{Error, data::File};

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow {
    /// The bar that it is of.
    pub time: Ts,
    /// When it became known, where the table says so.
    pub known_at: Option<Ts>,
    /// Its symbol, where the table has more than one.
    pub symbol: Option<String>,
    /// Buy.
    pub long_entry: bool,
    /// Leave a long.
    pub long_exit: bool,
    /// Sell short.
    pub short_entry: bool,
    /// Leave a short.
    pub short_exit: bool,
    /// Share of the size; 1 where the table has none.
    pub weight: f64,
    /// Expected move, NaN where there is none.
    pub forecast: f64,
}

/// Rows in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Rows.
    pub rows: Vec<SignalRow>,
    name: String,
}

/// When a forecast is a signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// A forecast above this enters a long, one below its negative a short.
    pub enter: f64,
    /// A forecast below this leaves a long, one above its negative a short. At most `enter`.
    pub exit: f64,
    /// Whether shorts are entered.
    pub short: bool,
}

/// Signals of one symbol on its bars, and the rows that found no bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// Signals, a bit a bar.
    pub signals: Signals,
    /// Rows that belong to the symbol.
    pub rows: u64,
    /// Of these, rows whose time is that of no bar, or that were known before the first bar.
    pub without_bar: u64,
    /// Of these, rows known too late for any bar.
    pub too_late: u64,
}

/// Largest table after unpacking, bytes.
const BYTES_MAX: u64 = 4 << 30;

const COLUMNS: [&str; 9] =
    ["time", "known_at", "symbol", "long_entry", "long_exit", "short_entry", "short_exit", "weight", "forecast"];

impl SignalRow {
    /// When it was known: with its bar's close, where the table does not say.
    pub fn known(&self) -> Ts {
        self.known_at.unwrap_or(self.time)
    }

    pub(crate) fn place(&self) -> String {
        format!("row of {}{}", self.time, self.symbol.as_ref().map_or(String::new(), |symbol| format!(", {symbol}")))
    }

    /// Whether two rows say the same, a missing forecast being equal to one that is missing.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let bits = |row: &Self| (row.long_entry, row.long_exit, row.short_entry, row.short_exit);
        bits(self) == bits(other)
            && self.weight.to_bits() == other.weight.to_bits()
            && (self.forecast == other.forecast || self.forecast.is_nan() && other.forecast.is_nan())
    }
}

impl fmt::Display for SignalRow {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = [self.long_entry, self.long_exit, self.short_entry, self.short_exit].map(u8::from);
        write!(to, "{bits:?}, weight {}, forecast {}", self.weight, self.forecast)
    }
}

impl Table {
    /// Reads a table by its name's ending: `.parquet`, else text; `.gz` behind either.
    ///
    /// # Errors
    /// [`Error::Table`] with the line or row.
    pub fn read(file: &File) -> Result<Self, Error> {
        let lower = file.name.to_ascii_lowercase();
        let mut unpacked = Vec::new();
        let (name, bytes) = match lower.strip_suffix(".gz") {
            None => (lower.as_str(), &file.bytes[..]),
            Some(inner) => {
                let reader = flate2::read::MultiGzDecoder::new(&file.bytes[..]);
                let read = reader.take(BYTES_MAX + 1).read_to_end(&mut unpacked);
                read.map_err(|error| refused(&file.name, error.to_string(), "expected gzip; get the file again"))?;
                if unpacked.len() as u64 > BYTES_MAX {
                    return Err(refused(&file.name, format!("holds more than {BYTES_MAX} bytes"), "split the table"));
                }
                (inner, &unpacked[..])
            }
        };
        let is_parquet = name.ends_with(".parquet") || bytes.starts_with(b"PAR1");
        let rows = if is_parquet { read_parquet(&file.name, bytes)? } else { read_text(&file.name, bytes)? };
        Ok(Self { rows, name: file.name.clone() })
    }

    /// The signals of `symbol` on bars that begin at `time`. Of rows for one bar the one known last holds.
    ///
    /// # Errors
    /// [`Error::Table`] where no row finds a bar; [`Error::Setting`] where a long would be left above where it is entered.
    pub fn signals(&self, symbol: &str, time: &[Ts], thresholds: &Thresholds) -> Result<Aligned, Error> {
        if thresholds.exit > thresholds.enter || !thresholds.enter.is_finite() || !thresholds.exit.is_finite() {
            return Err(Error::Setting {
                what: "exit threshold",
                expected: "at most the entry threshold",
                found: format!("{} above {}", thresholds.exit, thresholds.enter),
            });
        }
        let mut aligned = Aligned { signals: Signals::none(time.len()), rows: 0, without_bar: 0, too_late: 0 };
        let own = |row: &&SignalRow| row.symbol.as_deref().is_none_or(|of| of.eq_ignore_ascii_case(symbol));
        let mut rows: Vec<&SignalRow> = self.rows.iter().filter(own).collect();
        rows.sort_by_key(|row| row.known());
        let mut weights = vec![1.0; time.len()];
        for row in rows {
            aligned.rows += 1;
            let bar = match row.known_at {
                None => time.binary_search(&row.time).ok(),
                Some(known) => {
                    let trades = time.partition_point(|begin| *begin < known);
                    aligned.too_late += u64::from(trades == time.len());
                    trades.checked_sub(1)
                }
            };
            let Some(bar) = bar else {
                aligned.without_bar += 1;
                continue;
            };
            if row.known_at.is_some_and(|known| time.last().is_some_and(|last| known > *last)) {
                continue;
            }
            weights[bar] = row.weight;
            let signals = &mut aligned.signals;
            let (up, down) = (row.forecast > thresholds.enter, row.forecast < -thresholds.enter && thresholds.short);
            signals.long_entry.set(bar, row.long_entry || up);
            signals.long_exit.set(bar, row.long_exit || row.forecast < thresholds.exit);
            signals.short_entry.set(bar, row.short_entry || down);
            signals.short_exit.set(bar, row.short_exit || row.forecast > -thresholds.exit);
        }
        if weights.iter().any(|weight| *weight != 1.0) {
            aligned.signals.weight = weights;
        }
        if aligned.rows > 0 && aligned.without_bar + aligned.too_late >= aligned.rows {
            let problem = format!("none of {} rows of {symbol} belongs to one of its bars", aligned.rows);
            return Err(refused(&self.name, problem, "expected the times of the bars, or known_at within them"));
        }
        Ok(aligned)
    }
}

/// Index of each column of [`COLUMNS`] in a file.
struct Roles([Option<usize>; 9]);

impl Roles {
    fn find(file: &str, names: &[String]) -> Result<Self, Error> {
        let lower: Vec<String> =
            names.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase()).collect();
        let find = |wanted: &str| lower.iter().position(|name| name == wanted);
        let mut roles = COLUMNS.map(find);
        roles[0] = ["timestamp", "time", "date", "datetime"].iter().find_map(|name| find(name));
        if roles[0].is_none()
            || roles[3..].iter().all(Option::is_none)
            || roles[3..7].iter().chain(&roles[8..]).all(Option::is_none)
        {
            return Err(refused(
                file,
                format!("no column of times, or none of signals; found {}", names.join(", ")),
                "expected timestamp and one of long_entry, long_exit, short_entry, short_exit, forecast",
            ));
        }
        Ok(Self(roles))
    }
}

fn refused(place: &str, problem: String, advice: &'static str) -> Error {
    Error::Table { place: place.to_owned(), problem, advice }
}

fn read_text(file: &str, bytes: &[u8]) -> Result<Vec<SignalRow>, Error> {
    let mut reader = ::csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    let header = reader.headers().map_err(|error| refused(file, error.to_string(), "expected text in UTF-8"))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let roles = Roles::find(file, &names)?;
    let mut rows = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let place = format!("{file}, line {}", at + 2);
        let record =
            record.map_err(|error| refused(&place, error.to_string(), "expected as many fields as the header has"))?;
        let cell = |role: usize| {
            roles.0[role].and_then(|column| record.get(column)).map(str::trim).filter(|cell| !cell.is_empty())
        };
        let wrong = |role: usize, want: &'static str| {
            refused(&place, format!("{}: found {:?}", COLUMNS[role], cell(role).unwrap_or("nothing")), want)
        };
        let instant = |role: usize| cell(role).map(|cell| parse_time(cell).ok_or(())).transpose();
        let bit = |role: usize| match cell(role).map(str::to_ascii_lowercase).as_deref() {
            None | Some("0" | "0.0" | "false" | "nan") => Ok(false),
            Some("1" | "1.0" | "true") => Ok(true),
            _ => Err(wrong(role, "expected 1, 0, true, false or nothing")),
        };
        let number = |role: usize, nothing: f64| match cell(role) {
            None => Ok(nothing),
            Some(cell) => cell.parse().map_err(|_| wrong(role, "expected a number or nothing")),
        };
        const TIME: &str = "expected a date, an instant, or seconds, ms, us or ns since 1970";
        rows.push(SignalRow {
            time: instant(0).ok().flatten().ok_or_else(|| wrong(0, TIME))?,
            known_at: instant(1).map_err(|()| wrong(1, TIME))?,
            symbol: cell(2).map(str::to_owned),
            long_entry: bit(3)?,
            long_exit: bit(4)?,
            short_entry: bit(5)?,
            short_exit: bit(6)?,
            weight: weight(number(7, 1.0)?).ok_or_else(|| wrong(7, "expected 0 or more"))?,
            forecast: number(8, f64::NAN)?,
        });
    }
    Ok(rows)
}

fn read_parquet(file: &str, bytes: &[u8]) -> Result<Vec<SignalRow>, Error> {
    const ADVICE: &str = "expected a Parquet file of signals; write it again";
    let wrong = |problem: String| refused(file, problem, ADVICE);
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| wrong(error.to_string()))?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let roles = Roles::find(file, &names)?;
    let reader = builder.build().map_err(|error| wrong(error.to_string()))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| wrong(error.to_string()))?;
        let column = |role: usize, kind: &DataType| {
            let array = roles.0[role].map(|column| cast(batch.column(column), kind));
            array.transpose().map_err(|error| wrong(format!("{}: {error}", COLUMNS[role])))
        };
        let instants = |role: usize| column(role, &DataType::Timestamp(TimeUnit::Nanosecond, None));
        let (time, known_at) = (instants(0)?, instants(1)?);
        let symbol = column(2, &DataType::Utf8)?;
        let bits = [3, 4, 5, 6].map(|role| column(role, &DataType::Boolean));
        let [long_entry, long_exit, short_entry, short_exit] = bits;
        let bits = [long_entry?, long_exit?, short_entry?, short_exit?];
        let numbers = [column(7, &DataType::Float64)?, column(8, &DataType::Float64)?];
        for at in 0..batch.num_rows() {
            let instant = |array: &Option<arrow::array::ArrayRef>| {
                let array = array.as_ref().filter(|array| !array.is_null(at))?;
                Some(Ts(array.as_primitive::<TimestampNanosecondType>().value(at)))
            };
            let bit = |which: usize| {
                bits[which].as_ref().is_some_and(|array| !array.is_null(at) && array.as_boolean().value(at))
            };
            let number = |which: usize| {
                let array = numbers[which].as_ref().filter(|array| !array.is_null(at))?;
                Some(array.as_primitive::<Float64Type>().value(at))
            };
            let place = rows.len();
            rows.push(SignalRow {
                time: instant(&time).ok_or_else(|| wrong(format!("row {place}: no time")))?,
                known_at: instant(&known_at),
                symbol: symbol
                    .as_ref()
                    .filter(|array| !array.is_null(at))
                    .map(|array| array.as_string::<i32>().value(at).to_owned()),
                long_entry: bit(0),
                long_exit: bit(1),
                short_entry: bit(2),
                short_exit: bit(3),
                weight: weight(number(0).unwrap_or(1.0))
                    .ok_or_else(|| wrong(format!("row {place}: weight below 0")))?,
                forecast: number(1).unwrap_or(f64::NAN),
            });
        }
    }
    Ok(rows)
}

fn weight(weight: f64) -> Option<f64> {
    (weight.is_finite() && weight >= 0.0).then_some(weight)
}

/// A date, an instant with a `T` or a space (UTC where it does not say), or a count since 1970 whose size tells its unit.
fn parse_time(cell: &str) -> Option<Ts> {
    if cell.bytes().all(|byte| byte.is_ascii_digit()) {
        let count: i64 = cell.parse().ok()?;
        let unit = match count {
            0..=99_999_999_999 => 1_000_000_000,
            100_000_000_000..=99_999_999_999_999 => 1_000_000,
            100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
            _ => 1,
        };
        return count.checked_mul(unit).map(Ts);
    }
    if let Ok(ts) = Ts::parse(cell.as_bytes()) {
        return Some(ts);
    }
    let text = match cell.len() {
        10 => format!("{cell}T00:00:00Z"),
        16 => format!("{}T{}:00Z", cell.get(..10)?, cell.get(11..)?),
        _ => format!("{}T{}Z", cell.get(..10)?, cell.get(11..)?),
    };
    Ts::parse(text.as_bytes()).ok()
}
