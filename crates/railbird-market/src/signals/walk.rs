//! Signals of any number of symbols, bar by bar, in one account. Start at [`walk`].
//!
//! A step, in order: interest for what was held since the step before; exits at the open; entries at the open, first symbol
//! first, each sized by what the account is worth then; what the bar's range ends; the last bar's close; the mark at the
//! close; what is decided for the next bar.

use railbird_backtest::{Metrics, Period};
use railbird_timeline::Ts;

use super::{
    bits::Bits,
    position::{Account, Bar, Position},
    rules::{Reason, Rules, Side, Trade},
    skip::Counts,
};
use crate::data::Bars;

/// Bars of one symbol, a column each, oldest first. Prices are positive numbers; times ascend.
#[derive(Debug, Clone, Copy)]
pub struct Prices<'a> {
    /// When each bar begins.
    pub time: &'a [Ts],
    /// First price.
    pub open: &'a [f64],
    /// Highest price.
    pub high: &'a [f64],
    /// Lowest price.
    pub low: &'a [f64],
    /// Last price.
    pub close: &'a [f64],
}

/// Signals of one symbol, a bit a bar. Contradictions at one bar (entry and exit of a side, entries of both) count as none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    /// Buy where flat; leave a short.
    pub long_entry: Bits,
    /// Leave a long.
    pub long_exit: Bits,
    /// Sell where flat; leave a long.
    pub short_entry: Bits,
    /// Leave a short.
    pub short_exit: Bits,
    /// Share of the rules' size that an entry of each bar takes; empty is 1 for all.
    pub weight: Vec<f64>,
}

/// One symbol of a back-test.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// Bars.
    pub prices: Prices<'a>,
    /// Signals.
    pub signals: &'a Signals,
}

/// What an account went through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Walked {
    /// Trades in the order in which they ended.
    pub trades: Vec<Trade>,
    /// When each step was: the times of all symbols.
    pub time: Vec<Ts>,
    /// Equity at each step's close.
    pub equity: Vec<f64>,
    /// Return, gross weight and turnover of each step.
    pub periods: Vec<Period>,
    /// Counts.
    pub counts: Counts,
}

impl Walked {
    /// Figures of the account.
    pub fn metrics(&self, periods_a_year: f64) -> Metrics {
        Metrics::of(&self.periods, periods_a_year)
    }
}

impl<'a> From<&'a Bars> for Prices<'a> {
    fn from(bars: &'a Bars) -> Self {
        Self { time: &bars.time, open: &bars.open, high: &bars.high, low: &bars.low, close: &bars.close }
    }
}

impl<'a> Prices<'a> {
    /// The first `bars` bars.
    pub fn prefix(&self, bars: usize) -> Prices<'a> {
        let bars = bars.min(self.time.len());
        Prices {
            time: &self.time[..bars],
            open: &self.open[..bars],
            high: &self.high[..bars],
            low: &self.low[..bars],
            close: &self.close[..bars],
        }
    }

    pub(crate) fn bar(&self, at: usize) -> Bar {
        Bar { open: self.open[at], high: self.high[at], low: self.low[at], close: self.close[at] }
    }

    /// Days from the bar before to `at`, by the calendar.
    pub(crate) fn days(&self, at: usize) -> f64 {
        days(self.time[at - 1], self.time[at])
    }
}

impl Signals {
    /// No signal in `bars` bars.
    pub fn none(bars: usize) -> Self {
        let none = || Bits::none(bars);
        Self { long_entry: none(), long_exit: none(), short_entry: none(), short_exit: none(), weight: vec![] }
    }

    /// The first `bars` bars.
    pub fn prefix(&self, bars: usize) -> Self {
        Self {
            long_entry: self.long_entry.prefix(bars),
            long_exit: self.long_exit.prefix(bars),
            short_entry: self.short_entry.prefix(bars),
            short_exit: self.short_exit.prefix(bars),
            weight: self.weight[..bars.min(self.weight.len())].to_vec(),
        }
    }

    /// All signals `shift` bars later, those that leave at the end coming in at the start.
    pub fn rotated(&self, shift: usize) -> Self {
        let mut weight = self.weight.clone();
        if !weight.is_empty() {
            let shift = shift % weight.len();
            weight.rotate_right(shift);
        }
        let turn = |bits: &Bits| if bits.is_empty() { Bits::default() } else { bits.rotated(shift) };
        Self {
            long_entry: turn(&self.long_entry),
            long_exit: turn(&self.long_exit),
            short_entry: turn(&self.short_entry),
            short_exit: turn(&self.short_exit),
            weight,
        }
    }

    /// Share of the size at `bar`.
    pub(crate) fn weight(&self, bar: usize) -> f64 {
        self.weight.get(bar).copied().unwrap_or(1.0)
    }

    /// Words of 64 bars without contradictions: entries of longs and shorts.
    #[inline]
    pub(crate) fn entries(&self, at: usize) -> (u64, u64) {
        let (long, short) = (self.long_entry.word(at), self.short_entry.word(at));
        (long & !self.long_exit.word(at) & !short, short & !self.short_exit.word(at) & !long)
    }

    /// Words of 64 bars without contradictions: what ends a position of `side`, by reversal and by exit.
    #[inline]
    pub(crate) fn exits(&self, at: usize, side: Side) -> (u64, u64) {
        let (long, short) = self.entries(at);
        match side {
            Side::Long => (short, self.long_exit.word(at) & !self.long_entry.word(at)),
            Side::Short => (long, self.short_exit.word(at) & !self.short_entry.word(at)),
        }
    }

    /// Bars whose signals contradict one another.
    pub(crate) fn conflicts(&self) -> u64 {
        let words = self.long_entry.len().max(self.short_entry.len()).div_ceil(64);
        let word = |at| {
            let (long, short) = (self.long_entry.word(at), self.short_entry.word(at));
            (long & self.long_exit.word(at) | short & self.short_exit.word(at) | long & short).count_ones()
        };
        (0..words).map(|at| u64::from(word(at))).sum()
    }

    fn entry(&self, bar: usize) -> Option<Side> {
        let (long, short) = self.entries(bar / 64);
        let at = |word: u64| word >> (bar % 64) & 1 == 1;
        if at(long) { Some(Side::Long) } else { at(short).then_some(Side::Short) }
    }

    fn exit(&self, bar: usize, side: Side) -> Option<Reason> {
        let (reversal, exit) = self.exits(bar / 64, side);
        let at = |word: u64| word >> (bar % 64) & 1 == 1;
        if at(reversal) { Some(Reason::Reversal) } else { at(exit).then_some(Reason::Signal) }
    }
}

/// What a symbol stands at.
#[derive(Default)]
struct Standing {
    /// Its next bar.
    next: usize,
    position: Option<Position>,
    /// Ordered for the next open.
    leave: Option<Reason>,
    enter: Option<(Side, f64)>,
}

/// Steps through all bars of all symbols in order of time.
///
/// O(steps × symbols). Where a symbol has no bar at a step, its orders wait and it is marked at its last close.
pub fn walk(columns: &[Column<'_>], rules: &Rules) -> Walked {
    let mut time: Vec<Ts> = columns.iter().flat_map(|column| column.prices.time).copied().collect();
    time.sort_unstable();
    time.dedup();
    let mut walked = Walked { time, ..Walked::default() };
    walked.counts.conflicts = columns.iter().map(|column| column.signals.conflicts()).sum();
    let mut standings: Vec<Standing> = columns.iter().map(|_| Standing::default()).collect();
    let (mut cash, mut equity, mut before) = (rules.cash, rules.cash, None);
    for step in 0..walked.time.len() {
        let now = walked.time[step];
        let mut traded = 0.0;
        if let Some(before) = before.replace(now) {
            charge(columns, &mut standings, days(before, now), equity, &mut cash, rules);
        }
        let has_bar = |column: &Column<'_>, standing: &Standing| column.prices.time.get(standing.next) == Some(&now);
        for (symbol, (column, standing)) in columns.iter().zip(&mut standings).enumerate() {
            if has_bar(column, standing)
                && let Some(reason) = standing.leave.take()
                && let Some(position) = standing.position.take()
            {
                let price = position.market(column.prices.open[standing.next], rules);
                traded += walked.end(&position, (symbol, standing.next), (price, reason), &mut cash, rules);
            }
        }
        for symbol in 0..columns.len() {
            let (column, bar) = (&columns[symbol], standings[symbol].next);
            if !has_bar(column, &standings[symbol]) || walked.counts.ruined {
                continue;
            }
            let Some((side, weight)) = standings[symbol].enter.take() else { continue };
            let account = account(columns, &standings, now, cash);
            let position = Position::enter(side, (bar, column.prices.open[bar]), weight, account, &mut cash, rules);
            match &position {
                Some(position) => traded += position.units.abs() * position.market_entry(),
                None => walked.counts.refused += 1,
            }
            standings[symbol].position = position;
        }
        for (symbol, (column, standing)) in columns.iter().zip(&mut standings).enumerate() {
            if !has_bar(column, standing) {
                continue;
            }
            let (bar, prices) = (standing.next, column.prices);
            if let Some(position) = &mut standing.position {
                let last = bar + 1 == prices.time.len();
                let end = position.touched(prices.bar(bar), rules);
                let end = end.or_else(|| last.then(|| (position.market(prices.close[bar], rules), Reason::End)));
                if let Some(end) = end {
                    traded += walked.end(&*position, (symbol, bar), end, &mut cash, rules);
                    standing.position = None;
                }
            }
            standing.next += 1;
        }
        let mut mark = cash;
        let mut gross = 0.0;
        for (column, standing) in columns.iter().zip(&standings) {
            if let Some(position) = &standing.position {
                let close = column.prices.close[standing.next - 1];
                mark += position.units * close;
                gross += position.units.abs() * close;
            }
        }
        if mark <= 0.0 && !walked.counts.ruined {
            walked.counts.ruined = true;
            for (symbol, (column, standing)) in columns.iter().zip(&mut standings).enumerate() {
                if let Some(position) = standing.position.take() {
                    let bar = standing.next - 1;
                    let price = position.market(column.prices.close[bar], rules);
                    traded += walked.end(&position, (symbol, bar), (price, Reason::Ruin), &mut cash, rules);
                }
            }
            (mark, gross) = (cash, 0.0);
        }
        let gain = if equity > 0.0 { mark / equity - 1.0 } else { 0.0 };
        let over = |amount: f64, equity: f64| if equity > 0.0 { amount / equity } else { 0.0 };
        walked.periods.push(Period { gain, weight: over(gross, mark), traded: over(traded, equity) });
        walked.equity.push(mark);
        equity = mark;
        for (column, standing) in columns.iter().zip(&mut standings) {
            if standing.next > 0 && column.prices.time[standing.next - 1] == now && !walked.counts.ruined {
                decide(column.signals, standing, rules);
            }
        }
    }
    walked
}

/// Orders for the next open, by the signals of the bar that has just closed.
fn decide(signals: &Signals, standing: &mut Standing, rules: &Rules) {
    let bar = standing.next - 1;
    match &standing.position {
        None => standing.enter = signals.entry(bar).map(|side| (side, signals.weight(bar))),
        Some(position) => {
            let held_too_long = rules.bars_max > 0 && bar + 1 - position.entry_bar() >= rules.bars_max;
            standing.leave = signals.exit(bar, position.side).or_else(|| held_too_long.then_some(Reason::Time));
            if standing.leave == Some(Reason::Reversal) {
                standing.enter = signals.entry(bar).map(|side| (side, signals.weight(bar)));
            }
        }
    }
}

/// What the account is worth at the open of `now`.
fn account(columns: &[Column<'_>], standings: &[Standing], now: Ts, cash: f64) -> Account {
    let mut account = Account { equity: cash, gross: 0.0 };
    for (column, standing) in columns.iter().zip(standings) {
        if let Some(position) = &standing.position {
            let prices = column.prices;
            let has_bar = prices.time.get(standing.next) == Some(&now);
            let price = if has_bar { prices.open[standing.next] } else { prices.close[standing.next - 1] };
            account.equity += position.units * price;
            account.gross += position.units.abs() * price;
        }
    }
    account
}

/// Interest on shorts, and on longs beyond equity, at the closes before.
fn charge(columns: &[Column<'_>], standings: &mut [Standing], days: f64, equity: f64, cash: &mut f64, rules: &Rules) {
    if rules.borrow == 0.0 {
        return;
    }
    let notional = |column: &Column<'_>, standing: &Standing| {
        standing
            .position
            .as_ref()
            .map(|position| (position.side, position.units.abs() * column.prices.close[standing.next - 1]))
    };
    let longs: f64 = columns
        .iter()
        .zip(standings.iter())
        .filter_map(|(column, standing)| notional(column, standing))
        .filter_map(|(side, notional)| (side == Side::Long).then_some(notional))
        .sum();
    for (column, standing) in columns.iter().zip(standings) {
        if let Some((side, notional)) = notional(column, standing)
            && let Some(position) = &mut standing.position
        {
            position.charge(borrowed(side, notional, longs, equity), days, cash, rules);
        }
    }
}

/// The part of a notional on which interest is due.
pub(crate) fn borrowed(side: Side, notional: f64, longs: f64, equity: f64) -> f64 {
    match side {
        Side::Short => notional,
        // Fully invested, rounding may leave a hair less equity than longs.
        Side::Long if longs > equity * (1.0 + 1e-9) => notional * ((longs - equity) / longs),
        Side::Long => 0.0,
    }
}

impl Walked {
    /// Notes the trade; its notional.
    fn end(
        &mut self,
        position: &Position,
        at: (usize, usize),
        end: (f64, Reason),
        cash: &mut f64,
        rules: &Rules,
    ) -> f64 {
        let trade = position.exit(at, end, cash, rules);
        self.counts.note(&trade);
        self.trades.push(trade);
        trade.units * trade.exit_price
    }
}

fn days(from: Ts, to: Ts) -> f64 {
    const DAY_NS: i64 = 86_400_000_000_000;
    (to.nanos().div_euclid(DAY_NS) - from.nanos().div_euclid(DAY_NS)) as f64
}
