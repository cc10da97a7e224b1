//! The keyed streams: deltas whose arrays may come whole or as objects keyed by index.
//!
//! Lenient in what real feeds vary (numbers as text, booleans as text, arrays as objects); a value of any other form
//! is taken as not said. A record that is not an object at all is refused by the caller.

use railbird_timeline::Ts;
use serde_json::{Map, Value};

use crate::event::{
    AppDelta, DriverDelta, Event, LapCount, LineDelta, RaceControl, RacingNumber, SectorDelta, SessionInfo,
    SessionStatus, SpeedsDelta, StintDelta, TimeDelta, TimingDelta, TrackFlag, TrackStatus, Weather,
};
use crate::source::Stream;

/// Largest index that is followed in an array or an object keyed by index.
const INDEX_MAX: usize = 4096;

type Object = Map<String, Value>;

/// The event of one record of a keyed stream; `None` where the record is not of the stream's form.
pub(crate) fn event(stream: Stream, value: &Value) -> Option<Event> {
    let object = value.as_object()?;
    Some(match stream {
        Stream::SessionInfo => Event::SessionInfo(Box::new(session_info(object))),
        Stream::DriverList => Event::Drivers(by_number(object, driver)),
        Stream::TimingData => Event::Timing(TimingDelta {
            session_part: whole(object, "SessionPart"),
            entries: indexed(object.get("NoEntries")).filter_map(|(part, cars)| Some((part, number(cars)?))).collect(),
            lines: object.get("Lines").and_then(Value::as_object).map_or_else(Vec::new, |lines| by_number(lines, line)),
        }),
        Stream::TimingAppData => {
            Event::TimingApp(by_number(object.get("Lines").and_then(Value::as_object)?, |delta| AppDelta {
                grid_position: whole(delta, "GridPos"),
                line: whole(delta, "Line"),
                stints: indexed(delta.get("Stints"))
                    .filter_map(|(index, value)| Some((index, stint(value.as_object()?))))
                    .collect(),
            }))
        }
        Stream::TrackStatus => Event::TrackStatus(TrackStatus {
            flag: TrackFlag::from_code(whole(object, "Status")?),
            message: text(object, "Message").unwrap_or_default(),
        }),
        Stream::SessionStatus => Event::SessionStatus(match text(object, "Status")?.as_str() {
            "Inactive" => SessionStatus::Inactive,
            "Started" => SessionStatus::Started,
            "Aborted" => SessionStatus::Aborted,
            "Finished" => SessionStatus::Finished,
            "Finalised" => SessionStatus::Finalised,
            "Ends" => SessionStatus::Ends,
            other => SessionStatus::Other(other.to_owned()),
        }),
        Stream::RaceControlMessages => Event::RaceControl(
            indexed(object.get("Messages"))
                .filter_map(|(index, value)| Some(race_control(index, value.as_object()?)))
                .collect(),
        ),
        Stream::LapCount => {
            Event::LapCount(LapCount { current: whole(object, "CurrentLap"), total: whole(object, "TotalLaps") })
        }
        Stream::WeatherData => Event::Weather(Weather {
            air_temp: real(object, "AirTemp"),
            track_temp: real(object, "TrackTemp"),
            humidity: real(object, "Humidity"),
            pressure: real(object, "Pressure"),
            rainfall: real(object, "Rainfall") > 0.0 || flag(object, "Rainfall") == Some(true),
            wind_direction: real(object, "WindDirection"),
            wind_speed: real(object, "WindSpeed"),
        }),
        Stream::CarData | Stream::Position => return None,
    })
}

fn session_info(object: &Object) -> SessionInfo {
    let meeting = child(object, "Meeting");
    let of = |parent: Option<&Object>, key| parent.and_then(|object| text(object, key)).unwrap_or_default();
    let country = meeting.and_then(|meeting| child(meeting, "Country"));
    let circuit = meeting.and_then(|meeting| child(meeting, "Circuit"));
    SessionInfo {
        key: whole(object, "Key"),
        meeting: of(meeting, "Name"),
        official_name: of(meeting, "OfficialName"),
        round: meeting.and_then(|meeting| whole(meeting, "Number")),
        location: of(meeting, "Location"),
        country: of(country, "Code"),
        circuit_key: circuit.and_then(|circuit| whole(circuit, "Key")),
        circuit: of(circuit, "ShortName"),
        kind: of(Some(object), "Type"),
        name: of(Some(object), "Name"),
        start_local: of(Some(object), "StartDate"),
        gmt_offset: of(Some(object), "GmtOffset"),
        path: of(Some(object), "Path"),
    }
}

fn driver(object: &Object) -> DriverDelta {
    DriverDelta {
        code: text(object, "Tla"),
        line: whole(object, "Line"),
        broadcast_name: text(object, "BroadcastName"),
        first_name: text(object, "FirstName"),
        last_name: text(object, "LastName"),
        team: text(object, "TeamName"),
        colour: text(object, "TeamColour")
            .filter(|colour| colour.len() == 6 && colour.bytes().all(|byte| byte.is_ascii_hexdigit())),
        country: text(object, "CountryCode"),
    }
}

fn line(object: &Object) -> LineDelta {
    LineDelta {
        position: whole(object, "Position").filter(|position| *position > 0),
        line: whole(object, "Line"),
        number_of_laps: whole(object, "NumberOfLaps"),
        gap_to_leader: text(object, "GapToLeader").or_else(|| text(object, "TimeDiffToFastest")),
        interval: object
            .get("IntervalToPositionAhead")
            .and_then(|value| value.as_object().map_or_else(|| scalar(value), |interval| text(interval, "Value")))
            .or_else(|| text(object, "TimeDiffToPositionAhead")),
        last_lap: child(object, "LastLapTime").map(time),
        best_lap: child(object, "BestLapTime").map(time),
        best_lap_number: child(object, "BestLapTime").and_then(|best| whole(best, "Lap")),
        best_laps: indexed(object.get("BestLapTimes"))
            .filter_map(|(part, value)| Some((part, time(value.as_object()?))))
            .collect(),
        sectors: indexed(object.get("Sectors"))
            .filter_map(|(index, value)| Some((index, sector(value.as_object()?))))
            .collect(),
        speeds: child(object, "Speeds").map_or_else(SpeedsDelta::default, |speeds| {
            let speed = |key| child(speeds, key)?.get("Value").map(number);
            SpeedsDelta { i1: speed("I1"), i2: speed("I2"), fl: speed("FL"), st: speed("ST") }
        }),
        in_pit: flag(object, "InPit"),
        pit_out: flag(object, "PitOut"),
        retired: flag(object, "Retired"),
        stopped: flag(object, "Stopped"),
        knocked_out: flag(object, "KnockedOut"),
        cutoff: flag(object, "Cutoff"),
        pit_stops: whole(object, "NumberOfPitStops"),
        status: whole(object, "Status"),
    }
}

fn time(object: &Object) -> TimeDelta {
    TimeDelta {
        value_ms: object.get("Value").and_then(Value::as_str).map(milliseconds),
        lap: whole(object, "Lap"),
        overall_fastest: flag(object, "OverallFastest"),
        personal_fastest: flag(object, "PersonalFastest"),
    }
}

fn sector(object: &Object) -> SectorDelta {
    SectorDelta {
        time: time(object),
        previous_ms: object.get("PreviousValue").and_then(Value::as_str).and_then(milliseconds),
        segments: indexed(object.get("Segments"))
            .filter_map(|(index, value)| Some((index, whole(value.as_object()?, "Status")?)))
            .collect(),
    }
}

fn stint(object: &Object) -> StintDelta {
    StintDelta {
        compound: text(object, "Compound"),
        new: flag(object, "New"),
        total_laps: whole(object, "TotalLaps"),
        start_laps: whole(object, "StartLaps"),
        lap_time_ms: text(object, "LapTime").as_deref().and_then(milliseconds),
        lap_number: whole(object, "LapNumber"),
        lap_flags: whole(object, "LapFlags"),
        tyres_not_changed: flag(object, "TyresNotChanged"),
    }
}

fn race_control(index: usize, object: &Object) -> RaceControl {
    let of = |key| text(object, key).unwrap_or_default();
    RaceControl {
        index: index as u32,
        utc: object.get("Utc").and_then(Value::as_str).and_then(|utc| Ts::parse(utc.as_bytes()).ok()),
        lap: whole(object, "Lap"),
        category: of("Category"),
        flag: of("Flag"),
        scope: of("Scope"),
        sector: whole(object, "Sector"),
        racing_number: whole(object, "RacingNumber").map(RacingNumber),
        status: if object.contains_key("Status") { of("Status") } else { of("Mode") },
        message: of("Message"),
    }
}

/// `1:23.456`, `83.456`, `1:01:23.456` in milliseconds; `None` for blanks and anything else.
pub(crate) fn milliseconds(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let mut seconds = 0u32;
    for part in whole.split(':') {
        if !digits(part) {
            return None;
        }
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    let scale = [100, 10, 1][fraction.len() - 1];
    seconds.checked_mul(1000)?.checked_add(fraction.parse::<u32>().ok()? * scale)
}

/// Elements of an array, or of an object keyed by index, with their index.
fn indexed(value: Option<&Value>) -> Box<dyn Iterator<Item = (usize, &Value)> + '_> {
    match value {
        Some(Value::Array(list)) => Box::new(list.iter().enumerate()),
        Some(Value::Object(map)) => Box::new(
            map.iter().filter_map(|(key, value)| Some((key.parse().ok().filter(|index| *index <= INDEX_MAX)?, value))),
        ),
        _ => Box::new(std::iter::empty()),
    }
}

fn by_number<T>(object: &Object, read: impl Fn(&Object) -> T) -> Vec<(RacingNumber, T)> {
    object
        .iter()
        .filter_map(|(key, value)| {
            let number = key.parse().ok().filter(|number| (1..=999).contains(number))?;
            Some((RacingNumber(number), read(value.as_object()?)))
        })
        .collect()
}

fn child<'a>(object: &'a Object, key: &str) -> Option<&'a Object> {
    object.get(key).and_then(Value::as_object)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(object: &Object, key: &str) -> Option<String> {
    object.get(key).and_then(scalar)
}

fn number<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    let whole = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    T::try_from(whole).ok()
}

fn whole<T: TryFrom<i64>>(object: &Object, key: &str) -> Option<T> {
    object.get(key).and_then(number)
}

fn real(object: &Object, key: &str) -> f64 {
    match object.get(key) {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    }
    .unwrap_or(f64::NAN)
}

fn flag(object: &Object, key: &str) -> Option<bool> {
    match object.get(key)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_and_refuses_the_rest() {
        for (text, want) in [
            ("1:23.456", Some(83_456)),
            ("27.055", Some(27_055)),
            ("1:01:00.5", Some(3_660_500)),
            ("", None),
            ("83", None),
            ("1:xx.456", None),
            ("-1.000", None),
            ("1.0000", None),
            ("99999999999:00.000", None),
        ] {
            assert_eq!(milliseconds(text), want, "{text}");
        }
    }

    #[test]
    fn arrays_and_objects_keyed_by_index_say_the_same() {
        let whole = serde_json::json!({"Lines": {"44": {"Sectors": [{"Value": "27.055"}, {}]}}});
        let patch = serde_json::json!({"Lines": {"44": {"Sectors": {"0": {"Value": "27.055"}}}}});
        let sectors = |value| match event(Stream::TimingData, value) {
            Some(Event::Timing(delta)) => delta.lines[0].1.sectors.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(sectors(&whole)[0], sectors(&patch)[0]);
        assert_eq!(sectors(&whole).len(), 2);
    }

    #[test]
    fn a_blank_time_is_told_from_one_not_said() {
        let object = |text: &str| serde_json::from_str::<Object>(text).expect("test object");
        assert_eq!(time(&object(r#"{"Value":""}"#)).value_ms, Some(None));
        assert_eq!(time(&object(r#"{"PersonalFastest":true}"#)).value_ms, None);
    }
}
