//! Laps side by side, at the same places of the track. Start at [`compare`].
//!
//! Places are metres along the centreline, so that a wider line through a corner does not shift all that follows. A lap's
//! ends are where the timing loop saw the car; the centreline's own start and end are moved onto them, so that the
//! time lost at the line is exactly the difference of the lap times. Without a centreline the integral of the speed,
//! scaled to the first lap's length, serves.

use serde::Serialize;

use crate::laps::Lap;
use crate::session::Session;
use crate::telemetry::{Curve, Telemetry, lap_telemetry};

/// Mini-sectors of a lap.
pub const MINI_SECTORS: usize = 24;
/// Smallest step, m.
const STEP_M_MIN: f64 = 0.5;
/// Most laps at once.
pub const COMPARED_LAPS_MAX: usize = 20;
/// A lap whose ends are farther from the line than this began or ended elsewhere: in the pits, or on the grid.
const ENDS_M_MAX: f64 = 60.0;

/// Laps on one axis; numbers are NaN (null in JSON) where a lap has none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The lap that the others are measured against, as `NOR:21`.
    pub reference: String,
    /// Places, metres since the finish line.
    pub distance_m: Vec<f64>,
    /// The laps in the order asked for, the reference first.
    pub laps: Vec<ComparedLap>,
    /// Equal parts of the lap and who was fastest in each.
    pub mini_sectors: Vec<MiniSector>,
    /// Sum of the fastest mini-sectors, s.
    pub ideal_lap_s: f64,
}

/// One lap on the axis; every column has one value a place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedLap {
    /// Three-letter code.
    pub driver: String,
    /// Lap, 1 first.
    pub lap: u16,
    /// Official lap time, s.
    pub lap_time_s: f64,
    /// Time lost to the reference since the line, s; negative where faster.
    pub delta_s: Vec<f64>,
    /// Time since the line, s.
    pub time_s: Vec<f64>,
    /// km/h.
    pub speed: Vec<f64>,
    /// %.
    pub throttle: Vec<f64>,
    /// 0 or 1.
    pub brake: Vec<u8>,
    /// Gear, 0 neutral.
    pub gear: Vec<u8>,
    /// 1/10 m.
    pub x: Vec<f64>,
    /// 1/10 m.
    pub y: Vec<f64>,
}

/// A part of the lap.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MiniSector {
    /// Where it begins, m.
    pub from_m: f64,
    /// Where it ends, m.
    pub to_m: f64,
    /// Who was fastest: the code, with the lap where a driver is there twice; empty where nobody has a time.
    pub fastest: String,
    /// Times of the laps in the part, s.
    pub times_s: Vec<f64>,
}

/// Compares `laps`, the first being the reference, every `step_m` metres (at least 0.5).
///
/// `None` where there is no lap, more than [`COMPARED_LAPS_MAX`], or no telemetry of the reference. O(rows + places) a lap.
pub fn compare(session: &Session, laps: &[&Lap], step_m: f64) -> Option<Comparison> {
    if laps.len() > COMPARED_LAPS_MAX || !step_m.is_finite() {
        return None;
    }
    let length_m = session.centreline.as_ref().map(|(_, line)| line.length_m());
    let traces: Vec<_> = laps.iter().map(|lap| lap_telemetry(session, lap, Curve::Spline)).collect();
    let length_m = length_m.or_else(|| traces.first()?.distance.last().copied()).filter(|length| *length > 0.0)?;
    let on_line = session.centreline.is_some();
    let axes: Vec<_> = traces.iter().map(|trace| Axis::new(trace, length_m, on_line)).collect();
    if axes.first()?.rows.is_empty() {
        return None;
    }
    let step_m = step_m.max(STEP_M_MIN);
    let places = (length_m / step_m).ceil() as usize;
    // The line itself is the last place: there the time lost is the difference of the lap times.
    let distance_m: Vec<_> = (0..=places).map(|place| (place as f64 * step_m).min(length_m)).collect();
    let mut compared: Vec<ComparedLap> =
        laps.iter().zip(&traces).zip(&axes).map(|((lap, trace), axis)| place(lap, trace, axis, &distance_m)).collect();
    let reference = compared[0].time_s.clone();
    for lap in &mut compared {
        lap.delta_s = lap.time_s.iter().zip(&reference).map(|(time, reference)| time - reference).collect();
    }
    let (mini_sectors, ideal_lap_s) = mini_sectors(laps, &axes, length_m);
    Some(Comparison {
        reference: format!("{}:{}", laps[0].code, laps[0].lap_number),
        distance_m,
        laps: compared,
        mini_sectors,
        ideal_lap_s,
    })
}

/// Times of `lap` in [`MINI_SECTORS`] equal parts of the track, s; NaN where it was not driven or there is no centreline.
pub fn mini_sector_times(session: &Session, lap: &Lap) -> Vec<f64> {
    let Some((_, line)) = &session.centreline else { return vec![f64::NAN; MINI_SECTORS] };
    let trace = lap_telemetry(session, lap, Curve::Spline);
    part_times(&Axis::new(&trace, line.length_m(), true), line.length_m())
}

fn part_times(axis: &Axis, length_m: f64) -> Vec<f64> {
    let bound = |part: usize| length_m * part as f64 / MINI_SECTORS as f64;
    let at: Vec<_> = (0..=MINI_SECTORS).map(|part| axis.time_at(bound(part))).collect();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn mini_sectors(laps: &[&Lap], axes: &[Axis], length_m: f64) -> (Vec<MiniSector>, f64) {
    let times: Vec<_> = axes.iter().map(|axis| part_times(axis, length_m)).collect();
    let twice = |lap: &Lap| laps.iter().filter(|other| other.driver == lap.driver).count() > 1;
    let mut ideal_lap_s = 0.0;
    let parts = (0..MINI_SECTORS).map(|part| {
        let times_s: Vec<_> = times.iter().map(|times| times[part]).collect();
        let timed = times_s.iter().enumerate().filter(|(_, time)| !time.is_nan());
        let fastest = timed.min_by(|a, b| a.1.total_cmp(b.1));
        ideal_lap_s += fastest.map_or(f64::NAN, |(_, time)| *time);
        let name = |lap: &Lap| {
            if twice(lap) { format!("{}:{}", lap.code, lap.lap_number) } else { lap.code.clone() }
        };
        MiniSector {
            from_m: length_m * part as f64 / MINI_SECTORS as f64,
            to_m: length_m * (part + 1) as f64 / MINI_SECTORS as f64,
            fastest: fastest.map_or_else(String::new, |(lap, _)| name(laps[lap])),
            times_s,
        }
    });
    (parts.collect(), ideal_lap_s)
}

/// Rows of a lap whose distance rises, and that distance.
struct Axis {
    rows: Vec<usize>,
    distance_m: Vec<f64>,
    time_s: Vec<f64>,
}

impl Axis {
    fn new(trace: &Telemetry, length_m: f64, on_line: bool) -> Self {
        let raw = if on_line { &trace.track_distance } else { &trace.distance };
        let mut axis = Self { rows: Vec::new(), distance_m: Vec::new(), time_s: Vec::new() };
        let known = |row: &usize| !raw[*row].is_nan();
        let rows = 0..trace.len();
        let (Some(first), Some(last)) = (rows.clone().find(known), rows.clone().rfind(known)) else { return axis };
        let (from, to) = (raw[first], raw[last]);
        let whole = first == 0 && last + 1 == trace.len();
        let at_line = from.abs() <= ENDS_M_MAX && (to - length_m).abs() <= ENDS_M_MAX;
        let (offset, scale) = if !on_line && to > 0.0 {
            (0.0, length_m / to)
        } else if whole && at_line && to > from {
            (from, length_m / (to - from))
        } else {
            (0.0, 1.0)
        };
        for row in rows.filter(known) {
            let distance = (raw[row] - offset) * scale;
            // A car that stands or rolls back is at no new place; the moment of leaving it counts.
            if axis.distance_m.last().is_none_or(|last| distance > *last) {
                axis.rows.push(row);
                axis.distance_m.push(distance);
                axis.time_s.push(trace.seconds(row));
            } else if let Some(time) = axis.time_s.last_mut() {
                *time = trace.seconds(row);
            }
        }
        axis
    }

    /// Row before `distance_m` and the way to the next; `None` outside.
    fn at(&self, distance_m: f64) -> Option<(usize, f64)> {
        // The last place of a lap is its length, which rounding may put a hair beyond the last row.
        const HAIR_M: f64 = 1e-6;
        let next = self.distance_m.partition_point(|at| *at <= distance_m);
        let before = next.checked_sub(1).or_else(|| (self.distance_m.first()? - distance_m < HAIR_M).then_some(0))?;
        match self.distance_m.get(before + 1) {
            Some(after) => {
                let from = self.distance_m[before];
                Some((before, ((distance_m - from) / (after - from)).max(0.0)))
            }
            None => (distance_m - self.distance_m[before] < HAIR_M).then_some((before, 0.0)),
        }
    }

    fn time_at(&self, distance_m: f64) -> f64 {
        self.at(distance_m).map_or(f64::NAN, |(row, weight)| blend(&self.time_s, row, weight))
    }
}

fn blend(values: &[f64], row: usize, weight: f64) -> f64 {
    if weight == 0.0 { values[row] } else { values[row] + (values[row + 1] - values[row]) * weight }
}

fn place(lap: &Lap, trace: &Telemetry, axis: &Axis, distance_m: &[f64]) -> ComparedLap {
    let places: Vec<_> = distance_m.iter().map(|distance| axis.at(*distance)).collect();
    let line = |values: &[f64]| -> Vec<f64> {
        places
            .iter()
            .map(|place| {
                place.map_or(f64::NAN, |(row, weight)| {
                    let a = values[axis.rows[row]];
                    if weight == 0.0 { a } else { a + (values[axis.rows[row + 1]] - a) * weight }
                })
            })
            .collect()
    };
    ComparedLap {
        driver: lap.code.clone(),
        lap: lap.lap_number,
        lap_time_s: lap.lap_time_ms.map_or(f64::NAN, |ms| ms as f64 / 1e3),
        delta_s: Vec::new(),
        time_s: distance_m.iter().map(|distance| axis.time_at(*distance)).collect(),
        speed: line(&trace.speed),
        throttle: line(&trace.throttle),
        brake: places.iter().map(|place| place.map_or(0, |(row, _)| u8::from(trace.brake[axis.rows[row]]))).collect(),
        gear: places.iter().map(|place| place.map_or(0, |(row, _)| trace.gear[axis.rows[row]])).collect(),
        x: line(&trace.x),
        y: line(&trace.y),
    }
}
