//! Merged telemetry: against what FastF1 published of a race, row for row, and without looking ahead.

mod common;

use common::{AUSTRALIA, cut, cuts, imported, recorded, simulated};
use railbird_f1::simulate::SimulateOptions;
use railbird_f1::{
    Curve, DriverId, GridColumns, SessionTime, Span, Telemetry, compare, lap_telemetry, laps, merged, resample,
    resample_all, session_grid, telemetry,
};

fn small() -> SimulateOptions {
    SimulateOptions { drivers: 5, laps: 4, ..SimulateOptions::default() }
}

/// Rows of a published lap that are equal, and rows of it.
fn equal_rows(found: &Telemetry, published: &serde_json::Value) -> (usize, usize) {
    let column = |name: &str| -> Vec<f64> {
        published[name].as_array().expect("a column").iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let [time, speed, x, y, z, distance] = ["time", "speed", "x", "y", "z", "distance"].map(column);
    let gear = column("gear");
    let within = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance;
    let rows = time.iter().enumerate().filter(|(row, time)| {
        let row = *row;
        row < found.len()
            && within(found.seconds(row), **time, 6e-4)
            && within(found.speed[row], speed[row], 0.01)
            && within(found.x[row], x[row], 0.05)
            && within(found.y[row], y[row], 0.05)
            && within(found.z[row], z[row], 0.05)
            && within(found.distance[row], distance[row], 0.05)
            && f64::from(found.gear[row]) == gear[row]
    });
    (rows.count(), time.len())
}

#[test]
fn published_telemetry_row_for_row() {
    let Some(input) = recorded(AUSTRALIA) else { return };
    let session = imported(&input).session;
    let table = laps(&session, None);
    let (mut total, mut whole, mut nearly, mut same_rows) = (0, 0, 0, 0);
    for code in ["ALO", "LEC", "NOR", "PIA"] {
        let driver = session.driver(code).expect("a driver");
        let published = recorded(&format!("published/telemetry/2025_australia/{code}.json.zst")).expect("telemetry");
        let text = zstd::decode_all(&published.files[0].bytes[..]).expect("zstd");
        let text = String::from_utf8(text).expect("text").replace("NaN", "null");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for (lap, published) in json.as_object().expect("laps") {
            let lap = table.lap(driver, lap.parse().expect("a number")).expect("the lap");
            let found = lap_telemetry(&session, lap, Curve::Spline);
            let (equal, rows) = equal_rows(&found, published);
            total += 1;
            whole += usize::from(equal == rows);
            nearly += usize::from(equal * 100 >= rows * 99);
            same_rows += usize::from(found.len() == rows);
        }
    }
    assert_eq!((total, same_rows), (204, 204));
    // The archive holds nothing before lights-out and nothing after the flag: first and last laps lack a sample there.
    assert!(whole * 100 >= total * 97, "{whole} of {total} laps equal in every row");
    assert!(nearly * 100 >= total * 99, "{nearly} of {total} laps equal in 99 % of their rows");
}

/// Rows known at `known_at`, as text: NaN equals NaN.
fn known(telemetry: &Telemetry, known_at: SessionTime) -> Vec<String> {
    let rows = (0..telemetry.len()).filter(|row| telemetry.known_at[*row] <= known_at);
    rows.map(|row| {
        format!(
            "{:?} {:?} {} {} {} {} {} {} {:?} {:?} {:?} {}",
            telemetry.time[row],
            telemetry.source[row],
            telemetry.rpm[row],
            telemetry.speed[row],
            telemetry.throttle[row],
            telemetry.gear[row],
            telemetry.brake[row],
            telemetry.drs[row],
            telemetry.x[row],
            telemetry.y[row],
            telemetry.distance[row],
            telemetry.on_track[row],
        )
    })
    .collect()
}

#[test]
fn a_line_never_looks_ahead() {
    let (input, _) = simulated(&small());
    let whole = imported(&input).session;
    let span = Span { start: SessionTime(0), end: whole.end };
    for step in 1..=cuts() as i64 {
        let cut_ms = whole.end.ms() * step / (cuts() as i64 + 1);
        let mut then = imported(&cut(&input, cut_ms)).session;
        // The origin is estimated from all samples and is no part of a row's knowledge.
        then.origin = whole.origin;
        for driver in 0..then.drivers.len() {
            let driver = DriverId(driver as u8);
            let at = SessionTime::from_ms(cut_ms);
            let (then, now) =
                (telemetry(&then, driver, span, Curve::Line), telemetry(&whole, driver, span, Curve::Line));
            assert_eq!(known(&then, at), known(&now, at), "cut at {cut_ms} ms");
        }
    }
}

#[test]
fn rows_rise_and_own_samples_stay_as_sent() {
    let (input, _) = simulated(&small());
    let session = imported(&input).session;
    for driver in 0..session.drivers.len() {
        let columns = &session.columns[driver];
        for curve in [Curve::Spline, Curve::Line] {
            let all = merged(&session, DriverId(driver as u8), curve);
            assert!(all.time.is_sorted_by(|a, b| a < b));
            assert!(all.len() > columns.position.len());
            let mut sent = columns.position.x.iter();
            for row in (0..all.len()).filter(|row| all.source[*row].name() == "pos") {
                assert!((all.x[row] - f64::from(*sent.next().expect("a sample"))).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn the_grid_equals_one_channel_at_a_time_on_any_number_of_threads() {
    let (input, _) = simulated(&small());
    let session = imported(&input).session;
    let grid = session_grid(&session, 25).expect("a started session");
    let all = resample_all(&session, grid);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let bits = |columns: &GridColumns| columns.x.iter().chain(&columns.speed).map(|v| v.to_bits()).collect::<Vec<_>>();
    for (driver, (one, many)) in pool.install(|| resample_all(&session, grid)).iter().zip(&all).enumerate() {
        assert_eq!(bits(one), bits(many));
        let mut again = GridColumns::default();
        resample(&session, DriverId(driver as u8), grid, &mut again);
        assert_eq!(bits(&again), bits(many));
        assert_eq!(many.len(), grid.steps);
        let columns = &session.columns[driver];
        for step in (0..grid.steps).step_by(97) {
            let utc = session.utc_at(GridColumns::time(grid, step));
            let row = columns.car.utc.partition_point(|at| *at <= utc);
            let held = row.checked_sub(1).map_or(0, |row| columns.car.gear[row]);
            assert_eq!(many.gear[step], held, "a gear is held");
        }
    }
}

#[test]
fn the_race_has_its_frames() {
    let Some(input) = recorded(AUSTRALIA) else { return };
    let session = imported(&input).session;
    assert_eq!(session_grid(&session, 25).expect("a race").steps, 154_173);
}

#[test]
fn a_comparison_loses_exactly_the_difference_of_the_lap_times() {
    let (input, _) = simulated(&SimulateOptions { laps: 8, ..small() });
    let session = imported(&input).session;
    let table = laps(&session, None);
    let plain = |lap: &&railbird_f1::Lap| {
        !lap.generated
            && lap.lap_number > 1
            && lap.pit_in_ms.is_none()
            && lap.pit_out_ms.is_none()
            && lap.lap_time_ms.is_some()
    };
    let chosen: Vec<_> = table.laps.iter().filter(plain).collect();
    assert!(chosen.len() > 3);
    for pair in chosen.windows(2).take(8) {
        let Some(compared) = compare(&session, pair, 5.0) else { panic!("no comparison of {pair:?}") };
        let length =
            |lap: &railbird_f1::Lap| (lap.time_ms.expect("an end") - lap.start_ms.expect("a start")) as f64 / 1e3;
        let lost = compared.laps[1].delta_s.last().copied().expect("a place");
        assert!((lost - (length(pair[1]) - length(pair[0]))).abs() < 1e-6, "{lost}");
        assert!(compared.laps[0].delta_s.iter().all(|delta| *delta == 0.0));
        let fastest: f64 =
            compared.mini_sectors.iter().map(|part| part.times_s.iter().copied().fold(f64::INFINITY, f64::min)).sum();
        assert!((fastest - compared.ideal_lap_s).abs() < 1e-9);
        assert!(compared.ideal_lap_s <= length(pair[0]).min(length(pair[1])) + 1e-6);
    }
}
