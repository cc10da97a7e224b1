//! Gathers the first clean laps until a centreline can be fitted, once.
//!
//! A clean lap is one that a car ran whole, without the pit lane, without a stop of the session and without a hole in its
//! samples. The first lap from the grid counts as one: it ends where the grid slot is passed again. The moment at which
//! enough of them have been seen is the line's known-at.

use railbird_timeline::Ts;

use crate::event::PositionSample;
use crate::geometry::{Centreline, Trace, fit, from_zero};

/// Clean laps that a line is fitted to; fewer where there are fewer cars.
const LAPS: usize = 5;
/// Samples of one car that are kept: at four a second, 17 minutes.
const SAMPLES_MAX: usize = 4096;
/// Longest hole in the samples of a clean lap, ns.
const HOLE_NS: i64 = 1_600_000_000;
/// Shortest and longest time of a lap, ns.
const LAP_NS: std::ops::RangeInclusive<i64> = 40_000_000_000..=400_000_000_000;
/// How far a crossing by the stamps may lie from where the loop closes, ns.
const CLOSURE_NS: i64 = 10_000_000_000;
/// How near to its first place a lap must come again to be a loop, 1/10 m.
const CLOSURE: f64 = 400.0;
/// No car is faster, 1/10 m in a nanosecond.
const SPEED_MAX: f64 = 1100.0 / 1e9;

#[derive(Debug, Default)]
struct Car {
    samples: Vec<(i64, f64, f64)>,
    /// When the current lap began.
    began: Option<i64>,
    /// When the one before began, if it was counted too.
    before: Option<i64>,
    /// Whether the current lap is clean so far.
    clean: bool,
    /// A lap that has been counted and waits for the samples of its end: from, to.
    ended: Option<(i64, i64)>,
}

/// What has been gathered.
#[derive(Debug, Default)]
pub(super) struct Survey {
    cars: Vec<Car>,
    traces: Vec<Trace>,
    /// Places of crossings by the stamps, 1/10 m.
    crossings: Vec<(f64, f64)>,
}

impl Survey {
    pub(super) fn add_driver(&mut self) {
        self.cars.push(Car::default());
    }

    /// A car's sample. Returns the line when this completes the laps that it takes.
    pub(super) fn sample(&mut self, driver: usize, utc: Ts, sample: &PositionSample) -> Option<Centreline> {
        let car = &mut self.cars[driver];
        if !sample.is_known() {
            return None;
        }
        if car.samples.len() == SAMPLES_MAX {
            car.samples.drain(..SAMPLES_MAX / 4);
        }
        let (x, y) = (f64::from(sample.x), f64::from(sample.y));
        if let Some(&(last_utc, last_x, last_y)) = car.samples.last() {
            let far = (x - last_x).hypot(y - last_y) > SPEED_MAX * (utc.0 - last_utc) as f64 + 300.0;
            car.clean &= utc.0 - last_utc <= HOLE_NS && !far;
        }
        car.samples.push((utc.0, x, y));
        let (from, to) = car.ended.filter(|(_, to)| utc.0 > to + CLOSURE_NS / 2)?;
        car.ended = None;
        let (trace, crossing) = trace(&car.samples, from, to)?;
        self.traces.push(trace);
        self.crossings.push(crossing);
        if self.traces.len() < LAPS.min(self.cars.len()) { None } else { self.line() }
    }

    /// The race began at `utc`: lap 1 runs from the grid.
    pub(super) fn started(&mut self, utc: i64) {
        for car in &mut self.cars {
            car.began = Some(utc);
            car.clean = true;
        }
    }

    /// The car completed a lap at `utc`.
    pub(super) fn crossed(&mut self, driver: usize, utc: i64) {
        let car = &mut self.cars[driver];
        if let Some(began) = car.began.filter(|began| car.clean && LAP_NS.contains(&(utc - began))) {
            car.ended = Some((began, utc));
        }
        car.before = car.began;
        car.began = Some(utc);
        car.clean = true;
    }

    /// When the lap before the current one began, or else the current one, and the samples since.
    pub(super) fn recent(&self, driver: usize) -> (Option<i64>, &[(i64, f64, f64)]) {
        let car = &self.cars[driver];
        let began = car.before.or(car.began);
        let first = car.samples.partition_point(|sample| began.is_some_and(|began| sample.0 < began));
        (began, &car.samples[first..])
    }

    /// The car is not running: its lap is no measure of the track.
    pub(super) fn broken(&mut self, driver: usize) {
        self.cars[driver].clean = false;
    }

    /// The session stands still: no lap under way is a measure of the track.
    pub(super) fn all_broken(&mut self) {
        self.cars.iter_mut().for_each(|car| car.clean = false);
    }

    fn line(&mut self) -> Option<Centreline> {
        let Some(line) = fit(&self.traces) else {
            // The first lap was none after all; the next one leads.
            self.traces.remove(0);
            self.crossings.remove(0);
            return None;
        };
        // Stamps are late now and then, never early: the median of places keeps clear of them.
        let first = line.project(self.crossings[0].0, self.crossings[0].1, None).distance_m;
        let mut ways: Vec<f64> =
            self.crossings.iter().map(|(x, y)| line.way_m(first, line.project(*x, *y, None).distance_m)).collect();
        ways.sort_by(f64::total_cmp);
        from_zero(&line, first + ways[ways.len() / 2])
    }
}

/// The samples from `from` until the first place comes again near `to`, and the place at `to`.
fn trace(samples: &[(i64, f64, f64)], from: i64, to: i64) -> Option<(Trace, (f64, f64))> {
    let first = samples.partition_point(|sample| sample.0 < from);
    let start = samples.get(first).filter(|sample| sample.0 - from <= HOLE_NS)?;
    let near = |sample: &(i64, f64, f64)| (sample.1 - start.1).hypot(sample.2 - start.2);
    let low = samples.partition_point(|sample| sample.0 < to - CLOSURE_NS).max(first + 1);
    let (closing, gap) = samples[low..]
        .iter()
        .take_while(|sample| sample.0 <= to + CLOSURE_NS)
        .enumerate()
        .map(|(index, sample)| (low + index, near(sample)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    if gap > CLOSURE {
        return None;
    }
    // Up to the sample before the nearest one, which may already lie past the first place.
    let trace = samples[first..closing].iter().map(|(_, x, y)| (*x, *y)).collect();
    let after = samples.partition_point(|sample| sample.0 < to);
    let (a, b) = (samples.get(after.checked_sub(1)?)?, samples.get(after)?);
    let weight = (to - a.0) as f64 / (b.0 - a.0).max(1) as f64;
    Some((trace, (a.1 + (b.1 - a.1) * weight, a.2 + (b.2 - a.2) * weight)))
}
