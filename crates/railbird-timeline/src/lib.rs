//! Instants, columns on a clock, their codings, resampling and as-of joins.
//!
//! Start at [`Ts`], an instant, and [`Clock`], which tells it. [`encode_column`] and [`decode_column`] turn columns of
//! integers into bytes and back; [`Placements`] cuts columns onto other steps; [`as_of`] finds the row that held at a
//! moment; [`Rolling`] and [`Ring`] keep what was last.
//!
//! Invariant: nothing here does I/O, and only [`SystemClock`] reads the time of the machine.

mod as_of;
mod clock;
mod column;
mod error;
mod resample;
mod ring;
mod rolling;
mod ts;
pub mod varint;

pub use as_of::{AsOf, as_of};
pub use clock::{Clock, ManualClock, Stopwatch, SystemClock};
pub use column::{Predictor, best_predictor, decode_column, encode_column};
pub use error::Error;
pub use resample::{Grid, Placement, Placements};
pub use ring::Ring;
pub use rolling::{Aggregate, Rolling};
pub use ts::Ts;
