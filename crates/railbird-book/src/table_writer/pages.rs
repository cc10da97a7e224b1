//! Cells of one column to pages of Parquet. Start at [`Encoder::page`].
//!
//! A column of few values gets a dictionary, and its cells become packed places in it. Of other floats all first bytes
//! stand together, then all second ones: the last, which are noise, are soon passed over, and the others shrink. Whether a
//! column is compressed is settled by its first page: bytes that hardly shrink are left as they are, which costs nothing to
//! write or to read.
//!
//! Invariant: the bytes depend on the cells and the level of compression alone.

use std::sync::Arc;

use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::metadata::ColumnChunkMetaData,
    schema::types::ColumnDescriptor,
};
use zstd::bulk::Compressor;

/// Values that a dictionary holds at most.
const DICTIONARY_VALUES: usize = 4096;

/// Of a page's values, one in so many may be new to the dictionary; with more of them it saves nothing.
const CELLS_A_NEW_VALUE: usize = 8;

/// Bits of a slot's place: twice the values.
const SLOT_BITS: u32 = DICTIONARY_VALUES.ilog2() + 1;

/// A slot that holds nothing.
const FREE: u16 = u16::MAX;

/// A column that is compressed keeps at most so many of 16 bytes.
const KEPT_OF_16: usize = 15;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers.
    Whole,
    /// The bits of floats.
    Float,
}

impl Kind {
    /// Whether a cell is missing.
    #[inline]
    fn missing(self, cell: u64) -> bool {
        match self {
            Self::Whole => cell == NO_CELL,
            Self::Float => f64::from_bits(cell).is_nan(),
        }
    }
}

/// A whole number that is missing.
const NO_CELL: u64 = crate::state::finish::NO_COUNT as u64;

/// One column of the row group that is open.
#[derive(Debug)]
pub(super) struct Pages {
    kind: Kind,
    /// Values in the order of their first appearance.
    dictionary: Vec<u64>,
    /// Whether a further page may use the dictionary: after one that could not, none does.
    growing: bool,
    /// Whether the pages are compressed; settled by the first.
    compressed: Option<bool>,
    bytes: Vec<u8>,
    /// Bytes before compression, heads of pages included.
    plain_bytes: usize,
    cells: usize,
    /// Whether there are pages of places in the dictionary, and of cells as they are.
    has: [bool; 2],
}

impl Pages {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            dictionary: Vec::new(),
            growing: true,
            compressed: None,
            bytes: Vec::new(),
            plain_bytes: 0,
            cells: 0,
            has: [false; 2],
        }
    }
}

/// Makes pages; what it needs for one is used again for the next.
pub(super) struct Encoder {
    compression: Compression,
    compressor: Option<Compressor<'static>>,
    /// Places of values in the dictionary, by hash; [`FREE`] where none is.
    slots: Vec<u16>,
    places: Vec<u16>,
    present: Vec<u64>,
    body: Vec<u8>,
    packed: Vec<u8>,
}

impl Encoder {
    /// `level`: of compression, 0 for none.
    pub(super) fn new(level: i32) -> Result<Self, ParquetError> {
        let compression = match level {
            0 => Compression::UNCOMPRESSED,
            level => Compression::ZSTD(ZstdLevel::try_new(level)?),
        };
        let compressor = (level > 0).then(|| Compressor::new(level)).transpose()?;
        Ok(Self {
            compression,
            compressor,
            slots: vec![FREE; 1 << SLOT_BITS],
            places: Vec::new(),
            present: Vec::new(),
            body: Vec::new(),
            packed: Vec::new(),
        })
    }

    /// Adds a page of these cells to a column.
    pub(super) fn page(&mut self, pages: &mut Pages, cells: &[u64]) -> Result<(), ParquetError> {
        let mut present = std::mem::take(&mut self.present);
        self.body.clear();
        let there = self.levels(pages.kind, cells, &mut present);
        let values = if there == cells.len() { cells } else { &present };
        pages.growing &= self.place(&mut pages.dictionary, values);
        let encoding = if pages.growing {
            let bits = width(pages.dictionary.len());
            self.body.push(bits as u8);
            runs(&self.places, bits, &mut self.body);
            // Packed places hardly shrink: a twentieth of the table for a seventh of the time of writing.
            pages.compressed.get_or_insert(false);
            RLE_DICTIONARY
        } else if pages.kind == Kind::Float {
            split(values, &mut self.body);
            BYTE_STREAM_SPLIT
        } else {
            plain(values, &mut self.body);
            PLAIN
        };
        self.present = present;
        pages.has[usize::from(!pages.growing)] = true;
        pages.cells += cells.len();
        self.put(pages, |head| data_head(head, cells.len(), encoding))
    }

    /// Ends a column: its bytes, and what is told of them.
    pub(super) fn end(
        &mut self,
        mut pages: Pages,
        of: &Arc<ColumnDescriptor>,
    ) -> Result<(Vec<u8>, ColumnCloseResult), ParquetError> {
        let [placed, as_they_are] = pages.has;
        let data = std::mem::take(&mut pages.bytes);
        if placed {
            self.body.clear();
            plain(&pages.dictionary, &mut self.body);
            let values = pages.dictionary.len();
            self.put(&mut pages, |head| dictionary_head(head, values))?;
        }
        let data_at = pages.bytes.len();
        pages.bytes.extend_from_slice(&data);
        let mut encodings = vec![Encoding::PLAIN, Encoding::RLE];
        if placed {
            encodings.push(Encoding::RLE_DICTIONARY);
        }
        if as_they_are && pages.kind == Kind::Float {
            encodings.push(Encoding::BYTE_STREAM_SPLIT);
        }
        let compressed = pages.compressed == Some(true);
        let metadata = ColumnChunkMetaData::builder(Arc::clone(of))
            .set_compression(if compressed { self.compression } else { Compression::UNCOMPRESSED })
            .set_encodings(encodings)
            .set_num_values(pages.cells as i64)
            .set_total_compressed_size(pages.bytes.len() as i64)
            .set_total_uncompressed_size(pages.plain_bytes as i64)
            .set_dictionary_page_offset(placed.then_some(0))
            .set_data_page_offset(data_at as i64)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: pages.bytes.len() as u64,
            rows_written: pages.cells as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((pages.bytes, close))
    }

    /// Writes which cells are there, and keeps those apart where not all are; says how many there are.
    fn levels(&mut self, kind: Kind, cells: &[u64], present: &mut Vec<u64>) -> usize {
        let missing: usize = cells.iter().map(|cell| usize::from(kind.missing(*cell))).sum();
        self.body.extend([0; LENGTH_BYTES]);
        if missing == 0 {
            run(cells.len(), 1, 1, &mut self.body);
        } else {
            present.clear();
            self.places.clear();
            for cell in cells {
                let there = !kind.missing(*cell);
                self.places.push(u16::from(there));
                if there {
                    present.push(*cell);
                }
            }
            runs(&self.places, 1, &mut self.body);
        }
        let length = (self.body.len() - LENGTH_BYTES) as u32;
        self.body[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        cells.len() - missing
    }

    /// Finds the place of each value in the dictionary, which grows; `false`, and the dictionary as it was, where it would
    /// grow too much.
    fn place(&mut self, dictionary: &mut Vec<u64>, values: &[u64]) -> bool {
        let was = dictionary.len();
        let most = DICTIONARY_VALUES.min(was + values.len().div_ceil(CELLS_A_NEW_VALUE));
        let slots: &mut [u16; 1 << SLOT_BITS] = self.slots.as_mut_slice().try_into().expect("made with so many slots");
        slots.fill(FREE);
        for (place, value) in dictionary.iter().enumerate() {
            let mut at = slot(*value);
            while slots[at] != FREE {
                at = (at + 1) % slots.len();
            }
            slots[at] = place as u16;
        }
        self.places.clear();
        let Some(first) = values.first() else { return true };
        // Cells often stand as they stood in the bar before.
        let mut last = (!first, FREE);
        for value in values {
            if *value != last.0 {
                let mut at = slot(*value);
                let place = loop {
                    match slots[at] {
                        FREE if dictionary.len() < most => {
                            slots[at] = dictionary.len() as u16;
                            dictionary.push(*value);
                            break slots[at];
                        }
                        FREE => {
                            dictionary.truncate(was);
                            return false;
                        }
                        place if dictionary[usize::from(place)] == *value => break place,
                        _ => at = (at + 1) % slots.len(),
                    }
                };
                last = (*value, place);
            }
            self.places.push(last.1);
        }
        true
    }

    /// Puts the body at the end of a column, compressed or not, with its head before it.
    fn put(&mut self, pages: &mut Pages, head: impl FnOnce(&mut Head<'_>)) -> Result<(), ParquetError> {
        let plain = self.body.len();
        let mut body = &self.body;
        if let (Some(compressor), true) = (&mut self.compressor, pages.compressed != Some(false)) {
            self.packed.clear();
            self.packed.reserve(zstd::zstd_safe::compress_bound(plain));
            compressor.compress_to_buffer(&self.body, &mut self.packed)?;
            let packed = self.packed.len();
            if *pages.compressed.get_or_insert(packed * 16 <= plain * KEPT_OF_16) {
                body = &self.packed;
            }
        }
        let from = pages.bytes.len();
        head(&mut Head { bytes: &mut pages.bytes, sizes: [plain, body.len()] });
        pages.plain_bytes += pages.bytes.len() - from + plain;
        pages.bytes.extend_from_slice(body);
        Ok(())
    }
}

/// Bytes of the length before the levels of a page.
const LENGTH_BYTES: usize = 4;

/// Where the search for a value begins.
#[inline]
fn slot(value: u64) -> usize {
    // Whole numbers as floats differ in their upper bits, others in the lower ones.
    let mixed = (value ^ value >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - SLOT_BITS)) as usize
}

/// Bits of a place among so many.
fn width(values: usize) -> u32 {
    values.saturating_sub(1).checked_ilog2().map_or(1, |log| log + 1)
}

/// Values one after the other.
fn plain(values: &[u64], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + 8 * values.len(), 0);
    for (bytes, value) in out[from..].as_chunks_mut::<8>().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
}

/// Bytes of the values by their place in the value.
fn split(values: &[u64], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + 8 * values.len(), 0);
    let mut planes = out[from..].chunks_exact_mut(values.len().max(1));
    let mut planes: [&mut [u8]; 8] = std::array::from_fn(|_| planes.next().unwrap_or_default());
    for (at, value) in values.iter().enumerate() {
        for (plane, byte) in planes.iter_mut().zip(value.to_le_bytes()) {
            plane[at] = byte;
        }
    }
}

/// Values packed into runs: of one value where it repeats, of eight and more otherwise.
fn runs(values: &[u16], bits: u32, out: &mut Vec<u8>) {
    let (mut at, mut packed_from) = (0, 0);
    while at < values.len() {
        let ahead = &values[at..];
        let [first, ..] = ahead else { break };
        if ahead.len() >= GROUP && ahead[..GROUP].iter().all(|value| value == first) {
            let same = ahead.iter().take_while(|value| *value == first).count();
            pack(&values[packed_from..at], bits, out);
            run(same, *first, bits, out);
            at += same;
            packed_from = at;
        } else {
            at += GROUP.min(ahead.len());
        }
    }
    pack(&values[packed_from..], bits, out);
}

/// Values that are packed together.
const GROUP: usize = 8;

/// A run of one value.
fn run(length: usize, value: u16, bits: u32, out: &mut Vec<u8>) {
    varint((length as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..bits.div_ceil(8) as usize]);
}

/// A run of packed values; the last group is filled with zeros.
fn pack(values: &[u16], bits: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    varint((values.len().div_ceil(GROUP) as u64) << 1 | 1, out);
    let mut group = |values: &[u16; GROUP]| {
        let [low, high] =
            [0, 4].map(|from| (0..4).fold(0, |sum, at| sum | u64::from(values[from + at]) << (at as u32 * bits)));
        let all = u128::from(low) | u128::from(high) << (4 * bits);
        out.extend_from_slice(&all.to_le_bytes()[..bits as usize]);
    };
    let (groups, rest) = values.as_chunks::<GROUP>();
    groups.iter().for_each(&mut group);
    if !rest.is_empty() {
        let mut last = [0; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        group(&last);
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Encodings by their numbers: as they are, runs, places in a dictionary, bytes by their place.
const PLAIN: usize = 0;
const RLE: usize = 3;
const RLE_DICTIONARY: usize = 8;
const BYTE_STREAM_SPLIT: usize = 9;

/// Head of a page while it is written, in Thrift's compact protocol.
struct Head<'a> {
    bytes: &'a mut Vec<u8>,
    /// Bytes of the body before and after compression.
    sizes: [usize; 2],
}

impl Head<'_> {
    /// A field of a 32-bit number, so many after the one before.
    fn number(&mut self, after: u8, value: usize) {
        self.bytes.push(after << 4 | 5);
        varint((value as u64) << 1, self.bytes);
    }

    /// What all pages begin with: their kind and sizes.
    fn begin(&mut self, kind: usize) {
        let [plain, stored] = self.sizes;
        for value in [kind, plain, stored] {
            self.number(1, value);
        }
    }

    /// A field that is a structure of its own, so many after the one before.
    fn open(&mut self, after: u8) {
        self.bytes.push(after << 4 | 12);
    }

    /// Ends the inner structure and the outer.
    fn end(&mut self) {
        self.bytes.extend([0; 2]);
    }
}

fn data_head(head: &mut Head<'_>, cells: usize, encoding: usize) {
    head.begin(0);
    head.open(2);
    for value in [cells, encoding, RLE, RLE] {
        head.number(1, value);
    }
    head.end();
}

fn dictionary_head(head: &mut Head<'_>, values: usize) {
    head.begin(2);
    head.open(4);
    for value in [values, PLAIN] {
        head.number(1, value);
    }
    head.end();
}
