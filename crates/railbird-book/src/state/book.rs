//! A book at an event end, its quote, and the functions of it. Start at [`Book`] and [`Quote`].
//!
//! Invariant: what decides a band is compared in whole numbers and never rounded.

use super::row::Row;
use crate::columns::{BAND_EDGES, LEVELS};

/// Number of bands of a side.
pub(crate) const BANDS: usize = BAND_EDGES.len();

/// No band: beyond the last edge, or without a reference.
pub(crate) const NO_BAND: usize = BANDS;

/// Prices and sizes at an event end, best first. An absent bid has the lowest price there is, an absent ask the highest,
/// both the size 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Book {
    /// Prices in 1e-9, by side and level.
    pub(crate) price: [[i64; LEVELS]; 2],
    /// Sizes in quanta, by side and level.
    pub(crate) size: [[i64; LEVELS]; 2],
}

/// Price of an absent level, by side: where a level that will never trade stands.
pub(super) const ABSENT: [i64; 2] = [i64::MIN, i64::MAX];

impl Book {
    pub(crate) const EMPTY: Self = Self { price: [[i64::MIN; LEVELS], [i64::MAX; LEVELS]], size: [[0; LEVELS]; 2] };

    #[inline]
    pub(crate) fn read<R: Row>(row: &R) -> Self {
        let mut book = Self::EMPTY;
        for (side, absent) in ABSENT.into_iter().enumerate() {
            for level in 0..LEVELS {
                let (price, size) = row.level(side, level);
                book.price[side][level] = if size == 0 { absent } else { price };
                book.size[side][level] = size;
            }
        }
        book
    }
}

/// The best bid and ask of a state, and where its bands begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quote {
    /// Whether both best levels are there. Without them nothing below means anything.
    pub(crate) both: bool,
    /// Best prices, bid and ask.
    pub(crate) price: [i64; 2],
    /// Lowest whole price at or above the weighted mid: a bid is within `d` of the weighted mid where it is within `d` of this.
    /// For asks the highest whole price at or below. Both hold since the edges are whole numbers.
    reference: [i64; 2],
    /// Ask less bid, in 1e-9.
    spread: f64,
    /// Weighted mid less the bid, in 1e-9.
    pub(crate) above_bid: f64,
}

impl Quote {
    pub(crate) const NONE: Self = Self { both: false, price: [0; 2], reference: [0; 2], spread: 0.0, above_bid: 0.0 };

    #[inline]
    pub(crate) fn of(book: &Book) -> Self {
        let (price, size) = ([book.price[0][0], book.price[1][0]], [book.size[0][0], book.size[1][0]]);
        if size[0] == 0 || size[1] == 0 {
            return Self::NONE;
        }
        let (bid_size, both_sizes) = (size[0], size[0].saturating_add(size[1]));
        if let Some(product) = price[1].checked_sub(price[0]).and_then(|spread| spread.checked_mul(bid_size)) {
            let floor = product.div_euclid(both_sizes);
            let ceil = floor + i64::from(product.rem_euclid(both_sizes) != 0);
            Self {
                both: true,
                price,
                reference: [price[0] + ceil, price[0] + floor],
                spread: (price[1] - price[0]) as f64,
                above_bid: product as f64 / both_sizes as f64,
            }
        } else {
            Self::of_wide(price, size)
        }
    }

    /// As [`Quote::of`], where 64 bits do not hold the product.
    #[cold]
    fn of_wide(price: [i64; 2], size: [i64; 2]) -> Self {
        let spread = i128::from(price[1]) - i128::from(price[0]);
        let both_sizes = i128::from(size[0]) + i128::from(size[1]);
        let product = spread * i128::from(size[0]);
        let floor = product.div_euclid(both_sizes);
        let ceil = floor + i128::from(product.rem_euclid(both_sizes) != 0);
        // Between bid and ask, and so as small as they are.
        let at = |above: i128| (i128::from(price[0]) + above).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let above_bid = product as f64 / both_sizes as f64;
        Self { both: true, price, reference: [at(ceil), at(floor)], spread: spread as f64, above_bid }
    }

    /// The band in which a price stands on a side; a distance below 0 is in the first.
    #[inline]
    pub(crate) fn band(&self, side: usize, price: i64, edges: &[i64; BANDS]) -> usize {
        if !self.both {
            return NO_BAND;
        }
        let distance = self.whole_distance(side, price);
        edges.iter().map(|edge| usize::from(distance > *edge)).sum()
    }

    /// Distance of a price from the side's reference, in 1e-9. Where 64 bits do not hold it, it is beyond every edge, or far
    /// below 0, and stays so.
    #[inline]
    pub(super) fn whole_distance(&self, side: usize, price: i64) -> i64 {
        if side == 0 { self.reference[0].saturating_sub(price) } else { price.saturating_sub(self.reference[1]) }
    }

    /// Price from which whole distances of a side are taken.
    #[inline]
    pub(super) fn reference(&self, side: usize) -> i64 {
        self.reference[side]
    }

    /// Mid, weighted mid and spread, in 1e-9.
    #[inline]
    pub(super) fn middles(&self) -> [f64; 3] {
        let bid = self.price[0] as f64;
        [bid + self.spread / 2.0, bid + self.above_bid, self.spread]
    }

    /// Distance of a price from the weighted mid, in 1e-9: below it for bids, above it for asks.
    pub(crate) fn distance(&self, side: usize, price: i64) -> f64 {
        let above_bid = (i128::from(price) - i128::from(self.price[0])) as f64;
        if side == 0 { self.above_bid - above_bid } else { above_bid - self.above_bid }
    }
}

/// Functions of a book that have a mean over time, those that change together in a row: the top, bids, asks, and what lies
/// between them. Of each kind the place, or the first of [`BANDS`].
pub(crate) mod function {
    use super::BANDS;

    /// Number of functions.
    pub(crate) const COUNT: usize = BETWEEN.1;
    /// First and the one after the last.
    pub(crate) const TOP: (usize, usize) = (0, 4);
    pub(crate) const BETWEEN: (usize, usize) = (SIDES[1] + SIDE_COUNT, SIDES[1] + SIDE_COUNT + 1 + BANDS);
    /// Functions of a side, and the first of each side.
    pub(crate) const SIDE_COUNT: usize = 2 * BANDS + 1;
    pub(crate) const SIDES: [usize; 2] = [TOP.1, TOP.1 + SIDE_COUNT];

    pub(crate) const MID: usize = 0;
    pub(crate) const WEIGHTED_MID: usize = 1;
    pub(crate) const SPREAD: usize = 2;
    pub(crate) const IMBALANCE_1: usize = 3;
    pub(crate) const BAND: [usize; 2] = SIDES;
    pub(crate) const SHARE: [usize; 2] = [SIDES[0] + BANDS, SIDES[1] + BANDS];
    pub(crate) const DEPTH: [usize; 2] = [SIDES[0] + 2 * BANDS, SIDES[1] + 2 * BANDS];
    pub(crate) const IMBALANCE_10: usize = BETWEEN.0;
    pub(crate) const BAND_IMBALANCE: usize = BETWEEN.0 + 1;

    /// What must be there for a function of a known state to have a value.
    pub(crate) enum Need {
        /// Nothing more.
        Nothing,
        /// Both best levels.
        Both,
        /// One of them.
        Top,
        /// Any size.
        Any,
        /// Any size in a band.
        Band(usize),
    }

    pub(crate) fn need(of: usize) -> Need {
        match of {
            IMBALANCE_1 => Need::Top,
            IMBALANCE_10 => Need::Any,
            BAND_IMBALANCE.. => Need::Band(of - BAND_IMBALANCE),
            _ if DEPTH.contains(&of) => Need::Nothing,
            _ => Need::Both,
        }
    }
}
