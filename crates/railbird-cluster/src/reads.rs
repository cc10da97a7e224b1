//! How files are opened: counted, and held against the columns of their table. Start at [`Reads`].

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use datafusion::{
    datasource::{listing::PartitionedFile, physical_plan::ParquetFileReaderFactory},
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures_util::future::{BoxFuture, FutureExt as _};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader, parquet_to_arrow_schema},
    errors::{ParquetError, Result},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};

use crate::{Error, rows::Counters};

/// Opens the files of one table.
#[derive(Debug)]
pub(crate) struct Reads {
    store: Arc<dyn ObjectStore>,
    /// Columns that a file may hold; one that it has not is null in every row.
    schema: SchemaRef,
    read: Arc<Counters>,
}

impl Reads {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, schema: SchemaRef, read: Arc<Counters>) -> Self {
        Self { store, schema, read }
    }
}

impl ParquetFileReaderFactory for Reads {
    fn create_reader(
        &self,
        _partition_index: usize,
        partitioned_file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(Checked {
            store: Arc::clone(&self.store),
            file: partitioned_file.object_meta,
            footer_bytes: metadata_size_hint,
            schema: Arc::clone(&self.schema),
            read: Arc::clone(&self.read),
        }))
    }
}

/// A file whose columns are looked at before its rows are.
struct Checked {
    store: Arc<dyn ObjectStore>,
    /// Its size is the manifest's: a file of another size has no footer there.
    file: ObjectMeta,
    /// Bytes of its end that are read at once.
    footer_bytes: Option<usize>,
    schema: SchemaRef,
    read: Arc<Counters>,
}

impl Checked {
    fn count(&self, ranges: &[Range<u64>]) {
        let bytes = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        self.read.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn named(&self, error: object_store::Error) -> ParquetError {
        let file = self.file.location.to_string();
        ParquetError::External(Box::new(match error {
            object_store::Error::NotFound { .. } => Error::Gone { file },
            other => Error::File { file, reason: other.to_string() },
        }))
    }

    async fn metadata(&mut self, options: Option<&ArrowReaderOptions>) -> Result<ParquetMetaData> {
        let mut reader = ParquetMetaDataReader::new().with_prefetch_hint(self.footer_bytes);
        if let Some(options) = options {
            reader = reader
                .with_metadata_options(Some(options.metadata_options().clone()))
                .with_column_index_policy(options.column_index_policy())
                .with_offset_index_policy(options.offset_index_policy());
        }
        let (size, file) = (self.file.size, self.file.location.to_string());
        reader.load_and_finish(self, size).await.map_err(|error| match error {
            ParquetError::External(cause) if cause.is::<Error>() => ParquetError::External(cause),
            other => ParquetError::External(Box::new(Error::File { file, reason: other.to_string() })),
        })
    }
}

impl AsyncFileReader for Checked {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.count(std::slice::from_ref(&range));
        async move { self.store.get_range(&self.file.location, range).await.map_err(|error| self.named(error)) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.count(&ranges);
        async move { self.store.get_ranges(&self.file.location, &ranges).await.map_err(|error| self.named(error)) }
            .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            self.read.files.fetch_add(1, Ordering::Relaxed);
            let metadata = self.metadata(options).await?;
            let file = metadata.file_metadata();
            let found = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
            check(self.file.location.as_ref(), &self.schema, &found)
                .map_err(|error| ParquetError::External(Box::new(error)))?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}

/// Refuses a file that has a column of the table under another type: a value that was silently cast is another value.
fn check(file: &str, table: &Schema, found: &Schema) -> std::result::Result<(), Error> {
    for field in table.fields() {
        let Ok(other) = found.field_with_name(field.name()) else { continue };
        if other.data_type() != field.data_type() {
            return Err(Error::Clash {
                file: file.to_owned(),
                column: field.name().clone(),
                expected: field.data_type().to_string(),
                found: other.data_type().to_string(),
            });
        }
    }
    Ok(())
}
