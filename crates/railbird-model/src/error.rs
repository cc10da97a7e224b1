//! What keeps a model from being made or asked.

/// Why there is no model, or no answer of it. Each says what was expected and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name of a model that nobody knows.
    #[error("model {name:?}: unknown; expected one of {}, as in `theta` or `ewma:alpha=0.2`", known.join(", "))]
    UnknownModel {
        /// The name as given.
        name: String,
        /// Names that are known.
        known: Vec<&'static str>,
    },
    /// A parameter that the model does not have, or that is out of its range.
    #[error("model {model}: {parameter}: {reason}")]
    Parameter {
        /// Name of the model.
        model: String,
        /// The parameter as given.
        parameter: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// No step was asked for, or more than can be had.
    #[error("horizon: expected 1 to {most} steps, found {found}")]
    Horizon {
        /// Steps asked for.
        found: usize,
        /// Most that are allowed.
        most: usize,
    },
    /// Quantiles that are none.
    #[error("quantiles: {reason}")]
    Quantiles {
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// Bytes that hold no forecast.
    #[error("stored forecast: {reason}")]
    Stored {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A forecast that was kept is not what the model answers now.
    #[error(
        "forecast {key} of {model}: kept and made anew differ; the model does not give the same answer twice, or the cache was \
         changed: run `railbird cache clear`, and with `--no-cache` if it happens again"
    )]
    Differs {
        /// The model.
        model: String,
        /// What the forecast is kept under, its first digits.
        key: String,
    },
    /// A model from elsewhere failed.
    #[error("model {model}: {reason}")]
    Failed {
        /// The model.
        model: String,
        /// What happened, and what to do.
        reason: String,
    },
}
