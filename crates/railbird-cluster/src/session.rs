//! A lake, opened for queries. Start at [`Sql::open`].

use std::{collections::BTreeMap, fmt, sync::Arc};

use datafusion::{
    catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider as _},
    error::DataFusionError,
    execution::{
        SessionState, SessionStateBuilder,
        context::{SQLOptions, SessionContext},
        memory_pool::{FairSpillPool, TrackConsumersPool},
        object_store::ObjectStoreUrl,
        runtime_env::RuntimeEnvBuilder,
    },
    prelude::SessionConfig,
    sql::{parser::Statement, sqlparser::ast::Statement as Ast},
};
use railbird_lake::{Lake, Stage, TaskId};

use crate::{
    Error, Rows,
    in_order::InOrder,
    partitions::{Manifests, Partitions},
    place,
    rows::Counters,
    table::{LakeTable, STORE_URL},
};

/// Catalog of the tables.
const CATALOG: &str = "railbird";
/// Schema of the tables.
const SCHEMA: &str = "lake";
/// Consumers of memory that are named where it does not suffice.
const CONSUMERS_NAMED: std::num::NonZeroUsize = std::num::NonZeroUsize::new(3).expect("3 is not 0");
/// What `SHOW TABLES` means: the tables of the lake, and not those that describe them.
const SHOW_TABLES: &str =
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'lake' ORDER BY table_name";

/// How a lake is opened for queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlOptions {
    /// Memory that sorts, joins and groups may hold together, bytes; what exceeds it goes to temporary files, where that can be.
    pub memory_bytes: usize,
    /// Parts of a query that run at once. With one, an answer is the same every time. With more, rows that no `ORDER BY` puts in order
    /// come in any, and sums of fractions may differ in their last digits.
    pub partitions: usize,
}

/// A lake whose data sets are tables.
pub struct Sql {
    lake: Lake,
    options: SqlOptions,
    tables: BTreeMap<String, KnownTable>,
}

/// What is known of a table before a query.
struct KnownTable {
    set: String,
    schema: arrow::datatypes::SchemaRef,
    tasks: Vec<TaskId>,
}

impl Sql {
    /// Lists the lake's partitions; no manifest is read yet but one a stage that `stages` does not hold.
    ///
    /// A data set is a table of its name, with the columns of its contract in `stages`; of a stage that is not among them, with those of the
    /// files of its last partition. Waits for the lake's storage: not to be called from asynchronous code.
    ///
    /// # Errors
    /// [`Error::Lake`].
    pub fn open(lake: &Lake, stages: &[Stage], options: SqlOptions) -> Result<Self, Error> {
        let mut by_stage: BTreeMap<String, Vec<TaskId>> = BTreeMap::new();
        for task in lake.tasks(None, None)? {
            by_stage.entry(task.stage.clone()).or_default().push(task);
        }
        let mut tables = BTreeMap::new();
        let mut add = |set: &str, schema: &arrow::datatypes::SchemaRef, stage: &str, tasks: &[TaskId]| {
            // Two graphs in one lake may use one name.
            let name = if tables.contains_key(set) { format!("{stage}_{set}") } else { set.to_owned() };
            let table = KnownTable { set: set.to_owned(), schema: Arc::clone(schema), tasks: tasks.to_vec() };
            tables.insert(name, table);
        };
        for stage in stages {
            let Some(tasks) = by_stage.remove(&stage.name) else { continue };
            for contract in &stage.outputs {
                add(contract.set(), contract.schema(), &stage.name, &tasks);
            }
        }
        for (stage, tasks) in &by_stage {
            let newest = tasks.iter().max_by_key(|task| (task.date, &task.symbol));
            let Some(manifest) = newest.map(|task| lake.manifest(task)).transpose()?.flatten() else { continue };
            for output in &manifest.outputs {
                add(&output.set, lake.table(&manifest, &output.set)?.schema(), stage, tasks);
            }
        }
        Ok(Self { lake: lake.clone(), options, tables })
    }

    /// Names of the tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Begins a query: one statement that reads.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::UnknownTable`], [`Error::ReadOnly`], [`Error::Lake`] or what hinders the beginning.
    pub async fn query(&self, sql: &str) -> Result<Rows, Error> {
        if sql.trim().is_empty() {
            return Err(Error::Sql("expected a statement, found none".to_owned()));
        }
        let read = Arc::new(Counters::default());
        let state = self.session(&read).map_err(|error| self.of_run(&error))?.state();
        let wrong = |error: DataFusionError| Error::Sql(place::told(sql, &error));
        let parse = |text: &str| state.sql_to_statement(text, &state.config_options().sql_parser.dialect);
        let mut statement = parse(sql).map_err(wrong)?;
        only_reads(&statement)?;
        if is_show_tables(&statement) {
            statement = parse(SHOW_TABLES).map_err(wrong)?;
        }
        self.only_known_tables(&state, &statement)?;
        let plan = state.statement_to_plan(statement).await.map_err(wrong)?;
        let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reads.verify_plan(&plan).map_err(wrong)?;
        let plan = state.create_physical_plan(&plan).await.map_err(|error| self.of_plan(sql, &error))?;
        Rows::begin(&plan, &state.task_ctx(), read, self.options.memory_bytes)
    }

    /// A session for one query, so that all it reads is of one state of the lake.
    fn session(&self, read: &Arc<Counters>) -> Result<SessionContext, DataFusionError> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true)
            .with_target_partitions(self.options.partitions.max(1));
        config.options_mut().sql_parser.collect_spans = true;
        let pool = TrackConsumersPool::new(FairSpillPool::new(self.options.memory_bytes), CONSUMERS_NAMED);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?;
        let objects = self.lake.objects().map_err(|error| DataFusionError::from(Error::from(error)))?;
        runtime.register_object_store(ObjectStoreUrl::parse(STORE_URL)?.as_ref(), Arc::clone(&objects.store));
        let schema = MemorySchemaProvider::new();
        let manifests = Arc::new(Manifests::default());
        for (name, table) in &self.tables {
            let partitions = Partitions::new(&self.lake, table.tasks.clone(), &manifests)?;
            let table = LakeTable::new(&table.set, &table.schema, partitions, objects.clone(), Arc::clone(read));
            schema.register_table(name.clone(), Arc::new(table))?;
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(schema))?;
        let mut state = SessionStateBuilder::new_with_default_features().with_config(config).with_runtime_env(runtime);
        if self.options.partitions <= 1 {
            state = state.with_physical_optimizer_rule(Arc::new(InOrder));
        }
        let context = SessionContext::new_with_state(state.build());
        context.register_catalog(CATALOG, Arc::new(catalog));
        Ok(context)
    }

    fn only_known_tables(&self, state: &SessionState, statement: &Statement) -> Result<(), Error> {
        let Ok(named) = state.resolve_table_references(statement) else { return Ok(()) };
        let unknown = named.iter().find(|table| {
            let schema = table.schema().unwrap_or(SCHEMA);
            schema == SCHEMA && !self.tables.contains_key(table.table())
        });
        match unknown {
            None => Ok(()),
            Some(table) => {
                let known: Vec<&str> = self.tables().collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Error::UnknownTable { found: table.table().to_owned(), known })
            }
        }
    }

    /// What goes wrong on the way to a plan is the query's fault or the lake's.
    fn of_plan(&self, sql: &str, error: &DataFusionError) -> Error {
        match error.find_root() {
            DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::NotImplemented(_) => {
                Error::Sql(place::told(sql, error))
            }
            _ => self.of_run(error),
        }
    }

    fn of_run(&self, error: &DataFusionError) -> Error {
        Error::of_run(error, self.options.memory_bytes)
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<&str> = self.tables().collect();
        out.debug_struct("Sql").field("lake", &self.lake).field("tables", &tables).finish_non_exhaustive()
    }
}

/// Refuses all but reading, before anything is planned.
fn only_reads(statement: &Statement) -> Result<(), Error> {
    let (reads, text) = match statement {
        Statement::Explain(explained) => return only_reads(&explained.statement),
        Statement::Statement(ast) => (is_read(ast), ast.to_string()),
        other => (false, other.to_string()),
    };
    if reads {
        return Ok(());
    }
    let statement = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    Err(Error::ReadOnly { statement })
}

fn is_read(ast: &Ast) -> bool {
    match ast {
        Ast::Query(_)
        | Ast::ShowTables { .. }
        | Ast::ShowColumns { .. }
        | Ast::ShowFunctions { .. }
        | Ast::ShowVariable { .. }
        | Ast::ExplainTable { .. } => true,
        Ast::Explain { statement, .. } => is_read(statement),
        _ => false,
    }
}

fn is_show_tables(statement: &Statement) -> bool {
    matches!(statement, Statement::Statement(ast) if matches!(**ast, Ast::ShowTables { .. }))
}
