//! What predicts: statistical forecasters, gradient-boosted trees, ONNX, and programs on a pipe.
//!
//! Start at [`Forecaster`]: contexts in, one [`Forecast`] a context out. [`builtin`] makes those that need no file, by name. Whatever
//! may differ between two answers is in the [`ModelId`], the horizon and the seed, so that a forecast can be kept under a [`ForecastKey`].
//!
//! Invariants: a forecast depends on its own context, never on the others of its batch nor on the number of threads; a context
//! that a model cannot use gives an [`Unmade`] that says why, never a made-up number. No file, no clock, no process: bytes,
//! readers and writers are arguments.

mod error;
mod forecast;
mod forecaster;
mod identity;
mod onnx;
mod pipe;
mod statistical;
mod trees;

pub use error::Error;
pub use forecast::{Forecast, LEVELS, Quantiles, Unmade};
pub use forecaster::{BUILTIN, Builtin, Forecaster, builtin};
pub use identity::{ForecastKey, ModelId};
pub use onnx::ModelFile;
pub use pipe::{HostReplies, HostRequests};
pub use statistical::{Autoregression, BoostedQuantiles, Drift, Ewma, Naive, QuantileBootstrap, SeasonalNaive, Theta};
pub use trees::Ensemble;
