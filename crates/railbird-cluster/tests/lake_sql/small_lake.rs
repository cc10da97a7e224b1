//! A lake of three symbols and five dates: quotes, whose files hold rows of another symbol too, and what the days come to.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray},
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit},
};
use jiff::civil::Date;
use railbird_cluster::{Error, ReadSoFar, Sql, SqlOptions};
use railbird_lake::{
    Contract, Edge, FileSource, Graph, Lake, LakeOptions, Request, Source, Sources, Stage, StageResult, Symbol, Work,
    Workers, run,
};
use railbird_timeline::SystemClock;
use tempfile::TempDir;

pub(crate) const SYMBOLS: [&str; 3] = ["AAA", "BBB", "C.C"];
pub(crate) const DAYS: std::ops::RangeInclusive<i8> = 4..=8;
/// Rows of a symbol and date, beside which stand a quarter as many of another symbol.
pub(crate) const ROWS: i64 = 40;
/// Memory that suffices.
const MEMORY_BYTES: usize = 256 << 20;

/// A quote, reckoned from its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quote {
    pub(crate) symbol: String,
    pub(crate) date: String,
    pub(crate) known_at: i64,
    pub(crate) price: Option<f64>,
    pub(crate) size: i64,
    pub(crate) note: Option<String>,
}

/// Which version of the quotes' stage wrote a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Without `size` and `note`.
    Earlier,
    Today,
    /// With a text for `size`.
    Clashing,
}

pub(crate) fn date(day: i8) -> Date {
    Date::new(2024, 3, day).unwrap()
}

pub(crate) fn quote(symbol: &str, day: i8, row: i64) -> Quote {
    let number = i64::try_from(SYMBOLS.iter().position(|other| *other == symbol).unwrap()).unwrap();
    Quote {
        symbol: symbol.to_owned(),
        date: date(day).to_string(),
        known_at: (i64::from(day) * 1000 + row) * 1_000_000_000,
        price: (row % 5 != 0).then(|| (number * 100 + i64::from(day)) as f64 + row as f64 / 8.0),
        size: (row * 7 + number) % 50,
        note: (row % 3 == 0).then(|| format!("row, \"{row}\"\nof {symbol}")),
    }
}

/// All quotes, in order of symbol, date and time.
pub(crate) fn quotes() -> Vec<Quote> {
    let days = SYMBOLS.iter().flat_map(|symbol| DAYS.map(move |day| (*symbol, day)));
    days.flat_map(|(symbol, day)| (0..ROWS).map(move |row| quote(symbol, day, row))).collect()
}

fn contract(set: &str, fields: Vec<Field>) -> Contract {
    Contract::new(set, Arc::new(Schema::new(fields))).unwrap().known_at("known_at").unwrap()
}

/// Quotes, what a day comes to, and a set that no day has a row of.
pub(crate) fn graph(version: Version) -> Graph {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("symbol", DataType::Utf8, false),
        Field::new("known_at", time.clone(), false),
        Field::new("price", DataType::Float64, true),
    ];
    match version {
        Version::Earlier => {}
        Version::Today => fields.push(Field::new("size", DataType::Int64, false)),
        Version::Clashing => fields.push(Field::new("size", DataType::Utf8, false)),
    }
    if version != Version::Earlier {
        fields.push(Field::new("note", DataType::Utf8, true));
    }
    let stage = |name: &str, edges, outputs, run: fn(&mut Work<'_>, Version) -> StageResult| Stage {
        name: name.to_owned(),
        code: format!("{version:?}"),
        settings: BTreeMap::new(),
        edges,
        outputs,
        memory_bytes: 1_000_000,
        run: Arc::new(move |work| run(work, version)),
    };
    let days = vec![
        Field::new("known_at", time.clone(), false),
        Field::new("rows", DataType::Int64, false),
        Field::new("price_mean", DataType::Float64, true),
    ];
    // With a date of its own, which is not the partition's.
    let halts = vec![Field::new("known_at", time, false), Field::new("date", DataType::Utf8, true)];
    Graph::new(vec![
        stage("quotes", vec![Edge::Source], vec![contract("quotes", fields)], write_quotes),
        stage(
            "days",
            vec![Edge::same("quotes", &["quotes"])],
            vec![contract("days", days), contract("halts", halts)],
            write_days,
        ),
    ])
    .unwrap()
}

fn write_quotes(work: &mut Work<'_>, version: Version) -> StageResult {
    let task = work.task().clone();
    let own = (0..ROWS).map(|row| quote(task.symbol.as_str(), task.date.day(), row));
    // Every fourth row is followed by one of an instrument that stood in the same source.
    let with_others = own.flat_map(|own| {
        let other = Quote { symbol: "ZZZ".to_owned(), size: 1_000_000, ..own.clone() };
        let is_followed = own.known_at / 1_000_000_000 % 4 == 0;
        std::iter::once(own).chain(is_followed.then_some(other))
    });
    let rows: Vec<Quote> = with_others.collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.symbol))),
        Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(|row| row.known_at)).with_timezone("UTC")),
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.price))),
    ];
    match version {
        Version::Earlier => {}
        Version::Today => columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.size)))),
        Version::Clashing => {
            columns.push(Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.size.to_string()))));
        }
    }
    if version != Version::Earlier {
        columns.push(Arc::new(StringArray::from_iter(rows.iter().map(|row| row.note.as_ref()))));
    }
    let schema = graph(version).stages()[0].outputs[0].schema().clone();
    Ok(work.write("quotes", &RecordBatch::try_new(schema, columns)?)?)
}

fn write_days(work: &mut Work<'_>, _: Version) -> StageResult {
    let symbol = work.task().symbol.to_string();
    let rows = work.table("quotes")?.whole(Some(&["symbol", "known_at", "price"]))?;
    let own = rows.column(0).as_string::<i32>().iter().map(|other| other == Some(symbol.as_str()));
    let prices = rows.column(2).as_primitive::<Float64Type>().iter();
    let own: Vec<Option<f64>> = prices.zip(own).filter(|(_, own)| *own).map(|(price, _)| price).collect();
    let known: Vec<f64> = own.iter().flatten().copied().collect();
    // One symbol has a day without a mean.
    let mean = (symbol != "C.C").then(|| known.iter().sum::<f64>() / known.len() as f64);
    let last = rows.column(1).as_primitive::<arrow::datatypes::TimestampNanosecondType>().values().last().copied();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampNanosecondArray::from_iter_values(last).with_timezone("UTC")),
        Arc::new(Int64Array::from(vec![own.len() as i64])),
        Arc::new(Float64Array::from(vec![mean])),
    ];
    let schema = graph(Version::Today).stages()[1].outputs[0].schema().clone();
    Ok(work.write("days", &RecordBatch::try_new(schema, columns)?)?)
}

/// One small file, of every symbol and date.
struct AnySource(TempDir);

impl Sources for AnySource {
    fn dates(&self, _: &Symbol) -> Result<Vec<Date>, railbird_lake::Error> {
        Ok(DAYS.map(date).collect())
    }

    fn source(&self, _: &Symbol, _: Date) -> Result<Option<Arc<dyn Source>>, railbird_lake::Error> {
        let path = self.0.path().join("source");
        fs::write(&path, "rows are reckoned").unwrap();
        Ok(Some(Arc::new(FileSource::new(path))))
    }
}

/// Writes the partitions of some symbols and days.
pub(crate) fn write(lake: &Lake, version: Version, symbols: &[&str], days: std::ops::RangeInclusive<i8>) {
    let request = Request {
        symbols: symbols.iter().map(|symbol| Symbol::new(symbol).unwrap()).collect(),
        from: date(*days.start()),
        to: date(*days.end()),
        stages: Vec::new(),
        verify: false,
    };
    let sources = AnySource(tempfile::tempdir().unwrap());
    let workers = |_| Workers { count: 2, why: "the test says so".to_owned() };
    let report = run(lake, &graph(version), &sources, &request, workers, &SystemClock::new(), &|_| ()).unwrap();
    assert!(report.failed.is_empty(), "{:?}", report.failed);
}

pub(crate) fn options() -> LakeOptions {
    LakeOptions::new(Arc::new(SystemClock::new()))
}

pub(crate) fn open(root: &Path) -> Lake {
    Lake::open(root.to_str().unwrap(), &options()).unwrap()
}

/// The whole lake in a temporary folder.
pub(crate) fn whole() -> (TempDir, Lake) {
    let home = tempfile::tempdir().unwrap();
    let lake = open(home.path());
    write(&lake, Version::Today, &SYMBOLS, DAYS);
    (home, lake)
}

/// How a query is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) memory_bytes: usize,
    pub(crate) threads: usize,
    pub(crate) partitions: usize,
}

impl Default for Way {
    fn default() -> Self {
        Self { memory_bytes: MEMORY_BYTES, threads: 2, partitions: 1 }
    }
}

/// The whole answer, and what was read for it.
pub(crate) fn ask_in(lake: &Lake, way: Way, sql: &str) -> Result<(RecordBatch, ReadSoFar), Error> {
    let options = SqlOptions { memory_bytes: way.memory_bytes, partitions: way.partitions };
    let tables = Sql::open(lake, graph(Version::Today).stages(), options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(way.threads)
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()
        .unwrap();
    let ask = async move {
        let mut rows = tables.query(sql).await?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await? {
            batches.push(batch);
        }
        Ok((arrow::compute::concat_batches(rows.schema(), &batches).unwrap(), rows.read()))
    };
    // On a thread of its own: planning in a debug build wants more stack than the threads of tests have.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(32 << 20);
        thread.spawn_scoped(scope, || runtime.block_on(ask)).unwrap().join().unwrap()
    })
}

pub(crate) fn ask(lake: &Lake, sql: &str) -> Result<(RecordBatch, ReadSoFar), Error> {
    ask_in(lake, Way::default(), sql)
}

/// Rows as text, columns parted by bars, `-` where missing.
pub(crate) fn told(batch: &RecordBatch) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::default().with_null("-");
    let columns = batch.columns().iter();
    let columns: Vec<_> =
        columns.map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(row).collect()
}

/// A column of whole numbers.
pub(crate) fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
}
