//! What Parquet and CSV share: DBN's column names, and where each stands. Start at [`Layout::of`].

use super::DecodeError;
use crate::columns::{LEVELS, SIDES};

/// Largest size in quanta: ten of them and their sums stay within 64 bits.
pub(super) const SIZE_MAX: i64 = 1 << 59;

/// Places of the columns of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) ts_event: usize,
    pub(super) ts_recv: Option<usize>,
    pub(super) publisher: Option<usize>,
    pub(super) instrument: Option<usize>,
    pub(super) symbol: Option<usize>,
    pub(super) action: usize,
    pub(super) side: usize,
    pub(super) price: usize,
    pub(super) size: usize,
    pub(super) flags: Option<usize>,
    pub(super) sequence: Option<usize>,
    /// Number of the order, where rows are orders.
    pub(super) order: Option<usize>,
    /// Price, size and, if there, count, by level and side.
    pub(super) levels: Vec<[LevelPlace; 2]>,
}

/// Places of a level's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LevelPlace {
    pub(super) price: usize,
    pub(super) size: usize,
    pub(super) count: Option<usize>,
}

impl Layout {
    /// By the names of a file's columns.
    ///
    /// # Errors
    /// [`DecodeError::Column`] naming the first that is missing.
    pub(super) fn of<S: AsRef<str>>(names: &[S]) -> Result<Self, DecodeError> {
        let find = |name: &str| names.iter().position(|found| found.as_ref() == name);
        let need = |name: &'static str| find(name).ok_or(DecodeError::Column(name));
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            let places = SIDES.map(|side| {
                let find = |what: &str| find(&format!("{side}_{what}_{level:02}"));
                Some(LevelPlace { price: find("px")?, size: find("sz")?, count: find("ct") })
            });
            let [Some(bid), Some(ask)] = places else { break };
            levels.push([bid, ask]);
        }
        Ok(Self {
            ts_event: need("ts_event")?,
            ts_recv: find("ts_recv"),
            publisher: find("publisher_id"),
            instrument: find("instrument_id"),
            symbol: find("symbol"),
            action: need("action")?,
            side: need("side")?,
            price: need("price")?,
            size: need("size")?,
            flags: find("flags"),
            sequence: find("sequence"),
            // Where there are levels as well, the book need not be built.
            order: find("order_id").filter(|_| levels.is_empty()),
            levels,
        })
    }

    /// Levels of the book that the rows tell.
    pub(super) fn level_count(&self) -> u8 {
        if self.order.is_some() { LEVELS as u8 } else { self.levels.len() as u8 }
    }
}

/// A float as a whole number of 1e-9, the nearest; `None` where it is none or too large.
pub(super) fn nano(value: f64) -> Option<i64> {
    let scaled = (value * 1e9).round();
    // 2^63 itself is the first float that is too large.
    (scaled.abs() < 9_223_372_036_854_775_808.0).then_some(scaled as i64)
}

/// What an instrument is known by in a table: its numbers, else its symbol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Numbers(i64, i64),
    Symbol(Vec<u8>),
}
