//! What an order for one bar comes to, in integers. Start at [`settle`].
//!
//! A bar says where prices were, not in which order. [`FillMode`] says what is believed of that.

use railbird_timeline::Ts;
use serde::Serialize;

use crate::{
    Error,
    data::Bars,
    strategy::LevelOrder,
    units::{FEE_ONE, Move, move_from, pay, slipped_down, slipped_up, to_units},
};

/// Lowest entry and highest exit, as moves from the last close.
pub(crate) const ENTRY_LEAST: Move = -99_000_000;
pub(crate) const EXIT_MOST: Move = 1_000_000_000;

/// What is believed of the order of prices within a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FillMode {
    /// A target is hit only where the close proves it.
    Pessimistic,
    /// A target is hit wherever the bar reaches it.
    Optimistic,
    /// One of the two, by a bit that hangs on seed, symbol and time.
    Random,
    /// What finer bars say, and pessimistic within each of them.
    Finer,
}

/// When a position that got in gets out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// At the close.
    Close,
    /// At the other limit, or else at the close.
    Level,
}

/// How a position gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// By a limit.
    Limit,
    /// At the open, by market order; the target is then at the open or beyond.
    Open,
}

/// What is added to the limits, and when one gets out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Levels {
    /// Added to the upper limit.
    pub high: Move,
    /// Added to the lower limit.
    pub low: Move,
    /// When one gets out.
    pub policy: Policy,
}

impl Levels {
    /// Limits as forecast.
    pub const UNTUNED: Self = Self { high: 0, low: 0, policy: Policy::Level };
}

/// What trading costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Costs {
    /// Fee of every fill on its notional, units of 1e-6.
    pub fee: i64,
    /// What a market order slips against the trader, units of 1e-6 of the price.
    pub slippage: i64,
    /// What borrowed shares and money cost a year of 365 days, as a share of their worth.
    pub borrow_a_year: f64,
    /// Whether nothing may be sold short.
    pub long_only: bool,
    /// Largest absolute weight.
    pub cap: f64,
}

impl Costs {
    /// 5 basis points a fill, both sides.
    pub const STOCKS: Self = Self { fee: 500, slippage: 0, borrow_a_year: 0.0, long_only: false, cap: 1.0 };
    /// 15 basis points a fill, long only.
    pub const CRYPTO: Self = Self { fee: 1500, long_only: true, ..Self::STOCKS };

    /// # Errors
    /// [`Error::Setting`] for what would break the integers or the account.
    pub fn check(&self) -> Result<(), Error> {
        let share = |what, units: i64| {
            let expected = "0 to below 10,000 basis points";
            let found = units as f64 / 100.0;
            if (0..FEE_ONE).contains(&units) {
                Ok(())
            } else {
                Err(Error::Setting { what, expected, found: found.to_string() })
            }
        };
        share("fee", self.fee)?;
        share("slippage", self.slippage)?;
        let positive = |what, expected, value: f64, most: f64| {
            let inside = (0.0..=most).contains(&value);
            if inside { Ok(()) } else { Err(Error::Setting { what, expected, found: value.to_string() }) }
        };
        positive("borrow", "0 to 10, as a share a year", self.borrow_a_year, 10.0)?;
        positive("cap", "0 to 10", self.cap, 10.0)
    }
}

/// Prices of a bar as moves from the last close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// Open.
    pub open: Move,
    /// High.
    pub high: Move,
    /// Low.
    pub low: Move,
    /// Close.
    pub close: Move,
}

/// A bar as it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actual {
    /// Its prices.
    pub prices: Prices,
    /// By how much a price must pass a limit: one unit, or the tick.
    pub delta: Move,
    /// Which way the random bit fell.
    pub low_first: bool,
    /// The finer bars inside it, oldest first; empty where there are none.
    pub finer: Vec<Prices>,
}

impl Actual {
    /// Bar `at` of `bars`; `tick`: the price's smallest step, 0 where unknown. `None` where a price is missing.
    pub fn of(bars: &Bars, at: usize, symbol: &str, seed: u64, tick: f64) -> Option<Self> {
        let base = *bars.close.get(at.checked_sub(1)?)?;
        let prices = Prices {
            open: move_from(bars.open[at], base)?,
            high: move_from(bars.high[at], base)?,
            low: move_from(bars.low[at], base)?,
            close: move_from(bars.close[at], base)?,
        };
        let delta = to_units(tick / base)?.max(1);
        Some(Self { prices, delta, low_first: low_first(seed, symbol, bars.time[at]), finer: Vec::new() })
    }
}

/// One bit of a hash of seed, symbol and time: SplitMix64 over the seed, each byte of the symbol, and the nanoseconds.
pub fn low_first(seed: u64, symbol: &str, time: Ts) -> bool {
    let mix = |state: u64, word: u64| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let state = symbol.bytes().fold(mix(0, seed), |state, byte| mix(state, u64::from(byte)));
    mix(state, time.nanos() as u64) >> 63 == 1
}

/// One side's way in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fill {
    /// Price at which it got in.
    pub entry: Move,
    /// Price at which it got out, slippage included.
    pub leave: Move,
    /// Whether it got out at the target.
    pub at_target: bool,
}

/// What an order came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// Weight times pay of both sides, units of 0.5e-14 of equity.
    pub pay: i64,
    /// Buyer's way.
    pub long: Option<Fill>,
    /// Short seller's way.
    pub short: Option<Fill>,
}

/// Settles an order with its limits moved by `levels`.
pub fn settle(order: &LevelOrder, levels: &Levels, actual: &Actual, mode: FillMode, costs: &Costs) -> Settled {
    let mut settled = Settled::default();
    if order.long > 0
        && let Some(fill) = long(order, levels, actual, mode, costs)
    {
        settled.pay += i64::from(order.long) * pay(fill.leave, costs.fee, fill.entry, costs.fee);
        settled.long = Some(fill);
    }
    if order.short > 0
        && let Some(fill) = short(order, levels, actual, mode, costs)
    {
        settled.pay += i64::from(order.short) * pay(fill.entry, costs.fee, fill.leave, costs.fee);
        settled.short = Some(fill);
    }
    settled
}

/// Where the limits stand: lower, upper.
pub(crate) fn limits(order: &LevelOrder, levels: &Levels) -> (Move, Move) {
    ((order.low + levels.low).clamp(ENTRY_LEAST, 0), (order.high + levels.high).clamp(0, EXIT_MOST))
}

/// Whether a bar in which one gets in, not at its open, is believed to reach the target after that by its range alone.
pub(crate) fn range_proves(mode: FillMode, actual: &Actual, long: bool) -> bool {
    match mode {
        FillMode::Pessimistic | FillMode::Finer => false,
        FillMode::Optimistic => true,
        FillMode::Random => actual.low_first == long,
    }
}

fn long(order: &LevelOrder, levels: &Levels, actual: &Actual, mode: FillMode, costs: &Costs) -> Option<Fill> {
    let Prices { open, high, close, .. } = actual.prices;
    let at_close = Fill { entry: 0, leave: slipped_down(close, costs.slippage), at_target: false };
    if order.entry == Entry::Open {
        let target = order.high.max(open);
        let entry = slipped_up(open, costs.slippage);
        let hit = Fill { entry, leave: target, at_target: true };
        return Some(if high > target { hit } else { Fill { entry, ..at_close } });
    }
    let (lower, upper) = limits(order, levels);
    let (bars, mode) = parts(actual, mode);
    let (buys_at, sells_at) = (lower - actual.delta, upper + actual.delta);
    let first = bars.iter().position(|bar| bar.low <= buys_at)?;
    let at_open = bars[first].open <= buys_at;
    let entry = if at_open { bars[first].open } else { lower };
    let proved = |bar: &Prices| bar.high >= sells_at;
    let hit = levels.policy == Policy::Level
        && (if at_open || range_proves(mode, actual, true) {
            proved(&bars[first])
        } else {
            bars[first].close >= sells_at
        } || bars[first + 1..].iter().any(proved));
    Some(if hit { Fill { entry, leave: upper, at_target: true } } else { Fill { entry, ..at_close } })
}

fn short(order: &LevelOrder, levels: &Levels, actual: &Actual, mode: FillMode, costs: &Costs) -> Option<Fill> {
    let Prices { open, low, close, .. } = actual.prices;
    let at_close = Fill { entry: 0, leave: slipped_up(close, costs.slippage), at_target: false };
    if order.entry == Entry::Open {
        let target = order.low.min(open);
        let entry = slipped_down(open, costs.slippage);
        let hit = Fill { entry, leave: target, at_target: true };
        return Some(if low < target { hit } else { Fill { entry, ..at_close } });
    }
    let (lower, upper) = limits(order, levels);
    let (bars, mode) = parts(actual, mode);
    let (covers_at, sells_at) = (lower - actual.delta, upper + actual.delta);
    let first = bars.iter().position(|bar| bar.high >= sells_at)?;
    let at_open = bars[first].open >= sells_at;
    let entry = if at_open { bars[first].open } else { upper };
    let proved = |bar: &Prices| bar.low <= covers_at;
    let hit = levels.policy == Policy::Level
        && (if at_open || range_proves(mode, actual, false) {
            proved(&bars[first])
        } else {
            bars[first].close <= covers_at
        } || bars[first + 1..].iter().any(proved));
    Some(if hit { Fill { entry, leave: lower, at_target: true } } else { Fill { entry, ..at_close } })
}

/// The bars to walk through: the finer ones where they are wanted and there, else the bar itself.
fn parts(actual: &Actual, mode: FillMode) -> (&[Prices], FillMode) {
    if mode == FillMode::Finer && !actual.finer.is_empty() {
        (&actual.finer, mode)
    } else {
        (std::slice::from_ref(&actual.prices), mode)
    }
}
