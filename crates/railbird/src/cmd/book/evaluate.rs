//! `railbird book evaluate`: do the neighbours know more than the base rate?

use clap::Args;
use railbird_book::{EvaluateRules, Evaluation, Index, NEIGHBOURS_MAX, evaluate};
use railbird_measure::Score;
use railbird_timeline::SystemClock;
use serde::Serialize;

use super::situations::{Situations, Wanted};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
    output::table,
    stages::Stages,
};

/// `railbird book evaluate`.
#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    situations: Situations,
    #[command(flatten)]
    wanted: Wanted,
    /// How many neighbours each prediction has
    #[arg(long, value_name = "K", default_value_t = 50, value_parser = clap::value_parser!(u64).range(2..=NEIGHBOURS_MAX as u64))]
    neighbours: u64,
    /// Outcomes that must be known before the first prediction
    #[arg(long, value_name = "N", default_value_t = 30)]
    known_min: usize,
    /// Where the chance of the intervals begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Serialize)]
struct Found {
    files: usize,
    bars: usize,
    vectors: usize,
    #[serde(flatten)]
    evaluation: Evaluation,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
}

/// Predicts every episode from those before it.
pub(crate) fn run(context: &Context, arguments: &Evaluate) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut stages = Stages::start(&clock);
    let past = arguments.situations.past()?;
    let index = Index::new(&past.vectors, &past.outcomes);
    let rules = EvaluateRules {
        neighbours: arguments.neighbours as usize,
        known_min: arguments.known_min,
        filter: arguments.wanted.filter(),
        scan: arguments.wanted.scan(),
        seed: arguments.seed,
        ..EvaluateRules::default()
    };
    let evaluation = evaluate(&index, &rules).map_err(Failure::refused)?;
    stages.end("all");
    let found = Found {
        files: past.files,
        bars: past.bars,
        vectors: index.len(),
        evaluation,
        seconds: stages.finish().1,
        peak_memory_bytes: memory::peak_bytes(),
    };
    context.output.write(&found, told)?;
    Ok(Outcome::Done)
}

fn told(found: &Found) -> String {
    let evaluation = &found.evaluation;
    let row = |score: &Score| {
        let interval = score.interval();
        vec![
            score.name().to_owned(),
            format!("{:.4}", score.value()),
            format!("{:.4}", interval.low()),
            format!("{:.4}", interval.high()),
            format!("{:.4}", score.baseline().value),
            if score.beats_baseline() { "better" } else { "not shown to be better" }.to_owned(),
        ]
    };
    let scores = [&evaluation.log_loss, &evaluation.brier, &evaluation.log_loss_skill, &evaluation.brier_skill];
    let rows: Vec<_> = scores.into_iter().map(row).collect();
    format!(
        "{}{} episodes predicted, each from those before; {} too early, {} without an outcome; {:.2} s\n",
        table(&["score", "model", "low", "high", "base rate", "against the base rate"], &rows),
        evaluation.predicted,
        evaluation.too_early,
        evaluation.without_outcome,
        found.seconds
    )
}
