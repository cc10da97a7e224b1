//! A book of single orders. Start at [`Book::add`].
//!
//! A side counts its prices in *steps away from the market*, so that both sides are one code: the step of a bid is its
//! tick with the sign turned, and the best order is the one of the least step.

/// Ticks of a side that the book can hold, from its best on: a power of two.
const SPAN: i64 = 256;
/// Orders farther than this from the best are let go.
pub(super) const FAR: i64 = 128;
/// Levels that are shown.
pub(super) const LEVELS: usize = 10;

/// Side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Bid,
    Ask,
}

impl Side {
    /// The other side.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// Letter of a resting order of this side, or of an aggressor that trades for it.
    pub(super) fn letter(self) -> u8 {
        match self {
            Self::Bid => b'B',
            Self::Ask => b'A',
        }
    }

    fn sign(self) -> i64 {
        match self {
            Self::Bid => -1,
            Self::Ask => 1,
        }
    }
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) size: u32,
}

/// A level as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Level {
    /// Price in ticks.
    pub(super) tick: i64,
    pub(super) size: u32,
    pub(super) orders: u32,
}

#[derive(Debug, Clone, Default)]
struct Queue {
    orders: Vec<Order>,
    size: u32,
}

#[derive(Debug)]
struct Half {
    side: Side,
    queues: Vec<Queue>,
    /// Least and greatest step that may hold orders; `best` does where `count` is not zero.
    best: i64,
    worst: i64,
    /// Orders in all.
    count: usize,
}

impl Half {
    fn new(side: Side) -> Self {
        Self { side, queues: vec![Queue::default(); SPAN as usize], best: 0, worst: -1, count: 0 }
    }

    fn at(&self, step: i64) -> &Queue {
        &self.queues[(step & (SPAN - 1)) as usize]
    }

    fn at_mut(&mut self, step: i64) -> &mut Queue {
        &mut self.queues[(step & (SPAN - 1)) as usize]
    }

    fn holds(&self, step: i64) -> bool {
        step >= self.best && step <= self.worst && !self.at(step).orders.is_empty()
    }

    fn settle(&mut self) {
        while self.best <= self.worst && self.at(self.best).orders.is_empty() {
            self.best += 1;
        }
    }
}

/// Both sides.
#[derive(Debug)]
pub(super) struct Book {
    halves: [Half; 2],
    /// Shown levels of each side; kept up to date by every change.
    shown: [[Level; LEVELS]; 2],
}

impl Book {
    /// An empty book.
    pub(super) fn new() -> Self {
        Self { halves: [Half::new(Side::Bid), Half::new(Side::Ask)], shown: [[Level::default(); LEVELS]; 2] }
    }

    fn half(&self, side: Side) -> &Half {
        &self.halves[side as usize]
    }

    /// Levels that are shown, best first; a level that is absent has size 0.
    pub(super) fn shown(&self, side: Side) -> &[Level; LEVELS] {
        &self.shown[side as usize]
    }

    /// Best price, ticks.
    pub(super) fn best(&self, side: Side) -> Option<i64> {
        let half = self.half(side);
        (half.count > 0).then(|| half.best * side.sign())
    }

    /// Price `away` ticks behind the best; before it if negative.
    pub(super) fn behind(&self, side: Side, away: i64) -> i64 {
        (self.half(side).best + away) * side.sign()
    }

    /// Ticks between best bid and best ask; None where a side is empty.
    pub(super) fn spread(&self) -> Option<i64> {
        Some(self.best(Side::Ask)? - self.best(Side::Bid)?)
    }

    /// Orders of a side.
    pub(super) fn count(&self, side: Side) -> usize {
        self.half(side).count
    }

    /// Orders at `tick`, first come first.
    pub(super) fn queue(&self, side: Side, tick: i64) -> &[Order] {
        let (half, step) = (self.half(side), tick * side.sign());
        if half.holds(step) { &half.at(step).orders } else { &[] }
    }

    /// Every price that holds orders, best first.
    pub(super) fn ticks(&self, side: Side) -> Vec<i64> {
        let half = self.half(side);
        (half.best..=half.worst).filter(|&step| half.holds(step)).map(|step| step * side.sign()).collect()
    }

    /// Levels that are better than `tick`.
    pub(super) fn rank(&self, side: Side, tick: i64) -> usize {
        let (half, step) = (self.half(side), tick * side.sign());
        if half.count == 0 || step <= half.best {
            return 0;
        }
        (half.best..step.min(half.worst + 1)).filter(|&better| half.holds(better)).count()
    }

    /// Puts an order at the end of its queue.
    ///
    /// `tick` is less than [`FAR`] behind the best; where it is better than the best by so much that the last orders
    /// would be too far away, the caller has let them go before, see [`Book::farthest`].
    pub(super) fn add(&mut self, side: Side, tick: i64, order: Order) {
        let half = &mut self.halves[side as usize];
        let step = tick * side.sign();
        if half.count == 0 {
            (half.best, half.worst) = (step, step);
        }
        half.best = half.best.min(step);
        half.worst = half.worst.max(step);
        assert!(half.worst - half.best < SPAN, "orders that are too far away have been let go");
        let queue = half.at_mut(step);
        queue.size += order.size;
        queue.orders.push(order);
        half.count += 1;
        self.show(side);
    }

    /// Takes an order away; `place` counts from the front of its queue.
    pub(super) fn remove(&mut self, side: Side, tick: i64, place: usize) -> Order {
        let half = &mut self.halves[side as usize];
        let queue = half.at_mut(tick * side.sign());
        let order = queue.orders.remove(place);
        queue.size -= order.size;
        half.count -= 1;
        half.settle();
        self.show(side);
        order
    }

    /// Takes `size` from the first order at `tick`, which has at least that; the order leaves where nothing is left.
    pub(super) fn fill(&mut self, side: Side, tick: i64, size: u32) {
        let queue = self.halves[side as usize].at_mut(tick * side.sign());
        if queue.orders[0].size == size {
            self.remove(side, tick, 0);
            return;
        }
        queue.orders[0].size -= size;
        queue.size -= size;
        self.show(side);
    }

    /// The last price that holds orders, where it is `limit` ticks or more behind `tick`.
    pub(super) fn farthest(&mut self, side: Side, tick: i64, limit: i64) -> Option<i64> {
        let half = &mut self.halves[side as usize];
        while half.worst >= half.best && half.at(half.worst).orders.is_empty() {
            half.worst -= 1;
        }
        (half.count > 0 && half.worst - tick * side.sign() >= limit).then(|| half.worst * side.sign())
    }

    fn show(&mut self, side: Side) {
        let half = &self.halves[side as usize];
        let shown = &mut self.shown[side as usize];
        let mut rank = 0;
        let mut step = half.best;
        while rank < LEVELS && step <= half.worst {
            let queue = half.at(step);
            if !queue.orders.is_empty() {
                shown[rank] =
                    Level { tick: step * half.side.sign(), size: queue.size, orders: queue.orders.len() as u32 };
                rank += 1;
            }
            step += 1;
        }
        shown[rank..].fill(Level::default());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::simulate::random::Random;

    #[test]
    fn shows_what_a_sorted_map_of_orders_shows() {
        let mut random = Random::new(3, "book");
        for side in [Side::Bid, Side::Ask] {
            let mut book = Book::new();
            let mut plain: BTreeMap<i64, Vec<Order>> = BTreeMap::new();
            for id in 0..20_000 {
                let tick = 1000 + random.index(24) as i64;
                let size = 1 + random.index(50) as u32;
                let queue = plain.entry(tick * side.sign()).or_default();
                if queue.is_empty() || random.chance(0.4) {
                    queue.push(Order { id, size });
                    book.add(side, tick, Order { id, size });
                } else if random.chance(0.5) {
                    let place = random.index(queue.len());
                    assert_eq!(book.remove(side, tick, place), queue.remove(place));
                } else {
                    let part = queue[0].size.min(size);
                    queue[0].size -= part;
                    queue.retain(|order| order.size > 0);
                    book.fill(side, tick, part);
                }
                plain.retain(|_, queue| !queue.is_empty());
                let level = |(step, queue): (&i64, &Vec<Order>)| Level {
                    tick: step * side.sign(),
                    size: queue.iter().map(|order| order.size).sum(),
                    orders: queue.len() as u32,
                };
                let shown: Vec<Level> = plain.iter().map(level).take(LEVELS).collect();
                assert_eq!(shown[..], book.shown(side)[..shown.len()]);
                assert!(book.shown(side)[shown.len()..].iter().all(|level| level.size == 0));
                assert_eq!(book.rank(side, tick), plain.range(..tick * side.sign()).count());
                assert_eq!(book.count(side), plain.values().map(Vec::len).sum::<usize>());
            }
        }
    }
}
