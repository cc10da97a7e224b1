//! The order book: ticks to bars, levels, episodes and searchable situations.

pub mod offer;
pub mod simulate;

mod bars;
mod calendar;
mod codec;
mod columns;
mod decode;
mod episode;
mod features;
mod instrument;
mod level;
mod profile;
mod retrieve;
mod state;
mod study;
mod table;
mod table_writer;
mod vectors;

pub use bars::*;
pub use calendar::*;
pub use codec::*;
pub use columns::{BAND_EDGES, COLUMN_COUNT, Column, Family, Unit, column_index, columns};
pub use decode::*;
pub use episode::*;
pub use features::*;
pub use instrument::*;
pub use level::*;
pub use profile::*;
pub use retrieve::*;
pub use state::rules::{BarClock, BarSize, BarSizeError, EventEnds, SizeUnit, SourceForm};
pub use study::*;
pub use table::*;
pub use table_writer::{MakeShelf, Shelf, TableError, TableForm};
pub use vectors::*;
