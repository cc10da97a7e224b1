//! The pit lane: who turns in, where a car stops, and how it gets out again. Start at [`Race::choose_lane`].

use super::{
    car::{Compound, Mode, Program, Purpose, Stage, TroubleKind, Tyres, Visit},
    director::Phase,
    machine::{braking, thrust},
    motion::KNOT_S,
    race::{FittedSet, PitVisit, Race, What},
    steer::approach,
};

/// Speed limit in the pit lane, m/s.
const PIT_LIMIT: f64 = 80.0 / 3.6;
/// Distance between cars that queue, m.
const QUEUE_SPACING: f64 = 8.0;

impl Race<'_> {
    pub(super) fn steer_in_lane(&mut self, index: usize, visit: Visit) -> (f64, f64, u8) {
        let car = &self.cars[index];
        let pit = &self.track.pit;
        let from_line = car.distance - visit.base;
        let here = self.track.wrap(car.distance);
        let mut wanted = self.profile.speed(here) * 0.95;
        if from_line < pit.limit_from {
            wanted = wanted.min(
                (PIT_LIMIT * PIT_LIMIT + 2.0 * 13.0 * (pit.limit_from - from_line - car.speed * KNOT_S).max(0.0))
                    .sqrt(),
            );
        } else if from_line < pit.limit_to {
            wanted = wanted.min(PIT_LIMIT);
        }
        if visit.stage == Stage::Inbound {
            let wait = if self.box_is_taken(index, visit) { QUEUE_SPACING + 1.0 } else { 0.0 };
            wanted = wanted.min(approach(visit.stop_at - wait - car.distance, car.speed, 6.5));
        }
        if matches!(visit.stage, Stage::Standing(_)) {
            wanted = 0.0;
        }
        for (other, that) in self.cars.iter().enumerate() {
            let Mode::Pit(_) = that.mode else { continue };
            let gap = self.track.wrap(that.distance - car.distance);
            let in_box = that.offset > pit.offset + 1.8;
            if other != index && gap > 0.0 && gap < 45.0 && !in_box {
                wanted = wanted.min((that.speed + (gap - QUEUE_SPACING + 0.5) / 0.8).max(0.0));
            }
        }
        let change = ((wanted - car.speed) / KNOT_S).clamp(-braking(car.speed), thrust(car.speed).min(7.0));
        let speed = (car.speed + change * KNOT_S).max(0.0);
        let speed = if speed < 0.3 && wanted < 0.3 { 0.0 } else { speed };
        let ramp = |from: f64, to: f64| smoothstep((from_line - from) / (to - from));
        let lane = pit.offset * ramp(pit.entry, pit.limit_from) * (1.0 - ramp(pit.limit_to + 10.0, pit.exit));
        let aside = match visit.purpose {
            _ if (car.distance - visit.stop_at).abs() >= 13.0 => 0.0,
            Purpose::Tyres(_) | Purpose::Retire => 4.0,
            Purpose::Garage => 8.0,
            Purpose::RedFlag | Purpose::Park => 0.0,
        };
        (speed, self.drift(index, lane + aside), 0)
    }

    /// Whether the other car of the team is at or before the box that this one heads for.
    fn box_is_taken(&self, index: usize, visit: Visit) -> bool {
        matches!(visit.purpose, Purpose::Tyres(_) | Purpose::Retire)
            && self.cars.iter().enumerate().any(|(other, car)| {
                let Mode::Pit(theirs) = car.mode else { return false };
                other != index
                    && car.team == self.cars[index].team
                    && theirs.stage != Stage::Outbound
                    && matches!(theirs.purpose, Purpose::Tyres(_))
                    && self.track.wrap(car.distance - self.cars[index].distance) < 300.0
            })
    }

    /// At the entry of the pit lane beside the line at `base`.
    pub(super) fn choose_lane(&mut self, index: usize, base: f64) {
        if self.cars[index].mode != Mode::Track {
            return;
        }
        let lap = (base / self.track.length).round() as i64;
        let pit = &self.track.pit;
        let box_at = base + pit.first_box + pit.box_spacing * (self.cars[index].team % 10) as f64;
        let queue = |place: usize| base + pit.limit_to - 12.0 - QUEUE_SPACING * place as f64;
        let due = |lap_planned: u16| i64::from(lap_planned) <= lap;
        let car = &mut self.cars[index];
        let retires = car.troubles.first().is_some_and(|trouble| trouble.kind == TroubleKind::Pit && due(trouble.lap));
        let visit = |purpose, stop_at, hold| Visit { base, stop_at, stage: Stage::Inbound, purpose, hold };
        let visit = if car.program.is_some() {
            if car.program != Some(Program::In) {
                return;
            }
            visit(Purpose::Garage, box_at, f64::INFINITY)
        } else if car.finished.is_some() {
            self.parked += 1;
            visit(Purpose::Park, queue(self.parked - 1), f64::INFINITY)
        } else if self.director.phase == Phase::Flag {
            return;
        } else if self.director.is_red() {
            self.queued += 1;
            visit(Purpose::RedFlag, queue(self.queued - 1), f64::INFINITY)
        } else if retires {
            visit(Purpose::Retire, box_at, f64::INFINITY)
        } else if lap < i64::from(self.laps)
            && let Some(stop) = car.stops.first().copied().filter(|stop| due(stop.lap))
        {
            car.stops.remove(0);
            visit(Purpose::Tyres(stop.compound), box_at, self.random.range(2.1, 3.4) + stop.extra)
        } else {
            return;
        };
        self.cars[index].mode = Mode::Pit(visit);
    }

    pub(super) fn visit_lane(&mut self, index: usize, mut visit: Visit, time: f64) {
        let exit = visit.base + self.track.pit.exit;
        let released = self.director.released;
        let car = &mut self.cars[index];
        match visit.stage {
            Stage::Inbound if car.speed == 0.0 && (visit.stop_at - car.distance) < 1.5 => {
                visit.stage = Stage::Standing(time + visit.hold);
                let moved = if visit.hold.is_finite() { time + visit.hold } else { f64::INFINITY };
                self.visits.push(PitVisit {
                    car: index,
                    base: visit.base,
                    stopped: time,
                    moved,
                    purpose: visit.purpose,
                });
                if visit.purpose == Purpose::Retire {
                    car.out_since = Some(time);
                    self.note(time + 75.0, What::Retired(index));
                }
            }
            Stage::Standing(until) => {
                let go = match visit.purpose {
                    Purpose::RedFlag => released,
                    _ => time >= until,
                };
                if go {
                    self.leave_stop(index, &mut visit, time);
                }
            }
            Stage::Outbound if car.distance >= exit => {
                car.mode = Mode::Track;
                return;
            }
            _ => {}
        }
        self.cars[index].mode = Mode::Pit(visit);
    }

    fn leave_stop(&mut self, index: usize, visit: &mut Visit, time: f64) {
        visit.stage = Stage::Outbound;
        if let Some(last) = self.visits.iter_mut().rev().find(|last| last.car == index) {
            last.moved = time;
        }
        let fresh = match visit.purpose {
            Purpose::Tyres(compound) => Some(compound),
            Purpose::RedFlag if self.random.chance(0.6) => {
                Some(if self.random.chance(0.5) { Compound::Medium } else { Compound::Hard })
            }
            _ => None,
        };
        if let Some(compound) = fresh {
            let tyres = Tyres::fit(compound, &mut self.random);
            self.cars[index].tyres = tyres;
            self.sets.push(FittedSet { at: time, car: index, tyres });
        }
    }
}

fn smoothstep(part: f64) -> f64 {
    let part = part.clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}
