//! Traders without intelligence. Start at [`Market::act`].
//!
//! Orders come at random prices near the best, are cancelled at random, and are hit by random market orders (Smith,
//! Farmer, Gillemot and Krishnamurthy 2003). Whether a queue grows or shrinks depends on how long it is, which keeps
//! the book about as deep as it was; nothing else holds the price anywhere.

use super::{
    book::{Book, FAR, LEVELS, Order, Side},
    random::{Random, Table},
};

/// How events are shared among prices behind the best, 0 first.
const AWAY: [f64; LEVELS] = [0.660, 0.185, 0.025, 0.031, 0.032, 0.022, 0.016, 0.011, 0.008, 0.010];
/// Orders that queues of those prices tend to.
const ORDERS: [f64; LEVELS] = [4.0, 7.0, 8.0, 8.0, 8.0, 7.0, 6.0, 5.0, 4.0, 4.0];
/// Ticks behind the best within which every price gets orders as soon as it comes so near.
const DEEP: i64 = 16;
/// Fills of one market order at most.
const FILLS_MAX: usize = 40;
const MARKET_ORDERS: f64 = 0.0172;
const HIDDEN_TRADES: f64 = 0.0210;
const REPLACEMENTS: f64 = 0.004;
/// Adds at the best of a wide spread that better it.
const IMPROVES: f64 = 0.3;

/// Which kind of file shows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Both.
    Everywhere,
    /// Files of levels.
    Levels,
    /// Files of orders.
    Orders,
}

/// One row, before it has a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Letter of the action.
    pub(super) action: u8,
    /// Letter of the side.
    pub(super) side: u8,
    /// Price in half ticks; None where there is none.
    pub(super) half_ticks: Option<i64>,
    pub(super) size: u32,
    /// Order that it is about, 0 if none.
    pub(super) order: u64,
    /// Level at which it happens, 0 = best; [`LEVELS`] or more are not shown in files of levels.
    pub(super) depth: usize,
    /// Whether the event ends here.
    pub(super) last: bool,
    /// Whether it has the time and the sequence number of the step before it.
    pub(super) same: bool,
    pub(super) snapshot: bool,
    pub(super) shown: Shown,
}

impl Step {
    fn new(action: u8, side: u8, size: u32) -> Self {
        Self {
            action,
            side,
            half_ticks: None,
            size,
            order: 0,
            depth: 0,
            last: true,
            same: false,
            snapshot: false,
            shown: Shown::Everywhere,
        }
    }
}

/// Takes steps, each with the book as that row carries it.
pub(super) trait Steps {
    /// Takes a step.
    fn take(&mut self, book: &Book, step: Step);
}

/// A fault that stands in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookFault {
    Clear,
    Snapshot,
    OneSided,
    Crossed,
    Locked,
}

/// The book and those who act on it.
#[derive(Debug)]
pub(super) struct Market {
    random: Random,
    /// Decides about faults alone, so that they leave the market as it would have been.
    faults: Random,
    book: Book,
    next_order: u64,
    order_sizes: Table,
    market_sizes: Table,
    /// Farthest price of each side that has been given orders, ticks.
    deepest: [i64; 2],
}

impl Market {
    /// A market with both sides filled, the best bid at `tick`.
    pub(super) fn new(seed: u64, tick: i64) -> Self {
        let mut random = Random::new(seed, "market");
        let order_sizes = Table::new(|| order_size(&mut random));
        let market_sizes = Table::new(|| log_normal(&mut random, 290.0, 1.15, 8_000.0));
        let mut market = Self {
            random,
            faults: Random::new(seed, "book faults"),
            book: Book::new(),
            next_order: 1,
            order_sizes,
            market_sizes,
            deepest: [tick + 1, tick],
        };
        for (side, best) in [(Side::Bid, tick), (Side::Ask, tick + 1)] {
            let order = market.order();
            market.book.add(side, best, order);
            market.deepest[side as usize] = best;
            market.deepen(side, &mut Unseen);
        }
        market
    }

    /// One event.
    pub(super) fn act(&mut self, steps: &mut impl Steps) {
        let side = coin(&mut self.random);
        let what = self.random.unit();
        if what < MARKET_ORDERS {
            self.market_order(side, steps);
        } else if what < MARKET_ORDERS + HIDDEN_TRADES {
            self.hidden_trade(steps);
        } else if what < MARKET_ORDERS + HIDDEN_TRADES + REPLACEMENTS {
            self.replace(side, steps);
        } else {
            self.limit_order(side, steps);
        }
        for side in [Side::Bid, Side::Ask] {
            self.deepen(side, steps);
        }
    }

    fn order(&mut self) -> Order {
        // Numbers of other instruments lie between.
        self.next_order += 1 + (self.random.bits() & 0x3f);
        Order { id: self.next_order, size: self.order_sizes.draw(&mut self.random) }
    }

    fn away(&mut self) -> usize {
        let mut left = self.random.unit();
        for (away, share) in AWAY.iter().enumerate() {
            left -= share;
            if left < 0.0 {
                return away;
            }
        }
        0
    }

    fn limit_order(&mut self, side: Side, steps: &mut impl Steps) {
        let away = self.away();
        let wide = self.book.spread().is_some_and(|spread| spread > 1);
        if away == 0 && wide && self.random.chance(IMPROVES) {
            let (tick, order) = (self.book.behind(side, -1), self.order());
            self.add(side, tick, order, Step::new(b'A', 0, 0), steps);
            return;
        }
        let tick = self.book.behind(side, away as i64);
        let waiting = self.book.queue(side, tick).len();
        let grows = self.random.unit() * (ORDERS[away] + waiting as f64) < ORDERS[away];
        if waiting == 0 || grows || self.book.count(side) == 1 {
            let order = self.order();
            self.add(side, tick, order, Step::new(b'A', 0, 0), steps);
        } else {
            let place = self.random.index(waiting);
            self.cancel(side, tick, place, Step::new(b'C', 0, 0), steps);
        }
    }

    /// An order moves to another price nearby: two rows of one event.
    fn replace(&mut self, side: Side, steps: &mut impl Steps) {
        let from = self.book.behind(side, self.random.index(3) as i64);
        let waiting = self.book.queue(side, from).len();
        if waiting == 0 || self.book.count(side) == 1 {
            return self.limit_order(side, steps);
        }
        let place = self.random.index(waiting);
        self.cancel(side, from, place, Step { last: false, ..Step::new(b'C', 0, 0) }, steps);
        let to = self.book.behind(side, self.random.index(3) as i64);
        let order = self.order();
        self.add(side, to, order, Step { same: true, ..Step::new(b'A', 0, 0) }, steps);
    }

    /// A trade against an order that the book does not show: nothing changes.
    fn hidden_trade(&mut self, steps: &mut impl Steps) {
        let (Some(bid), Some(ask)) = (self.book.best(Side::Bid), self.book.best(Side::Ask)) else {
            return;
        };
        let prices = [2 * bid, bid + ask, 2 * ask];
        let rows = if self.random.chance(0.06) { 2 } else { 1 };
        for row in 1..=rows {
            let half_ticks = Some(prices[self.random.index(prices.len())]);
            let size = self.order_sizes.draw(&mut self.random);
            steps.take(&self.book, Step { half_ticks, last: row == rows, ..Step::new(b'T', b'N', size) });
        }
    }

    /// Takes from the best of the other side, order by order. Each trade's row carries the book before its fill; only
    /// the last fill has a row of its own in files of levels.
    fn market_order(&mut self, aggressor: Side, steps: &mut impl Steps) {
        let resting = aggressor.other();
        let mut left = self.market_sizes.draw(&mut self.random);
        for fill in 1..=FILLS_MAX {
            // One order stays, so that a side is never empty by itself.
            if self.book.count(resting) < 2 {
                return;
            }
            let tick = self.book.behind(resting, 0);
            let first = self.book.queue(resting, tick)[0];
            let size = first.size.min(left);
            left -= size;
            let last = left == 0 || fill == FILLS_MAX || self.book.count(resting) == 2;
            let at = |action, letter, order| Step {
                half_ticks: Some(2 * tick),
                order,
                last,
                ..Step::new(action, letter, size)
            };
            steps.take(&self.book, at(b'T', aggressor.letter(), 0));
            let filled = at(b'F', resting.letter(), first.id);
            steps.take(&self.book, Step { same: true, shown: Shown::Orders, ..filled });
            self.book.fill(resting, tick, size);
            let shown = if last { Shown::Everywhere } else { Shown::Orders };
            steps.take(&self.book, Step { action: b'C', same: true, shown, ..filled });
            if last {
                return;
            }
        }
    }

    fn add(&mut self, side: Side, tick: i64, order: Order, step: Step, steps: &mut impl Steps) {
        self.make_room(side, tick, steps);
        self.book.add(side, tick, order);
        let depth = self.book.rank(side, tick);
        let step =
            Step { side: side.letter(), half_ticks: Some(2 * tick), size: order.size, order: order.id, depth, ..step };
        steps.take(&self.book, step);
    }

    fn cancel(&mut self, side: Side, tick: i64, place: usize, step: Step, steps: &mut impl Steps) -> Order {
        let depth = self.book.rank(side, tick);
        let order = self.book.remove(side, tick, place);
        let step =
            Step { side: side.letter(), half_ticks: Some(2 * tick), size: order.size, order: order.id, depth, ..step };
        steps.take(&self.book, step);
        order
    }

    /// Lets orders go that would be too far from an order at `tick`.
    fn make_room(&mut self, side: Side, tick: i64, steps: &mut impl Steps) {
        while let Some(far) = self.book.farthest(side, tick, FAR) {
            while !self.book.queue(side, far).is_empty() {
                self.cancel(side, far, 0, Step::new(b'C', 0, 0), steps);
            }
            self.deepest[side as usize] = far + outward(side.other());
        }
    }

    /// Gives orders to prices that have come near.
    fn deepen(&mut self, side: Side, steps: &mut impl Steps) {
        let goal = self.book.behind(side, DEEP);
        while (goal - self.deepest[side as usize]) * outward(side) > 0 {
            let tick = self.deepest[side as usize] + outward(side);
            self.deepest[side as usize] = tick;
            for _ in 0..=self.random.index(9) {
                let order = self.order();
                self.add(side, tick, order, Step::new(b'A', 0, 0), steps);
            }
        }
    }

    // Faults: whatever they do, the book is afterwards what it was.

    /// Puts a fault into the rows.
    pub(super) fn fault(&mut self, fault: BookFault, steps: &mut impl Steps) {
        match fault {
            BookFault::Clear => {
                let both = [Side::Bid, Side::Ask].map(|side| (side, self.take_all(side)));
                steps.take(&self.book, Step::new(b'R', b'N', 0));
                for (side, orders) in both {
                    self.give_back(side, orders, steps);
                }
            }
            BookFault::Snapshot => {
                let whole = Step { snapshot: true, shown: Shown::Levels, ..Step::new(b'A', b'N', 0) };
                steps.take(&self.book, whole);
                self.snapshot(steps);
            }
            BookFault::OneSided => {
                let side = coin(&mut self.faults);
                let orders = self.take_all(side);
                for &(tick, order) in &orders {
                    self.book.add(side, tick, order);
                }
                for &(tick, _) in &orders {
                    self.cancel(side, tick, 0, Step::new(b'C', 0, 0), steps);
                }
                self.give_back(side, orders, steps);
            }
            BookFault::Crossed | BookFault::Locked => {
                let side = coin(&mut self.faults);
                if let Some(best) = self.book.best(side.other()) {
                    let beyond = if fault == BookFault::Crossed { 1 } else { 0 };
                    let tick = best - beyond * outward(side);
                    // The highest bit: no order of the market will ever have this number.
                    let order = Order { id: self.faults.bits() | 1 << 63, size: 100 };
                    self.add(side, tick, order, Step::new(b'A', 0, 0), steps);
                    self.cancel(side, tick, 0, Step::new(b'C', 0, 0), steps);
                }
            }
        }
    }

    /// Every order, for a file of orders that starts.
    pub(super) fn snapshot(&self, steps: &mut impl Steps) {
        let all: Vec<(Side, i64, Order)> = [Side::Bid, Side::Ask]
            .into_iter()
            .flat_map(|side| self.orders(side).into_iter().map(move |(tick, order)| (side, tick, order)))
            .collect();
        let part = Step { snapshot: true, last: false, shown: Shown::Orders, ..Step::new(b'R', b'N', 0) };
        steps.take(&self.book, part);
        for (index, (side, tick, order)) in all.iter().enumerate() {
            let step = Step {
                action: b'A',
                side: side.letter(),
                half_ticks: Some(2 * tick),
                size: order.size,
                order: order.id,
                last: index + 1 == all.len(),
                same: true,
                ..part
            };
            steps.take(&self.book, step);
        }
    }

    fn orders(&self, side: Side) -> Vec<(i64, Order)> {
        let ticks = self.book.ticks(side);
        ticks.iter().flat_map(|&tick| self.book.queue(side, tick).iter().map(move |&order| (tick, order))).collect()
    }

    fn take_all(&mut self, side: Side) -> Vec<(i64, Order)> {
        let orders = self.orders(side);
        for &(tick, _) in &orders {
            self.book.remove(side, tick, 0);
        }
        orders
    }

    fn give_back(&mut self, side: Side, orders: Vec<(i64, Order)>, steps: &mut impl Steps) {
        for (tick, order) in orders {
            self.add(side, tick, order, Step::new(b'A', 0, 0), steps);
        }
    }
}

/// Takes steps of which nobody hears.
struct Unseen;

impl Steps for Unseen {
    fn take(&mut self, _: &Book, _: Step) {}
}

fn coin(random: &mut Random) -> Side {
    if random.bits() & 1 == 0 { Side::Bid } else { Side::Ask }
}

/// Direction of worse prices.
fn outward(side: Side) -> i64 {
    match side {
        Side::Bid => -1,
        Side::Ask => 1,
    }
}

/// Round lots are common, the rest is log-normal.
fn order_size(random: &mut Random) -> u32 {
    const ROUND: [(f64, u32); 5] = [(0.28, 100), (0.15, 200), (0.03, 500), (0.03, 400), (0.02, 300)];
    let mut left = random.unit();
    for (share, size) in ROUND {
        left -= share;
        if left < 0.0 {
            return size;
        }
    }
    log_normal(random, 130.0, 2.35, 20_000.0)
}

fn log_normal(random: &mut Random, median: f64, deviation: f64, most: f64) -> u32 {
    (median * (deviation * random.normal()).exp()).clamp(1.0, most).round() as u32
}
