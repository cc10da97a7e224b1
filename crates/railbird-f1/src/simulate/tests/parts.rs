//! Practice and qualifying.

use std::collections::BTreeMap;

use super::{records, simulate};
use crate::simulate::{SessionKind, SimulateOptions, SimulatedArchive};

fn session(kind: SessionKind) -> SimulatedArchive {
    simulate(&SimulateOptions { seed: 9, drivers: 8, laps: 11, session: kind, ..SimulateOptions::default() })
}

#[test]
fn the_slowest_of_a_part_are_knocked_out_and_the_rest_run_again() {
    let truth = session(SessionKind::Qualifying).truth;
    assert_eq!(truth.parts.iter().map(|part| part.drivers.len()).collect::<Vec<_>>(), [8, 6, 4]);
    for (part, next) in truth.parts.iter().zip(&truth.parts[1..]) {
        let best = |driver: u8| {
            let laps = truth.laps.iter().filter(|lap| lap.driver == driver && lap.flying);
            let began = |lap: &&super::super::TrueLap| {
                let began = lap.crossed_ns - i64::from(lap.lap_ms) * 1_000_000;
                (part.start_ns..=part.end_ns).contains(&began)
            };
            laps.filter(began).map(|lap| lap.lap_ms).min().unwrap_or(u32::MAX)
        };
        let slowest_in = next.drivers.iter().map(|driver| best(*driver)).max().unwrap();
        assert!(part.eliminated.iter().all(|driver| best(*driver) >= slowest_in));
        assert!(next.drivers.iter().all(|driver| !part.eliminated.contains(driver)));
        assert!(part.end_ns < next.start_ns);
    }
    let out: Vec<u8> = truth.parts.iter().rev().flat_map(|part| part.eliminated.clone()).collect();
    let classified: Vec<u8> = truth.classification.iter().map(|result| result.driver).collect();
    assert_eq!(classified[classified.len() - out.len()..], out);
}

#[test]
fn the_archive_says_the_parts_the_best_laps_and_the_places() {
    for kind in [SessionKind::Qualifying, SessionKind::Practice] {
        let archive = session(kind);
        let truth = &archive.truth;
        let (mut places, mut best, mut parts, mut out) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), 0);
        for (_, record) in records(&archive, "TimingData") {
            parts.extend(record["SessionPart"].as_u64());
            for (number, delta) in record["Lines"].as_object().unwrap() {
                if let Some(place) = delta["Position"].as_str() {
                    places.insert(number.clone(), place.to_owned());
                }
                if let Some(text) = delta["LastLapTime"]["Value"].as_str().filter(|text| !text.is_empty()) {
                    let (minutes, seconds) = text.split_once(':').unwrap();
                    let ms = minutes.parse::<u32>().unwrap() * 60_000
                        + (seconds.parse::<f64>().unwrap() * 1e3).round() as u32;
                    let least = best.entry(number.clone()).or_insert(u32::MAX);
                    *least = ms.min(*least);
                }
                out += usize::from(delta["KnockedOut"] == true);
            }
        }
        for result in &truth.classification {
            let number = truth.drivers[usize::from(result.driver)].number.to_string();
            assert_eq!(places[&number], result.position.to_string(), "{kind:?}");
            assert_eq!(Some(best[&number]), result.best_lap_ms, "{kind:?}");
        }
        let qualifying = kind == SessionKind::Qualifying;
        assert_eq!(parts, if qualifying { vec![0, 1, 2, 3] } else { Vec::new() });
        assert_eq!(out, if qualifying { 4 } else { 0 });
    }
}

#[test]
fn every_run_begins_and_ends_in_the_garage() {
    let truth = session(SessionKind::Practice).truth;
    assert!(truth.pit_visits.iter().all(|visit| visit.purpose == "garage"));
    for columns in &truth.road.drivers {
        assert_eq!(columns.status.first(), Some(&2));
        assert_eq!(columns.status.last(), Some(&2));
        assert!(columns.status.contains(&1));
    }
}
