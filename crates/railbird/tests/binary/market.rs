//! `railbird market` on made-up bars: counts, caches, kills, failures, variables.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;

use super::common::Home;

/// Seeded daily bars, a file a symbol, on weekdays.
fn bars(folder: &Path, symbols: usize, count: usize) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    for symbol in 0..symbols {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(symbol as u64 + 1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let (mut price, mut day) = (100.0, 18_267);
        let mut text = "Date,Open,High,Low,Close,Volume\n".to_owned();
        for _ in 0..count {
            let open = price * (1.0 + 0.004 * next());
            let close = open * (1.0 + 0.03 * next());
            let (high, low) =
                (open.max(close) * (1.0 + 0.01 * next().abs()), open.min(close) * (1.0 - 0.01 * next().abs()));
            // Seconds since 1970; Monday first, weekends left out.
            text.push_str(&format!("{},{open},{high},{low},{close},1000\n", day * 86_400_i64));
            price = close;
            day += if (day + 3) % 7 == 4 { 3 } else { 1 };
        }
        fs::write(folder.join(format!("S{symbol:02}.csv")), text).expect("written");
    }
    folder.to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Files of a folder, parts included.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).expect("read"));
        }
    }
    found
}

/// A document less what depends on time, on memory and on what was in the cache.
fn lasting(mut document: Value) -> Value {
    let object = document.as_object_mut().expect("an object");
    for key in [
        "stages",
        "seconds",
        "memory_peak_bytes",
        "cache",
        "from_memory",
        "from_disk",
        "calls_made",
        "cache_hits",
        "resumed",
    ] {
        object.remove(key);
    }
    document
}

#[test]
fn market_redundancy_prints_both_counts() {
    let (code, document) =
        Home::new().json(&["market", "redundancy", "--sims", "70", "--horizon", "7", "--days", "200", "--by-day"]);
    assert_eq!(code, 0);
    assert_eq!((&document["walk"]["calls"], &document["walk"]["unique"]), (&1960.into(), &304.into()));
    assert_eq!((&document["paper"]["calls"], &document["paper"]["unique"]), (&46_340.into(), &800.into()));
    assert_eq!(document["by_day"][50]["paper"], 70);
}

#[test]
fn market_walk_asks_once_and_a_second_run_asks_nothing() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 3, 200);
    let walk = |more: &[&str]| home.json(&[&["market", "walk", text(&folder), "--strategies", "all"], more].concat());
    let (code, cold) = walk(&[]);
    assert_eq!(code, 0, "{cold}");
    let counts = |document: &Value| {
        ["calls", "unique", "duplicates", "from_memory", "from_disk", "calls_made", "cache_hits"]
            .map(|key| document[key].as_u64().expect("a count"))
    };
    assert_eq!(counts(&cold), [5880, 912, 4968, 0, 0, 912, 4968]);
    let (_, warm) = walk(&[]);
    assert_eq!(counts(&warm), [5880, 912, 4968, 0, 912, 0, 5880]);
    let (_, plain) = walk(&["--no-cache"]);
    assert_eq!(counts(&plain), [5880, 912, 4968, 0, 0, 912, 4968]);
    let (_, verified) = walk(&["--verify-cache", "3"]);
    assert!(verified["cache"]["verified"].as_u64() > Some(0), "{}", verified["cache"]);
    let cold = lasting(cold);
    for other in [warm, plain, verified] {
        assert_eq!(cold, lasting(other));
    }
    for threads in ["1", "2", "5"] {
        assert_eq!(cold, lasting(walk(&["--no-cache", "--threads", threads]).1));
    }
}

#[test]
fn market_walk_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 100, 150);
    let walk = |out: &Path| {
        ["market", "walk", text(&folder), "--strategies", "maxdiff,simple", "--sims", "30", "--out", text(out)]
            .map(str::to_owned)
    };
    let whole = home.path().join("whole");
    let arguments = walk(&whole);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = home.run(&arguments);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let results = |folder: &Path| {
        let mut files = files(folder);
        // These tell of the run too: its times, and where its forecasts came from.
        files.retain(|name, _| !["card.json", "report.html", "report.json.gz"].contains(&name.as_str()));
        files
    };
    let want = results(&whole);
    assert!(
        want.contains_key("folds.parquet") && want.contains_key("summary.json") && want.contains_key("summary.csv")
    );
    let mut resumed = 0;
    for kill in 0..8_u64 {
        // Each in a data folder of its own, so that forecasts are made anew.
        let out = home.path().join(format!("killed{kill}"));
        let data = home.path().join(format!("data{kill}"));
        let arguments = walk(&out);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--data-dir", text(&data)]).collect();
        let mut child = home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
        std::thread::sleep(Duration::from_millis(40 + 90 * kill));
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().expect("ended");
        let (code, document) = home.json(&arguments);
        assert_eq!(code, 0, "{document}");
        resumed += document["resumed"].as_u64().expect("a count");
        assert!(results(&out) == want, "killed after {} ms", 40 + 90 * kill);
    }
    assert!(resumed > 0, "no kill came between two parts");
}

#[test]
fn a_symbol_that_fails_is_listed_and_the_rest_finish() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 2, 150);
    fs::write(folder.join("BAD.csv"), "date,open,high,low,close\n2024-01-02,1,2,3,1\n").expect("written");
    let short = "date,open,high,low,close\n2024-01-02,1,2,1,1\n2024-01-03,1,2,1,1\n";
    fs::write(folder.join("SHORT.csv"), short).expect("written");
    let (code, document) = home.json(&["market", "walk", text(&folder), "--sims", "20"]);
    assert_eq!(code, 4, "{document}");
    assert_eq!(document["symbols"].as_array().map(Vec::len), Some(2));
    let refused = document["refused"].as_array().expect("a list");
    let reason = |at: usize| refused[at]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason(0).contains("line 2: open 1, high 2, low 3, close 1 are out of bounds"), "{}", reason(0));
    assert!(reason(1).contains("the largest --sims here is 0"), "{}", reason(1));
    let none = home.run(&["market", "walk", text(&folder.join("S00.csv")), "--sims", "81"]);
    assert_eq!(none.code, 3, "{none:?}");
    assert!(none.out.contains("the largest --sims here is 80"), "{none:?}");
    let (code, document) = home.json(&["market", "check", text(&folder)]);
    assert_eq!((code, &document["refused"]), (4, &1.into()), "{document}");
}

#[test]
fn any_flag_of_the_market_may_be_a_variable() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 1, 150);
    let run = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = home.command(&[&["market", "walk", text(&folder), "--json"], flags].concat());
        command.envs(variables.iter().copied());
        let ended = super::common::end(&mut command);
        (ended.code, serde_json::from_str::<Value>(&ended.out).expect("a document"))
    };
    let (code, document) = run(&[("RAILBIRD_SIMS", "35"), ("RAILBIRD_OPTIMIZER", "direct-l")], &[]);
    assert_eq!(code, 0, "{document}");
    assert_eq!(
        (&document["schedule"]["simulations"]["sims"], &document["optimizer"]),
        (&35.into(), &"direct-l".into())
    );
    // A flag goes before a variable.
    let (_, document) = run(&[("RAILBIRD_SIMS", "35")], &["--sims", "12"]);
    assert_eq!(document["schedule"]["simulations"]["sims"], 12);
    let (code, _) = run(&[("RAILBIRD_SIMS", "many")], &[]);
    assert_eq!(code, 2);
}

#[test]
fn stages_of_a_walk_add_up_to_its_time() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 4, 200);
    let (_, document) = home.json(&["market", "walk", text(&folder), "--profile"]);
    let sum: f64 = document["stages"].as_array().expect("stages").iter().filter_map(|stage| stage[1].as_f64()).sum();
    let total = document["seconds"].as_f64().expect("seconds");
    assert!((sum / total - 1.0).abs() < 0.05, "{sum} {total}");
    let names: Vec<&str> =
        document["stages"].as_array().expect("stages").iter().filter_map(|stage| stage[0].as_str()).collect();
    assert_eq!(names, ["prepare", "load", "forecast", "optimise", "simulate", "metrics", "write"]);
}
