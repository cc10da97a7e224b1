//! One lap as a row.

use railbird_timeline::Ts;

use crate::event::DriverId;

/// One lap. Moments are milliseconds of session time, durations milliseconds, speeds km/h; `None` where not known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lap {
    /// Who.
    pub driver: DriverId,
    /// Three-letter code.
    pub code: String,
    /// Racing number.
    pub number: u16,
    /// Team.
    pub team: String,
    /// Lap, 1 first.
    pub lap_number: u16,
    /// When the lap ended.
    pub time_ms: Option<i64>,
    /// Its time.
    pub lap_time_ms: Option<i64>,
    /// Stint, 1 first.
    pub stint: Option<u16>,
    /// When the car left the pits in this lap.
    pub pit_out_ms: Option<i64>,
    /// When the car came into the pits in this lap.
    pub pit_in_ms: Option<i64>,
    /// Times of the sectors.
    pub sector_ms: [Option<i64>; 3],
    /// When the times of the sectors were set.
    pub sector_at_ms: [Option<i64>; 3],
    /// Speeds at the first and second intermediate, the finish line, and the longest straight.
    pub speeds: [Option<f64>; 4],
    /// Best lap of the driver when it was driven, and not deleted.
    pub personal_best: bool,
    /// Compound; empty where not known.
    pub compound: &'static str,
    /// Laps on the set at the end of the lap.
    pub tyre_life: Option<u16>,
    /// Whether the set was new when fitted.
    pub fresh_tyre: Option<bool>,
    /// When the lap began.
    pub start_ms: Option<i64>,
    /// When the lap began, UTC.
    pub start_date: Option<Ts>,
    /// Codes of the track status seen in the lap, each once, in order.
    pub track_status: String,
    /// Official position at the end of the lap.
    pub position: Option<u8>,
    /// Deleted by the stewards.
    pub deleted: bool,
    /// Why; empty where not deleted or not told.
    pub deleted_reason: String,
    /// Whether the source never counted the lap, and it was made up for a car that stopped in it.
    pub generated: bool,
    /// Whether all times agree, and nothing unusual happened.
    pub accurate: bool,
}

/// One value of a lap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LapCell<'a> {
    /// Not known.
    Missing,
    /// A duration or a moment of session time, ms.
    Milliseconds(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// An instant.
    Instant(Ts),
    /// Words.
    Text(&'a str),
}

impl Lap {
    /// Values in the order of [`LapTable::COLUMNS`](crate::LapTable::COLUMNS).
    pub fn cells(&self) -> [LapCell<'_>; 31] {
        use LapCell::{Flag, Missing, Number, Text};
        let time = |ms: Option<i64>| ms.map_or(Missing, LapCell::Milliseconds);
        let number = |value: Option<f64>| value.map_or(Missing, Number);
        let text = |words: &'static str| if words.is_empty() { Missing } else { Text(words) };
        [
            time(self.time_ms),
            Text(&self.code),
            Number(f64::from(self.number)),
            time(self.lap_time_ms),
            Number(f64::from(self.lap_number)),
            number(self.stint.map(f64::from)),
            time(self.pit_out_ms),
            time(self.pit_in_ms),
            time(self.sector_ms[0]),
            time(self.sector_ms[1]),
            time(self.sector_ms[2]),
            time(self.sector_at_ms[0]),
            time(self.sector_at_ms[1]),
            time(self.sector_at_ms[2]),
            number(self.speeds[0]),
            number(self.speeds[1]),
            number(self.speeds[2]),
            number(self.speeds[3]),
            Flag(self.personal_best),
            text(self.compound),
            number(self.tyre_life.map(f64::from)),
            self.fresh_tyre.map_or(Missing, Flag),
            Text(&self.team),
            time(self.start_ms),
            self.start_date.map_or(Missing, LapCell::Instant),
            Text(&self.track_status),
            number(self.position.map(f64::from)),
            Flag(self.deleted),
            Text(&self.deleted_reason),
            Flag(self.generated),
            Flag(self.accurate),
        ]
    }

    /// Sum of the sectors, where all are known, ms.
    pub(crate) fn sector_sum_ms(&self) -> Option<i64> {
        self.sector_ms.into_iter().sum()
    }
}
