//! How far a car has come, and when it passed a place: unwrapped arc length and its recent past.
//!
//! Laps come from the official count, the part of a lap from the centreline. Invariant: the past only rises in both
//! distance and time, so "when did it first pass this place" has one answer; a standing car keeps its last moment there.

use railbird_timeline::Ts;

use crate::geometry::{Centreline, Projection};

/// Samples that are remembered; at four a second some 17 minutes, a dozen laps. A power of two.
const PAST: usize = 4096;
/// No car is faster, m/s.
const SPEED_MAX: f64 = 110.0;
/// What a position may be off besides what speed allows, m.
const JUMP_M: f64 = 30.0;
/// A car farther from the line than this is not on the course, m.
const OFFSET_M_MAX: f64 = 80.0;
/// Samples in a row that must contradict the past before it is given up.
const STRAYS_MAX: u8 = 4;
/// After a silence of this long the number of laps is asked of the count again, ns.
const SILENCE_NS: i64 = 20_000_000_000;
/// How near to a whole number of laps a car must be when it is counted for the count to be believed, laps.
const CALIBRATION_LAPS: f64 = 0.2;
/// Least advance between remembered samples, m.
const ADVANCE_M: f64 = 0.05;

/// What else is known of a car's lap when its place must be found from nothing.
#[derive(Debug, Clone, Copy)]
pub(in crate::state) struct LapHint {
    /// Laps completed.
    pub(in crate::state) laps: u16,
    /// Time since that lap was completed, or since the start, ns, where known.
    pub(in crate::state) since_ns: Option<i64>,
    /// How long a lap takes, ns.
    pub(in crate::state) lap_ns: i64,
    /// Whether the car has run without a break since, so that time says something of its place.
    pub(in crate::state) running: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    /// Without [`Progress::base_m`].
    raw_m: f64,
    utc: i64,
}

/// A car's way since the start.
#[derive(Debug, Default)]
pub(in crate::state) struct Progress {
    past: Vec<Passed>,
    /// Number of samples ever remembered.
    count: usize,
    /// Whole laps that the raw distance lacks, m.
    base_m: f64,
    /// Distance along the line of the last sample, m.
    distance_m: f64,
    raw_m: f64,
    utc: Option<i64>,
    speed: f64,
    strays: u8,
    /// Whether the number of laps is known.
    calibrated: bool,
}

impl Progress {
    /// Takes a sample in; whether it moved the car.
    pub(in crate::state) fn push(
        &mut self,
        line: &Centreline,
        utc: Ts,
        x: f64,
        y: f64,
        hint: impl FnOnce() -> LapHint,
    ) -> bool {
        let known = self.utc.is_some();
        let found = line.project(x, y, known.then_some(self.distance_m));
        if found.offset_m.abs() > OFFSET_M_MAX {
            return false;
        }
        let Some(last) = self.utc else {
            self.place(line, utc.0, found, hint());
            return true;
        };
        let elapsed_s = (utc.0 - last) as f64 / 1e9;
        let way_m = line.way_m(self.distance_m, found.distance_m);
        if utc.0 - last > SILENCE_NS {
            self.place(line, utc.0, found, hint());
            return true;
        }
        if way_m.abs() > SPEED_MAX * elapsed_s + JUMP_M {
            self.strays += 1;
            if self.strays > STRAYS_MAX {
                self.place(line, utc.0, found, hint());
            }
            return false;
        }
        self.strays = 0;
        self.speed = way_m / elapsed_s;
        self.raw_m += way_m;
        self.distance_m = found.distance_m;
        self.utc = Some(utc.0);
        self.remember();
        true
    }

    /// The count says that the car completed lap `laps` at `utc`: takes up what the unwrapped distance misses of it in
    /// whole laps. A count that comes half a lap late says nothing.
    pub(in crate::state) fn calibrate(&mut self, line: &Centreline, laps: u16, utc: i64) {
        let Some(raw_m) = self.raw_at(utc) else { return };
        let missing = (f64::from(laps) * line.length_m() - raw_m - self.base_m) / line.length_m();
        if (missing - missing.round()).abs() <= CALIBRATION_LAPS {
            self.base_m += missing.round() * line.length_m();
            self.calibrated = true;
        }
    }

    /// Way since the line at the start of lap 1 at `utc`, m, where it is known well enough to rank cars: from a sample at
    /// most `age_ns` old.
    pub(in crate::state) fn at(&self, utc: i64, age_ns: i64) -> Option<f64> {
        let age = utc - self.utc?;
        (self.calibrated && age <= age_ns).then(|| self.raw_m + self.base_m + self.speed * (age as f64 / 1e9))
    }

    /// The last sample, whatever its age: way since the start, m, and when.
    pub(in crate::state) fn last(&self) -> Option<(f64, i64)> {
        self.utc.filter(|_| self.calibrated).map(|utc| (self.raw_m + self.base_m, utc))
    }

    /// When the car passed `way_m`; `None` where it has not, or too long ago to be remembered. O(log samples).
    pub(in crate::state) fn passed(&self, way_m: f64) -> Option<i64> {
        let raw_m = way_m - self.base_m;
        let after = self.partition(|passed| passed.raw_m < raw_m)?;
        let (a, b) = (self.get(after - 1), self.get(after));
        let width_m = b.raw_m - a.raw_m;
        let weight = if width_m > 0.0 { (raw_m - a.raw_m) / width_m } else { 1.0 };
        Some(a.utc + (weight * (b.utc - a.utc) as f64) as i64)
    }

    /// Forgets the past, as before the first sample.
    fn place(&mut self, line: &Centreline, utc: i64, found: Projection, hint: LapHint) {
        let length_m = line.length_m();
        let part = found.distance_m / length_m;
        // NaN compares false with everything: then only the count speaks, and the car is not ranked by it.
        let elapsed = hint.since_ns.map_or(f64::NAN, |since| since as f64 / hint.lap_ns.max(1) as f64);
        // Beside the line the count may be a moment ahead of the position or behind it.
        let laps = match part {
            part if part > 0.8 && (elapsed < 0.2 || hint.laps == 0 && elapsed < 0.5) => f64::from(hint.laps) - 1.0,
            part if part < 0.2 && elapsed > 0.8 && hint.running => f64::from(hint.laps) + 1.0,
            _ => f64::from(hint.laps),
        };
        self.calibrated = hint.running && hint.since_ns.is_some();
        self.raw_m = found.distance_m;
        self.base_m = laps * length_m;
        self.distance_m = found.distance_m;
        self.utc = Some(utc);
        self.speed = 0.0;
        self.strays = 0;
        self.count = 0;
        self.remember();
    }

    fn remember(&mut self) {
        let Some(utc) = self.utc else { return };
        let now = Passed { raw_m: self.raw_m, utc };
        if self.past.is_empty() {
            self.past = vec![Passed::default(); PAST];
        }
        if self.count > 0 {
            let last = self.get(self.count - 1);
            if now.raw_m < last.raw_m + ADVANCE_M {
                // Standing or going back: the moment of leaving moves on, the moment of coming stays.
                let stands = self.count > 1 && self.count - 1 > self.first() && {
                    let before = self.get(self.count - 2);
                    before.raw_m == last.raw_m
                };
                if stands {
                    self.past[(self.count - 1) % PAST].utc = utc;
                    return;
                }
                self.past[self.count % PAST] = Passed { raw_m: last.raw_m, utc };
                self.count += 1;
                return;
            }
        }
        self.past[self.count % PAST] = now;
        self.count += 1;
    }

    const fn first(&self) -> usize {
        self.count.saturating_sub(PAST)
    }

    fn get(&self, index: usize) -> Passed {
        self.past[index % PAST]
    }

    /// First remembered sample, after the oldest, for which `before` fails; `None` where that is none.
    fn partition(&self, before: impl Fn(&Passed) -> bool) -> Option<usize> {
        let (mut low, mut high) = (self.first(), self.count);
        if low == high || !before(&self.get(low)) || before(&self.get(high - 1)) {
            return None;
        }
        while low + 1 < high {
            let middle = low.midpoint(high);
            if before(&self.get(middle)) { low = middle } else { high = middle }
        }
        Some(high)
    }

    /// Raw distance at `utc`, extrapolated by up to three seconds past the last sample.
    fn raw_at(&self, utc: i64) -> Option<f64> {
        let last = self.utc?;
        if utc >= last {
            let ahead_s = (utc - last) as f64 / 1e9;
            return (ahead_s <= 3.0).then_some(self.raw_m + self.speed * ahead_s);
        }
        let after = self.partition(|passed| passed.utc < utc)?;
        let (a, b) = (self.get(after - 1), self.get(after));
        let weight = (utc - a.utc) as f64 / (b.utc - a.utc).max(1) as f64;
        Some(a.raw_m + (b.raw_m - a.raw_m) * weight)
    }
}
