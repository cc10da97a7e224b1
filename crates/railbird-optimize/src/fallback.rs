//! One door to all searches, with a fallback that says why. Start at [`minimize`].

use std::fmt;

use crate::{
    direct::{direct, direct_l},
    evolve::{Evolution, evolve},
    search::{Bounds, Limits, Objective, Outcome, SearchError, StopReason},
};

/// A way to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// DIRECT.
    Direct,
    /// DIRECT-L.
    DirectL,
    /// Differential evolution.
    Evolve,
}

/// Why differential evolution searched in another method's stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackReason {
    /// The budget does not hold the centre and its first division, 1 + 2 · dimensions.
    BudgetSpent,
    /// No value was finite, neither at the centre nor around it.
    NonFinite,
    /// A coordinate cannot move: its rectangles cannot be divided.
    DegenerateBounds,
}

/// What was found, by which method, and why by that.
#[derive(Debug, Clone, PartialEq)]
pub struct Fallen {
    /// What was found. Evaluations are those of both methods.
    pub outcome: Outcome,
    /// The method that found it.
    pub method: Method,
    /// Why it is not the one that was asked for.
    pub reason: Option<FallbackReason>,
}

impl Method {
    /// The method's name, as on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::DirectL => "direct-l",
            Self::Evolve => "de",
        }
    }
}

impl FallbackReason {
    /// The reason in one word, as in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BudgetSpent => "budget-spent",
            Self::NonFinite => "non-finite",
            Self::DegenerateBounds => "degenerate-bounds",
        }
    }
}

impl fmt::Display for FallbackReason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::BudgetSpent => "the budget does not hold the first division",
            Self::NonFinite => "no value was finite",
            Self::DegenerateBounds => "a coordinate has no room to move",
        })
    }
}

/// Minimises by `method`. Where that cannot begin, by differential evolution with the same budget and `evolution`'s seed.
///
/// # Errors
/// [`SearchError::Evaluations`]; [`SearchError::NoFallback`] where `method` cannot begin and `fall_back` is false.
pub fn minimize(
    objective: &mut impl Objective,
    bounds: &Bounds,
    limits: &Limits<'_>,
    method: Method,
    evolution: &Evolution,
    fall_back: bool,
) -> Result<Fallen, SearchError> {
    limits.check()?;
    let (reason, spent) = match method {
        Method::Evolve => {
            let outcome = evolve(objective, bounds, limits, evolution)?;
            return Ok(Fallen { outcome, method, reason: None });
        }
        _ if bounds.is_degenerate() => (FallbackReason::DegenerateBounds, 0),
        _ if limits.evaluations < 1 + 2 * bounds.dimensions() as u64 => (FallbackReason::BudgetSpent, 0),
        Method::Direct | Method::DirectL => {
            let outcome = match method {
                Method::DirectL => direct_l(objective, bounds, limits)?,
                _ => direct(objective, bounds, limits)?,
            };
            if outcome.stop != StopReason::NonFinite {
                return Ok(Fallen { outcome, method, reason: None });
            }
            (FallbackReason::NonFinite, outcome.evaluations)
        }
    };
    if !fall_back {
        return Err(SearchError::NoFallback(reason));
    }
    let mut outcome = evolve(objective, bounds, limits, evolution)?;
    outcome.evaluations += spent;
    outcome.non_finite += spent;
    Ok(Fallen { outcome, method: Method::Evolve, reason: Some(reason) })
}
