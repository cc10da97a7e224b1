//! An instant.

use serde::{Deserialize, Serialize};

/// An instant: nanoseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub i64);
