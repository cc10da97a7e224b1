//! What the archive says is what truth says, as far as the archive is meant to say it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{full, records, short, simulate};
use crate::simulate::{FaultOptions, SimulateOptions, SimulatedArchive, Stamps, Truth};

/// Deltas of the timing stream: stamp, driver, delta.
fn timing(archive: &SimulatedArchive) -> Vec<(i64, u8, Value)> {
    let driver: BTreeMap<String, u8> = archive
        .truth
        .drivers
        .iter()
        .enumerate()
        .map(|(index, driver)| (driver.number.to_string(), index as u8))
        .collect();
    let mut deltas = Vec::new();
    for (stamp, record) in records(archive, "TimingData") {
        for (number, delta) in record["Lines"].as_object().unwrap() {
            deltas.push((stamp, driver[number], delta.clone()));
        }
    }
    deltas
}

fn lap_ms(text: &str) -> u32 {
    let (minutes, seconds) = text.split_once(':').unwrap();
    minutes.parse::<u32>().unwrap() * 60_000 + (seconds.parse::<f64>().unwrap() * 1e3).round() as u32
}

fn check_laps(options: &SimulateOptions) {
    let archive = simulate(options);
    let mut times: BTreeMap<u8, Vec<(i64, u32)>> = BTreeMap::new();
    for (stamp, driver, delta) in timing(&archive) {
        if let Some(text) = delta["LastLapTime"]["Value"].as_str().filter(|text| !text.is_empty()) {
            times.entry(driver).or_default().push((stamp, lap_ms(text)));
        }
    }
    let mut wrong = 0;
    for lap in archive.truth.laps.iter().filter(|lap| lap.published) {
        let crossed = lap.crossed_ns / 1_000_000;
        let said: Vec<u32> = times[&lap.driver]
            .iter()
            .filter(|(stamp, _)| (crossed - 1..crossed + 4_500).contains(stamp))
            .map(|(_, ms)| *ms)
            .collect();
        assert_eq!(said.last(), Some(&lap.lap_ms), "driver {} lap {}: {said:?}", lap.driver, lap.lap);
        wrong += said.len() as u32 - 1;
    }
    assert_eq!(wrong, archive.truth.faults.corrected);
}

#[test]
fn every_published_lap_time_is_in_the_archive_to_the_millisecond() {
    check_laps(&full());
    check_laps(&SimulateOptions { stamps: Stamps::Exact, ..full() });
    check_laps(&SimulateOptions { faults: FaultOptions { corrected: 8, ..FaultOptions::default() }, ..full() });
}

#[test]
fn exact_records_are_stamped_with_the_crossing_and_carry_its_position_and_gap() {
    let archive = simulate(&SimulateOptions { stamps: Stamps::Exact, ..full() });
    let mut seen = 0;
    for (stamp, driver, delta) in timing(&archive) {
        let Some(lap) = delta["NumberOfLaps"].as_u64() else { continue };
        let truth = archive.truth.laps.iter().find(|row| row.driver == driver && u64::from(row.lap) == lap).unwrap();
        assert_eq!(stamp, (truth.crossed_ns as f64 / 1e6).round() as i64);
        if let Some(gap) = delta["GapToLeader"].as_str().and_then(|gap| gap.strip_prefix('+')) {
            assert!((gap.parse::<f64>().unwrap() - truth.gap_s).abs() <= 0.001_001, "{gap} and {}", truth.gap_s);
            seen += 1;
        }
        let leading = truth.gap_s == 0.0;
        let in_front = archive.truth.laps.iter().all(|row| row.lap <= truth.lap || row.crossed_ns > truth.crossed_ns);
        if in_front {
            assert_eq!(
                delta["Position"].as_str().unwrap(),
                truth.position.to_string(),
                "lap {lap}, leading: {leading}"
            );
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn the_last_official_positions_are_the_classification() {
    for stamps in [Stamps::Realistic, Stamps::Exact] {
        let archive = simulate(&SimulateOptions { stamps, ..full() });
        let mut last: BTreeMap<u8, String> = BTreeMap::new();
        for (_, driver, delta) in timing(&archive) {
            if let Some(position) = delta["Position"].as_str() {
                last.insert(driver, position.to_owned());
            }
        }
        for result in &archive.truth.classification {
            assert_eq!(last[&result.driver], result.position.to_string(), "{stamps:?}: driver {}", result.driver);
        }
    }
}

#[test]
fn positions_lie_where_truth_has_the_car() {
    let archive = simulate(&full());
    let truth = &archive.truth;
    let mut seen = 0;
    for (_, record) in records(&archive, "Position.z").iter().step_by(5) {
        for moment in record["Position"].as_array().unwrap() {
            let at_ns = utc_ns(moment["Timestamp"].as_str().unwrap()) - truth.origin_utc_ns;
            let index = (at_ns - truth.road.first_ns).div_euclid(truth.road.step_ns);
            if index < 0 || index as usize + 1 >= truth.road.count {
                continue;
            }
            let index = index as usize;
            let since = (at_ns - truth.road.first_ns - index as i64 * truth.road.step_ns) as f64 / 1e9;
            for (number, place) in moment["Entries"].as_object().unwrap() {
                let driver = truth.drivers.iter().position(|driver| driver.number.to_string() == *number).unwrap();
                let columns = &truth.road.drivers[driver];
                let (from, to) = (columns.distance_m[index], columns.distance_m[index + 1]);
                // Within half a second a car's distance is between the two; within the table's step nothing is known
                // but that, so compare places with the segment of centreline between them.
                let axis = |name: &str| place[name].as_f64().unwrap() / 10.0;
                let (near, away) = nearest(truth, [axis("X"), axis("Y")]);
                let along = (near - from).rem_euclid(truth.circuit.length_m);
                let slack = 1.5 + (to - from);
                assert!(
                    along < slack || along > truth.circuit.length_m - 1.5,
                    "driver {driver} at {since}: {along} of {slack}"
                );
                assert!(away < 23.0, "{away} m from the centreline");
                seen += 1;
            }
        }
    }
    assert!(seen > 5_000, "{seen}");
}

#[test]
fn samples_are_as_many_as_counted_and_faults_as_many_as_said() {
    let plain = simulate(&short());
    let spoiled = simulate(&SimulateOptions {
        faults: FaultOptions { undecodable: 0, truncated: 0, duplicate: 0, ..FaultOptions::all() },
        ..short()
    });
    let cars =
        |archive: &SimulatedArchive, stream: &str, list: &str, cars: &str| -> Vec<(String, Vec<(String, Value)>)> {
            records(archive, stream)
                .iter()
                .flat_map(|(_, record)| record[list].as_array().unwrap().clone())
                .map(|moment| {
                    let time = moment["Utc"].as_str().or(moment["Timestamp"].as_str()).unwrap().to_owned();
                    (
                        time,
                        moment[cars]
                            .as_object()
                            .unwrap()
                            .iter()
                            .map(|(number, values)| (number.clone(), values.clone()))
                            .collect(),
                    )
                })
                .collect()
        };
    let count =
        |moments: &[(String, Vec<(String, Value)>)]| moments.iter().map(|(_, cars)| cars.len() as u64).sum::<u64>();
    let plain_cars = cars(&plain, "CarData.z", "Entries", "Cars");
    let plain_places = cars(&plain, "Position.z", "Position", "Entries");
    assert_eq!(count(&plain_cars), plain.truth.faults.car_samples);
    assert_eq!(count(&plain_places), plain.truth.faults.position_samples);
    let faults = spoiled.truth.faults;
    let (cars, places) =
        (cars(&spoiled, "CarData.z", "Entries", "Cars"), cars(&spoiled, "Position.z", "Position", "Entries"));
    let stranger = |number: &str| !spoiled.truth.drivers.iter().any(|driver| driver.number.to_string() == number);
    let all = cars.iter().chain(&places).flat_map(|(_, cars)| cars);
    assert_eq!(all.clone().filter(|(number, _)| stranger(number)).count(), faults.unknown_numbers as usize);
    assert_eq!(
        all.clone().filter(|(_, values)| !values["Channels"]["77"].is_null()).count(),
        faults.unknown_channels as usize
    );
    let wild = |values: &Value| {
        let beyond =
            |value: &Value, low: i64, high: i64| value.as_i64().is_some_and(|value| value < low || value > high);
        let channels = &values["Channels"];
        ["X", "Y", "Z"].iter().any(|axis| beyond(&values[axis], -10_000_000, 10_000_000))
            || beyond(&channels["0"], 0, 20_000)
            || beyond(&channels["2"], 0, 500)
            || beyond(&channels["3"], 0, 8)
            || beyond(&channels["4"], 0, 104)
    };
    assert_eq!(all.filter(|(_, values)| wild(values)).count(), faults.out_of_range as usize);
    let lost = u64::from(faults.missing_car_samples);
    let extra = cars.iter().flat_map(|(_, cars)| cars).filter(|(number, _)| stranger(number)).count() as u64;
    assert_eq!(count(&cars), faults.car_samples - lost + extra);
    let steps = |moments: &[(String, Vec<(String, Value)>)]| {
        let times: Vec<i64> = moments.iter().map(|(time, _)| utc_ns(time)).collect();
        let level = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
        (times.windows(2).filter(|pair| pair[1] < pair[0]).count(), level)
    };
    let (backward, level) = (steps(&cars).0 + steps(&places).0, steps(&cars).1 + steps(&places).1);
    // A record swapped with its neighbour goes back once as well.
    assert_eq!(backward, (faults.backward + faults.swapped) as usize);
    assert!(level >= faults.equal as usize && level <= (faults.equal + faults.split) as usize);
}

/// Distance from the line of the nearest point of the centreline, and how far it is, m.
fn nearest(truth: &Truth, place: [f64; 2]) -> (f64, f64) {
    let points = &truth.circuit.centreline;
    let spacing = truth.circuit.length_m / points.len() as f64;
    let mut best = (0.0, f64::INFINITY);
    for index in 0..points.len() {
        let (a, b) = (points[index], points[(index + 1) % points.len()]);
        let (ax, ay, bx, by) = (a[0] / 10.0, a[1] / 10.0, b[0] / 10.0, b[1] / 10.0);
        let (dx, dy) = (bx - ax, by - ay);
        let part = (((place[0] - ax) * dx + (place[1] - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
        let away = (place[0] - ax - part * dx).hypot(place[1] - ay - part * dy);
        if away < best.1 {
            best = ((index as f64 + part) * spacing, away);
        }
    }
    best
}

/// Nanoseconds since 1970 of `2027-05-23T12:56:42.785Z`, by counting days.
fn utc_ns(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let mut days: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    days += lengths[..month as usize - 1].iter().sum::<i64>() + day - 1;
    let seconds = ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19);
    let fraction = text[19..].trim_end_matches('Z');
    let fraction = if fraction.is_empty() { 0.0 } else { format!("0{fraction}").parse::<f64>().unwrap() };
    seconds * 1_000_000_000 + (fraction * 1e9).round() as i64
}
