//! What goes wrong in a lake, and what to do about it.

use jiff::civil::Date;

use crate::{Symbol, TaskId};

/// Why a lake, a table or a run could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the local lake.
    #[error(transparent)]
    File(#[from] railbird_store::Error),
    /// The object store refused or did not answer.
    #[error("{place}: cannot {action}: {source}")]
    Remote {
        /// Lake and path in it.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What the store said.
        source: object_store::Error,
    },
    /// The system refused while a part was written or read.
    #[error("{place}: cannot {action}: {source}")]
    Io {
        /// File or object.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Text that is no place of a lake.
    #[error("{location:?}: {reason}; expected a folder, or a URL such as s3://bucket/folder")]
    Location {
        /// As given.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// A lake that is to be read is not there.
    #[error("{location}: no lake there; write one with a run first, or check the name")]
    NoLake {
        /// As given.
        location: String,
    },
    /// A symbol that cannot be the name of a partition.
    #[error(
        "symbol {found:?}: {reason}; expected 1 to {bytes_max} letters, digits, '.', '_' or '-', not beginning with '.'",
        bytes_max = Symbol::BYTES_MAX
    )]
    Symbol {
        /// As given, its first 80 characters.
        found: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A name of a stage or data set that cannot be part of a path.
    #[error("{what} {found:?}: expected 1 to 40 small letters, digits or '_', beginning with a letter")]
    Name {
        /// What is named.
        what: &'static str,
        /// As given.
        found: String,
    },
    /// A manifest that cannot be read.
    #[error("{place}: expected a manifest of form {form}, {reason}; delete its folder and run again")]
    Manifest {
        /// Lake and path in it.
        place: String,
        /// Form that is read here.
        form: u32,
        /// What is wrong.
        reason: String,
    },
    /// Rows or a file that do not fit the contract of their data set.
    #[error("{place}: column {column}: expected {expected}, found {found}; {remedy}")]
    Contract {
        /// Data set, or file.
        place: String,
        /// Name of the column.
        column: String,
        /// What the contract says.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A Parquet file that cannot be read or written.
    #[error("{place}: {source}")]
    Parquet {
        /// File or object.
        place: String,
        /// What the reader or writer said.
        source: parquet::errors::ParquetError,
    },
    /// A file that is not what its manifest says.
    #[error("{place}: expected {expected}, found {found}; delete the folder's manifest.json and run again")]
    Damaged {
        /// File or object.
        place: String,
        /// What the manifest says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A task that gave other bytes for the same inputs, code and settings.
    #[error(
        "{task}: {set} came out other than before from the same inputs, code {code} and settings; this is an error in the stage"
    )]
    NotReproducible {
        /// Task.
        task: TaskId,
        /// Data set.
        set: String,
        /// Code version.
        code: String,
    },
    /// Another run, with another code or settings, committed the same task meanwhile.
    #[error(
        "{task}: committed meanwhile by a run with other inputs, code or settings; end the other run and try again"
    )]
    Contended {
        /// Task.
        task: TaskId,
    },
    /// A source changed between the moment at which it was hashed and the end of the task that read it.
    #[error("{source_name}: changed while it was read; run again when it is whole")]
    SourceChanged {
        /// Source.
        source_name: String,
    },
    /// A run asks for a stage that is not there.
    #[error("stage {found:?}: unknown; expected one of {known}")]
    UnknownStage {
        /// As given.
        found: String,
        /// Stages that are there.
        known: String,
    },
    /// The stages do not make a graph.
    #[error("stage {stage}: {reason}; this is an error in the list of stages")]
    Stages {
        /// Stage.
        stage: String,
        /// What is wrong.
        reason: String,
    },
    /// Nothing lies between the dates of a run.
    #[error("{symbol}: no source and no stored partition between {from} and {to}; {hint}")]
    NoDates {
        /// Symbol.
        symbol: Symbol,
        /// First date asked for.
        from: Date,
        /// Last date asked for.
        to: Date,
        /// What is there.
        hint: String,
    },
    /// A data set that the lake does not hold.
    #[error("data set {found:?}: not in this lake; it holds {known}")]
    UnknownSet {
        /// As asked for.
        found: String,
        /// What is there.
        known: String,
    },
    /// A stage asks for an input that it did not declare, or gives an output twice or not at all.
    #[error("{task}: {reason}; this is an error in the stage")]
    Undeclared {
        /// Task.
        task: TaskId,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// For `map_err` on what the object store refuses.
    pub(crate) fn remote(place: impl Into<String>, action: &'static str) -> impl FnOnce(object_store::Error) -> Self {
        let place = place.into();
        move |source| Self::Remote { place, action, source }
    }

    /// For `map_err` on what the system refuses.
    pub(crate) fn io(place: impl Into<String>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let place = place.into();
        move |source| Self::Io { place, action, source }
    }

    /// For `map_err` on what a Parquet file holds.
    pub(crate) fn parquet(place: impl Into<String>) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let place = place.into();
        move |source| Self::Parquet { place, source }
    }

    /// Whether what was asked for cannot be done as asked: wrong names, dates or places, nothing written.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Location { .. }
                | Self::NoLake { .. }
                | Self::Symbol { .. }
                | Self::UnknownStage { .. }
                | Self::NoDates { .. }
                | Self::UnknownSet { .. }
        )
    }
}
