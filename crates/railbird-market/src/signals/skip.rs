//! Signals of one symbol with an account of its own, from one event to the next. Start at [`skip`].
//!
//! Flat bars are never touched: the next entry is the next bit of a word of 64 bars. While a position is held, its
//! closes are read once for the figures, and its highs and lows only where stops are set. Where the whole account is in
//! a long, a bar's return is that of its close, whatever the account, so that eight bars are summed at a time; where
//! all trades are such ones that signals end, [`whole`] takes 64 bars at a time instead.
//!
//! Trades are those of [`walk`](super::walk()), bit for bit; figures within 1e-9 of them, since sums are taken in
//! another order.

use serde::Serialize;

use super::{
    position::{Account, Position},
    rules::{Reason, Rules, Side, Trade},
    walk::{Column, Prices, Signals, borrowed},
    whole::{is_whole, whole},
};

/// What happened how often.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Counts {
    /// Trades.
    pub trades: u64,
    /// Of these, trades that gained.
    pub wins: u64,
    /// Money that the winners gained.
    pub gained: f64,
    /// Money that the others lost, positive.
    pub lost: f64,
    /// Fees and interest.
    pub costs: f64,
    /// Trades that a stop, fixed or trailing, ended.
    pub stopped: u64,
    /// Trades that reached their target.
    pub reached: u64,
    /// Entries that came to no size: no room in the account, or less than a lot.
    pub refused: u64,
    /// Bars whose signals contradict one another.
    pub conflicts: u64,
    /// Whether the account lost everything.
    pub ruined: bool,
}

impl Counts {
    pub(crate) fn note(&mut self, trade: &Trade) {
        self.trades += 1;
        self.costs += trade.costs;
        // Nobody can foretell which trades win: no branch.
        let won = trade.gain > 0.0;
        self.wins += u64::from(won);
        self.gained += if won { trade.gain } else { 0.0 };
        self.lost -= if won { 0.0 } else { trade.gain };
        self.stopped += u64::from(matches!(trade.reason, Reason::StopLoss | Reason::TrailingStop));
        self.reached += u64::from(trade.reason == Reason::TakeProfit);
    }
}

/// Figures of an account, as [`railbird_backtest::DEFINITIONS`] has them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Statistics {
    /// Bars.
    pub bars: usize,
    /// Total return.
    pub total: f64,
    /// Mean return a bar.
    pub mean: f64,
    /// Annualised volatility; `None` below two bars.
    pub volatility: Option<f64>,
    /// Annualised Sharpe ratio; `None` without spread.
    pub sharpe: Option<f64>,
    /// Annualised Sortino ratio; `None` without a loss.
    pub sortino: Option<f64>,
    /// Largest drawdown of the closes' equity, 0 to 1.
    pub drawdown_max: f64,
    /// Mean gross weight at the close.
    pub exposure: f64,
    /// Notional traded over equity, a bar.
    pub turnover: f64,
    /// Counts.
    pub counts: Counts,
}

/// Figures so far.
pub(super) struct Tally {
    /// Equity at the close before.
    pub(super) equity: f64,
    pub(super) high: f64,
    pub(super) drawdown_max: f64,
    pub(super) sum: f64,
    pub(super) squares: f64,
    pub(super) downside: f64,
    pub(super) exposure: f64,
    pub(super) traded: f64,
}

/// Steps from event to event; trades go into `log`, where one is given.
pub fn skip(column: &Column<'_>, rules: &Rules, periods_a_year: f64, mut log: Option<&mut Vec<Trade>>) -> Statistics {
    let Column { prices, signals } = *column;
    let bars = prices.time.len();
    let mut counts = Counts { conflicts: signals.conflicts(), ..Counts::default() };
    let mut tally = Tally::new(rules.cash);
    if is_whole(column, rules) {
        let noted = log.as_ref().map_or(0, |log| log.len());
        let done = match log.as_deref_mut() {
            Some(log) => whole(column, rules, counts, |trade| log.push(trade)),
            None => whole(column, rules, counts, |_| ()),
        };
        if let Some((tally, counts)) = done {
            return tally.finish(bars, periods_a_year, rules.cash, counts);
        }
        if let Some(log) = log.as_deref_mut() {
            log.truncate(noted);
        }
    }
    let mut cash = rules.cash;
    let mut flat_from = 0;
    while let Some((signal, mut side)) = next_entry(signals, flat_from, bars) {
        let (mut at, mut weight) = (signal + 1, signals.weight(signal));
        if at >= bars {
            break;
        }
        // One turn a position: a reversal enters the next at the open that the last one left.
        loop {
            let account = Account { equity: cash, gross: 0.0 };
            let entered = Position::enter(side, (at, prices.open[at]), weight, account, &mut cash, rules);
            let Some(mut position) = entered else {
                counts.refused += 1;
                tally.close(cash);
                flat_from = at;
                break;
            };
            tally.traded += position.units.abs() * position.market_entry() / tally.equity;
            let (ordered, reason) = next_exit(signals, &position, rules, bars);
            let end = hold(&mut position, prices, ordered, rules, &mut cash, &mut tally);
            let (bar, fill) = end.unwrap_or_else(|| (ordered, (position.market(prices.open[ordered], rules), reason)));
            let trade = position.exit((0, bar), fill, &mut cash, rules);
            counts.note(&trade);
            tally.traded += trade.units * trade.exit_price / tally.equity;
            if let Some(log) = log.as_deref_mut() {
                log.push(trade);
            }
            if fill.1 == Reason::Reversal {
                at = ordered;
                weight = signals.weight(ordered - 1);
                side = if side == Side::Long { Side::Short } else { Side::Long };
                continue;
            }
            tally.close(cash);
            flat_from = bar;
            break;
        }
        if cash <= 0.0 {
            counts.ruined = true;
            break;
        }
    }
    tally.finish(bars, periods_a_year, rules.cash, counts)
}

/// The next bar from `from` on with an entry, and its side.
fn next_entry(signals: &Signals, from: usize, bars: usize) -> Option<(usize, Side)> {
    let mut mask = u64::MAX << (from % 64);
    for at in from / 64..bars.div_ceil(64) {
        let (long, short) = signals.entries(at);
        let either = (long | short) & mask;
        if either != 0 {
            let bit = either.trailing_zeros();
            let side = if long >> bit & 1 == 1 { Side::Long } else { Side::Short };
            return Some((at * 64 + bit as usize, side)).filter(|(bar, _)| *bar < bars);
        }
        mask = u64::MAX;
    }
    None
}

/// The bar at whose open a position leaves by order, at least `bars` where none comes, and why.
fn next_exit(signals: &Signals, position: &Position, rules: &Rules, bars: usize) -> (usize, Reason) {
    let from = position.entry_bar();
    let last = match rules.bars_max {
        0 => bars,
        bars_max => (from + bars_max - 1).min(bars),
    };
    let mut mask = u64::MAX << (from % 64);
    for at in from / 64..(last + 1).div_ceil(64) {
        let (reversal, exit) = signals.exits(at, position.side);
        let either = (reversal | exit) & mask;
        if either != 0 {
            let bit = either.trailing_zeros();
            let bar = at * 64 + bit as usize;
            if bar <= last && bar < bars {
                return (bar + 1, if reversal >> bit & 1 == 1 { Reason::Reversal } else { Reason::Signal });
            }
            break;
        }
        mask = u64::MAX;
    }
    (last + 1, Reason::Time)
}

/// Holds a position up to the open of `ordered`, or to where something else ends it: that bar and fill. Marks every
/// close at which it is still held.
fn hold(
    position: &mut Position,
    prices: Prices<'_>,
    ordered: usize,
    rules: &Rules,
    cash: &mut f64,
    tally: &mut Tally,
) -> Option<(usize, (f64, Reason))> {
    let (from, bars) = (position.entry_bar(), prices.time.len());
    let ends = ordered.min(bars);
    let interest = rules.borrow > 0.0 && (position.side == Side::Short || rules.gross_max > 1.0);
    // All of the account in a long: what is left as cash is rounding.
    let all_in = position.side == Side::Long && cash.abs() <= 1e-12 * tally.equity && !interest;
    let touched = if rules.stops.any() && !interest {
        (from..ends).find_map(|bar| position.touched(prices.bar(bar), rules).map(|fill| (bar, fill)))
    } else {
        None
    };
    let last = || (bars - 1, (position.market(prices.close[bars - 1], rules), Reason::End));
    let end = touched.or_else(|| (ordered >= bars).then(last));
    let held = from..end.map_or(ends, |(bar, _)| bar);
    if all_in {
        tally.closes(*cash, position.units, &prices.close[held]);
        return end;
    }
    for bar in held.start..ends {
        if interest && bar > from {
            charge(position, prices, bar, cash, tally.equity, rules);
        }
        if interest
            && rules.stops.any()
            && let Some(fill) = position.touched(prices.bar(bar), rules)
        {
            return Some((bar, fill));
        }
        if end.is_some_and(|(end, _)| end == bar) {
            return end;
        }
        let notional = position.units * prices.close[bar];
        let equity = *cash + notional;
        if equity <= 0.0 {
            return Some((bar, (position.market(prices.close[bar], rules), Reason::Ruin)));
        }
        tally.exposure += notional.abs() / equity;
        tally.close(equity);
    }
    if interest && end.is_none() {
        charge(position, prices, ends, cash, tally.equity, rules);
    }
    end
}

/// Interest from the close before `bar` to it.
fn charge(position: &mut Position, prices: Prices<'_>, bar: usize, cash: &mut f64, equity: f64, rules: &Rules) {
    let notional = position.units.abs() * prices.close[bar - 1];
    let due = borrowed(position.side, notional, notional, equity);
    position.charge(due, prices.days(bar), cash, rules);
}

impl Tally {
    fn new(cash: f64) -> Self {
        Self {
            equity: cash,
            high: cash,
            drawdown_max: 0.0,
            sum: 0.0,
            squares: 0.0,
            downside: 0.0,
            exposure: 0.0,
            traded: 0.0,
        }
    }

    /// A close at which the account is worth `equity`.
    #[inline]
    fn close(&mut self, equity: f64) {
        let gain = equity / self.equity - 1.0;
        self.sum += gain;
        self.squares += gain * gain;
        let loss = gain.min(0.0);
        self.downside += loss * loss;
        if equity > self.high {
            self.high = equity;
        } else if equity < self.high * (1.0 - self.drawdown_max) {
            self.drawdown_max = 1.0 - equity / self.high;
        }
        self.equity = equity;
    }

    /// Closes at which the whole account is `units` of a long. Not inlined, or its sums are kept in memory.
    #[inline(never)]
    fn closes(&mut self, cash: f64, units: f64, closes: &[f64]) {
        let Some(&first) = closes.first() else { return };
        self.exposure += closes.len() as f64;
        self.close(cash + units * first);
        let mut before = first;
        let mut rest = &closes[1..];
        if rest.len() >= EIGHT {
            // Drawdowns in units of the close: the account is a multiple of it.
            let (mut high, mut floor) = (self.high / units, 1.0 - self.drawdown_max);
            let (mut sums, mut squares, mut losses) = ([0.0; EIGHT], [0.0; EIGHT], [0.0; EIGHT]);
            while let Some((eight, more)) = rest.split_first_chunk::<EIGHT>() {
                let mut earlier = [before; EIGHT];
                earlier[1..].copy_from_slice(&eight[..EIGHT - 1]);
                for lane in 0..EIGHT {
                    let gain = eight[lane] / earlier[lane] - 1.0;
                    let loss = if gain < 0.0 { gain } else { 0.0 };
                    sums[lane] += gain;
                    squares[lane] += gain * gain;
                    losses[lane] += loss * loss;
                }
                let least = eight.iter().fold(f64::INFINITY, |least, &close| if close < least { close } else { least });
                let most = eight.iter().fold(high, |most, &close| if close > most { close } else { most });
                if least < most * floor {
                    for &close in eight {
                        high = if close > high { close } else { high };
                        if close < high * floor {
                            floor = close / high;
                        }
                    }
                }
                high = most;
                before = eight[EIGHT - 1];
                rest = more;
            }
            let total = |lanes: [f64; EIGHT]| lanes.iter().sum::<f64>();
            self.sum += total(sums);
            self.squares += total(squares);
            self.downside += total(losses);
            self.high = high * units;
            self.drawdown_max = 1.0 - floor;
            self.equity = cash + units * before;
        }
        for &close in rest {
            self.close(cash + units * close);
        }
    }

    fn finish(self, bars: usize, periods_a_year: f64, cash: f64, counts: Counts) -> Statistics {
        let n = (bars as f64).max(1.0);
        let mean = self.sum / n;
        let variance = ((self.squares - n * mean * mean) / (n - 1.0).max(1.0)).max(0.0);
        let (deviation, year) = (variance.sqrt(), periods_a_year.sqrt());
        Statistics {
            bars,
            total: self.equity / cash - 1.0,
            mean,
            volatility: (bars > 1).then_some(deviation * year),
            sharpe: (bars > 1 && deviation > 0.0).then(|| mean / deviation * year),
            sortino: (self.downside > 0.0).then(|| mean / (self.downside / n).sqrt() * year),
            drawdown_max: self.drawdown_max,
            exposure: self.exposure / n,
            turnover: self.traded / n,
            counts,
        }
    }
}

/// Bars that are summed at a time.
const EIGHT: usize = 8;
