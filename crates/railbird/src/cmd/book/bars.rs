//! `railbird book bars`: files of ticks to Parquet files of bars.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use railbird_book::{BarClock, BarSize, BarsError, BarsOptions, BarsReport, EventEnds, Shelf, TableForm, bars};
use railbird_store::AtomicFile;
use railbird_timeline::{Clock, SystemClock};
use serde::Serialize;

use super::input::{InstrumentFlags, Known, open};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
    stages::Stages,
};

/// `railbird book bars`.
#[derive(Debug, Args)]
pub(crate) struct Bars {
    /// Files of ticks: DBN, Parquet or CSV, as they are or compressed with Zstandard
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder for the bars, NAME.bars.parquet for each file; made where it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// When a bar ends: a time such as 5s, 250ms, 1m, or 1000t (trades), 50000v (volume), 1000000usd (turnover)
    #[arg(long, default_value = "5s", value_name = "SIZE")]
    bar: BarSize,
    /// Rows that end an event: those with F_LAST, or every row for sources without it
    #[arg(long, value_enum, default_value = "flag")]
    events: Events,
    /// Time that cuts the bars: of the event, or of its receipt
    #[arg(long, value_enum, default_value = "event")]
    clock: CutBy,
    /// Columns or families to write, separated by commas [default: all]; keys are always there
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Level of compression with Zstandard, 1 to 22; 0 for none
    #[arg(long, default_value_t = 3, value_name = "LEVEL")]
    compression: i32,
    #[command(flatten)]
    instrument: InstrumentFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Events {
    /// Rows with F_LAST, and clears
    Flag,
    /// Every row
    Row,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CutBy {
    /// When it happened
    Event,
    /// When it was received
    Recv,
}

/// What all files came to.
#[derive(Debug, Serialize)]
struct Made {
    rows: u64,
    bars: u64,
    columns: usize,
    rejected: BTreeMap<String, u64>,
    noted: BTreeMap<String, u64>,
    bar: String,
    files: Vec<MadeOne>,
    refused: Vec<Refused>,
    warnings: Vec<String>,
    bytes_in: u64,
    bytes_out: u64,
    threads: usize,
    seconds: f64,
    ticks_per_second: f64,
    peak_memory_bytes: Option<u64>,
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize)]
struct MadeOne {
    file: String,
    bars_file: String,
    bytes_in: u64,
    bytes_out: u64,
    #[serde(flatten)]
    report: BarsReport,
    /// What was taken to hold for each symbol.
    instruments_used: BTreeMap<String, Used>,
}

#[derive(Debug, Clone, Serialize)]
struct Used {
    point: f64,
    tick: f64,
    lot: f64,
    /// Whether nothing was said of the symbol.
    assumed: bool,
}

#[derive(Debug, Serialize)]
struct Refused {
    file: String,
    error: String,
}

#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    seconds: f64,
}

/// Cuts every file; fails as a whole only where none could be cut.
pub(crate) fn run(context: &Context, arguments: &Bars) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut stages = Stages::start(&clock);
    let known = arguments.instrument.known()?;
    let threads = match context.settings.size("threads") {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    // Files run side by side; threads that are left over when there are few files are theirs.
    let workers = threads.min(arguments.files.len()).max(1);
    let options = options(arguments, threads / workers)?;
    let places = places(&arguments.files)?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("{}: the folder cannot be made", arguments.out.display()))?;
    // What earlier runs that were killed have left.
    railbird_store::sweep(&arguments.out)?;
    stages.end("prepare");
    let mut made = Vec::new();
    let (mut refused, mut first) = (Vec::new(), None);
    let bar = context.output.progress(arguments.files.len() as u64, "files");
    let next = AtomicUsize::new(0);
    let ended: Vec<OnceLock<Result<MadeOne, Failure>>> = places.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < places.len()) {
            bar.set_message(places[at].clone());
            let one = one(&arguments.files[at], &arguments.out, &places[at], &options, &known, &clock);
            // No other worker has this place.
            let _ = ended[at].set(one);
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    bar.finish_and_clear();
    for (path, ended) in arguments.files.iter().zip(ended) {
        match ended.into_inner() {
            Some(Ok(one)) => made.push(one),
            Some(Err(failure)) => {
                refused.push(Refused { file: path.display().to_string(), error: failure.to_string() });
                first.get_or_insert(failure);
            }
            None => unreachable!("every place was worked at"),
        }
    }
    stages.end("bars");
    if let (true, Some(failure)) = (made.is_empty(), first) {
        for refused in refused.iter().skip(1) {
            context.output.note(&format!("railbird: {}", refused.error));
        }
        return Err(failure);
    }
    let made = sum(arguments, made, refused, threads, stages);
    for refused in &made.refused {
        context.output.note(&format!("railbird: {}", refused.error));
    }
    for warning in &made.warnings {
        context.output.note(&format!("railbird: {warning}"));
    }
    context.output.write(&made, |made| told(context, made))?;
    let partly = |one: &MadeOne| one.report.cut_short.is_some() || one.report.without_states();
    let whole = made.refused.is_empty() && !made.files.iter().any(partly);
    Ok(if whole { Outcome::Done } else { Outcome::Partly })
}

fn options(arguments: &Bars, threads: usize) -> Result<BarsOptions, Failure> {
    let form = TableForm::new(arguments.columns.as_deref(), arguments.compression);
    Ok(BarsOptions {
        size: arguments.bar,
        clock: if arguments.clock == CutBy::Recv { BarClock::Receive } else { BarClock::Event },
        ends: if arguments.events == Events::Row { EventEnds::Row } else { EventEnds::Flag },
        form: form.map_err(|error| Failure::usage(error.to_string()))?,
        unnamed: String::new(),
        threads,
    })
}

/// Names of the files of bars, which must differ.
fn places(files: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut taken = BTreeSet::new();
    let place = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut stem = name.strip_suffix(".zst").unwrap_or(&name);
        for ending in [".dbn", ".parquet", ".csv"] {
            stem = stem.strip_suffix(ending).unwrap_or(stem);
        }
        let place = format!("{stem}.bars.parquet");
        if !taken.insert(place.clone()) {
            let message =
                format!("{}: another file would also become {place}; use another --out for it", path.display());
            return Err(Failure::usage(message));
        }
        Ok(place)
    };
    files.iter().map(place).collect()
}

fn one(
    path: &Path,
    folder: &Path,
    name: &str,
    options: &BarsOptions,
    known: &Known,
    clock: &dyn Clock,
) -> Result<MadeOne, Failure> {
    let reader = open(path)?;
    let unnamed = name.trim_end_matches(".bars.parquet").to_owned();
    let options = &BarsOptions { unnamed, ..options.clone() };
    let used = std::sync::Mutex::new(BTreeMap::new());
    let instrument = |symbol: &str| {
        let of = known.of(symbol);
        let quoted = |nano: i64| nano as f64 / railbird_book::PRICE_SCALE as f64;
        let assumed = known.is_assumed(symbol);
        let entry = Used { point: quoted(of.point), tick: quoted(of.tick), lot: of.lot, assumed };
        used.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(symbol.to_owned(), entry);
        of
    };
    let make_shelf = || -> io::Result<Box<dyn Shelf>> {
        let shelf = AtomicFile::begin(folder).map_err(io::Error::other)?;
        Ok(Box::new(shelf))
    };
    let file = AtomicFile::begin(folder)?;
    let out = BufWriter::with_capacity(1 << 18, file);
    let (out, report) = bars(reader, options, &instrument, out, &make_shelf, clock).map_err(|error| match error {
        BarsError::Decode(_) | BarsError::NoTime => Failure::refused(anyhow!("{}: {error}", path.display())),
        BarsError::Table(_) => anyhow!("{}: {error}", folder.join(name).display()).into(),
    })?;
    let place = folder.join(name);
    let file = out.into_inner().map_err(|error| anyhow!("{}: {}", place.display(), error.error()))?;
    file.commit(name)?;
    Ok(MadeOne {
        file: path.display().to_string(),
        bars_file: place.display().to_string(),
        bytes_in: fs::metadata(path).map_or(0, |about| about.len()),
        bytes_out: fs::metadata(&place).map_or(0, |about| about.len()),
        report,
        instruments_used: used.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
    })
}

fn sum(arguments: &Bars, files: Vec<MadeOne>, refused: Vec<Refused>, threads: usize, stages: Stages<'_>) -> Made {
    let (stages, seconds) = stages.finish();
    let total = |of: &dyn Fn(&MadeOne) -> u64| files.iter().map(of).sum::<u64>();
    let named = |of: &dyn Fn(&MadeOne) -> &BTreeMap<String, u64>| {
        let mut all = BTreeMap::new();
        for (name, n) in files.iter().flat_map(of) {
            *all.entry(name.clone()).or_default() += n;
        }
        all
    };
    let rows = total(&|one| one.report.rows);
    Made {
        rows,
        bars: total(&|one| one.report.bars),
        columns: files.first().map_or(0, |one| one.report.columns),
        rejected: named(&|one| &one.report.rejected),
        noted: named(&|one| &one.report.noted),
        bar: arguments.bar.to_string(),
        refused,
        warnings: files.iter().flat_map(warnings).collect(),
        bytes_in: total(&|one| one.bytes_in),
        bytes_out: total(&|one| one.bytes_out),
        threads,
        seconds,
        ticks_per_second: rows as f64 / seconds,
        peak_memory_bytes: memory::peak_bytes(),
        stages: stages.into_iter().map(|(stage, seconds)| Stage { stage, seconds }).collect(),
        files,
    }
}

fn warnings(one: &MadeOne) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(reason) = &one.report.cut_short {
        warnings.push(format!("{}: {reason}; what came before is used", one.file));
    }
    if one.report.without_states() {
        let file = &one.file;
        warnings.push(format!("{file}: no row ends an event, so all states are missing; try --events row"));
    }
    let assumed: Vec<&str> =
        one.instruments_used.iter().filter(|(_, used)| used.assumed).map(|(symbol, _)| symbol.as_str()).collect();
    if let Some(symbol) = assumed.first() {
        let more = if assumed.len() > 1 { format!(" and {} more", assumed.len() - 1) } else { String::new() };
        let point = one.instruments_used[*symbol].point;
        warnings.push(format!(
            "{}: nothing is known of {symbol:?}{more}: a point of {point} is taken; give --point, or --instruments FILE",
            one.file
        ));
    }
    warnings
}

fn told(context: &Context, made: &Made) -> String {
    let mut text = String::new();
    for one in &made.files {
        text.push_str(&format!(
            "{}: {} rows to {} bars of {} columns in {}, {:.1} MB\n",
            one.file,
            one.report.rows,
            one.report.bars,
            one.report.columns,
            one.bars_file,
            one.bytes_out as f64 / 1e6
        ));
        for (reason, n) in &one.report.rejected {
            text.push_str(&format!("  left out: {n} × {reason}\n"));
        }
        for (what, n) in &one.report.noted {
            text.push_str(&format!("  {n} × {what}\n"));
        }
        if context.verbose {
            for (stage, seconds) in &one.report.busy_seconds {
                text.push_str(&format!("  busy {stage:<10} {:>8.1} ms\n", seconds * 1e3));
            }
        }
    }
    text.push_str(&format!("{:.2} s, {:.2} M ticks/s\n", made.seconds, made.ticks_per_second / 1e6));
    if context.verbose {
        for stage in &made.stages {
            text.push_str(&format!("  {:<10} {:>8.1} ms\n", stage.stage, stage.seconds * 1e3));
        }
    }
    text
}
