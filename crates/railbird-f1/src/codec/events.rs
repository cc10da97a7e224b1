//! The logs as columnar JSON: what `…/events` and `…/gaps` serve and what a stored session is opened from.
//!
//! Every table is sorted by `t`, the session time in seconds at which a row became known. Missing values are `null`.

use serde::{Deserialize, Serialize};

use crate::event::{DriverId, LapCount, RaceControl, RacingNumber, SessionTime, TrackFlag, Weather};
use crate::log::{
    CarStatus, CrossingRow, EntriesRow, GapRow, LapCountRow, LapField, LapRow, Logs, OfficialGapRow, OrderRow,
    RaceControlRow, RulingKind, RulingRow, RulingState, SegmentRow, SessionRow, StatusRow, TrackRow, TyreRow,
    WeatherRow,
};
use railbird_timeline::Ts;

/// Defines a table of columns that holds the rows of one log.
macro_rules! table {
    ($(#[$meta:meta])* $name:ident of $row:ident { $($column:ident: $type:ty = |$from:ident| $get:expr,)+ } -> |$at:ident, $table:ident| $build:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $name {
            $(pub(crate) $column: Vec<$type>,)+
        }

        impl $name {
            fn new(rows: &[$row]) -> Self {
                let mut table = Self::default();
                $(table.$column.reserve_exact(rows.len());)+
                for row in rows {
                    $({ let $from = row; table.$column.push($get); })+
                }
                table
            }

            /// The rows; `None` where columns differ in length or a value is none of the log's.
            fn rows(&self) -> Option<Vec<$row>> {
                let count = self.t.len();
                if $(self.$column.len() != count)||+ {
                    return None;
                }
                let $table = self;
                (0..count).map(|$at| Some($build)).collect()
            }

            pub(crate) fn len(&self) -> usize {
                self.t.len()
            }
        }
    };
}

table!(Order of OrderRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    position: u8 = |row| row.position,
} -> |at, table| OrderRow { known_at: time(table.t[at]), driver: DriverId(table.driver[at]), position: table.position[at] });

table!(Crossings of CrossingRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    lap: u16 = |row| row.lap,
    position: u8 = |row| row.position,
    at: f64 = |row| row.at.seconds(),
    uncertainty_s: f64 = |row| row.uncertainty_ns as f64 / 1e9,
    gap_s: Option<f64> = |row| known(row.gap_s),
    interval_s: Option<f64> = |row| known(row.interval_s),
    disputed: bool = |row| row.disputed,
} -> |at, table| CrossingRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    lap: table.lap[at],
    position: table.position[at],
    at: time(table.at[at]),
    uncertainty_ns: time(table.uncertainty_s[at]).0,
    gap_s: or_nan(table.gap_s[at]),
    interval_s: or_nan(table.interval_s[at]),
    disputed: table.disputed[at],
});

table!(Gaps of GapRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    gap_s: Option<f64> = |row| known(row.gap_s),
    interval_s: Option<f64> = |row| known(row.interval_s),
    laps_down: u8 = |row| row.laps_down,
} -> |at, table| GapRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    gap_s: or_nan(table.gap_s[at]),
    interval_s: or_nan(table.interval_s[at]),
    laps_down: table.laps_down[at],
});

table!(OfficialGaps of OfficialGapRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    gap: String = |row| row.gap.clone(),
    interval: String = |row| row.interval.clone(),
} -> |at, table| OfficialGapRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    gap: table.gap[at].clone(),
    interval: table.interval[at].clone(),
});

table!(Status of StatusRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    status: String = |row| row.status.name().to_owned(),
} -> |at, table| StatusRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    status: CarStatus::from_name(&table.status[at])?,
});

table!(Tyres of TyreRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    stint: u8 = |row| row.stint,
    compound: String = |row| row.compound.clone(),
    new: Option<bool> = |row| row.new,
    age_laps: u16 = |row| row.age_laps,
} -> |at, table| TyreRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    stint: table.stint[at],
    compound: table.compound[at].clone(),
    new: table.new[at],
    age_laps: table.age_laps[at],
});

table!(Laps of LapRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    lap: u16 = |row| row.lap,
    field: String = |row| row.field.name().to_owned(),
    value: Option<f64> = |row| known(row.value),
} -> |at, table| LapRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    lap: table.lap[at],
    field: LapField::from_name(&table.field[at])?,
    value: or_nan(table.value[at]),
});

table!(Track of TrackRow {
    t: f64 = |row| row.known_at.seconds(),
    code: u8 = |row| row.flag.code(),
    message: String = |row| row.message.clone(),
} -> |at, table| TrackRow {
    known_at: time(table.t[at]),
    flag: TrackFlag::from_code(table.code[at]),
    message: table.message[at].clone(),
});

table!(SessionStatuses of SessionRow {
    t: f64 = |row| row.known_at.seconds(),
    status: String = |row| row.status.clone(),
    part: u8 = |row| row.part,
} -> |at, table| SessionRow { known_at: time(table.t[at]), status: table.status[at].clone(), part: table.part[at] });

table!(RaceControls of RaceControlRow {
    t: f64 = |row| row.known_at.seconds(),
    index: u32 = |row| row.message.index,
    utc: Option<String> = |row| row.message.utc.map(|utc| utc.to_string()),
    lap: Option<u16> = |row| row.message.lap,
    category: String = |row| row.message.category.clone(),
    flag: String = |row| row.message.flag.clone(),
    scope: String = |row| row.message.scope.clone(),
    sector: Option<u16> = |row| row.message.sector,
    driver: Option<u8> = |row| row.driver.map(|driver| driver.0),
    racing_number: Option<u16> = |row| row.message.racing_number.map(|number| number.0),
    status: String = |row| row.message.status.clone(),
    message: String = |row| row.message.message.clone(),
} -> |at, table| RaceControlRow {
    known_at: time(table.t[at]),
    driver: table.driver[at].map(DriverId),
    message: RaceControl {
        index: table.index[at],
        utc: match &table.utc[at] {
            Some(utc) => Some(Ts::parse(utc.as_bytes()).ok()?),
            None => None,
        },
        lap: table.lap[at],
        category: table.category[at].clone(),
        flag: table.flag[at].clone(),
        scope: table.scope[at].clone(),
        sector: table.sector[at],
        racing_number: table.racing_number[at].map(RacingNumber),
        status: table.status[at].clone(),
        message: table.message[at].clone(),
    },
});

table!(Rulings of RulingRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    number: u16 = |row| row.number,
    kind: String = |row| row.kind.name().to_owned(),
    state: String = |row| row.state.name().to_owned(),
    seconds: Option<u16> = |row| row.seconds,
    lap: Option<u16> = |row| row.lap,
    words: String = |row| row.words.clone(),
    reason: String = |row| row.reason.clone(),
} -> |at, table| RulingRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    number: table.number[at],
    kind: RulingKind::from_name(&table.kind[at])?,
    state: RulingState::from_name(&table.state[at])?,
    seconds: table.seconds[at],
    lap: table.lap[at],
    words: table.words[at].clone(),
    reason: table.reason[at].clone(),
});

table!(Segments of SegmentRow {
    t: f64 = |row| row.known_at.seconds(),
    driver: u8 = |row| row.driver.0,
    lap: u16 = |row| row.lap,
    sector: u8 = |row| row.sector,
    segment: u8 = |row| row.segment,
    code: u32 = |row| row.code,
} -> |at, table| SegmentRow {
    known_at: time(table.t[at]),
    driver: DriverId(table.driver[at]),
    lap: table.lap[at],
    sector: table.sector[at],
    segment: table.segment[at],
    code: table.code[at],
});

table!(Entries of EntriesRow {
    t: f64 = |row| row.known_at.seconds(),
    part: u8 = |row| row.part,
    cars: u8 = |row| row.cars,
} -> |at, table| EntriesRow { known_at: time(table.t[at]), part: table.part[at], cars: table.cars[at] });

table!(Weathers of WeatherRow {
    t: f64 = |row| row.known_at.seconds(),
    air_temp: Option<f64> = |row| known(row.weather.air_temp),
    track_temp: Option<f64> = |row| known(row.weather.track_temp),
    humidity: Option<f64> = |row| known(row.weather.humidity),
    pressure: Option<f64> = |row| known(row.weather.pressure),
    rainfall: bool = |row| row.weather.rainfall,
    wind_direction: Option<f64> = |row| known(row.weather.wind_direction),
    wind_speed: Option<f64> = |row| known(row.weather.wind_speed),
} -> |at, table| WeatherRow {
    known_at: time(table.t[at]),
    weather: Weather {
        air_temp: or_nan(table.air_temp[at]),
        track_temp: or_nan(table.track_temp[at]),
        humidity: or_nan(table.humidity[at]),
        pressure: or_nan(table.pressure[at]),
        rainfall: table.rainfall[at],
        wind_direction: or_nan(table.wind_direction[at]),
        wind_speed: or_nan(table.wind_speed[at]),
    },
});

table!(LapCounts of LapCountRow {
    t: f64 = |row| row.known_at.seconds(),
    current: Option<u16> = |row| row.count.current,
    total: Option<u16> = |row| row.count.total,
} -> |at, table| LapCountRow {
    known_at: time(table.t[at]),
    count: LapCount { current: table.current[at], total: table.total[at] },
});

/// Every log but gaps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Events {
    order: Order,
    crossings: Crossings,
    official_positions: Order,
    official_gaps: OfficialGaps,
    status: Status,
    tyres: Tyres,
    laps: Laps,
    track: Track,
    session: SessionStatuses,
    race_control: RaceControls,
    rulings: Rulings,
    segments: Segments,
    entries: Entries,
    pub(crate) weather: Weathers,
    lap_count: LapCounts,
}

/// Names of the tables of `…/events`.
pub(crate) const KINDS: [&str; 15] = [
    "order",
    "crossings",
    "official_positions",
    "official_gaps",
    "status",
    "tyres",
    "laps",
    "track",
    "session",
    "race_control",
    "rulings",
    "segments",
    "entries",
    "weather",
    "lap_count",
];

impl Events {
    pub(crate) fn new(logs: &Logs) -> Self {
        Self {
            order: Order::new(&logs.order),
            crossings: Crossings::new(&logs.crossings),
            official_positions: Order::new(&logs.official_positions),
            official_gaps: OfficialGaps::new(&logs.official_gaps),
            status: Status::new(&logs.status),
            tyres: Tyres::new(&logs.tyres),
            laps: Laps::new(&logs.laps),
            track: Track::new(&logs.track),
            session: SessionStatuses::new(&logs.session),
            race_control: RaceControls::new(&logs.race_control),
            rulings: Rulings::new(&logs.rulings),
            segments: Segments::new(&logs.segments),
            entries: Entries::new(&logs.entries),
            weather: Weathers::new(&logs.weather),
            lap_count: LapCounts::new(&logs.lap_count),
        }
    }

    /// Number of rows in all tables.
    pub(crate) fn rows(&self) -> usize {
        self.order.len()
            + self.crossings.len()
            + self.official_positions.len()
            + self.official_gaps.len()
            + self.status.len()
            + self.tyres.len()
            + self.laps.len()
            + self.track.len()
            + self.session.len()
            + self.race_control.len()
            + self.rulings.len()
            + self.segments.len()
            + self.entries.len()
            + self.weather.len()
            + self.lap_count.len()
    }

    /// The logs; `None` where a table is inconsistent.
    pub(crate) fn logs(&self, gaps: &Gaps) -> Option<Logs> {
        Some(Logs {
            order: self.order.rows()?,
            crossings: self.crossings.rows()?,
            gaps: gaps.rows()?,
            official_positions: self.official_positions.rows()?,
            official_gaps: self.official_gaps.rows()?,
            status: self.status.rows()?,
            tyres: self.tyres.rows()?,
            laps: self.laps.rows()?,
            track: self.track.rows()?,
            session: self.session.rows()?,
            race_control: self.race_control.rows()?,
            rulings: self.rulings.rows()?,
            segments: self.segments.rows()?,
            entries: self.entries.rows()?,
            weather: self.weather.rows()?,
            lap_count: self.lap_count.rows()?,
        })
    }
}

impl Gaps {
    pub(crate) fn of(logs: &Logs) -> Self {
        Self::new(&logs.gaps)
    }
}

/// Session time of a value in seconds; exact for any that [`SessionTime::seconds`] gave within 100 days.
fn time(seconds: f64) -> SessionTime {
    SessionTime((seconds * 1e9).round() as i64)
}

fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn or_nan(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_times_come_back_from_seconds() {
        for ns in [0, 1, 100, 123_456_789_012_345, 8_640_000_000_000_000 / 100] {
            assert_eq!(time(SessionTime(ns).seconds()).0, ns);
        }
        assert_eq!(time(SessionTime::from_ms(4_260_355).seconds()), SessionTime::from_ms(4_260_355));
    }

    #[test]
    fn columns_of_different_length_are_refused() {
        let order = Order { t: vec![1.0], driver: vec![], position: vec![1] };
        assert_eq!(order.rows(), None);
    }
}
