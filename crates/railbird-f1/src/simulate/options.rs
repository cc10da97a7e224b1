//! What to simulate. Start at [`SimulateOptions`].

use serde::{Deserialize, Serialize};

/// What to simulate. [`SimulateOptions::default`] is the demo: a race of 16 laps with everything that can happen.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulateOptions {
    /// Same seed and options, same bytes.
    pub seed: u64,
    /// Cars, 2 to 22.
    pub drivers: usize,
    /// Laps of a race, 1 to 99; of a practice or qualifying session, about how many each car has time for.
    pub laps: u16,
    /// Kind of session.
    pub session: SessionKind,
    /// How the records are stamped.
    pub stamps: Stamps,
    /// What happens in a race besides racing.
    pub incidents: Incidents,
    /// What is wrong with the feed; nothing by default.
    pub faults: FaultOptions,
}

impl Default for SimulateOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            drivers: 20,
            laps: 16,
            session: SessionKind::Race,
            stamps: Stamps::Realistic,
            incidents: Incidents::default(),
            faults: FaultOptions::default(),
        }
    }
}

/// Kind of session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A race.
    Race,
    /// Qualifying in three parts with eliminations.
    Qualifying,
    /// A practice session.
    Practice,
}

/// How records are stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    /// As in the live feed: records late by milliseconds to seconds, fields of one crossing in several records.
    Realistic,
    /// A crossing is stamped with its own millisecond and stands in one record.
    Exact,
}

/// What happens in a race besides racing. Each is left out where the race is too short for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incidents {
    /// A car stops on the track and the safety car comes out.
    pub safety_car: bool,
    /// The race is stopped and started again.
    pub red_flag: bool,
    /// Cars that retire: on the track and in the pits in turn, the first under the safety car if there is one.
    pub retirements: usize,
    /// A car spins, stands, goes on, and has a long stop: `Stopped` is taken back, and the car is lapped.
    pub spin: bool,
    /// Cars change tyres.
    pub pit_stops: bool,
}

impl Default for Incidents {
    fn default() -> Self {
        Self { safety_car: true, red_flag: true, retirements: 3, spin: true, pit_stops: true }
    }
}

impl Incidents {
    /// Nothing but racing.
    pub fn none() -> Self {
        Self { safety_car: false, red_flag: false, retirements: 0, spin: false, pit_stops: false }
    }
}

/// What is wrong with the feed: how many of each. None of it changes the race or its truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FaultOptions {
    /// Records that are not what their stream should hold: broken base64, broken deflate, broken JSON, no stamp.
    pub undecodable: u32,
    /// Moments whose cars stand in two records.
    pub split: u32,
    /// Sample records that never arrive.
    pub missing: u32,
    /// Spells of some seconds in which one car's position is zero.
    pub zero_spells: u32,
    /// Samples of racing numbers that nobody has.
    pub unknown_numbers: u32,
    /// Samples with a channel that nobody knows.
    pub unknown_channels: u32,
    /// Samples with values out of range.
    pub out_of_range: u32,
    /// Samples whose time is before the one that precedes them.
    pub backward: u32,
    /// Samples with the time of the one that precedes them.
    pub equal: u32,
    /// Neighbouring records in the wrong order.
    pub swapped: u32,
    /// Records sent twice.
    pub duplicate: u32,
    /// Lap times first sent wrong by some milliseconds and corrected within 120 ms.
    pub corrected: u32,
    /// Streams whose last record breaks off.
    pub truncated: u32,
    /// Standard deviation of the noise on positions, 1/10 m, and on speed, 1/10 km/h.
    pub noise: u32,
}

impl FaultOptions {
    /// A good number of every fault.
    pub fn all() -> Self {
        Self {
            undecodable: 24,
            split: 30,
            missing: 20,
            zero_spells: 6,
            unknown_numbers: 40,
            unknown_channels: 25,
            out_of_range: 40,
            backward: 15,
            equal: 15,
            swapped: 12,
            duplicate: 12,
            corrected: 10,
            truncated: 2,
            noise: 2,
        }
    }
}
