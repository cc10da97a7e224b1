//! An imported session, as its views read it.

use railbird_timeline::Ts;
use serde::{Deserialize, Serialize};

use crate::{
    columns::Columns,
    event::{DriverId, RacingNumber, SessionInfo, SessionTime},
    geometry::Centreline,
    log::Logs,
};

/// A session: who drove, every sample, every log, the centreline. Immutable once built.
#[derive(Debug, Clone)]
pub struct Session {
    /// What the source says of it.
    pub info: SessionInfo,
    /// UTC of session time zero: the largest of `sample UTC - record stamp` over all samples (or an estimate from
    /// race control where there are no samples). Finished view only; no fold reads it.
    pub origin: Ts,
    /// Drivers by [`DriverId`].
    pub drivers: Vec<Driver>,
    /// Samples by [`DriverId`].
    pub columns: Vec<Columns>,
    /// What the fold published.
    pub logs: Logs,
    /// The centreline, once one could be fitted, and when that was.
    pub centreline: Option<(SessionTime, Centreline)>,
    /// Stamp of the last record.
    pub end: SessionTime,
}

/// A driver, in memory and in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// Racing number.
    pub number: RacingNumber,
    /// Three-letter code; the racing number as text where the source gives none.
    pub code: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// As on screen.
    pub broadcast_name: String,
    /// Team.
    pub team: String,
    /// Colour of the team, six hexadecimal digits, `808080` where not given.
    pub colour: String,
    /// Country.
    pub country: String,
    /// Grid position, where known.
    pub grid: Option<u8>,
}

impl Session {
    /// Session time of a sample taken at `utc`.
    pub fn time_of(&self, utc: Ts) -> SessionTime {
        SessionTime(utc.0 - self.origin.0)
    }

    /// UTC at session time `time`.
    pub fn utc_at(&self, time: SessionTime) -> Ts {
        Ts(self.origin.0 + time.0)
    }

    /// Finds a driver by code (in any case) or racing number.
    pub fn driver(&self, code_or_number: &str) -> Option<DriverId> {
        let number = code_or_number.parse::<u16>().ok().map(RacingNumber);
        self.drivers
            .iter()
            .position(|driver| Some(driver.number) == number || driver.code.eq_ignore_ascii_case(code_or_number))
            .map(|index| DriverId(index as u8))
    }
}
