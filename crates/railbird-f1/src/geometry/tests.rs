//! Tests of the centreline.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

/// A circle of 1 km, counter-clockwise, 1/10 m.
fn circle() -> Centreline {
    let points = (0..200).map(|index| on_circle(index as f64 * 5.0, 0.0)).collect();
    Centreline::from_parts(1000.0, points).expect("a circle is a line")
}

/// The place `distance_m` along that circle, `offset_m` to its left, which is inside.
fn on_circle(distance_m: f64, offset_m: f64) -> (f64, f64) {
    let (angle, radius_m) = (distance_m / 1000.0 * TAU, 1000.0 / TAU - offset_m);
    (radius_m * UNITS_PER_M * angle.cos(), radius_m * UNITS_PER_M * angle.sin())
}

/// Two straights of 400 m, 20 m apart, joined by half circles: a track that comes near itself all along.
fn hairpins() -> Centreline {
    let radius = 10.0;
    let length = 800.0 + TAU * radius;
    let place = |distance: f64| match distance {
        d if d < 400.0 => (d, 0.0),
        d if d < 400.0 + TAU * radius / 2.0 => {
            let angle = (d - 400.0) / radius;
            (400.0 + radius * angle.sin(), radius - radius * angle.cos())
        }
        d if d < 800.0 + TAU * radius / 2.0 => (800.0 + TAU * radius / 2.0 - d, 2.0 * radius),
        d => {
            let angle = (d - 800.0 - TAU * radius / 2.0) / radius;
            (-radius * angle.sin(), radius + radius * angle.cos())
        }
    };
    let count = 172;
    let points = (0..count).map(|index| place(length * index as f64 / count as f64));
    Centreline::from_parts(length, points.map(|(x, y)| (x * 10.0, y * 10.0)).collect()).expect("hairpins are a line")
}

#[track_caller]
fn check(line: &Centreline, places: &[(f64, f64, Option<f64>)], want: Expect) {
    let mut text = String::new();
    for &(x_m, y_m, hint_m) in places {
        let found = line.project(x_m * 10.0, y_m * 10.0, hint_m);
        writeln!(text, "{:.1} {:+.1}", found.distance_m, found.offset_m).expect("text takes all");
    }
    want.assert_eq(&text);
}

#[test]
fn a_hint_keeps_a_car_on_its_branch_where_the_track_comes_near_itself() {
    // 12 m over, nearer to the way back than to the way out.
    let places = [(200.0, 12.0, None), (200.0, 12.0, Some(180.0)), (200.0, 12.0, Some(640.0))];
    check(
        &hairpins(),
        &places,
        expect![[r#"
        631.4 +8.0
        200.0 +12.0
        631.4 +8.0
    "#]],
    );
}

#[test]
fn a_car_that_is_lost_is_found_anywhere() {
    let places = [(300.0, 21.0, Some(10.0)), (300.0, -60.0, Some(10.0)), (5000.0, 0.0, None), (405.0, 1.0, Some(2.0))];
    check(
        &hairpins(),
        &places,
        expect![[r#"
        531.4 -1.0
        300.0 -60.0
        415.7 -4590.1
        405.0 -0.4
    "#]],
    );
}

#[test]
fn distance_rises_evenly_in_a_corner_on_any_line() {
    let line = circle();
    let mut worst: f64 = 0.0;
    for offset_m in [-8.0, 0.0, 8.0] {
        let mut hint = None;
        for step in 0..4000 {
            let distance_m = f64::from(step) * 0.25;
            let (x, y) = on_circle(distance_m, offset_m);
            let found = line.project(x, y, hint);
            hint = Some(found.distance_m);
            worst = worst.max(line.way_m(found.distance_m, distance_m).abs());
            assert!((found.offset_m - offset_m).abs() < 0.05, "{found:?} at {distance_m} offset {offset_m}");
        }
    }
    assert!(worst < 0.01, "off by {worst} m");
}

#[test]
fn a_wave_in_the_line_does_not_misplace_a_car_in_the_pit_lane() {
    // The line swings out by 0.6 m and back within 20 m; the car runs 15 m beside it.
    let wave = |distance_m: f64| match (distance_m - 500.0).abs() {
        away if away < 10.0 => 0.6 * (away / 10.0 * TAU / 4.0).cos().powi(2),
        _ => 0.0,
    };
    let points = (0..200).map(|index| f64::from(index) * 5.0).map(|distance_m| on_circle(distance_m, wave(distance_m)));
    let line = Centreline::from_parts(1000.0, points.collect()).expect("nearly a circle");
    let off = |distance_m: f64| {
        let (x, y) = on_circle(distance_m, 15.0);
        line.way_m(line.project(x, y, Some(distance_m)).distance_m, distance_m).abs()
    };
    let worst = (460..540).map(f64::from).map(off).fold(0.0, f64::max);
    assert!(worst < 0.6, "off by {worst} m");
}

#[test]
fn a_place_of_the_line_projects_to_itself() {
    for line in [circle(), hairpins()] {
        for step in 0..500 {
            let distance_m = line.length_m() * f64::from(step) / 500.0;
            let (x, y) = line.at(distance_m);
            let found = line.project(x, y, Some(distance_m - 30.0));
            let off = line.way_m(found.distance_m, distance_m).abs();
            assert!(off < 0.1 && found.offset_m.abs() < 0.1, "{found:?} for {distance_m}");
        }
    }
}

#[test]
fn the_way_between_two_places_is_the_shorter_one() {
    let line = circle();
    let ways: Vec<f64> = [(10.0, 20.0), (990.0, 15.0), (15.0, 990.0)].map(|(a, b)| line.way_m(a, b)).to_vec();
    expect!["[10.0, 25.0, -25.0]"].assert_eq(&format!("{ways:?}"));
}

#[test]
fn parts_that_make_no_line_are_refused() {
    let few = Centreline::from_parts(1000.0, vec![(0.0, 0.0); 3]).map(|_| ());
    let short = Centreline::from_parts(f64::NAN, vec![(0.0, 0.0); 9]).map(|_| ());
    let wild = Centreline::from_parts(1000.0, vec![(0.0, f64::INFINITY); 9]).map(|_| ());
    let text: Vec<String> = [few, short, wild].into_iter().filter_map(Result::err).map(|e| e.to_string()).collect();
    expect![[r#"
        centreline: expected 8 to 20000 points, got 3
        centreline: the length or point 0 is out of range
        centreline: the length or point 0 is out of range"#]]
    .assert_eq(&text.join("\n"));
    // Every vertex in one place is a line of a kind: nothing panics and everything is found somewhere.
    let point = Centreline::from_parts(1000.0, vec![(5.0, 5.0); 9]).expect("finite parts");
    assert!(point.project(100.0, 0.0, Some(3.0)).distance_m < 1000.0);
}

/// Laps of the circle on slightly different lines, sampled some 15 m apart; the first from a standing start.
fn laps(count: usize) -> Vec<Trace> {
    (0..count)
        .map(|lap| {
            let offset_m = [0.4, -0.5, 0.2, -0.1, 0.0][lap % 5];
            let standing = if lap == 0 { 40 } else { 0 };
            let driven = (0..70).map(|sample| 14.2 * sample as f64 + lap as f64);
            std::iter::repeat_n(0.0, standing).chain(driven).map(|distance_m| on_circle(distance_m, offset_m)).collect()
        })
        .collect()
}

#[test]
fn a_few_laps_give_the_circuit() {
    for count in [1, 3, 5] {
        let line = fit(&laps(count)).expect("a circle closes");
        let radius = 1000.0 / TAU;
        let off_m = line.points().iter().map(|(x, y)| (x.hypot(*y) / 10.0 - radius).abs()).fold(0.0, f64::max);
        assert!((line.length_m() - 1000.0).abs() < 3.0 && off_m < 0.6, "{count}: {} m, {off_m}", line.length_m());
    }
}

#[test]
fn a_line_is_rebuilt_from_its_parts_to_the_last_bit() {
    let line = fit(&laps(5)).expect("a circle closes");
    let again = Centreline::from_parts(line.length_m(), line.points().to_vec()).expect("its own parts");
    assert_eq!(line, again);
    let text = format!("{:?}", line.points());
    assert!(text.len() < line.points().len() * 22, "points are rounded to a centimetre");
}

#[test]
fn the_zero_moves_without_moving_the_line() {
    let line = circle();
    let moved = from_zero(&line, 123.4).expect("same line");
    let (x, y) = on_circle(200.0, 3.0);
    let (before, after) = (line.project(x, y, None), moved.project(x, y, None));
    assert!((before.distance_m - after.distance_m - 123.4).abs() < 0.05, "{before:?} {after:?}");
}
