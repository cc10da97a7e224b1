//! Why a file of ticks is refused.

use std::io;

/// Why a file of ticks is refused. Whoever knows the file's name says it before this.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Its first bytes cannot be read.
    #[error("its beginning cannot be read ({0}); get the file again")]
    Head(#[source] io::Error),
    /// The head of a DBN file.
    #[error("its DBN head is not whole ({0}); get the file again")]
    DbnHead(String),
    /// A DBN version that is not read.
    #[error("is DBN of version {0}, expected 1, 2 or 3; convert it")]
    DbnVersion(u8),
    /// A schema without a book.
    #[error("holds records of schema {0}, expected mbp-10, mbp-1, tbbo, mbo, trades or cmbp-1")]
    Schema(String),
    /// The format before DBN.
    #[error("is DBZ, the format before DBN; convert it to DBN")]
    Dbz,
    /// A Parquet file as a stream.
    #[error("is Parquet, which cannot be read as a stream; give the file")]
    ParquetStream,
    /// A Parquet file that cannot be read.
    #[error("cannot be read as Parquet ({0}); get the file again")]
    Parquet(String),
    /// A text file that cannot be read.
    #[error("cannot be read as CSV ({0}); give DBN, Parquet, or CSV with the column names of DBN")]
    Csv(String),
    /// Columns are missing.
    #[error(
        "has no column {0}; expected the column names of DBN's text form: ts_event, action, side, price, size, \
             flags, sequence, and bid_px_00 and so on or order_id"
    )]
    Column(&'static str),
    /// A column of a kind that cannot be read.
    #[error("column {column} is {found}, expected {expected}")]
    ColumnKind {
        /// Its name.
        column: String,
        /// Its type.
        found: String,
        /// What can be read.
        expected: &'static str,
    },
}
