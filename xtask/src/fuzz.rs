//! `cargo xtask fuzz-smoke`: the fuzz entry points over mutated seeds, on stable.
//!
//! cargo-fuzz needs nightly; the same entry points are a test of the binary's crate, which this runs for longer.

use anyhow::Result;

use crate::repo::{Repo, run as run_command};

/// Runs each entry point over `runs` mutated inputs.
pub(crate) fn run(repo: &Repo, runs: u32) -> Result<bool> {
    let mut command = repo.cargo(&["test", "--workspace", "--test", "binary", "fuzz_smoke", "--", "--nocapture"]);
    command.env("RAILBIRD_FUZZ_RUNS", runs.to_string());
    run_command(&mut command)?;
    Ok(true)
}
