//! Ten levels from orders. Start at [`Orders::apply`].
//!
//! A added, C taken from or away, M moved or resized, R all gone; T and F leave the book alone, since the C that follows
//! takes the fill. An A with F_TOB is not an order but the best level of its side, all that is known of it.

use std::collections::{BTreeMap, HashMap};

use super::DecodeCounts;
use crate::{
    columns::LEVELS,
    state::row::{Level, NO_PRICE, TickRow},
};

/// Most orders that stand at once in a file: whole options markets stay below it.
const ORDERS_MAX: usize = 2_000_000;

/// The row is the best level of its side, not an order.
const FLAG_TOP: u8 = 64;

/// A row about an order.
#[derive(Debug, Clone)]
pub(super) struct OrderRow {
    /// Number of the order.
    pub(super) order: u64,
    /// The row, without levels.
    pub(super) row: TickRow,
}

/// Orders that stand, by instrument.
#[derive(Debug, Default)]
pub(super) struct Orders {
    books: Vec<OrderBook>,
    standing: usize,
}

#[derive(Debug, Default)]
struct OrderBook {
    orders: HashMap<u64, Order>,
    /// Size and count by price, for bids under the price with its sign turned: the best is always the first.
    sides: [BTreeMap<i64, (i64, i64)>; 2],
    levels: Option<[[Level; LEVELS]; 2]>,
}

#[derive(Debug, Clone, Copy)]
struct Order {
    side: usize,
    price: i64,
    size: i64,
}

impl Orders {
    /// The row with the book after it; `None` where it cannot be used, which is counted.
    pub(super) fn apply(&mut self, instrument: u32, order: &OrderRow, counts: &mut DecodeCounts) -> Option<TickRow> {
        let at = instrument as usize;
        if self.books.len() <= at {
            self.books.resize_with(at + 1, OrderBook::default);
        }
        let book = &mut self.books[at];
        let before = book.orders.len();
        if order.row.action == b'A' && self.standing >= ORDERS_MAX {
            counts.reject("more standing orders than 2000000");
            return None;
        }
        book.apply(order, counts);
        self.standing = self.standing + book.orders.len() - before;
        Some(TickRow { levels: book.levels(), ..order.row.clone() })
    }
}

impl OrderBook {
    fn apply(&mut self, order: &OrderRow, counts: &mut DecodeCounts) {
        let OrderRow { order: number, row } = order;
        let side = match row.side {
            b'B' => Some(0),
            b'A' => Some(1),
            _ => None,
        };
        match row.action {
            b'R' => {
                *self = Self::default();
            }
            b'A' if row.flags & FLAG_TOP != 0 => {
                if let Some(side) = side {
                    self.orders.retain(|_, order| order.side != side);
                    self.sides[side].clear();
                    self.levels = None;
                    self.add(*number, Order { side, price: row.price, size: row.size });
                }
            }
            b'A' | b'M' => {
                let known = self.remove(*number, i64::MAX);
                if row.action == b'M' && known.is_none() {
                    counts.note("change of an order that was not there, taken as new");
                }
                if row.action == b'A' && known.is_some() {
                    counts.note("new order with the number of one that stands, which it replaces");
                }
                match side.or(known.map(|known| known.side)) {
                    Some(side) => self.add(*number, Order { side, price: row.price, size: row.size }),
                    None => counts.note("order without a side"),
                }
            }
            b'C' if self.remove(*number, row.size).is_none() => counts.note("cancel of an order that was not there"),
            _ => {}
        }
    }

    fn add(&mut self, number: u64, order: Order) {
        if order.price == NO_PRICE || order.size == 0 {
            return;
        }
        self.levels = None;
        let level = self.sides[order.side].entry(key(order.side, order.price)).or_default();
        level.0 += order.size;
        level.1 += 1;
        self.orders.insert(number, order);
    }

    /// Takes so much of an order away; returns what it was.
    fn remove(&mut self, number: u64, size: i64) -> Option<Order> {
        let order = self.orders.get_mut(&number)?;
        let was = *order;
        self.levels = None;
        let taken = size.min(was.size);
        order.size -= taken;
        let gone = order.size == 0;
        if gone {
            self.orders.remove(&number);
        }
        let at = key(was.side, was.price);
        if let Some(level) = self.sides[was.side].get_mut(&at) {
            level.0 -= taken;
            level.1 -= i64::from(gone);
            if level.1 == 0 {
                self.sides[was.side].remove(&at);
            }
        }
        Some(was)
    }

    /// The best levels of both sides.
    fn levels(&mut self) -> [[Level; LEVELS]; 2] {
        let sides = &self.sides;
        *self.levels.get_or_insert_with(|| {
            let mut levels = [[Level::ABSENT; LEVELS]; 2];
            for (side, levels) in levels.iter_mut().enumerate() {
                for (level, (at, (size, count))) in levels.iter_mut().zip(&sides[side]) {
                    // Turning the sign again gives the price back.
                    *level = Level { price: key(side, *at), size: *size, count: *count };
                }
            }
            levels
        })
    }
}

/// What orders the prices of a side, best first.
fn key(side: usize, price: i64) -> i64 {
    if side == 0 { !price } else { price }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::state::row::Row;

    /// Rows as `action side price size order`; the book after them.
    #[track_caller]
    fn check(rows: &str, want: Expect) {
        let (mut orders, mut counts, mut last) = (Orders::default(), DecodeCounts::default(), TickRow::empty());
        for line in rows.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let flags = if fields.len() > 5 { FLAG_TOP } else { 0 };
            let row = TickRow {
                action: fields[0].as_bytes()[0],
                side: fields[1].as_bytes()[0],
                price: fields[2].parse().unwrap(),
                size: fields[3].parse().unwrap(),
                flags,
                ..TickRow::empty()
            };
            last = orders.apply(0, &OrderRow { order: fields[4].parse().unwrap(), row }, &mut counts).unwrap();
        }
        let side = |side: usize| {
            let there = last.levels[side].iter().filter(|level| level.size > 0);
            there.map(|level| format!("{}x{}/{}", level.price, level.size, level.count)).collect::<Vec<_>>().join(" ")
        };
        want.assert_eq(&format!("{} | {} {:?}", side(0), side(1), counts.noted.values().sum::<u64>()));
    }

    #[test]
    fn orders_make_levels_best_first() {
        check(
            "A B 99 5 1\nA B 100 3 2\nA B 100 4 3\nA A 101 7 4\nA A 102 1 5",
            expect!["100x7/2 99x5/1 | 101x7/1 102x1/1 0"],
        );
        check("A B 99 5 1\nC B 99 2 1", expect!["99x3/1 |  0"]);
        check("A B 99 5 1\nC B 99 5 1", expect![" |  0"]);
        check("A B 99 5 1\nM B 98 4 1", expect!["98x4/1 |  0"]);
        check("A B -1 5 1\nA B -2 5 2", expect!["-1x5/1 -2x5/1 |  0"]);
    }

    #[test]
    fn trades_and_fills_leave_the_book_and_a_clear_empties_it() {
        check("A A 101 5 1\nT B 101 2 0\nF A 101 2 1", expect![" | 101x5/1 0"]);
        check("A A 101 5 1\nR N 0 0 0\nA A 103 1 2", expect![" | 103x1/1 0"]);
    }

    #[test]
    fn what_does_not_fit_is_noted() {
        check("C A 101 5 1\nM A 101 5 2\nA A 101 5 2\nA N 1 1 9", expect![" | 101x5/1 4"]);
        check("A A 101 5 1\nA A 100 9 0 top", expect![" | 100x9/1 0"]);
    }
}
