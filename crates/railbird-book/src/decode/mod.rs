//! Files of ticks to chunks of rows. Start at [`TickReader::open`].
//!
//! - `dbn`: DBN of version 1 to 3, read in place where it has ten levels. `tabular`, `parquet`, `csv`: files with the
//!   column names of DBN's text forms. `mbo`: books from orders.
//! - A row that cannot be used is counted by reason. Where the rest of a file cannot be read, what came is used and the
//!   reason kept.
//!
//! Invariant: untrusted bytes give rows, counts or an error; memory does not grow with the file.

mod csv;
mod dbn;
mod error;
mod instruments;
mod mbo;
mod parquet;
mod tabular;

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read},
};

pub use ::parquet::file::reader::ChunkReader;

pub use self::error::DecodeError;
use crate::state::{row::TickRow, rules::SourceForm};

/// Rows that a chunk holds at most.
pub(crate) const CHUNK_ROWS: usize = 1024;

/// Bytes that are enough to tell a format.
pub const HEAD_BYTES: usize = 12;

/// Format of a file, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TickFormat {
    /// DBN.
    Dbn,
    /// Something compressed with Zstandard: DBN or CSV.
    Zstd,
    /// Parquet.
    Parquet,
    /// The format before DBN, which is not read.
    Dbz,
    /// Anything else: text, if it can be read at all.
    Text,
}

impl TickFormat {
    /// By the first [`HEAD_BYTES`] of a file, or all of a shorter one.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [magic, 0x2a, 0x4d, 0x18, _, _, _, _, b'D', b'B', b'Z', ..] if magic & 0xf0 == 0x50 => Self::Dbz,
            [magic, 0x2a, 0x4d, 0x18, ..] if magic & 0xf0 == 0x50 => Self::Zstd,
            [b'P', b'A', b'R', b'1', ..] => Self::Parquet,
            [b'D', b'B', b'N', ..] => Self::Dbn,
            _ => Self::Text,
        }
    }
}

/// Where a file's bytes come from.
pub enum TickSource<F> {
    /// Read from the beginning to the end.
    Stream(Box<dyn Read + Send>),
    /// Read anywhere, as Parquet needs it.
    Parquet(F),
}

/// Rows of a file that were left out, and why the rest of it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Rows read, those left out among them.
    pub rows: u64,
    /// Rows left out, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Things worth knowing of rows that were used.
    pub noted: BTreeMap<&'static str, u64>,
    /// Why reading ended before the file did.
    pub cut_short: Option<String>,
}

impl DecodeCounts {
    pub(crate) fn reject(&mut self, reason: &'static str) {
        *self.rejected.entry(reason).or_default() += 1;
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.noted.entry(what).or_default() += 1;
    }
}

/// Some rows of a file, in order.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The rows.
    pub(crate) body: Body,
    /// Consecutive rows of one instrument: which, and how many.
    pub(crate) runs: Vec<(u32, u32)>,
    /// Symbols of the instruments that appear here first, in order.
    pub(crate) named: Vec<String>,
}

/// Rows in place or decoded.
#[derive(Debug)]
pub(crate) enum Body {
    /// Ten-level records as they stand in the file, end to end.
    Records(Vec<u8>),
    /// Decoded rows.
    Rows(Vec<TickRow>),
}

impl Default for Body {
    fn default() -> Self {
        Self::Rows(Vec::new())
    }
}

impl Chunk {
    fn clear(&mut self) {
        self.runs.clear();
        self.named.clear();
        match &mut self.body {
            // The bytes stay: they are written over.
            Body::Records(_) => {}
            Body::Rows(rows) => rows.clear(),
        }
    }

    /// The decoded rows, empty.
    fn rows(&mut self) -> &mut Vec<TickRow> {
        if let Body::Records(_) = self.body {
            self.body = Body::default();
        }
        match &mut self.body {
            Body::Rows(rows) => rows,
            Body::Records(_) => unreachable!("set above"),
        }
    }

    /// One more row of an instrument.
    fn ran(&mut self, instrument: u32) {
        match self.runs.last_mut() {
            Some((last, rows)) if *last == instrument => *rows += 1,
            _ => self.runs.push((instrument, 1)),
        }
    }
}

/// A format's decoder.
trait Decode: Send {
    /// What the source can tell.
    fn form(&self) -> SourceForm;
    /// Fills a cleared chunk; `false` at the end of the file, when the chunk may still hold rows.
    fn fill(&mut self, chunk: &mut Chunk, counts: &mut DecodeCounts) -> Result<bool, DecodeError>;
}

/// A file of ticks being read.
pub struct TickReader {
    decoder: Box<dyn Decode>,
    counts: DecodeCounts,
    ended: bool,
}

impl TickReader {
    /// Looks at a file's beginning. `format`: of its first bytes.
    ///
    /// # Errors
    /// [`DecodeError`] where it holds no ticks that can be read.
    pub fn open<F: ChunkReader + 'static>(source: TickSource<F>, format: TickFormat) -> Result<Self, DecodeError> {
        let decoder: Box<dyn Decode> = match (source, format) {
            (TickSource::Parquet(file), _) => Box::new(parquet::ParquetDecoder::open(file)?),
            (_, TickFormat::Parquet) => return Err(DecodeError::ParquetStream),
            (_, TickFormat::Dbz) => return Err(DecodeError::Dbz),
            (TickSource::Stream(bytes), TickFormat::Zstd) => {
                let mut plain = ::zstd::stream::read::Decoder::new(bytes).map_err(DecodeError::Head)?;
                // A window larger than any level writes by default is memory that nobody asked for.
                plain.window_log_max(WINDOW_LOG_MAX).map_err(DecodeError::Head)?;
                by_content(plain)?
            }
            (TickSource::Stream(bytes), _) => by_content(bytes)?,
        };
        Ok(Self { decoder, counts: DecodeCounts::default(), ended: false })
    }

    /// What the source can tell.
    pub fn form(&self) -> SourceForm {
        self.decoder.form()
    }

    /// What was read and left out so far.
    pub fn counts(&self) -> &DecodeCounts {
        &self.counts
    }

    /// What was read and left out.
    pub fn into_counts(self) -> DecodeCounts {
        self.counts
    }

    /// Fills a chunk with the next rows; `false` where there are none.
    pub(crate) fn fill(&mut self, chunk: &mut Chunk) -> Result<bool, DecodeError> {
        chunk.clear();
        while !self.ended {
            self.ended = !self.decoder.fill(chunk, &mut self.counts)?;
            if !chunk.runs.is_empty() {
                return Ok(true);
            }
            chunk.clear();
        }
        Ok(false)
    }
}

/// Largest window of a compressed file that is read, as its logarithm: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// DBN or text.
fn by_content(mut bytes: impl Read + Send + 'static) -> Result<Box<dyn Decode>, DecodeError> {
    let mut head = [0; 3];
    let (held, ended) = fill_from(&mut bytes, &mut head);
    ended.map_err(DecodeError::Head)?;
    let whole = io::Cursor::new(head).take(held as u64).chain(bytes);
    if &head[..held] == b"DBN" {
        Ok(Box::new(dbn::DbnDecoder::open(whole)?))
    } else {
        Ok(Box::new(csv::CsvDecoder::open(BufReader::with_capacity(1 << 16, whole))?))
    }
}

/// Reads until `into` is full, there is no more, or reading fails; says how much came.
fn fill_from(bytes: &mut impl Read, into: &mut [u8]) -> (usize, io::Result<()>) {
    let mut held = 0;
    while held < into.len() {
        match bytes.read(&mut into[held..]) {
            Ok(0) => break,
            Ok(more) => held += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (held, Err(error)),
        }
    }
    (held, Ok(()))
}
