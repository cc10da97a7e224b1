//! Bars to Parquet. Start at [`TableWriter`].
//!
//! Bars of the first instrument go into the file as they come; those of others wait on a *shelf*, which need not be in
//! memory, until the first has ended: rows stand by instrument, then by time.
//!
//! Invariant: the bytes depend on the bars alone, not on when they come; memory does not grow with their number, but for
//! the eight bytes that say where a bar lies on the shelf.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray},
    buffer::{BooleanBuffer, NullBuffer, ScalarBuffer},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};

use crate::{
    columns::{COLUMN_COUNT, Unit, columns},
    state::finish::{Cells, NO_COUNT},
};

/// Bars that are turned into columns at once.
pub(crate) const BLOCK_BARS: usize = 1024;

/// Bars of a row group. Each column of a group has a compressor of its own, so that a few large groups cost less than many
/// small ones; what waits in memory is pages, not groups.
const GROUP_BARS: usize = 1 << 16;

/// Bars of a page: 64 KB of one column, 20 MB of all before compression.
const PAGE_BARS: usize = 8192;

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

    fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let compression = match self.compression {
            0 => Compression::UNCOMPRESSED,
            level => Compression::ZSTD(ZstdLevel::try_new(level)?),
        };
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_created_by("railbird".to_owned())
            .set_max_row_group_row_count(Some(GROUP_BARS))
            .set_data_page_row_count_limit(PAGE_BARS)
            .set_dictionary_enabled(false)
            .set_offset_index_disabled(true)
            .set_statistics_enabled(EnabledStatistics::None);
        for at in &self.columns {
            let column = &columns()[*at];
            let path = ColumnPath::from(column.name.as_str());
            // Readers prune by keys alone; statistics of the others would cost more than they save.
            if *at < KEYS {
                properties = properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
            }
            match column.unit {
                Unit::Text => properties = properties.set_column_dictionary_enabled(path, true),
                Unit::Nanoseconds | Unit::Count => {
                    properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
                }
                _ => {}
            }
        }
        Ok(properties.build())
    }
}

/// Number of key columns, which come first.
const KEYS: usize = 4;

/// Writes bars as they come.
pub(crate) struct TableWriter<'a, W: Write + Send> {
    form: &'a TableForm,
    schema: SchemaRef,
    writer: ArrowWriter<W>,
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
    pub(crate) fn new(form: &'a TableForm, out: W, make_shelf: MakeShelf<'a>) -> Result<Self, TableError> {
        let schema = form.schema();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(form.properties()?))?;
        Ok(Self {
            form,
            schema,
            writer,
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
            return self.write_bars(0, bars);
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
        self.write_block(0)?;
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
            self.write_block(instrument)?;
        }
        Ok((self.writer.into_inner()?, self.bars))
    }

    fn push(&mut self, instrument: usize, cells: &Cells) -> Result<(), TableError> {
        self.block.push((instrument as u32, *cells));
        if self.block.len() == BLOCK_BARS { self.write_block(instrument) } else { Ok(()) }
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

    fn write_block(&mut self, instrument: usize) -> Result<(), TableError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let mut block = std::mem::take(&mut self.block);
        self.write_bars(instrument, &block)?;
        block.clear();
        self.block = block;
        Ok(())
    }

    fn write_bars(&mut self, instrument: usize, bars: &[Tagged]) -> Result<(), TableError> {
        let symbol = self.symbols.get(instrument).map_or("", String::as_str);
        let arrays = arrays(bars, &self.form.columns, symbol);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(ParquetError::from)?;
        self.writer.write(&batch)?;
        self.bars += bars.len() as u64;
        Ok(())
    }
}

/// Cells that lie on one cache line: columns are gathered so many at a time.
const LINE_CELLS: usize = 8;

/// Bars as columns.
fn arrays(bars: &[Tagged], wanted: &[usize], symbol: &str) -> Vec<ArrayRef> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(wanted.len());
    let mut gathered: [Vec<u64>; LINE_CELLS] = std::array::from_fn(|_| Vec::with_capacity(bars.len()));
    let mut line = usize::MAX;
    for at in wanted {
        if at / LINE_CELLS != line {
            line = at / LINE_CELLS;
            gathered.iter_mut().for_each(Vec::clear);
            let (from, to) = (line * LINE_CELLS, COLUMN_COUNT.min((line + 1) * LINE_CELLS));
            for (_, bar) in bars {
                for (column, cell) in gathered.iter_mut().zip(&bar[from..to]) {
                    column.push(*cell);
                }
            }
        }
        arrays.push(array(&gathered[at % LINE_CELLS], columns()[*at].unit, symbol));
    }
    arrays
}

/// Which cells are there; `None` where all are.
fn nulls(cells: &[u64], missing: impl Fn(u64) -> bool) -> Option<NullBuffer> {
    let n: usize = cells.iter().map(|cell| usize::from(missing(*cell))).sum();
    (n > 0).then(|| NullBuffer::new(BooleanBuffer::collect_bool(cells.len(), |at| !missing(cells[at]))))
}

fn array(cells: &[u64], unit: Unit, symbol: &str) -> ArrayRef {
    let whole = || ScalarBuffer::from(cells.iter().map(|cell| *cell as i64).collect::<Vec<i64>>());
    match unit {
        Unit::Text => Arc::new(StringArray::from_iter_values(cells.iter().map(|_| symbol))),
        Unit::Nanoseconds => Arc::new(TimestampNanosecondArray::new(whole(), None).with_timezone(TIME_ZONE)),
        Unit::Count => Arc::new(Int64Array::new(whole(), nulls(cells, |cell| cell as i64 == NO_COUNT))),
        _ => {
            let nulls = nulls(cells, |cell| f64::from_bits(cell).is_nan());
            let floats =
                cells.iter().map(|cell| f64::from_bits(*cell)).map(|float| if float.is_nan() { 0.0 } else { float });
            Arc::new(Float64Array::new(floats.collect::<Vec<f64>>().into(), nulls))
        }
    }
}
