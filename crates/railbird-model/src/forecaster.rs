//! What all forecasters have in common, and those that need no file. Start at [`Forecaster`] and [`builtin`].

use crate::{
    Autoregression, BoostedQuantiles, Drift, Error, Ewma, Forecast, ModelId, Naive, QuantileBootstrap, SeasonalNaive,
    Theta, forecast::HORIZON_MAX,
};

/// Predicts the next values of series.
pub trait Forecaster: Send + Sync {
    /// All that answers depend on, beside context, horizon and seed.
    fn id(&self) -> ModelId;

    /// One forecast a context, in their order. `contexts`: each oldest value first; `horizon`: steps ahead, from 1; `seed`: where chance
    /// begins, for models that use it.
    ///
    /// The same context, horizon and seed give the same bits, whatever else is in the batch and on any number of threads. A context
    /// that the model cannot use gives a [`Forecast::Unmade`] in its place.
    ///
    /// # Errors
    /// When the model as a whole cannot answer: [`Error::Horizon`], or what a model from elsewhere ran into.
    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error>;
}

impl<F: Forecaster + ?Sized> Forecaster for Box<F> {
    fn id(&self) -> ModelId {
        (**self).id()
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        (**self).predict_batch(contexts, horizon, seed)
    }
}

impl<F: Forecaster + ?Sized> Forecaster for std::sync::Arc<F> {
    fn id(&self) -> ModelId {
        (**self).id()
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, seed: u64) -> Result<Vec<Forecast>, Error> {
        (**self).predict_batch(contexts, horizon, seed)
    }
}

/// A forecaster that needs no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// What [`builtin`] calls it.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Its parameters with their defaults, as [`builtin`] takes them; empty without.
    pub parameters: &'static str,
}

/// All that [`builtin`] makes.
pub const BUILTIN: &[Builtin] = &[
    Builtin { name: "naive", summary: "the last value", parameters: "" },
    Builtin { name: "drift", summary: "the last value and the mean step", parameters: "" },
    Builtin { name: "ewma", summary: "the exponentially weighted mean", parameters: "alpha=0.2" },
    Builtin { name: "ar", summary: "autoregression of the steps, ARIMA(lags, 1, 0) with drift", parameters: "lags=5" },
    Builtin { name: "theta", summary: "the standard Theta method", parameters: "" },
    Builtin { name: "seasonal", summary: "the value of one season before", parameters: "period=5" },
    Builtin { name: "bootstrap", summary: "quantiles of paths made of steps that were seen", parameters: "paths=999" },
    Builtin {
        name: "boosted",
        summary: "gradient-boosted quantiles, trained on the context alone",
        parameters: "trees=20,depth=2,rate=0.1",
    },
];

/// A forecaster by its name, with parameters after a colon: `theta`, `ewma:alpha=0.2`, `ar:lags=5,…`.
///
/// # Errors
/// [`Error::UnknownModel`], [`Error::Parameter`].
pub fn builtin(text: &str) -> Result<Box<dyn Forecaster>, Error> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut given = Parameters::parse(name, rest)?;
    let model: Box<dyn Forecaster> = match name {
        "naive" => Box::new(Naive),
        "drift" => Box::new(Drift),
        "ewma" => Box::new(Ewma::new(given.take("alpha", 0.2)?)?),
        "ar" => Box::new(Autoregression::new(given.take("lags", 5)?)?),
        "theta" => Box::new(Theta),
        "seasonal" => Box::new(SeasonalNaive::new(given.take("period", 5)?)?),
        "bootstrap" => Box::new(QuantileBootstrap::new(given.take("paths", 999)?)?),
        "boosted" => {
            let (trees, depth) = (given.take("trees", 20)?, given.take("depth", 2)?);
            Box::new(BoostedQuantiles::new(trees, depth, given.take("rate", 0.1)?)?)
        }
        _ => {
            let known = BUILTIN.iter().map(|known| known.name).collect();
            return Err(Error::UnknownModel { name: name.chars().take(80).collect(), known });
        }
    };
    given.none_left()?;
    Ok(model)
}

/// Parameters as they were given, taken out one by one.
struct Parameters<'a> {
    model: &'a str,
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    fn parse(model: &'a str, text: &'a str) -> Result<Self, Error> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let given = parts.map(|part| part.split_once('=').ok_or(part)).collect::<Result<Vec<_>, _>>();
        match given {
            Ok(given) => Ok(Self { model, given }),
            Err(part) => Err(Error::Parameter {
                model: model.to_owned(),
                parameter: part.to_owned(),
                reason: "expected NAME=VALUE".to_owned(),
            }),
        }
    }

    /// The value of a parameter, or what it is by default.
    fn take<T: std::str::FromStr>(&mut self, name: &str, default: T) -> Result<T, Error> {
        let Some(place) = self.given.iter().position(|(given, _)| *given == name) else { return Ok(default) };
        let (_, value) = self.given.remove(place);
        value.parse().map_err(|_| Error::Parameter {
            model: self.model.to_owned(),
            parameter: format!("{name}={value}"),
            reason: "expected a number".to_owned(),
        })
    }

    /// Refuses what the model does not know.
    fn none_left(self) -> Result<(), Error> {
        let Some((name, value)) = self.given.first() else { return Ok(()) };
        let known = BUILTIN.iter().find(|known| known.name == self.model).map_or("", |known| known.parameters);
        Err(Error::Parameter {
            model: self.model.to_owned(),
            parameter: format!("{name}={value}"),
            reason: match known {
                "" => "the model has no parameters".to_owned(),
                known => format!("not a parameter of the model, which has {known}"),
            },
        })
    }
}

/// Refuses a horizon without steps, or with more than are allowed.
pub(crate) fn check_horizon(horizon: usize) -> Result<(), Error> {
    if (1..=HORIZON_MAX).contains(&horizon) {
        Ok(())
    } else {
        Err(Error::Horizon { found: horizon, most: HORIZON_MAX })
    }
}
