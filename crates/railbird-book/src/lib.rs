//! The order book: ticks to bars, levels, episodes and searchable situations.

pub mod offer;
pub mod simulate;

mod bars;
mod calendar;
mod check;
mod codec;
mod columns;
mod decode;
mod episode;
mod features;
mod instrument;
mod level;
mod profile;
mod retrieve;
mod stage;
mod stage_columns;
mod state;
mod study;
mod table;
mod table_writer;
mod vectors;

pub use bars::*;
pub use calendar::*;
pub use check::{CheckReport, CheckedInstrument, check};
pub use codec::*;
pub use columns::{BAND_EDGES, COLUMN_COUNT, Column, Family, Unit, column_index, columns, columns_page};
pub use decode::*;
pub use episode::*;
pub use features::*;
pub use instrument::*;
pub use level::*;
pub use profile::*;
pub use retrieve::*;
pub use stage::{DATES_BACK, StageRules, StagesError, stages};
pub use stage_columns::{STAGE_TABLES, bars_with_old_names, old_name, stage_columns, with_old_names};
pub use state::rules::{BarClock, BarSize, BarSizeError, EventEnds, SizeUnit, SourceForm};
pub use study::*;
pub use table::*;
pub use table_writer::{MakeShelf, Shelf, TableError, TableForm};
pub use vectors::*;
