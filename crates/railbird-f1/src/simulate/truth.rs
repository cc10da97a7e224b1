//! What really happened in a simulated session, and the table of it. Start at [`Truth`].
//!
//! Invariant: everything here is read from the analytic motion, nothing from an emitted sample or record.
//! Times are session times unless they say UTC.

use serde::{Deserialize, Serialize};

use super::options::{FaultOptions, SessionKind, Stamps};

/// The truth of a simulated session; `truth.json` beside the archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Version of this layout.
    pub format: u32,
    /// Seed.
    pub seed: u64,
    /// Kind of session.
    pub kind: SessionKind,
    /// How the archive is stamped.
    pub stamps: Stamps,
    /// Name of the meeting.
    pub meeting: String,
    /// Laps of the race; 0 where it is not one.
    pub laps_total: u16,
    /// UTC of session time zero, ns since 1970.
    pub origin_utc_ns: i64,
    /// Lights out, or the first green light, ns.
    pub start_ns: i64,
    /// When the winner took the flag, ns.
    pub chequered_ns: Option<i64>,
    /// End of the recording, ns.
    pub end_ns: i64,
    /// The circuit.
    pub circuit: TrueCircuit,
    /// Drivers; every other table names them by index here.
    pub drivers: Vec<TrueDriver>,
    /// Parts of a session that is not a race, by time.
    pub parts: Vec<TruePart>,
    /// Laps, by driver, then lap.
    pub laps: Vec<TrueLap>,
    /// Visits to the pit lane, by time of entry.
    pub pit_visits: Vec<TruePitVisit>,
    /// Cars that did not finish.
    pub retirements: Vec<TrueRetirement>,
    /// Track status, by time.
    pub flags: Vec<TrueFlag>,
    /// Changes of the order on the road between cars that were both on the track, by time.
    pub passes: Vec<TruePass>,
    /// Order, distances and gaps at even moments from the start on.
    pub road: TrueRoad,
    /// Final classification, first place first.
    pub classification: Vec<TrueResult>,
    /// What was wrong with the feed: as many as were really put in.
    pub faults: FaultCounts,
}

/// The circuit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueCircuit {
    /// Name.
    pub name: String,
    /// Length of the centreline, m.
    pub length_m: f64,
    /// Closed centreline from the line on, at equal distances of about 2 m: x, y, z in 1/10 m.
    pub centreline: Vec<[f64; 3]>,
    /// Ends of the sectors, m from the line.
    pub sector_ends_m: [f64; 3],
    /// Timing loops (ends of the mini-sectors), m from the line; the last is the line.
    pub loops_m: Vec<f64>,
    /// Corners: number and apex, m from the line.
    pub corners: Vec<(u8, f64)>,
    /// Where the pit lane's limit begins and ends, m from the line, negative before it.
    pub pit_lane_m: (f64, f64),
    /// Offset of the pit lane to the left of the centreline, m.
    pub pit_offset_m: f64,
    /// DRS zones: begin, m from the line, and length, m.
    pub drs_zones_m: Vec<(f64, f64)>,
}

/// A driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrueDriver {
    /// Racing number.
    pub number: u16,
    /// Three-letter code.
    pub code: String,
    /// Team.
    pub team: String,
    /// Grid position; 0 where there is no grid.
    pub grid: u8,
}

/// A part of practice or qualifying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruePart {
    /// Green light, ns.
    pub start_ns: i64,
    /// Chequered flag, ns.
    pub end_ns: i64,
    /// Drivers that take part.
    pub drivers: Vec<u8>,
    /// Drivers knocked out at its end, best first.
    pub eliminated: Vec<u8>,
}

/// A lap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueLap {
    /// Driver.
    pub driver: u8,
    /// 1 first.
    pub lap: u16,
    /// Moment of the crossing at its end, ns.
    pub crossed_ns: i64,
    /// The same, UTC, ns since 1970.
    pub crossed_utc_ns: i64,
    /// Lap time as a timekeeper has it, ms; from lights-out for lap 1 of a race.
    pub lap_ms: u32,
    /// Whether the archive gives the lap time: not for lap 1 of a race, nor for laps that begin or end in a garage.
    pub published: bool,
    /// Whether it began and ended on the track: neither out of nor into the pits.
    pub flying: bool,
    /// Sector times, ms; they sum to `lap_ms`.
    pub sector_ms: [u32; 3],
    /// Position at the line: 1 + cars that completed this lap before; where it is not a race, the place by best lap of
    /// the part after this lap.
    pub position: u8,
    /// Time since the first car completed this lap, s.
    pub gap_s: f64,
    /// Time since the car one place ahead completed this lap, s; 0 for the first.
    pub interval_s: f64,
    /// Whether the crossing was in the pit lane.
    pub in_pit_lane: bool,
    /// Compound at the crossing.
    pub compound: String,
    /// Laps on the set at the crossing, this one and earlier use included.
    pub tyre_age_laps: u16,
    /// Set since the start, 1 first.
    pub stint: u8,
    /// Whether race control deleted the time.
    pub deleted: bool,
}

/// A visit to the pit lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruePitVisit {
    /// Driver.
    pub driver: u8,
    /// Lap in which the car came in.
    pub lap: u16,
    /// What for: `tyres`, `red_flag`, `retire`, `park`, `garage`.
    pub purpose: String,
    /// Moment at which the car passed the line where the limit begins, ns.
    pub in_ns: i64,
    /// When it came to rest, ns.
    pub stopped_ns: i64,
    /// When it moved on, ns.
    pub moved_ns: Option<i64>,
    /// Moment at which it passed the line where the limit ends, ns.
    pub out_ns: Option<i64>,
}

/// A car that did not finish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueRetirement {
    /// Driver.
    pub driver: u8,
    /// When it came to rest for good, ns.
    pub at_ns: i64,
    /// Laps completed.
    pub laps: u16,
    /// m since the line at the start of lap 1.
    pub distance_m: f64,
    /// Whether it is in the pit lane.
    pub in_pit_lane: bool,
}

/// Status of the track from a moment on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueFlag {
    /// ns.
    pub at_ns: i64,
    /// `clear`, `yellow`, `safety_car`, `red`, `chequered`.
    pub flag: String,
}

/// A pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruePass {
    /// When the two were level, ns.
    pub at_ns: i64,
    /// Who passed.
    pub driver: u8,
    /// Whom.
    pub passed: u8,
    /// m since the line at the start of lap 1.
    pub distance_m: f64,
}

/// The order on the road at even moments. Every column of a driver has as many rows as there are moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueRoad {
    /// First moment, ns.
    pub first_ns: i64,
    /// Time between moments, ns.
    pub step_ns: i64,
    /// Number of moments.
    pub count: usize,
    /// By driver.
    pub drivers: Vec<TrueRoadColumns>,
}

/// One driver's columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct TrueRoadColumns {
    /// m since the line at the start of lap 1, to the millimetre; where the car is, also after the flag.
    pub distance_m: Vec<f64>,
    /// m to the left of the centreline, to the centimetre.
    pub offset_m: Vec<f64>,
    /// 0 grid, 1 on track, 2 pit lane, 3 stopped, 4 retired, 5 finished.
    pub status: Vec<u8>,
    /// Place on the road, 1 first; frozen for a car that finished.
    pub position: Vec<u8>,
    /// Time since the leader passed where this car is, s, to 0.1 ms; null where it never did.
    pub gap_s: Vec<Option<f64>>,
    /// The same for the car one place ahead.
    pub interval_s: Vec<Option<f64>>,
    /// Whole laps behind the leader.
    pub laps_down: Vec<u8>,
}

/// A line of the classification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueResult {
    /// 1 first.
    pub position: u8,
    /// Driver.
    pub driver: u8,
    /// Laps completed.
    pub laps: u16,
    /// When it took the flag, ns.
    pub finished_ns: Option<i64>,
    /// Best lap, ms.
    pub best_lap_ms: Option<u32>,
}

/// What was wrong with the feed. Counts of what was put in, which may be fewer than what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FaultCounts {
    /// As asked.
    pub asked: FaultOptions,
    /// Records that cannot be decoded.
    pub undecodable: u32,
    /// Moments in two records.
    pub split: u32,
    /// Records that are missing.
    pub missing: u32,
    /// Car samples in the missing records.
    pub missing_car_samples: u32,
    /// Position samples in the missing records.
    pub missing_position_samples: u32,
    /// Position samples that were zeroed.
    pub zeroed: u32,
    /// Samples of numbers that nobody has.
    pub unknown_numbers: u32,
    /// Samples with a channel that nobody knows.
    pub unknown_channels: u32,
    /// Samples with a value out of range.
    pub out_of_range: u32,
    /// Moments that go back in time.
    pub backward: u32,
    /// Moments with the time of the one before.
    pub equal: u32,
    /// Pairs of records in the wrong order.
    pub swapped: u32,
    /// Records sent twice.
    pub duplicate: u32,
    /// Lap times first sent wrong.
    pub corrected: u32,
    /// Last records that break off.
    pub truncated: u32,
    /// Car samples in the archive as it would be without faults.
    pub car_samples: u64,
    /// Position samples in the archive as it would be without faults, zeros before the track goes live included.
    pub position_samples: u64,
}
