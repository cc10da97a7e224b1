//! The command line as users meet it: exit codes, one JSON document, errors that name their place, settings with origins.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::common::{Home, archive, copy, text};

#[test]
fn wrong_usage_is_2_and_says_what_was_expected() {
    let home = Home::new();
    for arguments in [
        &["f1"][..],
        &["f1", "laps"],
        &["f1", "import", "--agian", "x"],
        &["f1", "simulate", "--out", "x", "--drivers", "99"],
    ] {
        let ended = home.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}: {ended:?}");
        assert!(!ended.err.is_empty(), "{arguments:?}");
        let (code, document) = home.json(arguments);
        assert_eq!((code, &document["exit_code"], &document["kind"]), (2, &2.into(), &"usage".into()), "{document}");
    }
    let ended = home.run(&["--help"]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains("f1") && ended.out.contains("completions"), "{}", ended.out);
}

#[test]
fn refused_input_is_3_names_it_and_leaves_nothing() {
    let home = Home::new();
    let empty = home.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let noise = home.path().join("noise.txt");
    fs::write(&noise, "no record\nof anything\n").expect("a file");
    for input in ["gone", text(&empty), text(&noise)] {
        let ended = home.run(&["f1", "import", input]);
        assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{input}: {ended:?}");
        assert!(ended.err.contains(input) && ended.err.contains("expected"), "{}", ended.err);
        let (code, document) = home.json(&["f1", "import", input]);
        assert_eq!((code, &document["kind"]), (3, &"refused".into()), "{document}");
        assert!(document["error"].as_str().is_some_and(|error| error.contains(input)), "{document}");
    }
    assert!(!home.data().exists(), "{:?}", home.files().keys());
}

#[test]
fn a_failure_is_1_and_says_what_to_do() {
    let home = Home::new();
    let ended = home.run(&["f1", "laps", "monza"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("monza") && ended.err.contains("f1 import"), "{}", ended.err);
}

#[test]
fn a_stream_that_cannot_be_read_is_4_and_listed() {
    let home = Home::new();
    let broken = home.path().join("broken");
    copy(archive(), &broken);
    // A folder in the place of a stream can be found and not be read.
    let weather = broken.join("WeatherData.jsonStream");
    if weather.exists() {
        fs::remove_file(&weather).expect("the file goes");
    }
    fs::create_dir(&weather).expect("a folder");
    let (code, document) = home.json(&["f1", "import", text(&broken)]);
    assert_eq!(code, 4, "{document}");
    let skipped = document["skipped"].as_array().expect("a list");
    assert!(skipped.len() == 1 && skipped[0]["stream"] == text(&weather), "{document}");
    let (code, document) = home.json(&["f1", "import", text(archive()), "gone"]);
    assert_eq!(code, 4, "{document}");
    assert_eq!(
        (document["imports"].as_array().map(Vec::len), &document["refused"][0]["input"]),
        (Some(1), &"gone".into())
    );
}

#[test]
fn a_stream_without_one_good_record_is_4_and_listed() {
    let home = Home::new();
    let broken = home.path().join("broken");
    copy(archive(), &broken);
    fs::write(broken.join("TrackStatus.jsonStream"), "00:00:01.000{\r\n00:00:02.000nothing\r\n").expect("a file");
    let (code, document) = home.json(&["f1", "import", text(&broken)]);
    assert_eq!((code, &document["skipped"][0]["stream"]), (4, &"TrackStatus".into()), "{document}");
    assert!(document["rejected"].as_object().is_some_and(|reasons| !reasons.is_empty()), "{document}");
}

#[test]
fn an_import_prints_what_it_read_and_stage_times_that_add_up() {
    let home = Home::new();
    let imported = home.import(archive());
    for key in [
        "session",
        "version",
        "drivers",
        "laps",
        "car_samples",
        "position_samples",
        "rejected",
        "chunks",
        "chunk_bytes",
        "seconds",
        "peak_memory_bytes",
    ] {
        assert!(!imported[key].is_null(), "{key} is missing: {imported}");
    }
    assert_eq!((&imported["drivers"], &imported["change"]), (&6.into(), &"new".into()));
    let stages = imported["stages"].as_array().expect("stages");
    let sum: f64 = stages.iter().filter_map(|stage| stage["seconds"].as_f64()).sum();
    assert!((sum - imported["seconds"].as_f64().expect("seconds")).abs() < 1e-9, "{imported}");
    assert!(home.run(&["f1", "import", text(archive())]).err.is_empty(), "no progress bar in a pipe");
}

#[test]
fn tables_have_their_columns() {
    let home = Home::new();
    home.import(archive());
    let order = home.run(&["f1", "order", "latest", "--at-line"]).out;
    let mut lines = order.lines();
    assert_eq!(lines.next(), Some("lap,driver,position,gap_s,interval_s"));
    let first: Vec<&str> = lines.next().expect("a crossing").split(',').collect();
    assert_eq!((first[0], first[2], first[3]), ("1", "1", "0.000"), "{order}");
    assert!(lines.count() >= 10, "{order}");

    let laps = home.run(&["f1", "laps", "latest", "--format", "csv"]).out;
    assert!(
        laps.starts_with("Time,Driver,DriverNumber,LapTime,LapNumber,Stint,PitOutTime,PitInTime,Sector1Time,"),
        "{laps}"
    );
    let row: Vec<&str> = laps.lines().nth(2).expect("a lap").split(',').collect();
    let driver = row[1];
    let lap_time: f64 = row[3].parse().expect("lap 2 has a time in seconds");
    assert!((40.0..200.0).contains(&lap_time), "{lap_time}");
    let one = home.run(&["f1", "laps", "latest", "--format", "csv", "--drivers", driver, "--laps", "2"]).out;
    assert_eq!(one.lines().count(), 2, "{one}");

    let merged = home.run(&["f1", "telemetry", "latest", "--driver", driver, "--lap", "2", "--format", "csv"]).out;
    assert!(merged.starts_with("Date,SessionTime,Time,RPM,Speed,nGear,Throttle,Brake,DRS,X,Y,Z,"), "{merged}");
    assert!(merged.lines().count() > 100);

    let exported = home.path().join("laps.parquet");
    assert_eq!(home.run(&["f1", "export", "latest", "--out", text(&exported)]).code, 0);
    assert!(fs::read(&exported).expect("the file").starts_with(b"PAR1"));
}

#[test]
fn a_session_is_found_by_id_version_and_part() {
    let home = Home::new();
    let imported = home.import(archive());
    let (id, version) = (imported["session"].as_str().expect("id"), imported["version"].as_str().expect("version"));
    let want = home.run(&["f1", "order", id]);
    assert_eq!(want.code, 0, "{want:?}");
    for words in [version, "latest", &id[..id.len() - 1], &id.to_uppercase()] {
        assert_eq!(home.run(&["f1", "order", words]).out, want.out, "{words}");
    }
    let other = home.path().join("other");
    crate::common::simulate(&home, &other, 6);
    home.import(&other);
    let ended = home.run(&["f1", "order", "20"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("several"), "{}", ended.err);
}

#[test]
fn every_json_answer_is_one_document() {
    let home = Home::new();
    home.import(archive());
    let driver = home.json(&["f1", "laps", "latest"]).1["laps"][0]["Driver"].as_str().expect("a driver").to_owned();
    let pair = format!("{driver}:2,{driver}:3");
    for arguments in [
        &["f1", "sessions"][..],
        &["f1", "laps", "latest"],
        &["f1", "telemetry", "latest", "--driver", &driver, "--lap", "2"],
        &["f1", "compare", "latest", "--laps", &pair],
        &["f1", "order", "latest"],
        &["f1", "order", "latest", "--at", "3000"],
        &["f1", "classification", "latest"],
        &["f1", "events", "latest", "--kinds", "status,track"],
        &["f1", "export", "latest", "--out", "laps.csv", "--format", "csv"],
        &["config"],
        &["completions", "zsh"],
    ] {
        let (code, document) = home.json(arguments);
        assert_eq!(code, 0, "{arguments:?}: {document}");
        assert!(document.is_object(), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    home.import(archive());
    let driver = home.json(&["f1", "laps", "latest"]).1["laps"][0]["Driver"].as_str().expect("a driver").to_owned();
    let mut command =
        home.command(&["f1", "telemetry", "latest", "--driver", &driver, "--lap", "1-4", "--format", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn config_says_what_holds_and_why() {
    let home = Home::new();
    let find = |document: &serde_json::Value, key: &str| -> serde_json::Value {
        let settings = document["settings"].as_array().expect("a list");
        settings.iter().find(|setting| setting["key"] == key).expect("the setting").clone()
    };
    let check = |arguments: &[&str], key: &str, value: serde_json::Value, origin: &str| {
        let (code, document) = home.json(arguments);
        let found = find(&document, key);
        assert_eq!((code, &found["value"]), (0, &value), "{found}");
        assert!(found["origin"].as_str().is_some_and(|why| why.contains(origin)), "{found}");
    };
    check(&["config"], "port", 7878.into(), "default");
    check(&["config"], "data_dir", text(&home.data()).into(), "environment RAILBIRD_DATA_DIR");
    fs::write(home.path().join("railbird.toml"), "port = 4000\nimport_roots = [\"/a\"]\n").expect("the file");
    check(&["config"], "port", 4000.into(), "railbird.toml");
    check(&["config", "--port", "5000"], "port", 5000.into(), "flag --port");
    check(
        &["config", "--import-root", "/b", "--import-root", "/c"],
        "import_roots",
        serde_json::json!(["/b", "/c"]),
        "flag",
    );
    fs::write(home.path().join("railbird.toml"), "prot = 4000\n").expect("the file");
    let ended = home.run(&["config"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("railbird.toml") && ended.err.contains("prot"), "{}", ended.err);
    let ended = home.run(&["config", "--config", "none.toml"]);
    assert_eq!(ended.code, 2, "a file that was named must be there");
}

#[test]
fn completions_name_the_verbs() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = home.run(&["completions", shell]);
        assert_eq!(ended.code, 0, "{shell}");
        assert!(ended.out.contains("telemetry") && ended.out.contains("classification"), "{shell}");
    }
}

#[test]
fn a_recording_with_broken_lines_is_counted_or_refused() {
    let Some(data) = crate::common::recordings() else { return };
    let home = Home::new();
    let recording = data.join("f1/signalr/2024_mexico_fp3_partial_saved_data.txt");
    let imported = home.import(&recording);
    assert_eq!(imported["drivers"], 20, "{imported}");
    assert!(imported["car_samples"].as_u64() > Some(10_000), "{imported}");
    let broken = home.run(&["f1", "import", text(&data.join("f1/signalr/fastf1_with_errors.txt")), "--json"]);
    assert!(matches!(broken.code, 0 | 3), "{broken:?}");
}

#[test]
fn a_real_race_has_every_sample() {
    let Some(data) = crate::common::recordings() else { return };
    let home = Home::new();
    let imported = home.import(&crate::common::australia(&data));
    assert_eq!(
        (&imported["drivers"], &imported["laps"], &imported["car_samples"], &imported["position_samples"]),
        (&20.into(), &927.into(), &459_620.into(), &470_020.into()),
        "{imported}"
    );
    assert_eq!(imported["rejected"], serde_json::json!({}), "{imported}");
    assert!(imported["chunk_bytes"].as_u64() <= Some(2_200_000), "{imported}");
    if cfg!(target_os = "linux") {
        assert!(imported["peak_memory_bytes"].as_u64() < Some(200_000_000), "{imported}");
    }
}
