//! The archive has the shape of the real ones.

use serde_json::Value;

use super::{full, records, short, simulate};
use crate::simulate::{FaultOptions, SimulateOptions, Stamps, statistics, statistics_table};

#[test]
fn every_file_begins_with_the_mark_and_every_line_is_a_stamped_record() {
    let archive = simulate(&short());
    for (name, bytes) in &archive.files {
        let text =
            std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or_else(|| panic!("{name}: no mark")))
                .unwrap();
        assert!(text.ends_with("\r\n"), "{name}");
        let mut last = String::new();
        for line in text.split_terminator("\r\n") {
            assert!(!line.contains('\n'), "{name}");
            let (stamp, body) = line.split_at(12);
            assert!(stamp >= last.as_str(), "{name}: {stamp} after {last}");
            last = stamp.to_owned();
            let json: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{name}: {error} in {body}"));
            assert_eq!(json.is_string(), name.contains(".z."), "{name}");
        }
    }
}

#[test]
fn lists_come_first_and_patches_by_index_after() {
    let archive = simulate(&full());
    let timing = records(&archive, "TimingData");
    let first = timing[0].1["Lines"].as_object().unwrap();
    assert_eq!(first.len(), archive.truth.drivers.len());
    assert!(first.values().all(|line| line["Sectors"].is_array() && line["Sectors"][0]["Segments"].is_array()));
    let later = timing[1..].iter().flat_map(|(_, record)| record["Lines"].as_object().unwrap().values());
    assert!(later.clone().filter_map(|line| line.get("Sectors")).all(Value::is_object));
    let messages = records(&archive, "RaceControlMessages");
    assert!(messages[0].1["Messages"].is_array());
    for (index, (_, record)) in messages.iter().enumerate().skip(1) {
        assert_eq!(record["Messages"].as_object().unwrap().keys().collect::<Vec<_>>(), [&index.to_string()]);
    }
    let gaps: Vec<&str> = later.filter_map(|line| line["GapToLeader"].as_str()).collect();
    assert!(gaps.contains(&"LAP 2"), "the leader's gap is a lap");
    assert!(gaps.contains(&"1 L"), "a lapped car's gap is in laps");
}

#[test]
fn live_records_part_what_a_crossing_says_and_exact_ones_keep_it_together() {
    let positions = |stamps: Stamps| {
        let archive = simulate(&SimulateOptions { stamps, ..full() });
        let timing = records(&archive, "TimingData");
        let lines = timing
            .iter()
            .flat_map(|(_, record)| record["Lines"].as_object().unwrap().values().cloned().collect::<Vec<_>>());
        let counting: Vec<Value> = lines.filter(|line| line.get("NumberOfLaps").is_some()).collect();
        (
            counting.iter().filter(|line| line.get("Position").is_some()).count(),
            counting.len(),
            archive.truth.laps.len(),
        )
    };
    let (with_position, counted, laps) = positions(Stamps::Realistic);
    assert_eq!((with_position, counted), (0, laps));
    let (with_position, counted, laps) = positions(Stamps::Exact);
    assert_eq!((with_position, counted), (laps, laps));
}

#[test]
fn sample_records_name_every_car_and_every_channel() {
    let archive = simulate(&short());
    let cars = records(&archive, "CarData.z");
    for (_, record) in &cars {
        for entry in record["Entries"].as_array().unwrap() {
            assert!(entry["Utc"].as_str().unwrap().ends_with('Z'));
            let sampled = entry["Cars"].as_object().unwrap();
            assert_eq!(sampled.len(), archive.truth.drivers.len());
            for car in sampled.values() {
                let channels = car["Channels"].as_object().unwrap();
                assert_eq!(channels.keys().collect::<Vec<_>>(), ["0", "2", "3", "4", "45", "5"]);
                assert!(channels["2"].as_i64().unwrap() < 370 && channels["0"].as_i64().unwrap() < 13_000);
                assert!(channels["3"].as_i64().unwrap() <= 8 && [0, 100].contains(&channels["5"].as_i64().unwrap()));
            }
        }
    }
    let places = records(&archive, "Position.z");
    let first = &places[0].1["Position"][0]["Entries"];
    assert!(first.as_object().unwrap().values().all(|place| place["X"] == 0 && place["Y"] == 0 && place["Z"] == 0));
}

#[test]
fn weather_comes_every_minute_and_it_drizzles_for_a_while() {
    let weather = records(&simulate(&full()), "WeatherData");
    let rain: Vec<&str> = weather.iter().map(|(_, record)| record["Rainfall"].as_str().unwrap()).collect();
    assert!(rain.contains(&"1") && rain.first() == Some(&"0") && rain.last() == Some(&"0"), "{rain:?}");
    for pair in weather.windows(2) {
        assert!((59_900..60_100).contains(&(pair[1].0 - pair[0].0)));
    }
}

#[test]
fn statistics_are_near_a_real_recording() {
    let archive = simulate(&full());
    let simulated = statistics(&archive.files);
    let cars = &simulated.samples["CarData.z"];
    assert!((0.22..=0.26).contains(&cars.interval_s.median), "{}", cars.interval_s.median);
    assert!((0.38..=0.46).contains(&cars.interval_s.p95), "{}", cars.interval_s.p95);
    assert!(cars.interval_s.max > 0.6 && cars.undecodable == 0 && cars.not_forward == 0);
    let Some(folder) = real("f1/livetiming/2025/2025-03-16_Australian_Grand_Prix/2025-03-16_Race") else { return };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    });
    let real = statistics(&files.collect::<Vec<_>>());
    let table = statistics_table(&[("simulated", &simulated), ("real", &real)]);
    for stream in ["CarData.z", "Position.z"] {
        let (ours, theirs) = (&simulated.samples[stream], &real.samples[stream]);
        assert!((ours.interval_s.median - theirs.interval_s.median).abs() <= 0.021, "{table}");
        assert!((ours.interval_s.p95 - theirs.interval_s.p95).abs() <= 0.041, "{table}");
        assert_eq!(ours.batch.median, theirs.batch.median, "{table}");
        let rate =
            ours.moments as f64 / simulated.streams[stream].records as f64 * simulated.streams[stream].records_per_s;
        let real_rate =
            theirs.moments as f64 / real.streams[stream].records as f64 * real.streams[stream].records_per_s;
        assert!((rate / real_rate - 1.0).abs() < 0.06, "{rate} and {real_rate} moments a second\n{table}");
    }
}

#[test]
fn the_reader_counts_what_is_broken() {
    let archive = simulate(&SimulateOptions {
        faults: FaultOptions { truncated: 1, undecodable: 30, ..FaultOptions::default() },
        ..short()
    });
    let numbers = statistics(&archive.files);
    let unstamped: u64 = numbers.streams.values().map(|stream| stream.unstamped).sum();
    let undecodable: u64 = numbers.samples.values().map(|stream| stream.undecodable).sum();
    assert!(unstamped > 0 && undecodable > 0 && unstamped + undecodable <= 31 + 30);
    assert_eq!(archive.truth.faults.undecodable, 30);
    assert_eq!(archive.truth.faults.truncated, 1);
}

/// A folder of real recordings; `None`, said aloud, where there are none, which is a failure in CI.
fn real(path: &str) -> Option<std::path::PathBuf> {
    let beside = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("RAILBIRD_TEST_DATA").map_or(beside, Into::into);
    let folder = root.join(path);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing, and CI is set", folder.display());
    eprintln!("SKIPPED: {} is missing; name the folder of recordings in RAILBIRD_TEST_DATA", folder.display());
    None
}
