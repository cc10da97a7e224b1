//! What a back-test of signals goes by, and what it notes. Start at [`Rules`].

use serde::Serialize;

/// Long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Bought first.
    Long,
    /// Sold first.
    Short,
}

impl Side {
    /// 1 or −1.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }
}

/// Why a trade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An exit signal.
    Signal,
    /// An entry signal of the other side.
    Reversal,
    /// Held for as many bars as allowed.
    Time,
    /// Stop-loss.
    StopLoss,
    /// Trailing stop.
    TrailingStop,
    /// Take-profit.
    TakeProfit,
    /// The last bar's close.
    End,
    /// Nothing was left of the account.
    Ruin,
}

impl Reason {
    /// The reason in a word, as in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Reversal => "reversal",
            Self::Time => "time",
            Self::StopLoss => "stop_loss",
            Self::TrailingStop => "trailing_stop",
            Self::TakeProfit => "take_profit",
            Self::End => "end",
            Self::Ruin => "ruin",
        }
    }
}

/// Where a position ends by itself, as shares of a price; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Stops {
    /// Loss from the entry price.
    pub loss: Option<f64>,
    /// Gain from the entry price.
    pub profit: Option<f64>,
    /// Fall from the best price since entry, the bar itself excluded (its own high is proven to come first only by its close).
    pub trailing: Option<f64>,
}

impl Stops {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.loss.is_some() || self.profit.is_some() || self.trailing.is_some()
    }
}

/// What is taken where one bar touches both the stop and the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SameBar {
    /// The stop, unless the open proves the target.
    Pessimistic,
    /// The target, unless the open proves the stop.
    Optimistic,
}

/// How much an entry buys or sells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Share of the account's equity at the open.
    Equity(f64),
    /// Notional, in the account's money.
    Value(f64),
    /// Units.
    Units(f64),
}

/// What a back-test goes by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rules {
    /// Money at the start.
    pub cash: f64,
    /// Size of an entry, times the signal's weight.
    pub size: Size,
    /// Units are whole multiples of this; 0 allows any fraction.
    pub lot: f64,
    /// Most gross notional over equity after an entry.
    pub gross_max: f64,
    /// Fee on the notional of every fill.
    pub fee: f64,
    /// Share by which market fills are worse than their price.
    pub slippage: f64,
    /// A year's interest on shorts, and on notional beyond equity, that are held over a close.
    pub borrow: f64,
    /// Stops.
    pub stops: Stops,
    /// Most bars that a position is held, the entry's included; 0 is no limit.
    pub bars_max: usize,
    /// What is taken where a bar touches both.
    pub same_bar: SameBar,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            cash: 10_000.0,
            size: Size::Equity(1.0),
            lot: 0.0,
            gross_max: 1.0,
            fee: 0.0005,
            slippage: 0.0,
            borrow: 0.0,
            stops: Stops::default(),
            bars_max: 0,
            same_bar: SameBar::Pessimistic,
        }
    }
}

impl Rules {
    /// The first number that makes no sense, with what is allowed.
    pub fn problem(&self) -> Option<(&'static str, &'static str, f64)> {
        let share = |share: Option<f64>| share.unwrap_or(0.5);
        let (Size::Equity(size) | Size::Value(size) | Size::Units(size)) = self.size;
        let positive = "above 0";
        let checks = [
            ("cash", positive, self.cash, self.cash > 0.0),
            ("size", positive, size, size > 0.0),
            ("lot", "0 or more", self.lot, self.lot >= 0.0),
            ("gross_max", "above 0, at most 100", self.gross_max, self.gross_max > 0.0 && self.gross_max <= 100.0),
            ("fee", "0 to below 1", self.fee, (0.0..1.0).contains(&self.fee)),
            ("slippage", "0 to below 1", self.slippage, (0.0..1.0).contains(&self.slippage)),
            ("borrow", "0 to 100", self.borrow, (0.0..=100.0).contains(&self.borrow)),
            ("stop loss", "above 0", share(self.stops.loss), share(self.stops.loss) > 0.0),
            ("take profit", "above 0", share(self.stops.profit), share(self.stops.profit) > 0.0),
            ("trailing stop", "above 0", share(self.stops.trailing), share(self.stops.trailing) > 0.0),
        ];
        checks
            .into_iter()
            .find(|check| !check.3 || !check.2.is_finite())
            .map(|(what, want, found, _)| (what, want, found))
    }
}

/// A position from entry to exit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trade {
    /// Index of the symbol.
    pub symbol: usize,
    /// Long or short.
    pub side: Side,
    /// Units, positive.
    pub units: f64,
    /// Bar of the symbol at whose open it was entered.
    pub entry_bar: usize,
    /// Price paid or got, slippage included.
    pub entry_price: f64,
    /// Bar of the symbol in which it ended.
    pub exit_bar: usize,
    /// Price got or paid, slippage included.
    pub exit_price: f64,
    /// Fees of both fills, and interest.
    pub costs: f64,
    /// Money gained, costs taken off.
    pub gain: f64,
    /// Why it ended.
    pub reason: Reason,
}
