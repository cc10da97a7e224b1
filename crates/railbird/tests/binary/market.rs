//! `railbird market` on made-up bars: counts, caches, kills, failures, variables.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
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

#[test]
fn every_stretch_of_a_broken_series_is_walked_as_a_series_of_its_own() {
    let home = Home::new();
    let folder = home.path().join("made-up");
    assert_eq!(home.run(&["market", "simulate", "--out", text(&folder), "--seed", "3"]).code, 0);
    let walk_of = |sims: &str, path: &Path, more: &[&str]| {
        let common = ["--sims", sims, "--strategies", "maxdiff,simple", "--no-cache"];
        home.json(&[&["market", "walk", text(path)], &common[..], more].concat())
    };
    let walk = |path: &Path, more: &[&str]| walk_of("30", path, more);
    let one = home.path().join("one");
    fs::create_dir_all(&one).expect("a folder");
    for (symbol, stretches) in [("SIMSPLIT", 2), ("SIMUSD", 2), ("SIMWALK", 1)] {
        let file = folder.join(format!("{symbol}.csv"));
        let (code, every) = walk(&file, &["--breaks", "every"]);
        assert_eq!(code, 0, "{every}");
        let found = every["symbols"].as_array().expect("a list");
        assert_eq!(found.len(), stretches, "{symbol}");
        let lines = fs::read_to_string(&file).expect("read");
        let head = lines.lines().next().expect("a head");
        for (at, stretch) in (1..).zip(found) {
            assert_eq!(stretch["stretch"]["number"], at);
            let day = |key: &str| stretch["stretch"][key].as_str().expect("a time")[..10].to_owned();
            assert_eq!(stretch["symbol"], format!("{symbol}@{}", day("from")));
            // A file with the rows of this stretch alone, of which a split is told only before it.
            let inside = |line: &&str| (day("from")..=day("to")).contains(&line[..10].to_owned());
            let rows: Vec<String> = lines.lines().skip(1).filter(inside).map(str::to_owned).collect();
            assert_eq!(stretch["stretch"]["bars"], rows.len());
            let alone = one.join(format!("{symbol}.csv"));
            fs::write(&alone, format!("{head}\n{}\n", rows.join("\n"))).expect("written");
            let (code, alone) = walk(&alone, &[]);
            assert_eq!(code, 0, "{alone}");
            for key in ["strategies", "buy_hold", "forecasts", "from", "to"] {
                assert_eq!(stretch[key], alone["symbols"][0][key], "{symbol} {at} {key}");
            }
        }
        // The newest alone, as it is by default, and nothing at all.
        let (_, newest) = walk(&file, &[]);
        let last = &found[stretches - 1];
        assert_eq!(
            (&newest["symbols"][0]["strategies"], &newest["symbols"][0]["symbol"]),
            (&last["strategies"], &symbol.into())
        );
        assert_eq!(walk(&file, &["--breaks", "refuse"]).0, if stretches == 1 { 0 } else { 3 }, "{symbol}");
    }
    // Too short for so many simulations: left out and said; where all are, refused.
    let file = folder.join("SIMUSD.csv");
    let (code, some) = walk_of("250", &file, &["--breaks", "every"]);
    assert_eq!(
        (code, some["symbols"].as_array().map(Vec::len), some["left_out"].as_array().map(Vec::len)),
        (0, Some(1), Some(1))
    );
    assert!(some["left_out"][0]["reason"].as_str().is_some_and(|reason| reason.contains("the largest --sims here is")));
    assert_eq!(walk_of("600", &file, &["--breaks", "every"]).0, 3);
}

#[test]
fn a_setting_of_the_market_comes_from_flag_variable_file_or_default() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 1, 150);
    let told = |variables: &[(&str, &str)], flags: &[&str]| {
        let run = |first: &[&str]| {
            let mut command = home.command(&[first, flags, &["--json"]].concat());
            let ended = super::common::end(command.envs(variables.iter().copied()));
            serde_json::from_str::<Value>(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
        };
        let config = run(&["config"]);
        let setting = config["settings"].as_array().expect("a list").iter().find(|one| one["key"] == "optimizer");
        let setting = setting.expect("listed").clone();
        let walked = run(&["market", "walk", text(&folder), "--sims", "5"]);
        // What `railbird config` tells is what holds.
        assert_eq!(setting["value"], walked["optimizer"]);
        (setting["value"].as_str().expect("text").to_owned(), setting["origin"].as_str().expect("text").to_owned())
    };
    let default = told(&[], &[]);
    assert_eq!((default.0.as_str(), default.1.as_str()), ("exact", "default"));
    fs::write(home.path().join("railbird.toml"), "optimizer = \"direct-l\"\nsims = 12\n").expect("written");
    let file = told(&[], &[]);
    assert!(file.0 == "direct-l" && file.1.starts_with("file ") && file.1.ends_with("railbird.toml"), "{file:?}");
    let variable = told(&[("RAILBIRD_OPTIMIZER", "direct")], &[]);
    assert_eq!((variable.0.as_str(), variable.1.as_str()), ("direct", "environment RAILBIRD_OPTIMIZER"));
    let flag = told(&[("RAILBIRD_OPTIMIZER", "direct")], &["--optimizer", "de"]);
    assert_eq!((flag.0.as_str(), flag.1.as_str()), ("de", "flag --optimizer"));
    let (_, document) = home.json(&["market", "walk", text(&folder)]);
    assert_eq!(document["schedule"]["simulations"]["sims"], 12);
    // A value that is none names the file; help needs no file.
    fs::write(home.path().join("railbird.toml"), "optimizer = \"best\"\n").expect("written");
    let wrong = home.run(&["market", "walk", text(&folder)]);
    assert!(
        wrong.code == 2 && wrong.err.contains("railbird.toml: optimizer: \"best\" is not one of exact"),
        "{wrong:?}"
    );
    assert_eq!(home.run(&["market", "walk", "--help"]).code, 0);
}

/// Asks a program to end, as Ctrl-C does.
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

#[test]
fn ctrl_c_leaves_what_is_finished_and_the_next_run_goes_on() {
    let home = Home::new();
    // Two and a half parts, with a model that takes its time.
    let folder = bars(&home.path().join("bars"), 80, 150);
    let walk = |name: &str| {
        let (out, data) = (home.path().join(name), home.path().join(format!("{name}-data")));
        let arguments = ["market", "walk", text(&folder), "--sims", "20", "--model", "bootstrap", "--json"];
        let more = ["--out".to_owned(), text(&out).to_owned(), "--data-dir".to_owned(), text(&data).to_owned()];
        (out, arguments.map(str::to_owned).into_iter().chain(more).collect::<Vec<String>>())
    };
    let run = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        super::common::end(&mut home.command(&arguments))
    };
    let (whole, arguments) = walk("whole");
    assert_eq!(run(&arguments).code, 0);
    let (stopped, arguments) = walk("stopped");
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = home.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let parts = stopped.join("parts");
    let began = Instant::now();
    while fs::read_dir(&parts).map_or(0, Iterator::count) < 64 {
        assert!(began.elapsed() < Duration::from_secs(120), "no part was finished");
        std::thread::sleep(Duration::from_millis(5));
    }
    interrupt(&child);
    let ended = child.wait_with_output().expect("ended");
    let told: Value = serde_json::from_slice(&ended.stdout).expect("one document");
    assert_eq!((ended.status.code(), &told["kind"]), (Some(1), &"failed".into()), "{told}");
    assert!(told["error"].as_str().is_some_and(|error| error.starts_with("stopped: ")), "{told}");
    assert!(!stopped.join("summary.json").exists(), "no table of a part");
    let resumed: Value = serde_json::from_str(&run(&arguments).out).expect("one document");
    assert!(resumed["resumed"].as_u64() >= Some(32), "{}", resumed["resumed"]);
    for table in ["folds.parquet", "summary.csv", "summary.json"] {
        assert!(fs::read(whole.join(table)).expect("read") == fs::read(stopped.join(table)).expect("read"), "{table}");
    }
}

#[test]
fn ctrl_c_ends_the_program_that_forecasts() {
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 1, 150);
    // Says never who it is, and writes down its number.
    let told = home.path().join("number");
    let host = format!("host:sh -c 'echo $$ > {}; exec sleep 600'", text(&told));
    let mut command = home.command(&["market", "walk", text(&folder), "--model", &host]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let began = Instant::now();
    let number = loop {
        let number = fs::read_to_string(&told).unwrap_or_default();
        if number.ends_with('\n') {
            break number.trim().to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it was never started");
        std::thread::sleep(Duration::from_millis(5));
    };
    let alive = || fs::read_to_string(format!("/proc/{number}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(alive());
    interrupt(&child);
    let ended = child.wait_with_output().expect("ended");
    let words = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(1) && words.contains("cancelled"), "{:?} {words}", ended.status);
    assert!(!alive(), "{number} goes on");
}

/// Answers with the last value; kills itself amid a request as often as its file says.
const MORTAL: &str = r#"
import os, signal, sys
import numpy as np
from railbird_forecaster import serve, LEVELS

def forecast(contexts, horizon, seed):
    deaths = int(open(sys.argv[1]).read())
    if deaths > 0:
        open(sys.argv[1], "w").write(str(deaths - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    spread = np.array(LEVELS) - 0.5
    return [context[-1] + np.std(context) * np.outer(np.arange(1, horizon + 1), spread) for context in contexts]

serve(forecast, model="mortal/1")
"#;

#[test]
fn a_host_that_is_killed_amid_a_walk_changes_no_byte() {
    let python = env::var("RAILBIRD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import numpy, pyarrow"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        assert!(env::var_os("CI").is_none(), "{python} lacks numpy or pyarrow");
        return println!("skipped: {python} lacks numpy or pyarrow");
    }
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 3, 150);
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/railbird_forecaster.py");
    fs::copy(client, home.path().join("railbird_forecaster.py")).expect("copied");
    fs::write(home.path().join("host.py"), MORTAL).expect("written");
    let results = ["0", "2"].map(|deaths| {
        let told = home.path().join(format!("deaths{deaths}"));
        fs::write(&told, deaths).expect("written");
        let (out, data) = (home.path().join(format!("out{deaths}")), home.path().join(format!("data{deaths}")));
        let host = format!("host:{python} host.py {}", text(&told));
        let flags = ["--sims", "20", "--model", &host, "--out", text(&out), "--data-dir", text(&data)];
        let (code, document) = home.json(&[&["market", "walk", text(&folder)], &flags[..]].concat());
        assert_eq!((code, fs::read_to_string(&told).expect("read").as_str()), (0, "0"), "{document}");
        ["folds.parquet", "summary.csv", "summary.json"].map(|table| fs::read(out.join(table)).expect("read"))
    });
    assert!(results[0] == results[1]);
}

#[test]
fn the_trees_of_the_page_forecast() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/market-forecasters.md");
    let page = fs::read_to_string(page).expect("the page");
    let mut blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let (_, model) = blocks.find(|(_, text)| text.starts_with("tree\n")).expect("a model in the page");
    let home = Home::new();
    let folder = bars(&home.path().join("bars"), 2, 150);
    fs::write(home.path().join("model.txt"), model).expect("written");
    let (code, document) = home.json(&["market", "forecast", text(&folder), "--model", "lightgbm:model.txt"]);
    assert_eq!(code, 0, "{document}");
    for row in document["forecasts"].as_array().expect("a list") {
        // The page says: up by 0.1 % after a day that fell, else down by 0.05 %.
        let change = row["median"].as_f64().expect("a median") / row["last"].as_f64().expect("a price") - 1.0;
        assert!((change - 0.001).abs() < 1e-12 || (change + 0.0005).abs() < 1e-12, "{row}");
    }
    let (code, walked) = home.json(&["market", "walk", text(&folder), "--sims", "20", "--model", "lightgbm:model.txt"]);
    assert_eq!((code, walked["missing"].as_u64()), (0, Some(0)), "{walked}");
}
