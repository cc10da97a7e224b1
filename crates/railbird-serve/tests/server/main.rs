//! The server, asked by real clients over loopback: browsers' and programs' ways in, and every way that must be shut.

#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

mod frames;
mod refusals;
mod replies;
mod shutdown;
mod world;
