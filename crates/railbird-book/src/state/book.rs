//! A book at an event end and every function of it. Start at [`Book`] and [`Values`].
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
const ABSENT: [i64; 2] = [i64::MIN, i64::MAX];

impl Book {
    pub(crate) const EMPTY: Self = Self { price: [[i64::MIN; LEVELS], [i64::MAX; LEVELS]], size: [[0; LEVELS]; 2] };

    #[inline]
    pub(crate) fn read<R: Row>(row: &R) -> Self {
        let mut book = Self::EMPTY;
        for side in 0..2 {
            for level in 0..LEVELS {
                let (price, size) = row.level(side, level);
                book.price[side][level] = if size == 0 { ABSENT[side] } else { price };
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
    /// Ask less bid.
    pub(crate) spread: i128,
    /// Weighted mid less the bid, in 1e-9.
    pub(crate) above_bid: f64,
}

impl Quote {
    pub(crate) const NONE: Self = Self { both: false, price: [0; 2], reference: [0; 2], spread: 0, above_bid: 0.0 };

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
                spread: i128::from(price[1] - price[0]),
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
        Self { both: true, price, reference: [at(ceil), at(floor)], spread, above_bid }
    }

    /// The band in which a price stands on a side; a distance below 0 is in the first.
    #[inline]
    pub(crate) fn band(&self, side: usize, price: i64, edges: &[i64; BANDS]) -> usize {
        if !self.both {
            return NO_BAND;
        }
        // Where 64 bits do not hold the distance it is beyond every edge, or far below 0.
        let distance =
            if side == 0 { self.reference[0].saturating_sub(price) } else { price.saturating_sub(self.reference[1]) };
        edges.iter().map(|edge| usize::from(distance > *edge)).sum()
    }

    /// Distance of a price from the weighted mid, in 1e-9: below it for bids, above it for asks.
    pub(crate) fn distance(&self, side: usize, price: i64) -> f64 {
        let above_bid = (i128::from(price) - i128::from(self.price[0])) as f64;
        if side == 0 { self.above_bid - above_bid } else { above_bid - self.above_bid }
    }
}

/// Number of functions of a book that have a mean over time.
pub(crate) const FUNCTIONS: usize = 32;

/// Places in [`Values::of`]: one function each, or the first of [`BANDS`].
pub(crate) mod function {
    use super::BANDS;

    pub(crate) const MID: usize = 0;
    pub(crate) const WEIGHTED_MID: usize = 1;
    pub(crate) const SPREAD: usize = 2;
    pub(crate) const BAND: [usize; 2] = [3, 3 + BANDS];
    pub(crate) const SHARE: [usize; 2] = [3 + 2 * BANDS, 3 + 3 * BANDS];
    pub(crate) const DEPTH: [usize; 2] = [3 + 4 * BANDS, 4 + 4 * BANDS];
    pub(crate) const IMBALANCE_1: usize = 5 + 4 * BANDS;
    pub(crate) const IMBALANCE_10: usize = 6 + 4 * BANDS;
    pub(crate) const BAND_IMBALANCE: usize = 7 + 4 * BANDS;
    /// Functions before this need both best levels.
    pub(crate) const NEED_BOTH: usize = DEPTH[0];
}

/// Values of the functions of a known state; prices in 1e-9, sizes in quanta, 0 where missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    /// By [`function`].
    pub(crate) of: [f64; FUNCTIONS],
    /// Whether both best levels are there.
    pub(crate) both: bool,
    /// Whether one of them is.
    pub(crate) top: bool,
    /// Whether there is any size.
    pub(crate) any: bool,
    /// Whether a band has any size.
    pub(crate) band: [bool; BANDS],
}

impl Values {
    pub(crate) const NONE: Self =
        Self { of: [0.0; FUNCTIONS], both: false, top: false, any: false, band: [false; BANDS] };

    #[inline]
    pub(crate) fn read(book: &Book, quote: &Quote, edges: &[i64; BANDS], point: f64) -> Self {
        let mut values = Self::NONE;
        let (bid, ask) = (book.size[0][0] as f64, book.size[1][0] as f64);
        values.both = quote.both;
        values.top = bid + ask > 0.0;
        if values.top {
            values.of[function::IMBALANCE_1] = (bid - ask) / (bid + ask);
        }
        let depth = [0, 1].map(|side| book.size[side].iter().sum::<i64>() as f64);
        values.any = depth[0] + depth[1] > 0.0;
        if values.any {
            values.of[function::IMBALANCE_10] = (depth[0] - depth[1]) / (depth[0] + depth[1]);
        }
        for side in 0..2 {
            values.of[function::DEPTH[side]] = depth[side];
        }
        if quote.both {
            values.add_bands(book, quote, edges, depth, point);
        }
        values
    }

    #[inline]
    fn add_bands(&mut self, book: &Book, quote: &Quote, edges: &[i64; BANDS], depth: [f64; 2], point: f64) {
        let bid = quote.price[0] as f64;
        self.of[function::MID] = bid + quote.spread as f64 / 2.0;
        self.of[function::WEIGHTED_MID] = bid + quote.above_bid;
        self.of[function::SPREAD] = quote.spread as f64 / point;
        let mut bands = [[0_i64; BANDS + 1]; 2];
        for side in 0..2 {
            for level in 0..LEVELS {
                let band = quote.band(side, book.price[side][level], edges);
                bands[side][band] += book.size[side][level];
            }
        }
        let share = [depth[0].recip(), depth[1].recip()];
        for band in 0..BANDS {
            let (bid, ask) = (bands[0][band] as f64, bands[1][band] as f64);
            self.of[function::BAND[0] + band] = bid;
            self.of[function::BAND[1] + band] = ask;
            self.of[function::SHARE[0] + band] = bid * share[0];
            self.of[function::SHARE[1] + band] = ask * share[1];
            self.band[band] = bid + ask > 0.0;
            let imbalance = (bid - ask) / (bid + ask);
            self.of[function::BAND_IMBALANCE + band] = if self.band[band] { imbalance } else { 0.0 };
        }
    }
}

/// Order-flow imbalance of each level between two books, in quanta: what the bid gained less what the ask gained.
///
/// Cont, Kukanov and Stoikov (2014) for the first level, Xu, Gould and Howison (2019) for the others, by rank, not normalised.
#[inline]
pub(crate) fn order_flow(old: &Book, new: &Book) -> [i64; LEVELS] {
    let mut flow = [0; LEVELS];
    for (level, flow) in flow.iter_mut().enumerate() {
        let (was, is) = (old.price[0][level], new.price[0][level]);
        let bid = if is >= was { new.size[0][level] } else { 0 } - if is <= was { old.size[0][level] } else { 0 };
        let (was, is) = (old.price[1][level], new.price[1][level]);
        let ask = if is <= was { new.size[1][level] } else { 0 } - if is >= was { old.size[1][level] } else { 0 };
        *flow = bid - ask;
    }
    flow
}
