//! What all forecasters have in common, and those that need no file. Start at [`Forecaster`] and [`builtin`].

use crate::{Drift, Error, Forecast, ModelId, Naive, Theta, forecast::HORIZON_MAX};

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
    Builtin { name: "theta", summary: "the standard Theta method", parameters: "" },
];

/// A forecaster by its name, with parameters after a colon: `theta`, `ewma:alpha=0.2`, `ar:lags=5,…`.
///
/// # Errors
/// [`Error::UnknownModel`], [`Error::Parameter`].
pub fn builtin(text: &str) -> Result<Box<dyn Forecaster>, Error> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let parameters = Parameters::parse(name, rest)?;
    Ok(match name {
        "naive" => parameters.none(Naive)?,
        "drift" => parameters.none(Drift)?,
        "theta" => parameters.none(Theta)?,
        _ => {
            let known = BUILTIN.iter().map(|known| known.name).collect();
            return Err(Error::UnknownModel { name: name.chars().take(80).collect(), known });
        }
    })
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

    /// `model`, if nothing is left that it would not know.
    fn none(self, model: impl Forecaster + 'static) -> Result<Box<dyn Forecaster>, Error> {
        match self.given.first() {
            None => Ok(Box::new(model)),
            Some((name, value)) => Err(Error::Parameter {
                model: self.model.to_owned(),
                parameter: format!("{name}={value}"),
                reason: match BUILTIN.iter().find(|known| known.name == self.model).map(|known| known.parameters) {
                    None | Some("") => "the model has no parameters".to_owned(),
                    Some(known) => format!("not a parameter of the model, which has {known}"),
                },
            }),
        }
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
