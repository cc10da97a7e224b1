//! `railbird f1 order`: positions and gaps at each line crossing, or at one moment.

use std::collections::BTreeMap;

use railbird_f1::{CrossingRow, DriverId, Session, SessionTime};
use serde::Serialize;

use super::{Field, arguments::Order as Arguments};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output,
};

/// One car at the end of one of its laps.
#[derive(Debug, Serialize)]
struct AtLine<'a> {
    lap: u16,
    driver: &'a str,
    position: u8,
    gap_s: Option<f64>,
    interval_s: Option<f64>,
    known_at_s: f64,
    disputed: bool,
}

/// One car at one moment.
#[derive(Debug, Serialize)]
struct AtMoment<'a> {
    position: u8,
    driver: &'a str,
    gap_s: Option<f64>,
    interval_s: Option<f64>,
    laps_down: Option<u8>,
    status: &'static str,
}

/// Prints the order.
pub(crate) fn run(context: &Context, field: &Field, arguments: &Arguments) -> Result<Outcome, Failure> {
    let version = field.store.resolve(&arguments.session)?;
    let opened = railbird_f1::Library::opened(&*field.store, &version)?;
    let session = &opened.session;
    match arguments.at {
        Some(at) if at.is_finite() => {
            let rows = at_moment(session, SessionTime((at * 1e9).round() as i64));
            let document =
                serde_json::json!({ "session": opened.manifest.id, "version": version, "t": at, "order": rows });
            context.output.write(&document, |_| moment_csv(&rows))?;
        }
        Some(at) => return Err(Failure::usage(format!("--at {at}: expected seconds of session time"))),
        None => {
            let rows = at_line(session);
            let document = serde_json::json!({ "session": opened.manifest.id, "version": version, "order": rows });
            context.output.write(&document, |_| line_csv(&rows))?;
        }
    }
    Ok(Outcome::Done)
}

/// Crossings by lap, then position; of a corrected one, what was known last.
fn at_line(session: &Session) -> Vec<AtLine<'_>> {
    let mut last: BTreeMap<(u16, DriverId), &CrossingRow> = BTreeMap::new();
    for row in &session.logs.crossings {
        last.insert((row.lap, row.driver), row);
    }
    let mut rows: Vec<_> = last.into_values().collect();
    rows.sort_by_key(|row| (row.lap, row.position, row.driver));
    let line = |row: &CrossingRow| AtLine {
        lap: row.lap,
        driver: code(session, row.driver),
        position: row.position,
        gap_s: known(row.gap_s),
        interval_s: known(row.interval_s),
        known_at_s: row.known_at.seconds(),
        disputed: row.disputed,
    };
    rows.into_iter().map(line).collect()
}

/// What was known at `at`: the last row of each driver.
fn at_moment(session: &Session, at: SessionTime) -> Vec<AtMoment<'_>> {
    let logs = &session.logs;
    let order = &logs.order[..logs.order.partition_point(|row| row.known_at <= at)];
    let gaps = &logs.gaps[..logs.gaps.partition_point(|row| row.known_at <= at)];
    let statuses = &logs.status[..logs.status.partition_point(|row| row.known_at <= at)];
    let mut rows = Vec::new();
    for index in 0..session.drivers.len() {
        let driver = DriverId(index as u8);
        let Some(position) = order.iter().rfind(|row| row.driver == driver) else { continue };
        let gap = gaps.iter().rfind(|row| row.driver == driver);
        let status = statuses.iter().rfind(|row| row.driver == driver);
        rows.push(AtMoment {
            position: position.position,
            driver: code(session, driver),
            gap_s: gap.and_then(|gap| known(gap.gap_s)),
            interval_s: gap.and_then(|gap| known(gap.interval_s)),
            laps_down: gap.map(|gap| gap.laps_down),
            status: status.map_or("", |row| row.status.name()),
        });
    }
    rows.sort_by_key(|row| row.position);
    rows
}

fn line_csv(rows: &[AtLine<'_>]) -> String {
    let mut text = "lap,driver,position,gap_s,interval_s\n".to_owned();
    for row in rows {
        let (gap, interval) = (seconds(row.gap_s), seconds(row.interval_s));
        text.push_str(&format!("{},{},{},{gap},{interval}\n", row.lap, row.driver, row.position));
    }
    text
}

fn moment_csv(rows: &[AtMoment<'_>]) -> String {
    let cells = |row: &AtMoment<'_>| {
        let down = row.laps_down.map(|laps| laps.to_string()).unwrap_or_default();
        let (gap, interval) = (seconds(row.gap_s), seconds(row.interval_s));
        vec![row.position.to_string(), row.driver.to_owned(), gap, interval, down, row.status.to_owned()]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    output::table(&["position", "driver", "gap_s", "interval_s", "laps_down", "status"], &rows)
}

fn code(session: &Session, driver: DriverId) -> &str {
    session.drivers.get(driver.index()).map_or("", |driver| &driver.code)
}

fn known(seconds: f64) -> Option<f64> {
    (!seconds.is_nan()).then_some(seconds)
}

fn seconds(value: Option<f64>) -> String {
    value.map(|seconds| format!("{seconds:.3}")).unwrap_or_default()
}
