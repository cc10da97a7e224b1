//! Instants, columns on a clock, their codings, resampling and as-of joins.

mod ts;

pub use ts::Ts;
