//! Strategies that place limits for one bar and are flat at its close.

use super::{Kind, LevelOrder, Order, Strategy, Tuning, View};
use crate::{
    data::Key,
    fills::{Entry, Levels, Policy},
};

/// Limits at the forecast low and high, tuned; on the side of the larger of the two moves, none where they cross.
#[derive(Debug, Clone, Copy, Default)]
pub struct Maxdiff;

/// The same limits on both sides at once, with half of equity each.
#[derive(Debug, Clone, Copy, Default)]
pub struct MaxdiffAlwaysOn;

/// Limits at tuned moves from the last close, on the side of the forecast close.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pctdiff;

/// In at the forecast low (short: high), out at the close, on the side of the forecast close.
#[derive(Debug, Clone, Copy, Default)]
pub struct Highlow;

/// In at the open, out at the forecast high (short: low), on the side of the forecast close.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryTakeprofit;

const BOTH_WAYS: Tuning = Tuning::Search { high: (-1, 1), low: (-1, 1) };

/// Halves of equity, long and short, on the side of a sign; short is none where that is not allowed.
fn side(view: &View<'_>, sign: i64) -> (u8, u8) {
    match sign {
        1 => (2, 0),
        -1 if !view.long_only() => (0, 2),
        _ => (0, 0),
    }
}

impl Strategy for Maxdiff {
    fn name(&self) -> &'static str {
        "maxdiff"
    }

    fn kind(&self) -> Kind {
        Kind::TunedLimits
    }

    fn order(&self, view: &View<'_>) -> Order {
        let (Some(high), Some(low)) = (view.forecast(Key::High), view.forecast(Key::Low)) else {
            return Order::Missing;
        };
        let sign = if low >= high {
            0
        } else if high.abs() > low.abs() {
            1
        } else {
            -1
        };
        let (long, short) = side(view, sign);
        Order::Levels(LevelOrder { high, low, long, short, entry: Entry::Limit, tuning: BOTH_WAYS })
    }
}

impl Strategy for MaxdiffAlwaysOn {
    fn name(&self) -> &'static str {
        "maxdiff_always_on"
    }

    fn kind(&self) -> Kind {
        Kind::TunedLimits
    }

    fn order(&self, view: &View<'_>) -> Order {
        let (Some(high), Some(low)) = (view.forecast(Key::High), view.forecast(Key::Low)) else {
            return Order::Missing;
        };
        let (long, short) = match (low >= high, view.long_only()) {
            (true, _) => (0, 0),
            (false, true) => (2, 0),
            (false, false) => (1, 1),
        };
        Order::Levels(LevelOrder { high, low, long, short, entry: Entry::Limit, tuning: BOTH_WAYS })
    }
}

impl Strategy for Pctdiff {
    fn name(&self) -> &'static str {
        "pctdiff"
    }

    fn kind(&self) -> Kind {
        Kind::TunedLimits
    }

    fn order(&self, view: &View<'_>) -> Order {
        let Some(close) = view.forecast(Key::Close) else { return Order::Missing };
        let (long, short) = side(view, close.signum());
        let tuning = Tuning::Search { high: (0, 1), low: (-1, 0) };
        Order::Levels(LevelOrder { high: 0, low: 0, long, short, entry: Entry::Limit, tuning })
    }
}

/// Sides of the forecast close, and the forecast high and low, which stay as they are.
fn fixed(view: &View<'_>, entry: Entry, policy: Policy) -> Order {
    let forecasts = [Key::Close, Key::High, Key::Low].map(|key| view.forecast(key));
    let [Some(close), Some(high), Some(low)] = forecasts else { return Order::Missing };
    let (long, short) = side(view, close.signum());
    let tuning = Tuning::Fixed(Levels { high: 0, low: 0, policy });
    Order::Levels(LevelOrder { high, low, long, short, entry, tuning })
}

impl Strategy for Highlow {
    fn name(&self) -> &'static str {
        "highlow"
    }

    fn kind(&self) -> Kind {
        Kind::Limits
    }

    fn order(&self, view: &View<'_>) -> Order {
        fixed(view, Entry::Limit, Policy::Close)
    }
}

impl Strategy for EntryTakeprofit {
    fn name(&self) -> &'static str {
        "entry_takeprofit"
    }

    fn kind(&self) -> Kind {
        Kind::Limits
    }

    fn order(&self, view: &View<'_>) -> Order {
        fixed(view, Entry::Open, Policy::Level)
    }
}
