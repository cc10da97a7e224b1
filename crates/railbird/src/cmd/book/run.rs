//! `railbird book run`: the stages of a symbol over its dates, in a lake.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use jiff::civil::Date;
use railbird_book::{BarClock, BarSize, EventEnds, StageRules, stages};
use railbird_lake::{
    Error, FileSource, Graph, Lake, Machine, Progress, Report, Request, Source, Sources, Symbol, Workers,
};
use railbird_timeline::{Clock, SystemClock};
use serde::Serialize;

use super::{days::lake_folder, input::InstrumentFlags};
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
    /// Symbol, as it stands in the files
    #[arg(long)]
    symbol: String,
    /// First and last date, 2026-01-05:2026-06-05, or one date
    #[arg(long, value_name = "A:B", value_parser = dates)]
    dates: Dates,
    /// Folder of files of ticks with their date in the name, of the symbol or in a folder named like it [default: none, for what
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
    /// Take every row as the end of an event, for sources without F_LAST
    #[arg(long)]
    every_row: bool,
    /// Level of compression with Zstandard, 1 to 22; 0 for none
    #[arg(long, default_value_t = 3, value_name = "LEVEL")]
    compression: i32,
    #[command(flatten)]
    instrument: InstrumentFlags,
}

#[derive(Debug, Clone, Copy)]
struct Dates {
    first: Date,
    last: Date,
}

#[derive(Debug, Serialize)]
struct Ran {
    lake: String,
    symbol: String,
    from: String,
    to: String,
    #[serde(flatten)]
    report: Report,
    warnings: Vec<String>,
    peak_memory_bytes: Option<u64>,
}

/// Runs what does not stand.
pub(crate) fn run(context: &Context, arguments: &Run) -> Result<Outcome, Failure> {
    let clock = Arc::new(SystemClock::new());
    let symbol = Symbol::new(&arguments.symbol).map_err(lake::failure)?;
    let graph = graph(arguments)?;
    let files = Files::find(arguments.source.as_deref(), &symbol)?;
    let location = match &arguments.lake {
        Some(location) => location.clone(),
        None => lake_folder(&context.settings).display().to_string(),
    };
    let lake = Lake::open(&location, &lake::options(Arc::clone(&clock) as Arc<dyn Clock>)).map_err(lake::failure)?;
    let request = Request {
        symbols: vec![symbol.clone()],
        from: arguments.dates.first,
        to: arguments.dates.last,
        stages: arguments.stage.clone(),
        verify: arguments.verify,
    };
    let bar = context.output.progress(0, "tasks");
    let progress = |progress: &Progress<'_>| {
        bar.set_length(progress.tasks as u64);
        bar.set_message(progress.task.to_string());
        bar.set_position(progress.ended as u64);
    };
    let task_bytes = graph.stages().iter().map(|stage| stage.memory_bytes).max().unwrap_or(0);
    let workers = |tasks| Workers::decide(&Machine::look(), arguments.workers, arguments.memory, task_bytes, tasks);
    let report = railbird_lake::run(&lake, &graph, &files, &request, workers, &*clock, &progress);
    bar.finish_and_clear();
    let report = report.map_err(lake::failure)?;
    let warnings = warnings(&lake, &symbol, &report, arguments.dates)?;
    let ran = Ran {
        lake: location,
        symbol: symbol.to_string(),
        from: arguments.dates.first.to_string(),
        to: arguments.dates.last.to_string(),
        report,
        warnings,
        peak_memory_bytes: memory::peak_bytes(),
    };
    for failed in &ran.report.failed {
        context.output.note(&format!("railbird: {}: {}", failed.task, failed.error));
    }
    for warning in &ran.warnings {
        context.output.note(&format!("railbird: {warning}"));
    }
    context.output.write(&ran, told)?;
    let whole = ran.report.failed.is_empty() && ran.warnings.is_empty();
    Ok(if whole { Outcome::Done } else { Outcome::Partly })
}

fn graph(arguments: &Run) -> Result<Graph, Failure> {
    let known = arguments.instrument.known()?;
    let rules = StageRules {
        instrument: known.of(&arguments.symbol),
        size: arguments.bar,
        clock: BarClock::Event,
        ends: if arguments.every_row { EventEnds::Row } else { EventEnds::Flag },
        compression: arguments.compression,
        opening_minutes: railbird_book::OPENING_MINUTES,
        user: Vec::new(),
    };
    stages(&rules).map_err(|error| Failure::usage(error.to_string()))
}

/// Days whose files gave less than they should have.
fn warnings(lake: &Lake, symbol: &Symbol, report: &Report, dates: Dates) -> Result<Vec<String>, Failure> {
    const KINDS: [(&str, &str); 2] = [
        ("cut_short", "the file of ticks ends before its end; what came before is used"),
        ("without_states", "no row ends an event, so all states are missing; try --every-row"),
    ];
    let counted = |name: &str| report.stages.iter().any(|stage| stage.counts.get(name).is_some_and(|n| *n > 0));
    if !KINDS.iter().any(|(name, _)| counted(name)) {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    for task in lake.tasks(Some("bars"), Some(symbol)).map_err(lake::failure)? {
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
    text
}

/// Files of ticks of one symbol, by date.
struct Files {
    by_date: BTreeMap<Date, PathBuf>,
}

impl Files {
    /// Files in `folder/SYMBOL`, or else those in `folder` whose names begin with the symbol, or else all of `folder`.
    fn find(folder: Option<&Path>, symbol: &Symbol) -> Result<Self, Failure> {
        let Some(folder) = folder else { return Ok(Self { by_date: BTreeMap::new() }) };
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
        Ok(Self { by_date })
    }
}

impl Sources for Files {
    fn dates(&self, _: &Symbol) -> Result<Vec<Date>, Error> {
        Ok(self.by_date.keys().copied().collect())
    }

    fn source(&self, _: &Symbol, date: Date) -> Result<Option<Arc<dyn Source>>, Error> {
        Ok(self.by_date.get(&date).map(|path| Arc::new(FileSource::new(path)) as Arc<dyn Source>))
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
fn bytes(text: &str) -> Result<u64, String> {
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
            let files = Files::find(Some(root), &symbol).map_err(|failure| failure.to_string());
            files.map(|files| {
                files.by_date.into_values().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>()
            })
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
