//! Longs of the whole account, from one signal to another, 64 bars at a time. Start at [`whole`].
//!
//! Where nothing but signals ends a position, whether one is held is a matter of the last signal alone: an entry sets
//! it, an exit clears it. That is how a carry runs through an addition, so that one addition tells it for a word of 64
//! bars ([`Latch::held`]). A bar held from close to close returns the ratio of its closes, whatever the account: those
//! are summed without a branch. What is left for a trade are its two fills, and a look at the extremes of its words:
//! only where they could make a new high or a deeper drawdown are its closes read again.
//!
//! Trades and counts are those of [`walk`](super::walk()), bit for bit; figures within 1e-9 of them, since sums are
//! taken in another order.

use super::{
    rules::{Reason, Rules, Side, Size, Trade},
    skip::{Counts, Tally},
    walk::{Column, Prices},
};

/// Words of 64 bars whose trades are taken together: their prices stay in the nearest caches from one pass to the
/// other.
const WORDS: usize = 16;

/// Accounts worth less are walked the other way: rounding may leave an entry without a size.
const LEAST: f64 = 1e-200;

/// Whether every trade is the whole account in a long, from one signal to another.
pub(super) fn is_whole(column: &Column<'_>, rules: &Rules) -> bool {
    let Size::Equity(share) = rules.size else { return false };
    let signals = column.signals;
    let whole = share.min(rules.gross_max) == 1.0 && rules.lot == 0.0;
    let interest = rules.borrow > 0.0 && rules.gross_max > 1.0;
    let no_short = (0..signals.short_entry.len().div_ceil(64)).all(|at| signals.short_entry.word(at) == 0);
    let countable = u32::try_from(column.prices.time.len()).is_ok();
    whole
        && no_short
        && !interest
        && signals.weight.is_empty()
        && !rules.stops.any()
        && rules.bars_max == 0
        && countable
}

/// Trades of which [`is_whole`] holds, each given to `note` and added to `counts`, and what they come to. `None` where the
/// account leaves the range in which an entry is sure to have a size; what was noted until then is void.
pub(super) fn whole(
    column: &Column<'_>,
    rules: &Rules,
    mut counts: Counts,
    mut note: impl FnMut(Trade),
) -> Option<(Tally, Counts)> {
    let Column { prices: Prices { open, close, .. }, signals } = *column;
    let (mut account, mut held_sums) = (Account::new(rules), Held::default());
    let Some(last) = close.len().checked_sub(1) else { return Some((account.tally(&held_sums), counts)) };
    let words = close.len().div_ceil(64);
    let mut extremes = vec![Extremes::NONE; words];
    let (mut latch, mut turns) = (Latch::default(), Turns::default());
    for first in (0..words).step_by(WORDS) {
        for (at, range) in (first..).zip(extremes[first..].iter_mut().take(WORDS)) {
            let (held, before) = latch.held(signals.entries(at).0, signals.exits(at, Side::Long).1);
            // At the last close nothing is held any more.
            let (within, marked) =
                if at + 1 < words { (!0, !0) } else { (!0 >> (63 - last % 64), !(!0 << (last % 64))) };
            turns.push((held ^ before) & within, at);
            if held & marked != 0 {
                *range = held_sums.add(close, at, held & marked, before);
            }
        }
        for [from, to] in turns.pairs() {
            let (from, to) = (*from as usize, *to as usize);
            let fill = account.fill((from, to), open[from], open[to], close);
            let trade = account.trade((from, to), &fill, Reason::Signal, close, &extremes)?;
            counts.note(&trade);
            note(trade);
        }
        turns.drop_pairs();
    }
    if let Some(from) = turns.open() {
        let fill = account.fill((from, last), open[from], close[last], close);
        let trade = account.trade((from, last), &fill, Reason::End, close, &extremes)?;
        counts.note(&trade);
        note(trade);
    }
    Some((account.tally(&held_sums), counts))
}

/// Whether a long is held, bar after bar.
#[derive(Default)]
struct Latch {
    /// At the last bar so far, and at the one to come.
    last: bool,
    next: bool,
}

impl Latch {
    /// Of 64 bars: those at whose close the long is held, its orders at the open being filled; and the same of one bar
    /// earlier.
    ///
    /// An entry is a carry that begins, an exit one that ends, and all other bars pass it on. No bar is both.
    #[inline]
    fn held(&mut self, entry: u64, exit: u64) -> (u64, u64) {
        let (sum, over) = (!exit).overflowing_add(entry);
        let (sum, over_next) = sum.overflowing_add(u64::from(self.next));
        // What is carried into a bar is what the signals of the bars before it left.
        let held = sum ^ !exit ^ entry;
        let before = held << 1 | u64::from(self.last);
        (self.last, self.next) = (held >> 63 == 1, over | over_next);
        (held, before)
    }
}

/// Bars at which a long is entered and left, in turn.
struct Turns {
    bars: [u32; 64 * WORDS + 1 + Self::AT_ONCE],
    len: usize,
}

impl Default for Turns {
    fn default() -> Self {
        Self { bars: [0; _], len: 0 }
    }
}

impl Turns {
    /// Bits that are told at once, so that a word needs one guess of how many there are rather than one a bit.
    const AT_ONCE: usize = 8;

    #[inline]
    fn push(&mut self, word: u64, at: usize) {
        let first = at as u32 * 64;
        let (mut left, mut next) = (word, self.len);
        while left != 0 {
            for bar in &mut self.bars[next..next + Self::AT_ONCE] {
                *bar = first + left.trailing_zeros();
                left &= left.wrapping_sub(1);
            }
            next += Self::AT_ONCE;
        }
        self.len += word.count_ones() as usize;
    }

    fn pairs(&self) -> &[[u32; 2]] {
        self.bars[..self.len].as_chunks().0
    }

    fn drop_pairs(&mut self) {
        self.bars[0] = self.bars[self.len & !1];
        self.len &= 1;
    }

    /// The entry that no exit has followed.
    fn open(&self) -> Option<usize> {
        (self.len == 1).then_some(self.bars[0] as usize)
    }
}

/// Lowest and highest close of some bars.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    least: f64,
    most: f64,
}

impl Extremes {
    const NONE: Self = Self { least: f64::INFINITY, most: 0.0 };

    #[inline]
    fn and(self, other: Self) -> Self {
        Self {
            least: if other.least < self.least { other.least } else { self.least },
            most: if other.most > self.most { other.most } else { self.most },
        }
    }
}

/// Sums of returns, of their squares, and of the squares of losses, in lanes.
#[derive(Debug, Clone, Copy)]
struct Sums<const LANES: usize> {
    gains: [f64; LANES],
    squares: [f64; LANES],
    losses: [f64; LANES],
}

impl<const LANES: usize> Sums<LANES> {
    const NONE: Self = Self { gains: [0.0; _], squares: [0.0; _], losses: [0.0; _] };

    #[inline(always)]
    fn add(&mut self, gains: [f64; LANES]) {
        for (lane, gain) in gains.into_iter().enumerate() {
            let loss = if gain < 0.0 { gain } else { 0.0 };
            self.gains[lane] += gain;
            self.squares[lane] += gain * gain;
            self.losses[lane] += loss * loss;
        }
    }
}

/// Lanes in which closes are summed.
const LANES: usize = 4;

/// Returns from close to close.
struct Held {
    sums: Sums<LANES>,
    /// Closes at which a long was held.
    bars: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self { sums: Sums::NONE, bars: 0 }
    }
}

/// All bits of a lane, or none, by the bits of a number below 16.
const MASKS: [[u64; LANES]; 1 << LANES] = {
    let mut masks = [[0; LANES]; 1 << LANES];
    let mut at = 0;
    while at < LANES << LANES {
        masks[at / LANES][at % LANES] = if (at / LANES) >> (at % LANES) & 1 == 1 { u64::MAX } else { 0 };
        at += 1;
    }
    masks
};

impl Held {
    /// Adds the returns of bars that are `held` at their close and were at the one `before`; the extremes of all 64
    /// closes.
    #[inline]
    fn add(&mut self, close: &[f64], at: usize, held: u64, before: u64) -> Extremes {
        self.bars += u64::from(held.count_ones());
        let first = at * 64;
        if let Some(now) = close.get(first..).and_then(|rest| rest.first_chunk())
            && let Some(earlier) = first.checked_sub(1).and_then(|first| close[first..].first_chunk())
        {
            return self.add_word(now, earlier, held & before);
        }
        // The first word and the last: bars that there are not repeat one that there is.
        let bar = |bar: usize| close[bar.min(close.len() - 1)];
        let now = std::array::from_fn(|at| bar(first + at));
        let earlier = std::array::from_fn(|at| bar((first + at).saturating_sub(1)));
        self.add_word(&now, &earlier, held & before)
    }

    #[inline(always)]
    fn add_word(&mut self, now: &[f64; 64], earlier: &[f64; 64], both: u64) -> Extremes {
        let (mut least, mut most) = ([f64::INFINITY; LANES], [0.0; LANES]);
        let (now, earlier) = (now.as_chunks::<LANES>().0, earlier.as_chunks::<LANES>().0);
        let mut both = both;
        for (now, earlier) in now.iter().zip(earlier) {
            let mask = &MASKS[both as usize % MASKS.len()];
            both >>= LANES;
            let mut gains = [0.0; LANES];
            for lane in 0..LANES {
                let gain = now[lane] / earlier[lane] - 1.0;
                gains[lane] = f64::from_bits(gain.to_bits() & mask[lane]);
                least[lane] = if now[lane] < least[lane] { now[lane] } else { least[lane] };
                most[lane] = if now[lane] > most[lane] { now[lane] } else { most[lane] };
            }
            self.sums.add(gains);
        }
        let lanes = least.into_iter().zip(most).map(|(least, most)| Extremes { least, most });
        lanes.fold(Extremes::NONE, Extremes::and)
    }
}

/// Prices of a trade, as filled.
#[derive(Debug, Clone, Copy, Default)]
struct Fill {
    bought: f64,
    /// With the fee.
    paid: f64,
    sold: f64,
}

/// What the trades make of the account.
struct Account {
    cash: f64,
    /// Highest equity so far, and the least share of it that the equity fell to.
    high: f64,
    floor: f64,
    /// Bars of entries, and bars of exits.
    sums: Sums<2>,
    trades: u64,
    /// Of a trade within the last bar: notionals over equity, return.
    within_a_bar: (f64, f64),
    /// What market orders pay and get for each unit of a price.
    buying: f64,
    selling: f64,
    fee: f64,
}

impl Account {
    fn new(rules: &Rules) -> Self {
        Self {
            cash: rules.cash,
            high: rules.cash,
            floor: 1.0,
            sums: Sums::NONE,
            trades: 0,
            within_a_bar: (0.0, 0.0),
            buying: 1.0 + rules.slippage,
            selling: 1.0 - rules.slippage,
            fee: rules.fee,
        }
    }

    /// Prices of a trade, and the returns of its first and last bar. Nothing of that waits for the account: it runs
    /// beside the chain of what the account is worth.
    #[inline(always)]
    fn fill(&mut self, (from, to): (usize, usize), open: f64, end: f64, close: &[f64]) -> Fill {
        let (bought, sold) = (open * self.buying, end * self.selling);
        let paid = bought * (1.0 + self.fee);
        if from < to {
            self.trades += 1;
            self.sums.add([close[from] / paid - 1.0, sold * (1.0 - self.fee) / close[to - 1] - 1.0]);
        } else {
            self.within_a_bar = (1.0 / (1.0 + self.fee) + sold / paid, sold * (1.0 - self.fee) / paid - 1.0);
        }
        Fill { bought, paid, sold }
    }

    /// Buys with all cash and sells, with the roundings of `Position`.
    #[inline(always)]
    fn trade(
        &mut self,
        (from, to): (usize, usize),
        fill: &Fill,
        reason: Reason,
        close: &[f64],
        extremes: &[Extremes],
    ) -> Option<Trade> {
        let Fill { bought, paid, sold } = *fill;
        let units = self.cash / paid;
        let (spent, got) = (units * bought, units * sold);
        let (entry_fee, exit_fee) = (spent * self.fee, got * self.fee);
        self.cash -= spent + entry_fee;
        self.cash += got - exit_fee;
        if !(units > 0.0 && self.cash > LEAST) {
            return None;
        }
        let (first, last) = (from / 64, to.saturating_sub(1) / 64);
        let mut range = extremes[first].and(extremes[last]);
        if last > first + 1 {
            range = extremes[first + 1..last].iter().fold(range, |range, word| range.and(*word));
        }
        let (most, least) = (range.most * units, range.least * units);
        let most = if self.cash > most { self.cash } else { most };
        let least = if self.cash < least { self.cash } else { least };
        if most > self.high || least < self.high * self.floor {
            self.mark(&close[from..to], units);
        }
        let costs = entry_fee + exit_fee;
        let gain = units * (sold - bought) - costs;
        Some(Trade {
            symbol: 0,
            side: Side::Long,
            units,
            entry_bar: from,
            entry_price: bought,
            exit_bar: to,
            exit_price: sold,
            costs,
            gain,
            reason,
        })
    }

    /// Looks for a new high or a deeper drawdown in the closes of a trade, and in what is left behind it.
    #[inline(never)]
    fn mark(&mut self, closes: &[f64], units: f64) {
        let lower = |least: f64, close: &f64| if *close < least { *close } else { least };
        let higher = |most: f64, close: &f64| if *close > most { *close } else { most };
        let least = units * closes.iter().fold(f64::INFINITY, lower);
        let most = units * closes.iter().fold(0.0, higher);
        if most <= self.high {
            self.lowest(least);
        } else if least >= most * self.floor {
            self.high = most;
        } else {
            closes.iter().for_each(|close| self.close(close * units));
        }
        self.close(self.cash);
    }

    #[inline(always)]
    fn close(&mut self, equity: f64) {
        if equity > self.high {
            self.high = equity;
        } else {
            self.lowest(equity);
        }
    }

    #[inline(always)]
    fn lowest(&mut self, equity: f64) {
        if equity < self.high * self.floor {
            self.floor = equity / self.high;
        }
    }

    fn tally(&self, held: &Held) -> Tally {
        let all = |two: [f64; 2], lanes: [f64; LANES]| two.iter().chain(&lanes).sum::<f64>();
        let (traded, gain) = self.within_a_bar;
        let (loss, trades) = (gain.min(0.0), self.trades as f64);
        Tally {
            equity: self.cash,
            high: self.high,
            drawdown_max: 1.0 - self.floor,
            sum: all(self.sums.gains, held.sums.gains) + gain,
            squares: all(self.sums.squares, held.sums.squares) + gain * gain,
            downside: all(self.sums.losses, held.sums.losses) + loss * loss,
            exposure: held.bars as f64,
            // An exit's return tells what it sold for over the equity before, its fee taken off.
            traded: trades / (1.0 + self.fee) + (self.sums.gains[1] + trades) / (1.0 - self.fee) + traded,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use railbird_timeline::Ts;

    use super::{
        super::{
            bits::Bits,
            skip::skip,
            tests::{near, near_or_none},
            walk::{Signals, walk},
        },
        *,
    };

    /// A column of prices and signals, from random numbers: `entering` and `leaving` of 256 bars have a signal.
    fn column(
        bars: &[(f64, f64, u8, u8)],
        drift: f64,
        (entering, leaving): (u16, u16),
    ) -> (Vec<f64>, Vec<f64>, Signals) {
        let (mut open, mut close, mut before) = (vec![], vec![], 100.0);
        for (gap, step, _, _) in bars {
            let opened = before * (1.0 + gap);
            before = opened * (1.0 + step + drift);
            open.push(opened);
            close.push(before);
        }
        let bytes = |pick: fn(&(f64, f64, u8, u8)) -> u8, of: u16| {
            Bits::from_bytes(&bars.iter().map(|bar| u8::from(u16::from(pick(bar)) < of)).collect::<Vec<_>>())
        };
        let (long_entry, long_exit) = (bytes(|bar| bar.2, entering), bytes(|bar| bar.3, leaving));
        (open, close, Signals { long_entry, long_exit, ..Signals::default() })
    }

    fn density() -> impl Strategy<Value = u16> {
        prop_oneof![Just(0), Just(1), Just(3), Just(26), Just(77), 0..=256_u16, Just(256)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn longs_of_the_whole_account_trade_as_walking_does(
            bars in proptest::collection::vec((-0.01..0.01_f64, -0.02..0.02_f64, any::<u8>(), any::<u8>()), 1..2500),
            cut in 1..2500_usize,
            drift in prop_oneof![Just(0.0), -0.005..0.005_f64],
            densities in (density(), density()),
            costs in (prop_oneof![Just(0.0), 0.0..0.01_f64, 0.5..0.999_f64], prop_oneof![Just(0.0), 0.0..0.01_f64]),
            gross in prop_oneof![Just((1.0, 1.0)), Just((1.0, 3.0)), Just((2.5, 1.0))],
        ) {
            // Short ones as often as long ones.
            let bars = &bars[..bars.len().min(cut)];
            let (open, close, signals) = column(bars, drift, densities);
            let time: Vec<Ts> = (0..bars.len() as i64).map(|day| Ts(day * 86_400_000_000_000)).collect();
            let prices = Prices { time: &time, open: &open, high: &close, low: &close, close: &close };
            let column = Column { prices, signals: &signals };
            let rules = Rules {
                fee: costs.0,
                slippage: costs.1,
                size: Size::Equity(gross.0),
                gross_max: gross.1,
                ..Rules::default()
            };
            prop_assert!(is_whole(&column, &rules));
            let plain = walk(&[column], &rules);
            let mut log = Vec::new();
            let fast = skip(&column, &rules, 252.0, Some(&mut log));
            prop_assert_eq!(&log, &plain.trades);
            prop_assert_eq!(fast.counts, plain.counts);
            prop_assert_eq!(skip(&column, &rules, 252.0, None), fast);
            let metrics = plain.metrics(252.0);
            prop_assert!(near(fast.total, metrics.total), "{fast:?} {metrics:?}");
            if !plain.counts.ruined {
                prop_assert!(near(fast.mean, metrics.mean), "{fast:?} {metrics:?}");
                prop_assert!(near(fast.drawdown_max, metrics.drawdown_max), "{fast:?} {metrics:?}");
                prop_assert!(near(fast.exposure, metrics.exposure), "{fast:?} {metrics:?}");
                prop_assert!(near(fast.turnover, metrics.turnover), "{fast:?} {metrics:?}");
                prop_assert!(near_or_none(fast.volatility, metrics.volatility), "{fast:?} {metrics:?}");
                prop_assert!(near_or_none(fast.sharpe, metrics.sharpe), "{fast:?} {metrics:?}");
                prop_assert!(near_or_none(fast.sortino, metrics.sortino), "{fast:?} {metrics:?}");
            }
        }

        #[test]
        fn a_carry_holds_what_signals_hold(
            words in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..9),
        ) {
            let (mut latch, mut earlier, mut held) = (Latch::default(), false, false);
            for (entry, exit, rare) in words {
                // Long runs of carries too.
                let (entry, exit) = (entry & !exit & rare, exit & !entry & rare.rotate_left(9));
                let (bars, before) = latch.held(entry, exit);
                for bar in 0..64 {
                    prop_assert_eq!(bars >> bar & 1 == 1, held);
                    prop_assert_eq!(before >> bar & 1 == 1, earlier);
                    earlier = held;
                    held = if held { exit >> bar & 1 == 0 } else { entry >> bar & 1 == 1 };
                }
            }
        }
    }
}
