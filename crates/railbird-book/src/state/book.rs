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
    fn whole_distance(&self, side: usize, price: i64) -> i64 {
        if side == 0 { self.reference[0].saturating_sub(price) } else { price.saturating_sub(self.reference[1]) }
    }

    /// Size in each band of a side, and beyond the last.
    #[inline]
    fn bands(&self, book: &Book, side: usize, edges: &[i64; BANDS]) -> [i64; BANDS + 1] {
        // Levels stand best first, so each edge is passed once; a side that is out of order is taken level by level.
        let (mut sums, mut band, mut held, mut last) = ([0; BANDS + 1], 0, 0, i64::MIN);
        for (price, size) in book.price[side].iter().zip(&book.size[side]) {
            let distance = self.whole_distance(side, *price);
            if distance < last {
                return self.bands_in_any_order(book, side, edges);
            }
            last = distance;
            while band < BANDS && distance > edges[band] {
                sums[band] = held;
                held = 0;
                band += 1;
            }
            held += size;
        }
        sums[band] = held;
        sums
    }

    #[cold]
    fn bands_in_any_order(&self, book: &Book, side: usize, edges: &[i64; BANDS]) -> [i64; BANDS + 1] {
        let mut sums = [0; BANDS + 1];
        for (price, size) in book.price[side].iter().zip(&book.size[side]) {
            sums[self.band(side, *price, edges)] += size;
        }
        sums
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
        self.of[function::MID] = bid + quote.spread / 2.0;
        self.of[function::WEIGHTED_MID] = bid + quote.above_bid;
        self.of[function::SPREAD] = quote.spread / point;
        let bands = [0, 1].map(|side| quote.bands(book, side, edges));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::row::{Level, NO_PRICE, TickRow};

    const POINT: i64 = 50;

    /// The band of a level as the page says it, with both sides of the comparison multiplied out.
    fn plain_band(book: &Book, side: usize, price: i64) -> usize {
        let wide = |number: i64| i128::from(number);
        let (bid, ask) = (wide(book.price[0][0]), wide(book.price[1][0]));
        let (bid_size, ask_size) = (wide(book.size[0][0]), wide(book.size[1][0]));
        let sizes = bid_size + ask_size;
        let below = ask * bid_size + bid * ask_size - wide(price) * sizes;
        let distance = if side == 0 { below } else { -below };
        BAND_EDGES.iter().position(|edge| distance <= wide(*edge) * wide(POINT) * sizes).unwrap_or(NO_BAND)
    }

    fn plain_flow(old: &Book, new: &Book, level: usize) -> i64 {
        let mut flow = 0;
        let (was, is) = (old.price[0][level], new.price[0][level]);
        flow += match is.cmp(&was) {
            std::cmp::Ordering::Greater => new.size[0][level],
            std::cmp::Ordering::Equal => new.size[0][level] - old.size[0][level],
            std::cmp::Ordering::Less => -old.size[0][level],
        };
        let (was, is) = (old.price[1][level], new.price[1][level]);
        flow - match is.cmp(&was) {
            std::cmp::Ordering::Less => new.size[1][level],
            std::cmp::Ordering::Equal => new.size[1][level] - old.size[1][level],
            std::cmp::Ordering::Greater => -old.size[1][level],
        }
    }

    fn book(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Book {
        let mut row = TickRow::empty();
        for (side, levels) in [bids, asks].into_iter().enumerate() {
            for (at, (price, size)) in levels.iter().enumerate() {
                row.levels[side][at] = Level { price: *price, size: *size, count: 1 };
            }
        }
        Book::read(&row)
    }

    fn levels() -> impl Strategy<Value = Vec<(i64, i64)>> {
        // Few prices and sizes, so that equal ones, edges and levels out of order are common; and some that are absent.
        let price =
            prop_oneof![8 => (-40_i64..40).prop_map(|price| price * 25), 1 => Just(NO_PRICE), 1 => any::<i64>()];
        let size = prop_oneof![4 => 0_i64..5, 1 => 0_i64..(1 << 59)];
        proptest::collection::vec((price, size), 0..=LEVELS)
    }

    proptest! {
        #[test]
        fn bands_are_those_of_the_page(bids in levels(), asks in levels(), sorted: bool) {
            let (mut bids, mut asks) = (bids, asks);
            if sorted {
                bids.sort_by_key(|level| std::cmp::Reverse(level.0));
                asks.sort_by_key(|level| level.0);
            }
            let book = book(&bids, &asks);
            let quote = Quote::of(&book);
            prop_assert_eq!(quote.both, book.size[0][0] > 0 && book.size[1][0] > 0);
            if quote.both {
                let edges = BAND_EDGES.map(|edge| edge * POINT);
                for side in 0..2 {
                    let mut want = [0; BANDS + 1];
                    for level in 0..LEVELS {
                        let (price, size) = (book.price[side][level], book.size[side][level]);
                        let band = quote.band(side, price, &edges);
                        if size > 0 { prop_assert_eq!(band, plain_band(&book, side, price)); }
                        want[if size > 0 { band } else { BANDS }] += size;
                    }
                    prop_assert_eq!(quote.bands(&book, side, &edges), want);
                }
            }
        }

        #[test]
        fn order_flow_is_that_of_the_page(a in levels(), b in levels(), c in levels(), d in levels()) {
            let (old, new) = (book(&a, &b), book(&c, &d));
            for (level, flow) in order_flow(&old, &new).into_iter().enumerate() {
                prop_assert_eq!(flow, plain_flow(&old, &new, level));
            }
        }
    }
}
