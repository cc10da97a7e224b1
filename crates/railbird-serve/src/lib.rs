//! Turns a field's descriptions into HTTP and WebSocket. Start at [`serve`].
//!
//! A request passes the gate (names, origins, token), then its route; a reply carries bytes that were finished before it
//! was asked for. CPU work and file reads happen on a bounded pool, frames come from a bounded cache that encodes each
//! once, and every other bound stands in [`Limits`].
//!
//! Never knows a field or a page: both are handed in.

mod app;
mod call;
mod clock;
mod config;
mod endpoint;
mod frames;
mod gate;
mod hosts;
mod login;
mod metrics;
mod openapi;
mod pages;
mod pool;
mod reply;
mod server;
mod stall;
mod token;

pub use config::{Access, Limits, ServeConfig, ServeError};
pub use metrics::{Metric, MetricKind, MetricSource};
pub use pages::{Page, Pages};
pub use server::serve;
pub use token::Token;
