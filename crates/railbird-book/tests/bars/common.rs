//! Files of ticks made by hand, and tables of bars read back.
#![expect(clippy::print_stderr, reason = "a test says aloud what it skips")]

use std::{
    io::{Cursor, Read},
    path::PathBuf,
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{Float64Type, Int64Type, TimestampNanosecondType},
};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use railbird_book::{
    BarClock, BarsError, BarsOptions, BarsReport, EventEnds, Instrument, Shelf, TableForm, TickFormat, TickReader,
    TickSource, bars,
};
use railbird_timeline::ManualClock;

/// A second.
pub(crate) const S: u64 = 1_000_000_000;

/// Point of the instrument of these tests: 1.
pub(crate) const POINT: i64 = 1_000_000_000;

/// A ten-level row; prices in whole units, sizes whole.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) publisher: u16,
    pub(crate) instrument: u32,
    pub(crate) time: u64,
    pub(crate) received: u64,
    pub(crate) action: char,
    pub(crate) side: char,
    pub(crate) flags: u8,
    pub(crate) price: Option<f64>,
    pub(crate) size: u32,
    pub(crate) sequence: u32,
    pub(crate) bids: Vec<(f64, u32)>,
    pub(crate) asks: Vec<(f64, u32)>,
}

impl Tick {
    /// A row with F_LAST, received at its time.
    pub(crate) fn at(time: u64, action: char, side: char, price: f64, size: u32) -> Self {
        Self {
            publisher: 1,
            instrument: 7,
            time,
            received: time,
            action,
            side,
            flags: 128,
            price: Some(price),
            size,
            sequence: 0,
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }

    pub(crate) fn book(mut self, bids: &[(f64, u32)], asks: &[(f64, u32)]) -> Self {
        (self.bids, self.asks) = (bids.to_vec(), asks.to_vec());
        self
    }

    pub(crate) fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn sequence(mut self, sequence: u32) -> Self {
        self.sequence = sequence;
        self
    }

    /// The 368 bytes of the record.
    pub(crate) fn record(&self) -> Vec<u8> {
        let nano = |price: f64| (price * 1e9).round() as i64;
        let mut bytes = vec![92, 10];
        bytes.extend(self.publisher.to_le_bytes());
        bytes.extend(self.instrument.to_le_bytes());
        bytes.extend(self.time.to_le_bytes());
        bytes.extend(self.price.map_or(i64::MAX, nano).to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend([self.action as u8, self.side as u8, self.flags, 0]);
        bytes.extend(self.received.to_le_bytes());
        bytes.extend(0_i32.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        for level in 0..10 {
            let of = |side: &[(f64, u32)]| side.get(level).map_or((i64::MAX, 0), |level| (nano(level.0), level.1));
            let (bid, ask) = (of(&self.bids), of(&self.asks));
            bytes.extend(bid.0.to_le_bytes());
            bytes.extend(ask.0.to_le_bytes());
            bytes.extend(bid.1.to_le_bytes());
            bytes.extend(ask.1.to_le_bytes());
            bytes.extend(u32::from(bid.1 > 0).to_le_bytes());
            bytes.extend(u32::from(ask.1 > 0).to_le_bytes());
        }
        assert_eq!(bytes.len(), 368);
        bytes
    }
}

/// Head of a DBN file of ten-level rows, version 1, without symbols.
pub(crate) fn head() -> Vec<u8> {
    let mut body = Vec::new();
    let mut dataset = *b"TEST.MADE\0\0\0\0\0\0\0";
    dataset[15] = 0;
    body.extend(dataset);
    // Schema mbp-10; start, end, limit, records; symbols by raw symbol to number; no ts_out.
    body.extend(2_u16.to_le_bytes());
    body.extend([0_u64, 0, 0, 0].map(u64::to_le_bytes).concat());
    body.extend([1, 0, 0]);
    body.extend([0; 47]);
    // Length of a definition; symbols, partial, not found, mappings.
    body.extend([0_u32; 5].map(u32::to_le_bytes).concat());
    let mut head = b"DBN\x01".to_vec();
    head.extend((body.len() as u32).to_le_bytes());
    head.extend(body);
    head
}

/// A DBN file of these rows.
pub(crate) fn file(ticks: &[Tick]) -> Vec<u8> {
    let mut bytes = head();
    ticks.iter().for_each(|tick| bytes.extend(tick.record()));
    bytes
}

/// How bars are made unless a test says otherwise.
pub(crate) fn options() -> BarsOptions {
    BarsOptions {
        size: "5s".parse().unwrap(),
        clock: BarClock::Event,
        ends: EventEnds::Flag,
        form: TableForm::new(None, 1).unwrap(),
        unnamed: "UNNAMED".to_owned(),
        threads: 1,
    }
}

/// The table's bytes and what is told of it.
pub(crate) fn table_of(bytes: Vec<u8>, options: &BarsOptions, point: i64) -> Result<(Vec<u8>, BarsReport), BarsError> {
    let format = TickFormat::of(&bytes);
    let source = match format {
        TickFormat::Parquet => TickSource::Parquet(Bytes::from(bytes)),
        _ => TickSource::Stream(Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>),
    };
    let reader = TickReader::open(source, format)?;
    let instrument = Instrument::plain("", point, 1, 1.0).unwrap();
    let shelf = || Ok(Box::new(Cursor::new(Vec::new())) as Box<dyn Shelf>);
    bars(reader, options, &|_| instrument.clone(), Vec::new(), &shelf, &ManualClock::default())
}

/// Bars, by column name and place.
#[derive(Debug)]
pub(crate) struct Table(pub(crate) RecordBatch);

impl Table {
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        let schema = builder.schema().clone();
        let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
        Self(concat_batches(&schema, &batches).unwrap())
    }

    pub(crate) fn bars(&self) -> usize {
        self.0.num_rows()
    }

    /// A cell as a float, missing as `None`.
    pub(crate) fn get(&self, column: &str, bar: usize) -> Option<f64> {
        let column = self.0.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
        if column.is_null(bar) {
            return None;
        }
        if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
            return Some(floats.value(bar));
        }
        if let Some(times) = column.as_primitive_opt::<TimestampNanosecondType>() {
            return Some(times.value(bar) as f64);
        }
        Some(column.as_primitive::<Int64Type>().value(bar) as f64)
    }

    /// A key in ns.
    pub(crate) fn time(&self, column: &str, bar: usize) -> i64 {
        self.0.column_by_name(column).unwrap().as_primitive::<TimestampNanosecondType>().value(bar)
    }

    pub(crate) fn symbol(&self, bar: usize) -> &str {
        self.0.column_by_name("symbol").unwrap().as_string::<i32>().value(bar)
    }

    /// Columns of every bar, one line a bar.
    pub(crate) fn show(&self, columns: &[&str]) -> String {
        let cell = |column: &&str, bar| {
            self.get(column, bar).map_or("-".to_owned(), |value| ((value * 1e6).round() / 1e6).to_string())
        };
        let line = |bar| columns.iter().map(|column| cell(column, bar)).collect::<Vec<_>>().join(" ");
        (0..self.bars()).map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Bars of rows made by hand, with a point of 1.
pub(crate) fn made(ticks: &[Tick], change: impl FnOnce(&mut BarsOptions)) -> (Table, BarsReport) {
    let mut options = options();
    change(&mut options);
    let (bytes, report) = table_of(file(ticks), &options, POINT).unwrap();
    (Table::read(bytes), report)
}

/// Whether long tests run in full.
pub(crate) fn all() -> bool {
    std::env::var_os("RAILBIRD_TEST_ALL").is_some()
}

/// A recording below `book/`; `None`, said aloud, where it is not there. In CI that fails.
pub(crate) fn recording(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("RAILBIRD_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let place = root.join("book").join(name);
    if place.exists() {
        return Some(place);
    }
    assert!(std::env::var_os("CI").is_none(), "{}: missing; set RAILBIRD_TEST_DATA", place.display());
    eprintln!("SKIPPED: {} is not there; set RAILBIRD_TEST_DATA to the recordings' folder", place.display());
    None
}
