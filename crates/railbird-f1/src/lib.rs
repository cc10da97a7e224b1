//! Formula 1 timing: from live-timing records to a session that can be replayed.
//!
//! Start at [`import()`], which turns an archive or a recording into the files of a stored session, and [`open`], which
//! turns those back into a [`Session`]. [`State`] is the fold under both, fed from a file today and from a
//! socket tomorrow. Views of a session: laps, telemetry, comparison, order, frames.
//!
//! Invariant: nothing here does I/O. Bytes, rows and instants in; rows and finished bytes out.

mod classification;
mod codec;
mod columns;
mod compare;
mod decode;
mod drs;
mod earlier;
mod event;
mod frame;
mod geometry;
mod import;
mod laps;
mod log;
mod offer;
mod resample;
mod sectors;
mod session;
pub mod simulate;
mod source;
mod state;
mod table;
mod telemetry;
mod upload;

pub use classification::*;
pub use codec::*;
pub use columns::*;
pub use compare::*;
pub use decode::*;
pub use drs::*;
pub use earlier::*;
pub use event::*;
pub use frame::*;
pub use geometry::*;
pub use import::*;
pub use laps::*;
pub use log::*;
pub use offer::*;
pub use resample::*;
pub use sectors::*;
pub use session::*;
pub use source::*;
pub use state::*;
pub use table::*;
pub use telemetry::*;
pub use upload::*;
