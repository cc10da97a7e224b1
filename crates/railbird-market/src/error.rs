//! What keeps the market from being read or walked.

/// Why there is no result. Trying again with the same input fails again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read as a table of bars.
    #[error("{place}: {problem}; {advice}")]
    Table {
        /// File, and the line or row in it.
        place: String,
        /// What was found, and what was expected.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// A series that breaks where its reader was told to refuse breaks.
    #[error("{symbol}: broken at {at}: {reason}; {advice}")]
    Broken {
        /// Symbol.
        symbol: String,
        /// Time of the first bar behind the break.
        at: String,
        /// What the break is.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// Too few unbroken bars for a walk.
    #[error(
        "{symbol}: {bars} unbroken bars since {since}, and {sims} simulations of horizon {horizon} need {needed}; \
         the largest --sims here is {sims_max}"
    )]
    TooShort {
        /// Symbol.
        symbol: String,
        /// Bars of the newest segment.
        bars: usize,
        /// Time of its first bar.
        since: String,
        /// Simulations asked for.
        sims: usize,
        /// Horizon asked for.
        horizon: usize,
        /// Bars that they need.
        needed: usize,
        /// Largest number of simulations that the bars allow.
        sims_max: usize,
    },
    /// A number of the walk that makes no sense.
    #[error("{what}: expected {expected}, found {found}")]
    Setting {
        /// Which number.
        what: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The forecaster failed.
    #[error("{symbol}: forecasts: {reason}")]
    Forecast {
        /// Symbol.
        symbol: String,
        /// What it said.
        reason: String,
    },
    /// The search for levels fell back, and that was forbidden.
    #[error("{symbol}, {strategy}, bar {at}: {reason}; leave out --no-fallback to walk on with differential evolution")]
    Fallback {
        /// Symbol.
        symbol: String,
        /// Strategy.
        strategy: String,
        /// Bar that the levels are for.
        at: String,
        /// Why.
        reason: String,
    },
    /// A figure that cannot be made.
    #[error("{symbol}: {reason}")]
    Measure {
        /// Symbol.
        symbol: String,
        /// Why.
        reason: String,
    },
    /// A table that cannot be written or read back.
    #[error("{what}: {reason}")]
    Columns {
        /// Which table.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
