//! `railbird book` through the real binary: whole files or none, exit codes, counts that add up.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Home, all, text};

const NAMES: &str = "ts_event,ts_recv,action,side,price,size,flags,sequence,symbol,\
                     bid_px_00,bid_sz_00,bid_ct_00,ask_px_00,ask_sz_00,ask_ct_00\n";

/// A text file of so many rows, three a second, with a book of one level.
fn ticks(home: &Home, name: &str, rows: u64, flags: u8) -> PathBuf {
    let mut lines = NAMES.to_owned();
    for row in 0..rows {
        let (time, size) = (1_000_000_000_000 + row * 333_333_333, 1 + row * 7 % 50);
        let received = time + 165_000;
        let action = ['A', 'C', 'T'][row as usize % 3];
        lines.push_str(&format!("{time},{received},{action},B,9.5,{size},{flags},{row},ABC,9.5,{size},1,9.51,20,2\n"));
    }
    let path = home.path().join(name);
    fs::write(&path, lines).expect("the ticks are written");
    path
}

#[test]
fn killed_while_it_writes_it_leaves_a_whole_file_or_none() {
    let kills = if all() { 50 } else { 20 };
    let home = Home::new();
    let input = ticks(&home, "ticks.csv", 20_000, 128);
    let out = home.path().join("whole");
    let started = Instant::now();
    let (code, made) = home.json(&["book", "bars", text(&input), "--out", text(&out), "--point", "0.05"]);
    assert_eq!((code, &made["rows"], &made["columns"]), (0, &20_000.into(), &292.into()), "{made}");
    let took_us = u64::try_from(started.elapsed().as_micros()).expect("a short time").max(1000);
    let want = fs::read(out.join("ticks.bars.parquet")).expect("the bars");
    let (mut absent, mut present) = (0, 0);
    for kill in 0..kills {
        let folder = home.path().join(format!("killed-{kill}"));
        let arguments = ["book", "bars", text(&input), "--out", text(&folder), "--point", "0.05"];
        let mut command = home.command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        thread::sleep(Duration::from_micros(took_us * 11 / 10 * kill / kills));
        // Already ended is as good a moment as any.
        let _ = child.kill();
        child.wait().expect("it ends");
        match fs::read(folder.join("ticks.bars.parquet")) {
            Ok(bytes) => {
                present += 1;
                assert!(bytes == want, "kill {kill}: another file");
            }
            Err(_) => absent += 1,
        }
        assert_eq!(home.run(&arguments).code, 0, "kill {kill}, again");
        assert!(fs::read(folder.join("ticks.bars.parquet")).expect("the bars") == want, "kill {kill}, again");
        assert_eq!(
            fs::read_dir(&folder).expect("the folder").count(),
            1,
            "kill {kill}: what was half written is swept"
        );
    }
    eprintln!("{kills} kills within {:.0} ms: absent {absent}, whole {present}", took_us as f64 / 1e3);
    assert!(absent > 0, "no kill came before the end: the test shows nothing");
}

#[test]
fn exit_codes_say_how_it_ended() {
    let home = Home::new();
    let good = ticks(&home, "good.csv", 30, 128);
    let endless = ticks(&home, "endless.csv", 30, 0);
    let wrong = home.path().join("wrong.csv");
    fs::write(&wrong, "a,b\n1,2\n").expect("a file");
    let out = home.path().join("out");
    let code = |more: &[&str]| {
        let mut arguments = vec!["book", "bars", "--out", text(&out)];
        arguments.extend(more);
        let ended = home.run(&arguments);
        (ended.code, ended.err)
    };
    assert_eq!(code(&[text(&good), "--point", "0.05"]).0, 0);
    assert_eq!(code(&[text(&good), "--bar", "5"]).0, 2);
    assert_eq!(code(&[text(&good), "--columns", "nothing"]).0, 2);
    assert_eq!(code(&[text(&good), text(&good)]).0, 2);
    let (refused, why) = code(&[text(&wrong)]);
    assert!(refused == 3 && why.contains("wrong.csv") && why.contains("no column ts_event"), "{why}");
    assert_eq!(code(&[text(&good), text(&wrong), "--point", "0.05"]).0, 4);
    let (partly, why) = code(&[text(&endless), "--point", "0.05"]);
    assert!(partly == 4 && why.contains("--events row"), "{why}");
    assert_eq!(code(&[text(&endless), "--point", "0.05", "--events", "row"]).0, 0);
}

#[test]
fn columns_are_listed_and_the_counts_of_a_check_add_up() {
    let home = Home::new();
    let (code, listed) = home.json(&["book", "columns"]);
    assert_eq!((code, listed["columns"].as_array().map(Vec::len)), (0, Some(292)));
    assert_eq!(listed["columns"][4]["name"], "mid_twa");
    let count = |table: &str| listed[table].as_array().map(Vec::len);
    assert_eq!((count("features"), count("outcomes"), count("vectors")), (Some(190), Some(3), Some(48)));
    let difference = listed["features"].as_array().into_iter().flatten().find(|column| column["name"] == "dist_d1_w3");
    assert_eq!(difference.expect("a difference")["old_name"], "bar5s_deriv_dist_d1_w3");
    let (code, some) = home.json(&["book", "columns", "--table", "vectors", "--family", "relative_volume"]);
    assert_eq!(
        (code, some["vectors"].as_array().map(Vec::len), &some["columns"]),
        (0, Some(2), &serde_json::json!([]))
    );
    assert_eq!(home.run(&["book", "columns", "--family", "nothing"]).code, 2);
    let input = ticks(&home, "ticks.csv", 30, 128);
    let damaged = fs::read_to_string(&input).expect("the ticks").replacen(",1,128,0,", ",x,128,0,", 1);
    fs::write(&input, damaged).expect("the ticks are written");
    let (code, checked) = home.json(&["book", "check", text(&input)]);
    let file = &checked["files"][0];
    assert_eq!((code, &file["rows"], &file["accounted"]), (0, &30.into(), &30.into()), "{checked}");
    assert_eq!(file["rejected"]["size below 0 or too large"], 1, "{checked}");
}

#[test]
fn tables_are_exported_by_our_names_or_the_older_ones() {
    let home = Home::new();
    let input = ticks(&home, "ticks.csv", 3_000, 128);
    let bars = home.path().join("bars");
    assert_eq!(home.run(&["book", "bars", text(&input), "--out", text(&bars), "--point", "0.05"]).code, 0);
    let export = |names: &str| {
        let out = home.path().join(names);
        let export = ["book", "export", text(&bars), "--out", text(&out), "--names", names, "--point", "0.05"];
        let (code, told) = home.json(&[&export[..], &["--table", "bars", "--table", "features"]].concat());
        assert_eq!((code, told["written"].as_array().map(Vec::len)), (0, Some(2)), "{told}");
        // Names of columns stand as they are in the last bytes of a Parquet file.
        ["ticks.bars.parquet", "ticks.ABC.features.parquet"].map(|name| {
            let bytes = fs::read(out.join(name)).expect("the table");
            move |column: &str| bytes.windows(column.len()).any(|window| window == column.as_bytes())
        })
    };
    let ([bars, features], [old_bars, old_features]) = (export("own"), export("old"));
    assert!(features("dist_d1_w12") && !features("bar5s_deriv_"));
    assert!(
        old_features("bar5s_deriv_dist_d1_w12") && old_features("bars_to_trigger") && !old_features("imb_1_d1_w12")
    );
    assert!(bars("wmid_eob") && !bars("bar5s_"));
    assert!(old_bars("bar5s_flow_add_vol_") && old_bars("bar_start") && !old_bars("flow_add_bid_p1_sum"));
    // Never over what is read.
    assert_eq!(
        home.run(&[
            "book",
            "export",
            text(&home.path().join("bars")),
            "--out",
            text(&home.path().join("bars")),
            "--names",
            "old"
        ])
        .code,
        2
    );
}
