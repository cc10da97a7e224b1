//! Verbs that print a table. Each answers from the same route as the server, so that a command and the API never differ.

use std::{fs, sync::Arc};

use anyhow::Context as _;
use railbird_f1::{ImportRequest, ImportRules, ImportStatus, Imports, Input, LapTable, Library, Telemetry as Merged};
use railbird_publish::{Call, Method, Refusal, RefusalKind, Reply};
use railbird_store::gunzip_bounded;
use serde_json::Value;

use super::{
    Field,
    arguments::{Classification, Compare, Events, Export, Laps, Sessions, TableForm, Telemetry},
};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    output,
};

/// Largest answer of a route after decompression, bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A table of text, the names of its columns first.
type Table = (Vec<String>, Vec<Vec<String>>);

/// `f1 sessions`.
pub(crate) fn sessions(context: &Context, field: &Field, arguments: &Sessions) -> Result<Outcome, Failure> {
    let number = |number: Option<u16>| number.map(|number| number.to_string());
    let call = [("year", number(arguments.year)), ("round", number(arguments.round)), ("type", arguments.kind.clone())];
    let answer = ask(field, "/api/f1/sessions", call)?;
    print(context, TableForm::Table, &answer, |value| {
        let columns = ["id", "version", "start_utc", "name", "drivers", "laps", "duration_s"];
        rows_table(&columns, &value["sessions"])
    })
}

/// `f1 laps`.
pub(crate) fn laps(context: &Context, field: &Field, arguments: &Laps) -> Result<Outcome, Failure> {
    let call = [
        ("session", Some(field.store.resolve(&arguments.session)?)),
        ("drivers", arguments.drivers.clone()),
        ("laps", arguments.laps.clone()),
        ("as_of", arguments.as_of.map(|seconds| seconds.to_string())),
    ];
    let answer = ask(field, "/api/f1/sessions/{session}/laps", call)?;
    print(context, arguments.format, &answer, |value| {
        let people = [
            "Driver",
            "LapNumber",
            "LapTime",
            "Sector1Time",
            "Sector2Time",
            "Sector3Time",
            "Position",
            "Stint",
            "Compound",
            "TyreLife",
            "TrackStatus",
            "IsAccurate",
        ];
        let columns = if arguments.format == TableForm::Table { &people[..] } else { &LapTable::COLUMNS[..] };
        rows_table(columns, &value["laps"])
    })
}

/// `f1 telemetry`.
pub(crate) fn telemetry(context: &Context, field: &Field, arguments: &Telemetry) -> Result<Outcome, Failure> {
    let call = [
        ("session", Some(field.store.resolve(&arguments.session)?)),
        ("driver", Some(arguments.driver.clone())),
        ("lap", Some(arguments.lap.clone())),
    ];
    let answer = ask(field, "/api/f1/sessions/{session}/telemetry", call)?;
    print(context, arguments.format, &answer, telemetry_table)
}

/// `f1 compare`.
pub(crate) fn compare(context: &Context, field: &Field, arguments: &Compare) -> Result<Outcome, Failure> {
    let call = [
        ("session", Some(field.store.resolve(&arguments.session)?)),
        ("laps", Some(arguments.laps.clone())),
        ("step", arguments.step.map(|step| step.to_string())),
    ];
    let answer = ask(field, "/api/f1/sessions/{session}/compare", call)?;
    print(context, arguments.format, &answer, compare_table)
}

/// `f1 classification`.
pub(crate) fn classification(context: &Context, field: &Field, arguments: &Classification) -> Result<Outcome, Failure> {
    let call = [("session", Some(field.store.resolve(&arguments.session)?))];
    let answer = ask(field, "/api/f1/sessions/{session}/classification", call)?;
    print(context, arguments.format, &answer, |value| {
        let rows = &value["classification"];
        let names =
            rows.get(0).and_then(Value::as_object).map(|row| row.keys().map(String::as_str).collect::<Vec<_>>());
        let mut columns = names.unwrap_or_default();
        columns.sort_by_key(|name| (*name != "position", *name != "driver"));
        rows_table(&columns, rows)
    })
}

/// `f1 events`: JSON in either form, since its tables have columns of their own.
pub(crate) fn events(context: &Context, field: &Field, arguments: &Events) -> Result<Outcome, Failure> {
    let call = [("session", Some(field.store.resolve(&arguments.session)?)), ("kinds", arguments.kinds.clone())];
    let answer = ask(field, "/api/f1/sessions/{session}/events", call)?;
    context.output.bytes(&answer)?;
    context.output.bytes(b"\n")?;
    Ok(Outcome::Done)
}

/// `f1 export`.
pub(crate) fn export(context: &Context, field: &Field, arguments: &Export) -> Result<Outcome, Failure> {
    let call = [
        ("session", Some(field.store.resolve(&arguments.session)?)),
        ("table", Some(arguments.table.clone())),
        ("format", Some(arguments.format.clone())),
        ("driver", arguments.driver.clone()),
        ("lap", arguments.lap.clone()),
    ];
    let answer = ask(field, "/api/f1/sessions/{session}/export", call)?;
    let Some(path) = &arguments.out else {
        if context.output.json {
            return Err(Failure::usage(
                "export: with --json give --out FILE, since standard output holds the document",
            ));
        }
        context.output.bytes(&answer)?;
        return Ok(Outcome::Done);
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    railbird_store::write_atomic(path, &answer)?;
    let document = serde_json::json!({ "file": path.display().to_string(), "bytes": answer.len() });
    context.output.write(&document, |_| format!("{}: {} bytes", path.display(), answer.len()))?;
    Ok(Outcome::Done)
}

/// What the route at `path` answers.
fn ask<const N: usize>(field: &Field, path: &str, call: [(&str, Option<String>); N]) -> Result<Vec<u8>, Failure> {
    let library = Arc::clone(&field.store) as Arc<dyn Library>;
    let offer = railbird_f1::offer(library, Arc::new(NoImports));
    let route = offer.routes.iter().find(|route| route.path == path && route.method == Method::Get);
    let route = route.with_context(|| format!("{path}: no such route"))?;
    let given = call.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let call = Call { parameters: given.collect(), accepts_gzip: true, ..Call::default() };
    let Reply { body, gzip, .. } = (route.answer)(call).map_err(|refusal| match refusal.kind {
        RefusalKind::BadCall => Failure::usage(refusal.message),
        _ => Failure::from(refusal),
    })?;
    if gzip { Ok(gunzip_bounded(&body, ANSWER_BYTES_MAX, path)?) } else { Ok(body.to_vec()) }
}

/// Prints an answer as it is, or as a table.
fn print(
    context: &Context,
    form: TableForm,
    answer: &[u8],
    table: impl FnOnce(&Value) -> Table,
) -> Result<Outcome, Failure> {
    if context.output.json || form == TableForm::Json {
        context.output.bytes(answer)?;
        context.output.bytes(b"\n")?;
        return Ok(Outcome::Done);
    }
    let (head, rows) = table(&serde_json::from_slice(answer)?);
    if form == TableForm::Csv {
        context.output.text(&csv(&head, &rows))?;
    } else {
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        context.output.text(&output::table(&head, &rows))?;
    }
    Ok(Outcome::Done)
}

/// An array of objects, by the names of their members.
fn rows_table(columns: &[&str], rows: &Value) -> Table {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let cells = |row: &Value| columns.iter().map(|column| cell(&row[*column])).collect();
    (columns.iter().map(|column| (*column).to_owned()).collect(), rows.iter().map(cells).collect())
}

/// Merged laps below one another, FastF1's columns first.
fn telemetry_table(value: &Value) -> Table {
    let laps = value["telemetry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has = |column: &str| laps.iter().any(|lap| !lap["columns"][column].is_null());
    let columns: Vec<&str> = Merged::COLUMNS.into_iter().filter(|column| has(column)).collect();
    let added: Vec<_> =
        [("Driver", "driver"), ("LapNumber", "lap")].into_iter().filter(|(name, _)| !columns.contains(name)).collect();
    let mut rows = Vec::new();
    for lap in laps {
        let count = columns.first().and_then(|column| lap["columns"][*column].as_array()).map_or(0, Vec::len);
        for row in 0..count {
            let mut cells: Vec<String> = columns.iter().map(|column| cell(&lap["columns"][*column][row])).collect();
            cells.extend(added.iter().map(|(_, member)| cell(&lap[*member])));
            rows.push(cells);
        }
    }
    let head = columns.iter().copied().chain(added.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    (head, rows)
}

/// One row a step of the track distance, each lap's columns beside one another.
fn compare_table(value: &Value) -> Table {
    let laps = value["laps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut columns = vec![("distance_m".to_owned(), &value["distance_m"])];
    for lap in laps {
        for name in ["delta_s", "speed", "throttle", "brake", "gear"] {
            columns.push((format!("{}:{} {name}", cell(&lap["driver"]), cell(&lap["lap"])), &lap[name]));
        }
    }
    let count = value["distance_m"].as_array().map_or(0, Vec::len);
    let rows = (0..count).map(|row| columns.iter().map(|(_, column)| cell(&column[row])).collect()).collect();
    (columns.into_iter().map(|(name, _)| name).collect(), rows)
}

/// A value as Python and spreadsheets read it: empty where missing, `True` and `False`, whole numbers without a point.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn csv(head: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if cell.contains([',', '"', '\n', '\r']) {
                text.push_str(&format!("\"{}\"", cell.replace('"', "\"\"")));
            } else {
                text.push_str(cell);
            }
        }
        text.push('\n');
    }
    text
}

/// Commands import by `f1 import` alone.
struct NoImports;

impl Imports for NoImports {
    fn start(&self, _: ImportRequest) -> Result<String, Refusal> {
        Err(Refusal { kind: RefusalKind::Forbidden, message: "imports: none here".to_owned() })
    }

    fn start_upload(&self, _: Input) -> Result<String, Refusal> {
        Err(Refusal { kind: RefusalKind::Forbidden, message: "uploads: none here".to_owned() })
    }

    fn rules(&self) -> ImportRules {
        ImportRules { paths: false, hosts: Vec::new(), upload_bytes_max: 0 }
    }

    fn status(&self, _: &str) -> Option<ImportStatus> {
        None
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_become_rows_in_the_order_of_the_columns() {
        let laps =
            json!([{"Driver": "NOR", "LapTime": 81.5, "Deleted": false}, {"Driver": "A,\"B\"", "LapTime": null}]);
        let (head, rows) = rows_table(&["LapTime", "Driver", "Deleted"], &laps);
        expect![[r#"
            LapTime,Driver,Deleted
            81.5,NOR,False
            ,"A,""B""",
        "#]]
        .assert_eq(&csv(&head, &rows));
    }

    #[test]
    fn merged_laps_stand_below_one_another() {
        let lap = |driver: &str, speed: [f64; 2]| json!({"driver": driver, "lap": 3, "columns": {"Time": [0.0, 0.25], "Speed": speed}});
        let (head, rows) =
            telemetry_table(&json!({"telemetry": [lap("NOR", [300.0, 301.5]), lap("PIA", [299.0, 300.0])]}));
        expect![[r#"
            Time,Speed,Driver,LapNumber
            0,300,NOR,3
            0.25,301.5,NOR,3
            0,299,PIA,3
            0.25,300,PIA,3
        "#]]
        .assert_eq(&csv(&head, &rows));
    }
}
