//! Combinatorial purged splits: a study of its own, never part of a walk. Start at [`study`].
//!
//! Levels of a split are chosen from all days outside its tested groups, later ones included, less those within `purge` days
//! of a tested group and `embargo` days behind it. It says how far levels that paid in one part of a history pay in another; what it
//! shows could not have been earned.

use std::ops::Range;

use railbird_backtest::combinatorial;
use rayon::prelude::*;
use serde::Serialize;

use super::{Ground, Task, WalkInput, WalkRules, tasks};
use crate::{
    Error,
    choose::{Area, Chooser, TrainingDay, total},
    fills::Policy,
    strategy::{Strategy, Tuning},
    units::{Move, PAY_ONE},
};

/// How days are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CombinatorialRules {
    /// Groups of neighbouring days, of like size.
    pub groups: usize,
    /// Groups that are tested together.
    pub tested: usize,
    /// Days left out of training on both sides of a tested group.
    pub purge: usize,
    /// Further days left out behind it.
    pub embargo: usize,
}

/// One split of one strategy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CombinationRow {
    /// Symbol.
    pub symbol: String,
    /// Strategy.
    pub strategy: &'static str,
    /// Split, from 1, in lexicographic order of the tested groups.
    pub split: usize,
    /// Days that trained.
    pub training_days: usize,
    /// Days that were tested.
    pub tested_days: usize,
    /// Added to the upper limit, units of 1e-8.
    pub m_high: Move,
    /// Added to the lower limit.
    pub m_low: Move,
    /// When one gets out.
    pub policy: Policy,
    /// Mean pay a training day, basis points.
    pub training_bp: f64,
    /// Mean pay a tested day, basis points.
    pub tested_bp: f64,
}

/// Every split of every strategy that tunes levels, under the fills that were asked for.
///
/// # Errors
/// As [`super::walk`]; [`Error::Measure`] for groups that cannot be combined.
pub fn study(
    input: &WalkInput<'_>,
    strategies: &[Box<dyn Strategy>],
    rules: &WalkRules,
    splits: CombinatorialRules,
) -> Result<Vec<CombinationRow>, Error> {
    rules.check()?;
    let symbol = input.symbol.to_owned();
    let (rows, _) = rules.schedule.folds(&symbol, input.bars)?;
    let ground = Ground::new(input, rows.clone(), rules);
    let combinations = combinatorial(rows, splits.groups, splits.tested, splits.purge, splits.embargo)
        .map_err(|error| Error::Measure { symbol: symbol.clone(), reason: error.to_string() })?;
    let all = strategies.iter().flat_map(|strategy| tasks(&ground, strategy.as_ref(), rules));
    let tuned: Vec<Task<'_>> = all.filter(|task| task.fills == Some(rules.fills) && task.tuned == Some(true)).collect();
    let choice_rules = rules.choice_rules(rules.fills);
    let work: Vec<(&Task<'_>, usize)> =
        tuned.iter().flat_map(|task| (0..combinations.len()).map(move |split| (task, split))).collect();
    work.into_par_iter()
        .map_init(Chooser::default, |chooser, (task, split)| {
            let days = |ranges: &[Range<usize>]| -> Vec<TrainingDay<'_>> {
                let days = ranges.iter().cloned().flatten().filter_map(|at| task.order(&ground, at));
                days.map(|(order, actual)| TrainingDay { order, actual }).collect()
            };
            let (train, test) = (days(&combinations[split].train), days(&combinations[split].test));
            let tuning = train.iter().chain(&test).map(|day| day.order.tuning);
            let mut bounds = tuning.filter_map(|tuning| match tuning {
                Tuning::Search { high, low } => Some((high, low)),
                Tuning::Fixed(_) => None,
            });
            let (high, low) = bounds.next_back().unwrap_or(((0, 0), (0, 0)));
            let side = |(least, most): (i64, i64)| (least * rules.bound, most * rules.bound);
            let choice = chooser.choose(&train, Area { high: side(high), low: side(low) }, &choice_rules);
            let choice = choice.map_err(|reason| Error::Fallback {
                symbol: symbol.clone(),
                strategy: task.strategy.name().to_owned(),
                at: format!("split {}", split + 1),
                reason: reason.to_string(),
            })?;
            let mean_bp = |pay: i64, days: usize| pay as f64 / (2.0 * PAY_ONE) / (days as f64).max(1.0) * 1e4;
            Ok(CombinationRow {
                symbol: symbol.clone(),
                strategy: task.strategy.name(),
                split: split + 1,
                training_days: train.len(),
                tested_days: test.len(),
                m_high: choice.levels.high,
                m_low: choice.levels.low,
                policy: choice.levels.policy,
                training_bp: mean_bp(choice.value, train.len()),
                tested_bp: mean_bp(total(&test, &choice.levels, &choice_rules), test.len()),
            })
        })
        .collect()
}
