//! The order book: ticks to bars, levels, episodes and searchable situations.

pub mod offer;
pub mod simulate;

mod calendar;
mod codec;
mod episode;
mod features;
mod level;
mod profile;
mod retrieve;
mod study;
mod table;
mod vectors;
mod instrument;

pub use calendar::*;
pub use codec::*;
pub use episode::*;
pub use features::*;
pub use level::*;
pub use profile::*;
pub use retrieve::*;
pub use study::*;
pub use table::*;
pub use vectors::*;
pub use instrument::*;
