//! SQL over the lake, with DataFusion. Empty without the feature `sql`, which takes minutes to build.
//!
//! A `Sql` is opened over a lake; a query gives `Rows`, a batch at a time; an `Encoder` makes bytes of them. Each data set is a table,
//! with `symbol` and `date` of its partitions as columns.
//!
//! Invariant: reads and never writes; reads no file but those that a manifest names, and of those only what the query's `symbol` and
//! `date` leave. With one partition of work a query has one answer, whatever the number of threads.

#[cfg(feature = "sql")]
mod encode;
#[cfg(feature = "sql")]
mod error;
#[cfg(feature = "sql")]
mod in_order;
#[cfg(feature = "sql")]
mod partitions;
#[cfg(feature = "sql")]
mod place;
#[cfg(feature = "sql")]
mod reads;
#[cfg(feature = "sql")]
mod rows;
#[cfg(feature = "sql")]
mod session;
#[cfg(feature = "sql")]
mod table;

#[cfg(feature = "sql")]
pub use encode::{Encoder, RowForm};
#[cfg(feature = "sql")]
pub use error::Error;
#[cfg(feature = "sql")]
pub use rows::{ColumnKind, ReadSoFar, Rows};
#[cfg(feature = "sql")]
pub use session::{Sql, SqlOptions};
