//! The race itself, tenth by tenth. Start at [`run`].
//!
//! Drivers steer by what a driver sees: the limit of the circuit, the car ahead, the flags, the pit wall. What happens
//! is what follows from that; nothing is scripted but plans and troubles.

use super::{
    car::{Car, Compound, Mode, Purpose, Stage, TroubleKind, Tyres, Visit},
    director::{Director, Phase},
    entrants::Entrant,
    machine::{SpeedProfile, braking, thrust},
    motion::{Doing, KNOT_S, Trajectory},
    options::Incidents,
    plan,
    random::Random,
    track::Track,
};

/// Speed limit in the pit lane, m/s.
const PIT_LIMIT: f64 = 80.0 / 3.6;
/// Distance between cars that queue, m.
const QUEUE_SPACING: f64 = 8.0;
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
    let (mut cars, schedule, grid) = plan::line_up(seed, entrants, laps, incidents, track.length);
    cars.push(plan::safety_car());
    let sets = entrants.iter().enumerate().map(|(car, _)| FittedSet { at: 0.0, car, tyres: cars[car].tyres }).collect();
    let mut race = Race {
        track,
        profile: SpeedProfile::new(track),
        cars,
        entrants: entrants.len(),
        laps,
        random: Random::new(seed, "race"),
        director: Director::new(schedule),
        happenings: Vec::new(),
        sets,
        visits: Vec::new(),
        blue: vec![f64::NEG_INFINITY; entrants.len()],
        queued: 0,
        parked: 0,
    };
    let end = race.run();
    let lights_out = race.director.lights_out.unwrap_or(0.0);
    race.cars.truncate(entrants.len());
    race.happenings.sort_by(|a, b| a.at.total_cmp(&b.at));
    Outcome {
        laps: race.cars.iter().map(|car| car.laps).collect(),
        trajectories: race.cars.into_iter().map(|car| car.trajectory).collect(),
        grid,
        lights_out,
        happenings: race.happenings,
        sets: race.sets,
        visits: race.visits,
        end,
    }
}

/// The state of the race at one moment.
pub(super) struct Race<'a> {
    pub(super) track: &'a Track,
    profile: SpeedProfile,
    /// The entrants, then the safety car.
    pub(super) cars: Vec<Car>,
    pub(super) entrants: usize,
    pub(super) laps: u16,
    random: Random,
    pub(super) director: Director,
    happenings: Vec<Happening>,
    sets: Vec<FittedSet>,
    visits: Vec<PitVisit>,
    blue: Vec<f64>,
    queued: usize,
    parked: usize,
}

/// The car ahead on the road.
#[derive(Clone, Copy)]
struct Ahead {
    car: usize,
    /// m.
    gap: f64,
    /// s since that car passed here; infinite if it is not known.
    headway: f64,
    /// Its speed when it passed here, m/s.
    speed_here: f64,
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

    fn move_all(&mut self, time: f64) {
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

    /// Cars on the track by place on the circuit.
    fn road(&self) -> Vec<(f64, usize)> {
        let mut road: Vec<(f64, usize)> = (0..self.cars.len())
            .filter(|&index| self.cars[index].is_on_track())
            .map(|index| (self.track.wrap(self.cars[index].distance), index))
            .collect();
        road.sort_by(|a, b| a.0.total_cmp(&b.0));
        road
    }

    /// The nearest car ahead that this one has to follow: not one that it is about to lap, nor one past the flag.
    fn ahead(&self, index: usize, time: f64, road: &[(f64, usize)], skip: Option<usize>) -> Option<Ahead> {
        let at = road.iter().position(|(_, other)| *other == index)?;
        let me = &self.cars[index];
        let no_passing = self.director.no_passing();
        for next in 1..road.len() {
            let (place, other) = road[(at + next) % road.len()];
            let gap = self.track.wrap(place - road[at].0);
            if gap > 450.0 {
                return None;
            }
            let car = &self.cars[other];
            let lapped = other < self.entrants && car.distance < me.distance - 0.5 * self.track.length;
            let passable = !no_passing && (lapped || (car.finished.is_some() && me.finished.is_none()));
            if passable || Some(other) == skip {
                continue;
            }
            let passed = car.trajectory.time_at_recent(car.distance - gap, 60);
            let headway = passed.map_or(f64::INFINITY, |at| time - at);
            let speed_here = passed.map_or(0.0, |at| car.trajectory.at(at).speed);
            return Some(Ahead { car: other, gap, headway, speed_here });
        }
        None
    }

    /// Speed and offset at the next knot, and the DRS code until then.
    fn steer(&mut self, index: usize, time: f64, road: &[(f64, usize)]) -> (f64, f64, u8) {
        let car = &self.cars[index];
        match car.mode {
            Mode::Away => (0.0, 0.0, 0),
            Mode::Slot => (0.0, car.offset, 0),
            Mode::Aside { .. } => {
                let speed = (car.speed - 9.0 * KNOT_S).max(0.0);
                (speed, self.drift(index, -9.5), 0)
            }
            Mode::Pit(visit) => self.steer_in_lane(index, visit),
            Mode::Formation | Mode::Track => self.steer_on_track(index, time, road),
        }
    }

    fn steer_on_track(&mut self, index: usize, time: f64, road: &[(f64, usize)]) -> (f64, f64, u8) {
        let car = &self.cars[index];
        let here = self.track.wrap(car.distance);
        let next = self.track.wrap(car.distance + car.speed.max(5.0) * KNOT_S);
        let (limit_here, limit) = (self.profile.speed(here), self.profile.speed(next));
        let mut factor = self.director.pace(index == self.entrants, car, self.laps);
        let follow = self.ahead(index, time, road, None);
        let straight = self.track.straight_at(here);
        let (attacking, drs) = self.attack(index, time, straight, follow);
        let mut side = 0.0;
        let mut ceiling = f64::INFINITY;
        let follow = match (attacking, follow) {
            (Some(other), Some(_)) => {
                factor *= 1.018;
                side = if self.cars[other].offset > 0.0 { -3.2 } else { 3.2 };
                self.ahead(index, time, road, Some(other))
            }
            (_, follow) => follow,
        };
        if drs >= 10 {
            factor *= 1.028;
        }
        if self.yields(index, time, road) {
            factor *= 0.955;
            side = -3.0;
        }
        if let Some(ahead) = follow {
            let headway_min = self.director.headway_min();
            if ahead.headway < 5.0 {
                let closing = (0.3 * (ahead.headway - headway_min)).clamp(-0.10, 0.08);
                factor = factor.min(ahead.speed_here / limit_here * (1.0 + closing));
            }
            if ahead.gap < 35.0 {
                ceiling = (self.cars[ahead.car].speed + (ahead.gap - 6.8).max(-3.0) / 0.9).max(0.0);
            }
        }
        let car = &self.cars[index];
        let wanted = (factor * limit).min(ceiling).min(self.stop_ceiling(index));
        let launch = if self.director.lights_out.is_some_and(|out| time < out + 7.0) { car.launch } else { 1.0 };
        let profile_slope = factor * (self.profile.speed(next) - limit_here) / KNOT_S;
        let gentle = if ceiling < factor * limit || matches!(car.mode, Mode::Formation) { 20.0 } else { 6.0 };
        let lowest = (profile_slope.min(0.0) - gentle).max(-1.25 * braking(car.speed));
        let highest = (thrust(car.speed) * 1.08 + 0.6) * launch;
        let change = ((wanted - car.speed) / KNOT_S).clamp(lowest, highest);
        let speed = (car.speed + change * KNOT_S).max(0.0);
        let speed = if speed < 0.25 && wanted < 0.25 { 0.0 } else { speed };
        let line = (self.track.curvature(here) * 70.0).clamp(-1.0, 1.0) * 2.4
            + 0.4 * (index as f64 * 1.7 + here / 300.0).sin();
        let target = match car.mode {
            Mode::Formation if car.distance > car.slot.0 - 60.0 => car.slot.1,
            _ if side != 0.0 => side,
            _ => line,
        };
        (speed, self.drift(index, target), drs)
    }

    /// Whom the car attacks on this straight, if anyone, and the DRS code.
    fn attack(
        &mut self,
        index: usize,
        time: f64,
        straight: Option<usize>,
        follow: Option<Ahead>,
    ) -> (Option<usize>, u8) {
        let entered = straight.is_some() && self.cars[index].straight != straight;
        self.cars[index].straight = straight;
        let Some(zone) = straight else {
            self.cars[index].drs_since = None;
            return (None, 0);
        };
        if entered {
            let close = follow.is_some_and(|ahead| ahead.headway < 1.0);
            let usable = close && self.director.drs && self.track.straights[zone].drs && index < self.entrants;
            self.cars[index].drs_since = usable.then_some(time + 0.3);
        }
        let drs = match self.cars[index].drs_since {
            None => 0,
            Some(_) if !self.director.drs => 0,
            Some(since) if time < since => 8,
            Some(since) if time < since + 0.3 => 10,
            Some(_) if self.brakes_soon(index) => 8,
            Some(since) if time < since + 0.6 => 12,
            Some(_) => 14,
        };
        let Some(ahead) = follow.filter(|ahead| ahead.car < self.entrants && (ahead.headway < 0.9 || ahead.gap < 22.0)) else {
            return (None, drs);
        };
        if self.director.phase != Phase::Green || index >= self.entrants {
            return (None, drs);
        }
        let lap = self.cars[index].laps;
        let known = self.cars[index].attack.filter(|(on, in_lap, _)| (*on, *in_lap) == (zone, lap));
        let decided = match known {
            Some((_, _, decided)) => decided,
            None => {
                let better = self.fuel_factor(index) - self.fuel_factor(ahead.car);
                let from_grid = if lap == 0 { 0.25 } else { 0.0 };
                let chance = (0.08 + 45.0 * better + from_grid + if drs > 0 { 0.22 } else { 0.0 }).clamp(0.01, 0.85);
                let decided = self.random.chance(chance);
                self.cars[index].attack = Some((zone, lap, decided));
                decided
            }
        };
        (decided.then_some(ahead.car), drs)
    }

    fn brakes_soon(&self, index: usize) -> bool {
        let car = &self.cars[index];
        let soon = self.track.wrap(car.distance + car.speed * 0.35);
        self.profile.speed(soon) < 0.94 * car.speed
    }

    fn fuel_factor(&self, index: usize) -> f64 {
        let car = &self.cars[index];
        car.factor(1.0 - f64::from(car.laps) / f64::from(self.laps))
    }

    /// Whether a car that is a lap ahead is right behind: blue flags.
    fn yields(&mut self, index: usize, time: f64, road: &[(f64, usize)]) -> bool {
        if index >= self.entrants || self.director.no_passing() {
            return false;
        }
        let Some(at) = road.iter().position(|(_, other)| *other == index) else { return false };
        let (place, behind) = road[(at + road.len() - 1) % road.len()];
        let gap = self.track.wrap(road[at].0 - place);
        let me = &self.cars[index];
        let close = behind < self.entrants && gap < me.speed * 1.1 + 8.0;
        let lapping = close && self.cars[behind].distance > me.distance + 0.5 * self.track.length;
        if lapping && me.is_racing() && time > self.blue[index] + 25.0 {
            self.blue[index] = time;
            self.note(time, What::Blue(index));
        }
        lapping
    }

    /// Highest speed from which the car still stops at its grid slot.
    fn stop_ceiling(&self, index: usize) -> f64 {
        let car = &self.cars[index];
        match car.mode {
            Mode::Formation => approach(car.slot.0 - car.distance, car.speed, 5.0),
            _ => f64::INFINITY,
        }
    }

    fn steer_in_lane(&mut self, index: usize, visit: Visit) -> (f64, f64, u8) {
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
        let in_box =
            matches!(visit.purpose, Purpose::Tyres(_) | Purpose::Retire) && (car.distance - visit.stop_at).abs() < 13.0;
        (speed, self.drift(index, lane + if in_box { 4.0 } else { 0.0 }), 0)
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

    /// Offset one knot later on the way to `target`: never faster sideways than a share of the speed ahead.
    fn drift(&self, index: usize, target: f64) -> f64 {
        let car = &self.cars[index];
        let most = (0.01 + 0.11 * car.speed) * KNOT_S;
        car.offset + ((target - car.offset) * 0.22).clamp(-most, most)
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
        let car = &mut self.cars[index];
        car.laps = lap;
        car.form = form;
        car.tyres.age += 1;
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

    /// At the entry of the pit lane beside the line at `base`.
    fn choose_lane(&mut self, index: usize, base: f64) {
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
        let visit = if car.finished.is_some() {
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

    fn visit_lane(&mut self, index: usize, mut visit: Visit, time: f64) {
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
        if self.track.from_line(car.distance).abs() < 600.0 {
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

/// Highest speed at the next knot from which a car, `ahead` m before its stop, comes to rest there at `brake` m/s².
fn approach(ahead: f64, speed: f64, brake: f64) -> f64 {
    let left = ahead - 0.5 * speed * KNOT_S;
    if left <= 0.05 { 0.0 } else { (2.0 * brake * left).sqrt().min(left / KNOT_S) }
}

fn smoothstep(part: f64) -> f64 {
    let part = part.clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}
