//! An open position: how it is entered, where a bar ends it, what an exit leaves. Start at [`Position::enter`].

use super::rules::{Reason, Rules, SameBar, Side, Size, Trade};

/// Prices of one bar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) side: Side,
    /// Signed.
    pub(crate) units: f64,
    entry_bar: usize,
    entry_price: f64,
    /// Best price since the entry, up to the bar before.
    best: f64,
    /// Fee of the entry, and interest so far.
    costs: f64,
}

/// What an account is worth when an entry is sized.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) equity: f64,
    /// Notional of all positions, shorts counted as positive.
    pub(crate) gross: f64,
}

impl Position {
    /// Enters at `open`, paid from `cash`. `None` where the size comes to nothing.
    pub(crate) fn enter(
        side: Side,
        (bar, open): (usize, f64),
        weight: f64,
        account: Account,
        cash: &mut f64,
        rules: &Rules,
    ) -> Option<Self> {
        let price = open * (1.0 + side.sign() * rules.slippage);
        let wanted = match rules.size {
            Size::Equity(share) => share * weight * account.equity,
            Size::Value(value) => value * weight,
            Size::Units(units) => units * weight * price * (1.0 + rules.fee),
        };
        let room = rules.gross_max * account.equity - account.gross;
        let mut units = wanted.min(room) / (price * (1.0 + rules.fee));
        if rules.lot > 0.0 {
            // A size of exactly so many lots must not fall to one less by rounding.
            units = (units / rules.lot + 1e-9).floor() * rules.lot;
        }
        if units.is_nan() || units <= 0.0 {
            return None;
        }
        let fee = units * price * rules.fee;
        *cash -= side.sign() * units * price + fee;
        Some(Self { side, units: side.sign() * units, entry_bar: bar, entry_price: price, best: price, costs: fee })
    }

    /// Price of the entry, as filled.
    pub(crate) fn market_entry(&self) -> f64 {
        self.entry_price
    }

    /// First bar's index.
    pub(crate) fn entry_bar(&self) -> usize {
        self.entry_bar
    }

    /// Takes interest for `days` on `notional` from `cash`.
    pub(crate) fn charge(&mut self, notional: f64, days: f64, cash: &mut f64, rules: &Rules) {
        let interest = notional * rules.borrow / 365.0 * days;
        *cash -= interest;
        self.costs += interest;
    }

    /// Where the stops end it within `bar`, and why. Moves the trailing stop on where they do not.
    pub(crate) fn touched(&mut self, bar: Bar, rules: &Rules) -> Option<(f64, Reason)> {
        let long = self.side == Side::Long;
        let (stop, reason) = self.stop(rules);
        let target = rules.stops.profit.map(|share| self.entry_price * (1.0 + self.side.sign() * share));
        // A stop is hit at its price, a target only beyond it.
        let beyond_stop = |price: f64| stop.is_some_and(|stop| if long { price <= stop } else { price >= stop });
        let beyond_target = |price: f64| target.is_some_and(|at| if long { price > at } else { price < at });
        let (adverse, favourable) = if long { (bar.low, bar.high) } else { (bar.high, bar.low) };
        if beyond_stop(bar.open) {
            return Some((self.slipped(bar.open, rules), reason));
        }
        if beyond_target(bar.open) {
            return Some((bar.open, Reason::TakeProfit));
        }
        let stopped = stop.filter(|_| beyond_stop(adverse)).map(|stop| (self.slipped(stop, rules), reason));
        let reached = target.filter(|_| beyond_target(favourable)).map(|target| (target, Reason::TakeProfit));
        let end = match rules.same_bar {
            SameBar::Pessimistic => stopped.or(reached),
            SameBar::Optimistic => reached.or(stopped),
        };
        if end.is_some() {
            return end;
        }
        if let Some(share) = rules.stops.trailing {
            let better = if long { favourable > self.best } else { favourable < self.best };
            self.best = if better { favourable } else { self.best };
            let level = self.best * (1.0 - self.side.sign() * share);
            // The close comes last: from the best price to it, the price went through the level.
            if if long { bar.close <= level } else { bar.close >= level } {
                return Some((self.slipped(level, rules), Reason::TrailingStop));
            }
        }
        None
    }

    /// Ends it at the market by `price`.
    pub(crate) fn market(&self, price: f64, rules: &Rules) -> f64 {
        self.slipped(price, rules)
    }

    /// Pays out at `price`, as filled.
    pub(crate) fn exit(
        &self,
        (symbol, bar): (usize, usize),
        (price, reason): (f64, Reason),
        cash: &mut f64,
        rules: &Rules,
    ) -> Trade {
        let fee = self.units.abs() * price * rules.fee;
        *cash += self.units * price - fee;
        let costs = self.costs + fee;
        Trade {
            symbol,
            side: self.side,
            units: self.units.abs(),
            entry_bar: self.entry_bar,
            entry_price: self.entry_price,
            exit_bar: bar,
            exit_price: price,
            costs,
            gain: self.units * (price - self.entry_price) - costs,
            reason,
        }
    }

    /// The nearer of the two stops.
    fn stop(&self, rules: &Rules) -> (Option<f64>, Reason) {
        let level = |from: f64, share: f64| from * (1.0 - self.side.sign() * share);
        let fixed = rules.stops.loss.map(|share| level(self.entry_price, share));
        let trailing = rules.stops.trailing.map(|share| level(self.best, share));
        match (fixed, trailing) {
            (Some(fixed), Some(trailing)) => {
                let nearer = if self.side == Side::Long { trailing > fixed } else { trailing < fixed };
                if nearer { (Some(trailing), Reason::TrailingStop) } else { (Some(fixed), Reason::StopLoss) }
            }
            (Some(fixed), None) => (Some(fixed), Reason::StopLoss),
            (None, trailing) => (trailing, Reason::TrailingStop),
        }
    }

    fn slipped(&self, price: f64, rules: &Rules) -> f64 {
        price * (1.0 - self.side.sign() * rules.slippage)
    }
}
