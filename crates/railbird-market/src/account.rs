//! The account of a strategy that holds from one open to the next. Start at [`Account::trade`].

use railbird_backtest::Period;

use crate::{data::Bars, fills::Costs, units::FEE_ONE};

/// Money and units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Account {
    money: f64,
    units: f64,
    equity: f64,
    /// Weight last asked for; 0 when flat.
    weight: f64,
    /// Nanoseconds of the last close's bar, and its close.
    last: Option<(i64, f64)>,
}

/// Days of a span that lies in a calendar, not in hours.
fn calendar_days(from_ns: i64, to_ns: i64) -> f64 {
    const DAY_NS: i64 = 86_400_000_000_000;
    (to_ns.div_euclid(DAY_NS) - from_ns.div_euclid(DAY_NS)) as f64
}

impl Account {
    /// Flat, with 1 of money.
    pub(crate) const fn new() -> Self {
        Self { money: 1.0, units: 0.0, equity: 1.0, weight: 0.0, last: None }
    }

    /// Weight held.
    pub(crate) const fn weight(&self) -> f64 {
        self.weight
    }

    /// Trades to `weight` at the open of bar `at`, marks at its close.
    pub(crate) fn trade(&mut self, bars: &Bars, at: usize, weight: f64, costs: &Costs) -> Period {
        let before = self.equity;
        let mut traded = 0.0;
        if let Some((time, close)) = self.last {
            self.borrow(close, calendar_days(time, bars.time[at].nanos()), costs);
        }
        if weight == 0.0 || self.units == 0.0 || weight.signum() != self.units.signum() {
            traded += self.close(bars.open[at], costs);
            traded += self.open(bars.open[at], weight, costs);
        }
        self.weight = weight;
        self.mark(bars, at);
        Period { gain: self.equity / before - 1.0, weight, traded: traded / before }
    }

    /// Sells or covers all at the close of the last bar.
    pub(crate) fn liquidate(&mut self, bars: &Bars, at: usize, costs: &Costs) -> Period {
        let before = self.equity;
        let traded = self.close(bars.close[at], costs);
        self.weight = 0.0;
        self.equity = self.money;
        Period { gain: self.equity / before - 1.0, weight: 0.0, traded: traded / before }
    }

    /// What is held.
    pub(crate) const fn units(&self) -> f64 {
        self.units
    }

    fn mark(&mut self, bars: &Bars, at: usize) {
        self.equity = self.money + self.units * bars.close[at];
        self.last = Some((bars.time[at].nanos(), bars.close[at]));
    }

    /// Shares and money that are borrowed over the close are paid for by the calendar day.
    fn borrow(&mut self, close: f64, days: f64, costs: &Costs) {
        let notional = self.units * close;
        let borrowed = if notional < 0.0 { -notional } else { (notional - self.equity).max(0.0) };
        self.money -= borrowed * costs.borrow_a_year / 365.0 * days;
    }

    fn close(&mut self, price: f64, costs: &Costs) -> f64 {
        let units = std::mem::replace(&mut self.units, 0.0);
        if units == 0.0 {
            return 0.0;
        }
        let price = price * (1.0 - units.signum() * share(costs.slippage));
        self.money += units * price - units.abs() * price * share(costs.fee);
        units.abs() * price
    }

    fn open(&mut self, price: f64, weight: f64, costs: &Costs) -> f64 {
        // An account that lost all trades no more.
        if weight == 0.0 || self.money <= 0.0 {
            return 0.0;
        }
        let price = price * (1.0 + weight.signum() * share(costs.slippage));
        self.units = weight * self.money / (price * (1.0 + share(costs.fee)));
        self.money -= self.units * price + self.units.abs() * price * share(costs.fee);
        self.units.abs() * price
    }
}

fn share(units: i64) -> f64 {
    units as f64 / FEE_ONE as f64
}
