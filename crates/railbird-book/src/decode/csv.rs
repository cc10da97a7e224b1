//! CSV with DBN's column names. Start at [`CsvDecoder`].
//!
//! A price with a decimal point is the quoted price, one without is in 1e-9, as DBN writes either. A size is a decimal.
//! A time is Unix nanoseconds or text such as 2025-07-17T07:05:09.035627674Z.

use std::io::Read;

use ::csv::{ByteRecord, Reader, ReaderBuilder};
use jiff::Timestamp;

use super::{
    CHUNK_ROWS, Chunk, Decode, DecodeCounts, DecodeError,
    instruments::Seen,
    mbo::{OrderRow, Orders},
    tabular::{Key, Layout, SIZE_MAX, nano},
};
use crate::{
    instrument::parse_decimal,
    state::{
        row::{Level, NO_PRICE, NO_SEQUENCE, NO_TIME, Row, TickRow},
        rules::{SizeUnit, SourceForm},
    },
};

/// Longest line: ten levels with every column stay far below it.
const LINE_BYTES_MAX: u64 = 1 << 16;

/// Decodes CSV.
pub(super) struct CsvDecoder<R> {
    reader: Reader<Lines<R>>,
    record: ByteRecord,
    layout: Layout,
    seen: Seen<Key>,
    orders: Orders,
}

impl<R: Read + Send> CsvDecoder<R> {
    /// Reads the first line.
    pub(super) fn open(bytes: R) -> Result<Self, DecodeError> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(Lines { bytes, since: 0 });
        let names = reader.headers().map_err(|error| DecodeError::Csv(error.to_string()))?;
        let names: Vec<String> = names.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        let layout = Layout::of(&names)?;
        Ok(Self { reader, record: ByteRecord::new(), layout, seen: Seen::new(), orders: Orders::default() })
    }

    fn key(&self) -> Option<Key> {
        let number = |at: Option<usize>| at.map_or(Some(0), |at| whole(field(&self.record, at)));
        match (self.layout.instrument, self.layout.symbol) {
            (Some(at), _) => Some(Key::Numbers(number(self.layout.publisher)?, number(Some(at))?)),
            (None, Some(at)) => Some(Key::Symbol(field(&self.record, at).to_vec())),
            (None, None) => Some(Key::Numbers(0, 0)),
        }
    }
}

impl<R: Read + Send> Decode for CsvDecoder<R> {
    fn form(&self) -> SourceForm {
        SourceForm { levels: self.layout.level_count(), size_unit: SizeUnit::Nano, every_row_ends: false }
    }

    fn fill(&mut self, chunk: &mut Chunk, counts: &mut DecodeCounts) -> Result<bool, DecodeError> {
        for _ in 0..CHUNK_ROWS {
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    counts.cut_short = Some(format!("reading ended after row {}: {error}", counts.rows));
                    return Ok(false);
                }
            }
            counts.rows += 1;
            let Some(key) = self.key() else {
                counts.reject("instrument that cannot be read");
                continue;
            };
            let row = match row(&self.record, &self.layout) {
                Ok(row) => row,
                Err(reason) => {
                    counts.reject(reason);
                    continue;
                }
            };
            let (record, layout) = (&self.record, &self.layout);
            let name = || {
                let at = layout.symbol.or(layout.instrument);
                at.map_or(String::new(), |at| String::from_utf8_lossy(field(record, at)).into_owned())
            };
            let Some(instrument) = self.seen.place(&key, &mut chunk.named, name) else {
                counts.reject("more instruments than 10000");
                continue;
            };
            let row = match layout.order {
                Some(at) => match whole(field(record, at)) {
                    Some(order) => self.orders.apply(instrument, &OrderRow { order: order as u64, row }, counts),
                    None => {
                        counts.reject("number of an order that cannot be read");
                        None
                    }
                },
                None => Some(row),
            };
            if let Some(row) = row {
                chunk.rows().push(row);
                chunk.ran(instrument);
            }
        }
        Ok(true)
    }
}

/// A field; empty where the line is too short.
fn field(record: &ByteRecord, at: usize) -> &[u8] {
    record.get(at).unwrap_or_default()
}

/// A row without its instrument, or why it cannot be used.
fn row(record: &ByteRecord, layout: &Layout) -> Result<TickRow, &'static str> {
    let at = |at: Option<usize>| at.map_or(&[][..], |at| field(record, at));
    let letter = |at: usize| field(record, at).first().copied().unwrap_or(0);
    let count = |text: &[u8]| if text.is_empty() { Some(0) } else { whole(text) };
    let mut row = TickRow {
        ts_event: time(field(record, layout.ts_event)).ok_or("time that cannot be read")?,
        ts_recv: time(at(layout.ts_recv)).ok_or("time that cannot be read")?,
        sequence: match at(layout.sequence) {
            [] => NO_SEQUENCE,
            text => whole(text).ok_or("sequence that cannot be read")? as u64,
        },
        price: price(field(record, layout.price))?,
        size: size(field(record, layout.size))?,
        action: letter(layout.action),
        side: letter(layout.side),
        flags: count(at(layout.flags)).and_then(|flags| u8::try_from(flags).ok()).ok_or("flags that cannot be read")?,
        ..TickRow::empty()
    };
    for (level, sides) in layout.levels.iter().enumerate() {
        for (side, place) in sides.iter().enumerate() {
            row.levels[side][level] = Level {
                price: price(field(record, place.price))?,
                size: size(field(record, place.size))?,
                count: count(at(place.count)).ok_or("count that cannot be read")?,
            };
        }
    }
    Ok(row)
}

/// A whole number.
fn whole(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    // Numbers of orders use all 64 bits.
    text.parse().ok().or_else(|| text.parse::<u64>().ok().map(|number| number as i64))
}

fn time(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return Some(NO_TIME);
    }
    let text = std::str::from_utf8(text).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

fn price(text: &[u8]) -> Result<i64, &'static str> {
    const REASON: &str = "price that cannot be read";
    if missing(text) {
        return Ok(NO_PRICE);
    }
    if text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') { whole(text) } else { decimal(text) }
        .ok_or(REASON)
}

fn size(text: &[u8]) -> Result<i64, &'static str> {
    if missing(text) {
        return Ok(0);
    }
    decimal(text).filter(|size| (0..=SIZE_MAX).contains(size)).ok_or("size below 0 or too large")
}

fn missing(text: &[u8]) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case(b"nan")
}

/// A decimal in 1e-9; one with more than nine decimals or an exponent is rounded as a float.
fn decimal(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    parse_decimal(text).or_else(|| text.parse().ok().and_then(nano))
}

/// Bytes of a text that fail where a line is too long: a field without an end would fill the memory.
struct Lines<R> {
    bytes: R,
    /// Bytes since the last end of a line.
    since: u64,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.since > LINE_BYTES_MAX {
            return Err(std::io::Error::other(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
        }
        let came = self.bytes.read(into)?;
        self.since = match into[..came].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => (came - end - 1) as u64,
            None => self.since + came as u64,
        };
        Ok(came)
    }
}
