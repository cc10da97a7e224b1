//! The fold of one instrument: rows in file order to bars. Start at [`Fold::run`].
//!
//! Between event ends the state stands still, so a mean over time grows only when a state is left: by its values times the
//! time that it stood. A state that stands for no time is never evaluated.
//!
//! Invariant: single pass, file order, no allocation per row; a bar never reopens, and what a bar holds depends on no later row.

use super::{
    book::{BANDS, NO_BAND},
    finish::Bar,
    row::{FLAG_BAD_BOOK, FLAG_BAD_TIME, FLAG_LAST, FLAG_SNAPSHOT, NO_PRICE, NO_SEQUENCE, NO_TIME, Row},
    rules::{BarClock, BarSize, Rules},
    standing::Standing,
    tally::Tally,
};

/// Times from here on are undefined: no bar could end after them.
const TIME_END: u64 = 9_000_000_000_000_000_000;

/// A gap longer than this is not filled with bars, ns.
const GAP_NS_MAX: i64 = 86_400 * 1_000_000_000;

/// What a fold counted beside its bars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FoldCounts {
    /// Rows that are in a bar, or in the unfinished last one.
    pub(crate) rows: u64,
    /// Rows left out since no time was known yet.
    pub(crate) without_time: u64,
    /// Event ends.
    pub(crate) events: u64,
    /// Rows whose time was before an earlier row's.
    pub(crate) late: u64,
    /// Gaps longer than 24 h, which hold no bars.
    pub(crate) gaps: u64,
    /// Rows whose sequence number is below that of the row before.
    pub(crate) sequence_back: u64,
    /// Rows in the last bar of trades, volume or turnover, which is not written.
    pub(crate) unfinished: u64,
}

impl FoldCounts {
    /// Adds those of another instrument.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.rows, other.rows),
            (&mut self.without_time, other.without_time),
            (&mut self.events, other.events),
            (&mut self.late, other.late),
            (&mut self.gaps, other.gaps),
            (&mut self.sequence_back, other.sequence_back),
            (&mut self.unfinished, other.unfinished),
        ] {
            *sum += more;
        }
    }
}

/// Rows of one instrument to bars.
#[derive(Debug, Clone)]
pub(crate) struct Fold<R> {
    rules: Rules,
    pub(crate) counts: FoldCounts,
    started: bool,
    /// Time of the last row, ns.
    clock: i64,
    /// Latest receipt so far, ns.
    received: i64,
    start: i64,
    end: i64,
    /// Sums of the open bar.
    tally: Tally,
    before: Before,
    /// Row whose book holds before the next row.
    row: R,
    state: Standing,
    /// Row of the state: holds the counts of orders.
    state_row: R,
}

/// What of the row before matters for the next, beside its book.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// Whether its book is known.
    known: bool,
    /// Whether it was a trade, or the fill of one.
    trade: bool,
    ts_event: u64,
    sequence: u64,
}

/// Classes of actions: places in [`Tally::rows`].
mod class {
    pub(super) const CLEAR: usize = 1;
    pub(super) const ADD: usize = 2;
    pub(super) const CANCEL: usize = 3;
    pub(super) const MODIFY: usize = 4;
    pub(super) const TRADE: usize = 5;
    pub(super) const OTHER: usize = 6;
    pub(super) const SNAPSHOT: usize = 7;

    /// By the letter of the action. Looked up: which comes next is no processor's to foresee.
    const OF: [u8; 256] = {
        let mut of = [OTHER as u8; 256];
        of[b'A' as usize] = ADD as u8;
        of[b'C' as usize] = CANCEL as u8;
        of[b'M' as usize] = MODIFY as u8;
        of[b'T' as usize] = TRADE as u8;
        of[b'R' as usize] = CLEAR as u8;
        of
    };

    #[inline]
    pub(super) fn of(action: u8) -> usize {
        usize::from(OF[usize::from(action)])
    }
}

impl<R: Row> Fold<R> {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            counts: FoldCounts::default(),
            started: false,
            clock: 0,
            received: i64::MIN,
            start: 0,
            end: 0,
            tally: Tally::default(),
            before: Before { known: false, trade: false, ts_event: NO_TIME, sequence: NO_SEQUENCE },
            row: R::empty(),
            state: Standing::UNKNOWN,
            state_row: R::empty(),
        }
    }

    /// Folds rows of this instrument; `bar` gets each bar that ends.
    pub(crate) fn run(&mut self, rows: &[R], bar: &mut impl FnMut(&Bar<'_>)) {
        // The books of the row before and of the state are looked at where they lie, and kept only at the end.
        let empty = R::empty();
        let (kept_row, kept_state) = (self.row.clone(), self.state_row.clone());
        let (mut before, mut state_row) = (&kept_row, &kept_state);
        for row in rows {
            let flags = row.flags();
            let Some((time, late)) = self.time_of(row, flags) else {
                self.counts.without_time += 1;
                continue;
            };
            if time >= self.end {
                self.turn(time, state_row, bar);
            }
            self.clock = time;
            self.tally.late_n += i64::from(late);
            let received = row.ts_recv();
            if received < TIME_END {
                self.received = self.received.max(received as i64);
            }
            let (action, bad) = (row.action(), flags & FLAG_BAD_BOOK != 0);
            let snapshot = flags & FLAG_SNAPSHOT != 0;
            self.tally.bad_book_n += i64::from(bad);
            self.tally.bad_time_n += i64::from(flags & FLAG_BAD_TIME != 0);
            let class = if snapshot { class::SNAPSHOT } else { class::of(action) };
            self.tally.rows[class] += 1;
            let sequence = row.sequence();
            self.counts.sequence_back +=
                u64::from(sequence < self.before.sequence && self.before.sequence != NO_SEQUENCE);
            match class {
                class::TRADE => self.trade(row),
                class::ADD | class::CANCEL | class::MODIFY => self.flow(row, before, class, bad),
                _ => {}
            }
            let clear = action == b'R';
            let trade = class == class::TRADE || action == b'F' && class == class::OTHER && self.of_the_trade(row);
            self.before = Before { known: !bad, trade, ts_event: row.ts_event(), sequence };
            before = if clear { &empty } else { row };
            if flags & FLAG_LAST != 0 || clear || self.rules.every_row_ends {
                self.event_end((state_row, before), time, bad, clear || snapshot);
                state_row = before;
                if self.tally_is_full() {
                    self.close(time, state_row, bar);
                    self.start = time;
                    self.state.begin(time);
                }
            } else if bad {
                self.state.forget(time, &mut self.tally, &self.rules);
            }
        }
        (self.row, self.state_row) = (before.clone(), state_row.clone());
    }

    /// Ends the last bar at its full end; one of trades, volume or turnover is left out.
    pub(crate) fn finish(&mut self, bar: &mut impl FnMut(&Bar<'_>)) {
        if !self.started {
            return;
        }
        let rows: i64 = self.tally.rows.iter().sum();
        if let BarSize::Time(_) = self.rules.size {
            let state_row = self.state_row.clone();
            self.close(self.end, &state_row, bar);
        } else {
            self.counts.rows += rows as u64;
            self.counts.events += self.tally.events_n as u64;
            self.counts.late += self.tally.late_n as u64;
            self.counts.unfinished = rows as u64;
        }
        self.started = false;
    }

    /// Time of a row and whether it is late; `None` where none is known yet.
    #[inline]
    fn time_of(&mut self, row: &R, flags: u8) -> Option<(i64, bool)> {
        let own = match self.rules.clock {
            BarClock::Event => row.ts_event(),
            BarClock::Receive if flags & FLAG_BAD_TIME != 0 => NO_TIME,
            BarClock::Receive => row.ts_recv(),
        };
        if own >= TIME_END {
            return self.started.then_some((self.clock, false));
        }
        let own = own as i64;
        if !self.started {
            self.begin(own);
            return Some((own, false));
        }
        Some((own.max(self.clock), own < self.clock))
    }

    #[cold]
    fn begin(&mut self, time: i64) {
        self.started = true;
        self.clock = time;
        (self.start, self.end) = match self.rules.size {
            BarSize::Time(width) => (time - time % width, time - time % width + width),
            _ => (time, i64::MAX),
        };
    }

    /// Ends bars until the one that holds `time` is open.
    #[cold]
    fn turn(&mut self, time: i64, state_row: &R, bar: &mut impl FnMut(&Bar<'_>)) {
        let BarSize::Time(width) = self.rules.size else { return };
        self.close(self.end, state_row, bar);
        let start = time - time % width;
        if time - self.clock > GAP_NS_MAX {
            self.counts.gaps += 1;
        } else {
            while self.end < start {
                (self.start, self.end) = (self.end, self.end + width);
                self.state.begin(self.start);
                self.close(self.end, state_row, bar);
            }
        }
        (self.start, self.end) = (start, start + width);
        self.state.begin(start);
    }

    /// Hands out the bar that ends at `end`, and begins a tally.
    fn close(&mut self, end: i64, state_row: &R, bar: &mut impl FnMut(&Bar<'_>)) {
        let Self { rules, tally, state, .. } = self;
        self.counts.rows += tally.rows.iter().sum::<i64>() as u64;
        self.counts.events += tally.events_n as u64;
        self.counts.late += tally.late_n as u64;
        state.hold(end, tally, rules);
        bar(&Bar {
            rules,
            start: self.start,
            end,
            known_at: end.max(self.received),
            tally,
            values: state.values(),
            book: state.book(),
            quote: state.quote(),
            counts: [0, 1].map(|side| std::array::from_fn(|level| state_row.count(side, level))),
        });
        *tally = Tally::default();
    }

    /// The book of `row` is the state from `time` on, after that of `old`. `apart`: it is no step from there.
    #[inline]
    fn event_end(&mut self, (old, row): (&R, &R), time: i64, bad: bool, apart: bool) {
        let Self { rules, tally, state, .. } = self;
        tally.changed = true;
        tally.events_n += 1;
        state.step((old, row), time, bad || apart, tally, rules);
        if bad {
            state.forget(time, tally, rules);
        }
        let quote = state.quote();
        if quote.both {
            let [bid, ask] = quote.price;
            tally.crossed_n += i64::from(bid > ask);
            tally.locked_n += i64::from(bid == ask);
        }
    }

    /// Whether a row belongs to the trade before it: same time and sequence number.
    #[inline]
    fn of_the_trade(&self, row: &R) -> bool {
        let last = &self.before;
        let sequence = row.sequence();
        last.trade && row.ts_event() == last.ts_event && sequence == last.sequence && sequence != NO_SEQUENCE
    }

    /// An A, C or M row: the change of the queue at its price.
    ///
    /// A C row directly after a T row with the same ts_event and sequence is that trade's own change of the book, and no
    /// flow; F rows of the same ts_event and sequence may stand between the two, as where books come from orders.
    #[inline]
    fn flow(&mut self, row: &R, before: &R, class: usize, bad: bool) {
        if self.of_the_trade(row) && class == class::CANCEL {
            self.tally.fill_n += 1;
            return;
        }
        let price = row.price();
        let side = match row.side() {
            b'B' => Some(0),
            b'A' => Some(1),
            _ => standing(if class == class::CANCEL { before } else { row }, price),
        };
        let (Some(side), true) = (side, self.before.known && !bad && price != NO_PRICE) else {
            self.tally.rest_n += 1;
            return;
        };
        let band = self.state.quote().band(side, price, &self.rules.edges);
        if band == NO_BAND {
            self.tally.rest_n += 1;
            return;
        }
        let likely = row.likely_level();
        let change = row.queue(side, price, likely) - before.queue(side, price, likely);
        let flow = &mut self.tally.flow[side][band];
        flow.added += i128::from(change.max(0));
        flow.removed += i128::from((-change).max(0));
        flow.rows[class - class::ADD] += 1;
    }

    /// A T row.
    #[inline]
    fn trade(&mut self, row: &R) {
        let (size, price) = (row.size(), row.price());
        let (aggressor, side) = match row.side() {
            b'A' => (1, 0),
            b'B' => (2, 1),
            _ => (0, 2),
        };
        let price = (price != NO_PRICE).then_some(price);
        self.tally.trades.add(aggressor, size, price);
        if let (Some(price), true) = (price, side < 2) {
            let band = self.state.quote().band(side, price, &self.rules.edges);
            if band < BANDS {
                self.tally.exec[side][band] += i128::from(size);
            }
        }
    }

    #[inline]
    fn tally_is_full(&self) -> bool {
        let trades = &self.tally.trades;
        match self.rules.size {
            BarSize::Time(_) => false,
            BarSize::Trades(_) => i128::from(trades.n) >= self.rules.threshold,
            BarSize::Volume(_) => trades.all() >= self.rules.threshold,
            BarSize::Turnover(_) => trades.turnover >= self.rules.threshold,
        }
    }
}

/// The side on which a price stands; `None` where on both or on neither.
#[cold]
fn standing<R: Row>(row: &R, price: i64) -> Option<usize> {
    match (row.search(0, price) > 0, row.search(1, price) > 0) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        _ => None,
    }
}
