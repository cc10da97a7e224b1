//! Parquet files of a partition, written and read a batch at a time. Start at [`Table`].

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute,
    datatypes::{DataType, Int64Type, SchemaRef, TimeUnit, TimestampNanosecondType},
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ArrowWriter, ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
        },
    },
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        reader::{ChunkReader, Length},
    },
};
use railbird_store::ContentHash;

use crate::{
    Contract, Error,
    manifest::{Output, file_name},
    storage::Part,
};

/// Rows that a reader holds at once.
const BATCH_ROWS: usize = 4096;
/// Rows after which a writer gives up what it holds: a row group.
const GROUP_ROWS: usize = 65_536;
/// Bytes that a writer holds before they go to the file.
const BUFFER_BYTES: usize = 256 << 10;
/// Level of zstd: beyond it files get hardly smaller and writing much slower.
const ZSTD_LEVEL: i32 = 3;

/// A Parquet file that is read a batch at a time, as often as wanted.
#[derive(Debug)]
pub struct Table {
    place: String,
    file: Chunks,
    metadata: ArrowReaderMetadata,
}

impl Table {
    /// Opens a file; `contract` is what it must fit. `place`: the file, for errors.
    pub(crate) fn open(place: String, file: File, contract: Option<&Contract>) -> Result<Self, Error> {
        let file = Chunks::of(&place, file)?;
        let metadata = ArrowReaderMetadata::load(
            &file,
            ArrowReaderOptions::new().with_page_index_policy(parquet::file::metadata::PageIndexPolicy::Skip),
        )
        .map_err(Error::parquet(place.as_str()))?;
        if let Some(contract) = contract {
            contract.check_file(&place, metadata.schema())?;
        }
        Ok(Self { place, file, metadata })
    }

    /// Columns of the file.
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Rows of the file.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// The rows in the order of the file, 4,096 at a time; all columns, or those named, in the order of the file.
    ///
    /// # Errors
    /// [`Error::Contract`] for a column that is not there; [`Error::Parquet`].
    pub fn batches(&self, columns: Option<&[&str]>) -> Result<Batches, Error> {
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(names) => {
                let mut roots = Vec::with_capacity(names.len());
                for name in names {
                    roots.push(self.schema().index_of(name).map_err(|_| Error::Contract {
                        place: self.place.clone(),
                        column: (*name).to_owned(),
                        expected: "a column of that name".to_owned(),
                        found: "none".to_owned(),
                        remedy: "name a column that is there",
                    })?);
                }
                ProjectionMask::roots(self.metadata.parquet_schema(), roots)
            }
        };
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(Error::parquet(self.place.as_str()))?;
        Ok(Batches { place: self.place.clone(), reader })
    }

    /// All rows at once, for tables that are small: a day of bars or less.
    ///
    /// # Errors
    /// As [`Table::batches`].
    pub fn whole(&self, columns: Option<&[&str]>) -> Result<RecordBatch, Error> {
        let batches = self.batches(columns)?;
        let schema = batches.schema();
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        compute::concat_batches(&schema, &batches).map_err(|error| Error::parquet(self.place.as_str())(error.into()))
    }
}

/// Batches of a file, in its order.
pub struct Batches {
    place: String,
    reader: ParquetRecordBatchReader,
}

impl Batches {
    /// Columns that were asked for.
    pub fn schema(&self) -> SchemaRef {
        arrow::array::RecordBatchReader::schema(&self.reader)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.reader.next()?;
        Some(next.map_err(|error| Error::parquet(self.place.as_str())(error.into())))
    }
}

/// A file that is read at offsets, without moving a position that others share: what a reader of Parquet needs.
#[derive(Debug, Clone)]
pub struct Chunks {
    file: Arc<File>,
    bytes: u64,
}

impl Chunks {
    /// `place`: the file, for errors.
    pub(crate) fn of(place: &str, file: File) -> Result<Self, Error> {
        let bytes = file.metadata().map_err(Error::io(place, "look at"))?.len();
        Ok(Self { file: Arc::new(file), bytes })
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Box<dyn Read + Send>>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(Box::new(Onward { file: Arc::clone(&self.file), offset: start })))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // A footer that lies about its offsets gets an error and not an allocation.
        if start.checked_add(length as u64).is_none_or(|end| end > self.bytes) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.bytes)));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A file from an offset on.
struct Onward {
    file: Arc<File>,
    offset: u64,
}

impl Read for Onward {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A file of a data set that a stage writes byte by byte, as Parquet that fits the contract.
///
/// For stages that have an encoder of their own; others give record batches to [`Work::write`](crate::Work::write).
pub struct PartFile {
    contract: Contract,
    sink: BufWriter<Hashing>,
}

/// Counts and hashes what goes into a part.
struct Hashing {
    part: Box<dyn Part>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.part.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.part.flush()
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl PartFile {
    pub(crate) fn begin(contract: &Contract, part: Box<dyn Part>) -> Self {
        let sink = Hashing { part, hasher: blake3::Hasher::new(), bytes: 0 };
        Self { contract: contract.clone(), sink: BufWriter::with_capacity(BUFFER_BYTES, sink) }
    }

    /// Name of the data set.
    pub(crate) fn set(&self) -> &str {
        self.contract.set()
    }

    /// Looks whether the file fits its contract, then puts it into its folder, under a name made of its content.
    pub(crate) fn commit(self) -> Result<Output, Error> {
        let Self { contract, sink } = self;
        let set = contract.set();
        let mut sink = sink.into_inner().map_err(|error| Error::io(set, "write")(error.into_error()))?;
        let table = Table::open(format!("data set {set}"), sink.part.reader()?, None)?;
        contract.check_written(table.schema())?;
        let rows = table.rows();
        let known_at = match contract.known_at_column() {
            Some(column) => table.range_of(column)?,
            None => None,
        };
        let hash: ContentHash = sink.hasher.finalize().to_hex().parse()?;
        let file = file_name(set, hash);
        sink.part.commit(&file)?;
        Ok(Output { set: set.to_owned(), file, hash, rows, bytes: sink.bytes, known_at })
    }
}

/// Record batches that become a file.
pub(crate) struct TableWriter {
    contract: Contract,
    writer: ArrowWriter<PartFile>,
}

impl TableWriter {
    pub(crate) fn begin(contract: &Contract, part: Box<dyn Part>) -> Result<Self, Error> {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(Error::parquet(contract.set()))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by("railbird".to_owned())
            .build();
        let file = PartFile::begin(contract, part);
        let writer = ArrowWriter::try_new(file, Arc::clone(contract.schema()), Some(properties))
            .map_err(Error::parquet(contract.set()))?;
        Ok(Self { contract: contract.clone(), writer })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.contract.check(batch)?;
        self.writer.write(batch).map_err(Error::parquet(self.contract.set()))
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<PartFile, Error> {
        self.writer.into_inner().map_err(Error::parquet(self.contract.set()))
    }
}

impl Table {
    /// Smallest and largest time of a column, nanoseconds; none where it has no value or no times.
    fn range_of(&self, column: &str) -> Result<Option<(i64, i64)>, Error> {
        let mut range: Option<(i64, i64)> = None;
        for batch in self.batches(Some(&[column]))? {
            if let Some((first, last)) = range_of(&**batch?.column(0)) {
                let (earliest, latest) = range.unwrap_or((first, last));
                range = Some((earliest.min(first), latest.max(last)));
            }
        }
        Ok(range)
    }
}

fn range_of(column: &dyn Array) -> Option<(i64, i64)> {
    match column.data_type() {
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            Some((compute::min(column)?, compute::max(column)?))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let column = column.as_primitive::<TimestampNanosecondType>();
            Some((compute::min(column)?, compute::max(column)?))
        }
        _ => None,
    }
}
