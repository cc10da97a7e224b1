//! What each car is doing, its tyres and its official gaps.

use crate::event::{AppDelta, DriverId, LineDelta, SessionStatus, SessionTime, StintDelta};
use crate::log::{CarStatus, Logs, OfficialGapRow, TyreRow};

/// Most stints of one car that are followed.
const STINTS_MAX: usize = 100;

/// The cars of a session, by driver.
#[derive(Debug, Default)]
pub(super) struct Cars {
    race: bool,
    started: bool,
    /// Whether the chequered flag is out.
    flag: bool,
    total_laps: Option<u16>,
    cars: Vec<Car>,
}

#[derive(Debug, Default)]
struct Car {
    laps: u16,
    in_pit: bool,
    stopped: bool,
    retired: bool,
    finished: bool,
    status: Option<CarStatus>,
    stints: Vec<Stint>,
    tyre: Option<TyreRow>,
    gap: String,
    interval: String,
}

#[derive(Debug, Default, Clone)]
struct Stint {
    compound: String,
    new: Option<bool>,
    laps: u16,
}

impl Cars {
    pub(super) fn add_driver(&mut self) {
        self.cars.push(Car::default());
    }

    pub(super) const fn race(&mut self, race: bool) {
        self.race = race;
    }

    pub(super) fn total_laps(&mut self, total: Option<u16>) {
        self.total_laps = total.or(self.total_laps);
    }

    /// Lap that the driver is in, 1 first.
    pub(super) fn lap(&self, driver: DriverId) -> u16 {
        self.cars[driver.index()].laps.saturating_add(1)
    }

    pub(super) fn session(&mut self, status: &SessionStatus) {
        match status {
            SessionStatus::Started => self.started = true,
            SessionStatus::Finished => self.flag = self.race,
            _ => {}
        }
    }

    pub(super) fn line(&mut self, at: SessionTime, driver: DriverId, line: &LineDelta, logs: &mut Logs) {
        let flag_was_out = self.flag;
        let car = &mut self.cars[driver.index()];
        if let Some(laps) = line.number_of_laps {
            let winner = self.race && laps > car.laps && self.total_laps.is_some_and(|total| laps >= total);
            car.finished |= winner || (flag_was_out && laps > car.laps);
            self.flag |= winner;
            car.laps = laps;
        }
        car.in_pit = line.in_pit.unwrap_or(car.in_pit);
        car.stopped = line.stopped.unwrap_or(car.stopped);
        car.retired = line.retired.unwrap_or(car.retired);
        if line.gap_to_leader.is_some() || line.interval.is_some() {
            if let Some(gap) = &line.gap_to_leader {
                car.gap.clone_from(gap);
            }
            if let Some(interval) = &line.interval {
                car.interval.clone_from(interval);
            }
            logs.official_gaps.push(OfficialGapRow {
                known_at: at,
                driver,
                gap: car.gap.clone(),
                interval: car.interval.clone(),
            });
        }
    }

    /// Status of the car, where it is another than when this was last asked.
    pub(super) fn changed_status(&mut self, driver: DriverId) -> Option<CarStatus> {
        let car = &mut self.cars[driver.index()];
        let status = if car.finished {
            CarStatus::Finished
        } else if car.retired {
            CarStatus::Retired
        } else if car.stopped {
            CarStatus::Stopped
        } else if car.in_pit {
            CarStatus::PitLane
        } else if self.started || !self.race {
            CarStatus::OnTrack
        } else {
            CarStatus::Grid
        };
        (car.status.replace(status) != Some(status)).then_some(status)
    }

    pub(super) fn stints(&mut self, at: SessionTime, driver: DriverId, delta: &AppDelta, logs: &mut Logs) {
        let car = &mut self.cars[driver.index()];
        for (index, stint) in delta.stints.iter().filter(|(index, _)| *index < STINTS_MAX) {
            if *index >= car.stints.len() {
                car.stints.resize(index + 1, Stint::default());
            }
            patch(&mut car.stints[*index], stint);
        }
        let Some(current) = car.stints.last() else { return };
        let row = TyreRow {
            known_at: at,
            driver,
            stint: car.stints.len() as u8,
            compound: current.compound.clone(),
            new: current.new,
            age_laps: current.laps,
        };
        let same = car.tyre.as_ref().is_some_and(|old| TyreRow { known_at: at, ..old.clone() } == row);
        if !same {
            car.tyre = Some(row.clone());
            logs.tyres.push(row);
        }
    }
}

fn patch(stint: &mut Stint, delta: &StintDelta) {
    if let Some(compound) = &delta.compound {
        stint.compound.clone_from(compound);
    }
    stint.new = delta.new.or(stint.new);
    stint.laps = delta.total_laps.unwrap_or(stint.laps);
}
