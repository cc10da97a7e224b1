//! What is published, encoded once, and how a field describes what it serves. Start at [`Offer`].
//!
//! Never speaks HTTP: `railbird-serve` turns these descriptions into routes.

mod offer;

pub use offer::{
    Answer, BodyRule, Call, Cost, FrameFormat, FrameRoute, FrameSource, In, Method, Offer, OpenFrames, Parameter, Refusal,
    RefusalKind, Reply, Route, Warm,
};
