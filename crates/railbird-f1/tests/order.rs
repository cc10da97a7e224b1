//! Order, crossings and gaps against the truth of simulated races and the official data of real ones.
#![expect(clippy::print_stdout, reason = "the figures that were measured are part of what a test tells")]

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use common::{AUSTRALIA, AZERBAIJAN, assert_same_logs, cuts, imported, known, recorded, simulated};
use railbird_f1::simulate::{FaultOptions, SimulateOptions, Stamps, TrueRoadColumns, Truth};
use railbird_f1::{
    CarStatus, CrossingRow, DriverId, Input, Logs, STREAMS, Session, SessionTime, Stamped, State, archive_stream,
};

/// Cars nearer to each other than this may stand in either order, m.
const NEAR_M: f64 = 5.0;

/// What `simulate` calls a car that runs on the track, and one that took the flag.
const ON_TRACK: u8 = 1;
const FINISHED: u8 = 5;

/// A simulated race, as imported and as it was.
struct Race {
    session: Session,
    truth: Truth,
    /// Drivers of the truth by [`DriverId`].
    driver: Vec<usize>,
}

fn race(options: &SimulateOptions) -> Race {
    let (input, archive) = simulated(options);
    let session = imported(&input).session;
    let truth = archive.truth;
    let of = |number: u16| truth.drivers.iter().position(|driver| driver.number == number).expect("a true driver");
    let driver = session.drivers.iter().map(|driver| of(driver.number.0)).collect();
    Race { session, truth, driver }
}

fn realistic(seed: u64) -> SimulateOptions {
    SimulateOptions { seed, laps: 12, faults: FaultOptions::all(), ..SimulateOptions::default() }
}

fn exact(seed: u64) -> SimulateOptions {
    SimulateOptions { seed, laps: 12, stamps: Stamps::Exact, ..SimulateOptions::default() }
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    if std::env::var_os("RAILBIRD_TEST_ALL").is_some() { 1..=12 } else { 1..=2 }
}

/// The row of the truth that precedes session time `ns`, and how far it is to the next one.
fn road(truth: &Truth, ns: i64) -> Option<(usize, f64)> {
    let row = (ns - truth.road.first_ns) as f64 / truth.road.step_ns as f64;
    (row >= 0.0 && (row as usize) + 1 < truth.road.count).then_some((row as usize, row.fract()))
}

/// `[p50, p99, most]` of `values`.
fn spread(values: &mut [f64]) -> [f64; 3] {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    [values[last / 2], values[last * 99 / 100], values[last]]
}

/// At every record of positions since the line is known: pairs compared, and those in the wrong order in truth, both
/// before and after the moment of the last sample, by more than [`NEAR_M`].
fn wrong_pairs(race: &Race) -> (u64, Vec<String>) {
    let Race { session, truth, driver } = race;
    let mut moments: BTreeMap<SessionTime, i64> = BTreeMap::new();
    for columns in &session.columns {
        for (known_at, utc) in columns.position.known_at.iter().zip(&columns.position.utc) {
            let last = moments.entry(*known_at).or_insert(i64::MIN);
            *last = (*last).max(utc.0 - truth.origin_utc_ns);
        }
    }
    let (line_at, _) = session.centreline.as_ref().expect("a centreline");
    let mut place = vec![0; truth.drivers.len()];
    let mut rows = session.logs.order.iter().peekable();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (known_at, taken) in moments {
        while let Some(row) = rows.next_if(|row| row.known_at <= known_at) {
            place[driver[row.driver.index()]] = row.position;
        }
        if known_at <= *line_at || is_red(truth, taken) {
            continue;
        }
        let Some((row, _)) = road(truth, taken) else { continue };
        for a in 0..place.len() {
            for b in (0..place.len()).filter(|b| place[a] < place[*b]) {
                compared += 1;
                let (ahead, behind) = (&truth.road.drivers[a], &truth.road.drivers[b]);
                if (row..row + 2).all(|row| is_wrong(ahead, behind, row)) {
                    let names = [a, b].map(|driver| &truth.drivers[driver].code[..]).join(" before ");
                    wrong.push(format!("{:.1} s: {names}", taken as f64 / 1e9));
                }
            }
        }
    }
    (compared, wrong)
}

/// Whether the session is stopped: then cars pass on the road, and by rule no places change but officially.
fn is_red(truth: &Truth, ns: i64) -> bool {
    truth.flags.iter().rev().find(|flag| flag.at_ns <= ns).is_some_and(|flag| flag.flag == "red")
}

fn is_wrong(ahead: &TrueRoadColumns, behind: &TrueRoadColumns, row: usize) -> bool {
    let frozen = ahead.status[row] == FINISHED || behind.status[row] == FINISHED;
    let apart_m = (ahead.distance_m[row] - behind.distance_m[row]).abs();
    ahead.position[row] > behind.position[row] && (frozen || apart_m > NEAR_M)
}

/// The last row of every crossing, by driver of the truth and lap.
fn crossings(race: &Race) -> BTreeMap<(u8, u16), CrossingRow> {
    let row = |row: &CrossingRow| ((race.driver[row.driver.index()] as u8, row.lap), *row);
    race.session.logs.crossings.iter().map(row).collect()
}

fn classification(logs: &Logs) -> Vec<u8> {
    let last: BTreeMap<u8, u8> = logs.order.iter().map(|row| (row.driver.0, row.position)).collect();
    let mut drivers: Vec<u8> = last.keys().copied().collect();
    drivers.sort_by_key(|driver| last[driver]);
    drivers
}

#[track_caller]
fn check_race(options: &SimulateOptions) {
    let race = race(options);
    let (compared, wrong) = wrong_pairs(&race);
    let rows = crossings(&race);
    let misplaced: Vec<_> = race
        .truth
        .laps
        .iter()
        .filter(|lap| rows.get(&(lap.driver, lap.lap)).map(|row| row.position) != Some(lap.position))
        .map(|lap| (lap.driver, lap.lap, lap.position))
        .collect();
    let [p50, p99, most] = spread(&mut road_gap_errors(&race));
    println!(
        "seed {} {:?}: {compared} pairs, {} wrong; {} crossings, {} misplaced, {} disputed; gaps on the road off by \
         p50 {:.1} p99 {:.1} most {:.1} ms",
        options.seed,
        options.stamps,
        wrong.len(),
        rows.len(),
        misplaced.len(),
        rows.values().filter(|row| row.disputed).count(),
        p50 * 1e3,
        p99 * 1e3,
        most * 1e3,
    );
    assert!(
        compared > 100_000 && wrong.is_empty(),
        "{} of {compared}: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(9)]
    );
    assert!(misplaced.is_empty() && rows.len() == race.truth.laps.len(), "{misplaced:?}");
    assert!(p99 <= 0.05, "{p99} s");
    let order: Vec<u8> =
        classification(&race.session.logs).iter().map(|d| race.driver[usize::from(*d)] as u8).collect();
    let truth: Vec<u8> = race.truth.classification.iter().map(|result| result.driver).collect();
    assert_eq!(order, truth, "classification");
}

/// What gaps of cars on the track are off by at their last samples, s. Left out: half seconds in which the true order
/// changes or a gap jumps, where truth between its rows is not known.
fn road_gap_errors(race: &Race) -> Vec<f64> {
    let Race { session, truth, driver } = race;
    let cars = &truth.road.drivers;
    let mut errors = Vec::new();
    let (line_at, _) = session.centreline.as_ref().expect("a centreline");
    for gap in session.logs.gaps.iter().filter(|gap| gap.known_at > *line_at && !gap.gap_s.is_nan()) {
        let samples = &session.columns[gap.driver.index()].position;
        let known = samples.known_at.partition_point(|known_at| *known_at <= gap.known_at);
        let Some(sample) = (0..known).rev().find(|row| samples.is_known(*row)) else { continue };
        let Some((row, weight)) = road(truth, samples.utc[sample].0 - truth.origin_utc_ns) else { continue };
        let car = &cars[driver[gap.driver.index()]];
        let steady = cars.iter().all(|car| car.position[row] == car.position[row + 1]);
        let (Some(a), Some(b)) = (car.gap_s[row], car.gap_s[row + 1]) else { continue };
        if steady && car.status[row..row + 2] == [ON_TRACK; 2] && (b - a).abs() < 1.0 {
            errors.push((gap.gap_s - (a + (b - a) * weight)).abs());
        }
    }
    errors
}

#[test]
fn the_order_is_right_but_for_cars_side_by_side() {
    for seed in seeds() {
        check_race(&realistic(seed));
        check_race(&exact(seed));
    }
}

#[test]
fn gaps_at_the_line_are_exact_where_the_archive_is() {
    for seed in seeds() {
        let race = race(&exact(seed));
        let rows = crossings(&race);
        let mut errors = Vec::new();
        for lap in &race.truth.laps {
            let row = &rows[&(lap.driver, lap.lap)];
            errors.push((row.gap_s - lap.gap_s).abs());
            if lap.position > 1 {
                errors.push((row.interval_s - lap.interval_s).abs());
            }
            let off_ns = (row.at.0 - lap.crossed_ns).abs();
            assert!(off_ns <= row.uncertainty_ns || row.uncertainty_ns > 1_000_000, "{row:?} is off by {off_ns} ns");
        }
        let [p50, p99, most] = spread(&mut errors);
        println!(
            "seed {seed}: gaps at the line off by p50 {:.2} p99 {:.2} most {:.2} ms",
            p50 * 1e3,
            p99 * 1e3,
            most * 1e3
        );
        // A millisecond, and what comparing decimal fractions in binary adds.
        assert!(most <= 0.001 + 1e-9, "{most} s");
    }
}

/// Real races: the place at the line is the official Position in force when the lap is counted.
#[track_caller]
fn check_recorded(path: &str, counted: usize, disputed: usize) {
    let Some(input) = recorded(path) else { return };
    let events = events(&input);
    let session = imported(&input).session;
    let logs = &session.logs;
    let mut official: BTreeMap<DriverId, u8> = BTreeMap::new();
    let mut want = Vec::new();
    let mut before: BTreeMap<DriverId, u16> = BTreeMap::new();
    for stamped in &events {
        let railbird_f1::Event::Timing(delta) = &stamped.event else { continue };
        for (number, line) in &delta.lines {
            let driver = session.driver(&number.0.to_string()).expect("a driver");
            line.position.map(|position| official.insert(driver, position));
            if let Some(laps) =
                line.number_of_laps.filter(|laps| before.insert(driver, *laps).is_none_or(|l| l < *laps))
                && laps > 0
            {
                want.push((stamped.known_at, driver, laps, official[&driver]));
            }
        }
    }
    let last: BTreeMap<_, _> = logs.crossings.iter().map(|row| ((row.driver, row.lap), row)).collect();
    let (mut wrong, mut order, mut rows) = (Vec::new(), BTreeMap::new(), logs.order.iter().peekable());
    for (known_at, driver, lap, position) in &want {
        while let Some(row) = rows.next_if(|row| row.known_at <= *known_at) {
            order.insert(row.driver, row.position);
        }
        let found = last.get(&(*driver, *lap)).map(|row| row.position);
        if found != Some(*position) || order.get(driver) != Some(position) {
            wrong.push((known_at.seconds(), driver.0, *lap, *position, found, order.get(driver).copied()));
        }
    }
    let disputes = last.values().filter(|row| row.disputed).count();
    println!(
        "{path}: {} crossings, {} wrong, {disputes} disputed, {} order rows",
        want.len(),
        wrong.len(),
        logs.order.len()
    );
    assert!(wrong.is_empty(), "time, driver, lap, official, at the line, in the order: {wrong:?}");
    assert_eq!((want.len(), last.len(), disputes), (counted, counted, disputed));
    // The cars that finished are classified as they are officially.
    let finished = |driver: &u8| {
        let last = logs.status.iter().rev().find(|row| row.driver.0 == *driver);
        last.is_some_and(|row| row.status == CarStatus::Finished)
    };
    let places: Vec<_> = classification(logs).into_iter().filter(finished).map(|d| official[&DriverId(d)]).collect();
    assert_eq!(places, (1..=places.len() as u8).collect::<Vec<_>>(), "official places in the final order");
    assert!(places.len() >= 10, "{places:?}");
}

#[test]
fn azerbaijan_has_every_place_at_the_line_right() {
    check_recorded(AZERBAIJAN, 841, 8);
}

#[test]
fn australia_has_every_place_at_the_line_right() {
    check_recorded(AUSTRALIA, 921, 0);
}

#[test]
fn the_line_of_a_real_circuit_follows_the_cars() {
    let Some(input) = recorded(AUSTRALIA) else { return };
    let session = imported(&input).session;
    let (at, line) = session.centreline.as_ref().expect("a centreline");
    let start = Instant::now();
    let mut offsets = Vec::new();
    for samples in session.columns.iter().map(|columns| &columns.position) {
        let mut hint = None;
        for row in (0..samples.len()).filter(|row| samples.is_known(*row)) {
            let found = line.project(f64::from(samples.x[row]), f64::from(samples.y[row]), hint);
            hint = Some(found.distance_m);
            offsets.push(found.offset_m.abs());
        }
    }
    let (count, elapsed) = (offsets.len(), start.elapsed());
    let [p50, p99, most] = spread(&mut offsets);
    println!(
        "line of {:.1} m known at {:.1} s; {count} projections in {elapsed:?}; off the line p50 {p50:.2} p99 {p99:.1} \
         most {most:.1} m",
        line.length_m(),
        at.seconds(),
    );
    // The circuit measures 5,278 m along its middle; cars cut corners.
    assert!((5_200.0..5_290.0).contains(&line.length_m()), "{} m", line.length_m());
    assert!(p50 < 1.0 && p99 < 20.0, "{p50} {p99}");
}

/// Records in the order in which the import folds them.
fn events(input: &Input) -> Vec<Stamped> {
    let mut events = Vec::new();
    for stream in STREAMS {
        if let Some(file) = input.files.iter().find(|file| file.name == stream.file_name()) {
            events.extend(archive_stream(stream, &file.name, &file.bytes).events);
        }
    }
    events.sort_by_key(|event| event.known_at);
    events
}

/// What was known at a moment is the same, whatever came after it: the state in the middle of a fold has exactly the rows
/// that the whole one knows of then. (That importing a cut file gives the same as well is shown with the import.)
#[track_caller]
fn check_prefix(input: &Input, seed: u64) {
    let events = events(input);
    let mut whole = State::new();
    events.iter().for_each(|event| whole.apply(event));
    // Any spread will do, so long as it is the same each time: a linear congruential generator.
    let mut random = seed;
    let mut at: Vec<i64> = (0..cuts())
        .map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            events[(random >> 33) as usize % events.len()].known_at.ms()
        })
        .collect();
    at.sort_unstable();
    let (mut state, mut next) = (State::new(), events.iter().peekable());
    for at in at {
        while let Some(event) = next.next_if(|event| event.known_at.ms() <= at) {
            state.apply(event);
        }
        assert_same_logs(state.logs(), &known(whole.logs(), at), &format!("cut at {at} ms"));
    }
}

#[test]
fn what_is_known_at_a_moment_does_not_depend_on_what_comes_after() {
    check_prefix(&simulated(&realistic(5)).0, 5);
    for path in [AZERBAIJAN, AUSTRALIA] {
        if let Some(input) = recorded(path) {
            check_prefix(&input, 7);
        }
    }
}
