//! `railbird market redundancy`: a dry run that counts forecasts.

use clap::Args;
use railbird_market::redundancy;

use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output::table,
};

/// `market redundancy`.
#[derive(Debug, Args)]
pub(crate) struct Redundancy {
    /// Simulations
    #[arg(long, default_value_t = 70, value_name = "N")]
    sims: usize,
    /// One-step forecasts a simulation and key
    #[arg(long, default_value_t = 7, value_name = "N")]
    horizon: usize,
    /// Days of history
    #[arg(long, default_value_t = 200, value_name = "N")]
    days: usize,
    /// List how often each day is forecast
    #[arg(long)]
    by_day: bool,
}

/// Counts and prints.
pub(crate) fn run(context: &Context, arguments: &Redundancy) -> Result<Outcome, Failure> {
    let mut report = redundancy(arguments.sims, arguments.horizon, arguments.days)
        .map_err(|error| Failure::usage(error.to_string()))?;
    if !arguments.by_day {
        report.by_day.clear();
    }
    context.output.write(&report, |report| {
        let row = |name: &str, counts: &railbird_market::Redundancy| {
            let percent = format!("{:.2}", counts.redundant * 100.0);
            vec![name.to_owned(), counts.calls.to_string(), counts.unique.to_string(), percent]
        };
        let rows = [row("the loop", &report.walk), row("on paper", &report.paper)];
        let mut text = table(&["count", "calls", "unique", "redundant_%"], &rows);
        if !report.by_day.is_empty() {
            let rows: Vec<Vec<String>> = report
                .by_day
                .iter()
                .map(|uses| vec![uses.day.to_string(), uses.walk.to_string(), uses.paper.to_string()])
                .collect();
            text.push('\n');
            text.push_str(&table(&["day", "the loop", "on paper"], &rows));
        }
        text
    })?;
    Ok(Outcome::Done)
}
