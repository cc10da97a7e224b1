//! Rows of an answer, a batch at a time. Start at [`Rows::next`].

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    execution::TaskContext,
    physical_plan::{ExecutionPlan, ExecutionPlanProperties as _, SendableRecordBatchStream},
};
use futures_util::StreamExt as _;
use serde::Serialize;

use crate::Error;

/// The answer to a query. Nothing is held but the batch that is being made.
pub struct Rows {
    schema: SchemaRef,
    streams: VecDeque<SendableRecordBatchStream>,
    read: Arc<Counters>,
    memory_bytes: usize,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnKind {
    /// Name, as the query gives it.
    pub name: String,
    /// Arrow's name of its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a query has read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadSoFar {
    /// Partitions of the tables that it names, each as often as it is named.
    pub partitions: u64,
    /// Those left by what it asks of `symbol` and `date`: only of these the manifest was read.
    pub partitions_kept: u64,
    /// Files that were opened.
    pub files: u64,
    /// Bytes read of them.
    pub bytes: u64,
}

/// Counts what is read, while it is read.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) partitions: AtomicU64,
    pub(crate) partitions_kept: AtomicU64,
    pub(crate) files: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Rows {
    /// Begins with the first partition of the plan; the others follow in their order, so that rows come in one order only.
    pub(crate) fn begin(
        plan: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
        read: Arc<Counters>,
        memory_bytes: usize,
    ) -> Result<Self, Error> {
        let begin = |partition| plan.execute(partition, Arc::clone(context));
        let streams = (0..plan.output_partitioning().partition_count()).map(begin).collect::<Result<_, _>>();
        let streams = streams.map_err(|error| Error::of_run(&error, memory_bytes))?;
        Ok(Self { schema: plan.schema(), streams, read, memory_bytes })
    }

    /// Columns, with Arrow's types.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Columns, as names and names of types.
    pub fn columns(&self) -> Vec<ColumnKind> {
        let fields = self.schema.fields().iter();
        fields.map(|field| ColumnKind { name: field.name().clone(), kind: field.data_type().to_string() }).collect()
    }

    /// The next batch, never without rows; `None` at the end.
    ///
    /// Dropping the future or these rows ends the query.
    ///
    /// # Errors
    /// What goes wrong while the query runs.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        while let Some(stream) = self.streams.front_mut() {
            match stream.next().await {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => return Ok(Some(batch)),
                Some(Err(error)) => {
                    self.streams.clear();
                    return Err(Error::of_run(&error, self.memory_bytes));
                }
                None => _ = self.streams.pop_front(),
            }
        }
        Ok(None)
    }

    /// What was read until now.
    pub fn read(&self) -> ReadSoFar {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ReadSoFar {
            partitions: count(&self.read.partitions),
            partitions_kept: count(&self.read.partitions_kept),
            files: count(&self.read.files),
            bytes: count(&self.read.bytes),
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Rows").field("schema", &self.schema).field("read", &self.read).finish_non_exhaustive()
    }
}
