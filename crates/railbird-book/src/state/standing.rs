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
    const NONE: Self =
        Self { of: [0.0; function::COUNT], both: false, top: false, any: false, band: [false; BANDS] };

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
            for side in 0..2 {
                dirty[side] |= was != quote.both || !self.bands[side].hold_with(quote.reference(side));
            }
            self.quote = quote;
            self.change(TOP, time, tally);
        }
        for side in 0..2 {
            if dirty[side] {
                self.change(SIDE + side, time, tally);
            }
        }
        if dirty[0] || dirty[1] {
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
            SIDE => tally.held(values, function::BIDS, ns),
            BETWEEN => {
                tally.held(values, function::BETWEEN, ns);
                tally.any += if values.any { ns } else { 0 };
                for (time, known) in tally.band.iter_mut().zip(values.band) {
                    *time += if known { ns } else { 0 };
                }
            }
            _ => tally.held(values, function::ASKS, ns),
        }
    }

    /// Works out the values of all parts that have changed.
    #[inline]
    fn work_out(&mut self, rules: &Rules) {
        if self.parts[TOP].stale {
            self.work_out_top(rules.point);
        }
        for side in 0..2 {
            if self.parts[SIDE + side].stale {
                self.work_out_side(side, &rules.edges);
            }
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
