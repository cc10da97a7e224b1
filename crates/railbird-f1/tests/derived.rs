//! What is derived beside order and laps: rulings, mini-sector codes, DRS zones, and a centreline from an earlier session.

mod common;

use std::collections::BTreeMap;

use common::{AUSTRALIA, SPAIN, assert_same_logs, cut, cuts, files, imported, known, recorded, simulated};
use expect_test::expect;
use railbird_f1::simulate::{FaultOptions, SessionKind, SimulateOptions};
use railbird_f1::{
    DrsZoneRow, EarlierLine, Import, Input, Manifest, RulingKind, RulingRow, Sectors, Session, SessionInfo,
    SessionTime, drs_zones, earlier_line, import_after, open,
};
use railbird_timeline::ManualClock;

fn race() -> SimulateOptions {
    SimulateOptions { drivers: 10, laps: 8, ..SimulateOptions::default() }
}

/// The last row of each ruling, in order of drivers and numbers.
fn rulings(session: &Session, kind: RulingKind) -> Vec<&RulingRow> {
    let mut last = BTreeMap::new();
    for row in session.logs.rulings.iter().filter(|row| row.kind == kind) {
        last.insert((row.driver, row.number), row);
    }
    last.into_values().collect()
}

#[test]
fn penalties_of_a_real_race_are_given_and_served() {
    let Some(input) = recorded(AUSTRALIA) else { return };
    let session = imported(&input).session;
    let text: String = rulings(&session, RulingKind::Penalty)
        .into_iter()
        .map(|row| {
            let code = &session.drivers[row.driver.index()].code;
            format!("{code} {:?} {}: {}\n", row.seconds, row.state.name(), row.reason)
        })
        .collect();
    expect![[r#"
        BOR Some(5) served: UNSAFE RELEASE
        ANT Some(5) given: UNSAFE RELEASE
    "#]]
    .assert_eq(&text);
}

#[test]
fn deleted_laps_are_those_of_the_table() {
    let (input, archive) = simulated(&SimulateOptions { laps: 20, drivers: 20, ..race() });
    let session = imported(&input).session;
    let mut told: Vec<_> =
        rulings(&session, RulingKind::DeletedLap).into_iter().map(|row| (row.driver, row.lap)).collect();
    let table = railbird_f1::laps(&session, None);
    let mut deleted: Vec<_> =
        table.laps.iter().filter(|lap| lap.deleted).map(|lap| (lap.driver, Some(lap.lap_number))).collect();
    told.sort_unstable();
    deleted.sort_unstable();
    assert_eq!(told, deleted);
    assert!(!told.is_empty() && !archive.files.is_empty());
}

#[test]
fn drivers_stand_in_the_order_of_the_screen() {
    let (mut input, _) = simulated(&race());
    input.files.retain(|file| matches!(&*file.name, "DriverList.jsonStream" | "SessionInfo.jsonStream"));
    let list = input.files.iter_mut().find(|file| file.name == "DriverList.jsonStream").expect("a list");
    let text = String::from_utf8(list.bytes.clone()).expect("UTF-8");
    let (first, rest) = text.split_once('\n').expect("a record");
    // Lines that run the other way round: the last car of the record stands first.
    let mut parts = first.split("\"Line\":");
    let mut turned = parts.next().expect("a record").to_owned();
    for (index, part) in parts.enumerate() {
        let rest = part.trim_start_matches(|char: char| char.is_ascii_digit());
        turned.push_str(&format!("\"Line\":{}{rest}", 10 - index));
    }
    let mut numbers: Vec<u16> = first
        .match_indices("\"RacingNumber\":\"")
        .filter_map(|(at, word)| first[at + word.len()..].split('"').next()?.parse().ok())
        .collect();
    numbers.reverse();
    list.bytes = format!("{turned}\n{rest}").into_bytes();
    let drivers = imported(&input).session.drivers;
    assert_eq!(drivers.iter().map(|driver| driver.number.0).collect::<Vec<_>>(), numbers);
    assert_eq!(numbers.len(), 10);
}

#[test]
fn codes_of_mini_sectors_are_those_of_their_laps() {
    let Some(input) = recorded(SPAIN) else { return };
    let session = imported(&input).session;
    let sectors = Sectors::of(&session, None);
    let (mut laps, mut whole, mut overall) = (0, 0, 0);
    for row in sectors.sectors.iter().filter(|row| row.sector_s.iter().all(Option::is_some)) {
        laps += 1;
        let codes: Vec<u32> = row.segments.iter().flatten().filter_map(|code| *code).collect();
        whole +=
            usize::from(row.segments.iter().all(|sector| !sector.is_empty() && sector.iter().all(Option::is_some)));
        overall += usize::from(codes.contains(&2051));
    }
    assert!(laps > 150, "{laps}");
    assert!(whole * 20 > laps * 19, "{whole} of {laps} laps have every code");
    assert!(overall > 10, "{overall}");
    // As of a moment nothing is known of the laps after it.
    let half = SessionTime(session.end.0 / 2);
    let early = Sectors::of(&session, Some(half));
    let known = |sectors: &Sectors| sectors.sectors.iter().flat_map(|row| &row.segments).map(Vec::len).sum::<usize>();
    assert!(known(&early) > 0 && known(&early) < known(&sectors));
}

#[test]
fn the_source_says_how_many_take_part_in_each_part_of_qualifying() {
    let (input, _) = simulated(&SimulateOptions { session: SessionKind::Qualifying, drivers: 20, ..race() });
    let session = imported(&input).session;
    let entries: Vec<_> = session.logs.entries.iter().map(|row| (row.part, row.cars)).collect();
    assert_eq!(entries, [(1, 20), (2, 15), (3, 10)]);
    let mut fewer = session;
    fewer.logs.entries[1].cars = 13;
    let parts = Sectors::of(&fewer, None).qualifying;
    assert_eq!(parts.iter().map(|part| part.go_on).collect::<Vec<_>>(), [Some(13), Some(10), None]);
    let Some(input) = recorded(SPAIN) else { return };
    let real = imported(&input).session;
    let last = |part| real.logs.entries.iter().rfind(|row| row.part == part).map(|row| row.cars);
    assert_eq!([1, 2, 3].map(last), [Some(20), Some(15), Some(10)]);
}

#[test]
fn stale_samples_are_counted_by_driver_and_lap() {
    let (input, _) = simulated(&SimulateOptions { faults: FaultOptions::all(), ..race() });
    let manifest = imported(&input).manifest;
    let sums = manifest.stale_samples.iter().fold([0; 4], |sums: [u64; 4], row| {
        let counts = [row.car_equal, row.car_backward, row.position_equal, row.position_backward];
        std::array::from_fn(|kind| sums[kind] + u64::from(counts[kind]))
    });
    let reasons = ["car_time_equal", "car_time_backward", "position_time_equal", "position_time_backward"];
    assert_eq!(sums, reasons.map(|reason| manifest.rejected.get(reason).copied().unwrap_or(0)));
    assert!(sums.iter().sum::<u64>() > 0, "the faults hold stale samples");
    let places: Vec<_> = manifest.stale_samples.iter().map(|row| (row.driver, row.lap)).collect();
    assert!(
        places.is_sorted() && places.iter().all(|(driver, lap)| *driver < 10 && (1..=9).contains(lap)),
        "{places:?}"
    );
}

/// Rows that were known at `cut_ms`.
fn known_zones(rows: &[DrsZoneRow], cut_ms: i64) -> Vec<DrsZoneRow> {
    rows.iter().filter(|row| (row.known_at_s * 1e3).round() as i64 <= cut_ms).copied().collect()
}

#[test]
fn drs_zones_lie_where_cars_opened_it_and_never_look_ahead() {
    let (input, _) = simulated(&SimulateOptions { drivers: 20, laps: 14, ..SimulateOptions::default() });
    let session = imported(&input).session;
    let rows = drs_zones(&session, None);
    let (_, line) = session.centreline.as_ref().expect("a line");
    let zones: BTreeMap<u16, DrsZoneRow> = rows.iter().map(|row| (row.zone, *row)).collect();
    assert!(!zones.is_empty() && zones.len() <= 5, "{zones:?}");
    for zone in zones.values() {
        let way = line.way_m(zone.from_m, zone.to_m);
        assert!((60.0..2_000.0).contains(&way), "{zone:?}");
    }
    // Most samples with an open DRS lie in a zone.
    let (mut open, mut inside) = (0, 0);
    for (car, position) in session.columns.iter().map(|columns| (&columns.car, &columns.position)) {
        for row in (0..car.len()).filter(|row| matches!(car.drs[*row], 10 | 12 | 14)) {
            let Some(at) = railbird_timeline::as_of(&position.utc, car.utc[row]) else { continue };
            let place = line.project(f64::from(position.x[at]), f64::from(position.y[at]), None).distance_m;
            open += 1;
            let within = |zone: &DrsZoneRow| {
                (-30.0..=line.way_m(zone.from_m, zone.to_m) + 30.0).contains(&line.way_m(zone.from_m, place))
            };
            inside += usize::from(zones.values().any(within));
        }
    }
    assert!(open > 100 && inside * 10 > open * 8, "{inside} of {open}");
    let count = cuts() as i64 / 2;
    for index in 0..count {
        let at = session.end.ms() * (index + 1) / (count + 1);
        let part = imported(&cut(&input, at)).session;
        assert_eq!(drs_zones(&part, None), known_zones(&rows, at), "cut at {at} ms");
        assert_eq!(drs_zones(&session, Some(SessionTime::from_ms(at))), known_zones(&rows, at), "as of {at} ms");
    }
    let mut without = session;
    without.columns.iter_mut().for_each(|columns| columns.car.drs.fill(255));
    assert_eq!(drs_zones(&without, None), []);
}

/// The import of `input` on the line of `earlier`.
#[track_caller]
fn imported_after(input: &Input, earlier: &EarlierLine) -> Import {
    import_after(input, &|_| Some(earlier.clone()), &ManualClock::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// What a session a week before `manifest` at the same place would have left behind.
fn week_before(manifest: &Manifest) -> Manifest {
    let zero = railbird_timeline::Ts::parse(manifest.origin_utc.as_bytes()).expect("an instant");
    let zero = railbird_timeline::Ts(zero.0 - 7 * 86_400_000_000_000);
    Manifest { id: "the-week-before".into(), version: "0".repeat(20), origin_utc: zero.to_string(), ..manifest.clone() }
}

#[test]
fn a_session_runs_on_the_line_of_an_earlier_one_from_its_first_word_on() {
    let (input, _) = simulated(&race());
    let first = imported(&input);
    let before = week_before(&first.manifest);
    let earlier = earlier_line(&[before], &first.session.info).expect("the week before");
    let second = imported_after(&input, &earlier);
    let geometry = second.manifest.geometry.as_ref().expect("a line");
    let own = first.manifest.geometry.as_ref().expect("a line");
    assert_eq!(geometry.origin.as_ref().map(|origin| origin.session.as_str()), Some("the-week-before"));
    assert_eq!((own.origin.as_ref(), &geometry.points), (None, &own.points));
    assert!(geometry.known_at_s < 1.0 && own.known_at_s > 60.0, "{} {}", geometry.known_at_s, own.known_at_s);
    // Another line, another version; the same line, the same bytes.
    assert_ne!(second.manifest.version, first.manifest.version);
    assert_eq!(imported_after(&input, &earlier).files, second.files);
    let other = EarlierLine {
        origin: railbird_f1::LineOrigin { session: "x".into(), ..earlier.origin.clone() },
        ..earlier.clone()
    };
    assert_ne!(imported_after(&input, &other).manifest.version, second.manifest.version);
    assert_eq!(EarlierLine::taken_by(&second.manifest), Some(earlier.clone()));
    // Gaps on the road are known before the first clean lap.
    let first_gap = |import: &Import| import.session.logs.gaps.iter().map(|row| row.known_at).min();
    assert!(first_gap(&second) < first_gap(&first), "{:?} {:?}", first_gap(&second), first_gap(&first));
    let opened = open(&second.manifest, &files(&second)).expect("own session");
    assert_same_logs(&opened.logs, &second.session.logs, "after opening");
    for index in 0..(cuts() as i64 / 4) {
        let at = second.session.end.ms() * (4 * index + 1) / (cuts() as i64 + 1);
        let part = imported_after(&cut(&input, at), &earlier);
        assert_same_logs(&part.session.logs, &known(&second.session.logs, at), &format!("cut at {at} ms"));
    }
}

#[test]
fn only_a_line_of_the_same_season_and_circuit_that_was_known_before_is_taken() {
    let first = imported(&simulated(&race()).0);
    let (manifest, info) = (&first.manifest, &first.session.info);
    let before = week_before(manifest);
    let taken = |stored: &[Manifest], info: &SessionInfo| earlier_line(stored, info).map(|line| line.origin.session);
    assert_eq!(taken(std::slice::from_ref(&before), info).as_deref(), Some("the-week-before"));
    // Itself, and what lies after it.
    assert_eq!(taken(std::slice::from_ref(manifest), info), None);
    let mut about = before.session.clone();
    about.circuit_key = about.circuit_key.map(|key| key + 1);
    assert_eq!(taken(&[Manifest { session: about, ..before.clone() }], info), None);
    let mut about = before.session.clone();
    about.year = about.year.map(|year| year - 1);
    assert_eq!(taken(&[Manifest { session: about, ..before.clone() }], info), None);
    assert_eq!(taken(&[Manifest { geometry: None, ..before.clone() }], info), None);
    assert_eq!(taken(std::slice::from_ref(&before), &SessionInfo { circuit_key: None, ..info.clone() }), None);
    assert_eq!(taken(std::slice::from_ref(&before), &SessionInfo { gmt_offset: String::new(), ..info.clone() }), None);
    // Of two the later one; what that took from another comes from there.
    let mut later = before.clone();
    (later.id, later.origin_utc) = ("the-day-before".into(), week_before(manifest).origin_utc);
    let zero = railbird_timeline::Ts::parse(later.origin_utc.as_bytes()).expect("an instant");
    later.origin_utc = railbird_timeline::Ts(zero.0 + 6 * 86_400_000_000_000).to_string();
    assert_eq!(taken(&[later.clone(), before.clone()], info).as_deref(), Some("the-day-before"));
    let line = later.geometry.as_mut().expect("a line");
    line.origin = Some(railbird_f1::LineOrigin { session: "the-first".into(), version: "1".repeat(20) });
    assert_eq!(taken(&[before, later], info).as_deref(), Some("the-first"));
}
