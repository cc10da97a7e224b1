//! The table of laps, with the columns and meanings that users of FastF1 know. Start at [`laps`].
//!
//! A finished view: it reads the log of laps, as far as it was known at a moment, and applies what needs the neighbours of a
//! lap: ends made consistent with lap and sector times, starts, track status, laps that were never counted because
//! the car stopped. It differs from FastF1 where that is wrong by its own words: `Position` is the official one,
//! `TyreLife` counts from the lap of the stop, and `Deleted` holds for messages without a lap time too.
//! `LapStartDate` uses the session's origin, which is estimated from all samples.
//!
//! Invariant: reads no row that became known after the moment asked for.

mod accuracy;
mod finish;
mod lap;

use std::fmt::Write as _;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::event::SessionTime;
use crate::session::Session;

pub use self::lap::{Lap, LapCell};

/// Laps of a session, by driver in the session's order, then by number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LapTable {
    /// The laps.
    pub laps: Vec<Lap>,
}

/// The laps as they were known at `as_of`; without it, as they are known at the end.
///
/// O(rows of the log + laps × drivers).
pub fn laps(session: &Session, as_of: Option<SessionTime>) -> LapTable {
    LapTable { laps: finish::Known::new(session, as_of.unwrap_or(SessionTime(i64::MAX))).laps() }
}

impl LapTable {
    /// Names of the columns, FastF1's and in its order.
    pub const COLUMNS: [&str; 31] = [
        "Time",
        "Driver",
        "DriverNumber",
        "LapTime",
        "LapNumber",
        "Stint",
        "PitOutTime",
        "PitInTime",
        "Sector1Time",
        "Sector2Time",
        "Sector3Time",
        "Sector1SessionTime",
        "Sector2SessionTime",
        "Sector3SessionTime",
        "SpeedI1",
        "SpeedI2",
        "SpeedFL",
        "SpeedST",
        "IsPersonalBest",
        "Compound",
        "TyreLife",
        "FreshTyre",
        "Team",
        "LapStartTime",
        "LapStartDate",
        "TrackStatus",
        "Position",
        "Deleted",
        "DeletedReason",
        "FastF1Generated",
        "IsAccurate",
    ];

    /// As CSV with a line of names: times in seconds, empty where missing.
    pub fn csv(&self) -> String {
        let mut text = Self::COLUMNS.join(",");
        text.push('\n');
        for lap in &self.laps {
            for (index, cell) in lap.cells().into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_csv(&mut text, &cell);
            }
            text.push('\n');
        }
        text
    }

    /// Lap `lap` of `driver`.
    pub fn lap(&self, driver: crate::DriverId, lap: u16) -> Option<&Lap> {
        self.laps.iter().find(|row| row.driver == driver && row.lap_number == lap)
    }
}

fn write_csv(text: &mut String, cell: &LapCell<'_>) {
    let written = match cell {
        LapCell::Missing => Ok(()),
        LapCell::Milliseconds(ms) => write!(text, "{}", seconds(*ms)),
        LapCell::Number(number) => write!(text, "{number}"),
        LapCell::Flag(flag) => text.write_str(if *flag { "True" } else { "False" }),
        LapCell::Instant(instant) => write!(text, "{instant}"),
        // A reason or a name can hold a comma; a cell that a spreadsheet would run as a formula cannot come from the
        // upper-case words of race control.
        LapCell::Text(words) if words.contains([',', '"', '\n', '\r']) => {
            write!(text, "\"{}\"", words.replace('"', "\"\""))
        }
        LapCell::Text(words) => text.write_str(words),
    };
    debug_assert!(written.is_ok(), "a string takes every write");
}

/// Milliseconds in seconds; prints with at most three digits after the point.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

impl Serialize for Lap {
    /// As an object of FastF1's column names: times in seconds, null where missing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(LapTable::COLUMNS.len()))?;
        for (name, cell) in LapTable::COLUMNS.iter().zip(self.cells()) {
            map.serialize_key(name)?;
            match cell {
                LapCell::Missing => map.serialize_value(&None::<f64>)?,
                LapCell::Milliseconds(ms) => map.serialize_value(&seconds(ms))?,
                LapCell::Number(number) => map.serialize_value(&number)?,
                LapCell::Flag(flag) => map.serialize_value(&flag)?,
                LapCell::Instant(instant) => map.serialize_value(&instant.to_string())?,
                LapCell::Text(text) => map.serialize_value(text)?,
            }
        }
        map.end()
    }
}

impl Serialize for LapTable {
    /// As an array of laps.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.laps.serialize(serializer)
    }
}
