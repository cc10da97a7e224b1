//! Strategies that hold a weight from one open to the next.

use super::{Kind, Order, Strategy, View};
use crate::{data::Key, units::FEE_ONE};

/// The sign of the forecast close.
#[derive(Debug, Clone, Copy, Default)]
pub struct Simple;

/// The common strict sign of the forecast close, high and low, each against its own last value.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllSignals;

/// Always long.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuyHold;

/// The sign of the forecast close, but flat for a bar after one that was held and did not pay.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnprofitShutdown;

/// The sign of the forecast close where it is larger than the middle of its distribution is wide.
#[derive(Debug, Clone, Copy)]
pub struct CiGuard {
    /// How many widths, in units of 1e-6.
    pub widths: i64,
}

impl Default for CiGuard {
    fn default() -> Self {
        Self { widths: FEE_ONE }
    }
}

fn sign_of_close(view: &View<'_>) -> Option<f64> {
    Some(view.forecast(Key::Close)?.signum() as f64)
}

fn order(weight: Option<f64>) -> Order {
    weight.map_or(Order::Missing, Order::Weight)
}

impl Strategy for Simple {
    fn name(&self) -> &'static str {
        "simple"
    }

    fn kind(&self) -> Kind {
        Kind::Holds
    }

    fn order(&self, view: &View<'_>) -> Order {
        order(sign_of_close(view))
    }
}

impl Strategy for AllSignals {
    fn name(&self) -> &'static str {
        "all_signals"
    }

    fn kind(&self) -> Kind {
        Kind::Holds
    }

    fn order(&self, view: &View<'_>) -> Order {
        let signs = [Key::Close, Key::High, Key::Low].map(|key| view.forecast_own(key).map(i64::signum));
        order(match signs {
            [Some(close), Some(high), Some(low)] if close == high && high == low => Some(close as f64),
            [Some(_), Some(_), Some(_)] => Some(0.0),
            _ => None,
        })
    }
}

impl Strategy for BuyHold {
    fn name(&self) -> &'static str {
        "buy_hold"
    }

    fn kind(&self) -> Kind {
        Kind::Holds
    }

    fn order(&self, _: &View<'_>) -> Order {
        Order::Weight(1.0)
    }
}

impl Strategy for UnprofitShutdown {
    fn name(&self) -> &'static str {
        "unprofit_shutdown"
    }

    fn kind(&self) -> Kind {
        Kind::Holds
    }

    fn order(&self, view: &View<'_>) -> Order {
        let lost = view.held() != 0.0 && view.last_move().is_none_or(|moved| view.held() * moved as f64 <= 0.0);
        order(sign_of_close(view).map(|sign| if lost { 0.0 } else { sign }))
    }
}

impl Strategy for CiGuard {
    fn name(&self) -> &'static str {
        "ci_guard"
    }

    fn kind(&self) -> Kind {
        Kind::Holds
    }

    fn order(&self, view: &View<'_>) -> Order {
        let (Some(close), Some(width)) = (view.forecast(Key::Close), view.forecast_width()) else {
            return Order::Missing;
        };
        let beyond = i128::from(close.abs()) * i128::from(FEE_ONE) > i128::from(self.widths) * i128::from(width.max(1));
        Order::Weight(if beyond { close.signum() as f64 } else { 0.0 })
    }
}
