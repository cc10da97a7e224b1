//! Back-tests of signals: entries and exits given as a matrix, or drawn from one's own forecasts. Start at [`walk`].
//!
//! A signal of bar t is known at its close and trades at the open of t + 1. [`walk`] steps bar by bar over any number of
//! symbols that share one account; [`skip`] does the same for one symbol with an account of its own, touching only bars that
//! are held, and is checked against the first. [`study`] reports an account in full, [`Table`] reads signals, [`audit`] reruns with the future cut,
//! [`permuted`] asks what chance would have earned.
//!
//! Invariant: nothing that happens after a bar changes a fill, a trade or an equity of that bar.

mod audit;
mod bits;
mod permute;
mod position;
mod rules;
mod skip;
mod study;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod whole;

pub use audit::{Audit, Difference, audit, compare_rows};
pub use bits::Bits;
pub use permute::{Permuted, permuted};
pub use rules::{Reason, Rules, SameBar, Side, Size, Stops, Trade};
pub use skip::{Counts, Statistics, skip};
pub use study::{Run, Study, study};
pub use table::{Aligned, SignalRow, Table, Thresholds};
pub use walk::{Column, Prices, Signals, Walked, walk};
