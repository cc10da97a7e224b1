//! Walk-forward folds with purge and embargo, and what a series of returns was worth.
//!
//! Start at [`Folds::walk`]; [`Metrics::of`] gives the figures of an account, defined once in [`DEFINITIONS`].
//!
//! Invariant: knows no field, no strategy and no file; a scored row never trains itself.

mod cached;
mod error;
mod folds;
mod metrics;

pub use cached::{Cached, CachedRules, CachedStats, ForecastShelf};
pub use error::Error;
pub use folds::{COMBINATIONS_MAX, Combination, Fold, Folds, Scheme, combinatorial};
pub use metrics::{DEFINITIONS, Metrics, Period};
