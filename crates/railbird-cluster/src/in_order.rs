//! Partitions of a plan one after another. Start at [`InOrder`].
//!
//! DataFusion gathers partitions as they come, so that a `UNION ALL` has its rows in another order each time and the last digits of a sum
//! over it change with the scheduler. Gathered in their order, one query has one answer.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion},
    },
    execution::TaskContext,
    physical_expr::PhysicalExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, PlanProperties,
        SendableRecordBatchStream, coalesce_partitions::CoalescePartitionsExec, limit::GlobalLimitExec,
        stream::RecordBatchStreamAdapter,
    },
};
use futures_util::{StreamExt as _, stream};

/// Puts [`InOrderExec`] where partitions are gathered as they come.
#[derive(Debug)]
pub(crate) struct InOrder;

impl PhysicalOptimizerRule for InOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let replace = |plan: Arc<dyn ExecutionPlan>| {
            let Some(gather) = plan.downcast_ref::<CoalescePartitionsExec>() else { return Ok(Transformed::no(plan)) };
            let in_order: Arc<dyn ExecutionPlan> = Arc::new(InOrderExec::new(Arc::clone(gather.input())));
            Ok(Transformed::yes(match gather.fetch() {
                Some(rows) => Arc::new(GlobalLimitExec::new(in_order, 0, Some(rows))),
                None => in_order,
            }))
        };
        plan.transform_up(replace).data()
    }

    fn name(&self) -> &str {
        "partitions_in_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// All rows of the first partition, then all of the second, and so on.
#[derive(Debug)]
struct InOrderExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl InOrderExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let gather = CoalescePartitionsExec::new(Arc::clone(&input));
        Self { input, properties: Arc::clone(gather.properties()) }
    }
}

impl DisplayAs for InOrderExec {
    fn fmt_as(&self, _form: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("InOrderExec")
    }
}

impl ExecutionPlan for InOrderExec {
    fn name(&self) -> &str {
        "InOrderExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0))))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let begin = |partition| self.input.execute(partition, Arc::clone(&context));
        let partitions = 0..self.input.output_partitioning().partition_count();
        let streams = partitions.map(begin).collect::<Result<Vec<_>>>()?;
        let rows = stream::iter(streams).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows)))
    }
}
