//! Race control: what phase the race is in and who may do what. Start at [`Race::direct`].

use super::{
    car::{Car, Mode, Program, Purpose, Stage},
    motion::Trajectory,
    plan::Schedule,
    race::{Race, What},
};

/// Phase of the race.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    /// Formation lap, then the grid.
    Grid {
        /// When every car stood in its slot, s.
        ready: Option<f64>,
    },
    /// Racing.
    Green,
    /// Behind the safety car, or waiting for it.
    SafetyCar {
        /// Laps of the leader when it was picked up.
        picked_up: Option<u16>,
        /// Laps to drive behind it.
        laps: u16,
        /// Whether it comes in at the end of the lap.
        ending: bool,
        /// Whether it has left the track.
        gone: bool,
    },
    /// Stopped.
    Red {
        /// When every car stood in the lane, s.
        ready: Option<f64>,
    },
    /// The winner has taken the flag.
    Flag,
}

/// Race control.
pub(super) struct Director {
    /// Phase.
    pub(super) phase: Phase,
    /// When the lights went out, s.
    pub(super) lights_out: Option<f64>,
    /// Whether DRS may be used.
    pub(super) drs: bool,
    /// Whether the cars that wait under a red flag may go.
    pub(super) released: bool,
    schedule: Schedule,
    yellow_until: Option<f64>,
    call_at: Option<f64>,
    drs_from_lap: u16,
}

impl Director {
    /// Before the formation lap.
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            phase: Phase::Grid { ready: None },
            lights_out: None,
            drs: false,
            released: false,
            schedule,
            yellow_until: None,
            call_at: None,
            drs_from_lap: 2,
        }
    }

    /// A session without positions: green, and nothing planned.
    pub(super) fn begin_parts(&mut self) {
        self.phase = Phase::Green;
        self.lights_out = Some(0.0);
    }

    /// Whether passing is forbidden everywhere.
    pub(super) fn no_passing(&self) -> bool {
        !matches!(self.phase, Phase::Green | Phase::Flag)
    }

    /// Whether cars have to come into the pit lane and wait there.
    pub(super) fn is_red(&self) -> bool {
        matches!(self.phase, Phase::Red { .. })
    }

    /// Shortest time that a car keeps to the one ahead, s.
    pub(super) fn headway_min(&self) -> f64 {
        match self.phase {
            Phase::Green | Phase::Flag => 0.55,
            _ => 0.8,
        }
    }

    /// Share of the limit at which `car` drives.
    pub(super) fn pace(&self, is_safety_car: bool, car: &Car, laps: u16) -> f64 {
        let racing = car.factor(1.0 - f64::from(car.laps) / f64::from(laps));
        match self.phase {
            _ if is_safety_car => 0.57,
            Phase::Grid { .. } => 0.55,
            Phase::Green => racing * car.program.map_or(1.0, Program::effort),
            Phase::Flag if car.finished.is_some() => 0.62,
            Phase::Flag => racing,
            Phase::SafetyCar { gone: true, .. } => 0.74,
            Phase::SafetyCar { .. } => 0.70,
            Phase::Red { .. } => 0.62,
        }
    }

    /// Yellow until `until` at least.
    pub(super) fn yellow_until(&mut self, until: f64) {
        self.yellow_until = Some(self.yellow_until.map_or(until, |old| old.max(until)));
    }
}

impl Race<'_> {
    /// Decides the phase at `time`.
    pub(super) fn direct(&mut self, time: f64) {
        match self.director.phase {
            Phase::Grid { ready } => self.direct_grid(time, ready),
            Phase::Green => self.direct_green(time),
            Phase::SafetyCar { picked_up, laps, ending, gone } => {
                self.direct_safety_car(time, picked_up, laps, ending, gone)
            }
            Phase::Red { ready } => self.direct_red(time, ready),
            Phase::Flag => {}
        }
        let yellow_over = self.director.yellow_until.is_some_and(|until| time > until);
        if yellow_over {
            self.director.yellow_until = None;
            if matches!(self.director.phase, Phase::Green | Phase::Flag) {
                self.note(time, What::Clear);
            }
        }
    }

    fn direct_grid(&mut self, time: f64, ready: Option<f64>) {
        if self.director.lights_out.is_none() {
            let all = self.cars[..self.entrants].iter().all(|car| car.mode == Mode::Slot);
            match ready {
                None if all => self.director.phase = Phase::Grid { ready: Some(time) },
                Some(since) if time > since + 6.0 => {
                    self.director.lights_out = Some(time);
                    self.director.phase = Phase::Green;
                    self.note(time, What::LightsOut);
                }
                _ => {}
            }
        }
    }

    fn direct_green(&mut self, time: f64) {
        let Some(leader) = self.leader() else { return };
        let laps = self.cars[leader].laps;
        if !self.director.drs && laps >= self.director.drs_from_lap && self.director.yellow_until.is_none() {
            self.director.drs = true;
            self.note(time, What::DrsOn);
        }
        if let Some(car) = self.director.schedule.safety_car_for
            && self.cars[car].out_since.is_some()
        {
            self.director.schedule.safety_car_for = None;
            self.director.call_at = Some(time + 14.0);
        }
        let to_go = self.laps.saturating_sub(laps);
        if self.director.call_at.is_some_and(|at| time > at) {
            self.director.call_at = None;
            if to_go >= 2 {
                self.begin_safety_car(time);
            }
        } else if self.director.schedule.red_flag.is_some_and(|lap| laps >= lap) && self.is_gathered(leader) {
            self.director.schedule.red_flag = None;
            self.end_drs(time);
            self.director.phase = Phase::Red { ready: None };
            self.note(time, What::Red);
        }
    }

    /// Whether every car on the leader's lap is in the same part of the circuit, clear of the pit lane, and none of
    /// them is in the lane: then the whole field comes in at the end of one lap, in order.
    fn is_gathered(&self, leader: usize) -> bool {
        let length = self.track.length;
        let part = |car: &Car| car.distance / length - f64::from(self.cars[leader].laps);
        let first = part(&self.cars[leader]);
        (0.3..0.85).contains(&first)
            && self.cars[..self.entrants].iter().filter(|car| car.is_racing()).all(|car| {
                let same_lap = part(car) > first - 0.8;
                !matches!(car.mode, Mode::Pit(_) | Mode::Aside { .. }) && (!same_lap || part(car) > 0.10)
            })
    }

    fn begin_safety_car(&mut self, time: f64) {
        self.end_drs(time);
        self.director.phase = Phase::SafetyCar { picked_up: None, laps: 2, ending: false, gone: false };
        self.note(time, What::SafetyCar);
        // Teams whose stop is near take it now: it costs less.
        let lap = self.leader().map_or(0, |leader| self.cars[leader].laps);
        for car in &mut self.cars[..self.entrants] {
            if let Some(stop) = car.stops.first_mut()
                && stop.lap <= lap + self.laps / 4
            {
                stop.lap = stop.lap.min(car.laps + 1);
            }
        }
    }

    fn end_drs(&mut self, time: f64) {
        if self.director.drs {
            self.director.drs = false;
            self.note(time, What::DrsOff);
        }
    }

    fn direct_safety_car(&mut self, time: f64, picked_up: Option<u16>, laps: u16, ending: bool, gone: bool) {
        let Some(leader) = self.leader() else { return };
        let (distance, done) = (self.cars[leader].distance, self.cars[leader].laps);
        let exit = self.track.pit.exit;
        match picked_up {
            None => {
                let to_exit = self.track.wrap(exit - distance);
                if (180.0..700.0).contains(&to_exit) && matches!(self.cars[leader].mode, Mode::Track) {
                    self.send_out_safety_car(time, distance + to_exit);
                    self.director.phase = Phase::SafetyCar { picked_up: Some(done), laps, ending, gone };
                }
            }
            Some(since) if !ending => {
                let part = distance / self.track.length - f64::from(done);
                if done >= since + laps && (0.1..0.6).contains(&part) {
                    self.note(time, What::SafetyCarIn);
                    self.director.phase = Phase::SafetyCar { picked_up, laps, ending: true, gone };
                }
            }
            Some(_) if !gone => {
                let safety_car = self.entrants;
                let before_line = self.track.signed(self.cars[safety_car].distance);
                if (self.track.pit.entry..0.0).contains(&before_line) {
                    self.cars[safety_car].mode = Mode::Away;
                    // The lap at whose end racing begins again.
                    self.director.phase = Phase::SafetyCar { picked_up: Some(done), laps: 0, ending, gone: true };
                }
            }
            Some(since) => {
                if done > since {
                    self.director.phase = Phase::Green;
                    self.director.yellow_until = None;
                    self.director.drs_from_lap = done + 1;
                    self.note(time, What::Clear);
                }
            }
        }
    }

    fn send_out_safety_car(&mut self, time: f64, distance: f64) {
        let car = &mut self.cars[self.entrants];
        car.trajectory = Trajectory::beginning(time);
        car.distance = distance;
        car.speed = 18.0;
        car.offset = 4.0;
        car.mode = Mode::Track;
    }

    fn direct_red(&mut self, time: f64, ready: Option<f64>) {
        let waits = |car: &Car| match car.mode {
            Mode::Pit(visit) => visit.purpose == Purpose::RedFlag && matches!(visit.stage, Stage::Standing(_)),
            _ => false,
        };
        let all = self.cars[..self.entrants].iter().filter(|car| car.is_racing()).all(waits);
        match ready {
            None if all => self.director.phase = Phase::Red { ready: Some(time) },
            Some(since) if time > since + 75.0 => {
                let Some(leader) = self.leader() else { return };
                let head = self.cars[..self.entrants]
                    .iter()
                    .filter(|car| waits(car))
                    .map(|car| self.track.signed(car.distance));
                let head = head.fold(f64::NEG_INFINITY, f64::max);
                let done = self.cars[leader].laps;
                let base = (self.cars[leader].distance / self.track.length).round() * self.track.length;
                self.send_out_safety_car(time, base + head + 60.0);
                self.director.released = true;
                self.director.phase = Phase::SafetyCar { picked_up: Some(done), laps: 1, ending: false, gone: false };
                self.note(time, What::Resume);
            }
            _ => {}
        }
    }
}
