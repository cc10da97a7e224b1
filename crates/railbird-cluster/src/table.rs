//! A data set as a table. Start at [`LakeTable`].
//!
//! Files of some data sets have a `symbol` of their own, and one that was cut from a source of several instruments holds bars of all of
//! them. A row belongs to the partition of its own symbol: the others are left out, as the stages that read the file do too.

use std::sync::{Arc, atomic::Ordering};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Statistics, stats::Precision, tree_node::TreeNode as _},
    datasource::{
        TableType,
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
        table_schema::TableSchema,
    },
    error::Result,
    execution::object_store::ObjectStoreUrl,
    logical_expr::{Expr, Operator, TableProviderFilterPushDown},
    physical_expr::expressions::{BinaryExpr, Column},
    physical_plan::{ExecutionPlan, empty::EmptyExec, filter::FilterExecBuilder},
};
use object_store::path::Path;
use railbird_lake::Objects;

use crate::{
    partitions::{DATE, Partitions, SYMBOL},
    reads::Reads,
    rows::Counters,
};

/// Column of the partition's symbol where files have one of their own.
const PARTITION_SYMBOL: &str = "partition_symbol";

/// Column of the partition's date where files have one of their own.
const PARTITION_DATE: &str = "partition_date";

/// Where the lake's files are found in a session.
pub(crate) const STORE_URL: &str = "lake://files/";

/// One data set of the lake.
#[derive(Debug)]
pub(crate) struct LakeTable {
    set: String,
    /// Columns of the files, each of which may be missing in some of them.
    file_schema: SchemaRef,
    /// Columns as queries see them.
    schema: SchemaRef,
    /// Place of the files' own `symbol`.
    own_symbol: Option<usize>,
    /// Name of the partition's date.
    date: &'static str,
    partitions: Partitions,
    objects: Objects,
    read: Arc<Counters>,
}

impl LakeTable {
    /// `schema`: columns of the files.
    pub(crate) fn new(
        set: &str,
        schema: &Schema,
        partitions: Partitions,
        objects: Objects,
        read: Arc<Counters>,
    ) -> Self {
        // A file that an earlier version wrote may lack any of them.
        let fields: Vec<FieldRef> =
            schema.fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect();
        let own_symbol = schema.index_of(SYMBOL).ok().filter(|at| *schema.field(*at).data_type() == DataType::Utf8);
        let date = if schema.index_of(DATE).is_ok() { PARTITION_DATE } else { DATE };
        let mut shown = fields.clone();
        if schema.index_of(SYMBOL).is_err() {
            shown.push(Arc::new(Field::new(SYMBOL, DataType::Utf8, false)));
        }
        shown.push(Arc::new(Field::new(date, DataType::Date32, false)));
        Self {
            set: set.to_owned(),
            file_schema: Arc::new(Schema::new(fields)),
            schema: Arc::new(Schema::new(shown)),
            own_symbol,
            date,
            partitions,
            objects,
            read,
        }
    }

    /// Whether a condition can be told from a partition's name alone.
    fn is_of_partitions(&self, condition: &Expr) -> bool {
        let has_symbol = self.own_symbol.is_some() || self.file_schema.index_of(SYMBOL).is_err();
        let of_partition = |name: &str| (name == SYMBOL && has_symbol) || name == self.date;
        let columns = condition.column_refs();
        // What another query answers is known only while this one runs.
        let asks = condition.exists(|part| {
            Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
        });
        !columns.is_empty()
            && columns.iter().all(|column| of_partition(&column.name))
            && !condition.is_volatile()
            && asks.is_ok_and(|asks| !asks)
    }

    /// Columns as they are scanned: those of the files, the partition's symbol, its date.
    fn scanned(&self) -> TableSchema {
        let symbol = if self.file_schema.index_of(SYMBOL).is_ok() { PARTITION_SYMBOL } else { SYMBOL };
        let of_partition: Vec<FieldRef> = vec![
            Arc::new(Field::new(symbol, DataType::Utf8, false)),
            Arc::new(Field::new(self.date, DataType::Date32, false)),
        ];
        TableSchema::builder(Arc::clone(&self.file_schema)).with_table_partition_cols(of_partition).build()
    }

    async fn files(&self, state: &dyn Session, conditions: &[&Expr]) -> Result<Files> {
        let kept = self.partitions.kept(state, conditions, self.date)?;
        let manifests = self.partitions.manifests(&kept).await?;
        self.read.partitions.fetch_add(self.partitions.count() as u64, Ordering::Relaxed);
        self.read.partitions_kept.fetch_add(kept.len() as u64, Ordering::Relaxed);
        let mut found = Files { files: Vec::with_capacity(kept.len()), rows: 0, bytes: 0 };
        for (partition, manifest) in kept.into_iter().zip(manifests) {
            let Some(output) = manifest.as_ref().and_then(|manifest| manifest.output(&self.set)) else { continue };
            let below = Path::from(format!("{}/{}", partition.task.folder(), output.file));
            let values = vec![partition.symbol, partition.date];
            let mut file = PartitionedFile::new(String::new(), output.bytes).with_partition_values(values);
            file.object_meta.location = self.objects.prefix.parts().chain(below.parts()).collect();
            found.files.push(file);
            found.rows += output.rows;
            found.bytes += output.bytes;
        }
        Ok(found)
    }
}

/// What is scanned.
struct Files {
    files: Vec<PartitionedFile>,
    rows: u64,
    bytes: u64,
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, conditions: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |condition: &&Expr| match self.is_of_partitions(condition) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(conditions.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let conditions: Vec<&Expr> = filters.iter().filter(|condition| self.is_of_partitions(condition)).collect();
        let found = self.files(state, &conditions).await?;
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        if found.files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(&wanted)?))));
        }
        let columns = self.scanned();
        let of_files = self.file_schema.fields().len();
        // Where files have a symbol, the partition's stands between their columns and the date, and is not shown.
        let is_hidden = self.file_schema.index_of(SYMBOL).is_ok();
        let place = |at: usize| if is_hidden && at >= of_files { at + 1 } else { at };
        let mut scanned: Vec<usize> = wanted.iter().map(|at| place(*at)).collect();
        let compared = self.own_symbol.map(|own| {
            let mut at = |column: usize| {
                scanned.iter().position(|other| *other == column).unwrap_or_else(|| {
                    scanned.push(column);
                    scanned.len() - 1
                })
            };
            (at(own), at(of_files))
        });
        let reads = Reads::new(Arc::clone(&self.objects.store), Arc::clone(&self.file_schema), Arc::clone(&self.read));
        let source = ParquetSource::new(columns.clone())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(reads))
            // The lake's files have none.
            .with_bloom_filter_on_read(false);
        let partitions = state.config().target_partitions().max(1);
        let (rows, bytes) = (usize::try_from(found.rows), usize::try_from(found.bytes));
        let exactly = |number: usize| match compared {
            // Rows of other symbols are left out.
            Some(_) => Precision::Inexact(number),
            None => Precision::Exact(number),
        };
        let statistics = Statistics::new_unknown(columns.table_schema())
            .with_num_rows(rows.map_or(Precision::Absent, exactly))
            .with_total_byte_size(bytes.map_or(Precision::Absent, Precision::Inexact));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
            .with_file_groups(FileGroup::new(found.files).split_files(partitions))
            .with_statistics(statistics)
            .with_projection_indices(Some(scanned.clone()))?
            .with_limit(limit.filter(|_| compared.is_none()))
            .build();
        let scan = DataSourceExec::from_data_source(config);
        let Some((own, of_partition)) = compared else { return Ok(scan) };
        let own = Column::new(SYMBOL, own);
        let of_partition = Column::new(PARTITION_SYMBOL, of_partition);
        let same = BinaryExpr::new(Arc::new(own), Operator::Eq, Arc::new(of_partition));
        let shown = FilterExecBuilder::new(Arc::new(same), scan);
        Ok(Arc::new(shown.apply_projection(Some((0..wanted.len()).collect()))?.build()?))
    }
}
