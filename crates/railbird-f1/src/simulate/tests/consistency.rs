//! Truth agrees with itself.

use std::collections::BTreeMap;

use super::{full, short, simulate};
use crate::simulate::{Incidents, SimulateOptions, TrueLap, Truth, car, entrants, motion::Doing, race, track};

fn by_lap(truth: &Truth) -> BTreeMap<u16, Vec<&TrueLap>> {
    let mut laps: BTreeMap<u16, Vec<&TrueLap>> = BTreeMap::new();
    for lap in &truth.laps {
        laps.entry(lap.lap).or_default().push(lap);
    }
    laps
}

#[test]
fn position_at_the_line_is_the_rank_of_the_crossing_and_gaps_follow() {
    let truth = simulate(&full()).truth;
    for (_, mut laps) in by_lap(&truth) {
        laps.sort_by_key(|lap| lap.crossed_ns);
        for (place, lap) in laps.iter().enumerate() {
            assert_eq!(usize::from(lap.position), place + 1);
            let since = |other: &TrueLap| (lap.crossed_ns - other.crossed_ns) as f64 / 1e9;
            assert!((lap.gap_s - since(laps[0])).abs() < 2e-9);
            let ahead = laps[place.saturating_sub(1)];
            assert!((lap.interval_s - since(ahead)).abs() < 2e-9);
        }
    }
}

#[test]
fn lap_times_sum_to_the_crossings_and_sectors_to_the_lap() {
    let truth = simulate(&full()).truth;
    let ms = |ns: i64| (ns as f64 / 1e6).round() as i64;
    for driver in 0..truth.drivers.len() {
        let mut sum = ms(truth.start_ns);
        for lap in truth.laps.iter().filter(|lap| usize::from(lap.driver) == driver) {
            assert_eq!(lap.sector_ms.iter().sum::<u32>(), lap.lap_ms);
            sum += i64::from(lap.lap_ms);
            assert_eq!(sum, ms(lap.crossed_ns));
        }
    }
}

#[test]
fn the_classification_is_laps_then_time() {
    let truth = simulate(&full()).truth;
    let finishers: Vec<_> = truth.classification.iter().filter(|result| result.finished_ns.is_some()).collect();
    for pair in finishers.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        assert!(a.laps > b.laps || (a.laps == b.laps && a.finished_ns < b.finished_ns));
    }
    assert_eq!(finishers[0].laps, truth.laps_total);
    assert_eq!(finishers[0].finished_ns, truth.chequered_ns);
    assert_eq!(finishers.len() + truth.retirements.len(), truth.drivers.len());
}

#[test]
fn the_road_is_a_ranking_by_distance_and_its_gaps_lead_back_to_the_same_place() {
    let truth = simulate(&full()).truth;
    let road = &truth.road;
    let chequered = truth.chequered_ns.unwrap();
    let mut checked = 0;
    for index in (0..road.count).step_by(7) {
        let at_ns = road.first_ns + index as i64 * road.step_ns;
        let mut places: Vec<u8> = road.drivers.iter().map(|driver| driver.position[index]).collect();
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|driver| places[*driver]);
        places.sort_unstable();
        assert!(places.iter().enumerate().all(|(place, position)| usize::from(*position) == place + 1));
        if at_ns >= chequered {
            continue;
        }
        for pair in order.windows(2) {
            let (ahead, behind) = (&road.drivers[pair[0]], &road.drivers[pair[1]]);
            assert!(ahead.distance_m[index] >= behind.distance_m[index]);
            let Some(interval) = behind.interval_s[index] else { continue };
            // Where the car ahead was that long ago, between two moments of the table.
            let then = (at_ns - road.first_ns) as f64 / 1e9 - interval;
            let position = then / (road.step_ns as f64 / 1e9);
            let before = position.floor().max(0.0) as usize;
            if position < 0.0 || before + 1 >= road.count {
                continue;
            }
            let here = behind.distance_m[index];
            assert!(ahead.distance_m[before] <= here + 0.01 && here <= ahead.distance_m[before + 1] + 0.01);
            checked += 1;
        }
    }
    assert!(checked > 1_000, "{checked} intervals checked");
}

#[test]
fn everything_that_can_happen_happens() {
    let truth = simulate(&SimulateOptions::default()).truth;
    let flags: Vec<&str> = truth.flags.iter().map(|flag| flag.flag.as_str()).collect();
    for flag in ["clear", "yellow", "safety_car", "red", "chequered"] {
        assert!(flags.contains(&flag), "no {flag}");
    }
    assert!(truth.retirements.iter().any(|retirement| retirement.in_pit_lane));
    assert!(truth.retirements.iter().any(|retirement| !retirement.in_pit_lane));
    assert!(truth.classification.iter().any(|result| result.finished_ns.is_some() && result.laps < truth.laps_total));
    assert!(truth.pit_visits.iter().any(|visit| visit.purpose == "tyres"));
    assert!(truth.pit_visits.iter().any(|visit| visit.purpose == "red_flag"));
    assert!(truth.passes.len() >= 5, "{} passes", truth.passes.len());
    // A pass for position away from the line, between two cars on one lap.
    let length = truth.circuit.length_m;
    let away = truth.passes.iter().filter(|pass| (0.1..0.9).contains(&(pass.distance_m / length).fract())).count();
    assert!(away > 0);
    assert!(truth.laps.iter().any(|lap| lap.deleted));
}

#[test]
fn a_finished_race_of_any_size_ends_for_every_car() {
    let seeds = if std::env::var_os("RAILBIRD_TEST_ALL").is_some() { 60 } else { 6 };
    for seed in 100..100 + seeds {
        let track = track::Track::generate(seed);
        let (drivers, laps) = (2 + seed as usize * 7 % 21, 1 + seed as u16 * 5 % 13);
        let entrants = entrants::entrants(seed, drivers);
        let outcome = race::run(seed, &track, &entrants, laps, &Incidents::default());
        assert!(outcome.end < 2.0 * 3600.0, "seed {seed}: {} s", outcome.end);
        for (index, trajectory) in outcome.trajectories.iter().enumerate() {
            let last = trajectory.knots().last().unwrap();
            assert!(
                matches!(last.doing, Doing::Finished | Doing::Retired),
                "seed {seed}, car {index}: {:?}",
                last.doing
            );
            for pair in trajectory.knots().windows(2) {
                let change = (pair[1].speed - pair[0].speed) / crate::simulate::motion::KNOT_S;
                assert!((-70.0..16.0).contains(&change), "seed {seed}, car {index}: {change} m/s²");
                assert!(pair[1].distance >= pair[0].distance && pair[1].speed < 100.0);
                assert!((pair[1].offset - pair[0].offset).abs() < 1.2 && pair[1].offset.abs() < 22.0);
            }
        }
    }
}

#[test]
fn a_distance_is_passed_when_the_trajectory_says_so() {
    let mut trajectory = crate::simulate::motion::Trajectory::default();
    for speed in [0.0, 0.0, 1.0, 4.0, 4.0, 0.0, 0.0, 2.0] {
        trajectory.push(speed, -0.1, 0.0, Doing::Track, 0);
    }
    for step in 0..700 {
        let time = f64::from(step) * 0.001;
        let there = trajectory.at(time);
        let passed = trajectory.time_at(there.distance).unwrap();
        assert!(passed <= time + 1e-9 && (trajectory.at(passed).distance - there.distance).abs() < 1e-12);
        assert!(there.speed < 1e-6 || (passed - time).abs() < 1e-6, "{time} and {passed}");
    }
    assert_eq!(trajectory.time_at(-0.2), None);
    assert_eq!(trajectory.time_at(99.0), None);
}

#[test]
fn a_race_without_incidents_has_none() {
    let truth = simulate(&short()).truth;
    assert!(truth.retirements.is_empty());
    assert!(truth.flags.iter().all(|flag| ["clear", "chequered"].contains(&flag.flag.as_str())));
    assert!(truth.pit_visits.iter().all(|visit| visit.purpose == "park"));
    assert!(truth.laps.iter().all(|lap| lap.compound != car::Compound::Hard.name() || lap.stint > 1));
}
