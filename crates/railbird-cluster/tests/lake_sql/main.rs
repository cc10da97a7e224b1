//! SQL over lakes that railbird-lake wrote: every answer beside what the rows give when they are reckoned plainly.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

mod answers;
mod files;
mod forms;
mod refusals;
mod remote;
#[path = "../../../railbird-lake/tests/lake/s3.rs"]
#[expect(dead_code, reason = "the lake's own tests use the rest")]
mod s3;
mod small_lake;
