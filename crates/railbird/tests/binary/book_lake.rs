//! `railbird book run` through the real binary: several symbols, levels of the user, memory, limits, and how it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::common::{Home, end, text};

/// Simulated days of a symbol, in a folder of the symbol's name below `ticks`.
fn simulate(home: &Home, symbol: &str, dates: &str, rows: &str) -> PathBuf {
    let ticks = home.path().join("ticks");
    let out = ticks.join(symbol);
    let arguments =
        ["book", "simulate", "--out", text(&out), "--symbol", symbol, "--dates", dates, "--rows", rows, "--seed", "4"];
    let (code, told) = home.json(&arguments);
    assert_eq!(code, 0, "{told}");
    ticks
}

fn run(home: &Home, ticks: &Path, lake: &str, dates: &str, more: &[&str]) -> (i32, Value) {
    let lake = home.path().join(lake);
    let mut arguments = vec!["book", "run", "--source", text(ticks), "--lake", text(&lake), "--dates", dates];
    arguments.extend(more);
    home.json(&arguments)
}

fn rows(told: &Value, stage: &str) -> u64 {
    let stages = told["stages"].as_array().expect("stages");
    let of = stages.iter().find(|found| found["stage"] == stage).expect("the stage");
    of["rows"].as_u64().expect("rows")
}

#[test]
fn symbols_levels_and_clocks_are_asked_for_and_the_memory_is_told() {
    let home = Home::new();
    let dates = "2026-01-05:2026-01-06";
    let ticks = simulate(&home, "SIM", dates, "6000");
    simulate(&home, "SIMB", dates, "6000");
    let both = ["--symbol", "SIM", "--symbol", "SIMB"];
    let (code, told) = run(&home, &ticks, "lake", dates, &both);
    assert_eq!((code, &told["tasks"], &told["ran"]), (0, &20.into(), &20.into()), "{told}");
    assert_eq!(told["symbols"], serde_json::json!(["SIM", "SIMB"]));
    let (code, again) = run(&home, &ticks, "lake", dates, &both);
    assert_eq!((code, &again["ran"], &again["stood"]), (0, &0.into(), &20.into()), "{again}");

    // A bound of memory leaves room for one worker, and the run stays below it.
    let bound = [&both[..], &["--workers", "4", "--memory", "400MB"]].concat();
    let (code, told) = run(&home, &ticks, "bounded", dates, &bound);
    assert_eq!((code, &told["workers"], &told["memory_bound_bytes"]), (0, &1.into(), &400_000_000.into()), "{told}");
    assert!(told["workers_why"].as_str().expect("why").ends_with("memory decides"), "{told}");
    let number = |name: &str| told[name].as_u64().unwrap_or_else(|| panic!("{name}: {told}"));
    assert!(number("peak_memory_bytes") <= 400_000_000, "{told}");
    assert!(number("task_peak_memory_bytes") <= number("task_memory_bytes"), "{told}");

    // Levels of the user: of one symbol from a file, of both by a flag.
    let levels = home.path().join("levels.toml");
    fs::write(&levels, "[[level]]\nsymbol = \"SIM\"\nname = \"gap\"\nprice = 5000.0\n").expect("the file");
    let with = [&both[..], &["--levels", text(&levels), "--level", "round=4990@2026-01-05T15:00:00Z"]].concat();
    let (code, told) = run(&home, &ticks, "levels", dates, &with);
    assert_eq!(code, 0, "{told}");
    // A level is a row of each of its two days: one of one symbol, one of both.
    assert!(rows(&told, "episodes") >= rows(&again, "episodes") + 2 + 4, "{told} {again}");

    let (code, told) = run(&home, &ticks, "received", dates, &["--symbol", "SIM", "--clock", "recv"]);
    assert_eq!(code, 0, "{told}");
    let bars = |lake: &str| fs::read(bars_of(&home.path().join(lake))).expect("the bars");
    assert!(bars("lake") != bars("received"), "cut by the time of receipt, some rows fall into other bars");

    for wrong in [&["--symbol", "SIM", "--symbol", "SIM"][..], &["--symbol", "SIM", "--level", "prior_low=1"], &[]] {
        assert_eq!(run(&home, &ticks, "wrong", dates, wrong).0, 2, "{wrong:?}");
    }
}

/// The first file of bars of SIM in a lake.
fn bars_of(lake: &Path) -> PathBuf {
    let mut folders = vec![lake.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("bars") && name.contains("=SIM/") && name.ends_with(".parquet") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.into_iter().next().expect("bars of SIM")
}

#[test]
fn a_day_that_cannot_be_read_is_listed_and_what_needs_it_is_not_run() {
    let home = Home::new();
    let dates = "2026-01-05:2026-01-07";
    let ticks = simulate(&home, "SIM", dates, "6000");
    let mut days: Vec<PathBuf> =
        fs::read_dir(ticks.join("SIM")).expect("the days").map(|entry| entry.expect("an entry").path()).collect();
    days.retain(|day| text(day).contains(".dbn"));
    days.sort();
    assert_eq!(days.len(), 3);
    fs::write(&days[1], b"DBN\x09 is no version").expect("a file");
    let (code, told) = run(&home, &ticks, "lake", dates, &["--symbol", "SIM"]);
    let failed = told["failed"].as_array().expect("failed");
    assert_eq!((code, failed.len(), &told["failed"][0]["task"]), (4, 1, &"bars SIM 2026-01-06".into()), "{told}");
    assert!(told["failed"][0]["error"].as_str().expect("an error").contains("SIM_2026-01-06"), "{told}");
    // Four stages of that day, and the four of the next that look back on it.
    assert_eq!((&told["ran"], told["not_run"].as_array().map(Vec::len)), (&6.into(), Some(8)), "{told}");
    assert_eq!(told["not_run"][0]["because"], told["failed"][0]["task"]);

    for day in &days {
        fs::write(day, b"DBN\x09 is no version").expect("a file");
    }
    let (code, told) = run(&home, &ticks, "none", dates, &["--symbol", "SIM"]);
    assert_eq!((code, &told["ran"], &told["stood"]), (3, &0.into(), &0.into()), "{told}");
}

/// Four times the rows, in as many bars: what a file needs does not depend on its length.
#[test]
fn memory_does_not_grow_with_the_file() {
    const GROWTH_BYTES_MAX: u64 = 24_000_000;
    let home = Home::new();
    let peaks = ["60000", "240000"].map(|count| {
        let folder = format!("of-{count}");
        let ticks = home.path().join(&folder);
        let simulated =
            home.json(&["book", "simulate", "--out", text(&ticks), "--dates", "2026-01-05", "--rows", count]);
        assert_eq!(simulated.0, 0, "{}", simulated.1);
        let made = fs::read_dir(&ticks).expect("the day").map(|entry| entry.expect("an entry").path());
        let day = made.into_iter().find(|path| text(path).contains(".dbn")).expect("a day");
        let peak = |told: &Value| told["peak_memory_bytes"].as_u64().unwrap_or_else(|| panic!("{told}"));
        let out = home.path().join(format!("bars-{count}"));
        let (code, bars) = home.json(&["book", "bars", text(&day), "--out", text(&out), "--point", "1"]);
        assert_eq!(code, 0, "{bars}");
        let lake = format!("lake-{count}");
        let (code, ran) = run(&home, &ticks, &lake, "2026-01-05", &["--symbol", "SIM", "--workers", "1"]);
        assert_eq!(code, 0, "{ran}");
        let size = fs::metadata(&day).expect("the day").len();
        (size, peak(&bars), peak(&ran))
    });
    let [(small, small_bars, small_run), (large, large_bars, large_run)] = peaks;
    eprintln!(
        "files of {small} and {large} bytes: bars {small_bars} and {large_bars}, runs {small_run} and {large_run}"
    );
    assert!(large > 3 * small, "{small} and {large} bytes show little");
    assert!(large_bars < small_bars + GROWTH_BYTES_MAX, "bars: {small_bars} and {large_bars} bytes");
    assert!(large_run < small_run + GROWTH_BYTES_MAX, "run: {small_run} and {large_run} bytes");
}

/// A group of processes with a limit of memory, of either version of Linux's control groups; gone when dropped.
struct Limited(PathBuf);

impl Limited {
    /// `None`, said aloud, where this machine lets nobody make one.
    fn new(name: &str, bytes: u64) -> Option<Self> {
        let name = format!("railbird-test-{}-{name}", std::process::id());
        for (top, limit) in [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
            ("/sys/fs/cgroup/unified", "memory.max"),
        ] {
            let group = Self(Path::new(top).join(&name));
            let is_there = Path::new(top).join("cgroup.procs").exists();
            if is_there
                && fs::create_dir(&group.0).is_ok()
                && group.0.join(limit).exists()
                && fs::write(group.0.join(limit), bytes.to_string()).is_ok()
            {
                return Some(group);
            }
        }
        eprintln!("SKIPPED: no group with a limit of memory may be made here; as root on Linux the test runs");
        None
    }

    /// The command inside: the shell joins the group and becomes the command.
    fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]).arg(&self.0);
        inside.arg(command.get_program()).args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().expect("a folder"));
        inside
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_run_inside_a_limit_of_memory_finishes_with_the_workers_that_it_bears() {
    let home = Home::new();
    let dates = "2026-01-05:2026-01-08";
    let ticks = simulate(&home, "SIM", dates, "60000");
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    for (limit, workers_max) in [(1_000_000_000, 2), (400_000_000, 1)] {
        let Some(group) = Limited::new(&limit.to_string(), limit) else { return };
        let lake = home.path().join(limit.to_string());
        let arguments = [
            "book",
            "run",
            "--source",
            text(&ticks),
            "--lake",
            text(&lake),
            "--dates",
            dates,
            "--symbol",
            "SIM",
            "--json",
        ];
        let ended = end(&mut group.command(&home.command(&arguments)));
        let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        assert_eq!((ended.code, &told["ran"]), (0, &20.into()), "{told}");
        let why = told["workers_why"].as_str().expect("why");
        assert!(why.contains("in this container"), "{why}");
        assert_eq!(told["workers"].as_u64(), Some(workers_max.min(cores)), "{why}");
        assert!(told["peak_memory_bytes"].as_u64().expect("a peak") < limit, "{told}");
        eprintln!("{limit} bytes: {} workers ({why}), peak {}", told["workers"], told["peak_memory_bytes"]);
    }
}
