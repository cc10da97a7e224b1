//! Tests of the order on the road and the gaps.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::log::GapRow;

/// Four cars, A to D, on a circle of 1 km from a grid at its line. One row a line: seconds, verb, then
/// `grid A 1`, `start`, `at A 120.5` (m since the line, any number of laps), `all 100 90 80 70`, `P A 2`, `lap A 1`,
/// `time A 20.000`, `status A pit`, `flag red`; rows joined by `;` share a record.
fn fold(rows: &str, lined: bool) -> (OrderFold, Logs) {
    let (mut fold, mut logs) = (OrderFold::new(), Logs::default());
    fold.race(true);
    (0..4).for_each(|driver| fold.add_driver(DriverId(driver)));
    if lined {
        let points = (0..200).map(|index| place(f64::from(index) * 5.0)).collect();
        fold.adopt(SessionTime(0), Centreline::from_parts(1000.0, points).expect("a circle"));
    }
    for line in rows.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (seconds, verbs) = line.split_once(' ').expect("seconds and a verb");
        let at = SessionTime((seconds.parse::<f64>().expect("seconds") * 1e9).round() as i64);
        for verb in verbs.split(';') {
            say(&mut fold, at, &verb.split_whitespace().collect::<Vec<_>>());
        }
        fold.settle(at, &mut logs);
    }
    (fold, logs)
}

fn say(fold: &mut OrderFold, at: SessionTime, words: &[&str]) {
    let driver = |name: &str| DriverId(name.as_bytes()[0] - b'A');
    let sample = |fold: &mut OrderFold, driver: DriverId, distance: &str| {
        let (x, y) = place(distance.parse().expect("metres"));
        let sample = PositionSample { x: x.round() as i32, y: y.round() as i32, z: 1, on_track: true };
        fold.position_sample(at, driver, Ts(1_000_000_000_000 + at.0), sample);
    };
    match *words {
        ["grid", name, position] => fold.grid(at, driver(name), position.parse().expect("place")),
        ["start"] => {
            (0..4).for_each(|driver| fold.status(at, DriverId(driver), CarStatus::OnTrack));
            fold.session(at, &SessionStatus::Started);
        }
        ["at", name, distance] => sample(fold, driver(name), distance),
        ["all", a, b, c, d] => {
            [a, b, c, d].into_iter().enumerate().for_each(|(index, way)| sample(fold, DriverId(index as u8), way));
        }
        ["year", name, distance, year] => {
            let (x, y) = place(distance.parse().expect("metres"));
            let sample = PositionSample { x: x.round() as i32, y: y.round() as i32, z: 1, on_track: true };
            fold.position_sample(
                at,
                driver(name),
                Ts(year.parse::<i64>().expect("years") * 31_536_000_000_000_000),
                sample,
            );
        }
        ["P", name, position] => fold.official_position(at, driver(name), position.parse().expect("place")),
        ["lap", name, laps] => fold.laps_completed(at, driver(name), laps.parse().expect("laps")),
        ["time", name, seconds] => {
            fold.lap_time(at, driver(name), (seconds.parse::<f64>().expect("seconds") * 1000.0).round() as u32);
        }
        ["status", name, status] => {
            let status = match status {
                "pit" => CarStatus::PitLane,
                "stopped" => CarStatus::Stopped,
                "finished" => CarStatus::Finished,
                _ => CarStatus::OnTrack,
            };
            fold.status(at, driver(name), status);
        }
        ["flag", flag] => fold.track(at, if flag == "red" { TrackFlag::Red } else { TrackFlag::Clear }),
        _ => panic!("no such row: {words:?}"),
    }
}

fn place(distance_m: f64) -> (f64, f64) {
    let angle = distance_m / 1000.0 * TAU;
    (10_000.0 / TAU * angle.cos(), 10_000.0 / TAU * angle.sin())
}

fn name(driver: DriverId) -> char {
    char::from(b'A' + driver.0)
}

/// The order after each moment at which it changed.
fn orders(logs: &Logs) -> String {
    let (mut text, mut order) = (String::new(), ['?'; 4]);
    for rows in logs.order.chunk_by(|a, b| a.known_at == b.known_at) {
        rows.iter().for_each(|row| order[usize::from(row.position) - 1] = name(row.driver));
        writeln!(text, "{:.3} {}", rows[0].known_at.seconds(), String::from_iter(order)).expect("text takes all");
    }
    text
}

fn crossings(logs: &Logs) -> String {
    let mut text = String::new();
    for row in &logs.crossings {
        let disputed = if row.disputed { " disputed" } else { "" };
        writeln!(
            text,
            "{:.3} {} lap {} P{} at {:.3} ±{} gap {:.3} interval {:.3}{disputed}",
            row.known_at.seconds(),
            name(row.driver),
            row.lap,
            row.position,
            row.at.seconds(),
            row.uncertainty_ns / 1_000_000,
            row.gap_s,
            row.interval_s,
        )
        .expect("text takes all");
    }
    text
}

#[track_caller]
fn check(rows: &str, want: Expect) {
    want.assert_eq(&orders(&fold(rows, true).1));
}

#[track_caller]
fn check_official(rows: &str, want: Expect) {
    want.assert_eq(&orders(&fold(rows, false).1));
}

#[track_caller]
fn check_line(rows: &str, want: Expect) {
    want.assert_eq(&crossings(&fold(rows, false).1));
}

const GRID: &str = "0 grid A 1; grid B 2; grid C 3; grid D 4\n1 start\n";

#[test]
fn a_lead_counts_when_it_is_clear_or_seen_twice() {
    // B is 1 m ahead, then 3 m twice, then A is back by 5 m at once.
    let rows = "2.0 all 100 90 80 70\n2.2 all 110 111 90 80\n2.4 all 120 123 100 90\n2.6 all 130 133 110 100\n\
                2.8 all 145 140 120 110";
    check(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        2.600 BACD
        2.800 ABCD
    "#]],
    );
}

#[test]
fn an_official_position_holds_against_the_distances_of_its_moment() {
    // C is put ahead of B while it is 20 m behind by samples that are older than the news; a second later they count again.
    let rows = "2.0 all 100 90 70 50\n2.1 P B 3; P C 2; P A 1; P D 4\n2.3 all 110 100 80 60\n2.9 all 140 130 110 90\n\
                3.4 all 160 150 130 110";
    check(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        2.100 ACBD
        3.400 ABCD
    "#]],
    );
}

#[test]
fn an_official_exchange_leaves_other_overtakings_alone() {
    // D has passed C on the road, officially not yet, when A and B are exchanged.
    let rows = "1.5 P A 1; P B 2; P C 3; P D 4\n2.0 all 100 99 60 80\n2.2 P B 1; P A 2";
    check(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        2.000 ABDC
        2.200 BADC
    "#]],
    );
}

#[test]
fn nobody_gains_a_place_before_the_start_under_a_red_flag_or_on_a_finished_car() {
    let before = "0 grid A 1; grid B 2; grid C 3; grid D 4\n0.5 all 10 20 30 40\n0.7 all 11 22 33 44";
    check(
        before,
        expect![[r#"
        0.000 ABCD
    "#]],
    );
    let red = "2.0 all 100 90 80 70\n2.1 flag red\n2.3 all 100 120 80 70\n2.5 all 100 130 80 70\n2.6 flag clear\n\
               2.8 all 100 130 80 70";
    check(
        &[GRID, red].concat(),
        expect![[r#"
        0.000 ABCD
        2.800 BACD
    "#]],
    );
    let flag = "2.0 all 100 90 80 70\n2.1 status A finished\n2.3 all 100 120 80 70\n2.5 all 100 130 125 70\n\
                2.7 all 101 130 140 70";
    check(
        &[GRID, flag].concat(),
        expect![[r#"
        0.000 ABCD
        2.700 ACBD
    "#]],
    );
}

#[test]
fn a_car_in_the_pit_lane_loses_places_and_gains_none() {
    // A comes in and is passed by B; then it would be ahead of B again by distance, but is still in the lane.
    let rows = "2.0 all 100 90 50 40\n2.1 status A pit\n2.3 all 105 110 60 50\n2.5 all 125 118 70 60\n\
                2.7 status A track\n2.9 all 135 126 80 70";
    check(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        2.300 BACD
        2.900 ABCD
    "#]],
    );
    // Two in the lane: the path is the same, so there they do pass each other.
    let both = "2.0 all 100 90 50 40\n2.1 status A pit; status B pit\n2.3 all 105 112 60 50";
    check(
        &[GRID, both].concat(),
        expect![[r#"
        0.000 ABCD
        2.300 BACD
    "#]],
    );
}

#[test]
fn a_stopped_car_is_passed_and_a_silent_one_is_left_where_it_was() {
    let stopped = "2.0 all 100 90 80 70\n2.1 status A stopped\n2.3 all 100 108 80 70";
    check(
        &[GRID, stopped].concat(),
        expect![[r#"
        0.000 ABCD
        2.300 BACD
    "#]],
    );
    let silent = "2.0 all 100 90 80 70\n3.0 at B 140; at C 130; at D 120\n4.0 at B 180; at C 170; at D 160";
    check(
        &[GRID, silent].concat(),
        expect![[r#"
        0.000 ABCD
    "#]],
    );
}

#[test]
fn an_absurd_time_neither_stops_the_order_nor_moves_a_car() {
    let rows =
        "2.0 all 100 90 80 70\n2.1 year B 300 200; year C 300 -200\n2.2 all 110 108 90 80\n2.4 all 120 126 100 90";
    check(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        2.400 BACD
    "#]],
    );
}

#[test]
fn laps_come_from_the_count_and_survive_the_line() {
    // B is lapped: beside A on the road, and far behind in the order. Its own count comes late.
    let mut rows = GRID.to_owned();
    for step in 0..120 {
        let t = 2.0 + f64::from(step) * 0.25;
        let way = |speed: f64| (t - 1.0) * speed;
        writeln!(rows, "{t} all {} {} {} {}", way(50.0), way(26.0), way(49.0), way(48.0)).expect("text takes all");
        if step == 72 {
            writeln!(rows, "{} lap A 1; lap C 1; lap D 1", t + 0.4).expect("text takes all");
        }
    }
    check(
        &rows,
        expect![[r#"
        0.000 ABCD
        2.000 ACDB
    "#]],
    );
}

#[test]
fn without_positions_official_places_are_all_there_is() {
    // One car at a time, as it crosses the line: those passed move down before their own news comes.
    let rows = "20 P B 1; lap B 1\n20.5 P A 2; lap A 1\n21 P D 3; lap D 1\n22 P C 4; lap C 1";
    check_official(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        20.000 BACD
        21.000 BADC
    "#]],
    );
    // A whole set at once, among them places that nobody has sent before.
    let rows = "5 P A 4; P B 3; P C 2; P D 1\n6 P A 3; P B 4";
    check_official(
        &[GRID, rows].concat(),
        expect![[r#"
        0.000 ABCD
        5.000 DCBA
        6.000 DCAB
    "#]],
    );
}

#[test]
fn the_official_place_holds_at_the_line_and_a_dispute_is_marked() {
    // B's count is late by 20 s, so that its stamp comes last; officially it is second all along.
    let rows = "2 P A 1; P B 2; P C 3; P D 4\n20 lap A 1\n21.5 lap C 1\n22 lap D 1\n41 lap B 1";
    check_line(
        &[GRID, rows].concat(),
        expect![[r#"
            20.000 A lap 1 P1 at 20.000 ±300 gap 0.000 interval NaN
            21.500 C lap 1 P3 at 21.500 ±300 gap 1.500 interval 1.500 disputed
            22.000 D lap 1 P4 at 22.000 ±300 gap 2.000 interval 0.500 disputed
            41.000 B lap 1 P2 at 41.000 ±300 gap 21.000 interval 21.000 disputed
        "#]],
    );
}

#[test]
fn a_late_official_place_settles_a_dispute_within_two_seconds_only() {
    let rows = "2 P A 1; P B 2; P C 3; P D 4\n20 lap B 1\n21.9 P B 1; P A 2\n23 lap A 1\n40 lap A 2\n42.1 P A 1; P B 2";
    check_line(
        &[GRID, rows].concat(),
        expect![[r#"
        20.000 B lap 1 P2 at 20.000 ±300 gap 0.000 interval NaN disputed
        21.900 B lap 1 P1 at 20.000 ±300 gap 0.000 interval NaN
        23.000 A lap 1 P2 at 23.000 ±300 gap 3.000 interval 3.000
        40.000 A lap 2 P2 at 40.000 ±300 gap 0.000 interval NaN disputed
    "#]],
    );
}

#[test]
fn lap_times_correct_a_late_stamp_forwards_and_backwards() {
    // A's second count is 5 s late, its first 0.5 s, as the third shows.
    let rows = "20.5 lap A 1\n45 time A 20.000; lap A 2\n60 time A 20.000; lap A 3";
    check_line(
        &[GRID, rows].concat(),
        expect![[r#"
        20.500 A lap 1 P1 at 20.500 ±300 gap 0.000 interval NaN
        45.000 A lap 2 P1 at 40.500 ±120 gap 0.000 interval NaN
        60.000 A lap 1 P1 at 20.000 ±120 gap 0.000 interval NaN
        60.000 A lap 2 P1 at 40.000 ±120 gap 0.000 interval NaN
        60.000 A lap 3 P1 at 60.000 ±120 gap 0.000 interval NaN
    "#]],
    );
}

#[test]
fn a_lap_time_may_come_before_or_after_its_count() {
    let rows = "20 lap A 1\n38 time A 20.000\n41 lap A 2\n64 lap A 3\n64.1 time A 20.000";
    check_line(
        &[GRID, rows].concat(),
        expect![[r#"
        20.000 A lap 1 P1 at 20.000 ±300 gap 0.000 interval NaN
        41.000 A lap 2 P1 at 40.000 ±120 gap 0.000 interval NaN
        64.000 A lap 3 P1 at 64.000 ±300 gap 0.000 interval NaN
        64.100 A lap 3 P1 at 60.000 ±120 gap 0.000 interval NaN
    "#]],
    );
}

#[test]
fn a_count_that_goes_back_or_starts_in_the_middle_is_no_crossing() {
    let rows = "20 lap A 7\n40 lap A 8\n41 lap A 8\n42 lap A 7\n43 lap B 0\n44 lap B 1\n60 lap A 10";
    check_line(
        &[GRID, rows].concat(),
        expect![[r#"
        40.000 A lap 8 P1 at 40.000 ±300 gap 0.000 interval NaN
        44.000 B lap 1 P1 at 44.000 ±300 gap 0.000 interval NaN
        60.000 A lap 10 P1 at 60.000 ±300 gap 0.000 interval NaN
    "#]],
    );
}

#[test]
fn a_gap_is_the_time_since_the_other_car_was_here() {
    // A drives at 50 m/s, slows to 25 m/s at 4 s; B follows 50 m behind and has not slowed yet.
    let mut rows = GRID.to_owned();
    for step in 0..28 {
        let t = 2.0 + f64::from(step) * 0.25;
        let a = |t: f64| if t < 4.0 { 50.0 * t } else { 200.0 + 25.0 * (t - 4.0) };
        writeln!(rows, "{t} all {} {} {} {}", a(t), a(t - 1.0), a(t - 1.5), a(t - 3.0)).expect("text takes all");
    }
    let logs = fold(&rows, true).1;
    let text: String = logs
        .gaps
        .iter()
        .map(|row| {
            let GapRow { known_at, driver, gap_s, interval_s, laps_down } = row;
            format!("{:.3} {} {gap_s} {interval_s} {laps_down}\n", known_at.seconds(), name(*driver))
        })
        .collect();
    expect![[r#"
        2.000 A 0 NaN 0
        3.000 C NaN 0.5 0
        4.000 B 1 1 0
        4.000 C 1.5 0.5 0
        4.000 D NaN 1.5 0
        5.000 D 3 1.5 0
    "#]]
    .assert_eq(&text);
}

/// Two laps and a bit of four cars that overtake each other, with a crossing that is late and one that is disputed.
fn race() -> String {
    let mut rows = GRID.to_owned();
    for step in 0..520 {
        let t = 1.0 + f64::from(step) * 0.25;
        let way = |speed: f64, late: f64| (t - 1.0 - late).max(0.0) * speed;
        let swing = 6.0 * (t / 7.0).sin();
        writeln!(rows, "{t} all {} {} {} {}", way(20.0, 0.0), way(19.8, 0.0) + swing, way(19.9, 0.2), way(19.7, 0.3))
            .expect("text takes all");
        if step == 201 {
            writeln!(rows, "51.3 lap A 1; P A 1\n51.4 lap C 1; P C 2\n51.6 lap B 1; P B 3\n51.9 lap D 1")
                .expect("text takes all");
        }
        if step == 405 {
            writeln!(rows, "102.3 time A 50.000; lap A 2\n102.4 P C 1; P A 2").expect("text takes all");
        }
    }
    rows
}

#[test]
fn what_is_known_at_a_moment_does_not_depend_on_what_comes_after() {
    let rows = race();
    let whole = fold(&rows, false).1;
    let lines: Vec<&str> = rows.lines().collect();
    for cut in (1..lines.len()).step_by(7) {
        let at: f64 = lines[cut - 1].split(' ').next().and_then(|text| text.parse().ok()).expect("seconds");
        let at = SessionTime((at * 1e9).round() as i64);
        let logs = fold(&lines[..cut].join("\n"), false).1;
        let text = |logs: &Logs| {
            let order: Vec<_> = logs.order.iter().filter(|row| row.known_at <= at).collect();
            let crossings: Vec<_> = logs.crossings.iter().filter(|row| row.known_at <= at).collect();
            let gaps: Vec<_> = logs.gaps.iter().filter(|row| row.known_at <= at).collect();
            format!("{order:?} {crossings:?} {gaps:?}")
        };
        assert_eq!(text(&logs), text(&whole), "cut after row {cut}");
    }
    assert!(whole.order.len() > 8 && whole.gaps.len() > 50, "{} {}", whole.order.len(), whole.gaps.len());
}

#[test]
fn the_first_clean_laps_give_a_centreline_once() {
    let (fold, _) = fold(&race(), false);
    let (at, line) = fold.centreline().expect("a line");
    expect!["known at 57.00, 1000 m"].assert_eq(&format!("known at {:.2}, {:.0} m", at.seconds(), line.length_m()));
}
