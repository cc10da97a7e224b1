//! Whether neighbours know more than the base rate. Start at [`evaluate`].
//!
//! Every episode with an outcome is predicted at its own trigger, from what was known before: walk-forward, each once.
//! - Base: (episodes of the class + 1) / (all + 5), over all that could be found.
//! - Model: (similarity of neighbours of the class + prior × base) / (similarity of all + prior), so that no class is ever
//!   held impossible.
//! - Log-loss: mean of −ln p of what came. Brier: mean over episodes of Σ (p − came)² over the classes, 0 to 2. Skill:
//!   1 − model's / base's, 0 for the base.
//! - Intervals: bootstrap over runs of neighbouring episodes in order of time, since those are alike.

use railbird_measure::{Baseline, Better, Bootstrap, Resampling, Score, bootstrap};
use rayon::prelude::*;

use super::{CLASSES, Filter, Index, Query, Scan, shares_of, similarities};
use crate::StageError;
use crate::episode::OutcomeClass;

/// Rules of a walk-forward evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateRules {
    /// Neighbours of each prediction.
    pub neighbours: usize,
    /// Outcomes that must be known before an episode is predicted.
    pub known_min: usize,
    /// Similarity that the base rate counts for.
    pub prior: f64,
    /// What may be found; does not choose what is predicted, beside its symbols and kinds.
    pub filter: Filter,
    /// Resamples of the intervals.
    pub resamples: usize,
    /// Level of the intervals.
    pub level: f64,
    /// Where chance begins.
    pub seed: u64,
    /// How distances are computed.
    pub scan: Scan,
}

/// How well outcomes were predicted.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Evaluation {
    /// Episodes predicted.
    pub predicted: usize,
    /// Episodes before which too little was known.
    pub too_early: usize,
    /// Episodes whose outcome never became known.
    pub without_outcome: usize,
    /// Mean log-loss, nats.
    pub log_loss: Score,
    /// Mean Brier score.
    pub brier: Score,
    /// Skill by log-loss.
    pub log_loss_skill: Score,
    /// Skill by Brier score.
    pub brier_skill: Score,
}

impl Default for EvaluateRules {
    fn default() -> Self {
        Self {
            neighbours: 50,
            known_min: 30,
            prior: 5.0,
            filter: Filter::default(),
            resamples: 1000,
            level: 0.95,
            seed: 1,
            scan: Scan::default(),
        }
    }
}

/// Losses of one prediction.
#[derive(Debug, Clone, Copy)]
struct Losses {
    log: Pair,
    brier: Pair,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    model: f64,
    base: f64,
}

/// Plays the episodes of `index` through, each predicted from what was known before its trigger.
///
/// Costs a scan an episode, spread over rayon's threads; the result does not depend on their number.
///
/// # Errors
/// [`StageError::TooFew`] below 10 predictions; [`StageError::Measure`].
pub fn evaluate(index: &Index, rules: &EvaluateRules) -> Result<Evaluation, StageError> {
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(index.len());
    for (at, block) in index.blocks.iter().enumerate() {
        let has = |list: &[_], symbol| list.is_empty() || list.contains(symbol);
        if has(&rules.filter.symbols, &block.symbol) {
            let kinds = &rules.filter.kinds;
            let is_asked = |row: &usize| kinds.is_empty() || kinds.contains(&block.entries[*row].kind);
            order.extend((0..block.entries.len()).filter(is_asked).map(|row| (at, row)));
        }
    }
    order.sort_by_key(|&(block, row)| {
        let entry = &index.blocks[block].entries[row];
        (entry.known_at, block, row)
    });
    let with_outcome: Vec<(usize, usize, OutcomeClass)> = order
        .iter()
        .filter_map(|&(block, row)| index.blocks[block].entries[row].outcome.map(|(class, _)| (block, row, class)))
        .collect();
    let losses: Vec<Option<Losses>> =
        with_outcome.par_iter().map(|&(block, row, class)| losses_of(index, rules, block, row, class)).collect();
    let losses: Vec<Losses> = losses.into_iter().flatten().collect();
    const PREDICTED_MIN: usize = 10;
    if losses.len() < PREDICTED_MIN {
        return Err(StageError::TooFew { what: "predictions", needed: PREDICTED_MIN, found: losses.len() });
    }
    let log: Vec<Pair> = losses.iter().map(|losses| losses.log).collect();
    let brier: Vec<Pair> = losses.iter().map(|losses| losses.brier).collect();
    Ok(Evaluation {
        predicted: losses.len(),
        too_early: with_outcome.len() - losses.len(),
        without_outcome: order.len() - with_outcome.len(),
        log_loss: rules.loss("log-loss, nats", &log)?,
        brier: rules.loss("Brier score, 0 to 2", &brier)?,
        log_loss_skill: rules.skill("skill by log-loss, 1 - model / base rate", &log)?,
        brier_skill: rules.skill("skill by Brier score, 1 - model / base rate", &brier)?,
    })
}

/// `None` where too little was known.
fn losses_of(index: &Index, rules: &EvaluateRules, block: usize, row: usize, class: OutcomeClass) -> Option<Losses> {
    let (block, entry) = (&index.blocks[block], &index.blocks[block].entries[row]);
    let query = Query {
        symbol: block.symbol.clone(),
        at: entry.known_at,
        values: block.rows[row].map(f64::from),
        filter: rules.filter.clone(),
        neighbours: rules.neighbours,
        scan: rules.scan,
    };
    let nearest = index.nearest(&query).ok()?;
    let known: usize = nearest.base.iter().sum();
    if known < rules.known_min.max(1) {
        return None;
    }
    let weights = similarities(&nearest.found);
    let weighted: Vec<(f64, OutcomeClass)> = nearest
        .found
        .iter()
        .zip(&weights)
        .filter_map(|(&(_, block, row), &weight)| Some((weight, index.blocks[block].entries[row].outcome?.0)))
        .collect();
    let total: f64 = weights.iter().sum();
    let base: [f64; CLASSES] =
        std::array::from_fn(|class| (nearest.base[class] as f64 + 1.0) / (known + CLASSES) as f64);
    let shares = shares_of(&weighted);
    let model: [f64; CLASSES] = std::array::from_fn(|class| {
        let share = if total > 0.0 { shares[class] * total } else { 0.0 };
        (share + rules.prior * base[class]) / (total + rules.prior)
    });
    let log = |p: &[f64; CLASSES]| -p[class as usize].ln();
    let brier =
        |p: &[f64; CLASSES]| (0..CLASSES).map(|at| (p[at] - f64::from(u8::from(at == class as usize))).powi(2)).sum();
    Some(Losses {
        log: Pair { model: log(&model), base: log(&base) },
        brier: Pair { model: brier(&model), base: brier(&base) },
    })
}

impl EvaluateRules {
    fn bootstrap(&self, rows: usize) -> Bootstrap {
        // Runs of about n^(1/3) rows, the usual length for a bootstrap of rows in order of time.
        let rows = (rows as f64).cbrt().ceil() as usize;
        let resampling = Resampling::Blocks { rows };
        Bootstrap { resamples: self.resamples, level: self.level, seed: self.seed, resampling }
    }

    fn loss(&self, name: &'static str, pairs: &[Pair]) -> Result<Score, StageError> {
        let model = |pairs: &[Pair]| mean(pairs, |pair| pair.model);
        let baseline = Baseline { name: "base rate of what was known", value: mean(pairs, |pair| pair.base) };
        let interval = bootstrap(pairs, model, &self.bootstrap(pairs.len()))?;
        Ok(Score::new(name, Better::Lower, model(pairs), baseline, pairs.len(), interval)?)
    }

    fn skill(&self, name: &'static str, pairs: &[Pair]) -> Result<Score, StageError> {
        let skill = |pairs: &[Pair]| 1.0 - mean(pairs, |pair| pair.model) / mean(pairs, |pair| pair.base);
        let baseline = Baseline { name: "base rate of what was known", value: 0.0 };
        let interval = bootstrap(pairs, skill, &self.bootstrap(pairs.len()))?;
        Ok(Score::new(name, Better::Higher, skill(pairs), baseline, pairs.len(), interval)?)
    }
}

fn mean(pairs: &[Pair], value: impl Fn(&Pair) -> f64) -> f64 {
    pairs.iter().map(value).sum::<f64>() / pairs.len() as f64
}
