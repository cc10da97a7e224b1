//! The market: walk-forward tests of strategies driven by forecasts.
