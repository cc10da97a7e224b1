//! Levels, episodes, features, vectors and retrieval over bars, against plain readings of their definitions.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

mod features;
mod levels;
mod oracle;
mod prefix;
mod recorded;
mod retrieve;
mod support;
