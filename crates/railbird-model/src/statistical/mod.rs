//! Forecasters that are formulas: each fits itself to the context, and to nothing else.

mod autoregression;
mod boosted;
mod bootstrap;
mod naive;
mod seasonal;
mod smoothing;
mod theta;

use rayon::prelude::*;

use crate::{Error, Forecast, Quantiles, Unmade, forecaster::check_horizon};

pub use autoregression::Autoregression;
pub use boosted::BoostedQuantiles;
pub use bootstrap::QuantileBootstrap;
pub use naive::{Drift, Naive};
pub use seasonal::SeasonalNaive;
pub use smoothing::Ewma;
pub use theta::Theta;

/// One forecast a context by `each`, on all threads; refuses contexts shorter than `needed` or with values that are not finite.
fn each_by_itself(
    contexts: &[&[f64]],
    horizon: usize,
    needed: usize,
    each: impl Fn(&[f64]) -> Result<Quantiles, Unmade> + Sync,
) -> Result<Vec<Forecast>, Error> {
    check_horizon(horizon)?;
    let one = |context: &&[f64]| Forecast::from(usable(context, needed).and_then(|()| each(context)));
    // By order, not by completion: the same answer on any number of threads. Few at a time, so that long and short ones mix.
    Ok(contexts.par_iter().with_min_len(8).map(one).collect())
}

/// Whether a context has enough values, all of them finite.
pub(crate) fn usable(context: &[f64], needed: usize) -> Result<(), Unmade> {
    if context.len() < needed {
        return Err(Unmade::TooShort { needed, found: context.len() });
    }
    match context.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Unmade::NotFinite { at }),
        None => Ok(()),
    }
}

/// Last value of a context that was found [`usable`].
fn last(context: &[f64]) -> f64 {
    context.last().copied().expect("a usable context has a value")
}
