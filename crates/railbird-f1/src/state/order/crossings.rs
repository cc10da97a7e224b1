//! Who crossed the line when, and in which place.
//!
//! A count of laps is received when it is received: mostly some 50 ms after the car passed, now and then a minute later,
//! never earlier. Lap times are exact. So the crossing at the end of lap n was no later than its own stamp, no later than
//! the crossing before plus the lap time, and no later than the crossing after less that lap's time; the earliest of these
//! is the estimate. (Azerbaijan 2018 against the official gaps at the line: stamps alone miss by up to 57 s, p99 4.4 s;
//! with the lap times 0.12 s at most.) Where stamps are exact to the millisecond they are taken as they are.
//!
//! The place is the official Position in force when the count is received. (Azerbaijan: read then, all 841 are right; read
//! three seconds later, ten are not.) Stamps alone dispute it where a count was late.

use crate::event::{DriverId, SessionTime};
use crate::log::{CrossingRow, Logs};

/// Rounding of stamps and lap times: what differs by no more than this agrees, ns.
const ROUNDING_NS: i64 = 1_000_000;
/// Half-width of an estimate that rests on lap times, ns: what was seen of a feed with late records.
const CHAINED_NS: i64 = 120_000_000;
/// Half-width of an estimate that rests on one stamp of a feed with late records, ns: nine in ten are nearer.
const STAMPED_NS: i64 = 300_000_000;
/// A lap time that puts a crossing this long before its stamp belongs to something else, ns.
const LATE_NS_MAX: i64 = 120_000_000_000;
/// How long after a disputed crossing an official Position nearer to the stamps may still settle it, ns. The first overtakings after the
/// line are reported 3.7 s after the count and later.
const SETTLING_NS: i64 = 2_000_000_000;
/// How far apart the records of a count and of its lap time come, ns: 0.12 s after it or, rarely, 4.1 s before.
const APART_NS: i64 = 5_000_000_000;
/// Most laps back that a lap time corrects.
const LAPS_BACK: usize = 3;
/// Least share of stamps that agree with lap times in a feed with exact stamps, of 8.
const EXACT_OF_8: u32 = 4;

#[derive(Debug)]
struct Crossing {
    lap: u16,
    stamp: i64,
    at: i64,
    lap_time: Option<i64>,
    chained: bool,
    /// 1 + cars counted before.
    rank: u8,
    official: Option<u8>,
    row: Option<CrossingRow>,
}

#[derive(Debug, Default)]
struct Car {
    laps: Option<u16>,
    crossings: Vec<Crossing>,
    /// A lap time of this record, or of one whose count has not come: received at, ns.
    early: Option<(i64, i64)>,
    official: Option<u8>,
}

/// Every crossing of every car.
#[derive(Debug, Default)]
pub(super) struct Crossings {
    race: bool,
    cars: Vec<Car>,
    /// Cars counted so far, by lap less one.
    counted: Vec<u8>,
    /// Laps whose rows may have changed in this record.
    touched: Vec<u16>,
    /// Stamps compared with lap times, and how many agreed.
    compared: u32,
    agreed: u32,
}

impl Crossings {
    pub(super) fn add_driver(&mut self) {
        self.cars.push(Car::default());
    }

    pub(super) const fn race(&mut self, race: bool) {
        self.race = race;
    }

    /// The official Position. Settles a dispute that it comes a moment late for.
    pub(super) fn official(&mut self, at: SessionTime, driver: usize, position: u8) {
        let car = &mut self.cars[driver];
        car.official = Some(position);
        if let Some(last) = car.crossings.last_mut()
            && self.race
            && last.official.is_none_or(|official| position.abs_diff(last.rank) < official.abs_diff(last.rank))
            && at.0 - last.stamp <= SETTLING_NS
        {
            last.official = Some(position);
            self.touched.push(last.lap);
        }
    }

    /// A lap time, from the record of its count, one soon after or one soon before.
    pub(super) fn lap_time(&mut self, at: SessionTime, driver: usize, time_ms: u32) {
        let time = i64::from(time_ms) * 1_000_000;
        let car = &mut self.cars[driver];
        match car.crossings.last_mut() {
            Some(last) if at.0 - last.stamp <= APART_NS && at.0 - last.at < time / 2 => {
                last.lap_time = Some(time);
                let lap = last.lap;
                self.estimate(driver);
                self.touched.push(lap);
            }
            _ => car.early = Some((at.0, time)),
        }
    }

    /// The count of laps.
    pub(super) fn count(&mut self, at: SessionTime, driver: usize, lap: u16) {
        let car = &mut self.cars[driver];
        let before = car.laps;
        car.laps = Some(before.map_or(lap, |before| before.max(lap)));
        // Counts that go back are left alone, and one in the middle of a session says nothing of when the lap ended.
        if lap == 0 || before.is_some_and(|before| lap <= before) || (before.is_none() && lap > 1) {
            return;
        }
        let slot = usize::from(lap) - 1;
        if self.counted.len() <= slot {
            self.counted.resize(slot + 1, 0);
        }
        self.counted[slot] = self.counted[slot].saturating_add(1);
        let lap_time = car.early.take().filter(|(received, _)| at.0 - received <= APART_NS).map(|(_, time)| time);
        car.crossings.push(Crossing {
            lap,
            stamp: at.0,
            at: at.0,
            lap_time,
            chained: false,
            rank: self.counted[slot],
            official: None,
            row: None,
        });
        self.estimate(driver);
        self.touched.push(lap);
    }

    /// Laps counted so far.
    pub(super) fn laps(&self, driver: usize) -> u16 {
        self.cars[driver].laps.unwrap_or(0)
    }

    /// Estimate of the last crossing of `driver`, if that was counted at `at`: lap, moment.
    pub(super) fn counted_at(&self, at: SessionTime, driver: usize) -> Option<(u16, SessionTime)> {
        let last = self.cars[driver].crossings.last()?;
        (last.stamp == at.0).then_some((last.lap, SessionTime(last.at)))
    }

    /// Appends the rows that are new or have changed, and hands each to `published`.
    pub(super) fn settle(&mut self, at: SessionTime, logs: &mut Logs, mut published: impl FnMut(&CrossingRow)) {
        if self.touched.is_empty() {
            return;
        }
        for car in &mut self.cars {
            if let Some(last) = car.crossings.last_mut().filter(|last| last.row.is_none()) {
                last.official = car.official;
            }
        }
        let mut laps = std::mem::take(&mut self.touched);
        laps.sort_unstable();
        laps.dedup();
        for lap in laps.drain(..) {
            self.publish(at, lap, logs, &mut published);
        }
        self.touched = laps;
    }

    fn publish(&mut self, at: SessionTime, lap: u16, logs: &mut Logs, published: &mut impl FnMut(&CrossingRow)) {
        // In the order of crossing, the same moment in that of counting.
        let mut order: Vec<(i64, u8, usize, usize)> = Vec::with_capacity(self.cars.len());
        for (driver, car) in self.cars.iter().enumerate() {
            if let Ok(index) = car.crossings.binary_search_by_key(&lap, |crossing| crossing.lap) {
                let crossing = &car.crossings[index];
                order.push((crossing.at, crossing.rank, driver, index));
            }
        }
        order.sort_unstable();
        let exact = self.is_exact();
        for place in 0..order.len() {
            let (moment, _, driver, index) = order[place];
            let since = |other: usize| if self.race { (moment - order[other].0) as f64 / 1e9 } else { f64::NAN };
            // The car ahead is the one that holds the place before, which estimates may put a little behind; one that they
            // put far behind was counted late.
            let position = self.place(driver, index);
            let ahead = order.iter().position(|(_, _, other, index)| self.place(*other, *index) + 1 == position);
            let interval_s = match ahead.filter(|other| order[*other].0 - moment <= STAMPED_NS) {
                Some(other) if self.race => since(other).max(0.0),
                _ if place == 0 => f64::NAN,
                _ => since(place - 1),
            };
            let gap_s = since(0);
            let crossing = &mut self.cars[driver].crossings[index];
            let row = CrossingRow {
                known_at: at,
                driver: DriverId(driver as u8),
                lap,
                position,
                at: SessionTime(moment),
                uncertainty_ns: match (exact, crossing.chained) {
                    (true, _) => ROUNDING_NS,
                    (false, true) => CHAINED_NS,
                    (false, false) => STAMPED_NS,
                },
                gap_s,
                interval_s,
                disputed: self.race && crossing.official.is_some_and(|official| official != crossing.rank),
            };
            if !crossing.row.as_ref().is_some_and(|old| same(old, &row)) {
                logs.crossings.push(row);
                published(&row);
                crossing.row = Some(row);
            }
        }
    }

    /// Place of a crossing: the official one where there is one.
    fn place(&self, driver: usize, index: usize) -> u8 {
        let crossing = &self.cars[driver].crossings[index];
        crossing.official.unwrap_or(crossing.rank)
    }

    /// Whether stamps are exact as far as lap times tell.
    const fn is_exact(&self) -> bool {
        self.compared >= 3 && self.agreed * 8 >= self.compared * EXACT_OF_8
    }

    /// Estimates the last crossing of `driver`, and betters the ones before.
    fn estimate(&mut self, driver: usize) {
        let crossings = &mut self.cars[driver].crossings;
        let Some(last) = crossings.len().checked_sub(1) else { return };
        let (before, rest) = crossings.split_at_mut(last);
        let now = &mut rest[0];
        let chain = before.last().zip(now.lap_time).filter(|(previous, _)| previous.lap + 1 == now.lap);
        let Some((previous, time)) = chain else { return };
        let expected = previous.at + time;
        let late = now.stamp - expected;
        self.compared += 1;
        self.agreed += u32::from(late.abs() <= ROUNDING_NS);
        now.chained = late <= LATE_NS_MAX;
        now.at = if (ROUNDING_NS + 1..=LATE_NS_MAX).contains(&late) { expected } else { now.stamp };
        if late >= -ROUNDING_NS {
            return;
        }
        // This stamp came sooner after its crossing than the ones before did: they were later than was thought.
        for index in (1..=last).rev().take(LAPS_BACK) {
            let (before, rest) = crossings.split_at_mut(index);
            let (previous, now) = (&mut before[index - 1], &rest[0]);
            let Some(time) = now.lap_time.filter(|_| previous.lap + 1 == now.lap) else { break };
            if previous.at - (now.at - time) <= ROUNDING_NS {
                break;
            }
            previous.at = now.at - time;
            previous.chained = true;
            self.touched.push(previous.lap);
        }
    }
}

/// Whether nothing but the moment of publication differs.
fn same(old: &CrossingRow, new: &CrossingRow) -> bool {
    let near = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    old.position == new.position
        && old.at == new.at
        && old.disputed == new.disputed
        && near(old.gap_s, new.gap_s)
        && near(old.interval_s, new.interval_s)
}
