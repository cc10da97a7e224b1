//! The market: walk-forward tests of strategies driven by forecasts.

pub mod data;
mod error;
pub mod offer;
pub mod report;
pub mod simulate;
mod units;

pub use error::Error;
pub use units::{FEE_ONE, MOVE_ONE, Move, PAY_ONE, move_from, to_units};
