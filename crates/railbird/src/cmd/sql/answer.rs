//! A statement, its lake, and where the rows go. Start at [`run`].

use std::{
    io::{self, IsTerminal as _, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use railbird_book::{BarClock, BarSize, EventEnds, Instruments, StageRules, stages};
use railbird_cluster::{ColumnKind, Encoder, Error, ReadSoFar, RowForm, Rows, SqlOptions};
use railbird_lake::{Lake, Machine, Stage, Work};
use railbird_store::AtomicFile;
use railbird_timeline::{Clock, Stopwatch, SystemClock};
use serde::Serialize;
use tokio::{runtime::Runtime, sync::Notify};

use super::{Format, Sql, told::TextTable};
use crate::{
    cmd::{Context, book, lake},
    failure::{Failure, Outcome},
};

/// Largest file of SQL, bytes.
const SQL_BYTES_MAX: u64 = 1 << 20;
/// Memory of a query where the platform does not tell what is free, bytes.
const MEMORY_BYTES: u64 = 1 << 30;
/// Part of the free memory that a query may hold by itself.
const FREE_SHARE: u64 = 2;
/// Rows of a table on a terminal, and elsewhere.
const TABLE_ROWS: (usize, usize) = (40, 1000);
/// Stack of a thread that plans and runs, bytes: deep conditions are planned by recursion.
const STACK_BYTES: usize = 8 << 20;

/// What is told of rows that went to a file.
#[derive(Serialize)]
struct Written {
    out: PathBuf,
    format: &'static str,
    columns: Vec<ColumnKind>,
    #[serde(flatten)]
    end: End,
}

/// What is told after the rows.
#[derive(Debug, Clone, Serialize)]
struct End {
    row_count: u64,
    /// Whether there are more than `--limit-rows` let through.
    more: bool,
    read: ReadSoFar,
    seconds: f64,
}

/// Answers.
pub(super) fn run(context: &Context, arguments: &Sql) -> Result<Outcome, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let target = Target::of(arguments, context.output.json)?;
    let sql = statement(arguments)?;
    let location = match &arguments.lake {
        Some(location) => location.clone(),
        None => book::lake_folder(&context.settings).display().to_string(),
    };
    let opened = Lake::existing(&location, &lake::options(Arc::clone(&clock))).map_err(lake::failure)?;
    let options = SqlOptions { memory_bytes: memory_bytes(arguments), partitions: arguments.partitions.max(1) };
    let mut watch = Stopwatch::start(&*clock);
    let tables = railbird_cluster::Sql::open(&opened, &book_stages()?, options).map_err(failure)?;
    let session = Session::begin(context)?;
    let rows = session.wait(async move { tables.query(&sql).await })?;
    let mut answer = Answer { session: &session, rows: Some(rows), left: arguments.limit_rows, end: None };
    let mut end = match &target {
        Target::Table => table(context, &mut answer)?,
        Target::Document => document(context, &mut answer, &mut watch)?,
        Target::Standard(form) => {
            answer.each(*form, |bytes| context.output.bytes(bytes))?;
            answer.end()?
        }
        Target::File(form, path) => file(&mut answer, *form, path)?,
    };
    end.seconds += watch.lap().as_secs_f64();
    if let Target::File(form, path) = &target {
        let columns = answer.rows()?.columns();
        let written = Written { out: path.clone(), format: form.name(), columns, end: end.clone() };
        context.output.write(&written, |written| {
            format!("{}: {} rows of {} columns", written.out.display(), written.end.row_count, written.columns.len())
        })?;
    }
    if end.more && !matches!(target, Target::Table) {
        context.output.note(&format!("railbird: {} rows given; there are more", end.row_count));
    }
    if context.verbose {
        let read = end.read;
        context.output.note(&format!(
            "{} of {} partitions, {} files, {:.1} MB read, {:.2} s",
            read.partitions_kept,
            read.partitions,
            read.files,
            read.bytes as f64 / 1e6,
            end.seconds
        ));
    }
    Ok(Outcome::Done)
}

/// Where the rows go.
enum Target {
    Table,
    /// One JSON document on standard output.
    Document,
    Standard(RowForm),
    File(RowForm, PathBuf),
}

impl Target {
    fn of(arguments: &Sql, json: bool) -> Result<Self, Failure> {
        let ending = arguments.out.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
        let format = arguments.format.or(match ending {
            Some("csv") => Some(Format::Csv),
            Some("json") => Some(Format::Json),
            Some("parquet") => Some(Format::Parquet),
            _ => None,
        });
        let form = match format {
            Some(Format::Csv) => Some(RowForm::Csv),
            Some(Format::Json) => Some(RowForm::Json),
            Some(Format::Parquet) => Some(RowForm::Parquet),
            Some(Format::Table) | None => None,
        };
        match (&arguments.out, form) {
            (Some(path), Some(form)) => Ok(Self::File(form, path.clone())),
            (Some(path), None) => Err(Failure::usage(format!(
                "--out {}: expected --format csv, json or parquet, or a name that ends so",
                path.display()
            ))),
            (None, Some(form)) if json => {
                let form = form.name();
                Err(Failure::usage(format!("--json gives its own document; with --format {form} it needs --out FILE")))
            }
            (None, None) if json => Ok(Self::Document),
            (None, Some(RowForm::Parquet)) if io::stdout().is_terminal() => {
                Err(Failure::usage("--format parquet: a terminal shows no bytes; name a file with --out"))
            }
            (None, Some(form)) => Ok(Self::Standard(form)),
            (None, None) => Ok(Self::Table),
        }
    }
}

/// Threads, and the wish to stop.
struct Session {
    runtime: Option<Runtime>,
    stop: Arc<Notify>,
}

impl Session {
    fn begin(context: &Context) -> Result<Self, Failure> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let threads = context.settings.size("threads");
        if threads > 0 {
            // One more, which hears Ctrl-C while the others compute.
            builder.worker_threads(threads + 1);
        }
        let runtime = builder.thread_name("sql").thread_stack_size(STACK_BYTES).enable_all().build()?;
        let stop = Arc::new(Notify::new());
        let asked = Arc::clone(&stop);
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                asked.notify_one();
            }
        });
        Ok(Self { runtime: Some(runtime), stop })
    }

    /// Waits for a step of the query, unless Ctrl-C ends it. A step runs on a thread of its own: a join may compute for minutes before it
    /// looks up.
    fn wait<T: Send + 'static>(
        &self,
        step: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(runtime) = &self.runtime else { return Err(Failure::from(anyhow!("the query has ended"))) };
        let step = runtime.spawn(step);
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.notified() => Err(Failure::from(anyhow!("stopped by Ctrl-C; no file was written"))),
                done = step => done?.map_err(failure),
            }
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What still computes after Ctrl-C is not waited for: it ends with the process.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Rows up to a limit.
struct Answer<'s> {
    session: &'s Session,
    /// None while a step is under way.
    rows: Option<Rows>,
    left: Option<usize>,
    end: Option<End>,
}

impl Answer<'_> {
    fn rows(&self) -> Result<&Rows, Failure> {
        self.rows.as_ref().ok_or_else(|| Failure::from(anyhow!("the query was stopped")))
    }

    fn schema(&self) -> Result<SchemaRef, Failure> {
        Ok(Arc::clone(self.rows()?.schema()))
    }

    /// The next rows within the limit.
    fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        let Some(mut rows) = self.rows.take() else { return Ok(None) };
        let (rows, batch) = self.session.wait(async move {
            let batch = rows.next().await?;
            Ok((rows, batch))
        })?;
        self.rows = Some(rows);
        let Some(batch) = batch else { return Ok(None) };
        let rows = self.left.map_or(batch.num_rows(), |left| left.min(batch.num_rows()));
        let end = self.end.get_or_insert_with(End::none);
        end.more |= rows < batch.num_rows();
        end.row_count += rows as u64;
        self.left = self.left.map(|left| left - rows);
        Ok((rows > 0).then(|| batch.slice(0, rows)))
    }

    /// All rows as bytes of a form.
    fn each(&mut self, form: RowForm, mut put: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut encoder = Encoder::begin(form, &self.schema()?).map_err(failure)?;
        while let Some(batch) = self.next()? {
            put(&encoder.encode(&batch).map_err(failure)?)?;
        }
        put(&encoder.finish().map_err(failure)?)
    }

    fn end(&mut self) -> Result<End, Failure> {
        let mut end = self.end.take().unwrap_or_else(End::none);
        end.read = self.rows()?.read();
        Ok(end)
    }
}

impl End {
    fn none() -> Self {
        let read = ReadSoFar { partitions: 0, partitions_kept: 0, files: 0, bytes: 0 };
        Self { row_count: 0, more: false, read, seconds: 0.0 }
    }
}

/// The first rows as columns of text, and how many more there are.
fn table(context: &Context, answer: &mut Answer<'_>) -> Result<End, Failure> {
    let most = answer.left.take().unwrap_or(if io::stdout().is_terminal() { TABLE_ROWS.0 } else { TABLE_ROWS.1 });
    let mut text = TextTable::new(&answer.schema()?);
    while let Some(batch) = answer.next()? {
        let shown = most.saturating_sub(text.rows()).min(batch.num_rows());
        text.add(&batch.slice(0, shown))?;
    }
    context.output.text(&text.to_string())?;
    let mut end = answer.end()?;
    let more = end.row_count.saturating_sub(text.rows() as u64);
    end.more = more > 0;
    if more > 0 {
        context.output.note(&format!(
            "railbird: {more} more rows; --limit-rows N shows more, --format csv, json or parquet gives all"
        ));
    }
    Ok(end)
}

/// Columns, rows and their number as one JSON document, which is said once it is whole: a query that fails says only that.
fn document(context: &Context, answer: &mut Answer<'_>, watch: &mut Stopwatch<'_>) -> Result<End, Failure> {
    let mut spool = Work::spool().context("a temporary file")?;
    spool.write_all(b"{\n\"columns\": ")?;
    spool.write_all(&serde_json::to_vec(&answer.rows()?.columns())?)?;
    spool.write_all(b",\n\"rows\": ")?;
    answer.each(RowForm::Json, |bytes| Ok(spool.write_all(bytes)?))?;
    let mut end = answer.end()?;
    end.seconds = watch.lap().as_secs_f64();
    // The members of the end, after those above.
    let members = serde_json::to_string(&end)?;
    writeln!(spool, ",\n{}", members.trim_start_matches('{'))?;
    spool.rewind()?;
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = spool.read(&mut piece)?;
        if length == 0 {
            return Ok(end);
        }
        context.output.bytes(&piece[..length])?;
    }
}

/// All rows as a file that is whole or not there.
fn file(answer: &mut Answer<'_>, form: RowForm, path: &Path) -> Result<End, Failure> {
    let wrong = || Failure::usage(format!("--out {}: expected the name of a file", path.display()));
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = AtomicFile::begin(folder)?;
    answer.each(form, |bytes| Ok(file.write_all(bytes).with_context(|| path.display().to_string())?))?;
    file.commit(name)?;
    answer.end()
}

/// The statement, from the command line or a file.
fn statement(arguments: &Sql) -> Result<String, Failure> {
    let Some(path) = &arguments.file else { return Ok(arguments.sql.clone().unwrap_or_default()) };
    let bytes = railbird_store::read_bounded(path, SQL_BYTES_MAX).map_err(Failure::refused)?;
    String::from_utf8(bytes).map_err(|_| Failure::refused_because(format!("{}: not UTF-8", path.display())))
}

fn memory_bytes(arguments: &Sql) -> usize {
    let free = || Machine::look().free_bytes.map_or(MEMORY_BYTES, |free| free / FREE_SHARE);
    usize::try_from(arguments.memory.unwrap_or_else(free)).unwrap_or(usize::MAX)
}

/// The stages whose contracts say what columns tables have: these do not depend on the instrument.
fn book_stages() -> Result<Vec<Stage>, Failure> {
    let table = Instruments::built_in();
    let instrument = table.find("").ok_or_else(|| anyhow!("the table of instruments has no default"))?.clone();
    let rules = StageRules {
        instrument,
        size: "5s".parse::<BarSize>()?,
        clock: BarClock::Event,
        ends: EventEnds::Flag,
        compression: 0,
        opening_minutes: railbird_book::OPENING_MINUTES,
        user: Vec::new(),
    };
    Ok(stages(&rules)?.stages().to_vec())
}

/// A query that is wrong is wrong usage, a file that does not fit is refused, all else failed.
fn failure(error: Error) -> Failure {
    match error {
        Error::Lake(error) => match Arc::try_unwrap(error) {
            Ok(error) => lake::failure(error),
            Err(error) => Failure::from(anyhow!(error.to_string())),
        },
        error if error.is_usage() => Failure::usage(error.to_string()),
        error if error.is_refusal() => Failure::refused(error),
        error => Failure::from(error),
    }
}
