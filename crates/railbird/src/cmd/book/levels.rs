//! `railbird book levels`: the levels of bars, and from when they are known.

use std::collections::BTreeSet;

use clap::Args;
use railbird_timeline::Ts;
use serde::Serialize;

use super::situations::Situations;
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `railbird book levels`.
#[derive(Debug, Args)]
pub(crate) struct Levels {
    #[command(flatten)]
    situations: Situations,
}

#[derive(Debug, Serialize)]
struct Found {
    files: usize,
    levels: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    symbol: String,
    date: String,
    level: String,
    kind: &'static str,
    price: f64,
    window_end: Option<Ts>,
    known_at: Ts,
    until: Option<Ts>,
    cover: f64,
    known_at_utc: String,
}

/// Prints each level once.
pub(crate) fn run(context: &Context, arguments: &Levels) -> Result<Outcome, Failure> {
    let mut seen = BTreeSet::new();
    let mut levels = Vec::new();
    let files = arguments.situations.study(|_, _, studied| {
        for level in &studied.levels {
            if seen.insert((studied.symbol.clone(), level.name.clone(), level.window_end)) {
                levels.push(Row {
                    symbol: studied.symbol.clone(),
                    date: level.date.to_string(),
                    level: level.name.clone(),
                    kind: level.kind.name(),
                    price: level.price,
                    window_end: (level.window_end != i64::MIN).then_some(Ts(level.window_end)),
                    known_at: Ts(level.known_at),
                    until: level.until.map(Ts),
                    cover: level.cover,
                    known_at_utc: Ts(level.known_at).to_string(),
                });
            }
        }
        Ok(())
    })?;
    context.output.write(&Found { files, levels }, |found| {
        let row = |row: &Row| {
            let until = row.until.map(|until| until.to_string()).unwrap_or_default();
            vec![
                row.symbol.clone(),
                row.date.clone(),
                row.level.clone(),
                row.price.to_string(),
                row.known_at_utc.clone(),
                until,
                format!("{:.3}", row.cover),
            ]
        };
        let rows: Vec<_> = found.levels.iter().map(row).collect();
        table(&["symbol", "date", "level", "price", "known at", "until", "cover"], &rows)
    })?;
    Ok(Outcome::Done)
}
