//! Differential evolution (Storn, Price 1997), a generation at a time. Start at [`evolve`].
//!
//! All trials of a generation are made from the population before it and asked for in one batch, so that threads change
//! nothing.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::search::{Asked, Bounds, Limits, Objective, Outcome, SearchError, StopReason};

/// How a population evolves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evolution {
    /// Seed of all that is random.
    pub seed: u64,
    /// Members a coordinate; the population is at least 5 and at most the budget.
    pub members: usize,
    /// Share of a trial's coordinates taken from the mutant, 0 to 1.
    pub crossover: f64,
    /// Least and most weight of a difference; drawn anew for each generation.
    pub weight: (f64, f64),
    /// Converged once the values' deviation is within this share of their mean's magnitude.
    pub tolerance: f64,
}

impl Evolution {
    /// The usual settings: 15 members a coordinate, crossover 0.7, weight 0.5 to 1, tolerance 0.01.
    pub const fn seeded(seed: u64) -> Self {
        Self { seed, members: 15, crossover: 0.7, weight: (0.5, 1.0), tolerance: 0.01 }
    }
}

/// Minimises by differential evolution (best/1/bin) from a stratified population.
///
/// A coordinate that leaves the bounds is drawn anew. A generation that does not fit the budget is cut to the members that do.
/// The same seed gives the same bits, on one thread or many.
///
/// # Errors
/// [`SearchError::Evaluations`].
pub fn evolve(
    objective: &mut impl Objective,
    bounds: &Bounds,
    limits: &Limits<'_>,
    evolution: &Evolution,
) -> Result<Outcome, SearchError> {
    limits.check()?;
    let dimensions = bounds.dimensions();
    let wanted = evolution.members.saturating_mul(dimensions).clamp(5, POPULATION_MAX);
    let population = wanted.min(usize::try_from(limits.evaluations).unwrap_or(usize::MAX));
    let mut random = Random(ChaCha8Rng::seed_from_u64(evolution.seed));
    let mut asked = Asked::new(objective, bounds, limits);
    let mut members = stratified(population, dimensions, &mut random);
    let mut values = Vec::new();
    if !asked.sweep(&members, &mut values) {
        return Ok(asked.finish(StopReason::Cancelled));
    }
    if population < 4 {
        let stop = if asked.on_target() { StopReason::Target } else { StopReason::BudgetSpent };
        return Ok(asked.finish(stop));
    }
    let (mut trials, mut trial_values) = (Vec::new(), Vec::new());
    loop {
        if asked.on_target() {
            return Ok(asked.finish(StopReason::Target));
        }
        if converged(&values, evolution.tolerance) {
            return Ok(asked.finish(StopReason::Converged));
        }
        let fitting = population.min(usize::try_from(asked.left()).unwrap_or(usize::MAX));
        if fitting == 0 {
            return Ok(asked.finish(StopReason::BudgetSpent));
        }
        breed(&members, fitting, &asked.best, evolution, &mut random, &mut trials);
        if !asked.sweep(&trials, &mut trial_values) {
            return Ok(asked.finish(StopReason::Cancelled));
        }
        for (member, &value) in trial_values.iter().enumerate() {
            if value <= values[member] {
                values[member] = value;
                let at = member * dimensions;
                members[at..at + dimensions].copy_from_slice(&trials[at..at + dimensions]);
            }
        }
    }
}

/// Most members of a population.
const POPULATION_MAX: usize = 10_000;

/// One member in each slice of each coordinate.
fn stratified(population: usize, dimensions: usize, random: &mut Random) -> Vec<f64> {
    let mut members = vec![0.0; population * dimensions];
    let mut slices: Vec<usize> = (0..population).collect();
    for dimension in 0..dimensions {
        for at in (1..population).rev() {
            slices.swap(at, random.below(at + 1));
        }
        for (member, &slice) in slices.iter().enumerate() {
            members[member * dimensions + dimension] = (slice as f64 + random.unit()) / population as f64;
        }
    }
    members
}

/// The next generation's trials: the best plus a weighted difference of two others, crossed with each member.
fn breed(
    members: &[f64],
    count: usize,
    best: &[f64],
    evolution: &Evolution,
    random: &mut Random,
    trials: &mut Vec<f64>,
) {
    let dimensions = best.len();
    let population = members.len() / dimensions;
    let weight = evolution.weight.0 + random.unit() * (evolution.weight.1 - evolution.weight.0);
    trials.clear();
    for member in 0..count {
        let first = random.below_except(population, &[member]);
        let second = random.below_except(population, &[member, first]);
        let always = random.below(dimensions);
        for dimension in 0..dimensions {
            let of = |member: usize| members[member * dimensions + dimension];
            let crossed = random.unit() < evolution.crossover || dimension == always;
            let mutant = best[dimension] + weight * (of(first) - of(second));
            let redrawn = random.unit();
            let mutant = if (0.0..=1.0).contains(&mutant) { mutant } else { redrawn };
            trials.push(if crossed { mutant } else { of(member) });
        }
    }
}

/// Whether the values are as good as one. A population with a value that is not finite still has far to go.
fn converged(values: &[f64], tolerance: f64) -> bool {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt();
    deviation <= tolerance * mean.abs()
}

struct Random(ChaCha8Rng);

impl Random {
    /// 0 to 1, the end excluded; 53 bits.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    fn below(&mut self, end: usize) -> usize {
        // The bias is below 2^-40 for any population that fits memory.
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }

    fn below_except(&mut self, end: usize, except: &[usize]) -> usize {
        loop {
            let drawn = self.below(end);
            if !except.contains(&drawn) {
                return drawn;
            }
        }
    }
}
