//! Gaps on the road: how long ago another car passed the place where this one is.
//!
//! Both moments are those of samples on the same clock, so it does not matter how late the records came. Lapped cars are
//! measured over the whole way, so a gap to the car ahead is never larger than that to the leader. One row a driver and
//! whole second, where it changed. Absence: nothing is taken from the official gaps, which have a log of their own.

use crate::event::{DriverId, SessionTime};
use crate::log::{CrossingRow, GapRow, Logs};

use super::order::Progress;

/// A car whose last sample is older than this has no gap, ns.
const AGE_NS_MAX: i64 = 3_000_000_000;
/// Cars that are this little out of order are side by side, m.
const BESIDE_M: f64 = 5.0;

/// What of a car gaps are made of.
pub(super) struct Contender<'a> {
    pub(super) driver: DriverId,
    pub(super) progress: &'a Progress,
    /// Whether the car is running, in the pit lane or stopped, neither out nor finished.
    pub(super) racing: bool,
    /// Whether it took the flag; cars behind are still measured against it.
    pub(super) finished: bool,
}

/// Gaps so far.
#[derive(Debug, Default)]
pub(super) struct GapFold {
    second: Option<i64>,
    last: Vec<Option<GapRow>>,
}

impl GapFold {
    pub(super) fn add_driver(&mut self) {
        self.last.push(None);
    }

    /// Whether `at` begins another whole second.
    pub(super) fn is_due(&mut self, at: SessionTime) -> bool {
        let second = at.ms().div_euclid(1000);
        self.second.replace(second).is_some_and(|last| second > last)
    }

    /// Gaps of cars in the order on the road, at the moment of the last samples `now`, UTC ns.
    pub(super) fn measure<'a>(
        &mut self,
        at: SessionTime,
        now: i64,
        length_m: f64,
        order: impl Iterator<Item = Contender<'a>>,
        logs: &mut Logs,
    ) {
        let mut leader: Option<Contender<'a>> = None;
        let mut ahead: Option<&'a Progress> = None;
        for car in order {
            let place = car.progress.last().filter(|(_, utc)| car.racing && now - utc <= AGE_NS_MAX);
            if car.racing {
                let first = leader.as_ref().map_or(car.progress, |leader| leader.progress);
                let (gap_s, laps_down) = match place {
                    Some(_) if leader.is_none() => (0.0, 0),
                    Some((way_m, utc)) => {
                        let down = first.last().map_or(0.0, |(lead_m, _)| ((lead_m - way_m) / length_m).floor());
                        (since(first, way_m, utc), down.clamp(0.0, 255.0) as u8)
                    }
                    None => (f64::NAN, 0),
                };
                let interval_s = place.zip(ahead).map_or(f64::NAN, |((way_m, utc), ahead)| since(ahead, way_m, utc));
                self.publish(GapRow { known_at: at, driver: car.driver, gap_s, interval_s, laps_down }, logs);
            }
            if car.racing || car.finished {
                ahead = Some(car.progress);
                leader.get_or_insert(car);
            }
        }
    }

    /// The gap at the line, where nothing is known between the lines, or nothing comes after.
    pub(super) fn at_line(&mut self, row: &CrossingRow, laps_down: u8, logs: &mut Logs) {
        let CrossingRow { known_at, driver, gap_s, interval_s, .. } = *row;
        self.publish(GapRow { known_at, driver, gap_s, interval_s, laps_down }, logs);
    }

    fn publish(&mut self, row: GapRow, logs: &mut Logs) {
        let ms = |value: f64| (value * 1000.0).round() / 1000.0;
        let row = GapRow { gap_s: ms(row.gap_s), interval_s: ms(row.interval_s), ..row };
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let last = &mut self.last[row.driver.index()];
        let unchanged = match last {
            Some(last) => {
                same(last.gap_s, row.gap_s) && same(last.interval_s, row.interval_s) && last.laps_down == row.laps_down
            }
            None => row.gap_s.is_nan() && row.interval_s.is_nan(),
        };
        if !unchanged {
            *last = Some(row);
            logs.gaps.push(row);
        }
    }
}

/// Time since `other` passed `way_m`, seen from a car that is there at `utc`, s.
fn since(other: &Progress, way_m: f64, utc: i64) -> f64 {
    if let Some(passed) = other.passed(way_m) {
        return ((utc - passed) as f64 / 1e9).max(0.0);
    }
    match other.last() {
        Some((other_m, _)) if other_m <= way_m && way_m - other_m < BESIDE_M => 0.0,
        _ => f64::NAN,
    }
}
