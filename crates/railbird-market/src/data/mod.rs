//! Bars: read from bytes, checked, split where they are not one series. Start at [`load`].
//!
//! Invariant: nothing is repaired. A row is kept as it is, dropped and counted, or the file is refused with its place.

mod adjust;
mod bars;
mod check;
mod csv;
mod parquet;

pub use adjust::{Adjustment, Factors};
pub use bars::{Bars, Calendar, Key, Quotes};
pub use check::{Break, Breaks, Findings, Reason, Segment};

use crate::Error;

/// How files are read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Largest change from a close to the next open, as a factor, that needs no explanation: 1.4 is +40 % and -28.6 %.
    pub jump_max: f64,
    /// Most days between neighbouring bars; `None` is 10, or 3 where the market never closes.
    pub hole_days_max: Option<f64>,
    /// Whether splits and dividends that the file or its factors tell of are applied, forward from a segment's first bar.
    pub adjust: Adjustment,
    /// Whether a break splits the series or refuses it.
    pub breaks: Breaks,
    /// Whether a bar whose prices contradict one another is dropped and counted; else it refuses the file.
    pub drop_bad_bars: bool,
    /// Most bytes that a compressed file may hold.
    pub bytes_max: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            jump_max: 1.4,
            hole_days_max: None,
            adjust: Adjustment::None,
            breaks: Breaks::Split,
            drop_bad_bars: false,
            bytes_max: 1 << 30,
        }
    }
}

/// A file of bars: its name, which tells the form, and what it holds.
#[derive(Debug, Clone)]
pub struct File {
    /// Path or name, for errors; `.csv`, `.parquet`, each with or without `.gz` behind it.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A symbol's bars, checked.
#[derive(Debug, Clone)]
pub struct Series {
    /// Symbol.
    pub symbol: String,
    /// Bars as they are in the files, unadjusted, oldest first.
    pub bars: Bars,
    /// Days of its market.
    pub calendar: Calendar,
    /// What was found.
    pub findings: Findings,
    /// Unbroken stretches, oldest first; at least one.
    pub segments: Vec<Segment>,
    /// Splits and dividends that are applied to a segment; empty where that was not asked for.
    events: Vec<adjust::Event>,
}

impl Series {
    /// The bars of a segment, adjusted forward from its first bar where that was asked for.
    pub fn segment_bars(&self, segment: &Segment) -> Bars {
        let mut bars = self.bars.slice(segment.rows.clone());
        adjust::apply(&mut bars, &self.events);
        bars
    }

    /// The newest segment.
    pub fn newest(&self) -> &Segment {
        // `split` makes at least one.
        self.segments.last().expect("a series has at least one segment")
    }
}

/// Reads the files of one symbol, in order of time, with the factor file that lies beside them.
///
/// # Errors
/// [`Error::Table`] with the file and line; [`Error::Broken`] where breaks are refused.
pub fn load(symbol: &str, files: &[File], factors: Option<&File>, options: &LoadOptions) -> Result<Series, Error> {
    let mut tables = Vec::with_capacity(files.len());
    for file in files {
        tables.push(read(file, options)?);
    }
    tables.sort_by_key(|table| table.bars.time.first().copied());
    let mut tables = tables.into_iter();
    let mut whole = tables.next().ok_or_else(|| Error::Table {
        place: symbol.to_owned(),
        problem: "no file".to_owned(),
        advice: "give at least one file of bars",
    })?;
    for (table, file) in tables.zip(files.iter().skip(1)) {
        whole.append(table, &file.name)?;
    }
    if whole.bars.is_empty() {
        return Err(Error::Table {
            place: files.first().map_or(symbol, |file| &file.name).to_owned(),
            problem: "no bar".to_owned(),
            advice: "expected a header and at least one row with prices",
        });
    }
    let factors = factors.map(Factors::parse).transpose()?;
    let events = adjust::events(&whole, factors.as_ref());
    let calendar = Calendar::of(&whole.bars.time);
    let (findings, segments) = check::examine(symbol, &whole, calendar, &events, options)?;
    let events = events.into_iter().filter(|event| options.adjust.applies(event.kind)).collect();
    Ok(Series { symbol: symbol.to_owned(), bars: whole.bars, calendar, findings, segments, events })
}

/// What a file says, row by row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) bars: Bars,
    /// Shares that one share became before this bar; 1 where nothing happened. Empty without such a column.
    pub(crate) split_ratio: Vec<f64>,
    /// Dividend for which this bar is the first without. Empty without such a column.
    pub(crate) dividend: Vec<f64>,
    pub(crate) rows_without_prices: usize,
    pub(crate) bad_bars: usize,
    pub(crate) first_dropped: Option<String>,
    pub(crate) ignored_columns: Vec<String>,
}

impl Table {
    fn append(&mut self, other: Self, name: &str) -> Result<(), Error> {
        if let (Some(last), Some(first)) = (self.bars.time.last(), other.bars.time.first())
            && last >= first
        {
            return Err(Error::Table {
                place: name.to_owned(),
                problem: format!("begins at {first}, not after the file before it, which ends at {last}"),
                advice: "files of one symbol must not overlap",
            });
        }
        let pad = |own: &mut Vec<f64>, rows: usize, more: Vec<f64>, count: usize, nothing: f64| {
            if !own.is_empty() || !more.is_empty() {
                own.resize(rows, nothing);
                own.extend(more);
                own.resize(rows + count, nothing);
            }
        };
        let (rows, count) = (self.bars.len(), other.bars.len());
        pad(&mut self.split_ratio, rows, other.split_ratio, count, 1.0);
        pad(&mut self.dividend, rows, other.dividend, count, 0.0);
        self.bars.append(other.bars);
        self.rows_without_prices += other.rows_without_prices;
        self.bad_bars += other.bad_bars;
        self.first_dropped = self.first_dropped.take().or(other.first_dropped);
        for column in other.ignored_columns {
            if !self.ignored_columns.contains(&column) {
                self.ignored_columns.push(column);
            }
        }
        Ok(())
    }
}

fn read(file: &File, options: &LoadOptions) -> Result<Table, Error> {
    let name = file.name.to_ascii_lowercase();
    let unpacked;
    let (name, bytes) = if let Some(inner) = name.strip_suffix(".gz") {
        unpacked = gunzip(file, options.bytes_max)?;
        (inner, unpacked.as_slice())
    } else {
        (name.as_str(), file.bytes.as_slice())
    };
    if name.ends_with(".parquet") || bytes.starts_with(b"PAR1") {
        parquet::read(&file.name, bytes, options)
    } else {
        csv::read(&file.name, bytes, options)
    }
}

fn gunzip(file: &File, bytes_max: u64) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let refused = |problem: String| Error::Table {
        place: file.name.clone(),
        problem,
        advice: "expected gzip members; get the file again",
    };
    let mut out = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(file.bytes.as_slice());
    let mut decoder = decoder.take(bytes_max.saturating_add(1));
    decoder.read_to_end(&mut out).map_err(|error| refused(error.to_string()))?;
    if out.len() as u64 > bytes_max { Err(refused(format!("holds more than {bytes_max} bytes"))) } else { Ok(out) }
}
