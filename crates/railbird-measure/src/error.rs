//! What keeps a figure from being made.

/// Why there is no figure. Trying again with the same numbers fails again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number that is NaN or infinite.
    #[error("{what}: expected a finite number, found {found}")]
    NotFinite {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: f64,
    },
    /// A level of confidence outside 0 to 1.
    #[error("level: expected more than 0 and less than 1, found {found}")]
    Level {
        /// What it is.
        found: f64,
    },
    /// Too few samples for what is asked.
    #[error("{what}: expected at least {needed} samples, found {found}")]
    TooFew {
        /// What is asked.
        what: &'static str,
        /// Samples that it needs.
        needed: usize,
        /// Samples that there are.
        found: usize,
    },
    /// An interval whose ends are the wrong way round.
    #[error("interval: low {low} is above high {high}")]
    Reversed {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// No resamples, or blocks without length.
    #[error("{what}: expected at least 1, found 0")]
    Zero {
        /// Which number.
        what: &'static str,
    },
}

/// `value`, if it is a number.
pub(crate) fn finite(what: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { what, found: value }) }
}
