//! The race itself, tenth by tenth. Start at [`run`].
//!
//! Drivers steer by what a driver sees: the limit of the circuit, the car ahead, the flags, the pit wall. What happens
//! is what follows from that; nothing is scripted but plans and troubles.

use super::{
    car::{Car, Compound, Mode, Purpose, TroubleKind, Tyres},
    director::{Director, Phase},
    entrants::Entrant,
    machine::SpeedProfile,
    motion::{Doing, KNOT_S, Trajectory},
    options::Incidents,
    plan,
    random::Random,
    track::Track,
};

/// Longest race that is simulated, s.
const TIME_MAX: f64 = 5.0 * 3600.0;

/// What happened, in exact motion.
pub(super) struct Outcome {
    /// Motion of every car, by entrant.
    pub(super) trajectories: Vec<Trajectory>,
    /// Entrants by grid position.
    pub(super) grid: Vec<usize>,
    /// When the lights went out, s.
    pub(super) lights_out: f64,
    /// Laps completed by every car at its end, by entrant.
    pub(super) laps: Vec<u16>,
    /// What happened, by time.
    pub(super) happenings: Vec<Happening>,
    /// Sets of tyres, by time.
    pub(super) sets: Vec<FittedSet>,
    /// Visits to the pit lane, by time of entry.
    pub(super) visits: Vec<PitVisit>,
    /// End of the recording, s.
    pub(super) end: f64,
}

/// Something that race control or the timing would notice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Happening {
    /// s.
    pub(super) at: f64,
    /// What.
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Lights out.
    LightsOut,
    /// Yellow where car stands.
    Yellow(usize),
    /// Clear again.
    Clear,
    /// Safety car called.
    SafetyCar,
    /// Safety car comes in at the end of the lap.
    SafetyCarIn,
    /// Race stopped.
    Red,
    /// Race goes on behind the safety car.
    Resume,
    /// DRS may be used.
    DrsOn,
    /// DRS may not be used.
    DrsOff,
    /// Car stands on the track.
    Stopped(usize),
    /// Car goes on.
    Recovered(usize),
    /// Car is out of the race.
    Retired(usize),
    /// Car is being lapped by another.
    Blue(usize),
    /// The winner took the flag.
    Chequered,
    /// Car took the flag.
    Finished(usize),
}

/// A set of tyres fitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct FittedSet {
    /// s; zero for the set of the start.
    pub(super) at: f64,
    /// Entrant.
    pub(super) car: usize,
    /// The set.
    pub(super) tyres: Tyres,
}

/// A visit to the pit lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct PitVisit {
    /// Entrant.
    pub(super) car: usize,
    /// Distance of the line beside the lane, m.
    pub(super) base: f64,
    /// When the car came to rest, s.
    pub(super) stopped: f64,
    /// When it moved on, s; infinite if it never did.
    pub(super) moved: f64,
    /// What for.
    pub(super) purpose: Purpose,
}

/// Runs the race of `seed`.
pub(super) fn run(seed: u64, track: &Track, entrants: &[Entrant], laps: u16, incidents: &Incidents) -> Outcome {
    let (mut race, grid) = Race::new(seed, track, entrants, laps, incidents);
    race.sets = (0..entrants.len()).map(|car| FittedSet { at: 0.0, car, tyres: race.cars[car].tyres }).collect();
    let end = race.run();
    let lights_out = race.director.lights_out.unwrap_or(0.0);
    race.into_outcome(grid, lights_out, end)
}

/// The state of the race at one moment.
pub(super) struct Race<'a> {
    /// The circuit.
    pub(super) track: &'a Track,
    /// Its limits.
    pub(super) profile: SpeedProfile,
    /// The entrants, then the safety car.
    pub(super) cars: Vec<Car>,
    /// Number of entrants.
    pub(super) entrants: usize,
    /// Laps of the race.
    pub(super) laps: u16,
    /// Luck.
    pub(super) random: Random,
    /// Race control.
    pub(super) director: Director,
    happenings: Vec<Happening>,
    /// Sets of tyres fitted so far.
    pub(super) sets: Vec<FittedSet>,
    /// Stops in the lane so far.
    pub(super) visits: Vec<PitVisit>,
    /// When each car was last shown a blue flag, s.
    pub(super) blue: Vec<f64>,
    /// Cars that were sent into the queue under a red flag.
    pub(super) queued: usize,
    /// Cars that were sent to park after the race.
    pub(super) parked: usize,
    /// Whether the part of a session without positions is over.
    pub(super) flag_out: bool,
}

impl<'a> Race<'a> {
    /// Cars that have not moved yet, and the order of the grid.
    pub(super) fn new(
        seed: u64,
        track: &'a Track,
        entrants: &[Entrant],
        laps: u16,
        incidents: &Incidents,
    ) -> (Self, Vec<usize>) {
        let (mut cars, schedule, grid) = plan::line_up(seed, entrants, laps, incidents, track.length);
        cars.push(plan::safety_car());
        let race = Self {
            track,
            profile: SpeedProfile::new(track),
            cars,
            entrants: entrants.len(),
            laps,
            random: Random::new(seed, "race"),
            director: Director::new(schedule),
            happenings: Vec::new(),
            sets: Vec::new(),
            visits: Vec::new(),
            blue: vec![f64::NEG_INFINITY; entrants.len()],
            queued: 0,
            parked: 0,
            flag_out: false,
        };
        (race, grid)
    }

    /// What happened until `end`.
    pub(super) fn into_outcome(mut self, grid: Vec<usize>, lights_out: f64, end: f64) -> Outcome {
        self.cars.truncate(self.entrants);
        self.happenings.sort_by(|a, b| a.at.total_cmp(&b.at));
        Outcome {
            laps: self.cars.iter().map(|car| car.laps).collect(),
            trajectories: self.cars.into_iter().map(|car| car.trajectory).collect(),
            grid,
            lights_out,
            happenings: self.happenings,
            sets: self.sets,
            visits: self.visits,
            end,
        }
    }
}

impl Race<'_> {
    fn run(&mut self) -> f64 {
        for index in 0..self.entrants {
            let car = &mut self.cars[index];
            car.distance = car.trajectory.push(0.0, car.distance, car.offset, Doing::Grid, 0);
        }
        let mut settled = None;
        let mut time = 0.0;
        let mut step = 0_u32;
        while time < TIME_MAX {
            self.direct(time);
            self.move_all(time);
            step += 1;
            time = f64::from(step) * KNOT_S;
            let at_rest = |car: &Car| car.speed == 0.0 && (car.finished.is_some() || car.out_since.is_some());
            if settled.is_none() && self.cars[..self.entrants].iter().all(at_rest) {
                settled = Some(time);
            }
            if settled.is_some_and(|since| time > since + 45.0) {
                break;
            }
        }
        time
    }

    /// Notes that `what` happened at `at`.
    pub(super) fn note(&mut self, at: f64, what: What) {
        self.happenings.push(Happening { at, what });
    }

    /// The car that is furthest, of those that race.
    pub(super) fn leader(&self) -> Option<usize> {
        (0..self.entrants)
            .filter(|&index| self.cars[index].is_racing())
            .max_by(|&a, &b| self.cars[a].distance.total_cmp(&self.cars[b].distance))
    }

    /// Moves every car by one knot.
    pub(super) fn move_all(&mut self, time: f64) {
        let road = self.road();
        let speeds: Vec<(f64, f64, u8)> = (0..self.cars.len()).map(|index| self.steer(index, time, &road)).collect();
        for (index, (speed, offset, drs)) in speeds.into_iter().enumerate() {
            if self.cars[index].mode == Mode::Away {
                continue;
            }
            let doing = self.doing(index, time);
            let car = &mut self.cars[index];
            let before = car.distance;
            car.speed = speed;
            car.offset = offset;
            car.distance = car.trajectory.push(speed, car.distance, offset, doing, drs);
            if index < self.entrants {
                self.arrive(index, before, time + KNOT_S);
            }
        }
    }

    fn doing(&self, index: usize, time: f64) -> Doing {
        let car = &self.cars[index];
        let in_lane = match car.mode {
            Mode::Pit(visit) => {
                let from_line = car.distance - visit.base;
                from_line >= self.track.pit.limit_from && from_line < self.track.pit.limit_to
            }
            _ => false,
        };
        car.doing(time, in_lane)
    }

    /// What follows from having moved from `before` to where the car is at `time`.
    fn arrive(&mut self, index: usize, before: f64, time: f64) {
        let length = self.track.length;
        let now = self.cars[index].distance;
        let passed = |place: f64| {
            let laps = ((now - place) / length).floor();
            (laps > ((before - place) / length).floor()).then_some(laps)
        };
        if let Some(line) = passed(0.0).filter(|line| *line >= 1.0) {
            self.complete_lap(index, line as u16, time);
        }
        if let Some(laps) = passed(self.track.pit.entry) {
            self.choose_lane(index, laps * length);
        }
        self.meet_trouble(index, time);
        let on_grid = self.director.lights_out.is_none() && self.cars[index].speed == 0.0;
        let car = &mut self.cars[index];
        match car.mode {
            Mode::Formation if on_grid && car.distance > car.slot.0 - 4.0 => car.mode = Mode::Slot,
            Mode::Slot if self.director.lights_out.is_some_and(|out| time > out + car.reaction) => {
                car.mode = Mode::Track
            }
            Mode::Aside { until: None, returns } if car.speed == 0.0 => {
                car.mode = Mode::Aside { until: Some(if returns { time + 14.0 } else { f64::INFINITY }), returns };
                self.note(time, What::Stopped(index));
                self.director.yellow_until(time + if returns { 22.0 } else { 40.0 });
                self.note(time, What::Yellow(index));
            }
            Mode::Aside { until: Some(until), .. } if time > until => {
                car.mode = Mode::Track;
                self.note(time, What::Recovered(index));
            }
            Mode::Pit(visit) => self.visit_lane(index, visit, time),
            _ => {}
        }
    }

    fn complete_lap(&mut self, index: usize, lap: u16, time: f64) {
        if self.cars[index].finished.is_some() {
            return;
        }
        let form = 1.0 + 0.0012 * self.random.normal();
        let flag_out = self.flag_out;
        let car = &mut self.cars[index];
        car.laps = lap;
        car.form = form;
        car.tyres.age += 1;
        car.next_program(flag_out);
        let crossed = car.trajectory.time_at(f64::from(lap) * self.track.length).unwrap_or(time);
        if car.out_since.is_none() && (lap >= self.laps || self.director.phase == Phase::Flag) {
            car.finished = Some(crossed);
            if self.director.phase != Phase::Flag {
                self.director.phase = Phase::Flag;
                self.note(crossed, What::Chequered);
            }
            self.note(crossed, What::Finished(index));
        }
    }

    fn meet_trouble(&mut self, index: usize, time: f64) {
        let green = self.director.phase == Phase::Green;
        let length = self.track.length;
        let car = &mut self.cars[index];
        let Some(trouble) = car.troubles.first().copied() else { return };
        let place = (f64::from(trouble.lap) - 1.0 + trouble.part) * length;
        if trouble.kind == TroubleKind::Pit
            || car.mode != Mode::Track
            || car.distance < place
            || !green
            || car.finished.is_some()
        {
            return;
        }
        // Not in a stretch where the pit lane leaves or joins the track.
        if self.track.signed(car.distance).abs() < 600.0 {
            return;
        }
        car.troubles.remove(0);
        let returns = trouble.kind == TroubleKind::Spin;
        car.mode = Mode::Aside { until: None, returns };
        if returns {
            // What a spin damages takes a long stop at the end of the lap, and some pace for good.
            car.damage = 0.008;
            let stop = car.stops.first().map_or(Compound::Hard, |stop| stop.compound);
            car.stops.insert(0, super::car::PlannedStop { lap: car.laps + 1, compound: stop, extra: 34.0 });
        } else {
            car.out_since = Some(time);
            self.note(time + 75.0, What::Retired(index));
        }
    }
}
