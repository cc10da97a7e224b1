//! `railbird book query`: when did it last look like this, and what came next?

use clap::Args;
use railbird_book::{Answer, Index, NEIGHBOURS_MAX, Query as Asked, SHARE_INTERVALS};
use railbird_measure::Bootstrap;
use railbird_timeline::{SystemClock, Ts};
use serde::Serialize;

use super::situations::{Situations, Wanted};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
    output::table,
    stages::Stages,
};

/// `railbird book query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    situations: Situations,
    #[command(flatten)]
    wanted: Wanted,
    /// The situation to compare, by its name in `book episodes` [default: the last]
    #[arg(long, value_name = "EPISODE")]
    episode: Option<String>,
    /// How many neighbours
    #[arg(long, value_name = "K", default_value_t = 50, value_parser = clap::value_parser!(u64).range(2..=NEIGHBOURS_MAX as u64))]
    neighbours: u64,
    /// Where the chance of the intervals begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Serialize)]
struct Found {
    episode: String,
    known_at: Ts,
    vectors: usize,
    #[serde(flatten)]
    answer: Answer,
    files: usize,
    bars: usize,
    query_ms: f64,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
}

/// Asks for the neighbours of one episode.
pub(crate) fn run(context: &Context, arguments: &Query) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut stages = Stages::start(&clock);
    let past = arguments.situations.past()?;
    stages.end("stages");
    let asked = match &arguments.episode {
        Some(name) => past.vectors.iter().find(|vector| vector.episode == *name).ok_or_else(|| {
            Failure::usage(format!("--episode {name}: not among the {} found; see `book episodes`", past.vectors.len()))
        })?,
        None => past
            .vectors
            .iter()
            .max_by_key(|vector| (vector.known_at, &vector.episode))
            .ok_or_else(|| Failure::refused_because("price came to no level in these bars"))?,
    };
    let index = Index::new(&past.vectors, &past.outcomes);
    stages.end("index");
    let query = Asked {
        symbol: asked.symbol.clone(),
        at: asked.known_at,
        values: asked.values,
        filter: arguments.wanted.filter(),
        neighbours: arguments.neighbours as usize,
        scan: arguments.wanted.scan(),
    };
    let rules = Bootstrap { seed: arguments.seed, ..SHARE_INTERVALS };
    let answer = index.query(&query, &rules).map_err(Failure::refused)?;
    stages.end("query");
    let (ended, seconds) = stages.finish();
    let query_ms = ended.last().map_or(0.0, |(_, seconds)| seconds * 1e3);
    let found = Found {
        episode: asked.episode.clone(),
        known_at: Ts(asked.known_at),
        vectors: index.len(),
        answer,
        files: past.files,
        bars: past.bars,
        query_ms,
        seconds,
        peak_memory_bytes: memory::peak_bytes(),
    };
    context.output.write(&found, told)?;
    Ok(Outcome::Done)
}

fn told(found: &Found) -> String {
    let share = |share: &railbird_book::Share| {
        let score = &share.share;
        let interval = score.interval();
        vec![
            share.outcome.name().to_owned(),
            format!("{:.3}", score.value()),
            format!("{:.3}", interval.low()),
            format!("{:.3}", interval.high()),
            format!("{:.3}", score.baseline().value),
        ]
    };
    let shares: Vec<_> = found.answer.shares.iter().map(share).collect();
    let near = |near: &railbird_book::Neighbour| {
        vec![
            near.episode.clone(),
            format!("{:.3}", near.distance),
            format!("{:.3}", near.similarity),
            near.outcome.name().to_owned(),
        ]
    };
    let nearest: Vec<_> = found.answer.neighbours.iter().take(10).map(near).collect();
    format!(
        "{}\n{}\n{} neighbours of {} that were known before {}, nearest first:\n{}\n{:.2} ms among {} vectors\n",
        found.episode,
        table(&["outcome", "share", "low", "high", "base rate"], &shares),
        found.answer.neighbours.len(),
        found.answer.candidates,
        found.known_at,
        table(&["episode", "distance", "similarity", "outcome"], &nearest),
        found.query_ms,
        found.vectors
    )
}
