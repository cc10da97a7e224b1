//! What a live-timing record says, typed. Start at [`Event`].
//!
//! Every event is one record of one stream; [`Stamped::known_at`] is when the record was received.
//! A delta names only what changed: `None` means "not said", never "empty".

use railbird_timeline::Ts;
use serde::{Deserialize, Serialize};

/// Time since the recording of a session began, in nanoseconds: the clock on which records are stamped.
///
/// Known-at of every row of the field is on this clock. The UTC of its zero is
/// estimated from the samples and is part of the finished view only, so that no fold needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionTime(pub i64);

impl SessionTime {
    /// From milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }
    /// In seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// Whole milliseconds, rounded down.
    pub const fn ms(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// A driver, as an index into the session's drivers in order of first appearance in `DriverList`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DriverId(pub u8);

impl DriverId {
    /// The index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An event and when it became known.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When the record was received.
    pub known_at: SessionTime,
    /// What it says.
    pub event: Event,
}

/// One record of one stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `SessionInfo`.
    SessionInfo(Box<SessionInfo>),
    /// `DriverList`: `(racing number, delta)`.
    Drivers(Vec<(RacingNumber, DriverDelta)>),
    /// `CarData.z`.
    Cars(Vec<CarEntry>),
    /// `Position.z`.
    Positions(Vec<PositionEntry>),
    /// `TimingData`: `(racing number, delta)`, and the session part of qualifying.
    Timing(TimingDelta),
    /// `TimingAppData`: `(racing number, delta)`.
    TimingApp(Vec<(RacingNumber, AppDelta)>),
    /// `TrackStatus`.
    TrackStatus(TrackStatus),
    /// `SessionStatus`.
    SessionStatus(SessionStatus),
    /// `RaceControlMessages`.
    RaceControl(Vec<RaceControl>),
    /// `LapCount`.
    LapCount(LapCount),
    /// `WeatherData`.
    Weather(Weather),
}

/// A car's racing number, 1 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RacingNumber(pub u16);

/// What `SessionInfo` says of the session. Texts are empty where the stream does not give them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionInfo {
    /// Key of the session at the source.
    pub key: Option<i64>,
    /// Name of the meeting, as in `Australian Grand Prix`.
    pub meeting: String,
    /// Full name of the meeting.
    pub official_name: String,
    /// Number of the meeting in its season.
    pub round: Option<u16>,
    /// City or place.
    pub location: String,
    /// Three-letter code of the country.
    pub country: String,
    /// Key of the circuit at the source.
    pub circuit_key: Option<i64>,
    /// Short name of the circuit.
    pub circuit: String,
    /// `Race`, `Qualifying`, `Practice`, …
    pub kind: String,
    /// `Race`, `Sprint`, `Practice 3`, …
    pub name: String,
    /// Scheduled start, local, `YYYY-MM-DDTHH:MM:SS`.
    pub start_local: String,
    /// Local time less UTC, `[-]HH:MM:SS`.
    pub gmt_offset: String,
    /// Path of the archive folder below the root.
    pub path: String,
}

/// What a `DriverList` record says of one driver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriverDelta {
    /// Three-letter code, as in `NOR`.
    pub code: Option<String>,
    /// Line on the timing screen, 1 first.
    pub line: Option<u8>,
    /// `L NORRIS`.
    pub broadcast_name: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// Colour of the team, six hexadecimal digits.
    pub colour: Option<String>,
    /// Three-letter code of the country.
    pub country: Option<String>,
}

/// Car samples of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct CarEntry {
    /// When they were taken.
    pub utc: Ts,
    /// A sample a car, in the record's order.
    pub cars: Vec<(RacingNumber, CarSample)>,
}

/// One car's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CarSample {
    /// Engine speed, 1/min.
    pub rpm: u16,
    /// Speed, km/h.
    pub speed: u16,
    /// Gear, 0 neutral.
    pub gear: u8,
    /// Throttle, %; above 100 the source has no reading.
    pub throttle: u8,
    /// Brake, 0 or 100; above 100 the source has no reading.
    pub brake: u8,
    /// DRS code of the source (10, 12 and 14 are open); `None` where the season has no DRS.
    pub drs: Option<u8>,
}

/// Position samples of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionEntry {
    /// When they were taken.
    pub utc: Ts,
    /// A sample a car, in the record's order.
    pub cars: Vec<(RacingNumber, PositionSample)>,
}

/// Where one car is. All of x, y and z zero means that the source has no position yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PositionSample {
    /// 1/10 m.
    pub x: i32,
    /// 1/10 m.
    pub y: i32,
    /// 1/10 m.
    pub z: i32,
    /// Whether the source says `OnTrack`.
    pub on_track: bool,
}

impl PositionSample {
    /// Whether the source has a position.
    pub const fn is_known(&self) -> bool {
        self.x != 0 || self.y != 0 || self.z != 0
    }
}

/// A `TimingData` record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimingDelta {
    /// Part of a qualifying session, 1 to 3; 0 before the first.
    pub session_part: Option<u8>,
    /// Places that go on after each part (`NoEntries`), where given: `(part index from 0, cars that start that part)`.
    pub entries: Vec<(usize, u8)>,
    /// A delta a car.
    pub lines: Vec<(RacingNumber, LineDelta)>,
}

/// What a `TimingData` record says of one car.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineDelta {
    /// Official position, 1 first.
    pub position: Option<u8>,
    /// Line on the timing screen.
    pub line: Option<u8>,
    /// Laps completed.
    pub number_of_laps: Option<u16>,
    /// Official gap to the leader as printed: `+1.234`, `1L`, `LAP 12`, empty.
    pub gap_to_leader: Option<String>,
    /// Official interval to the car ahead as printed.
    pub interval: Option<String>,
    /// Time of the last lap.
    pub last_lap: Option<TimeDelta>,
    /// Best lap so far.
    pub best_lap: Option<TimeDelta>,
    /// Lap number of the best lap.
    pub best_lap_number: Option<u16>,
    /// Best laps of the parts of qualifying: `(part index from 0, delta)`.
    pub best_laps: Vec<(usize, TimeDelta)>,
    /// Sectors: `(index from 0, delta)`.
    pub sectors: Vec<(usize, SectorDelta)>,
    /// Speed traps.
    pub speeds: SpeedsDelta,
    /// In the pit lane or garage.
    pub in_pit: Option<bool>,
    /// Leaving the pits.
    pub pit_out: Option<bool>,
    /// Retired; may be taken back.
    pub retired: Option<bool>,
    /// Stopped on the track; may be taken back.
    pub stopped: Option<bool>,
    /// Knocked out of qualifying.
    pub knocked_out: Option<bool>,
    /// In the elimination zone of qualifying.
    pub cutoff: Option<bool>,
    /// Pit stops so far.
    pub pit_stops: Option<u16>,
    /// Bit set of the source.
    pub status: Option<u32>,
}

/// A time and its standing. `value_ms: Some(None)` means that the source blanked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeDelta {
    /// Milliseconds.
    pub value_ms: Option<Option<u32>>,
    /// Lap of the time, where given.
    pub lap: Option<u16>,
    /// Best of the session so far.
    pub overall_fastest: Option<bool>,
    /// Best of the driver so far.
    pub personal_fastest: Option<bool>,
}

/// What a record says of one sector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SectorDelta {
    /// The time.
    pub time: TimeDelta,
    /// Time of the same sector one lap before, as restated by the source, ms.
    pub previous_ms: Option<u32>,
    /// Mini-sectors: `(index from 0, status code)`.
    pub segments: Vec<(usize, u32)>,
}

/// Speeds at the traps, km/h; `Some(None)` means blanked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpeedsDelta {
    /// First intermediate.
    pub i1: Option<Option<u16>>,
    /// Second intermediate.
    pub i2: Option<Option<u16>>,
    /// Finish line.
    pub fl: Option<Option<u16>>,
    /// Longest straight.
    pub st: Option<Option<u16>>,
}

/// What a `TimingAppData` record says of one car.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppDelta {
    /// Grid position.
    pub grid_position: Option<u8>,
    /// Line on the timing screen.
    pub line: Option<u8>,
    /// Stints: `(index from 0, delta)`.
    pub stints: Vec<(usize, StintDelta)>,
}

/// What a record says of one stint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StintDelta {
    /// Compound as printed: `SOFT`, `INTERMEDIATE`, `HYPERSOFT`, `UNKNOWN`, …
    pub compound: Option<String>,
    /// Whether the set was new when fitted.
    pub new: Option<bool>,
    /// Laps on the set, laps of earlier use included.
    pub total_laps: Option<u16>,
    /// Laps on the set when fitted.
    pub start_laps: Option<u16>,
    /// Lap time given beside the stint, ms.
    pub lap_time_ms: Option<u32>,
    /// Its lap.
    pub lap_number: Option<u16>,
    /// Bit set of the source.
    pub lap_flags: Option<u32>,
    /// Whether the set stayed on at a stop.
    pub tyres_not_changed: Option<bool>,
}

/// Status of the track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackStatus {
    /// The source's code.
    pub flag: TrackFlag,
    /// The source's words.
    pub message: String,
}

/// Codes of `TrackStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackFlag {
    /// 1: clear.
    Clear,
    /// 2: a yellow flag somewhere.
    Yellow,
    /// 4: safety car.
    SafetyCar,
    /// 5: red flag, session stopped.
    Red,
    /// 6: virtual safety car.
    VirtualSafetyCar,
    /// 7: virtual safety car ending.
    VirtualSafetyCarEnding,
    /// Any other code.
    Other(u8),
}

impl TrackFlag {
    /// The source's code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Clear => 1,
            Self::Yellow => 2,
            Self::SafetyCar => 4,
            Self::Red => 5,
            Self::VirtualSafetyCar => 6,
            Self::VirtualSafetyCarEnding => 7,
            Self::Other(code) => code,
        }
    }
    /// From the source's code.
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Clear,
            2 => Self::Yellow,
            4 => Self::SafetyCar,
            5 => Self::Red,
            6 => Self::VirtualSafetyCar,
            7 => Self::VirtualSafetyCarEnding,
            other => Self::Other(other),
        }
    }
}

/// Status of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatus {
    /// Not running.
    Inactive,
    /// Running; in a race, the formation lap is over and the lights are out, or the race goes on after a red flag.
    Started,
    /// Stopped by a red flag.
    Aborted,
    /// The chequered flag is out.
    Finished,
    /// The result stands.
    Finalised,
    /// The feed ends.
    Ends,
    /// Any other word.
    Other(String),
}

/// One message of race control.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RaceControl {
    /// Index of the message at the source.
    pub index: u32,
    /// When it was issued, to the second.
    pub utc: Option<Ts>,
    /// Lap, where given.
    pub lap: Option<u16>,
    /// `Flag`, `SafetyCar`, `Drs`, `CarEvent`, `Other`, …
    pub category: String,
    /// `GREEN`, `YELLOW`, `CHEQUERED`, …; empty where none.
    pub flag: String,
    /// `Track`, `Sector`, `Driver`; empty where none.
    pub scope: String,
    /// Marshal sector.
    pub sector: Option<u16>,
    /// Car that the message names in its own field.
    pub racing_number: Option<RacingNumber>,
    /// Status or mode word (`ENABLED`, `DEPLOYED`, …).
    pub status: String,
    /// The message.
    pub message: String,
}

/// Laps of a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LapCount {
    /// The leader's current lap, 1 first.
    pub current: Option<u16>,
    /// Laps of the race; may change.
    pub total: Option<u16>,
}

/// Weather at the track; NaN where not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// °C.
    pub air_temp: f64,
    /// °C.
    pub track_temp: f64,
    /// %.
    pub humidity: f64,
    /// mbar.
    pub pressure: f64,
    /// Whether it rains.
    pub rainfall: bool,
    /// Where the wind comes from, degrees from north.
    pub wind_direction: f64,
    /// m/s.
    pub wind_speed: f64,
}
