//! Bars to Parquet. Start at [`TableWriter`].
//!
//! Bars of the first instrument go into the file as they come; those of others wait on a *shelf*, which need not be in
//! memory, until the first has ended: rows stand by instrument, then by time.
//!
//! Invariant: the bytes depend on the bars alone, not on when they come; memory does not grow with their number, but for
//! the eight bytes that say where a bar lies on the shelf.

mod group;
mod pages;

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};

use self::group::Groups;
use crate::{
    columns::{COLUMN_COUNT, Unit, columns},
    state::finish::Cells,
};

/// Bars that are turned into columns at once: 150 KB, which the cache holds while they are.
pub(crate) const BLOCK_BARS: usize = 64;

/// Name of the time zone of all times.
const TIME_ZONE: &str = "UTC";

/// A bar and the place of its instrument.
pub(crate) type Tagged = (u32, Cells);

/// Where bars of other instruments wait: read, written and sought like a file.
pub trait Shelf: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Shelf for T {}

/// Makes a shelf, if one is needed.
pub type MakeShelf<'a> = &'a (dyn Fn() -> io::Result<Box<dyn Shelf>> + Sync);

/// How a table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableForm {
    /// Places of the columns, ascending.
    columns: Vec<usize>,
    /// Level of compression, 1 to 22; 0 for none.
    compression: i32,
}

/// What keeps a table from being written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A column that is not there.
    #[error("column {0:?}: there is none of that name; `railbird book columns` lists them")]
    Unknown(String),
    /// A level of compression that is not there.
    #[error("compression {0}: expected 1 to 22, or 0 for none")]
    Compression(i32),
    /// Writing failed.
    #[error("the table cannot be written ({0})")]
    Write(#[from] ParquetError),
    /// The shelf failed.
    #[error("bars that wait cannot be kept ({0})")]
    Shelf(#[from] io::Error),
}

impl TableForm {
    /// All columns, or those that are named, by name or family; keys are always there.
    ///
    /// # Errors
    /// [`TableError::Unknown`], [`TableError::Compression`].
    pub fn new(names: Option<&[String]>, compression: i32) -> Result<Self, TableError> {
        if !(0..=22).contains(&compression) {
            return Err(TableError::Compression(compression));
        }
        let Some(names) = names else { return Ok(Self { columns: (0..COLUMN_COUNT).collect(), compression }) };
        let mut wanted = [false; COLUMN_COUNT];
        wanted[..KEYS].fill(true);
        for name in names {
            let mut found = false;
            for (wanted, column) in wanted.iter_mut().zip(columns()) {
                if column.name == *name || column.family.text() == name {
                    (*wanted, found) = (true, true);
                }
            }
            if !found {
                return Err(TableError::Unknown(name.clone()));
            }
        }
        Ok(Self { columns: (0..COLUMN_COUNT).filter(|at| wanted[*at]).collect(), compression })
    }

    /// Number of columns.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// Names and types.
    pub fn schema(&self) -> SchemaRef {
        let field = |at: &usize| {
            let column = &columns()[*at];
            let kind = match column.unit {
                Unit::Text => DataType::Utf8,
                Unit::Nanoseconds => DataType::Timestamp(TimeUnit::Nanosecond, Some(TIME_ZONE.into())),
                Unit::Count => DataType::Int64,
                _ => DataType::Float64,
            };
            Field::new(&column.name, kind, *at >= KEYS)
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// How the file and its keys are written; the other columns are encoded here.
    fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let compression = match self.compression {
            0 => Compression::UNCOMPRESSED,
            level => Compression::ZSTD(ZstdLevel::try_new(level)?),
        };
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_created_by("railbird".to_owned())
            .set_dictionary_enabled(false)
            .set_offset_index_disabled(true)
            .set_statistics_enabled(EnabledStatistics::None);
        // Those of the keys: readers prune by them alone, and statistics of the others would cost more than they save.
        for key in columns().iter().take(KEYS) {
            let path = ColumnPath::from(key.name.as_str());
            properties = properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
            properties = match key.unit {
                Unit::Text => properties.set_column_dictionary_enabled(path, true),
                _ => properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            };
        }
        Ok(properties.build())
    }
}

/// Number of key columns, which come first.
const KEYS: usize = 4;

/// Writes bars as they come.
pub(crate) struct TableWriter<'a, W: Write + Send> {
    writer: SerializedFileWriter<W>,
    groups: Groups,
    symbols: Vec<String>,
    block: Vec<Tagged>,
    bars: u64,
    make_shelf: MakeShelf<'a>,
    shelf: Option<Box<dyn Shelf>>,
    /// Where the bars of each instrument lie on the shelf.
    places: Vec<Vec<u64>>,
    shelved: u64,
    /// Bars on their way to the shelf.
    pending: Vec<u8>,
}

/// Bytes of a bar on the shelf.
const CELL_BYTES: usize = 8 * COLUMN_COUNT;

/// Bytes that are put on the shelf at once.
const PENDING_BYTES: usize = 1 << 20;

impl<'a, W: Write + Send> TableWriter<'a, W> {
    pub(crate) fn new(form: &TableForm, out: W, make_shelf: MakeShelf<'a>) -> Result<Self, TableError> {
        // The crate's own writer for tables makes the schema; the columns are written here.
        let writer = ArrowWriter::try_new(out, form.schema(), Some(form.properties()?))?;
        let (writer, _) = writer.into_serialized_writer()?;
        let groups = Groups::new(&form.columns, form.compression, writer.schema_descr().columns())?;
        Ok(Self {
            writer,
            groups,
            symbols: Vec::new(),
            block: Vec::with_capacity(BLOCK_BARS),
            bars: 0,
            make_shelf,
            shelf: None,
            places: Vec::new(),
            shelved: 0,
            pending: Vec::new(),
        })
    }

    /// Symbols of further instruments.
    pub(crate) fn name(&mut self, symbols: impl IntoIterator<Item = String>) {
        self.symbols.extend(symbols);
        self.places.resize_with(self.symbols.len(), Vec::new);
    }

    /// Further bars; those of one instrument in order of time.
    pub(crate) fn add(&mut self, bars: &[Tagged]) -> Result<(), TableError> {
        if self.block.is_empty() && bars.len() == BLOCK_BARS && bars.iter().all(|(instrument, _)| *instrument == 0) {
            return self.write_bars(bars);
        }
        for (instrument, cells) in bars {
            if *instrument == 0 {
                self.push(0, cells)?;
            } else {
                self.shelve(*instrument, cells)?;
            }
        }
        Ok(())
    }

    /// Writes what waits, and the end of the file; returns the number of bars.
    pub(crate) fn finish(mut self) -> Result<(W, u64), TableError> {
        self.write_block()?;
        self.put_pending()?;
        let places = std::mem::take(&mut self.places);
        let mut bytes = vec![0; CELL_BYTES];
        for (instrument, places) in places.iter().enumerate() {
            for place in places {
                if let Some(shelf) = &mut self.shelf {
                    shelf.seek(SeekFrom::Start(place * CELL_BYTES as u64))?;
                    shelf.read_exact(&mut bytes)?;
                }
                let mut cells = [0; COLUMN_COUNT];
                for (cell, bytes) in cells.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *cell = u64::from_le_bytes(*bytes);
                }
                self.push(instrument, &cells)?;
            }
            self.write_block()?;
        }
        self.groups.finish(&self.symbols, &mut self.writer)?;
        Ok((self.writer.into_inner()?, self.bars))
    }

    fn push(&mut self, instrument: usize, cells: &Cells) -> Result<(), TableError> {
        self.block.push((instrument as u32, *cells));
        if self.block.len() == BLOCK_BARS { self.write_block() } else { Ok(()) }
    }

    fn shelve(&mut self, instrument: u32, cells: &Cells) -> Result<(), TableError> {
        self.places[instrument as usize].push(self.shelved);
        self.shelved += 1;
        for cell in cells {
            self.pending.extend_from_slice(&cell.to_le_bytes());
        }
        if self.pending.len() >= PENDING_BYTES { self.put_pending() } else { Ok(()) }
    }

    fn put_pending(&mut self) -> Result<(), TableError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let shelf = match &mut self.shelf {
            Some(shelf) => shelf,
            none => none.insert((self.make_shelf)()?),
        };
        shelf.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), TableError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let mut block = std::mem::take(&mut self.block);
        self.write_bars(&block)?;
        block.clear();
        self.block = block;
        Ok(())
    }

    fn write_bars(&mut self, bars: &[Tagged]) -> Result<(), TableError> {
        self.groups.add(bars, &self.symbols, &mut self.writer)?;
        self.bars += bars.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Array, AsArray},
        datatypes::{Float64Type, Int64Type},
    };
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::state::finish::NO_COUNT;

    /// Cells of a bar by how its columns are to be written: few values, runs, noise, noise after few, none, some missing.
    fn cell(kind: usize, unit: Unit, bar: u64) -> u64 {
        let mut mixed = (bar + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 29;
        let (number, missing) = match kind % 6 {
            0 => (mixed % 7, false),
            1 => (bar / 1000, false),
            2 => (mixed % (1 << 52), false),
            3 => (if bar < 9000 { mixed % 300 } else { mixed % (1 << 52) }, mixed.is_multiple_of(5)),
            4 => (0, true),
            _ => (mixed % 3, bar % 100 < 50),
        };
        match unit {
            Unit::Count if missing => NO_COUNT as u64,
            Unit::Count => (number as i64 - 3) as u64,
            _ if missing => f64::NAN.to_bits(),
            _ => (number as f64 / 3.0 - 1.0).to_bits(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for (bars, compression) in [(1, 3), (64, 3), (20_000, 3), (20_000, 0), (70_000, 1)] {
            let names = ["trade_n_sum", "message", "gap", "imb_1_twa"].map(str::to_owned);
            let families: Vec<String> = names
                .into_iter()
                .filter(|name| columns().iter().any(|c| c.name == *name || c.family.text() == name))
                .collect();
            let form = TableForm::new(Some(&families), compression).unwrap();
            let shelf = || -> io::Result<Box<dyn Shelf>> { Ok(Box::new(io::Cursor::new(Vec::new()))) };
            let mut writer = TableWriter::new(&form, Vec::new(), &shelf).unwrap();
            writer.name(["ONE".to_owned()]);
            for from in (0..bars).step_by(BLOCK_BARS) {
                let block: Vec<Tagged> = (from..bars.min(from + BLOCK_BARS as u64))
                    .map(|bar| {
                        let of = |at: usize| if at < KEYS { bar } else { cell(at, columns()[at].unit, bar) };
                        (0, std::array::from_fn(of))
                    })
                    .collect();
                writer.add(&block).unwrap();
            }
            let (bytes, written) = writer.finish().unwrap();
            assert_eq!(written, bars);
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
            assert_eq!(reader.schema().fields(), form.schema().fields());
            let mut bar = 0;
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                for (at, column) in form.columns.iter().zip(batch.columns()).skip(KEYS) {
                    let unit = columns()[*at].unit;
                    for row in 0..batch.num_rows() {
                        let found = match (column.is_null(row), unit) {
                            (true, Unit::Count) => NO_COUNT as u64,
                            (true, _) => f64::NAN.to_bits(),
                            (_, Unit::Count) => column.as_primitive::<Int64Type>().value(row) as u64,
                            _ => column.as_primitive::<Float64Type>().value(row).to_bits(),
                        };
                        assert_eq!(found, cell(*at, unit, bar + row as u64), "{}, bar {}", columns()[*at].name, bar);
                    }
                }
                bar += batch.num_rows() as u64;
            }
            assert_eq!(bar, bars);
        }
    }
}
