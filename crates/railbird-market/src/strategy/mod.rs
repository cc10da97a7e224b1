//! Strategies: what one would order for a bar, knowing only what came before it. Start at [`Strategy`].
//!
//! Invariant: a [`View`] holds nothing of its bar but the forecasts, which come from earlier bars; its fields are private, so
//! that no strategy can look ahead, not even by mistake.

mod level;
mod position;

pub use level::{EntryTakeprofit, Highlow, Maxdiff, MaxdiffAlwaysOn, Pctdiff};
pub use position::{AllSignals, BuyHold, CiGuard, Simple, UnprofitShutdown};

use crate::{
    data::{Bars, Key},
    fills::{Entry, Levels},
    forecasts::ForecastMoves,
    units::{Move, move_from},
};

/// What is known when an order for a bar is placed: the bars before it, their forecast of it, and what was held.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    bars: &'a Bars,
    at: usize,
    forecast: &'a ForecastMoves,
    held: f64,
    long_only: bool,
}

impl<'a> View<'a> {
    pub(crate) fn new(bars: &'a Bars, at: usize, forecast: &'a ForecastMoves, held: f64, long_only: bool) -> Self {
        Self { bars, at, forecast, held, long_only }
    }

    /// Prices of a key on the bars before, oldest first.
    pub fn prices(&self, key: Key) -> &'a [f64] {
        &self.bars.prices(key)[..self.at]
    }

    /// Volumes of the bars before, oldest first; NaN where unknown.
    pub fn volumes(&self) -> &'a [f64] {
        &self.bars.volume[..self.at]
    }

    /// Forecast of a price as a move from the last close; `None` where there is none.
    pub fn forecast(&self, key: Key) -> Option<Move> {
        self.forecast.from_close[key.index()]
    }

    /// Forecast of a price as a move from the last value of the same price.
    pub fn forecast_own(&self, key: Key) -> Option<Move> {
        self.forecast.own[key.index()]
    }

    /// From the 40 % to the 60 % quantile of the forecast close, over the last close.
    pub fn forecast_width(&self) -> Option<Move> {
        self.forecast.width
    }

    /// The last bar's move from close to close; `None` before there are two.
    pub fn last_move(&self) -> Option<Move> {
        let before = self.at.checked_sub(2)?;
        move_from(self.bars.close[before + 1], self.bars.close[before])
    }

    /// Weight that the strategy held over the last bar.
    pub const fn held(&self) -> f64 {
        self.held
    }

    /// Whether nothing may be sold short.
    pub const fn long_only(&self) -> bool {
        self.long_only
    }
}

/// What a strategy wants of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// A value that it needs is missing: flat.
    Missing,
    /// This share of equity, by market order at the open, held until another order; negative is short.
    Weight(f64),
    /// Limits for this bar alone, flat at its close.
    Levels(LevelOrder),
}

/// Limits for one bar, as moves from the last close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelOrder {
    /// Where the upper limit stands before it is tuned.
    pub high: Move,
    /// Where the lower limit stands before it is tuned.
    pub low: Move,
    /// Halves of equity that are bought: 0, 1 or 2.
    pub long: u8,
    /// Halves of equity that are sold short: 0, 1 or 2.
    pub short: u8,
    /// How one gets in.
    pub entry: Entry,
    /// Whether the limits are tuned.
    pub tuning: Tuning,
}

/// Whether limits are tuned on the days before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuning {
    /// They stand as they are.
    Fixed(Levels),
    /// Added to each: a move within these shares of the walk's bound.
    Search {
        /// Upper limit: from -1, 0 or 1 times the bound.
        high: (i64, i64),
        /// Lower limit: likewise.
        low: (i64, i64),
    },
}

/// How a strategy trades, whatever the bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It holds a weight from one open to another.
    Holds,
    /// It places limits for one bar, as they are.
    Limits,
    /// It places limits for one bar, tuned on the days before.
    TunedLimits,
}

/// One way to trade on forecasts.
pub trait Strategy: Send + Sync {
    /// Name, as on the command line.
    fn name(&self) -> &'static str;

    /// How it trades. An order of another kind counts as [`Order::Missing`].
    fn kind(&self) -> Kind;

    /// What to order for the next bar.
    fn order(&self, view: &View<'_>) -> Order;
}

/// The ten strategies in the order of the page.
pub const STRATEGIES: [&str; 10] = [
    "simple",
    "all_signals",
    "buy_hold",
    "unprofit_shutdown",
    "ci_guard",
    "entry_takeprofit",
    "highlow",
    "maxdiff",
    "maxdiff_always_on",
    "pctdiff",
];

/// A strategy by its name, with the defaults of the page; `None` where there is none of that name.
pub fn strategy(name: &str) -> Option<Box<dyn Strategy>> {
    Some(match name {
        "simple" => Box::new(Simple),
        "all_signals" => Box::new(AllSignals),
        "buy_hold" => Box::new(BuyHold),
        "unprofit_shutdown" => Box::new(UnprofitShutdown),
        "ci_guard" => Box::new(CiGuard::default()),
        "entry_takeprofit" => Box::new(EntryTakeprofit),
        "highlow" => Box::new(Highlow),
        "maxdiff" => Box::new(Maxdiff),
        "maxdiff_always_on" => Box::new(MaxdiffAlwaysOn),
        "pctdiff" => Box::new(Pctdiff),
        _ => return None,
    })
}
