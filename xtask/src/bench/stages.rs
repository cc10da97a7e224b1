//! What follows the bars, beside the forms that it replaces. Start at [`book_stages`].

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::{Repo, read};

/// How much faster the features should be than the final form of the older pipeline: differences by `groupby.transform`, sums by
/// `groupby.cumsum`, the rest by aggregates.
const FEATURES_TARGET: f64 = 20.0;

/// Features, episodes and vectors of the simulated day in `target/bench/book/bars`, ours and the rivals' on the same file; then a
/// query over 100,000 vectors. Fails where a target is missed.
pub(super) fn book_stages(repo: &Repo) -> Result<()> {
    let folder = repo.target.join("bench/book");
    let bars = folder.join("bars/SIM_2026-03-02.mbp-10.bars.parquet");
    if !bars.is_file() {
        bail!("{}: no bars there; `cargo xtask bench book` makes them first", bars.display());
    }
    let tables = folder.join("tables");
    let mut made = repo.command(repo.binary("release")?);
    read(made.args(["book", "episodes", "--json", "--out"]).arg(&tables).arg(&bars))?;
    let table = |name: &str| tables.join(format!("SIM_2026-03-02.mbp-10.SIM.{name}.parquet"));
    let example = || repo.cargo(&["run", "--quiet", "--release", "-p", "railbird-book", "--example", "stages"]);
    let ours: Value = serde_json::from_str(&read(example().arg("--").arg(&bars).arg("1"))?)?;
    let python = |script: &str| {
        let mut command = repo.command("python3");
        command.arg(format!("bench/rivals/{script}.py")).arg(&bars).args(["--point", "1"]);
        command
    };
    let pandas: Value = serde_json::from_str(&read(&mut python("book_stages"))?)?;
    let mut numpy = python("book_episodes");
    numpy.args(["episodes", "features", "levels"].map(table));
    let numpy: Value = serde_json::from_str(&read(&mut numpy)?)?;
    let number = |of: &Value, at: &str| of.pointer(at).and_then(Value::as_f64).with_context(|| format!("no {at}"));

    println!("\nfeatures, 500 windows of 181 bars, best runs:");
    let rate = number(&ours, "/rows_per_second")?;
    println!("  ours             {:>12.0} rows/s, {} columns", rate, ours["columns"]);
    let mut ratio = f64::NAN;
    for (form, words) in
        [("transform", "groupby.transform: the final form"), ("diff", "groupby.diff: the fastest form")]
    {
        let theirs = number(&pandas, &format!("/{form}/rows_per_second"))?;
        println!("  {words:<34} {theirs:>12.0} rows/s, {} columns: {:.1} times", pandas["columns"], rate / theirs);
        if form == "transform" {
            ratio = rate / theirs;
        }
    }
    println!("episodes and vectors of the day, best runs:");
    if numpy["same"] != true {
        bail!("bench/rivals/book_episodes.py finds other episodes than ours: {numpy}");
    }
    for (what, at) in
        [("bars", "/bars_per_second"), ("episodes", "/episodes_per_second"), ("vectors", "/vectors_per_second")]
    {
        let (ours, theirs) = (number(&ours, at)?, number(&numpy, at)?);
        println!("  {what:<10} ours {ours:>12.0} a second, masks in numpy {theirs:>12.0}: {:.1} times", ours / theirs);
    }
    let told = read(&mut example())?;
    for line in told.lines().filter(|line| line.starts_with("query")) {
        println!("{line}");
    }
    println!("features against the final form: {ratio:.1} times, target {FEATURES_TARGET}");
    if ratio < FEATURES_TARGET { bail!("a target was missed") } else { Ok(()) }
}
