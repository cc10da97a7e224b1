//! From files of ticks to bars: each rule of the page on a file made for it, the recordings, the prefix law, damaged files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
mod hostile;
mod inputs;
mod prefix;
mod recorded;
mod semantics;
