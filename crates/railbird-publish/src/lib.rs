//! What is published, encoded once, and how a field describes what it serves. Start at [`Offer`]; a state that changes
//! while it is watched goes through a [`Hub`].
//!
//! Never speaks HTTP: `railbird-serve` turns these descriptions into routes.

mod hub;
mod offer;

pub use hub::{Envelope, EnvelopeKind, Hub, HubCounts, HubLimits, Subject, Watcher};
pub use offer::{
    Answer, BodyRule, Call, Cost, FrameFormat, FrameRoute, FrameSource, In, Method, Offer, OpenFrames, Parameter,
    Refusal, RefusalKind, Reply, Route, Warm,
};
