//! `railbird optimize`: what the optimisers reach on functions whose minimum is known.

use clap::{Args, Subcommand};
use railbird_optimize::{Bounds, CLASSIC, Classic, Evolution, Limits, Outcome, Serial, direct, direct_l, evolve};
use serde::Serialize;

use crate::{
    cmd::Context,
    failure::{Failure, Outcome as Ended},
    output::table,
};

/// Optimisers beside what was published of them.
#[derive(Debug, Args)]
pub(crate) struct Optimize {
    #[command(subcommand)]
    command: OptimizeCommand,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum OptimizeCommand {
    /// Evaluations to within 0.01 % of the minimum, beside those published
    Jones,
}

/// Evaluations after which a search gives up.
const EVALUATIONS: u64 = 50_000;

#[derive(Serialize)]
struct Document {
    rows: Vec<Row>,
    /// Whether every count is the published one.
    equal: bool,
}

#[derive(Serialize)]
struct Row {
    function: &'static str,
    method: &'static str,
    /// Evaluations that were published, where any were.
    published: Option<u64>,
    evaluations: u64,
    value: f64,
    /// |value − minimum| / |minimum|, the minimum to five digits.
    gap: f64,
    stop: &'static str,
}

/// Runs the command. A count that is not the published one is a miss.
pub(crate) fn run(context: &Context, optimize: &Optimize) -> Result<Ended, Failure> {
    match optimize.command {
        OptimizeCommand::Jones => jones(context),
    }
}

fn jones(context: &Context) -> Result<Ended, Failure> {
    let mut rows = Vec::new();
    for classic in &CLASSIC {
        let bounds = Bounds::new(classic.bounds)?;
        let limits = Limits { target: Some(classic.target()), ..Limits::evaluations(EVALUATIONS) };
        let mut objective = Serial(classic.function);
        let original = direct(&mut objective, &bounds, &limits)?;
        let local = direct_l(&mut objective, &bounds, &limits)?;
        let evolved = evolve(&mut objective, &bounds, &limits, &Evolution::seeded(0))?;
        rows.push(Row::new(classic, "direct", Some(classic.direct), &original));
        rows.push(Row::new(classic, "direct-l", Some(classic.direct_l), &local));
        rows.push(Row::new(classic, "de", None, &evolved));
    }
    let equal = rows.iter().all(|row| row.published.is_none_or(|published| published == row.evaluations));
    context.output.write(&Document { rows, equal }, text)?;
    Ok(if equal { Ended::Done } else { Ended::Missed })
}

impl Row {
    fn new(classic: &Classic, method: &'static str, published: Option<u64>, outcome: &Outcome) -> Self {
        Self {
            function: classic.name,
            method,
            published,
            evaluations: outcome.evaluations,
            value: outcome.value,
            gap: ((outcome.value - classic.minimum) / classic.minimum).abs(),
            stop: outcome.stop.word(),
        }
    }
}

fn text(document: &Document) -> String {
    let rows: Vec<Vec<String>> = document
        .rows
        .iter()
        .map(|row| {
            vec![
                row.function.to_owned(),
                row.method.to_owned(),
                row.published.map_or_else(String::new, |published| published.to_string()),
                row.evaluations.to_string(),
                format!("{:.6}", row.value),
                format!("{:.1e}", row.gap),
                row.stop.to_owned(),
            ]
        })
        .collect();
    table(&["function", "method", "published", "ours", "value", "gap", "stopped"], &rows)
}
