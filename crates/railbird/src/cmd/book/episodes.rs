//! `railbird book episodes`: when price came to a level, and what became of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use railbird_book::{OutcomeClass, Side, Studied, table_parquet};
use railbird_timeline::{SystemClock, Ts};
use serde::Serialize;

use super::situations::{Situations, exported_name};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
    output::table,
    stages::Stages,
};

/// `railbird book episodes`.
#[derive(Debug, Args)]
pub(crate) struct Episodes {
    #[command(flatten)]
    situations: Situations,
    /// Folder for the tables of every stage, NAME.TABLE.parquet for each file of bars; made where it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Found {
    files: usize,
    bars: usize,
    feature_rows: usize,
    vectors: usize,
    outcomes: BTreeMap<&'static str, usize>,
    episodes: Vec<Row>,
    written: Vec<Written>,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Row {
    episode: String,
    symbol: String,
    level: String,
    price: f64,
    from: Side,
    trigger_start: Ts,
    known_at: Ts,
    outcome: Option<OutcomeClass>,
    outcome_known_at: Option<Ts>,
    early: Option<f64>,
    late: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Written {
    file: String,
    bytes: usize,
}

/// Lists the episodes; writes the tables where a folder is given.
pub(crate) fn run(context: &Context, arguments: &Episodes) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut stages = Stages::start(&clock);
    if let Some(folder) = &arguments.out {
        fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    }
    let mut found = Found {
        files: 0,
        bars: 0,
        feature_rows: 0,
        vectors: 0,
        outcomes: OutcomeClass::NAMES.into_iter().map(|(_, name)| (name, 0)).collect(),
        episodes: Vec::new(),
        written: Vec::new(),
        seconds: 0.0,
        peak_memory_bytes: None,
    };
    found.files = arguments.situations.study(|path, bars, studied| {
        found.bars += bars.len();
        found.feature_rows += studied.features.rows();
        found.vectors += studied.vectors.len();
        for outcome in &studied.episodes.outcomes {
            *found.outcomes.entry(outcome.class.name()).or_default() += 1;
        }
        found.episodes.extend(rows(&studied));
        if let Some(folder) = &arguments.out {
            write(folder, path, &studied, &mut found.written)?;
        }
        Ok(())
    })?;
    stages.end("stages");
    found.seconds = stages.finish().1;
    found.peak_memory_bytes = memory::peak_bytes();
    context.output.write(&found, told)?;
    Ok(Outcome::Done)
}

fn rows(studied: &Studied) -> Vec<Row> {
    let outcomes: BTreeMap<&str, _> =
        studied.episodes.outcomes.iter().map(|outcome| (outcome.episode.as_str(), outcome)).collect();
    let row = |episode: &railbird_book::Episode| {
        let outcome = outcomes.get(episode.id.as_str());
        Row {
            episode: episode.id.clone(),
            symbol: episode.symbol.clone(),
            level: episode.level.clone(),
            price: episode.price,
            from: episode.from,
            trigger_start: Ts(episode.trigger_start),
            known_at: Ts(episode.known_at),
            outcome: outcome.map(|outcome| outcome.class),
            outcome_known_at: outcome.map(|outcome| Ts(outcome.known_at)),
            early: outcome.map(|outcome| outcome.early),
            late: outcome.map(|outcome| outcome.late),
        }
    };
    studied.episodes.episodes.iter().map(row).collect()
}

fn write(folder: &Path, bars: &Path, studied: &Studied, written: &mut Vec<Written>) -> Result<(), Failure> {
    for (table, batch) in studied.tables() {
        let place = folder.join(exported_name(bars, Some(&studied.symbol), table));
        let bytes = table_parquet(&batch)?;
        railbird_store::write_atomic(&place, &bytes)?;
        written.push(Written { file: place.display().to_string(), bytes: bytes.len() });
    }
    Ok(())
}

fn told(found: &Found) -> String {
    let number = |number: Option<f64>| number.map(|number| format!("{number:.2}")).unwrap_or_default();
    let row = |row: &Row| {
        vec![
            row.trigger_start.to_string(),
            row.symbol.clone(),
            row.level.clone(),
            row.price.to_string(),
            row.from.name().to_owned(),
            row.outcome.map_or("not known", OutcomeClass::name).to_owned(),
            number(row.early),
            number(row.late),
        ]
    };
    let rows: Vec<_> = found.episodes.iter().map(row).collect();
    let mut text = table(&["trigger", "symbol", "level", "price", "from", "outcome", "early pt", "late pt"], &rows);
    let outcomes: Vec<String> = found.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
    text.push_str(&format!(
        "{} episodes in {} bars of {} files; {}; {} rows of features; {:.2} s\n",
        found.episodes.len(),
        found.bars,
        found.files,
        outcomes.join(", "),
        found.feature_rows,
        found.seconds
    ));
    for written in &found.written {
        text.push_str(&format!("{}: {} bytes\n", written.file, written.bytes));
    }
    text
}
