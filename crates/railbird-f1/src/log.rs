//! What the fold publishes: append-only rows, each with the moment at which it became known.
//!
//! Invariant: within one log `known_at` never falls; a correction is a new row. For a cut `c`, the rows with
//! `known_at <= c` are those that the fold of the records with `known_at <= c` gives.

use crate::event::{DriverId, LapCount, RaceControl, SessionTime, TrackFlag, Weather};

/// Every log of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logs {
    /// Positions in the order on the road.
    pub order: Vec<OrderRow>,
    /// Line crossings, with position and gaps at the line.
    pub crossings: Vec<CrossingRow>,
    /// Gaps, one row a driver and whole second, where they changed.
    pub gaps: Vec<GapRow>,
    /// Official gaps as printed.
    pub official_gaps: Vec<OfficialGapRow>,
    /// Official positions as sent.
    pub official_positions: Vec<OrderRow>,
    /// Status of the cars.
    pub status: Vec<StatusRow>,
    /// Tyres on the cars.
    pub tyres: Vec<TyreRow>,
    /// Fields of laps.
    pub laps: Vec<LapRow>,
    /// Status of the track.
    pub track: Vec<TrackRow>,
    /// Status of the session, as printed.
    pub session: Vec<SessionRow>,
    /// Messages of race control.
    pub race_control: Vec<RaceControlRow>,
    /// Penalties and deleted laps, from those messages.
    pub rulings: Vec<RulingRow>,
    /// Mini-sectors by the source's own codes.
    pub segments: Vec<SegmentRow>,
    /// Cars that take part in the parts of qualifying.
    pub entries: Vec<EntriesRow>,
    /// Weather.
    pub weather: Vec<WeatherRow>,
    /// Laps of the race.
    pub lap_count: Vec<LapCountRow>,
}

/// From now on `driver` holds `position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// 1 first.
    pub position: u8,
}

/// `driver` completed lap `lap`. A later row of the same driver and lap corrects an earlier one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossingRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// Lap completed, 1 first.
    pub lap: u16,
    /// Position at the line, 1 first.
    pub position: u8,
    /// Estimated moment of the crossing on the record clock.
    pub at: SessionTime,
    /// Half-width of the estimate, ns.
    pub uncertainty_ns: i64,
    /// Time since the leader completed the same lap, s; NaN where not known.
    pub gap_s: f64,
    /// Time since the car one position ahead completed the same lap, s; NaN where not known.
    pub interval_s: f64,
    /// Whether the stamps alone gave another position than the official one, which holds.
    pub disputed: bool,
}

/// Gaps of `driver` on the road.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GapRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// Time since the leader passed the point where this car is, s; NaN where not known; 0 for the leader.
    pub gap_s: f64,
    /// Time since the car one position ahead passed the point where this car is, s; NaN where not known.
    pub interval_s: f64,
    /// Whole laps behind the leader.
    pub laps_down: u8,
}

/// Official gaps as printed; empty where blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficialGapRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// To the leader.
    pub gap: String,
    /// To the car ahead.
    pub interval: String,
}

/// What a car is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CarStatus {
    /// Before the start.
    Grid = 0,
    /// Running.
    OnTrack = 1,
    /// In the pit lane or garage.
    PitLane = 2,
    /// Stopped on the track.
    Stopped = 3,
    /// Retired.
    Retired = 4,
    /// Took the flag.
    Finished = 5,
}

impl CarStatus {
    /// As in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::OnTrack => "on_track",
            Self::PitLane => "pit_lane",
            Self::Stopped => "stopped",
            Self::Retired => "retired",
            Self::Finished => "finished",
        }
    }

    /// From the name in the API.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Grid, Self::OnTrack, Self::PitLane, Self::Stopped, Self::Retired, Self::Finished]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// From now on the car of `driver` is in `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// What.
    pub status: CarStatus,
}

/// From now on `driver` is on this set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TyreRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// Stint, 1 first.
    pub stint: u8,
    /// Compound as printed; empty where not known.
    pub compound: String,
    /// Whether the set was new when fitted, where known.
    pub new: Option<bool>,
    /// Laps on the set.
    pub age_laps: u16,
}

/// One field of one lap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LapRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// Lap, 1 first.
    pub lap: u16,
    /// Which field.
    pub field: LapField,
    /// Its value; NaN takes an earlier value back. Times in milliseconds, speeds in km/h, moments in
    /// milliseconds of session time, booleans 0 or 1.
    pub value: f64,
}

/// Compounds that the source prints; what it prints besides is `UNKNOWN`.
pub const COMPOUNDS: [&str; 11] = [
    "UNKNOWN",
    "SOFT",
    "MEDIUM",
    "HARD",
    "INTERMEDIATE",
    "WET",
    "HYPERSOFT",
    "ULTRASOFT",
    "SUPERSOFT",
    "SUPERHARD",
    "TEST_UNKNOWN",
];

/// Fields of a lap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum LapField {
    /// Moment at which the record that counts the lap was received.
    End = 0,
    /// Moment at which the lap began.
    Start = 1,
    /// Lap time.
    LapTime = 2,
    /// First sector.
    Sector1 = 3,
    /// Second sector.
    Sector2 = 4,
    /// Third sector.
    Sector3 = 5,
    /// Moment at which the first sector's time became known.
    Sector1At = 6,
    /// Moment at which the second sector's time became known.
    Sector2At = 7,
    /// Moment at which the third sector's time became known.
    Sector3At = 8,
    /// Speed at the first intermediate.
    SpeedI1 = 9,
    /// Speed at the second intermediate.
    SpeedI2 = 10,
    /// Speed at the finish line.
    SpeedFl = 11,
    /// Speed on the longest straight.
    SpeedSt = 12,
    /// Moment of leaving the pits in this lap.
    PitOut = 13,
    /// Moment of entering the pits in this lap.
    PitIn = 14,
    /// Best lap of the driver so far.
    PersonalBest = 15,
    /// Deleted by the stewards.
    Deleted = 16,
    /// Stint, 1 first.
    Stint = 17,
    /// Laps on the set at the end of the lap, laps of earlier use included.
    TyreLife = 18,
    /// Compound, as an index into [`COMPOUNDS`].
    Compound = 19,
    /// Whether the set was new when fitted.
    FreshTyre = 20,
    /// Lap time given beside the stint, which is sent for some laps without [`LapField::LapTime`].
    StintLapTime = 21,
}

impl LapField {
    /// Every field, with its name in the API.
    pub const NAMES: [(Self, &str); 22] = [
        (Self::End, "Time"),
        (Self::Start, "LapStartTime"),
        (Self::LapTime, "LapTime"),
        (Self::Sector1, "Sector1Time"),
        (Self::Sector2, "Sector2Time"),
        (Self::Sector3, "Sector3Time"),
        (Self::Sector1At, "Sector1SessionTime"),
        (Self::Sector2At, "Sector2SessionTime"),
        (Self::Sector3At, "Sector3SessionTime"),
        (Self::SpeedI1, "SpeedI1"),
        (Self::SpeedI2, "SpeedI2"),
        (Self::SpeedFl, "SpeedFL"),
        (Self::SpeedSt, "SpeedST"),
        (Self::PitOut, "PitOutTime"),
        (Self::PitIn, "PitInTime"),
        (Self::PersonalBest, "IsPersonalBest"),
        (Self::Deleted, "Deleted"),
        (Self::Stint, "Stint"),
        (Self::TyreLife, "TyreLife"),
        (Self::Compound, "Compound"),
        (Self::FreshTyre, "FreshTyre"),
        (Self::StintLapTime, "StintLapTime"),
    ];

    /// As in the API.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// From the name in the API.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(field, _)| field)
    }
}

/// From now on the track has this status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// The code.
    pub flag: TrackFlag,
    /// The words.
    pub message: String,
}

/// From now on the session has this status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// As printed.
    pub status: String,
    /// Part of a qualifying session, 1 to 3; 0 elsewhere.
    pub part: u8,
}

/// A message of race control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceControlRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// The car that it concerns, named in its own field or in the words.
    pub driver: Option<DriverId>,
    /// The message.
    pub message: RaceControl,
}

/// What the stewards have ruled on `driver`. A later row of the same driver and number says what holds from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulingRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// On whom.
    pub driver: DriverId,
    /// Which of the driver's rulings, 1 first.
    pub number: u16,
    /// What it is.
    pub kind: RulingKind,
    /// Whether it holds.
    pub state: RulingState,
    /// Length of a penalty of time, s.
    pub seconds: Option<u16>,
    /// Lap whose time was deleted.
    pub lap: Option<u16>,
    /// The penalty as printed, or the time that was deleted; empty where not told.
    pub words: String,
    /// Why; empty where not told.
    pub reason: String,
}

/// Kinds of rulings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RulingKind {
    /// A penalty.
    Penalty,
    /// A lap time that does not count.
    DeletedLap,
}

impl RulingKind {
    /// As in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Penalty => "penalty",
            Self::DeletedLap => "deleted_lap",
        }
    }

    /// From the name in the API.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Penalty, Self::DeletedLap].into_iter().find(|kind| kind.name() == name)
    }
}

/// Whether a ruling holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RulingState {
    /// It holds; a penalty is yet to be served.
    Given,
    /// A penalty that was served.
    Served,
    /// It holds no more.
    TakenBack,
}

impl RulingState {
    /// As in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Served => "served",
            Self::TakenBack => "taken_back",
        }
    }

    /// From the name in the API.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Given, Self::Served, Self::TakenBack].into_iter().find(|state| state.name() == name)
    }
}

/// The source's code of a mini-sector of lap `lap`: 2048 driven, 2049 best of the driver, 2051 best of all, 2064 in the pit
/// lane, and others that it does not explain. A later row of the same place corrects an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// Who.
    pub driver: DriverId,
    /// Lap, 1 first.
    pub lap: u16,
    /// Sector, 1 to 3.
    pub sector: u8,
    /// Mini-sector of the sector, 1 first.
    pub segment: u8,
    /// The code, never 0.
    pub code: u32,
}

/// From now on `cars` cars take part in part `part` of qualifying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntriesRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// 1 to 3.
    pub part: u8,
    /// How many; 0 where not known any more.
    pub cars: u8,
}

/// Weather.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeatherRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// The values.
    pub weather: Weather,
}

/// Laps of the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LapCountRow {
    /// When it became known.
    pub known_at: SessionTime,
    /// The values.
    pub count: LapCount,
}
