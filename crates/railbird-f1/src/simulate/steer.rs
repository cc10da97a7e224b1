//! How a driver drives: by the limit of the circuit, the car ahead and the flags. Start at [`Race::steer`].

use super::{
    car::{Mode, Program},
    director::Phase,
    machine::{braking, thrust},
    motion::KNOT_S,
    race::{Race, What},
};

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
    /// Cars on the track by place on the circuit.
    pub(super) fn road(&self) -> Vec<(f64, usize)> {
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
            let slower =
                matches!(me.program, Some(Program::Push { .. })) && !matches!(car.program, Some(Program::Push { .. }));
            let passable = !no_passing
                && (slower || (lapped && me.program.is_none()) || (car.finished.is_some() && me.finished.is_none()));
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
    pub(super) fn steer(&mut self, index: usize, time: f64, road: &[(f64, usize)]) -> (f64, f64, u8) {
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
        let Some(ahead) = follow.filter(|ahead| ahead.car < self.entrants && (ahead.headway < 0.9 || ahead.gap < 22.0))
        else {
            return (None, drs);
        };
        if self.director.phase != Phase::Green || index >= self.entrants || self.cars[index].program.is_some() {
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
        let pushing = matches!(self.cars[behind].program, Some(Program::Push { .. }));
        if me.program.is_some() {
            return close && pushing && !matches!(me.program, Some(Program::Push { .. }));
        }
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

    /// Offset one knot later on the way to `target`: never faster sideways than a share of the speed ahead.
    pub(super) fn drift(&self, index: usize, target: f64) -> f64 {
        let car = &self.cars[index];
        let most = (0.01 + 0.11 * car.speed) * KNOT_S;
        car.offset + ((target - car.offset) * 0.22).clamp(-most, most)
    }
}

/// Highest speed at the next knot from which a car, `ahead` m before its stop, comes to rest there at `brake` m/s².
pub(super) fn approach(ahead: f64, speed: f64, brake: f64) -> f64 {
    let left = ahead - 0.5 * speed * KNOT_S;
    if left <= 0.05 { 0.0 } else { (2.0 * brake * left).sqrt().min(left / KNOT_S) }
}
