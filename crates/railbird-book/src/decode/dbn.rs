//! DBN of version 1 to 3. Start at [`DbnDecoder`].
//!
//! Records of ten levels are handed on as they stand in the file; others are decoded. All of them have the same fields in
//! the same places up to byte 48, where the levels begin, but orders, whose fields are their own.

use std::{collections::HashMap, io::Read};

use dbn::{Schema, VersionUpgradePolicy, decode::dbn::MetadataDecoder};

use super::{
    Body, CHUNK_ROWS, Chunk, Decode, DecodeCounts, DecodeError, fill_from,
    instruments::Seen,
    mbo::{OrderRow, Orders},
};
use crate::{
    columns::LEVELS,
    state::{
        row::{Level, NO_SEQUENCE, RECORD_BYTES, Row, TickRow, field},
        rules::{SizeUnit, SourceForm},
    },
};

/// Largest head: symbols of a whole venue for years stay below it.
const HEAD_BYTES_MAX: u32 = 64 << 20;

/// Bytes of a record's head.
const RECORD_HEAD_BYTES: usize = 16;

/// Longest record, bytes: its length is one byte, in words of four.
const RECORD_BYTES_MAX: usize = 255 * 4;

/// Decodes DBN.
pub(super) struct DbnDecoder<R> {
    bytes: R,
    kind: Kind,
    symbols: Symbols,
    seen: Seen<u64>,
    orders: Orders,
    /// Bytes of a record that has begun.
    rest: Vec<u8>,
    /// Read and not yet cut into records; only where records are decoded.
    read: Vec<u8>,
    /// Place in the plain file, for what is told of it.
    place: u64,
}

/// A schema that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mbp10,
    Mbp1,
    Tbbo,
    Cmbp1,
    Trades,
    Mbo,
}

impl Kind {
    fn of(schema: Schema) -> Option<Self> {
        match schema {
            Schema::Mbp10 => Some(Self::Mbp10),
            Schema::Mbp1 => Some(Self::Mbp1),
            Schema::Tbbo => Some(Self::Tbbo),
            Schema::Cmbp1 => Some(Self::Cmbp1),
            Schema::Trades => Some(Self::Trades),
            Schema::Mbo => Some(Self::Mbo),
            _ => None,
        }
    }

    /// By the first record of a file that does not say its schema.
    fn of_record(rtype: u8) -> Option<Self> {
        [Self::Mbp10, Self::Mbp1, Self::Cmbp1, Self::Trades, Self::Mbo].into_iter().find(|kind| kind.rtype() == rtype)
    }

    fn rtype(self) -> u8 {
        match self {
            Self::Mbp10 => 10,
            Self::Mbp1 | Self::Tbbo => 1,
            Self::Cmbp1 => 177,
            Self::Trades => 0,
            Self::Mbo => 160,
        }
    }

    /// Bytes of a record, less what may follow it.
    fn bytes(self) -> usize {
        match self {
            Self::Mbp10 => RECORD_BYTES,
            Self::Mbp1 | Self::Tbbo | Self::Cmbp1 => 80,
            Self::Trades => 48,
            Self::Mbo => 56,
        }
    }

    fn levels(self) -> u8 {
        match self {
            Self::Mbp10 | Self::Mbo => LEVELS as u8,
            Self::Mbp1 | Self::Tbbo | Self::Cmbp1 => 1,
            Self::Trades => 0,
        }
    }
}

impl<R: Read + Send> DbnDecoder<R> {
    /// Reads the head.
    pub(super) fn open(mut bytes: R) -> Result<Self, DecodeError> {
        let whole = |found, want| {
            if found < want { Err(DecodeError::DbnHead(format!("{found} of {want} bytes"))) } else { Ok(()) }
        };
        let mut head = vec![0; 8];
        let (held, ended) = fill_from(&mut bytes, &mut head);
        ended.map_err(DecodeError::Head)?;
        whole(held, 8)?;
        if !(1..=3).contains(&head[3]) {
            return Err(DecodeError::DbnVersion(head[3]));
        }
        let length = field!(head, 4, u32);
        if length > HEAD_BYTES_MAX {
            return Err(DecodeError::DbnHead(format!("{length} bytes, expected at most {HEAD_BYTES_MAX}")));
        }
        // Read piece by piece: a stated length is no reason to allocate.
        let came = (&mut bytes).take(length.into()).read_to_end(&mut head).map_err(DecodeError::Head)?;
        whole(came, length as usize)?;
        let head_bytes = head.len() as u64;
        let metadata = MetadataDecoder::<_>::with_upgrade_policy(&head[..], VersionUpgradePolicy::AsIs)
            .decode()
            .map_err(|error| DecodeError::DbnHead(error.to_string()))?;
        let mut decoder = Self {
            bytes,
            kind: Kind::Mbp10,
            symbols: Symbols::of(&metadata),
            seen: Seen::new(),
            orders: Orders::default(),
            rest: Vec::new(),
            read: Vec::new(),
            place: head_bytes,
        };
        decoder.kind = match metadata.schema {
            Some(schema) => Kind::of(schema).ok_or_else(|| DecodeError::Schema(schema.to_string()))?,
            None => decoder.first_kind()?,
        };
        Ok(decoder)
    }

    /// Looks at the first record.
    fn first_kind(&mut self) -> Result<Kind, DecodeError> {
        let mut head = [0; RECORD_HEAD_BYTES];
        let (held, ended) = fill_from(&mut self.bytes, &mut head);
        ended.map_err(DecodeError::Head)?;
        self.rest.extend_from_slice(&head[..held]);
        if held < RECORD_HEAD_BYTES {
            return Ok(Kind::Mbp10);
        }
        Kind::of_record(head[1])
            .ok_or_else(|| DecodeError::Schema(format!("none said, first record of type {}", head[1])))
    }

    /// Fills `into` after what is left of the last record; says how many bytes there are, and whether the file has ended.
    fn read_into(&mut self, into: &mut Vec<u8>, size: usize, counts: &mut DecodeCounts) -> (usize, bool) {
        into.resize(size, 0);
        let held = self.rest.len();
        into[..held].copy_from_slice(&self.rest);
        self.rest.clear();
        let (came, ended) = fill_from(&mut self.bytes, &mut into[held..]);
        if let Err(error) = &ended {
            let place = self.place + (held + came) as u64;
            counts.cut_short = Some(format!("reading ended after byte {place}: {error}"));
        }
        (held + came, held + came < size)
    }

    /// Where the record at `at` ends; `None` where it has not come whole, or where there is no telling.
    fn record_end(&mut self, bytes: &[u8], at: usize, counts: &mut DecodeCounts) -> Option<usize> {
        let length = usize::from(*bytes.get(at)?) * 4;
        if length < RECORD_HEAD_BYTES {
            let place = self.place + at as u64;
            counts.cut_short = Some(format!("record at byte {place}: its length is {length}, expected at least 16"));
            return None;
        }
        (at + length <= bytes.len()).then_some(at + length)
    }

    /// Keeps what has begun after `at`, for the next read; at the end of the file it is told.
    fn keep_rest(&mut self, bytes: &[u8], at: usize, ended: bool, counts: &mut DecodeCounts) {
        self.place += at as u64;
        if ended && at < bytes.len() && counts.cut_short.is_none() {
            let (place, held) = (self.place, bytes.len() - at);
            counts.cut_short = Some(format!("record at byte {place}: {held} bytes came, then the file ends"));
        }
        if !ended {
            self.rest.extend_from_slice(&bytes[at..]);
        }
    }

    /// Ten levels: the bytes are the chunk, less what does not belong there.
    fn fill_records(&mut self, chunk: &mut Chunk, counts: &mut DecodeCounts) -> bool {
        let mut bytes = match std::mem::take(&mut chunk.body) {
            Body::Records(bytes) => bytes,
            Body::Rows(_) => Vec::new(),
        };
        let (held, ended) = self.read_into(&mut bytes, CHUNK_ROWS * RECORD_BYTES, counts);
        bytes.truncate(held);
        let (mut at, mut kept) = (0, 0);
        while let Some(end) = self.record_end(&bytes, at, counts) {
            counts.rows += 1;
            let key = field!(bytes, at, u64) >> 16;
            if let Some(instrument) = self.usable(bytes[at + 1], end - at, key, chunk, counts, &bytes[at..end]) {
                chunk.ran(instrument);
                if kept < at {
                    bytes.copy_within(at..at + RECORD_BYTES, kept);
                }
                kept += RECORD_BYTES;
            }
            at = end;
        }
        let lost = counts.cut_short.is_some();
        self.keep_rest(&bytes, at, ended || lost, counts);
        bytes.truncate(kept);
        chunk.body = Body::Records(bytes);
        !(ended || lost)
    }

    /// Place of the instrument of a record, if the record can be used.
    #[inline]
    fn usable(
        &mut self,
        rtype: u8,
        length: usize,
        key: u64,
        chunk: &mut Chunk,
        counts: &mut DecodeCounts,
        record: &[u8],
    ) -> Option<u32> {
        if rtype != self.kind.rtype() {
            counts.reject("record of another type");
            return None;
        }
        if length < self.kind.bytes() {
            counts.reject("record shorter than its type");
            return None;
        }
        let symbols = &self.symbols;
        let place =
            self.seen.place(&key, &mut chunk.named, || symbols.name((key >> 16) as u32, field!(record, 8, u64)));
        if place.is_none() {
            counts.reject("more instruments than 10000");
        }
        place
    }

    /// Anything else: record by record.
    fn fill_rows(&mut self, chunk: &mut Chunk, counts: &mut DecodeCounts) -> bool {
        let mut bytes = std::mem::take(&mut self.read);
        let size = (CHUNK_ROWS * self.kind.bytes()).max(2 * RECORD_BYTES_MAX);
        let (held, ended) = self.read_into(&mut bytes, size, counts);
        bytes.truncate(held);
        let mut at = 0;
        while let Some(end) = self.record_end(&bytes, at, counts) {
            counts.rows += 1;
            let record = &bytes[at..end];
            let key = field!(record, 0, u64) >> 16;
            if let Some(instrument) = self.usable(record[1], record.len(), key, chunk, counts, record) {
                let row = match self.kind {
                    Kind::Mbo => self.orders.apply(instrument, &order_row(record), counts),
                    kind => Some(level_row(record, kind)),
                };
                if let Some(row) = row {
                    chunk.rows().push(row);
                    chunk.ran(instrument);
                }
            }
            at = end;
        }
        let lost = counts.cut_short.is_some();
        self.keep_rest(&bytes, at, ended || lost, counts);
        self.read = bytes;
        !(ended || lost)
    }
}

impl<R: Read + Send> Decode for DbnDecoder<R> {
    fn form(&self) -> SourceForm {
        let every_row_ends = self.kind == Kind::Tbbo;
        SourceForm { levels: self.kind.levels(), size_unit: SizeUnit::Whole, every_row_ends }
    }

    fn fill(&mut self, chunk: &mut Chunk, counts: &mut DecodeCounts) -> Result<bool, DecodeError> {
        Ok(if self.kind == Kind::Mbp10 { self.fill_records(chunk, counts) } else { self.fill_rows(chunk, counts) })
    }
}

/// A record with at most one level.
fn level_row(record: &[u8], kind: Kind) -> TickRow {
    let mut row = TickRow {
        ts_event: field!(record, 8, u64),
        ts_recv: field!(record, 32, u64),
        sequence: if kind == Kind::Cmbp1 { NO_SEQUENCE } else { field!(record, 44, u32).into() },
        price: field!(record, 16, i64),
        size: field!(record, 24, u32).into(),
        action: record[28],
        side: record[29],
        flags: record[30],
        ..TickRow::empty()
    };
    if kind != Kind::Trades {
        for side in 0..2 {
            row.levels[side][0] = Level {
                price: field!(record, 48 + 8 * side, i64),
                size: field!(record, 64 + 4 * side, u32).into(),
                // Consolidated levels name venues where others count orders.
                count: if kind == Kind::Cmbp1 { 0 } else { field!(record, 72 + 4 * side, u32).into() },
            };
        }
    }
    row
}

/// A record of an order.
fn order_row(record: &[u8]) -> OrderRow {
    OrderRow {
        order: field!(record, 16, u64),
        row: TickRow {
            ts_event: field!(record, 8, u64),
            ts_recv: field!(record, 40, u64),
            sequence: field!(record, 52, u32).into(),
            price: field!(record, 24, i64),
            size: field!(record, 32, u32).into(),
            action: record[38],
            side: record[39],
            flags: record[36],
            ..TickRow::empty()
        },
    }
}

/// A day, ns.
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// Julian day of 1 January 1970.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// Names of instruments, which may change from day to day.
struct Symbols(HashMap<u32, Vec<Mapped>>);

/// A name and the days on which it holds.
struct Mapped {
    /// First day and the day after the last, as Julian days.
    days: (i64, i64),
    symbol: String,
}

impl Symbols {
    fn of(metadata: &dbn::Metadata) -> Self {
        let mut names: HashMap<u32, Vec<Mapped>> = HashMap::new();
        for mapping in &metadata.mappings {
            for interval in &mapping.intervals {
                let days = (interval.start_date.to_julian_day().into(), interval.end_date.to_julian_day().into());
                // Either side of a mapping may be the number, by the symbols that were asked for.
                let (id, symbol) = match (interval.symbol.parse(), mapping.raw_symbol.parse()) {
                    (Ok(id), _) => (id, mapping.raw_symbol.clone()),
                    (_, Ok(id)) => (id, interval.symbol.clone()),
                    _ => continue,
                };
                names.entry(id).or_default().push(Mapped { days, symbol });
            }
        }
        Self(names)
    }

    /// Name of an instrument at a time: the one of that day, else any, else its number.
    fn name(&self, id: u32, ts_event: u64) -> String {
        let names = self.0.get(&id).map(Vec::as_slice).unwrap_or_default();
        let day = i64::try_from(ts_event).ok().map(|ns| ns / DAY_NS + EPOCH_JULIAN_DAY);
        let holds = |mapped: &&Mapped| day.is_some_and(|day| mapped.days.0 <= day && day < mapped.days.1);
        let found = names.iter().find(holds).or_else(|| names.first());
        found.map_or_else(|| id.to_string(), |mapped| mapped.symbol.clone())
    }
}
