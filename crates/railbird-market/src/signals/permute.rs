//! What the same signals would have earned at other times. Start at [`permuted`].

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use rayon::prelude::*;
use serde::Serialize;

use super::{
    rules::Rules,
    skip::skip,
    walk::{Column, Signals, walk},
};

/// The observed Sharpe ratio among those of the same signals at other times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Permuted {
    /// Sharpe ratio as it was; 0 without spread.
    pub sharpe: f64,
    /// Permutations.
    pub permutations: usize,
    /// Of these, Sharpe ratios at least as high.
    pub at_least: usize,
    /// (1 + at least) / (1 + permutations): how likely chance does as well.
    pub p: f64,
    /// Median Sharpe ratio of the permutations.
    pub sharpe_median: f64,
}

/// Moves all signals by as many random bars, the same for each symbol as a share of its bars, and runs again; so often.
///
/// Moving keeps how often signals come, how they follow one another, and every price; only their meeting is left to chance.
/// The same seed gives the same figures on any number of threads.
pub fn permuted(
    columns: &[Column<'_>],
    rules: &Rules,
    periods_a_year: f64,
    permutations: usize,
    seed: u64,
) -> Permuted {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let shares: Vec<u64> = (0..permutations).map(|_| random.next_u64()).collect();
    let sharpe = sharpe(columns, rules, periods_a_year);
    let mut others: Vec<f64> = shares
        .par_iter()
        .map(|&share| {
            let moved: Vec<Signals> = columns
                .iter()
                .map(|column| {
                    let bars = column.prices.time.len() as u128;
                    column.signals.rotated(((u128::from(share) * bars) >> 64) as usize)
                })
                .collect();
            let moved: Vec<Column<'_>> =
                columns.iter().zip(&moved).map(|(column, signals)| Column { prices: column.prices, signals }).collect();
            self::sharpe(&moved, rules, periods_a_year)
        })
        .collect();
    let at_least = others.iter().filter(|other| **other >= sharpe).count();
    others.sort_by(f64::total_cmp);
    Permuted {
        sharpe,
        permutations,
        at_least,
        p: (1 + at_least) as f64 / (1 + permutations) as f64,
        sharpe_median: others.get(permutations / 2).copied().unwrap_or(0.0),
    }
}

fn sharpe(columns: &[Column<'_>], rules: &Rules, periods_a_year: f64) -> f64 {
    let sharpe = match columns {
        [column] => skip(column, rules, periods_a_year, None).sharpe,
        _ => walk(columns, rules).metrics(periods_a_year).sharpe,
    };
    sharpe.unwrap_or(0.0)
}
