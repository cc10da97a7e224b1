//! What keeps a walk or a figure from being made.

/// Why there is none. Trying again with the same rows fails again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few rows to score one.
    #[error("walk: expected at least {needed} rows, found {found}")]
    NoFolds {
        /// Rows that the scheme needs.
        needed: usize,
        /// Rows that there are.
        found: usize,
    },
    /// Groups that cannot be combined.
    #[error(
        "combinatorial study: expected 1 <= tested < groups <= {rows} rows and at most 10,000 combinations, \
         found {tested} of {groups}"
    )]
    Groups {
        /// Groups asked for.
        groups: usize,
        /// Groups tested at a time.
        tested: usize,
        /// Rows that there are.
        rows: usize,
    },
    /// A figure of the returns.
    #[error(transparent)]
    Measure(#[from] railbird_measure::Error),
}
