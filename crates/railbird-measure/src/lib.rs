//! Scores that carry their baseline, intervals around them, and latency histograms.
//!
//! Start at [`Score`]. Its interval comes from [`bootstrap`], or from [`conformal_radius`] where single predictions are bounded.
//! [`LatencyHistogram`] is for how long things took.
//!
//! Invariant: no clock and no source of chance: durations and seeds are arguments, so that a figure can be had again.

mod error;
mod forecast;
mod interval;
mod latency;
mod score;

pub use error::Error;
pub use forecast::{ForecastScore, Forecasted, naive_scale, pinball};
pub use interval::{Bootstrap, Interval, Method, Resampling, bootstrap, bootstrap_each, conformal_radius};
pub use latency::{LatencyHistogram, LatencySummary};
pub use score::{Baseline, Better, Score};
