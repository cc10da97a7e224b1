//! `railbird market signals`, `audit` and `forecast`, `railbird optimize jones` and `railbird cache`: one good run each,
//! and how they end where something is wrong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::common::Home;

/// Daily closes that rise by `rise` a bar and fall by as much for every third one. The open is the close before.
fn bars(home: &Home, count: i64) -> String {
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    let mut price = 100.0;
    for bar in 0..count {
        let open: f64 = price;
        price *= if bar % 3 == 2 { 0.98 } else { 1.02 };
        let (high, low) = (open.max(price) * 1.001, open.min(price) * 0.999);
        text.push_str(&format!("{},{open},{high},{low},{price},1000\n", (18_262 + bar) * 86_400));
    }
    write(home, "UP.csv", &text)
}

/// Buys before the two rises and leaves before the fall.
fn signals(home: &Home, count: i64) -> String {
    let mut text = "timestamp,long_entry,long_exit\n".to_owned();
    for bar in 0..count {
        text.push_str(&format!("{},{},{}\n", (18_262 + bar) * 86_400, u8::from(bar % 3 == 2), u8::from(bar % 3 == 1)));
    }
    write(home, "signals.csv", &text)
}

fn write(home: &Home, name: &str, content: &str) -> String {
    let path = home.path().join(name);
    fs::write(&path, content).expect("written");
    text(&path)
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// A program that buys where a close is below `mean`, which it computes by itself.
fn program(home: &Home, name: &str, mean: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\nawk -F, 'NR > 1 {{ n++; t[n] = $2; c[n] = $6; sum += $6 }}\n\
         END {{ print \"timestamp,long_entry,long_exit\"\n\
         for (i = 1; i <= n; i++) {{ past += c[i]; mean = {mean}\n\
         print t[i] \",\" (c[i] < mean) \",\" (c[i] > mean) }} }}'\n"
    );
    PathBuf::from(write(home, name, &script))
}

#[test]
fn market_signals_trades_as_the_table_says() {
    let home = Home::new();
    let (bars, signals) = (bars(&home, 120), signals(&home, 120));
    let log = text(&home.path().join("trades.csv"));
    let run = |more: &[&str]| {
        home.json(&[&["market", "signals", &bars, "--signals", &signals, "--fee-bp", "0"], more].concat())
    };
    let (code, document) = run(&["--trades", &log, "--permutations", "50"]);
    assert_eq!(code, 0, "{document}");
    let account = &document["accounts"][0];
    // 39 times two rises of 2 %: what is bought at the open behind the fall is sold at the open before the next one.
    assert_eq!(account["pessimistic"]["counts"]["trades"], 39, "{account}");
    let total = account["pessimistic"]["metrics"]["total"].as_f64().expect("a number");
    assert!((total / (1.02_f64.powi(2 * 39) - 1.0) - 1.0).abs() < 0.05, "{total}");
    assert!(account["permuted"]["p"].as_f64() < Some(0.6), "{account}");
    let trades = fs::read_to_string(&log).expect("a log");
    assert_eq!(trades.lines().count(), 40, "{trades}");
    assert!(trades.lines().nth(1).is_some_and(|line| line.starts_with("UP,long,") && line.ends_with(",signal")));
    // The same bytes again.
    assert_eq!(run(&["--permutations", "50"]).1, document);

    let (code, stopped) = run(&["--stop-loss", "1", "--take-profit", "1.5"]);
    let counts = &stopped["accounts"][0]["pessimistic"]["counts"];
    assert!(code == 0 && counts["reached"].as_u64() > Some(30), "{counts}");
}

#[test]
fn a_hold_out_opens_once() {
    let home = Home::new();
    let (bars, signals) = (bars(&home, 120), signals(&home, 120));
    let run = |more: &[&str]| {
        let all = ["market", "signals", &bars, "--signals", &signals, "--holdout", "2020-03-01"];
        home.json(&[&all, more].concat())
    };
    let (code, before) = run(&[]);
    assert_eq!((code, &before["accounts"][0]["steps"]), (0, &60.into()), "{before}");
    let (code, opened) = run(&["--open-holdout"]);
    assert_eq!((code, &opened["accounts"][0]["steps"]), (0, &60.into()), "{opened}");
    for (more, said) in [(&["--open-holdout"][..], "with the same"), (&["--open-holdout", "--short"], "with other")] {
        let (code, refused) = run(more);
        assert_eq!(code, 3, "{refused}");
        assert!(refused["error"].as_str().is_some_and(|error| error.contains(said)), "{refused}");
    }
    assert_eq!(run(&[]).1, before);
}

#[test]
fn an_audit_finds_the_program_that_looks_ahead() {
    let home = Home::new();
    let (bars, signals) = (bars(&home, 90), signals(&home, 90));
    let audit = |more: &[&str]| home.json(&[&["market", "audit", &bars, "--cuts", "4"], more].concat());
    let (code, document) = audit(&["--signals", &signals]);
    assert_eq!((code, &document["clean"]), (0, &true.into()), "{document}");
    let honest = text(&program(&home, "honest.sh", "past / i"));
    let ahead = text(&program(&home, "ahead.sh", "sum / n"));
    // `--json` stands before the program, which gets what comes after `--`.
    let audit = |program: &[&str]| {
        let ended = home
            .run(&[&["market", "audit", &bars, "--cuts", "4", "--deadline", "2", "--json", "--"], program].concat());
        let document: serde_json::Value = serde_json::from_str(&ended.out).expect("a document");
        (ended.code, document)
    };
    let (code, document) = audit(&["sh", &honest]);
    assert_eq!((code, &document["program"]["differences"]), (0, &serde_json::json!([])), "{document}");
    assert!(document["program"]["compared"].as_u64() > Some(100), "{document}");
    let (code, document) = audit(&["sh", &ahead]);
    assert_eq!((code, &document["clean"]), (1, &false.into()), "{document}");
    assert_eq!(document["back_test"]["differences"], serde_json::json!([]));
    for (program, said) in [
        (&["false"][..], "ended with exit status: 1"),
        (&["/no/such/program"], "expected a program that can be run"),
        (&["sh", "-c", "sleep 30 2>/dev/null; true"], "gave no answer in 2 s"),
    ] {
        let began = std::time::Instant::now();
        let (code, document) = audit(program);
        assert_eq!(code, 1, "{document}");
        assert!(document["error"].as_str().is_some_and(|error| error.contains(said)), "{document}");
        assert!(began.elapsed().as_secs() < 20, "{program:?} was waited for");
    }
}

#[test]
fn what_cannot_be_traded_is_refused_with_its_place() {
    let home = Home::new();
    let (bars, signals) = (bars(&home, 90), signals(&home, 90));
    let broken = write(&home, "broken.csv", "timestamp,long_entry\n2020-01-01,maybe\n");
    let other = write(&home, "other.csv", "timestamp,symbol,long_entry\n2020-01-01,DOWN,1\n");
    for (arguments, code, said) in [
        (&["signals", &bars][..], 2, "name a table with --signals"),
        (&["signals", &bars, "--signals", &signals, "--enter", "1", "--exit", "2"], 2, "--exit 2 is above --enter 1"),
        (&["signals", &bars, "--signals", &signals, "--cash", "0"], 2, "cash: expected above 0, found 0"),
        (&["signals", &bars, "--signals", &signals, "--from", "soon"], 2, "expected a date"),
        (&["signals", &bars, "--signals", &signals, "--from", "2031-01-01"], 3, "no bar in the dates asked for"),
        (&["signals", &bars, "--signals", &broken], 3, "broken.csv, line 2: long_entry: found \"maybe\""),
        (&["signals", &bars, "--signals", &other], 3, "no row of UP"),
        (&["audit", &bars], 2, "name a table with --signals, or a program behind --"),
        (&["redundancy", "--sims", "0"], 2, "sims: expected 1 to the number of days, found 0"),
    ] {
        let (found, document) = home.json(&[&["market"], arguments].concat());
        assert_eq!(found, code, "{document}");
        assert!(document["error"].as_str().is_some_and(|error| error.contains(said)), "{said}: {document}");
    }
}

#[test]
fn market_forecast_fills_the_cache_which_is_looked_after() {
    let home = Home::new();
    let bars = bars(&home, 90);
    let (code, first) = home.json(&["market", "forecast", &bars]);
    assert_eq!((code, first["forecasts"].as_array().map(Vec::len)), (0, Some(4)), "{first}");
    assert_eq!(home.json(&["market", "forecast", &bars]).1, first);
    let entries = |arguments: &[&str]| {
        let (code, document) = home.json(&[&["cache"], arguments].concat());
        assert_eq!(code, 0, "{document}");
        (document["entries"].as_u64(), document["removed"].as_u64(), document["verified"].clone())
    };
    assert_eq!(entries(&["stats"]).0, Some(4));
    assert_eq!(entries(&["verify"]).2, serde_json::json!({"checked": 4, "damaged": 0}));
    assert_eq!(entries(&["gc"]), (Some(4), Some(0), serde_json::Value::Null));
    assert_eq!(entries(&["gc", "--keep", "0"]), (Some(0), Some(4), serde_json::Value::Null));
    home.json(&["market", "forecast", &bars]);
    assert_eq!(entries(&["clear"]), (Some(0), Some(4), serde_json::Value::Null));

    let short = write(&home, "SHORT.csv", "timestamp,open,high,low,close\n2020-01-01,1,1,2,1\n");
    let (code, document) = home.json(&["market", "forecast", &short]);
    assert_eq!((code, document["refused"].as_array().map(Vec::len)), (3, Some(1)), "{document}");
    let (code, document) = home.json(&["market", "forecast", &bars, &short]);
    assert_eq!((code, document["forecasts"].as_array().map(Vec::len)), (4, Some(4)), "{document}");
}

#[test]
fn optimize_jones_counts_as_published() {
    let (code, document) = Home::new().json(&["optimize", "jones"]);
    assert_eq!((code, &document["equal"]), (0, &true.into()), "{document}");
    let rows = document["rows"].as_array().expect("rows");
    let counts = |method: &str| -> Vec<u64> {
        let own = rows.iter().filter(|row| row["method"] == method);
        own.map(|row| row["evaluations"].as_u64().expect("a count")).collect()
    };
    // Jones and others (1993), Gablonsky (2001).
    assert_eq!(counts("direct"), [155, 145, 145, 199, 571, 195, 191, 285, 2967]);
    assert_eq!(counts("direct-l"), [147, 141, 139, 111, 295, 159, 115, 191, 2043]);
}
