//! Who leads whom by distance.

use super::{Car, OrderFold};
use crate::log::CarStatus;

/// How far a car's last sample may lie before the moment at which cars are compared, ns.
const AGE_NS_MAX: i64 = 600_000_000;
/// A car whose count of laps and distance differ by more than this does not gain places by distance, laps.
const COUNT_LATE_LAPS: f64 = 1.6;

impl OrderFold {
    /// Compares the cars by distance at the moment `now`, UTC ns, and moves up those that lead clearly.
    pub(super) fn compare(&mut self, now: i64) {
        let (Some((_, line)), true) = (&self.line, self.race && self.started && !self.red && !self.aborted) else {
            return;
        };
        let length_m = line.length_m();
        self.holds.retain(|hold| hold.until >= now);
        for index in 1..self.list.len() {
            let driver = self.list[index];
            let car = &self.cars[usize::from(driver)];
            let Some(way_m) = active(car, now, length_m) else {
                self.cars[usize::from(driver)].leading = 0;
                continue;
            };
            let in_lane = car.status == CarStatus::PitLane;
            let (mut leading, mut target) = (0, index);
            for place in (0..index).rev() {
                let other = self.list[place];
                let rival = &self.cars[usize::from(other)];
                if in_lane && rival.status == CarStatus::OnTrack {
                    break;
                }
                let Some((other_m, running)) = passive(rival, now) else { continue };
                let lead_m = way_m - other_m;
                if lead_m > Self::LEAD_M {
                    leading |= 1 << (other % 64);
                    let again = car.leading >> (other % 64) & 1 == 1;
                    let held = self.holds.iter().any(|hold| (hold.ahead, hold.behind) == (other, driver));
                    if (again || lead_m > Self::CLEAR_LEAD_M) && !held {
                        target = place;
                    }
                } else if running {
                    break;
                }
            }
            self.cars[usize::from(driver)].leading = leading;
            self.list[target..=index].rotate_right(1);
        }
    }
}

/// Way of a car that may gain places by its distance at `now`, m.
fn active(car: &Car, now: i64, length_m: f64) -> Option<f64> {
    let runs = matches!(car.status, CarStatus::OnTrack | CarStatus::PitLane);
    let way_m = car.progress.at(now, AGE_NS_MAX).filter(|_| runs)?;
    let uncounted = way_m / length_m - f64::from(car.laps);
    (-0.2..COUNT_LATE_LAPS).contains(&uncounted).then_some(way_m)
}

/// What a car must be led by, as a way, m, and whether it is itself running; `None` for one that nobody passes by distance.
fn passive(car: &Car, now: i64) -> Option<(f64, bool)> {
    match car.status {
        CarStatus::OnTrack => car.progress.at(now, AGE_NS_MAX).map(|way_m| (way_m, true)),
        CarStatus::PitLane => car.progress.at(now, AGE_NS_MAX).map(|way_m| (way_m, false)),
        CarStatus::Stopped | CarStatus::Retired => car.progress.last().map(|(way_m, _)| (way_m, false)),
        CarStatus::Grid | CarStatus::Finished => None,
    }
}
