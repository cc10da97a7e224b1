//! `cargo xtask bench [name]`: figures beside their targets, and beside the rival where there is one.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::{Repo, have, read, run as run_command};

/// The race that both sides import, below the recordings.
const RACE: &str = "f1/livetiming/2025/2025-03-16_Australian_Grand_Prix/2025-03-16_Race";

/// Runs the benchmarks of one name, or all; whether every target was met.
pub(crate) fn run(repo: &Repo, name: Option<&str>) -> Result<bool> {
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => std::iter::once("f1".to_owned()).chain(crate_benches(repo)?).collect(),
    };
    for name in names {
        println!("\n=== {name}");
        if name == "f1" {
            f1(repo)?;
        } else {
            run_command(&mut repo.cargo(&["bench", "--workspace", "--bench", &name]))?;
        }
    }
    Ok(true)
}

/// The binary's own figures on a real race, then the rival's on the same archive, on this machine in the same run.
fn f1(repo: &Repo) -> Result<()> {
    let binary = repo.binary("release")?;
    let data = repo.recordings();
    let race = data.join(RACE);
    if !race.is_dir() {
        println!("{}: no recording there, so that there is no rival; a simulated race instead", race.display());
        return run_command(repo.command(binary).args(["bench", "f1"]));
    }
    if !have("python3", &["--version"]) {
        bail!("python3 is missing: the rival of f1 is a Python program");
    }
    // With a target missed it exits with 1, and its document says which.
    let ours = repo.command(binary).args(["bench", "f1", "--json", "--archive"]).arg(&race).output()?;
    let ours = serde_json::from_slice(&ours.stdout).context("railbird bench f1: no JSON document")?;
    let mut rival = repo.command("python3");
    rival.args(["bench/rivals/fastf1_import.py", "--json", "--runs", "3"]).env("RAILBIRD_TEST_DATA", &data);
    report(&ours, &serde_json::from_str(&read(&mut rival)?)?)
}

/// Prints both sides and their ratios; fails where a target was missed.
fn report(ours: &Value, theirs: &Value) -> Result<()> {
    let figures = ours["figures"].as_array().map(Vec::as_slice).unwrap_or_default();
    for figure in figures {
        let (name, value) =
            (figure["figure"].as_str().unwrap_or_default(), figure["value"].as_f64().unwrap_or(f64::NAN));
        let verdict = match figure["pass"].as_bool() {
            Some(true) => "pass",
            Some(false) => "FAIL",
            None => "",
        };
        println!("{name:<44} {value:>12.4} {:<5} {verdict}", figure["unit"].as_str().unwrap_or_default());
    }
    println!("\nrival: {}, median of {} runs", theirs["versions"], theirs["runs"].as_array().map_or(0, Vec::len));
    for stage in ["load_s", "merge_s", "resample_s", "total_s", "peak_memory_bytes"] {
        let value = theirs["median"][stage].as_f64().or_else(|| theirs[stage].as_f64()).unwrap_or(f64::NAN);
        println!("{stage:<44} {value:>12.4}");
    }
    let our =
        |name: &str| figures.iter().find(|figure| figure["figure"] == name).and_then(|figure| figure["value"].as_f64());
    let their = |name: &str| theirs["median"][name].as_f64();
    let loaded_and_merged = their("load_s").zip(their("merge_s")).map(|(load, merge)| load + merge);
    let mut missed = figures.iter().any(|figure| figure["pass"] == false);
    println!();
    for (what, ours, rival, least) in [
        ("import, merge and grid", our("import + merge + grid"), their("total_s"), 20.0),
        ("import against load and merge", our("read and import"), loaded_and_merged, 30.0),
    ] {
        let (Some(ours), Some(rival)) = (ours, rival) else { bail!("{what}: a figure is missing above") };
        let ratio = rival / ours;
        let pass = ratio >= least;
        missed |= !pass;
        let verdict = if pass { "pass" } else { "FAIL" };
        println!(
            "{what:<32} {ours:>7.3} s, rival {rival:>7.3} s: {ratio:>5.1} times faster, target {least}: {verdict}"
        );
    }
    if missed { bail!("a target was missed") } else { Ok(()) }
}

/// Names of the benchmarks of the crates: files of `benches/`.
fn crate_benches(repo: &Repo) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for krate in std::fs::read_dir(repo.root.join("crates"))? {
        let benches: PathBuf = krate?.path().join("benches");
        let Ok(entries) = std::fs::read_dir(benches) else { continue };
        for entry in entries {
            let path = entry?.path();
            if let (Some(stem), Some("rs")) =
                (path.file_stem(), path.extension().and_then(|extension| extension.to_str()))
            {
                names.push(stem.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}
