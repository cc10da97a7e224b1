//! Practice and qualifying: cars leave their garages for a few laps and come back. Start at [`run_parts`].
//!
//! The cars drive as in a race; only race control and the plans differ. Boxes lie behind the line, so that a lap in
//! always ends on the line in the pit lane and a lap out begins there.

use super::{
    car::{Car, Compound, Mode, Program, Purpose, Stage, Tyres, Visit},
    entrants::Entrant,
    motion::{Doing, KNOT_S},
    options::{Incidents, SessionKind},
    race::{FittedSet, Outcome, Race, What},
    track::Track,
};

/// A part of a session.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Green light, s.
    pub(super) start: f64,
    /// Chequered flag, s.
    pub(super) end: f64,
    /// When the next part was announced, s; the end of the recording for the last.
    pub(super) closed: f64,
    /// Cars that take part.
    pub(super) cars: Vec<usize>,
    /// Of them, those that do not go on.
    pub(super) eliminated: Vec<usize>,
}

/// A lap on which the clock counted: from the line to the line, neither out of nor into the pits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FlyingLap {
    /// Which car.
    pub(super) car: usize,
    /// 1 first.
    pub(super) lap: u16,
    /// s.
    pub(super) crossed: f64,
    /// Index of the part in which it ended.
    pub(super) part: usize,
    /// Its time as a timekeeper has it, ms.
    pub(super) ms: u32,
}

/// Seconds of margin between the parts' last car and the next part.
const PAUSE_S: f64 = 45.0;
/// Green light of the first part, s.
const START_S: f64 = 60.0;

/// Runs a session of `kind` with time for about `laps` laps.
pub(super) fn run_parts(
    seed: u64,
    track: &Track,
    entrants: &[Entrant],
    laps: u16,
    kind: SessionKind,
) -> (Outcome, Vec<Part>) {
    let (mut race, grid) = Race::new(seed, track, entrants, u16::MAX, &Incidents::none());
    let lap_time = race.profile.lap_time() * 1.02;
    let shares: &[f64] = if kind == SessionKind::Qualifying { &[0.42, 0.33, 0.25] } else { &[1.0] };
    let durations: Vec<f64> = shares.iter().map(|share| (share * f64::from(laps)).max(3.6) * lap_time).collect();
    let count = entrants.len();
    let going_on = [count, (3 * count).div_ceil(4), count.div_ceil(2)];
    for index in 0..count {
        let at = race.garage(index);
        let car = &mut race.cars[index];
        (car.distance, car.offset) = (at, race.track.pit.offset + 8.0);
        car.mode = Mode::Pit(Visit {
            base: 0.0,
            stop_at: at,
            stage: Stage::Standing(f64::INFINITY),
            purpose: Purpose::Garage,
            hold: f64::INFINITY,
        });
        car.program = Some(Program::In);
        car.distance = car.trajectory.push(0.0, at, car.offset, Doing::Pit, 0);
    }
    race.begin_parts();
    let mut clock = Clock { race, step: 0 };
    let mut parts: Vec<Part> = Vec::new();
    let mut cars: Vec<usize> = (0..count).collect();
    let mut start = START_S;
    for (index, duration) in durations.into_iter().enumerate() {
        clock.until(start);
        clock.race.note(start, What::LightsOut);
        let end = start + duration;
        clock.hold_part(&cars, start, end, lap_time, kind);
        let closed = clock.time() + PAUSE_S;
        let keep = going_on
            .get(index + 1)
            .copied()
            .filter(|_| kind == SessionKind::Qualifying && index < 2)
            .unwrap_or(cars.len());
        let order = best_order(&clock.race.flying_since(start), &cars);
        let part = Part { start, end, closed, cars: cars.clone(), eliminated: order[keep.min(order.len())..].to_vec() };
        cars = order[..keep.min(order.len())].to_vec();
        start = closed + PAUSE_S;
        parts.push(part);
    }
    let end = clock.time() + 30.0;
    clock.until(end);
    if let Some(last) = parts.last_mut() {
        last.closed = end;
    }
    (clock.race.into_outcome(grid, START_S, end), parts)
}

/// Cars by best lap, those without one last, in the order given.
fn best_order(laps: &[(usize, f64)], cars: &[usize]) -> Vec<usize> {
    let best =
        |car: usize| laps.iter().filter(|(of, _)| *of == car).map(|(_, time)| *time).fold(f64::INFINITY, f64::min);
    let mut order = cars.to_vec();
    order.sort_by(|a, b| best(*a).total_cmp(&best(*b)));
    order
}

/// The race and the knot at which it is.
struct Clock<'a> {
    race: Race<'a>,
    step: u32,
}

impl Clock<'_> {
    fn time(&self) -> f64 {
        f64::from(self.step) * KNOT_S
    }

    fn tick(&mut self) {
        let time = self.time();
        self.race.move_all(time);
        self.step += 1;
    }

    fn until(&mut self, time: f64) {
        while self.time() < time {
            self.tick();
        }
    }

    /// Sends the cars out, some of them again, until the flag is out and all are back.
    fn hold_part(&mut self, cars: &[usize], start: f64, end: f64, lap_time: f64, kind: SessionKind) {
        // The last moment at which a car still begins a flying lap before the flag.
        let last = end - 1.32 * lap_time - 12.0;
        let mut releases: Vec<(f64, usize)> = Vec::new();
        for &car in cars {
            let first = start + self.race.random.range(1.0, ((last - start) * 0.35).max(2.0));
            let again = start + (last - start) * self.race.random.range(0.72, 1.0);
            releases.push((first, car));
            if again > first + 4.2 * lap_time {
                releases.push((again, car));
            }
        }
        let long = kind == SessionKind::Practice;
        while self.time() < end || !self.race.all_in(cars) {
            let time = self.time();
            for (at, car) in &mut releases {
                let due = *at <= time && time <= last.max(start + 2.0);
                if due && self.race.is_in_garage(*car) && self.race.lane_is_free(*car) {
                    let pushes = if long { 2 + self.race.random.index(5) } else { 1 + self.race.random.index(2) };
                    self.race.release(*car, time, pushes as u8);
                    *at = f64::INFINITY;
                }
            }
            self.race.flag_out = time >= end;
            self.tick();
            if time > end + 8.0 * lap_time {
                break;
            }
        }
        self.race.flag_out = false;
        self.race.note(end, What::Chequered);
    }
}

impl Race<'_> {
    fn begin_parts(&mut self) {
        self.director.begin_parts();
    }

    /// Where a car stands in its garage, m.
    fn garage(&self, index: usize) -> f64 {
        let pit = &self.track.pit;
        pit.first_box + pit.box_spacing * (self.cars[index].team % 10) as f64
    }

    fn is_in_garage(&self, index: usize) -> bool {
        matches!(self.cars[index].mode, Mode::Pit(Visit { stage: Stage::Standing(_), purpose: Purpose::Garage, .. }))
    }

    fn all_in(&self, cars: &[usize]) -> bool {
        cars.iter().all(|car| self.is_in_garage(*car))
    }

    /// Whether nobody is about to pass the garage.
    fn lane_is_free(&self, index: usize) -> bool {
        let me = &self.cars[index];
        self.cars.iter().enumerate().all(|(other, car)| {
            let gap = self.track.signed(car.distance - me.distance);
            other == index
                || !matches!(car.mode, Mode::Pit(_))
                || self.is_in_garage(other)
                || !(-45.0..14.0).contains(&gap)
        })
    }

    fn release(&mut self, index: usize, time: f64, pushes: u8) {
        let tyres = Tyres::fit(Compound::Soft, &mut self.random);
        let form = 1.0 + 0.0018 * self.random.normal();
        let car = &mut self.cars[index];
        car.tyres = tyres;
        car.form = form;
        car.program = Some(Program::Out { pushes });
        if let Mode::Pit(visit) = &mut car.mode {
            visit.stage = Stage::Outbound;
        }
        self.sets.push(FittedSet { at: time, car: index, tyres });
        if let Some(visit) = self.visits.iter_mut().rev().find(|visit| visit.car == index) {
            visit.moved = time;
        }
    }

    /// Flying laps that began after `start`: car and time, s.
    fn flying_since(&self, start: f64) -> Vec<(usize, f64)> {
        let mut laps = Vec::new();
        for (index, car) in self.cars[..self.entrants].iter().enumerate() {
            for lap in 2..=car.laps {
                let crossed = |lap: u16| car.trajectory.time_at(f64::from(lap) * self.track.length);
                if let (Some(from), Some(to)) = (crossed(lap - 1), crossed(lap))
                    && from > start
                    && is_flying(&car.trajectory, self.track, lap)
                {
                    laps.push((index, to - from));
                }
            }
        }
        laps
    }
}

/// Whether a lap began and ended on the track. Exact: the lane is where the car was between its lines.
pub(super) fn is_flying(trajectory: &super::motion::Trajectory, track: &Track, lap: u16) -> bool {
    let on_track = |lap: u16| {
        let at = trajectory.time_at(f64::from(lap) * track.length);
        lap > 0 && at.is_some_and(|at| trajectory.at(at).doing == Doing::Track)
    };
    on_track(lap - 1) && on_track(lap)
}

impl Car {
    /// What a car of a session without positions does after the line. `flag_out`: the part is over.
    pub(super) fn next_program(&mut self, flag_out: bool) {
        self.program = self.program.map(|program| match program {
            _ if flag_out => Program::In,
            Program::Out { pushes } => Program::Push { left: pushes - 1 },
            Program::Push { left: 0 } | Program::In => Program::In,
            Program::Push { left } => Program::Cool { left },
            Program::Cool { left } => Program::Push { left: left - 1 },
        });
    }
}
