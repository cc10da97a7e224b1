//! Where DRS is used, from the channel of the cars. Start at [`drs_zones`].
//!
//! A pass is a stretch of the track that one car drove with DRS open. A zone is where cars make such passes: nobody can open
//! it before the activation line, and each closes it when it brakes, so a zone runs from about the earliest of the openings
//! to about the latest of the closings.
//!
//! Invariant: a row depends only on samples that were known at its `known_at`; what later passes show is a further row.

use railbird_timeline::{Ts, as_of};
use serde::Serialize;

use crate::columns::CarColumns;
use crate::event::SessionTime;
use crate::geometry::Centreline;
use crate::session::Session;

/// Passes that make a zone.
const PASSES_MIN: usize = 3;
/// A change of either end that is worth a further row, m.
const CHANGE_M: f64 = 15.0;
/// Shortest and longest pass, m: what is shorter is a glitch of the channel, what is longer holes in it.
const PASS_M: [f64; 2] = [60.0, 2_000.0];
/// Longest hole between two samples of a pass, ns.
const HOLE_NS: i64 = 1_500_000_000;
/// Share of the passes that may begin before a zone, and end after it: their ends are as exact as the samples are dense.
const BEYOND: f64 = 0.1;

/// From now on zone `zone` runs from `from_m` to `to_m`. A later row of the same zone corrects an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DrsZoneRow {
    /// Session time at which it became known, s.
    pub known_at_s: f64,
    /// Which zone, 1 for the one that became known first.
    pub zone: u16,
    /// Metres since the finish line where it begins, in `0..length`.
    pub from_m: f64,
    /// Metres since the finish line where it ends, in `0..length`: less than `from_m` where the zone crosses the line.
    pub to_m: f64,
    /// Passes that showed it.
    pub passes: u32,
}

/// The zones as they became known, until `as_of` or the end. Empty where the season has no DRS, where nobody used it, and
/// without a centreline. O(samples).
pub fn drs_zones(session: &Session, until: Option<SessionTime>) -> Vec<DrsZoneRow> {
    let Some((line_known_at, line)) = &session.centreline else { return Vec::new() };
    let mut passes: Vec<Pass> = (0..session.columns.len())
        .flat_map(|driver| passes(session, driver, line))
        .map(|pass| Pass { known_at: pass.known_at.max(*line_known_at), ..pass })
        .filter(|pass| until.is_none_or(|until| pass.known_at <= until))
        .collect();
    passes.sort_by_key(|pass| (pass.known_at, pass.driver));
    let (mut zones, mut rows) = (Vec::<Zone>::new(), Vec::new());
    let mut known = 0;
    for pass in passes {
        let zone = match zones.iter().position(|zone| zone.holds(&pass, line)) {
            Some(zone) => zone,
            None => {
                zones.push(Zone::new(pass.from_m));
                zones.len() - 1
            }
        };
        let zone = &mut zones[zone];
        let Some([from, to]) = zone.add(&pass, line) else { continue };
        if zone.number == 0 {
            known += 1;
            zone.number = known;
        }
        rows.push(DrsZoneRow {
            known_at_s: pass.known_at.seconds(),
            zone: zone.number,
            from_m: (zone.zero_m + from).rem_euclid(line.length_m()),
            to_m: (zone.zero_m + to).rem_euclid(line.length_m()),
            passes: zone.starts.len() as u32,
        });
    }
    rows
}

/// One car with DRS open.
#[derive(Debug, Clone, Copy)]
struct Pass {
    known_at: SessionTime,
    driver: usize,
    from_m: f64,
    length_m: f64,
}

/// Passes of about the same place; metres are counted from `zero_m`.
#[derive(Debug)]
struct Zone {
    number: u16,
    zero_m: f64,
    /// Ascending.
    starts: Vec<f64>,
    /// Ascending.
    ends: Vec<f64>,
    published: Option<[f64; 2]>,
}

impl Zone {
    const fn new(zero_m: f64) -> Self {
        Self { number: 0, zero_m, starts: Vec::new(), ends: Vec::new(), published: None }
    }

    fn ends_m(&self) -> [f64; 2] {
        let beyond = (self.starts.len() as f64 * BEYOND) as usize;
        [self.starts[beyond], self.ends[self.ends.len() - 1 - beyond]]
    }

    /// Whether the middle of one lies in the other.
    fn holds(&self, pass: &Pass, line: &Centreline) -> bool {
        let [from, to] = self.ends_m();
        let start = line.way_m(self.zero_m, pass.from_m);
        let (middle, own) = (start + pass.length_m / 2.0, f64::midpoint(from, to));
        (from..=to).contains(&middle) || (start..=start + pass.length_m).contains(&own)
    }

    /// The ends, where they are worth a row.
    fn add(&mut self, pass: &Pass, line: &Centreline) -> Option<[f64; 2]> {
        let start = line.way_m(self.zero_m, pass.from_m);
        let sorted = |values: &mut Vec<f64>, value: f64| {
            values.insert(values.partition_point(|other| *other < value), value);
        };
        sorted(&mut self.starts, start);
        sorted(&mut self.ends, start + pass.length_m);
        let ends = self.ends_m();
        let differs = |old: [f64; 2]| ends.iter().zip(old).any(|(new, old)| (new - old).abs() > CHANGE_M);
        if self.starts.len() < PASSES_MIN || !self.published.is_none_or(differs) {
            return None;
        }
        self.published = Some(ends);
        Some(ends)
    }
}

/// The passes of one car that begin and end.
fn passes(session: &Session, driver: usize, line: &Centreline) -> Vec<Pass> {
    let car = &session.columns[driver].car;
    let mut passes = Vec::new();
    let mut open: Option<usize> = None;
    for row in 1..car.len() {
        let hole = car.utc[row].0 - car.utc[row - 1].0 > HOLE_NS;
        let (was, is) = (is_open(car, row - 1), is_open(car, row));
        open = match open {
            _ if hole => None,
            None if is && !was => Some(row),
            Some(first) if !is => {
                passes.extend(pass(session, driver, line, [first, row]));
                None
            }
            open => open,
        };
    }
    passes
}

/// The source's codes of DRS that is open; 8 means that it may be opened.
fn is_open(car: &CarColumns, row: usize) -> bool {
    matches!(car.drs[row], 10 | 12 | 14)
}

fn pass(session: &Session, driver: usize, line: &Centreline, [first, after]: [usize; 2]) -> Option<Pass> {
    let car = &session.columns[driver].car;
    let (from_m, from_known) = place(session, driver, line, car.utc[first])?;
    let (to_m, to_known) = place(session, driver, line, car.utc[after])?;
    let length_m = line.way_m(from_m, to_m);
    (PASS_M[0]..=PASS_M[1]).contains(&length_m).then_some(Pass {
        known_at: car.known_at[after].max(from_known).max(to_known),
        driver,
        from_m,
        length_m,
    })
}

/// Metres since the finish line at `utc`, and when that became known: the position after it is needed.
fn place(session: &Session, driver: usize, line: &Centreline, utc: Ts) -> Option<(f64, SessionTime)> {
    let position = &session.columns[driver].position;
    let row = as_of(&position.utc, utc)?;
    let next = row + 1;
    let (before, after) = (*position.utc.get(row)?, *position.utc.get(next)?);
    if !position.is_known(row) || !position.is_known(next) || after.0 - before.0 > HOLE_NS {
        return None;
    }
    let at = |row: usize, hint| line.project(f64::from(position.x[row]), f64::from(position.y[row]), hint).distance_m;
    let from = at(row, None);
    let weight = (utc.0 - before.0) as f64 / (after.0 - before.0) as f64;
    let way = line.way_m(from, at(next, Some(from))) * weight;
    Some(((from + way).rem_euclid(line.length_m()), position.known_at[row].max(position.known_at[next])))
}
