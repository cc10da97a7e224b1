//! `railbird sql`: SQL over a lake. What answers is built with the feature `sql` alone.

#[cfg(feature = "sql")]
mod answer;
#[cfg(feature = "sql")]
mod told;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Context, book};
use crate::failure::{Failure, Outcome};

/// `railbird sql`.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// One statement that reads: SELECT, SHOW TABLES, DESCRIBE bars, EXPLAIN
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    sql: Option<String>,
    /// File that holds the statement
    #[arg(long, value_name = "F.sql")]
    file: Option<PathBuf>,
    /// Lake: a folder, or a URL such as s3://bucket/folder [default: the data folder's, which `book run` fills]
    #[arg(long, value_name = "DIR|URL")]
    lake: Option<String>,
    /// Form of the rows [default: that of the name after --out, or else a table]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// File that the rows are written to, whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Most rows that are given [default: all; in a table 40 on a terminal and 1000 elsewhere]
    #[arg(long, value_name = "N")]
    limit_rows: Option<usize>,
    /// Memory that sorts, joins and groups may hold, such as 1GB or 800MB; more goes to temporary files [default: half of what is free]
    #[arg(long, value_name = "BYTES", value_parser = book::bytes)]
    memory: Option<u64>,
    /// Parts of a query that run at once; with more than one, the order of rows without ORDER BY and the last digits of sums of fractions
    /// are not the same every time
    #[arg(long, value_name = "N", default_value_t = 1)]
    partitions: usize,
}

/// Form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns of text
    Table,
    /// A line a row
    Csv,
    /// One array of objects
    Json,
    /// Parquet
    Parquet,
}

/// Answers.
#[cfg(feature = "sql")]
pub(crate) fn run(context: &Context, arguments: &Sql) -> Result<Outcome, Failure> {
    answer::run(context, arguments)
}

/// Says how to get what answers.
#[cfg(not(feature = "sql"))]
pub(crate) fn run(_context: &Context, _arguments: &Sql) -> Result<Outcome, Failure> {
    Err(Failure::usage(
        "sql: this railbird was built without SQL, which adds minutes to a build; \
         get it with: cargo install --path crates/railbird --features sql",
    ))
}
