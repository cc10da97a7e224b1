//! Tests of the real binary, as users and clients meet it.

#![expect(clippy::print_stderr, reason = "tests say aloud what they skipped")]

mod book;
mod book_lake;
mod cli;
mod common;
mod fuzz_smoke;
mod imports;
mod market;
mod readme;
mod refusals;
mod signals;
mod sql;
mod whole_or_absent;
