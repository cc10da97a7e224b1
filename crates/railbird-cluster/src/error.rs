//! What goes wrong with a query, and what to do about it.

use std::{error, sync::Arc};

use datafusion::error::DataFusionError;

/// Why a query has no answer, or no whole one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lake cannot be read.
    #[error("{0}")]
    Lake(Arc<railbird_lake::Error>),
    /// SQL that cannot be understood, or that names what is not there.
    #[error("{0}")]
    Sql(String),
    /// A table that the lake does not hold.
    #[error("table {found:?}: not in this lake; it holds {known}")]
    UnknownTable {
        /// As asked for.
        found: String,
        /// What is there.
        known: String,
    },
    /// A statement that would change something.
    #[error("{statement}: a lake is only read here; expected SELECT, WITH, VALUES, SHOW TABLES, DESCRIBE or EXPLAIN")]
    ReadOnly {
        /// Its first word.
        statement: String,
    },
    /// A file whose column is of another type than its table's.
    #[error(
        "{file}: column {column}: expected {expected}, found {found}; \
         run the stage again for this symbol and date, or leave them out in WHERE"
    )]
    Clash {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// Type of the table's column.
        expected: String,
        /// Type of the file's.
        found: String,
    },
    /// A file that a manifest names and that is not there.
    #[error("{file}: is not there any more; another run replaced or removed it meanwhile: try again")]
    Gone {
        /// File.
        file: String,
    },
    /// A file that cannot be read.
    #[error("{file}: cannot be read: {reason}; `railbird book run --verify` finds damaged files and makes them anew")]
    File {
        /// File.
        file: String,
        /// Why.
        reason: String,
    },
    /// The query needs more memory than it may have.
    #[error(
        "more memory is needed than the {memory_bytes} bytes that the query may have; give it more with --memory ({reason})"
    )]
    Memory {
        /// What it may have.
        memory_bytes: usize,
        /// What needed it.
        reason: String,
    },
    /// Rows that a form cannot hold.
    #[error("{form}: {reason}; choose other columns or another form")]
    Form {
        /// Form.
        form: &'static str,
        /// Why.
        reason: String,
    },
    /// What went wrong while the query ran.
    #[error("the query failed: {0}")]
    Query(String),
}

impl Error {
    /// Whether the query itself is wrong, so that it has to be written otherwise.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Sql(_) | Self::UnknownTable { .. } | Self::ReadOnly { .. } | Self::Form { .. })
    }

    /// Whether a file of the lake is refused.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Clash { .. } => true,
            Self::Lake(error) => error.is_refusal(),
            _ => false,
        }
    }

    /// What went wrong while a query ran; our own errors come back as they were raised.
    pub(crate) fn of_run(error: &DataFusionError, memory_bytes: usize) -> Self {
        let mut cause: Option<&(dyn error::Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(own) = current.downcast_ref::<Self>() {
                return own.clone();
            }
            if let Some(DataFusionError::ResourcesExhausted(reason)) = current.downcast_ref::<DataFusionError>() {
                return Self::Memory { memory_bytes, reason: reason.clone() };
            }
            cause = current.source();
        }
        Self::Query(error.strip_backtrace())
    }
}

impl From<railbird_lake::Error> for Error {
    fn from(error: railbird_lake::Error) -> Self {
        Self::Lake(Arc::new(error))
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
