//! Sectors, speed traps, stints, pit stops, and qualifying, from the table of laps. Start at [`Sectors::of`].
//!
//! Everything here is made from [`laps`](crate::laps()) and telemetry; nothing reads a record again.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use crate::compare::mini_sector_times;
use crate::event::{DriverId, SessionTime};
use crate::laps::{Lap, laps};
use crate::session::Session;

/// Laps on each side of a stop whose times say what the stop cost.
const AROUND_STOP: usize = 5;

/// Sector table of a session; times in seconds, null where not known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sectors {
    /// A row a lap.
    pub sectors: Vec<SectorRow>,
    /// Bests of each driver.
    pub bests: Vec<Bests>,
    /// Stints.
    pub stints: Vec<StintSummary>,
    /// Visits to the pits.
    pub pit_stops: Vec<PitStop>,
    /// Best laps of the parts of qualifying; empty in other sessions.
    pub qualifying: Vec<QualifyingPart>,
}

/// One lap.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SectorRow {
    /// Three-letter code.
    pub driver: String,
    /// Lap, 1 first.
    pub lap: u16,
    /// Times of the sectors.
    pub sector_s: [Option<f64>; 3],
    /// Lap time.
    pub lap_time_s: Option<f64>,
    /// Speeds at the traps I1, I2, FL and ST, km/h.
    pub speeds: [Option<f64>; 4],
    /// Times of equal parts of the track, from telemetry.
    pub mini_sectors_s: Vec<f64>,
    /// The source's own codes of its mini-sectors, sector by sector, null where it sent none; see [`SegmentRow`](crate::SegmentRow).
    pub segments: [Vec<Option<u32>>; 3],
}

/// What a driver did best, deleted laps left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bests {
    /// Three-letter code.
    pub driver: String,
    /// Best lap.
    pub lap: Option<u16>,
    /// Its time.
    pub lap_time_s: Option<f64>,
    /// Best sectors, of whichever lap.
    pub sector_s: [Option<f64>; 3],
    /// Sum of the best sectors. Mini-sectors are too short for it: the fastest of many is their noise.
    pub ideal_lap_s: Option<f64>,
    /// Highest speeds at the traps I1, I2, FL and ST, km/h.
    pub speeds: [Option<f64>; 4],
}

/// A stint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StintSummary {
    /// Three-letter code.
    pub driver: String,
    /// Stint, 1 first.
    pub stint: u16,
    /// Compound.
    pub compound: &'static str,
    /// Whether the set was new.
    pub fresh: Option<bool>,
    /// First lap.
    pub first_lap: u16,
    /// Last lap so far.
    pub last_lap: u16,
    /// Laps on the set at the end of the last lap.
    pub tyre_life: Option<u16>,
    /// Median of the lap times without stops and flags.
    pub median_s: Option<f64>,
}

/// A visit to the pits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PitStop {
    /// Three-letter code.
    pub driver: String,
    /// Lap in which the car came in.
    pub lap: u16,
    /// When it came in.
    pub in_s: f64,
    /// When it left.
    pub out_s: Option<f64>,
    /// Time in the pit lane.
    pub lane_s: Option<f64>,
    /// In-lap and out-lap less two laps like those around, which a flag at the time makes larger or smaller.
    pub loss_s: Option<f64>,
}

/// A part of qualifying.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualifyingPart {
    /// 1 to 3.
    pub part: u8,
    /// Cars that go on; the rest is eliminated. `None` in the last part.
    pub go_on: Option<usize>,
    /// Best laps, fastest first.
    pub laps: Vec<QualifyingLap>,
}

/// Best lap of a driver in a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualifyingLap {
    /// Three-letter code.
    pub driver: String,
    /// Lap.
    pub lap: u16,
    /// Its time.
    pub lap_time_s: f64,
    /// Time to the fastest.
    pub gap_s: f64,
    /// Time to the last place that goes on, negative where safe.
    pub to_line_s: Option<f64>,
    /// Whether the driver was out after the part.
    pub eliminated: bool,
}

impl Sectors {
    /// The tables as they were known at `as_of`; without it, at the end. Telemetry of every lap is merged for the mini-sectors,
    /// on the threads of the current rayon pool.
    pub fn of(session: &Session, as_of: Option<SessionTime>) -> Self {
        let table = laps(session, as_of).laps;
        let codes = Codes::new(session, as_of);
        let sectors: Vec<_> = table.par_iter().map(|lap| row(session, &codes, lap)).collect();
        let drivers = (0..session.drivers.len()).map(|driver| DriverId(driver as u8));
        let of_driver = |driver: DriverId| -> &[Lap] {
            let from = table.partition_point(|lap| lap.driver < driver);
            &table[from..table.partition_point(|lap| lap.driver <= driver)]
        };
        Self {
            bests: drivers.clone().map(of_driver).filter(|laps| !laps.is_empty()).map(bests).collect(),
            stints: drivers.clone().flat_map(|driver| stints(of_driver(driver))).collect(),
            pit_stops: drivers.flat_map(|driver| pit_stops(of_driver(driver))).collect(),
            qualifying: qualifying(session, &table, as_of),
            sectors,
        }
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

/// Codes of mini-sectors, by driver and lap.
struct Codes(HashMap<(DriverId, u16), [Vec<Option<u32>>; 3]>);

impl Codes {
    fn new(session: &Session, as_of: Option<SessionTime>) -> Self {
        let mut codes: HashMap<_, [Vec<Option<u32>>; 3]> = HashMap::new();
        let known = |at: SessionTime| as_of.is_none_or(|as_of| at <= as_of);
        for row in session.logs.segments.iter().take_while(|row| known(row.known_at)) {
            let sectors = codes.entry((row.driver, row.lap)).or_default();
            let (Some(sector), Some(segment)) = (row.sector.checked_sub(1), row.segment.checked_sub(1)) else {
                continue;
            };
            let Some(sector) = sectors.get_mut(usize::from(sector)) else { continue };
            let segment = usize::from(segment);
            if sector.len() <= segment {
                sector.resize(segment + 1, None);
            }
            sector[segment] = Some(row.code);
        }
        Self(codes)
    }
}

fn row(session: &Session, codes: &Codes, lap: &Lap) -> SectorRow {
    SectorRow {
        driver: lap.code.clone(),
        lap: lap.lap_number,
        sector_s: lap.sector_ms.map(|time| time.map(seconds)),
        lap_time_s: lap.lap_time_ms.map(seconds),
        speeds: lap.speeds,
        mini_sectors_s: mini_sector_times(session, lap),
        segments: codes.0.get(&(lap.driver, lap.lap_number)).cloned().unwrap_or_default(),
    }
}

fn bests(laps: &[Lap]) -> Bests {
    let counting = |lap: &&Lap| !lap.deleted;
    let best = laps.iter().filter(counting).filter_map(|lap| Some((lap.lap_time_ms?, lap.lap_number))).min();
    let sector_ms: [_; 3] =
        std::array::from_fn(|sector| laps.iter().filter(counting).filter_map(|lap| lap.sector_ms[sector]).min());
    Bests {
        driver: laps[0].code.clone(),
        lap: best.map(|(_, lap)| lap),
        lap_time_s: best.map(|(time, _)| seconds(time)),
        sector_s: sector_ms.map(|time| time.map(seconds)),
        ideal_lap_s: sector_ms.into_iter().sum::<Option<i64>>().map(seconds),
        speeds: std::array::from_fn(|trap| laps.iter().filter_map(|lap| lap.speeds[trap]).max_by(f64::total_cmp)),
    }
}

fn is_plain(lap: &Lap) -> bool {
    lap.pit_in_ms.is_none() && lap.pit_out_ms.is_none() && !lap.generated && matches!(&*lap.track_status, "" | "1")
}

fn median_ms(mut times: Vec<i64>) -> Option<i64> {
    times.sort_unstable();
    let middle = times.len() / 2;
    if times.len() % 2 == 1 {
        Some(times[middle])
    } else {
        Some((times.get(middle)? + times.get(middle.checked_sub(1)?)?) / 2)
    }
}

fn stints(laps: &[Lap]) -> Vec<StintSummary> {
    laps.chunk_by(|a, b| a.stint == b.stint)
        .filter_map(|laps| {
            let (first, last) = (laps.first()?, laps.last()?);
            let times = laps.iter().filter(|lap| is_plain(lap)).filter_map(|lap| lap.lap_time_ms).collect();
            Some(StintSummary {
                driver: first.code.clone(),
                stint: first.stint?,
                compound: last.compound,
                fresh: last.fresh_tyre,
                first_lap: first.lap_number,
                last_lap: last.lap_number,
                tyre_life: last.tyre_life,
                median_s: median_ms(times).map(seconds),
            })
        })
        .collect()
}

fn pit_stops(laps: &[Lap]) -> Vec<PitStop> {
    let stop = |(index, lap): (usize, &Lap)| {
        let entry = lap.pit_in_ms?;
        let leaves = |lap: &&Lap| lap.pit_out_ms.is_some_and(|exit| exit > entry);
        let out_lap = laps[index..].iter().take(2).find(leaves);
        let exit = out_lap.and_then(|lap| lap.pit_out_ms);
        let around = &laps[index.saturating_sub(AROUND_STOP)..(index + 2 + AROUND_STOP).min(laps.len())];
        let plain = median_ms(around.iter().filter(|lap| is_plain(lap)).filter_map(|lap| lap.lap_time_ms).collect());
        // In and out within one lap, where the boxes come before the line, or over two.
        let driven: Option<(i64, i64)> = match out_lap {
            Some(out) if out.lap_number == lap.lap_number => lap.lap_time_ms.map(|time| (time, 1)),
            Some(out) => lap.lap_time_ms.zip(out.lap_time_ms).map(|(in_lap, out_lap)| (in_lap + out_lap, 2)),
            None => None,
        };
        Some(PitStop {
            driver: lap.code.clone(),
            lap: lap.lap_number,
            in_s: seconds(entry),
            out_s: exit.map(seconds),
            lane_s: exit.map(|exit| seconds(exit - entry)),
            loss_s: driven.zip(plain).map(|((time, laps), plain)| seconds(time - laps * plain)),
        })
    };
    laps.iter().enumerate().filter_map(stop).collect()
}

fn qualifying(session: &Session, table: &[Lap], as_of: Option<SessionTime>) -> Vec<QualifyingPart> {
    let known = |at: SessionTime| as_of.is_none_or(|as_of| at <= as_of);
    let mut starts: Vec<(u8, i64)> = Vec::new();
    for row in session.logs.session.iter().filter(|row| known(row.known_at) && (1..=3).contains(&row.part)) {
        if starts.last().is_none_or(|(part, _)| *part < row.part) {
            starts.push((row.part, row.known_at.ms()));
        }
    }
    let cars = session.drivers.len();
    let parts = starts.iter().enumerate().map(|(index, (part, from))| {
        let to = starts.get(index + 1).map_or(i64::MAX, |(_, to)| *to);
        let in_part = |lap: &&Lap| lap.time_ms.is_some_and(|end| (*from..to).contains(&end));
        let mut best: Vec<(i64, &Lap)> = Vec::new();
        for lap in table.iter().filter(in_part).filter(|lap| !lap.deleted && !lap.generated) {
            let Some(time) = lap.lap_time_ms else { continue };
            match best.iter_mut().find(|(_, other)| other.driver == lap.driver) {
                Some(entry) if entry.0 <= time => {}
                Some(entry) => *entry = (time, lap),
                None => best.push((time, lap)),
            }
        }
        // Of equal times the one set first is ahead.
        best.sort_by_key(|(time, lap)| (*time, lap.time_ms));
        // As the source tells, or by the rule: ten start the last part; what the parts before lose is shared between them.
        let mut entries = session.logs.entries.iter().filter(|row| known(row.known_at) && row.part == part + 1);
        let told = entries.next_back().map(|row| usize::from(row.cars)).filter(|cars| *cars > 0);
        let go_on = match part {
            1 => told.or(Some(cars.saturating_sub(10) / 2 + 10)),
            2 => told.or(Some(10)),
            _ => None,
        };
        let ended = starts.len() > index + 1;
        let fastest = best.first().map_or(0, |(time, _)| *time);
        let line = go_on.and_then(|places| Some(best.get(places.checked_sub(1)?)?.0));
        let laps = best.iter().enumerate().map(|(place, (time, lap))| QualifyingLap {
            driver: lap.code.clone(),
            lap: lap.lap_number,
            lap_time_s: seconds(*time),
            gap_s: seconds(time - fastest),
            to_line_s: line.map(|line| seconds(time - line)),
            eliminated: ended && go_on.is_some_and(|places| place >= places),
        });
        QualifyingPart { part: *part, go_on, laps: laps.collect() }
    });
    parts.collect()
}
