//! Frames over WebSockets: each client with a clock of its own, all of them with the same bytes.

mod cache;
mod clock;
mod control;
mod endpoint;
mod viewer;

pub(crate) use cache::FrameCache;
pub(crate) use endpoint::{FrameEndpoint, Sockets};
