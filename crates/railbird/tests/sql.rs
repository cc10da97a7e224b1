//! `railbird sql` through the real binary, over a lake that `railbird book run` made. Built with the feature `sql` alone.

#![expect(clippy::print_stderr, reason = "what is shared says aloud what it skipped")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

#[path = "binary/common.rs"]
#[expect(dead_code, reason = "the tests of the other commands use the rest")]
mod common;

use common::{Ended, Home, text};

/// A lake of three short days, made once.
fn lake() -> &'static (Home, PathBuf) {
    static LAKE: OnceLock<(Home, PathBuf)> = OnceLock::new();
    LAKE.get_or_init(|| {
        let home = Home::new();
        let (ticks, lake) = (home.path().join("ticks"), home.path().join("lake"));
        let dates = ["--symbol", "SIM", "--dates", "2024-03-04:2024-03-06"];
        let mut simulate = vec!["book", "simulate", "--out", text(&ticks), "--rows", "60000", "--seed", "7"];
        simulate.extend(dates);
        assert_eq!(home.json(&simulate).0, 0);
        let mut run = vec!["book", "run", "--source", text(&ticks), "--lake", text(&lake)];
        run.extend(dates);
        let (code, ran) = home.json(&run);
        assert_eq!(code, 0, "{ran}");
        (home, lake)
    })
}

fn sql(arguments: &[&str]) -> Ended {
    let (home, lake) = lake();
    let mut all = vec!["sql", "--lake", text(lake)];
    all.extend(arguments);
    home.run(&all)
}

#[track_caller]
fn document(query: &str) -> Value {
    let ended = sql(&[query, "--json"]);
    let document: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(ended.code, 0, "{document}");
    document
}

#[test]
fn one_document_holds_columns_rows_and_what_was_read() {
    let (home, lake) = lake();
    let answer =
        document("SELECT date, count(*) AS bars FROM bars WHERE date >= '2024-03-05' GROUP BY date ORDER BY date");
    assert_eq!(
        answer["columns"],
        serde_json::json!([{"name": "date", "type": "Date32"}, {"name": "bars", "type": "Int64"}])
    );
    assert_eq!((&answer["row_count"], &answer["more"]), (&2.into(), &false.into()));
    let read = &answer["read"];
    assert_eq!((&read["partitions"], &read["partitions_kept"], &read["files"]), (&3.into(), &2.into(), &2.into()));
    // As many as the run said, in the order of dates.
    for (row, date) in answer["rows"].as_array().expect("rows").iter().zip(["2024-03-05", "2024-03-06"]) {
        assert_eq!(row["date"], date);
        let manifest = lake.join(format!("stage=bars/symbol=SIM/date={date}/manifest.json"));
        let manifest: Value = serde_json::from_slice(&fs::read(manifest).expect("a manifest")).expect("JSON");
        assert_eq!(row["bars"], manifest["outputs"][0]["rows"]);
    }
    let cut = home.json(&["sql", "--lake", text(lake), "SELECT * FROM bars", "--limit-rows", "3"]).1;
    assert_eq!((&cut["row_count"], &cut["more"]), (&3.into(), &true.into()));
    assert_eq!(cut["columns"].as_array().map(Vec::len), Some(293), "those of the contract, and the date");
    let tables = document("SHOW TABLES");
    let names: Vec<&str> =
        tables["rows"].as_array().expect("rows").iter().filter_map(|row| row["table_name"].as_str()).collect();
    let want = "bars episodes features levels outcomes profiles relative_volume spans vectors";
    assert_eq!(names.join(" "), want);
}

#[test]
fn what_the_page_shows_can_be_asked() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql.md");
    let page = fs::read_to_string(page).expect("the page");
    let blocks = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let mut asked = 0;
    let home = Home::new();
    let file = home.path().join("question.sql");
    for block in blocks {
        fs::write(&file, block).expect("the file");
        let (code, answer) = home.json(&["sql", "--file", text(&file), "--lake", text(&lake().1)]);
        assert_eq!(code, 0, "{block}{answer}");
        assert!(answer["row_count"].as_u64().is_some_and(|rows| rows > 0), "no row: {block}");
        asked += 1;
    }
    assert!(asked >= 6, "{asked} examples");
    let bars =
        document("SELECT count(*) AS n FROM bars WHERE symbol = 'SIM' AND date BETWEEN '2024-03-04' AND '2024-03-05'");
    assert_eq!(bars["read"]["partitions_kept"], 2);
}

#[test]
fn every_form_says_the_same() {
    let (home, _) = lake();
    let query =
        "SELECT bar_start, trade_n_sum, trade_vwap FROM bars WHERE date = '2024-03-05' ORDER BY bar_start LIMIT 300";
    let rows = document(query)["rows"].clone();
    let rows = rows.as_array().expect("rows");
    assert!(rows.iter().any(|row| row["trade_vwap"].is_null()) && rows.iter().any(|row| row["trade_vwap"].is_f64()));
    let json = sql(&[query, "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&json.out).expect("JSON").as_array(), Some(rows));
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let csv = sql(&[query, "--format", "csv"]);
    let want: Vec<String> = rows
        .iter()
        .map(|row| ["bar_start", "trade_n_sum", "trade_vwap"].map(|name| cell(&row[name])).join(","))
        .collect();
    assert_eq!(csv.out.lines().next(), Some("bar_start,trade_n_sum,trade_vwap"));
    assert_eq!(csv.out.lines().skip(1).collect::<Vec<_>>(), want);
    for name in ["rows.csv", "rows.json", "rows.parquet"] {
        let out = home.path().join(name);
        assert_eq!(sql(&[query, "--out", text(&out)]).code, 0);
        match name {
            "rows.csv" => assert_eq!(fs::read_to_string(&out).expect("the file"), csv.out),
            "rows.json" => assert_eq!(fs::read_to_string(&out).expect("the file"), json.out),
            _ => assert!(fs::read(&out).expect("the file").starts_with(b"PAR1")),
        }
    }
    let table = sql(&[query]);
    assert_eq!(table.out.lines().count(), 301, "a head, and all that is asked for");
    let table = sql(&["SELECT bar_start FROM bars", "--limit-rows", "5"]);
    assert_eq!(table.out.lines().count(), 6);
    let all = document("SELECT count(*) AS n FROM bars")["rows"][0]["n"].as_u64().expect("a number");
    assert!(table.err.contains(&format!("{} more rows", all - 5)), "{}", table.err);
}

#[test]
fn how_it_ended_is_in_the_exit_code() {
    let (home, lake) = lake();
    let out = home.path().join("none.csv");
    let check = |arguments: &[&str], code: i32, words: &str| {
        let ended = sql(arguments);
        assert!(ended.code == code && ended.err.contains(words), "{arguments:?}: {ended:?}");
    };
    check(&["SELECT (1 FROM bars"], 2, "line 1, column 11");
    check(&["SELECT trade_volume FROM bars"], 2, "trade_volume");
    check(&["SELECT * FROM trades"], 2, "not in this lake; it holds bars, episodes");
    check(&["DROP TABLE bars"], 2, "only read");
    check(&["SELECT 1", "--out", "rows.xlsx"], 2, "csv, json or parquet");
    check(&["SELECT 1", "--json", "--format", "csv"], 2, "");
    check(&[], 2, "");
    check(&["SELECT bar_start / 0 FROM bars", "--out", text(&out)], 2, "");
    check(&["SELECT 1 / (trade_n_sum - trade_n_sum) FROM bars", "--out", text(&out)], 1, "ivide by zero");
    assert!(!out.exists(), "no half of a file");
    check(&["--file", "nothing.sql"], 3, "nothing.sql");
    let nowhere = home.run(&["sql", "SELECT 1", "--lake", "nowhere"]);
    assert!(nowhere.code == 3 && nowhere.err.contains("no lake there"), "{nowhere:?}");
    assert!(!home.path().join("nowhere").exists());
    let file = home.path().join("question.sql");
    fs::write(&file, "SELECT count(*) AS n\nFROM episodes").expect("the file");
    check(&["--file", text(&file)], 0, "");
    // With --json, wrong usage is one document too.
    let (code, wrong) = home.json(&["sql", "--lake", text(lake), "SELECT nothing FROM bars"]);
    assert_eq!((code, &wrong["kind"], &wrong["exit_code"]), (2, &"usage".into(), &2.into()), "{wrong}");
}

#[test]
fn ctrl_c_ends_a_join_under_way() {
    let (home, lake) = lake();
    let endless = "SELECT count(*) FROM bars a, bars b, bars c WHERE a.mid_eob + b.mid_eob < c.mid_eob";
    let mut command = home.command(&["sql", "--lake", text(lake), endless]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    thread::sleep(Duration::from_secs(2));
    assert!(child.try_wait().expect("its state").is_none(), "it would take days");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
    assert!(kill.success());
    let until = Instant::now() + Duration::from_secs(30);
    let status = loop {
        if let Some(status) = child.try_wait().expect("its state") {
            break status;
        }
        if Instant::now() > until {
            child.kill().expect("it is there");
            panic!("it did not hear Ctrl-C");
        }
        thread::sleep(Duration::from_millis(50));
    };
    let said = std::io::read_to_string(child.stderr.take().expect("its words")).expect("text");
    assert!(status.code() == Some(1) && said.contains("stopped by Ctrl-C"), "{status}: {said}");
}
