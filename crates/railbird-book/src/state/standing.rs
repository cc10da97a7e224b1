//! The state between two event ends, and its integrals over time. Start at [`Standing::step`].
//!
//! The state stands in four *parts*, each with its own functions: the top, a side each, and what lies between the sides.
//! An event end leaves most of them as they are, and a part is added to the integrals only when it changes. What an event
//! end changes is worked out when time has passed over it, and not before: most of a burst is never looked at.
//!
//! Invariant: the book, its depth and its sums by band are kept level by level as levels change, in whole numbers, and so
//! are what reading the book anew would give.

use super::{
    book::{ABSENT, BANDS, Book, Quote, function},
    row::Row,
    rules::Rules,
    tally::Tally,
};
use crate::columns::LEVELS;

/// The book at the last event end.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Whether anything is known.
    known: bool,
    book: Book,
    quote: Quote,
    /// Size of each side.
    depth: [i64; 2],
    bands: [Bands; 2],
    values: Values,
    parts: [Part; PARTS],
    /// Time of the last step, ns: a part that is stale changed then.
    stepped: i64,
}

/// Functions that change together.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Since when its values hold, or since the bar's start, ns.
    since: i64,
    /// Whether its values are yet to be worked out.
    stale: bool,
}

const TOP: usize = 0;
/// Part of a side; the side itself is `part - SIDE`.
const SIDE: usize = 1;
const BETWEEN: usize = 3;
const PARTS: usize = 4;

/// Bands of one side.
#[derive(Debug, Clone, Copy)]
struct Bands {
    /// Size in each band, and beyond the last.
    sums: [i64; BANDS + 1],
    /// Band of each level.
    of: [usize; LEVELS],
    /// Lowest and highest reference with which the levels stand in these bands; none where they are to be found anew.
    holds: [i64; 2],
}

impl Bands {
    const UNKNOWN: Self = Self { sums: [0; BANDS + 1], of: [0; LEVELS], holds: NEVER };

    #[inline]
    fn hold_with(&self, reference: i64) -> bool {
        self.holds[0] <= reference && reference <= self.holds[1]
    }

    /// Finds the band of each level.
    fn find(&mut self, book: &Book, side: usize, quote: &Quote, edges: &[i64; BANDS]) {
        self.sums = [0; BANDS + 1];
        // How much the distances may grow and fall before a level stands in another band.
        let (mut grow, mut fall) = (i64::MAX, i64::MAX);
        for level in 0..LEVELS {
            let distance = quote.whole_distance(side, book.price[side][level]);
            let band = edges.iter().map(|edge| usize::from(distance > *edge)).sum();
            self.of[level] = band;
            self.sums[band] += book.size[side][level];
            if band < BANDS {
                grow = grow.min(edges[band].saturating_sub(distance));
            }
            if band > 0 {
                fall = fall.min(distance.saturating_sub(edges[band - 1]).saturating_sub(1));
            }
        }
        let reference = quote.reference(side);
        // Bids are farther from a higher reference, asks nearer.
        let [down, up] = if side == 0 { [fall, grow] } else { [grow, fall] };
        self.holds = [reference.saturating_sub(down), reference.saturating_add(up)];
    }
}

/// A range that holds nothing.
const NEVER: [i64; 2] = [i64::MAX, i64::MIN];

/// Values of the functions of a known state; prices in 1e-9, sizes in quanta, 0 where missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    /// By [`function`].
    pub(crate) of: [f64; function::COUNT],
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
    const NONE: Self = Self { of: [0.0; function::COUNT], both: false, top: false, any: false, band: [false; BANDS] };

    /// Value of a function; `None` where it is missing.
    pub(crate) fn get(&self, of: usize) -> Option<f64> {
        let known = match function::need(of) {
            function::Need::Both => self.both,
            function::Need::Top => self.top,
            function::Need::Any => self.any,
            function::Need::Band(band) => self.band[band],
            function::Need::Nothing => true,
        };
        known.then(|| self.of[of])
    }
}

impl Standing {
    pub(crate) const UNKNOWN: Self = Self {
        known: false,
        book: Book::EMPTY,
        quote: Quote::NONE,
        depth: [0; 2],
        bands: [Bands::UNKNOWN; 2],
        values: Values::NONE,
        parts: [Part { since: 0, stale: true }; PARTS],
        stepped: 0,
    };

    /// Values at the end of the last bar; `None` where the state is unknown.
    pub(crate) fn values(&self) -> Option<&Values> {
        self.known.then_some(&self.values)
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// Best prices and the reference of bands; none where the state is unknown or a best level is absent.
    #[inline]
    pub(crate) fn quote(&self) -> &Quote {
        &self.quote
    }

    /// The state has held until `time`, when a bar ends.
    pub(crate) fn hold(&mut self, time: i64, tally: &mut Tally, rules: &Rules) {
        if self.known {
            self.work_out(rules);
            (0..PARTS).for_each(|part| self.add(part, time, tally));
        }
    }

    /// A bar begins.
    pub(crate) fn begin(&mut self, time: i64) {
        for part in &mut self.parts {
            part.since = time;
        }
    }

    /// Nothing is known from `time` on, until an event ends.
    pub(crate) fn forget(&mut self, time: i64, tally: &mut Tally, rules: &Rules) {
        self.hold(time, tally, rules);
        self.known = false;
        self.quote = Quote::NONE;
    }

    /// The book of `row` is the state from `time` on; `old` is the row of the state before, known or not. `apart`: it is no
    /// step from that state.
    #[inline]
    pub(crate) fn step<R: Row>(
        &mut self,
        (old, row): (&R, &R),
        time: i64,
        apart: bool,
        tally: &mut Tally,
        rules: &Rules,
    ) {
        if self.known && time > self.stepped {
            self.work_out(rules);
        }
        self.stepped = time;
        let mut changed = row.changed_levels(old);
        let best_changed = !self.known || changed & 1 != 0;
        let mut dirty = [!self.known; 2];
        // Of the first level, the first five, the others.
        let mut flow = [0_i64; 3];
        while changed != 0 {
            let level = changed.trailing_zeros() as usize;
            changed &= changed - 1;
            // Of no more than ten levels; the compiler shall know.
            let level = level.min(LEVELS - 1);
            let mut gained = 0;
            for side in 0..2 {
                let (price, size) = row.level(side, level);
                let price = if size == 0 { ABSENT[side] } else { price };
                let (was, held) = (self.book.price[side][level], self.book.size[side][level]);
                if price == was {
                    let more = size - held;
                    dirty[side] |= more != 0;
                    self.depth[side] += more;
                    // Where the bands are to be found anew, these are not looked at.
                    let bands = &mut self.bands[side];
                    let sum = &mut bands.sums[bands.of[level]];
                    *sum = sum.wrapping_add(more);
                    gained += if side == 0 { more } else { -more };
                } else {
                    dirty[side] = true;
                    self.depth[side] += size - held;
                    self.bands[side].holds = NEVER;
                    self.book.price[side][level] = price;
                    // A bid that rises is gained, one that falls is lost; asks the other way round.
                    gained += if price > was { [size, held][side] } else { -[held, size][side] };
                }
                self.book.size[side][level] = size;
            }
            flow[0] += if level < 1 { gained } else { 0 };
            flow[if level < 5 { 1 } else { 2 }] += gained;
        }
        if self.known && !apart {
            let [first, five, others] = flow.map(i128::from);
            for (sum, flow) in tally.ofi.iter_mut().zip([first, five, five + others]) {
                *sum += flow;
            }
        }
        if best_changed {
            let (was, quote) = (self.quote.both, Quote::of(&self.book));
            for (side, dirty) in dirty.iter_mut().enumerate() {
                *dirty |= was != quote.both || !self.bands[side].hold_with(quote.reference(side));
            }
            self.quote = quote;
            self.change(TOP, time, tally);
        }
        for side in these(dirty) {
            self.change_side(side, time, tally);
        }
        if dirty[0] | dirty[1] {
            self.change(BETWEEN, time, tally);
        }
        self.known = true;
    }

    /// The values of a part have held until `time` and do so no more.
    #[inline]
    fn change(&mut self, part: usize, time: i64, tally: &mut Tally) {
        if self.known && time > self.parts[part].since {
            self.add(part, time, tally);
        }
        self.parts[part] = Part { since: time, stale: true };
    }

    /// As [`Standing::change`], of a side.
    #[inline]
    fn change_side(&mut self, side: usize, time: i64, tally: &mut Tally) {
        let part = SIDE + side;
        if self.known && time > self.parts[part].since {
            tally.held_side(&self.values, side, time - self.parts[part].since);
        }
        self.parts[part] = Part { since: time, stale: true };
    }

    /// Adds what a part came to until `time` to the integrals.
    #[inline]
    fn add(&mut self, part: usize, time: i64, tally: &mut Tally) {
        let ns = time - self.parts[part].since;
        self.parts[part].since = time;
        let values = &self.values;
        match part {
            TOP => {
                tally.held(values, function::TOP, ns);
                tally.known += ns;
                tally.both += if values.both { ns } else { 0 };
                tally.top += if values.top { ns } else { 0 };
            }
            BETWEEN => {
                tally.held(values, function::BETWEEN, ns);
                tally.any += if values.any { ns } else { 0 };
                for (time, known) in tally.band.iter_mut().zip(values.band) {
                    *time += if known { ns } else { 0 };
                }
            }
            _ => tally.held_side(values, part - SIDE, ns),
        }
    }

    /// Works out the values of all parts that have changed.
    #[inline]
    fn work_out(&mut self, rules: &Rules) {
        if self.parts[TOP].stale {
            self.work_out_top(rules.point);
        }
        for side in these([self.parts[SIDE].stale, self.parts[SIDE + 1].stale]) {
            self.work_out_side(side, &rules.edges);
        }
        if self.parts[BETWEEN].stale {
            self.work_out_between();
        }
        for part in &mut self.parts {
            part.stale = false;
        }
    }

    #[inline]
    fn work_out_top(&mut self, point: f64) {
        let (values, quote) = (&mut self.values, &self.quote);
        let (bid, ask) = (self.book.size[0][0] as f64, self.book.size[1][0] as f64);
        values.both = quote.both;
        values.top = bid + ask > 0.0;
        values.of[function::IMBALANCE_1] = if values.top { (bid - ask) / (bid + ask) } else { 0.0 };
        let [mid, weighted_mid, spread] = if quote.both { quote.middles() } else { [0.0; 3] };
        values.of[function::MID] = mid;
        values.of[function::WEIGHTED_MID] = weighted_mid;
        values.of[function::SPREAD] = spread / point;
    }

    #[inline]
    fn work_out_side(&mut self, side: usize, edges: &[i64; BANDS]) {
        let depth = self.depth[side] as f64;
        self.values.of[function::DEPTH[side]] = depth;
        if !self.quote.both {
            self.values.of[function::BAND[side]..][..BANDS].fill(0.0);
            self.values.of[function::SHARE[side]..][..BANDS].fill(0.0);
            return;
        }
        if !self.bands[side].hold_with(self.quote.reference(side)) {
            self.bands[side].find(&self.book, side, &self.quote, edges);
        }
        let share = depth.recip();
        for band in 0..BANDS {
            let size = self.bands[side].sums[band] as f64;
            self.values.of[function::BAND[side] + band] = size;
            self.values.of[function::SHARE[side] + band] = size * share;
        }
    }

    #[inline]
    fn work_out_between(&mut self) {
        let values = &mut self.values;
        let (bid, ask) = (values.of[function::DEPTH[0]], values.of[function::DEPTH[1]]);
        values.any = bid + ask > 0.0;
        values.of[function::IMBALANCE_10] = if values.any { (bid - ask) / (bid + ask) } else { 0.0 };
        for band in 0..BANDS {
            let (bid, ask) = (values.of[function::BAND[0] + band], values.of[function::BAND[1] + band]);
            values.band[band] = bid + ask > 0.0;
            let imbalance = (bid - ask) / (bid + ask);
            values.of[function::BAND_IMBALANCE + band] = if values.band[band] { imbalance } else { 0.0 };
        }
    }
}

/// The sides that are meant. Mostly it is one of the two, and no telling which: a loop over those that are is foreseen by the
/// processor where a question to each is not.
#[inline]
fn these(sides: [bool; 2]) -> impl Iterator<Item = usize> {
    let first = usize::from(!sides[0]);
    let last = 1 + usize::from(sides[1]);
    first..last.max(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        columns::BAND_EDGES,
        instrument::Instrument,
        state::{
            book::NO_BAND,
            row::{Level, NO_PRICE, TickRow},
            rules::{BarClock, BarSize, EventEnds, SizeUnit, SourceForm},
        },
    };

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

    /// Every value of a book, read anew.
    fn plain_values(book: &Book) -> Vec<Option<f64>> {
        let ratio = |part: f64, whole: f64| (whole != 0.0).then(|| part / whole);
        let (mut values, mut bands) = (vec![None; function::COUNT], [[0_i64; BANDS + 1]; 2]);
        let both = book.size[0][0] > 0 && book.size[1][0] > 0;
        let depth = book.size.map(|sizes| sizes.iter().sum::<i64>() as f64);
        let best = [book.size[0][0] as f64, book.size[1][0] as f64];
        values[function::IMBALANCE_1] = ratio(best[0] - best[1], best[0] + best[1]);
        values[function::IMBALANCE_10] = ratio(depth[0] - depth[1], depth[0] + depth[1]);
        for side in 0..2 {
            values[function::DEPTH[side]] = Some(depth[side]);
            for level in 0..LEVELS {
                let (price, size) = (book.price[side][level], book.size[side][level]);
                bands[side][if both && size > 0 { plain_band(book, side, price) } else { BANDS }] += size;
            }
        }
        if both {
            let (bid, ask) = (i128::from(book.price[0][0]), i128::from(book.price[1][0]));
            let above = (ask - bid) as f64 * best[0] / (best[0] + best[1]);
            values[function::MID] = Some((bid + ask) as f64 / 2.0);
            values[function::WEIGHTED_MID] = Some(bid as f64 + above);
            values[function::SPREAD] = Some((ask - bid) as f64 / POINT as f64);
            for band in 0..BANDS {
                let sizes = [bands[0][band] as f64, bands[1][band] as f64];
                for side in 0..2 {
                    values[function::BAND[side] + band] = Some(sizes[side]);
                    values[function::SHARE[side] + band] = Some(sizes[side] / depth[side]);
                }
                values[function::BAND_IMBALANCE + band] = ratio(sizes[0] - sizes[1], sizes[0] + sizes[1]);
            }
        }
        values
    }

    fn level() -> impl Strategy<Value = Level> {
        // Few prices and sizes, so that equal ones, edges and levels out of order are common; and some that are absent.
        let price =
            prop_oneof![8 => (-40_i64..40).prop_map(|price| price * 25), 1 => Just(NO_PRICE), 1 => any::<i64>()];
        let size = prop_oneof![4 => 0_i64..5, 1 => 0_i64..(1 << 59)];
        (price, size).prop_map(|(price, size)| Level { price, size, count: 1 })
    }

    /// Changes of a book, each at one level of a side or from it on, after so many ns, and whether all is forgotten then.
    fn changes() -> impl Strategy<Value = Vec<(usize, usize, Vec<Level>, i64, bool)>> {
        let levels =
            prop_oneof![4 => proptest::collection::vec(level(), 1), 1 => proptest::collection::vec(level(), LEVELS)];
        let ns = prop_oneof![Just(0), Just(1), Just(7)];
        proptest::collection::vec((0..2_usize, 0..LEVELS, levels, ns, proptest::bool::weighted(0.05)), 1..40)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
    }

    proptest! {
        #[test]
        fn what_is_kept_level_by_level_is_what_reading_anew_gives(changes in changes(), sorted: bool) {
            let form = SourceForm { levels: 10, size_unit: SizeUnit::Whole, every_row_ends: false };
            let instrument = Instrument::plain("", POINT, 1, 1.0).unwrap();
            let rules = Rules::new(BarSize::Time(1), BarClock::Event, EventEnds::Flag, &instrument, form);
            let (mut standing, mut tally) = (Standing::UNKNOWN, Tally::default());
            let (mut row, mut time, mut known) = (TickRow::empty(), 0, false);
            let (mut integral, mut ofi) = (vec![0.0; function::COUNT], [0_i128; 3]);
            for (side, at, levels, ns, forget) in changes {
                let old = row.clone();
                for (level, new) in row.levels[side][at..].iter_mut().zip(levels) {
                    *level = new;
                }
                if sorted {
                    let key = |level: &Level| if side == 0 { level.price.saturating_neg() } else { level.price };
                    row.levels[side].sort_by_key(|level| (level.price == NO_PRICE, key(level)));
                }
                let (was, is) = (Book::read(&old), Book::read(&row));
                if known {
                    for (sum, value) in integral.iter_mut().zip(plain_values(&was)) {
                        *sum += value.unwrap_or(0.0) * ns as f64;
                    }
                    for (sum, levels) in ofi.iter_mut().zip([1, 5, 10]) {
                        *sum += (0..levels).map(|level| i128::from(plain_flow(&was, &is, level))).sum::<i128>();
                    }
                }
                time += ns;
                standing.step((&old, &row), time, false, &mut tally, &rules);
                known = !forget;
                if forget {
                    standing.forget(time, &mut tally, &rules);
                }
            }
            standing.hold(time, &mut tally, &rules);
            prop_assert_eq!(tally.ofi, ofi);
            for (of, sum) in integral.into_iter().enumerate() {
                // Sums of what cancels are held to their largest part.
                let scale = [function::MID, function::WEIGHTED_MID, function::SPREAD].contains(&of);
                prop_assert!(scale || close(tally.integral[of], sum), "{of}: {} and {sum}", tally.integral[of]);
            }
            prop_assert_eq!(standing.values().is_some(), known);
            if let Some(values) = standing.values() {
                let book = Book::read(&row);
                for (of, want) in plain_values(&book).into_iter().enumerate() {
                    let found = values.get(of);
                    prop_assert_eq!(found.is_some(), want.is_some(), "{}", of);
                    // Prices at the ends of their range cancel to within what a float holds of them.
                    let far = book.size[0][0] > 0 && book.size[1][0] > 0 && function::TOP.1 > of;
                    let best = if far { [book.price[0][0], book.price[1][0]] } else { [0; 2] };
                    let scale = best.into_iter().map(|price| price as f64).fold(1.0, |most, price| price.abs().max(most));
                    let (found, want) = (found.unwrap_or(0.0), want.unwrap_or(0.0));
                    let off = (found - want).abs() / found.abs().max(want.abs()).max(1.0).max(1e-5 * scale);
                    prop_assert!(off <= 1e-9, "{of}: {found} and {want}");
                }
            }
        }
    }
}
