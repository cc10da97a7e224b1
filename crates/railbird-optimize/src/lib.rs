//! Bounded global minimisation: exact piecewise-affine search, DIRECT, DIRECT-L, differential evolution.
//!
//! [`Exact`] finds the greatest sum of boxes with affine values over integer pairs, to the last unit. Where the objective is
//! a function that can only be asked, [`direct()`], [`direct_l`] and [`evolve`] search it within a budget, and [`minimize`]
//! falls back from one to the other for a typed reason.
//!
//! Knows nothing of what it optimises. No clock, no file, no randomness but the seed that it is given; one thread or many
//! give the same bits.

mod classic;
mod direct;
mod evolve;
mod exact;
mod fallback;
mod search;

pub use classic::{CLASSIC, Classic};
pub use direct::{direct, direct_l};
pub use evolve::{Evolution, evolve};
pub use exact::{AffineBox, Best, BoxSum, Candidates, Exact, ExactError, Point, Span, least_move};
pub use fallback::{FallbackReason, Fallen, Method, minimize};
pub use search::{
    Bounds, DIMENSIONS_MAX, EVALUATIONS_MAX, Limits, Objective, Outcome, Parallel, SearchError, Serial, StopReason,
};
