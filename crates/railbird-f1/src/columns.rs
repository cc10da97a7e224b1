//! Samples of one driver as columns, untouched, in the order in which they were accepted.
//!
//! Invariant: within one driver `utc` rises strictly and `known_at` never falls.

use railbird_timeline::Ts;

use crate::event::SessionTime;

/// Car channels of one driver; every column has the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CarColumns {
    /// When the sample was taken.
    pub utc: Vec<Ts>,
    /// When its record was received.
    pub known_at: Vec<SessionTime>,
    /// Engine speed, 1/min.
    pub rpm: Vec<u16>,
    /// Speed, km/h.
    pub speed: Vec<u16>,
    /// Gear, 0 neutral.
    pub gear: Vec<u8>,
    /// Throttle, %.
    pub throttle: Vec<u8>,
    /// Brake, 0 or 100.
    pub brake: Vec<u8>,
    /// DRS code, 255 where the season has none.
    pub drs: Vec<u8>,
}

/// Positions of one driver; every column has the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PositionColumns {
    /// When the sample was taken.
    pub utc: Vec<Ts>,
    /// When its record was received.
    pub known_at: Vec<SessionTime>,
    /// 1/10 m.
    pub x: Vec<i32>,
    /// 1/10 m.
    pub y: Vec<i32>,
    /// 1/10 m.
    pub z: Vec<i32>,
    /// Whether the source says `OnTrack`.
    pub on_track: Vec<bool>,
}

/// Both streams of one driver.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// Car channels.
    pub car: CarColumns,
    /// Positions.
    pub position: PositionColumns,
}

impl CarColumns {
    /// DRS code that stands for "the season has no DRS".
    pub const NO_DRS: u8 = 255;

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.utc.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.utc.is_empty()
    }
}

impl PositionColumns {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.utc.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.utc.is_empty()
    }
    /// Whether sample `row` has a position; the source writes zeros until it has one.
    pub fn is_known(&self, row: usize) -> bool {
        self.x[row] != 0 || self.y[row] != 0 || self.z[row] != 0
    }
}
