//! Routes that read an opened session.

use std::sync::Arc;

use railbird_publish::{Call, Refusal, RefusalKind, Reply, Route, Warm};
use serde_json::json;

use super::{Library, bad_call, blocking, not_found, open_call, query, refusal, session_parameter};
use crate::classification::classification;
use crate::compare::{COMPARED_LAPS_MAX, compare};
use crate::event::{DriverId, SessionTime};
use crate::laps::{Lap, LapTable, laps};
use crate::offer::{Kept, Opened, is_version};
use crate::sectors::Sectors;
use crate::session::Session;
use crate::table::{Table, TableFormat};
use crate::telemetry::{Curve, lap_telemetry};

/// Most laps whose telemetry one call may ask for.
const TELEMETRY_LAPS_MAX: usize = 100;
/// Step of a comparison where none is asked for, m.
const STEP_M: f64 = 5.0;

pub(super) fn routes(library: &Arc<dyn Library>) -> Vec<Route> {
    let object = || Some(json!({"type": "object"}));
    let known_then = || query("as_of", "Session time in seconds: only what was known then; all where not given");
    let drivers = || query("drivers", "Codes or racing numbers, separated by commas: NOR,81");
    let lap_numbers = || query("laps", "Lap numbers and ranges, separated by commas: 1-10,21");
    let driver = || query("driver", "Codes or racing numbers, separated by commas: NOR,81");
    let lap = || query("lap", "Lap numbers and ranges, separated by commas: 21 or 20-22");
    vec![
        Route {
            parameters: vec![session_parameter(), drivers(), lap_numbers(), known_then()],
            schema: object(),
            warm: Some(warm(library, "laps", |opened| &opened.laps_answer)),
            ..blocking(
                "/api/f1/sessions/{session}/laps",
                "Laps with FastF1's columns, times in seconds",
                library,
                |library, call| {
                    let opened = open_call(library, call)?;
                    if is_whole(call) {
                        let all = || serde_json::to_vec(&json!({ "laps": opened.laps().laps }));
                        return kept(&opened, &opened.laps_answer, "laps", call, all);
                    }
                    Reply::json(&json!({ "laps": chosen(&opened, call, ["drivers", "laps"])?.laps }))
                },
            )
        },
        Route {
            parameters: vec![session_parameter(), drivers(), known_then()],
            schema: object(),
            warm: Some(warm(library, "sectors", |opened| &opened.sectors_answer)),
            ..blocking(
                "/api/f1/sessions/{session}/sectors",
                "Sectors, speed traps, stints, pit stops, ideal laps, and the parts of qualifying",
                library,
                |library, call| {
                    let opened = open_call(library, call)?;
                    let session = &opened.session;
                    let as_of = as_of(call)?;
                    let drivers = call.get("drivers").map(|text| driver_list(session, text)).transpose()?;
                    let wanted = |code: &str| {
                        let chosen = |drivers: &Vec<DriverId>| {
                            drivers.iter().any(|driver| session.drivers[driver.index()].code == code)
                        };
                        drivers.as_ref().is_none_or(chosen)
                    };
                    if is_whole(call) {
                        let all = || serde_json::to_vec(&*opened.sectors());
                        return kept(&opened, &opened.sectors_answer, "sectors", call, all);
                    }
                    let mut sectors = match as_of {
                        None => Sectors::clone(&opened.sectors()),
                        Some(_) => Sectors::of(session, as_of),
                    };
                    sectors.sectors.retain(|row| wanted(&row.driver));
                    sectors.bests.retain(|row| wanted(&row.driver));
                    sectors.stints.retain(|row| wanted(&row.driver));
                    sectors.pit_stops.retain(|row| wanted(&row.driver));
                    Reply::json(&sectors)
                },
            )
        },
        Route {
            parameters: vec![session_parameter()],
            schema: object(),
            ..blocking(
                "/api/f1/sessions/{session}/classification",
                "The order at the end, by official positions",
                library,
                |library, call| {
                    let opened = open_call(library, call)?;
                    Reply::json(&json!({ "classification": classification(&opened.session) }))
                },
            )
        },
        Route {
            parameters: vec![session_parameter(), known_then()],
            schema: object(),
            ..blocking(
                "/api/f1/sessions/{session}/drs",
                "DRS zones along the centreline as they became known; none where the season has no DRS",
                library,
                |library, call| {
                    let opened = open_call(library, call)?;
                    let until = as_of(call)?.map_or(f64::INFINITY, SessionTime::seconds);
                    let rows: Vec<_> = opened.drs_zones().iter().filter(|row| row.known_at_s <= until).collect();
                    Reply::json(&json!({ "zones": rows }))
                },
            )
        },
        Route {
            parameters: vec![session_parameter(), driver(), lap()],
            schema: object(),
            ..blocking(
                "/api/f1/sessions/{session}/telemetry",
                "Car and position samples of laps on one clock, with FastF1's columns",
                library,
                |library, call| {
                    let opened = open_call(library, call)?;
                    let laps = telemetry_laps(&opened, call)?;
                    let rows: Vec<_> = laps
                        .iter()
                        .map(|lap| {
                            let columns = Table::telemetry(&lap_telemetry(&opened.session, lap, Curve::Spline));
                            json!({ "driver": lap.code, "lap": lap.lap_number, "columns": columns })
                        })
                        .collect();
                    Reply::json(&json!({ "telemetry": rows }))
                },
            )
        },
        Route {
            parameters: vec![
                session_parameter(),
                query("laps", "Laps to compare, the reference first: NOR:21,PIA:21"),
                query("step", "Step of the grid in metres, 1 to 100; 5 where not given"),
            ],
            schema: object(),
            ..blocking(
                "/api/f1/sessions/{session}/compare",
                "Laps beside one another along the track, with the time lost and won",
                library,
                comparison,
            )
        },
        Route {
            parameters: vec![
                session_parameter(),
                query("format", "csv, arrow or parquet"),
                query("table", "laps or telemetry"),
                driver(),
                lap(),
            ],
            media_type: "application/octet-stream",
            ..blocking("/api/f1/sessions/{session}/export", "A table as a file", library, export)
        },
    ]
}

/// Whether a call asks for everything as it is known at the end.
fn is_whole(call: &Call) -> bool {
    call.parameters.keys().all(|name| name == "session")
}

/// The answer of `…/{what}` without further words, computed and compressed once a version.
fn kept(
    opened: &Opened,
    answer: &Kept,
    what: &str,
    call: &Call,
    make: impl FnOnce() -> serde_json::Result<Vec<u8>>,
) -> Result<Reply, Refusal> {
    let tag = format!("{}-{what}", opened.manifest.version);
    let immutable = call.get("session").is_some_and(is_version);
    answer.reply_or(call, tag, immutable, || make().map_err(|error| refusal(RefusalKind::Broken, error.to_string())))
}

/// The same from memory, where it is there.
fn warm(library: &Arc<dyn Library>, what: &'static str, answer: fn(&Opened) -> &Kept) -> Warm {
    let library = Arc::clone(library);
    Arc::new(move |call| {
        let version = call.get("session").filter(|name| is_version(name) && is_whole(call))?;
        answer(&*library.opened_in_memory(version)?).reply(call, format!("{version}-{what}"), true)
    })
}

/// Laps that a call names; all where it names none.
fn chosen(opened: &Opened, call: &Call, [drivers, numbers]: [&str; 2]) -> Result<LapTable, Refusal> {
    let session = &opened.session;
    let as_of = as_of(call)?;
    let drivers = call.get(drivers).map(|text| driver_list(session, text)).transpose()?;
    let ranges = call.get(numbers).map(ranges).transpose()?;
    let wanted = |lap: &&Lap| {
        drivers.as_ref().is_none_or(|drivers| drivers.contains(&lap.driver))
            && ranges
                .as_ref()
                .is_none_or(|ranges| ranges.iter().any(|(first, last)| (*first..=*last).contains(&lap.lap_number)))
    };
    let table = as_of.map_or_else(|| opened.laps(), |as_of| Arc::new(laps(session, Some(as_of))));
    Ok(LapTable { laps: table.laps.iter().filter(wanted).cloned().collect() })
}

fn as_of(call: &Call) -> Result<Option<SessionTime>, Refusal> {
    let Some(text) = call.get("as_of") else { return Ok(None) };
    let seconds: f64 = text.parse().map_err(|_| bad_call(format!("as_of: expected seconds, got {text:?}")))?;
    Ok(Some(SessionTime((seconds.clamp(-1e6, 1e6) * 1e9) as i64)))
}

fn driver_list(session: &Session, text: &str) -> Result<Vec<DriverId>, Refusal> {
    text.split(',')
        .map(|name| {
            session.driver(name.trim()).ok_or_else(|| {
                let codes: Vec<_> = session.drivers.iter().map(|driver| driver.code.as_str()).collect();
                not_found(format!("driver {name:?}: not in this session; expected one of {}", codes.join(", ")))
            })
        })
        .collect()
}

fn ranges(text: &str) -> Result<Vec<(u16, u16)>, Refusal> {
    let bad = || bad_call(format!("laps: expected numbers and ranges like 1-10,21, got {text:?}"));
    text.split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u16>().map_err(|_| bad());
            Ok((number(first)?, number(last)?))
        })
        .collect()
}

fn telemetry_laps(opened: &Opened, call: &Call) -> Result<Vec<Lap>, Refusal> {
    if call.get("driver").is_none() || call.get("lap").is_none() {
        return Err(bad_call("telemetry: expected driver and lap, as in ?driver=NOR,PIA&lap=21"));
    }
    let laps = chosen(opened, call, ["driver", "lap"])?.laps;
    if laps.is_empty() {
        return Err(not_found("telemetry: none of these laps was driven"));
    }
    if laps.len() > TELEMETRY_LAPS_MAX {
        return Err(bad_call(format!("telemetry: {} laps; expected at most {TELEMETRY_LAPS_MAX}", laps.len())));
    }
    Ok(laps)
}

fn comparison(library: &dyn Library, call: &Call) -> Result<Reply, Refusal> {
    let opened = open_call(library, call)?;
    let session = &opened.session;
    let text = call.get("laps").ok_or_else(|| bad_call("laps: not given; expected as in ?laps=NOR:21,PIA:21"))?;
    let table = opened.laps();
    let chosen: Vec<&Lap> = text
        .split(',')
        .map(|part| {
            let (driver, number) = part
                .split_once(':')
                .ok_or_else(|| bad_call(format!("laps: expected a driver and a lap like NOR:21, got {part:?}")))?;
            let driver = driver_list(session, driver)?[0];
            number
                .parse()
                .ok()
                .and_then(|number| table.lap(driver, number))
                .ok_or_else(|| not_found(format!("lap {part}: was not driven")))
        })
        .collect::<Result<_, _>>()?;
    if chosen.len() > COMPARED_LAPS_MAX {
        return Err(bad_call(format!("laps: {}; expected at most {COMPARED_LAPS_MAX}", chosen.len())));
    }
    let step_m = match call.get("step") {
        None => STEP_M,
        Some(text) => text
            .parse()
            .ok()
            .filter(|step| (1.0..=100.0).contains(step))
            .ok_or_else(|| bad_call(format!("step: expected 1 to 100 metres, got {text:?}")))?,
    };
    let result = compare(session, &chosen, step_m)
        .ok_or_else(|| not_found("laps: one of them has no samples to compare, or no start or end"))?;
    Reply::json(&result)
}

fn export(library: &dyn Library, call: &Call) -> Result<Reply, Refusal> {
    let opened = open_call(library, call)?;
    let format = call.get("format").unwrap_or("csv");
    let format = TableFormat::from_name(format)
        .ok_or_else(|| bad_call(format!("format: expected csv, arrow or parquet, got {format:?}")))?;
    let (table, name) = match call.get("table").unwrap_or("laps") {
        "laps" => (Table::laps(&chosen(&opened, call, ["driver", "lap"])?), "laps".to_owned()),
        "telemetry" => {
            let laps = telemetry_laps(&opened, call)?;
            let [lap] = laps.as_slice() else {
                return Err(bad_call(format!("telemetry: expected one lap a file, got {}", laps.len())));
            };
            let table = Table::telemetry(&lap_telemetry(&opened.session, lap, Curve::Spline));
            (table, format!("telemetry-{}-{}", lap.code, lap.lap_number))
        }
        other => return Err(bad_call(format!("table: expected laps or telemetry, got {other:?}"))),
    };
    let body = table.write(format).map_err(|error| refusal(RefusalKind::Broken, error.to_string()))?;
    Ok(Reply {
        file_name: Some(format!("{}-{name}.{}", opened.manifest.id, format.name())),
        body: body.into(),
        ..Reply::bytes(format.media_type())
    })
}
