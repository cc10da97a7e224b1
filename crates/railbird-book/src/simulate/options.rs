//! What to simulate. Start at [`SimulateOptions`].

use serde::{Deserialize, Serialize};

/// What to simulate. [`SimulateOptions::default`] is shaped like real ten-level files, at tick 0.25.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulateOptions {
    /// Same seed and options, same bytes.
    pub seed: u64,
    /// Symbol, at most 70 bytes of ASCII without a zero.
    pub symbol: String,
    /// Number of the instrument.
    pub instrument_id: u32,
    /// Rows of a ten-level day of 24 hours, in the mean; at least 1,000.
    pub rows: u64,
    /// Smallest step of the price, 1e-9; more than 0.
    pub tick: i64,
    /// About where the price starts, 1e-9.
    pub start_price: i64,
    /// Time zone of the sessions: 04:00, 09:30, 16:00, 20:00.
    pub time_zone: String,
    /// Kind of rows.
    pub schema: BookSchema,
    /// Whether the file is a zstd stream of level 3.
    pub compressed: bool,
    /// What is wrong with the rows; nothing by default.
    pub faults: BookFaults,
}

impl Default for SimulateOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            symbol: "SIM".to_owned(),
            instrument_id: 1,
            rows: 1_900_000,
            tick: 250_000_000,
            start_price: 5_000_000_000_000,
            time_zone: "America/New_York".to_owned(),
            schema: BookSchema::Mbp10,
            compressed: true,
            faults: BookFaults::default(),
        }
    }
}

/// Kind of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BookSchema {
    /// Ten levels after every change of them, and trades.
    #[serde(rename = "mbp-10")]
    Mbp10,
    /// Every order.
    Mbo,
}

/// What is wrong with the rows: how many of each a day. None of it changes the market's own orders before it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BookFaults {
    /// Rows stamped up to 50 ms before the row that precedes them.
    pub late: u32,
    /// Rows without a time of the event.
    pub undefined_time: u32,
    /// Rows that say that the book may be bad.
    pub bad_book: u32,
    /// Rows that say that the receive time is bad.
    pub bad_ts_recv: u32,
    /// Times at which the book is cleared; its orders come back one by one.
    pub clears: u32,
    /// Snapshot rows.
    pub snapshots: u32,
    /// Times at which a side loses all its orders; they come back one by one.
    pub one_sided: u32,
    /// Orders that stand across the other side, for one event.
    pub crossed: u32,
    /// Orders that stand at the price of the other side, for one event.
    pub locked: u32,
}

impl BookFaults {
    /// A good number of every fault.
    pub fn all() -> Self {
        Self {
            late: 200,
            undefined_time: 20,
            bad_book: 60,
            bad_ts_recv: 80,
            clears: 5,
            snapshots: 12,
            one_sided: 8,
            crossed: 40,
            locked: 40,
        }
    }
}
