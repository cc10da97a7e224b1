//! `cargo xtask bench [name]`: figures beside their targets, and beside the rival where there is one.

mod market;
mod stages;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::{Repo, have, read, run as run_command};

/// The race that both sides import, below the recordings.
const RACE: &str = "f1/livetiming/2025/2025-03-16_Australian_Grand_Prix/2025-03-16_Race";

/// Runs the benchmarks of one name, or all; whether every target was met.
pub(crate) fn run(repo: &Repo, name: Option<&str>) -> Result<bool> {
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => ["f1", "book", "market"].map(str::to_owned).into_iter().chain(crate_benches(repo)?).collect(),
    };
    for name in names {
        println!("\n=== {name}");
        match name.as_str() {
            "f1" => f1(repo)?,
            "book" => [book(repo), stages::book_stages(repo)].into_iter().collect::<Result<()>>()?,
            name if market::knows(name) => market::run(repo, name)?,
            name => run_command(&mut repo.cargo(&["bench", "--workspace", "--bench", name]))?,
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

/// Rows a second of bars that a core should reach, from compressed ticks to Parquet.
const BARS_TARGET: f64 = 4e6;
/// What a run is busy with.
const BUSY: [&str; 3] = ["decode", "fold", "write"];
/// How much faster the fold alone should be than the rival's compiled loop.
const FOLD_TARGET: f64 = 4.0;
/// How much faster two dates should be on two threads than on one.
const DATES_TARGET: f64 = 1.8;
/// Memory that no run of bars may exceed, MB.
const BARS_MEGABYTES: f64 = 400.0;
/// Days that are simulated: the first is timed by itself, both side by side.
const DATES: [&str; 2] = ["2026-03-02", "2026-03-03"];
/// Levels of compression that are compared; the default is among them.
const LEVELS: [u32; 4] = [0, 1, 3, 9];

/// Simulated days of the usual size: ours, cold, from compressed ticks to Parquet with all columns, and the rivals on the
/// first of them. Fails where a target is missed.
fn book(repo: &Repo) -> Result<()> {
    let binary = repo.binary("release")?;
    let folder = repo.target.join("bench/book");
    let days = simulated(repo, &binary, &folder.join("ticks"))?;
    let day = &days[..1];
    let bars = |files: &[PathBuf], arguments: &[&str]| -> Result<Value> {
        let mut ours = repo.command(&binary);
        ours.args(["book", "bars", "--json"]).args(arguments).arg("--out").arg(folder.join("bars")).args(files);
        Ok(serde_json::from_str(&read(&mut ours)?)?)
    };
    let (mut seconds, mut dates) = ([f64::INFINITY; 2], [f64::INFINITY; 2]);
    let (mut rows, mut peak) = (0.0, 0.0_f64);
    let mut busy = [f64::INFINITY; 3];
    for _ in 0..5 {
        for (at, threads) in ["1", "2"].into_iter().enumerate() {
            let told = bars(day, &["--threads", threads])?;
            seconds[at] = seconds[at].min(number(&told, "/seconds")?);
            rows = number(&told, "/rows")?;
            peak = peak.max(number(&told, "/peak_memory_bytes")?);
            for (stage, best) in BUSY.into_iter().zip(&mut busy) {
                *best = best.min(number(&told, &format!("/files/0/busy_seconds/{stage}"))?);
            }
            let told = bars(&days, &["--threads", threads])?;
            dates[at] = dates[at].min(number(&told, "/seconds")?);
            peak = peak.max(number(&told, "/peak_memory_bytes")?);
        }
    }
    let rate = |seconds: f64| rows / seconds / 1e6;
    println!("{rows:.0} rows, 292 columns, cold process, best of 5 alternating runs");
    for (threads, seconds) in [1, 2].into_iter().zip(seconds) {
        println!("{threads} threads: {seconds:.3} s, {:.2} M rows/s", rate(seconds));
    }
    for (stage, seconds) in BUSY.into_iter().zip(busy) {
        println!("{stage} alone: {seconds:.3} s, {:.2} M rows/s", rate(seconds));
    }
    println!("two dates: {:.3} s on one thread, {:.3} s on two", dates[0], dates[1]);
    println!();
    for level in LEVELS {
        let (mut write, mut bytes) = (f64::INFINITY, 0.0);
        for _ in 0..3 {
            let told = bars(day, &["--threads", "1", "--compression", &level.to_string()])?;
            write = write.min(number(&told, "/files/0/busy_seconds/write")?);
            bytes = number(&told, "/bytes_out")?;
        }
        println!("zstd {level}: {:>6.2} MB, written in {write:.3} s", bytes / 1e6);
    }
    println!();
    let [_, fold, _] = busy;
    let mut numba = f64::NAN;
    for rival in ["book_numba", "book_polars", "book_duckdb", "book_databento"] {
        let mut command = repo.command("python3");
        command.arg(format!("bench/rivals/{rival}.py")).args(day);
        if rival != "book_databento" {
            command.args(["--point", "1"]);
        }
        let told: Value = serde_json::from_str(&read(&mut command)?)?;
        let theirs = told["rows_per_second"].as_f64().unwrap_or(f64::NAN);
        if rival == "book_numba" {
            numba = theirs;
        }
        println!("{rival:<16} {:>7.2} M rows/s, {} columns; {}", theirs / 1e6, told["columns"], told["versions"]);
    }
    println!();
    let mut missed = false;
    for (figure, value, target, pass) in [
        (
            "ticks to Parquet on one thread, M rows/s",
            rate(seconds[0]),
            BARS_TARGET / 1e6,
            rate(seconds[0]) * 1e6 >= BARS_TARGET,
        ),
        (
            "fold against the compiled loop, times",
            rate(fold) * 1e6 / numba,
            FOLD_TARGET,
            rate(fold) * 1e6 / numba >= FOLD_TARGET,
        ),
        ("two dates on two threads, times", dates[0] / dates[1], DATES_TARGET, dates[0] / dates[1] >= DATES_TARGET),
        ("peak memory, MB (at most)", peak / 1e6, BARS_MEGABYTES, peak / 1e6 <= BARS_MEGABYTES),
    ] {
        missed |= !pass;
        println!("{figure:<44} {value:>8.2}, target {target}: {}", if pass { "pass" } else { "FAIL" });
    }
    if missed { bail!("a target was missed") } else { Ok(()) }
}

/// A number of a document.
fn number(told: &Value, at: &str) -> Result<f64> {
    told.pointer(at).and_then(Value::as_f64).with_context(|| format!("no {at}"))
}

/// The simulated days, made where they are not there.
fn simulated(repo: &Repo, binary: &Path, ticks: &Path) -> Result<Vec<PathBuf>> {
    let days: Vec<PathBuf> = DATES.iter().map(|date| ticks.join(format!("SIM_{date}.mbp-10.dbn.zst"))).collect();
    if !days.iter().all(|day| day.is_file()) {
        if ticks.exists() {
            std::fs::remove_dir_all(ticks)?;
        }
        let mut simulate = repo.command(binary);
        simulate.args(["book", "simulate", "--dates", &DATES.join(":"), "--seed", "1", "--json", "--out"]).arg(ticks);
        read(&mut simulate)?;
    }
    Ok(days)
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
