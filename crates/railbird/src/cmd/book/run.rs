//! `railbird book run`: the stages of symbols over their dates, in a lake.
//!
//! Symbols of which the same is known are one run, so that their tasks fill the workers together; others follow one another.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use railbird_book::{BarClock, BarSize, EventEnds, Instrument, StageRules, stages};
use railbird_lake::{Error, FileSource, Lake, Machine, Progress, Report, Request, Source, Sources, Symbol, Workers};
use railbird_timeline::{Clock, SystemClock};
use serde::Serialize;

use super::{days::lake_folder, input::InstrumentFlags, user_levels::LevelFlags};
use crate::{
    cmd::{Context, lake},
    failure::{Failure, Outcome},
    memory,
};

/// Endings of files of ticks.
const ENDINGS: [&str; 7] = [".dbn", ".dbn.zst", ".parquet", ".csv", ".csv.zst", ".csv.gz", ".dbn.gz"];

/// `railbird book run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Lake: a folder, made where it is not there, or a URL such as s3://bucket/folder [default: the data folder's, which the
    /// page shows]
    #[arg(long, value_name = "DIR|URL")]
    lake: Option<String>,
    /// Symbol, as it stands in the files; may be repeated
    #[arg(long, required = true)]
    symbol: Vec<String>,
    /// First and last date, 2026-01-05:2026-06-05, or one date
    #[arg(long, value_name = "A:B", value_parser = dates)]
    dates: Dates,
    /// Folder of files of ticks with their date in the name, of a symbol or in a folder named like it [default: none, for what
    /// the lake holds already]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Stage to bring up to date, with those that it reads; may be repeated [default: all]
    #[arg(long, value_name = "STAGE")]
    stage: Vec<String>,
    /// Tasks at once [default: as many as cores and memory allow]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Memory that the tasks may take together, such as 1GB or 800MB [default: three quarters of what is free]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<u64>,
    /// Hash again what stands, and make anew what was changed
    #[arg(long)]
    verify: bool,
    /// When a bar ends: a time such as 5s, 250ms, 1m, or 1000t (trades), 50000v (volume), 1000000usd (turnover)
    #[arg(long, default_value = "5s", value_name = "SIZE")]
    bar: BarSize,
    /// Time that cuts the bars: of the event, or of its receipt
    #[arg(long, value_enum, default_value = "event")]
    clock: CutBy,
    /// Take every row as the end of an event, for sources without F_LAST
    #[arg(long)]
    every_row: bool,
    /// Level of compression with Zstandard, 1 to 22; 0 for none
    #[arg(long, default_value_t = 3, value_name = "LEVEL")]
    compression: i32,
    #[command(flatten)]
    levels: LevelFlags,
    #[command(flatten)]
    instrument: InstrumentFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CutBy {
    /// When it happened
    Event,
    /// When it was received
    Recv,
}

#[derive(Debug, Clone, Copy)]
struct Dates {
    first: Date,
    last: Date,
}

#[derive(Debug, Serialize)]
struct Ran {
    lake: String,
    symbols: Vec<String>,
    from: String,
    to: String,
    #[serde(flatten)]
    report: Report,
    warnings: Vec<String>,
    peak_memory_bytes: Option<u64>,
    /// Most that the tasks may take together; none where a number of workers was asked for without a bound.
    memory_bound_bytes: Option<u64>,
    /// What a task is reckoned with when workers are counted.
    task_memory_bytes: u64,
    /// What the run added to the process at its peak, by the number of workers.
    task_peak_memory_bytes: Option<u64>,
}

/// Symbols of which the same is known, and what they are made by.
struct Group {
    rules: StageRules,
    symbols: Vec<Symbol>,
}

/// Runs what does not stand.
pub(crate) fn run(context: &Context, arguments: &Run) -> Result<Outcome, Failure> {
    let clock = Arc::new(SystemClock::new());
    let groups = groups(arguments)?;
    let symbols: Vec<Symbol> = groups.iter().flat_map(|group| group.symbols.iter().cloned()).collect();
    let files = Files::find(arguments.source.as_deref(), &symbols)?;
    let location = match &arguments.lake {
        Some(location) => location.clone(),
        None => lake_folder(&context.settings).display().to_string(),
    };
    let lake = Lake::open(&location, &lake::options(Arc::clone(&clock) as Arc<dyn Clock>)).map_err(lake::failure)?;
    let before = memory::peak_bytes();
    let machine = Machine::look();
    let mut task_bytes = 0;
    let mut all: Option<Report> = None;
    let bar = context.output.progress(0, "tasks");
    for group in groups {
        let graph = stages(&group.rules).map_err(|error| Failure::usage(error.to_string()))?;
        task_bytes = graph.stages().iter().map(|stage| stage.memory_bytes).max().unwrap_or(0);
        let request = Request {
            symbols: group.symbols,
            from: arguments.dates.first,
            to: arguments.dates.last,
            stages: arguments.stage.clone(),
            verify: arguments.verify,
        };
        let progress = |progress: &Progress<'_>| {
            bar.set_length(progress.tasks as u64);
            bar.set_message(progress.task.to_string());
            bar.set_position(progress.ended as u64);
        };
        let workers = |tasks| Workers::decide(&machine, arguments.workers, arguments.memory, task_bytes, tasks);
        let report = railbird_lake::run(&lake, &graph, &files, &request, workers, &*clock, &progress);
        let report = report.map_err(lake::failure)?;
        all = Some(match all {
            Some(before) => together(before, report),
            None => report,
        });
    }
    bar.finish_and_clear();
    let report = all.context("at least one symbol is required")?;
    let warnings = warnings(&lake, &symbols, &report, arguments.dates)?;
    let peak = memory::peak_bytes();
    let added = peak.zip(before).map(|(peak, before)| peak.saturating_sub(before));
    let ran = Ran {
        lake: location,
        symbols: symbols.iter().map(Symbol::to_string).collect(),
        from: arguments.dates.first.to_string(),
        to: arguments.dates.last.to_string(),
        warnings,
        peak_memory_bytes: peak,
        memory_bound_bytes: Workers::bound_bytes(&machine, arguments.workers, arguments.memory),
        task_memory_bytes: task_bytes,
        task_peak_memory_bytes: added.filter(|_| report.ran > 0).map(|added| added / report.workers.max(1) as u64),
        report,
    };
    for failed in &ran.report.failed {
        context.output.note(&format!("railbird: {}: {}", failed.task, failed.error));
    }
    for warning in &ran.warnings {
        context.output.note(&format!("railbird: {warning}"));
    }
    context.output.write(&ran, told)?;
    let Report { ran: made, stood, failed, .. } = &ran.report;
    Ok(match (failed.is_empty(), ran.warnings.is_empty()) {
        (true, true) => Outcome::Done,
        // Nothing could be used, and nothing was there before.
        (false, _) if made + stood == 0 => Outcome::Refused,
        _ => Outcome::Partly,
    })
}

/// The symbols, by what is known of them.
fn groups(arguments: &Run) -> Result<Vec<Group>, Failure> {
    let known = arguments.instrument.known()?;
    let levels = arguments.levels.read()?;
    let mut groups: Vec<Group> = Vec::new();
    for (at, name) in arguments.symbol.iter().enumerate() {
        let symbol = Symbol::new(name).map_err(lake::failure)?;
        if arguments.symbol[..at].contains(name) {
            return Err(Failure::usage(format!("--symbol {name}: given twice")));
        }
        let (instrument, user) = (known.of(name), levels.of(name));
        let same = |group: &&mut Group| {
            let named = Instrument { symbol: group.rules.instrument.symbol.clone(), ..instrument.clone() };
            group.rules.instrument == named && group.rules.user == user
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.symbols.push(symbol);
            continue;
        }
        let rules = StageRules {
            instrument,
            size: arguments.bar,
            clock: if arguments.clock == CutBy::Recv { BarClock::Receive } else { BarClock::Event },
            ends: if arguments.every_row { EventEnds::Row } else { EventEnds::Flag },
            compression: arguments.compression,
            opening_minutes: railbird_book::OPENING_MINUTES,
            user,
        };
        groups.push(Group { rules, symbols: vec![symbol] });
    }
    Ok(groups)
}

/// What two runs did, one after the other.
fn together(mut one: Report, other: Report) -> Report {
    one.tasks += other.tasks;
    one.ran += other.ran;
    one.stood += other.stood;
    one.seconds += other.seconds;
    one.failed.extend(other.failed);
    one.not_run.extend(other.not_run);
    if other.workers > one.workers {
        (one.workers, one.workers_why) = (other.workers, other.workers_why);
    }
    for (stage, more) in one.stages.iter_mut().zip(other.stages) {
        stage.tasks += more.tasks;
        stage.ran += more.ran;
        stage.rows += more.rows;
        stage.bytes += more.bytes;
        stage.busy_seconds += more.busy_seconds;
        for (name, count) in more.counts {
            *stage.counts.entry(name).or_default() += count;
        }
    }
    one
}

/// Days whose files gave less than they should have.
fn warnings(lake: &Lake, symbols: &[Symbol], report: &Report, dates: Dates) -> Result<Vec<String>, Failure> {
    const KINDS: [(&str, &str); 2] = [
        ("cut_short", "the file of ticks ends before its end; what came before is used"),
        ("without_states", "no row ends an event, so all states are missing; try --every-row"),
    ];
    let counted = |name: &str| report.stages.iter().any(|stage| stage.counts.get(name).is_some_and(|n| *n > 0));
    if !KINDS.iter().any(|(name, _)| counted(name)) {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    let mut tasks = Vec::new();
    for symbol in symbols {
        tasks.extend(lake.tasks(Some("bars"), Some(symbol)).map_err(lake::failure)?);
    }
    for task in tasks {
        if !(dates.first..=dates.last).contains(&task.date) {
            continue;
        }
        let Some(manifest) = lake.manifest(&task).map_err(lake::failure)? else { continue };
        for (name, words) in KINDS {
            if manifest.counts.get(name).is_some_and(|n| *n > 0) {
                warnings.push(format!("{task}: {words}"));
            }
        }
    }
    Ok(warnings)
}

fn told(ran: &Ran) -> String {
    let report = &ran.report;
    let mut text = format!(
        "{} tasks: {} ran, {} stood, {} failed, {} not run\n",
        report.tasks,
        report.ran,
        report.stood,
        report.failed.len(),
        report.not_run.len()
    );
    for stage in &report.stages {
        text.push_str(&format!(
            "  {:<10} {:>5} tasks, {:>5} ran, {:>10} rows, {:>9.1} MB, busy {:>8.2} s\n",
            stage.stage,
            stage.tasks,
            stage.ran,
            stage.rows,
            stage.bytes as f64 / 1e6,
            stage.busy_seconds
        ));
    }
    for not_run in &report.not_run {
        text.push_str(&format!("  not run: {}, for want of {}\n", not_run.task, not_run.because));
    }
    text.push_str(&format!("{} workers: {}\n{:.2} s", report.workers, report.workers_why, report.seconds));
    if let Some(peak) = ran.peak_memory_bytes {
        text.push_str(&format!(", {:.0} MB at most", peak as f64 / 1e6));
    }
    if let Some(task) = ran.task_peak_memory_bytes {
        text.push_str(&format!(", {:.0} MB a task", task as f64 / 1e6));
    }
    text
}

/// Files of ticks of each symbol, by date.
struct Files(BTreeMap<Symbol, BTreeMap<Date, PathBuf>>);

impl Files {
    fn find(folder: Option<&Path>, symbols: &[Symbol]) -> Result<Self, Failure> {
        let of = |symbol: &Symbol| Ok((symbol.clone(), Self::of(folder, symbol)?));
        Ok(Self(symbols.iter().map(of).collect::<Result<_, Failure>>()?))
    }

    /// Files in `folder/SYMBOL`, or else those in `folder` whose names begin with the symbol, or else all of `folder`.
    fn of(folder: Option<&Path>, symbol: &Symbol) -> Result<BTreeMap<Date, PathBuf>, Failure> {
        let Some(folder) = folder else { return Ok(BTreeMap::new()) };
        let own = folder.join(symbol.as_str());
        let (folder, is_own) = if own.is_dir() { (own.as_path(), true) } else { (folder, false) };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("{}: cannot be listed", folder.display()))? {
            let entry = entry.with_context(|| format!("{}: cannot be listed", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if ENDINGS.iter().any(|ending| name.ends_with(ending))
                && let Some(date) = date_in(&name)
            {
                found.push((date, name, entry.path()));
            }
        }
        // In order of name, so that what is told does not depend on the disk.
        found.sort_unstable();
        let begins = |name: &str| {
            let rest = name.strip_prefix(symbol.as_str());
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        };
        if !is_own && found.iter().any(|(_, name, _)| begins(name)) {
            found.retain(|(_, name, _)| begins(name));
        }
        let mut by_date = BTreeMap::new();
        for (date, name, path) in found {
            if let Some(other) = by_date.insert(date, path) {
                let other: PathBuf = other;
                return Err(Failure::usage(format!(
                    "{}: {name} and {} are both of {date}; a stage reads one file a symbol and date",
                    folder.display(),
                    other.file_name().unwrap_or_default().display()
                )));
            }
        }
        Ok(by_date)
    }
}

impl Sources for Files {
    fn dates(&self, symbol: &Symbol) -> Result<Vec<Date>, Error> {
        Ok(self.0.get(symbol).into_iter().flat_map(|dates| dates.keys().copied()).collect())
    }

    fn source(&self, symbol: &Symbol, date: Date) -> Result<Option<Arc<dyn Source>>, Error> {
        Ok(self
            .0
            .get(symbol)
            .and_then(|dates| dates.get(&date))
            .map(|path| Arc::new(FileSource::new(path)) as Arc<dyn Source>))
    }
}

/// The date in a file's name, 2026-01-05 or 20260105, with no digit around it; the first, where there are several.
fn date_in(name: &str) -> Option<Date> {
    let runs = name.split(|letter: char| !(letter.is_ascii_digit() || letter == '-')).map(|run| run.trim_matches('-'));
    for run in runs {
        let whole = run.len() == 10 && run.as_bytes()[4] == b'-' && run.as_bytes()[7] == b'-';
        if whole && let Ok(date) = run.parse() {
            return Some(date);
        }
        let eight = run.split('-').find(|part| part.len() == 8);
        if let Some(part) = eight {
            let dashed = format!("{}-{}-{}", &part[..4], &part[4..6], &part[6..]);
            if let Ok(date) = dashed.parse() {
                return Some(date);
            }
        }
    }
    None
}

fn dates(text: &str) -> Result<Dates, String> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let date = |text: &str| text.parse::<Date>().map_err(|_| format!("{text:?}: expected a date like 2026-01-05"));
    let dates = Dates { first: date(first)?, last: date(last)? };
    if dates.last < dates.first { Err(format!("{text}: the last date is before the first")) } else { Ok(dates) }
}

/// A number of bytes, with or without a unit.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, scale) = unit.map_or((text, 1), |(unit, scale)| (&text[..text.len() - unit.len()], *scale));
    let number = number.trim().parse::<u64>().ok().filter(|number| *number > 0);
    let bytes = number.and_then(|number| number.checked_mul(scale));
    bytes.ok_or_else(|| format!("{text:?}: expected a whole number of bytes above 0, such as 800MB or 2GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_found_where_it_stands_alone() {
        let told = |name: &str| date_in(name).map(|date| date.to_string());
        assert_eq!(told("SIM_2026-01-05.mbp-10.dbn.zst").as_deref(), Some("2026-01-05"));
        assert_eq!(told("xnas-itch-20240102.mbp-10.dbn.zst").as_deref(), Some("2024-01-02"));
        assert_eq!(told("2026-01-05.parquet").as_deref(), Some("2026-01-05"));
        for name in ["truth.json", "mbp-10.dbn", "120260105.dbn", "2026-13-05.dbn", "20261305.dbn", ""] {
            assert_eq!(told(name), None, "{name}");
        }
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("800MB"), Ok(800_000_000));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("1000"), Ok(1000));
        for text in ["", "MB", "-1", "1.5GB", "0", "99999999999999GB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn files_of_a_symbol_are_told_apart_and_two_of_a_day_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (root, symbol) = (folder.path(), Symbol::new("SIM").unwrap());
        let touch = |name: &str| fs::write(root.join(name), "").unwrap();
        let found = || {
            let files = Files::of(Some(root), &symbol).map_err(|failure| failure.to_string());
            files.map(|files| files.into_values().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>())
        };
        touch("all-20260105.dbn.zst");
        touch("truth.json");
        assert_eq!(found().unwrap(), ["all-20260105.dbn.zst"]);
        touch("SIM_2026-01-05.mbp-10.dbn.zst");
        touch("SIMX_2026-01-06.mbp-10.dbn.zst");
        assert_eq!(found().unwrap(), ["SIM_2026-01-05.mbp-10.dbn.zst"]);
        touch("SIM_2026-01-05.mbo.dbn.zst");
        assert!(found().unwrap_err().contains("are both of 2026-01-05"));
        fs::create_dir(root.join("SIM")).unwrap();
        touch("SIM/2026-01-07.csv");
        assert_eq!(found().unwrap(), ["2026-01-07.csv"]);
    }
}
