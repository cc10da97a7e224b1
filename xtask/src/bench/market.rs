//! The market's figures beside their targets. Start at [`run`].
//!
//! Each script of `bench/rivals` runs ours beside its own and prints one document; the ladder and the workers are ours alone. What
//! cannot be measured is a row that says why, and the rest goes on.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::{Repo, read};

/// Runs of a rung, alternating with the others; the least counts, since the machine may do other things too.
const ROUNDS: usize = 5;
/// What a forecast of the old pipeline took: 130 s for 46,340 calls.
const CALL_MS: &str = "2.8";

/// A figure, its target, and whether it was met.
struct Row {
    figure: String,
    value: String,
    target: String,
    verdict: &'static str,
}

/// What a document of a script says.
type Figures = fn(&Value) -> Vec<Row>;

/// Parts that have a script, and what is read from its document.
const SCRIPTS: [(&str, &str, Figures); 5] = [
    ("market-optimizers", "market_optimizers", optimizers),
    ("market-walk", "market_walk", walk),
    ("market-strategy", "market_strategy", strategy),
    ("market-signals", "market_signals", signals),
    ("market-trees", "model_trees", trees),
];
/// The part that is ours alone.
const LADDER: &str = "market-ladder";

/// Whether a benchmark is one of the market's, or all of them.
pub(super) fn knows(name: &str) -> bool {
    name == "market" || name == LADDER || SCRIPTS.iter().any(|(part, ..)| *part == name)
}

/// Runs the parts of a name, or all for `market`, and prints a row a figure; fails where one missed its target or could not be
/// measured.
pub(super) fn run(repo: &Repo, name: &str) -> Result<()> {
    let wanted = |part: &str| name == "market" || name == part;
    let mut rows = Vec::new();
    for (_, script, figures) in SCRIPTS.into_iter().filter(|(part, ..)| wanted(part)) {
        println!("\n--- bench/rivals/{script}.py");
        match document(repo, script) {
            Ok(document) => {
                let found = figures(&document);
                if found.is_empty() {
                    rows.push(missing(script, "its document has none of the figures that are looked for"));
                }
                rows.extend(found);
            }
            Err(error) => rows.push(missing(script, &format!("{error:#}"))),
        }
    }
    if wanted(LADDER) {
        let ours = Ours::new(repo)?;
        for (name, measured) in [("ladder", ours.ladder()), ("workers", ours.workers())] {
            match measured {
                Ok(found) => rows.extend(found),
                Err(error) => rows.push(missing(name, &format!("{error:#}"))),
            }
        }
    }
    println!("\n{:<66} {:>16} {:>12}", "figure", "value", "target");
    for row in &rows {
        println!("{:<66} {:>16} {:>12} {}", row.figure, row.value, row.target, row.verdict);
    }
    if rows.iter().any(|row| row.verdict == "FAIL") { bail!("a target was missed") } else { Ok(()) }
}

/// What a script prints; also where it exits with 1, since its document says which target was missed.
fn document(repo: &Repo, script: &str) -> Result<Value> {
    let mut command = repo.command("python3");
    command.arg(format!("bench/rivals/{script}.py")).arg("--json").env("RAILBIRD_TEST_DATA", repo.recordings());
    let done = command.stderr(std::process::Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&done.stdout);
    let document = serde_json::from_str(&text).with_context(|| format!("no document, {}", done.status))?;
    println!("{text}");
    Ok(document)
}

fn missing(figure: &str, reason: &str) -> Row {
    println!("{figure}: {reason}");
    Row { figure: figure.to_owned(), value: "not measured".to_owned(), target: String::new(), verdict: "FAIL" }
}

/// A figure that is to be at least so large; one that is no number is missed.
fn at_least(figure: String, value: Option<f64>, least: f64, unit: &str) -> Row {
    let value = value.unwrap_or(f64::NAN);
    Row {
        figure,
        value: format!("{value:.1}{unit}"),
        target: format!(">= {least}{unit}"),
        verdict: if value >= least { "pass" } else { "FAIL" },
    }
}

fn told(figure: String, value: String) -> Row {
    Row { figure, value, target: String::new(), verdict: "" }
}

fn optimizers(document: &Value) -> Vec<Row> {
    let least = |n: Option<u64>| match n {
        Some(6) => 2000.0,
        Some(60) => 200.0,
        _ => 25.0,
    };
    let row = |level: &Value| {
        let figure = format!("levels, n = {}: beside scipy's DIRECT", level["n"]);
        at_least(figure, level["ratio"].as_f64(), least(level["n"].as_u64()), "x")
    };
    document["levels"].as_array().into_iter().flatten().map(row).collect()
}

fn walk(document: &Value) -> Vec<Row> {
    let number = |key: &str| document[key].as_f64();
    let ms = |at: &str| {
        let ms = document.pointer(at).and_then(Value::as_f64).map_or(f64::NAN, |seconds| seconds * 1e3);
        format!("{ms:.0} ms")
    };
    let what = format!("walk of {} symbols, {} simulations", document["symbols"], document["sims"]);
    vec![
        told(format!("{what}, cold, whole command"), ms("/seconds_ours/cold")),
        told(format!("{what}, cold, processors"), ms("/seconds_ours/cold_cpu")),
        told("  the program in numpy, whole command".to_owned(), ms("/seconds_numpy/command")),
        told("  the program in numpy, processors".to_owned(), ms("/seconds_numpy/command_cpu")),
        at_least("  beside statsforecast + scipy, clock".to_owned(), number("ratio_cold"), 500.0, "x"),
        told("  the same, processors".to_owned(), format!("{:.0}x", number("ratio_cold_cpu").unwrap_or(f64::NAN))),
        at_least("  beside numpy alone, clock".to_owned(), number("ratio_numpy"), 15.0, "x"),
        told("  the same, processors".to_owned(), format!("{:.1}x", number("ratio_numpy_cpu").unwrap_or(f64::NAN))),
    ]
}

fn strategy(document: &Value) -> Vec<Row> {
    let row = |row: &Value| {
        let name = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        told(
            format!("{}, {}: seconds, and gap to exact in bp a day", name("strategy"), name("optimizer")),
            format!("{:.5} {:.3}", number("seconds"), number("gap_bp")),
        )
    };
    let mut rows: Vec<Row> = document["rows"].as_array().into_iter().flatten().map(row).collect();
    if let Some(pass) = document["pass"].as_bool() {
        rows.push(Row {
            figure: "exact is never below another, and the same seed gives the same table".to_owned(),
            value: pass.to_string(),
            target: "true".to_owned(),
            verdict: if pass { "pass" } else { "FAIL" },
        });
    }
    rows
}

fn signals(document: &Value) -> Vec<Row> {
    let row = |row: &Value| {
        let density = row["density"].as_f64()?;
        let least = if density < 0.1 { 1.0 } else { 0.5 };
        let rate = row["rate_ours"].as_f64().map(|rate| rate / 1e9);
        Some(at_least(format!("signals at a density of {:.0} %", density * 100.0), rate, least, " G bars/s"))
    };
    document["rows"].as_array().into_iter().flatten().filter_map(row).collect()
}

fn trees(document: &Value) -> Vec<Row> {
    let ms = |name: &str| document["milliseconds"][name].as_f64();
    let Some(ours) = ms("railbird") else { return Vec::new() };
    let target = document["target_ms"].as_f64().unwrap_or(f64::NAN);
    let figure = format!("{} rows by {} trees of {} leaves", document["rows"], document["trees"], document["leaves"]);
    let verdict = if ours <= target { "pass" } else { "FAIL" };
    let mut rows = vec![Row { figure, value: format!("{ours:.2} ms"), target: format!("<= {target} ms"), verdict }];
    for rival in ["lightgbm", "onnxruntime"] {
        rows.push(told(format!("  {rival}"), format!("{:.2} ms", ms(rival).unwrap_or(f64::NAN))));
    }
    rows
}

/// Our binary, and four symbols: two that trade every day and two of an exchange.
struct Ours<'a> {
    repo: &'a Repo,
    binary: PathBuf,
    symbols: Vec<PathBuf>,
}

fn symbols(repo: &Repo, binary: &Path) -> Result<Vec<PathBuf>> {
    let daily = repo.recordings().join("market/daily");
    let names = ["crypto-2014-2020/ETHUSD", "crypto-2014-2020/BTCUSD", "yahoo-2017-2021/TSLA", "yahoo-2017-2021/NVDA"];
    let real: Vec<PathBuf> = names.iter().map(|name| daily.join(format!("{name}.csv"))).collect();
    if real.iter().all(|path| path.is_file()) {
        return Ok(real);
    }
    println!("{}: no recordings there; made-up symbols instead", daily.display());
    let folder = repo.target.join("bench/market/simulated");
    let mut simulate = repo.command(binary);
    read(simulate.args(["market", "simulate", "--seed", "1", "--json", "--out"]).arg(&folder))?;
    let made = ["SIMUSD", "SIMTREND", "SIMREVERT", "SIMWALK"];
    Ok(made.iter().map(|name| folder.join(format!("{name}.csv"))).collect())
}

impl<'a> Ours<'a> {
    fn new(repo: &'a Repo) -> Result<Self> {
        let binary = repo.binary("release")?;
        let symbols = symbols(repo, &binary)?;
        Ok(Self { repo, binary, symbols })
    }

    /// Seconds of a walk over the four, start included.
    fn seconds(&self, data: &Path, arguments: &[&str]) -> Result<f64> {
        let mut command = self.repo.command(&self.binary);
        command.args(["market", "walk", "--json", "--data-dir"]).arg(data).args(arguments).args(&self.symbols);
        let began = Instant::now();
        read(&mut command)?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// What each step away from the old pipeline saves: with Theta, and with a model that takes as long as theirs.
    fn ladder(&self) -> Result<Vec<Row>> {
        let data = self.repo.target.join("bench/market/ladder");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let python = self.repo.target.join("test-python/bin/python3");
        let host = format!("host:{} python/host_sleeping.py --ms {CALL_MS}", python.display());
        let mut rows = Vec::new();
        let mut models = vec![("theta", "theta", ROUNDS)];
        if python.is_file() {
            models.push((host.as_str(), "a model of 2.8 ms a forecast", 1));
        } else {
            println!("ladder: {} is not there: only with Theta", python.display());
        }
        for (model, name, rounds) in models {
            let rungs: [(&str, &[&str]); 6] = [
                ("differential evolution, no cache", &["--optimizer", "de", "--no-cache", "--threads", "1"]),
                ("DIRECT", &["--optimizer", "direct", "--no-cache", "--threads", "1"]),
                ("exact", &["--no-cache", "--threads", "1"]),
                ("from the cache", &["--threads", "1"]),
                ("35 simulations", &["--sims", "35", "--threads", "1"]),
                ("all processors", &["--sims", "35"]),
            ];
            // What the fourth rung finds.
            self.seconds(&data, &["--model", model, "--strategies", "all"])?;
            let mut least = [f64::INFINITY; 6];
            for _ in 0..rounds {
                for ((_, arguments), least) in rungs.iter().zip(&mut least) {
                    let arguments = [&["--model", model, "--strategies", "all"], *arguments].concat();
                    *least = least.min(self.seconds(&data, &arguments)?);
                }
            }
            for (at, ((rung, _), took)) in rungs.iter().zip(least).enumerate() {
                let step = if at == 0 { 1.0 } else { least[at - 1] / took };
                rows.push(told(
                    format!("ladder, {name}: {rung}"),
                    format!("{:.4} s {step:.2}x {:.1}x", took, least[0] / took),
                ));
            }
        }
        Ok(rows)
    }

    /// One worker and two, over calendars of both kinds; and whether they write the same bytes.
    fn workers(&self) -> Result<Vec<Row>> {
        let folder = self.repo.target.join("bench/market/workers");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let mut least = [f64::INFINITY; 2];
        let work = ["--strategies", "all", "--optimizer", "de", "--evaluations", "2000", "--no-cache"];
        for _ in 0..ROUNDS {
            for (threads, least) in ["1", "2"].into_iter().zip(&mut least) {
                let arguments = [&work[..], &["--threads", threads]].concat();
                *least = least.min(self.seconds(&folder, &arguments)?);
            }
        }
        let mut written = Vec::new();
        for threads in ["1", "2"] {
            let out = folder.join(threads);
            let shown = out.display().to_string();
            self.seconds(&folder, &[&work[..], &["--threads", threads, "--out", &shown]].concat())?;
            let files = ["folds.parquet", "summary.csv", "summary.json"];
            written.push(files.iter().map(|file| fs::read(out.join(file))).collect::<Result<Vec<_>, _>>()?);
        }
        let same = written[0] == written[1];
        Ok(vec![
            told("workers: one".to_owned(), format!("{:.3} s", least[0])),
            told("workers: two".to_owned(), format!("{:.3} s", least[1])),
            at_least("workers: one to two".to_owned(), Some(least[0] / least[1]), 1.8, "x"),
            Row {
                figure: "workers: the same bytes".to_owned(),
                value: same.to_string(),
                target: "true".to_owned(),
                verdict: if same { "pass" } else { "FAIL" },
            },
        ])
    }
}
