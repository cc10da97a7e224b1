//! One row of a tick file, read in place or decoded. Start at [`Row`].

use crate::columns::LEVELS;

/// A price that is not there.
pub(crate) const NO_PRICE: i64 = i64::MAX;

/// A time that is not there.
pub(crate) const NO_TIME: u64 = u64::MAX;

/// A sequence number that is not there.
pub(crate) const NO_SEQUENCE: u64 = u64::MAX;

/// The last row of an event.
pub(crate) const FLAG_LAST: u8 = 128;
/// A row of a snapshot.
pub(crate) const FLAG_SNAPSHOT: u8 = 32;
/// The receive time cannot be relied on.
pub(crate) const FLAG_BAD_TIME: u8 = 8;
/// The book may be wrong.
pub(crate) const FLAG_BAD_BOOK: u8 = 4;

/// A row with the ten levels after it. Prices in 1e-9, sizes in quanta of the source.
///
/// A level is absent where its size is 0; a size without a price is given as 0.
pub(crate) trait Row: Clone {
    /// A row whose book is empty.
    fn empty() -> Self;
    /// Time of the event, ns; [`NO_TIME`] where not known.
    fn ts_event(&self) -> u64;
    /// Time of receipt, ns; [`NO_TIME`] where not known.
    fn ts_recv(&self) -> u64;
    /// Action as its letter.
    fn action(&self) -> u8;
    /// Side as its letter.
    fn side(&self) -> u8;
    /// Flags.
    fn flags(&self) -> u8;
    /// Price; [`NO_PRICE`] where not known.
    fn price(&self) -> i64;
    /// Size in quanta, not negative.
    fn size(&self) -> i64;
    /// Sequence number; [`NO_SEQUENCE`] where not known.
    fn sequence(&self) -> u64;
    /// Price and size of a level, side 0 bid, 1 ask.
    fn level(&self, side: usize, level: usize) -> (i64, i64);
    /// Orders at a level.
    fn count(&self, side: usize, level: usize) -> i64;

    /// Level at which the row is likely to have changed the book; a guess, where the source does not tell.
    #[inline]
    fn likely_level(&self) -> usize {
        0
    }

    /// Levels, as bits, whose prices or sizes may differ from those of another row; all others are the same.
    #[inline]
    fn changed_levels(&self, other: &Self) -> u32 {
        (0..LEVELS).fold(0, |changed, level| {
            let differs = (0..2).any(|side| self.level(side, level) != other.level(side, level));
            changed | u32::from(differs) << level
        })
    }

    /// Size that waits at a price: 0 where it is not among the levels. `likely`: the level to look at first.
    #[inline]
    fn queue(&self, side: usize, price: i64, likely: usize) -> i64 {
        let likely = likely.min(LEVELS - 1);
        // Of levels that repeat a price the first counts, as it would without the guess.
        let (at, size) = self.level(side, likely);
        let first = (likely == 0) | (self.level(side, likely.saturating_sub(1)).0 != price);
        if (at == price) & first {
            return size;
        }
        self.search(side, price)
    }

    /// Size at the first level of a price.
    #[inline]
    fn search(&self, side: usize, price: i64) -> i64 {
        for level in 0..LEVELS {
            let (at, size) = self.level(side, level);
            if at == price {
                return size;
            }
        }
        0
    }
}

/// A ten-level record as it stands in a DBN file of version 1 to 3, read in place.
pub(crate) type Record = [u8; RECORD_BYTES];

/// Bytes of a ten-level record.
pub(crate) const RECORD_BYTES: usize = 368;

/// Where the levels begin in a ten-level record.
const LEVELS_AT: usize = 48;

macro_rules! field {
    ($record:expr, $at:expr, $kind:ty) => {{
        const BYTES: usize = size_of::<$kind>();
        let at = $at;
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&$record[at..at + BYTES]);
        <$kind>::from_le_bytes(bytes)
    }};
}
pub(crate) use field;

impl Row for Record {
    fn empty() -> Self {
        [0; RECORD_BYTES]
    }

    #[inline]
    fn ts_event(&self) -> u64 {
        field!(self, 8, u64)
    }

    #[inline]
    fn ts_recv(&self) -> u64 {
        field!(self, 32, u64)
    }

    #[inline]
    fn action(&self) -> u8 {
        self[28]
    }

    #[inline]
    fn side(&self) -> u8 {
        self[29]
    }

    #[inline]
    fn flags(&self) -> u8 {
        self[30]
    }

    #[inline]
    fn price(&self) -> i64 {
        field!(self, 16, i64)
    }

    #[inline]
    fn size(&self) -> i64 {
        i64::from(field!(self, 24, u32))
    }

    #[inline]
    fn sequence(&self) -> u64 {
        u64::from(field!(self, 44, u32))
    }

    #[inline]
    fn level(&self, side: usize, level: usize) -> (i64, i64) {
        let at = LEVELS_AT + 32 * level;
        let price = field!(self, at + 8 * side, i64);
        let size = i64::from(field!(self, at + 16 + 4 * side, u32));
        (price, if price == NO_PRICE { 0 } else { size })
    }

    #[inline]
    fn count(&self, side: usize, level: usize) -> i64 {
        i64::from(field!(self, LEVELS_AT + 32 * level + 24 + 4 * side, u32))
    }

    #[inline]
    fn likely_level(&self) -> usize {
        usize::from(self[31])
    }

    #[inline]
    fn changed_levels(&self, other: &Self) -> u32 {
        let mut changed = 0;
        for level in 0..LEVELS {
            let at = LEVELS_AT + 32 * level;
            // Two prices and two sizes; the counts that follow are no matter.
            let differs = [0, 8, 16].map(|part| field!(self, at + part, u64) ^ field!(other, at + part, u64));
            changed |= u32::from(differs[0] | differs[1] | differs[2] != 0) << level;
        }
        changed
    }
}

/// A level of a decoded row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// Price in 1e-9; [`NO_PRICE`] where absent.
    pub(crate) price: i64,
    /// Size in quanta; 0 where absent.
    pub(crate) size: i64,
    /// Orders.
    pub(crate) count: i64,
}

impl Level {
    /// No level.
    pub(crate) const ABSENT: Self = Self { price: NO_PRICE, size: 0, count: 0 };
}

/// A row of any source, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TickRow {
    /// Time of the event, ns; [`NO_TIME`] where not known.
    pub(crate) ts_event: u64,
    /// Time of receipt, ns; [`NO_TIME`] where not known.
    pub(crate) ts_recv: u64,
    /// Sequence number; `u64::MAX` where not known.
    pub(crate) sequence: u64,
    /// Price in 1e-9; [`NO_PRICE`] where not known.
    pub(crate) price: i64,
    /// Size in quanta of the source.
    pub(crate) size: i64,
    /// Action as its letter.
    pub(crate) action: u8,
    /// Side as its letter.
    pub(crate) side: u8,
    /// Flags.
    pub(crate) flags: u8,
    /// Levels of the book after the row, best first: bids, asks.
    pub(crate) levels: [[Level; LEVELS]; 2],
}

impl Row for TickRow {
    fn empty() -> Self {
        Self {
            ts_event: NO_TIME,
            ts_recv: NO_TIME,
            sequence: NO_SEQUENCE,
            price: NO_PRICE,
            size: 0,
            action: 0,
            side: 0,
            flags: 0,
            levels: [[Level::ABSENT; LEVELS]; 2],
        }
    }

    fn ts_event(&self) -> u64 {
        self.ts_event
    }

    fn ts_recv(&self) -> u64 {
        self.ts_recv
    }

    fn action(&self) -> u8 {
        self.action
    }

    fn side(&self) -> u8 {
        self.side
    }

    fn flags(&self) -> u8 {
        self.flags
    }

    fn price(&self) -> i64 {
        self.price
    }

    fn size(&self) -> i64 {
        self.size
    }

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn level(&self, side: usize, level: usize) -> (i64, i64) {
        let at = self.levels[side][level];
        (at.price, if at.price == NO_PRICE { 0 } else { at.size })
    }

    fn count(&self, side: usize, level: usize) -> i64 {
        self.levels[side][level].count
    }
}
