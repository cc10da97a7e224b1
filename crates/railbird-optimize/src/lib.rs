//! Bounded global minimisation: exact piecewise-affine search, DIRECT, DIRECT-L, differential evolution.
//!
//! [`Exact`] finds the greatest sum of boxes with affine values over integer pairs, to the last unit.
//!
//! Knows nothing of what it optimises. No clock, no file, no randomness but the seed that it is given; one thread or many
//! give the same bits.

mod exact;

pub use exact::{AffineBox, Best, BoxSum, Candidates, Exact, ExactError, Point, Span, least_move};
