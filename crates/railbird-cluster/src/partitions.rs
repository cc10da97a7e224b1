//! The partitions of a data set, and which of them a query needs. Start at [`Partitions`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{Array as _, AsArray as _, BooleanArray, RecordBatch},
    datatypes::{DataType, Field, Schema},
};
use datafusion::{
    catalog::Session,
    common::{DFSchema, ScalarValue},
    error::Result,
    logical_expr::Expr,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use railbird_lake::{Lake, Manifest, TaskId};

use crate::Error;

/// Column of the partition's symbol.
pub(crate) const SYMBOL: &str = "symbol";
/// Column of the partition's date, unless files have one of their own.
pub(crate) const DATE: &str = "date";
/// Manifests that are read at once.
const MANIFESTS_AT_ONCE: usize = 16;

/// Manifests as they were first read: a query that names a table twice sees one state of it.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    read: Mutex<HashMap<TaskId, Option<Arc<Manifest>>>>,
}

/// A partition, with the values of its columns.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) task: TaskId,
    pub(crate) symbol: ScalarValue,
    pub(crate) date: ScalarValue,
}

/// Partitions of one stage, oldest symbol and date first.
#[derive(Debug)]
pub(crate) struct Partitions {
    lake: Lake,
    all: Vec<Partition>,
    manifests: Arc<Manifests>,
}

impl Partitions {
    pub(crate) fn new(lake: &Lake, tasks: Vec<TaskId>, manifests: &Arc<Manifests>) -> Result<Self> {
        let partition = |task: TaskId| {
            let symbol = ScalarValue::Utf8(Some(task.symbol.to_string()));
            let date = ScalarValue::try_from_string(task.date.to_string(), &DataType::Date32)?;
            Ok(Partition { task, symbol, date })
        };
        let all = tasks.into_iter().map(partition).collect::<Result<_>>()?;
        Ok(Self { lake: lake.clone(), all, manifests: Arc::clone(manifests) })
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Those for which every condition holds; each names no column but [`SYMBOL`] and the date's, called `date`.
    pub(crate) fn kept(&self, state: &dyn Session, conditions: &[&Expr], date: &str) -> Result<Vec<Partition>> {
        if conditions.is_empty() || self.all.is_empty() {
            return Ok(self.all.clone());
        }
        let schema =
            Schema::new(vec![Field::new(SYMBOL, DataType::Utf8, false), Field::new(date, DataType::Date32, false)]);
        let schema_of_names = DFSchema::try_from(schema.clone())?;
        let columns = vec![
            ScalarValue::iter_to_array(self.all.iter().map(|partition| partition.symbol.clone()))?,
            ScalarValue::iter_to_array(self.all.iter().map(|partition| partition.date.clone()))?,
        ];
        let batch = RecordBatch::try_new(Arc::new(schema), columns)?;
        let mut kept = vec![true; self.all.len()];
        for condition in conditions {
            let holds = state.create_physical_expr((*condition).clone(), &schema_of_names)?.evaluate(&batch)?;
            let holds = holds.into_array(batch.num_rows())?;
            let holds: &BooleanArray = holds.as_boolean();
            for (at, kept) in kept.iter_mut().enumerate() {
                *kept &= holds.is_valid(at) && holds.value(at);
            }
        }
        let kept = self.all.iter().zip(kept).filter(|(_, kept)| *kept);
        Ok(kept.map(|(partition, _)| partition.clone()).collect())
    }

    /// What stands in the lake of each; none where a partition was removed since it was listed.
    pub(crate) async fn manifests(&self, partitions: &[Partition]) -> Result<Vec<Option<Arc<Manifest>>>> {
        let read = |task: TaskId| async move {
            if let Some(known) = self.manifests.get(&task) {
                return Ok(known);
            }
            let (lake, asked) = (self.lake.clone(), task.clone());
            // The lake waits for its storage: on a thread that may wait.
            let manifest = tokio::task::spawn_blocking(move || lake.manifest(&asked)).await;
            let manifest = manifest.map_err(|error| Error::Query(format!("{task}: {error}")))?.map_err(Error::from)?;
            Ok(self.manifests.keep(task, manifest))
        };
        let tasks: Vec<TaskId> = partitions.iter().map(|partition| partition.task.clone()).collect();
        stream::iter(tasks).map(read).buffered(MANIFESTS_AT_ONCE).try_collect().await
    }
}

impl Manifests {
    fn get(&self, task: &TaskId) -> Option<Option<Arc<Manifest>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).get(task).cloned()
    }

    fn keep(&self, task: TaskId, manifest: Option<Manifest>) -> Option<Arc<Manifest>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(task).or_insert_with(|| manifest.map(Arc::new)).clone()
    }
}
