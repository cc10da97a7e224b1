//! The stages that the tests run: numbers of a text file, their sums, means of sums of days before, and tags in two data sets.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow::{
    array::{AsArray, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Int64Type, Schema},
};
use jiff::civil::Date;
use railbird_lake::{
    Contract, Edge, Error, FileSource, Graph, Lake, LakeOptions, Report, Request, Source, Sources, Stage, StageResult,
    Symbol, Work, Workers, run,
};
use railbird_timeline::SystemClock;

/// Dates that `means` looks back.
pub(crate) const BACK: usize = 3;
const ROWS_A_BATCH: usize = 1000;

/// What may differ between two graphs.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) factor: i64,
    pub(crate) means_code: &'static str,
    /// Counts the tasks that were really run.
    pub(crate) runs: Arc<AtomicUsize>,
}

impl Default for Form {
    fn default() -> Self {
        Self { factor: 2, means_code: "1", runs: Arc::default() }
    }
}

pub(crate) fn batch(columns: &[(&str, Vec<Option<i64>>)]) -> RecordBatch {
    let columns = columns.iter().map(|(name, values)| (*name, Arc::new(Int64Array::from(values.clone())) as _, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn contract(set: &str, columns: &[&str]) -> Contract {
    let fields: Vec<_> = columns.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
    Contract::new(set, Arc::new(Schema::new(fields))).unwrap().known_at("known_at").unwrap()
}

pub(crate) fn graph(form: &Form) -> Graph {
    let stage = |name: &str, code: &str, edges, outputs, run: fn(&mut Work<'_>, i64) -> StageResult| {
        let (factor, runs) = (form.factor, Arc::clone(&form.runs));
        let settings =
            if name == "sums" { BTreeMap::from([("factor".to_owned(), factor.to_string())]) } else { BTreeMap::new() };
        Stage {
            name: name.to_owned(),
            code: code.to_owned(),
            settings,
            edges,
            outputs,
            memory_bytes: 10_000_000,
            run: Arc::new(move |work| {
                runs.fetch_add(1, Ordering::SeqCst);
                run(work, factor)
            }),
        }
    };
    let same = |name: &str| Edge::same(name, &[name]);
    Graph::new(vec![
        stage("lines", "1", vec![Edge::Source], vec![contract("lines", &["known_at", "value"])], lines),
        stage("sums", "1", vec![same("lines")], vec![contract("sums", &["known_at", "sum"])], sums),
        stage(
            "means",
            form.means_code,
            vec![Edge::before("sums", "sums", BACK)],
            vec![contract("means", &["known_at", "mean", "days"])],
            means,
        ),
        stage(
            "tags",
            "1",
            vec![same("lines"), same("means")],
            vec![contract("tags", &["known_at", "above"]), contract("odd", &["known_at", "value"])],
            tags,
        ),
    ])
    .unwrap()
}

fn lines(work: &mut Work<'_>, _: i64) -> StageResult {
    let (mut known, mut values) = (Vec::new(), Vec::new());
    let name = work.source_name();
    let reader = BufReader::new(work.source()?);
    for (number, line) in reader.lines().enumerate() {
        let line = line?;
        let value = line.parse().map_err(|_| format!("{name}:{}: expected a number, found {line:?}", number + 1))?;
        known.push(Some(number as i64));
        values.push(Some(value));
        if known.len() == ROWS_A_BATCH {
            let rows = batch(&[("known_at", std::mem::take(&mut known)), ("value", std::mem::take(&mut values))]);
            work.write("lines", &rows)?;
        }
    }
    work.count("read", known.len() as i64)?;
    work.write("lines", &batch(&[("known_at", known), ("value", values)]))?;
    Ok(())
}

fn sums(work: &mut Work<'_>, factor: i64) -> StageResult {
    let (mut sum, mut last) = (0, None);
    for rows in work.table("lines")?.batches(Some(&["known_at", "value"]))? {
        let rows = rows?;
        sum += rows.column(1).as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        last = rows.column(0).as_primitive::<Int64Type>().iter().flatten().last().or(last);
    }
    Ok(work.write("sums", &batch(&[("known_at", vec![last]), ("sum", vec![Some(sum * factor)])]))?)
}

fn means(work: &mut Work<'_>, _: i64) -> StageResult {
    let (mut total, mut days) = (0, 0);
    let mut before = None;
    for (date, table) in work.tables_before("sums")? {
        assert!(before.is_none_or(|before| before < date) && date < work.task().date, "oldest first, all before");
        before = Some(date);
        total += table.whole(None)?.column_by_name("sum").unwrap().as_primitive::<Int64Type>().value(0);
        days += 1;
    }
    if days == 0 {
        // No row: the data set is there all the same.
        return Ok(());
    }
    let row = [("known_at", vec![Some(0)]), ("mean", vec![Some(total / days)]), ("days", vec![Some(days)])];
    Ok(work.write("means", &batch(&row))?)
}

fn tags(work: &mut Work<'_>, _: i64) -> StageResult {
    let mean = work.table("means")?.whole(Some(&["mean"]))?;
    let mean = mean.column(0).as_primitive::<Int64Type>().iter().flatten().next().unwrap_or(0);
    let lines = work.table("lines")?;
    for rows in lines.batches(None)? {
        let rows = rows?;
        let column = |name| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter();
        let known: Vec<_> = column("known_at").collect();
        let above = column("value").map(|value| value.map(|value| i64::from(value > mean))).collect();
        work.write("tags", &batch(&[("known_at", known), ("above", above)]))?;
        let odd: Vec<_> =
            column("known_at").zip(column("value")).filter(|(_, v)| v.is_some_and(|v| v % 2 != 0)).collect();
        let (known, values) = odd.into_iter().unzip();
        work.write("odd", &batch(&[("known_at", known), ("value", values)]))?;
    }
    Ok(())
}

/// Text files `<date>.txt` of a folder, of whichever symbol.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Sources for Folder {
    fn dates(&self, _: &Symbol) -> Result<Vec<Date>, Error> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        Ok(names.filter_map(|name| name.strip_suffix(".txt")?.parse().ok()).collect())
    }

    fn source(&self, _: &Symbol, date: Date) -> Result<Option<Arc<dyn Source>>, Error> {
        let path = self.0.join(format!("{date}.txt"));
        Ok(path.is_file().then(|| Arc::new(FileSource::new(path)) as _))
    }
}

pub(crate) fn date(day: i8) -> Date {
    Date::new(2024, 3, day).unwrap()
}

/// Writes sources of `days` days, with gaps as over weekends, `rows` lines each.
pub(crate) fn write_sources(folder: &Path, days: i8, rows: usize) {
    fs::create_dir_all(folder).unwrap();
    for day in (1..=days).filter(|day| day % 7 < 5) {
        write_source(folder, day, rows, 0);
    }
}

pub(crate) fn write_source(folder: &Path, day: i8, rows: usize, shift: i64) {
    let mut state = day as u64;
    let mut text = String::new();
    for _ in 0..rows {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{}\n", (state >> 44) as i64 + shift));
    }
    fs::write(folder.join(format!("{}.txt", date(day))), text).unwrap();
}

pub(crate) fn request(stages: &[&str]) -> Request {
    Request {
        symbols: vec![Symbol::new("SIM").unwrap()],
        from: date(1),
        to: date(31),
        stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
        verify: false,
    }
}

pub(crate) fn options() -> LakeOptions {
    LakeOptions::new(Arc::new(SystemClock::new()))
}

pub(crate) fn open(root: &Path) -> Lake {
    Lake::open(root.to_str().unwrap(), &options()).unwrap()
}

pub(crate) fn run_on(lake: &Lake, form: &Form, sources: &Path, request: &Request, workers: usize) -> Report {
    try_run_on(lake, form, sources, request, workers).unwrap()
}

pub(crate) fn try_run_on(
    lake: &Lake,
    form: &Form,
    sources: &Path,
    request: &Request,
    workers: usize,
) -> Result<Report, Error> {
    let workers = |_| Workers { count: workers, why: "the test says so".to_owned() };
    let sources = Folder(sources.to_owned());
    run(lake, &graph(form), &sources, request, workers, &SystemClock::new(), &|_| ())
}
