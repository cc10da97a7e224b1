//! `railbird book simulate`: days of a book that never was, with the truth beside them.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::civil::{Date, Weekday};
use railbird_book::simulate::{
    BookFaults, BookSchema, DayTruth, SimulateError, SimulateOptions, Simulator, Statistics, Target, targets_table,
};
use railbird_store::{AtomicFile, write_atomic};
use railbird_timeline::{Clock, Stopwatch, SystemClock};
use serde::Serialize;

use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
};

/// Most days of one run.
const DAYS_MAX: usize = 4_000;

/// `book simulate`.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Folder to write; must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Symbol
    #[arg(long, default_value = "SIM")]
    symbol: String,
    /// First and last date, 2026-01-05:2026-06-05, or one date; Saturdays and Sundays are left out
    #[arg(long, value_name = "A:B", value_parser = dates)]
    dates: Dates,
    /// Seed: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rows a day, about
    #[arg(long, default_value_t = 1_900_000, value_name = "N")]
    rows: u64,
    /// Kind of rows
    #[arg(long, value_enum, default_value = "mbp-10")]
    schema: Schema,
    /// Add everything that can be wrong with a book; the truth counts each
    #[arg(long)]
    faults: bool,
}

#[derive(Debug, Clone, Copy)]
struct Dates {
    first: Date,
    last: Date,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Schema {
    #[value(name = "mbp-10")]
    Mbp10,
    Mbo,
}

#[derive(Debug, Serialize)]
struct Simulated {
    out: String,
    symbol: String,
    seed: u64,
    files: Vec<Written>,
    rows: u64,
    bytes: u64,
    seconds: f64,
    rows_per_second: f64,
    peak_memory_bytes: Option<u64>,
    /// Of the first day, beside what it should be; of a day of the usual rows only.
    targets: Vec<Target>,
}

#[derive(Debug, Serialize)]
struct Written {
    name: String,
    date: String,
    statistics: Statistics,
}

/// Simulates and writes.
pub(crate) fn run(context: &Context, arguments: &Simulate) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut watch = Stopwatch::start(&clock as &dyn Clock);
    let days = weekdays(arguments.dates)?;
    let defaults = SimulateOptions::default();
    let options = SimulateOptions {
        seed: arguments.seed,
        symbol: arguments.symbol.clone(),
        rows: arguments.rows,
        schema: match arguments.schema {
            Schema::Mbp10 => BookSchema::Mbp10,
            Schema::Mbo => BookSchema::Mbo,
        },
        faults: if arguments.faults { BookFaults::all() } else { BookFaults::default() },
        ..defaults.clone()
    };
    let is_usual = options.rows == defaults.rows && options.schema == defaults.schema && !arguments.faults;
    let mut simulator = Simulator::new(options.clone()).map_err(refusal)?;
    empty_folder(arguments)?;
    let bar = context.output.progress(days.len() as u64, "days");
    let mut truths: Vec<DayTruth> = Vec::new();
    let mut files = Vec::new();
    for date in days {
        let name = file_name(&options, date);
        let aside = AtomicFile::begin(&arguments.out)?;
        let (aside, truth) = simulator.day(date, aside).map_err(refusal)?;
        aside.commit(&name)?;
        files.push(Written { name, date: truth.date.clone(), statistics: truth.statistics });
        truths.push(truth);
        bar.inc(1);
    }
    bar.finish_and_clear();
    // Last of all: where it stands, the days are all there.
    write_atomic(&arguments.out.join("truth.json"), &serde_json::to_vec_pretty(&simulator.truth(truths))?)?;
    let took: Duration = watch.lap();
    let rows = files.iter().map(|file| file.statistics.rows).sum();
    let seconds = took.as_secs_f64();
    let simulated = Simulated {
        out: arguments.out.display().to_string(),
        symbol: options.symbol,
        seed: options.seed,
        rows,
        bytes: files.iter().map(|file| file.statistics.bytes).sum(),
        seconds,
        rows_per_second: rows as f64 / seconds,
        peak_memory_bytes: memory::peak_bytes(),
        targets: match files.first() {
            Some(first) if is_usual => first.statistics.against_targets(),
            _ => Vec::new(),
        },
        files,
    };
    context.output.write(&simulated, |simulated| {
        let mut text = format!(
            "{}: {} days of {}, seed {}; {} rows, {:.1} MB, {:.1} s, {:.0} rows/s; truth.json beside\n",
            simulated.out,
            simulated.files.len(),
            simulated.symbol,
            simulated.seed,
            simulated.rows,
            simulated.bytes as f64 / 1e6,
            simulated.seconds,
            simulated.rows_per_second
        );
        if !simulated.targets.is_empty() {
            text += &format!("\nFirst day, beside real files:\n{}", targets_table(&simulated.targets));
        }
        text
    })?;
    Ok(Outcome::Done)
}

fn file_name(options: &SimulateOptions, date: Date) -> String {
    let schema = match options.schema {
        BookSchema::Mbp10 => "mbp-10",
        BookSchema::Mbo => "mbo",
    };
    format!("{}_{date}.{schema}.dbn.zst", options.symbol)
}

/// What the options or dates cannot do is wrong usage; all else failed.
fn refusal(error: SimulateError) -> Failure {
    match error {
        SimulateError::Option { .. } | SimulateError::Date { .. } => Failure::usage(error.to_string()),
        error => Failure::from(error),
    }
}

fn weekdays(dates: Dates) -> Result<Vec<Date>, Failure> {
    let days: Vec<Date> = dates
        .first
        .series(jiff::ToSpan::days(1))
        .take_while(|date| *date <= dates.last)
        .filter(|date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday))
        .take(DAYS_MAX + 1)
        .collect();
    match days.len() {
        0 => Err(Failure::usage(format!("{} to {}: no weekday among them", dates.first, dates.last))),
        count if count > DAYS_MAX => {
            Err(Failure::usage(format!("{} to {}: more than {DAYS_MAX} weekdays", dates.first, dates.last)))
        }
        _ => Ok(days),
    }
}

fn empty_folder(arguments: &Simulate) -> Result<(), Failure> {
    let out = &arguments.out;
    // The symbol becomes part of names of files.
    if arguments.symbol.contains(['/', '\\']) {
        return Err(Failure::usage(format!("symbol {:?}: a slash cannot stand in a file's name", arguments.symbol)));
    }
    let is_taken = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || out.is_file() {
        return Err(Failure::usage(format!("{}: is not empty; give a folder that is new or empty", out.display())));
    }
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    Ok(())
}

fn dates(text: &str) -> Result<Dates, String> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let date = |text: &str| text.parse::<Date>().map_err(|_| format!("{text:?}: expected a date like 2026-01-05"));
    let dates = Dates { first: date(first)?, last: date(last)? };
    if dates.last < dates.first { Err(format!("{text}: the last date is before the first")) } else { Ok(dates) }
}
