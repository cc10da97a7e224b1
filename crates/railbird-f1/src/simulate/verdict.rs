//! Truth of a race from its motion. Start at [`race_truth`].

use super::{
    car::Purpose,
    entrants::TEAMS,
    messages::Deletion,
    motion::{Doing, KNOT_S},
    options::SimulateOptions,
    passages::Timing,
    race::{Outcome, What},
    runs::is_flying,
    session::Scene,
    truth::{
        FaultCounts, TrueCircuit, TrueDriver, TrueFlag, TrueLap, TruePass, TruePitVisit, TrueResult, TrueRetirement,
        TrueRoad, TrueRoadColumns, Truth,
    },
};

/// Moments of the road table a second.
pub(super) const ROAD_STEP_S: f64 = 0.5;

/// The truth of `outcome`.
pub(super) fn race_truth(
    scene: &Scene,
    options: &SimulateOptions,
    outcome: &Outcome,
    timing: &Timing,
    deletions: &[Deletion],
) -> Truth {
    let judge = Judge { scene, outcome, timing, deletions };
    let chequered =
        outcome.happenings.iter().find(|happening| happening.what == What::Chequered).map(|happening| happening.at);
    Truth {
        format: 1,
        seed: scene.seed,
        kind: scene.kind,
        stamps: scene.stamps,
        meeting: scene.meeting.name.to_owned(),
        laps_total: options.laps,
        origin_utc_ns: scene.origin_ns,
        start_ns: ns(outcome.lights_out),
        chequered_ns: chequered.map(ns),
        end_ns: ns(outcome.end),
        circuit: circuit(scene),
        drivers: judge.drivers(),
        parts: Vec::new(),
        laps: judge.laps(),
        pit_visits: judge.visits(),
        retirements: judge.retirements(),
        flags: judge.flags(),
        passes: judge.passes(),
        road: judge.road(),
        classification: judge.classification(),
        faults: FaultCounts::default(),
    }
}

/// The circuit as truth has it.
pub(super) fn circuit(scene: &Scene) -> TrueCircuit {
    let track = &scene.track;
    let tenths = |value: f64| (value * 1e4).round() / 1e3;
    TrueCircuit {
        name: scene.meeting.circuit.to_owned(),
        length_m: track.length,
        centreline: track.centreline(2.0).into_iter().map(|place| place.map(tenths)).collect(),
        sector_ends_m: track.sectors,
        loops_m: track.loops.clone(),
        corners: track.corners.iter().map(|corner| (corner.number, corner.apex)).collect(),
        pit_lane_m: (track.pit.limit_from, track.pit.limit_to),
        pit_offset_m: track.pit.offset,
        drs_zones_m: track
            .straights
            .iter()
            .filter(|straight| straight.drs)
            .map(|straight| (straight.from, straight.length))
            .collect(),
    }
}

/// Reads truth from the motion.
pub(super) struct Judge<'a> {
    /// Where, when and who.
    pub(super) scene: &'a Scene,
    /// What happened.
    pub(super) outcome: &'a Outcome,
    /// Passages and laps.
    pub(super) timing: &'a Timing,
    /// Laps taken away.
    pub(super) deletions: &'a [Deletion],
}

impl Judge<'_> {
    /// Drivers.
    pub(super) fn drivers(&self) -> Vec<TrueDriver> {
        let grid =
            |car: usize| self.outcome.grid.iter().position(|other| *other == car).map_or(0, |place| place as u8 + 1);
        self.scene
            .entrants
            .iter()
            .enumerate()
            .map(|(car, entrant)| TrueDriver {
                number: entrant.number,
                code: entrant.code.clone(),
                team: TEAMS[entrant.team].name.to_owned(),
                grid: grid(car),
            })
            .collect()
    }

    /// The lap table.
    pub(super) fn laps(&self) -> Vec<TrueLap> {
        let leaders = self.timing.lap_leaders();
        let pit = &self.scene.track.pit;
        let mut table = Vec::new();
        for (car, laps) in self.timing.laps.iter().enumerate() {
            for lap in laps {
                let line = f64::from(lap.lap) * self.scene.track.length;
                let visit =
                    self.outcome.visits.iter().find(|visit| visit.car == car && (visit.base - line).abs() < 1.0);
                let sets: Vec<_> =
                    self.outcome.sets.iter().filter(|set| set.car == car && set.at <= lap.crossed).collect();
                let set = sets.last();
                let fitted_after =
                    laps.iter().filter(|other| set.is_some_and(|set| other.crossed < set.at)).count() as u16;
                let line_gate = self.timing.line();
                let ahead = lap.next_ahead.and_then(|other| self.timing.passed(other, lap.lap - 1, line_gate));
                table.push(TrueLap {
                    driver: car as u8,
                    lap: lap.lap,
                    crossed_ns: ns(lap.crossed),
                    crossed_utc_ns: self.scene.utc(lap.crossed),
                    lap_ms: lap.lap_ms,
                    published: lap.lap > 1,
                    flying: is_flying(&self.outcome.trajectories[car], &self.scene.track, lap.lap),
                    sector_ms: lap.sector_ms,
                    position: lap.position,
                    gap_s: lap.crossed - leaders[usize::from(lap.lap) - 1].1,
                    interval_s: ahead.map_or(0.0, |ahead| lap.crossed - ahead),
                    in_pit_lane: visit.is_some_and(|_| pit.limit_from < 0.0 && pit.limit_to > 0.0),
                    compound: set.map_or_else(String::new, |set| set.tyres.compound.name().to_owned()),
                    tyre_age_laps: set.map_or(0, |set| set.tyres.start_age + lap.lap - fitted_after),
                    stint: sets.len() as u8,
                    deleted: self.deletions.iter().any(|deletion| (deletion.car, deletion.lap) == (car, lap.lap)),
                });
            }
        }
        table
    }

    /// Visits to the lane.
    pub(super) fn visits(&self) -> Vec<TruePitVisit> {
        let pit = &self.scene.track.pit;
        let mut visits: Vec<TruePitVisit> = self
            .outcome
            .visits
            .iter()
            .filter_map(|visit| {
                let trajectory = &self.outcome.trajectories[visit.car];
                let purpose = match visit.purpose {
                    Purpose::Tyres(_) => "tyres",
                    Purpose::RedFlag => "red_flag",
                    Purpose::Retire => "retire",
                    Purpose::Park => "park",
                    Purpose::Garage => "garage",
                };
                Some(TruePitVisit {
                    driver: visit.car as u8,
                    lap: (visit.base / self.scene.track.length).round() as u16,
                    purpose: purpose.to_owned(),
                    in_ns: ns(trajectory.time_at(visit.base + pit.limit_from)?),
                    stopped_ns: ns(visit.stopped),
                    moved_ns: visit.moved.is_finite().then(|| ns(visit.moved)),
                    out_ns: trajectory.time_at(visit.base + pit.limit_to).map(ns),
                })
            })
            .collect();
        visits.sort_by_key(|visit| visit.in_ns);
        visits
    }

    fn retirements(&self) -> Vec<TrueRetirement> {
        let retired = |what: What| match what {
            What::Retired(car) => Some(car),
            _ => None,
        };
        self.outcome
            .happenings
            .iter()
            .filter_map(|happening| {
                let car = retired(happening.what)?;
                let knots = self.outcome.trajectories[car].knots();
                let last = knots.last()?;
                let rest = knots.iter().position(|knot| knot.distance == last.distance)?;
                Some(TrueRetirement {
                    driver: car as u8,
                    at_ns: ns(rest as f64 * KNOT_S),
                    laps: self.outcome.laps[car],
                    distance_m: last.distance,
                    in_pit_lane: self
                        .outcome
                        .visits
                        .iter()
                        .any(|visit| visit.car == car && visit.purpose == Purpose::Retire),
                })
            })
            .collect()
    }

    /// Status of the track.
    pub(super) fn flags(&self) -> Vec<TrueFlag> {
        let name = |what: What| match what {
            What::LightsOut | What::Clear => Some("clear"),
            What::Yellow(_) => Some("yellow"),
            What::SafetyCar | What::Resume => Some("safety_car"),
            What::Red => Some("red"),
            What::Chequered => Some("chequered"),
            _ => None,
        };
        let flag = |happening: &super::race::Happening| {
            name(happening.what).map(|flag| TrueFlag { at_ns: ns(happening.at), flag: flag.to_owned() })
        };
        self.outcome.happenings.iter().filter_map(flag).collect()
    }

    /// Distance that counts for the order: that of a car past the flag is frozen at the line.
    fn counted(&self, car: usize, time: f64) -> (f64, f64) {
        let distance = self.outcome.trajectories[car].at(time).distance;
        match self.finish(car) {
            Some(finished) if time >= finished => {
                (f64::from(self.outcome.laps[car]) * self.scene.track.length, -finished)
            }
            _ => (distance, 0.0),
        }
    }

    fn finish(&self, car: usize) -> Option<f64> {
        self.outcome
            .happenings
            .iter()
            .find(|happening| happening.what == What::Finished(car))
            .map(|happening| happening.at)
    }

    /// Cars at `time`, first place first. Cars that are level keep the order of the grid.
    fn order(&self, time: f64) -> Vec<usize> {
        let mut order: Vec<(usize, (f64, f64))> =
            self.outcome.grid.iter().map(|&car| (car, self.counted(car, time))).collect();
        order.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(b.1.1.total_cmp(&a.1.1)));
        order.into_iter().map(|(car, _)| car).collect()
    }

    fn road(&self) -> TrueRoad {
        let first = (self.outcome.lights_out / ROAD_STEP_S).ceil() * ROAD_STEP_S;
        let count = ((self.outcome.end - first) / ROAD_STEP_S) as usize;
        let mut drivers = vec![TrueRoadColumns::default(); self.scene.entrants.len()];
        for index in 0..count {
            let time = first + index as f64 * ROAD_STEP_S;
            let order = self.order(time);
            for (place, &car) in order.iter().enumerate() {
                let motion = self.outcome.trajectories[car].at(time);
                let counted = self.counted(car, time).0;
                // A car past the flag keeps the gaps that it had on the line.
                let here = self.finish(car).map_or(time, |finished| finished.min(time));
                let since = |other: usize| {
                    let passed = self.outcome.trajectories[other].time_at(counted);
                    passed
                        .filter(|passed| *passed <= here && *passed >= self.outcome.lights_out)
                        .map(|passed| round(here - passed, 1e4))
                };
                let leader = order[0];
                let down = (self.counted(leader, time).0 - counted) / self.scene.track.length;
                let columns = &mut drivers[car];
                columns.distance_m.push(round(motion.distance, 1e3));
                columns.offset_m.push(round(motion.offset, 1e2));
                columns.status.push(motion.doing as u8);
                columns.position.push(place as u8 + 1);
                columns.gap_s.push(if place == 0 { Some(0.0) } else { since(leader) });
                columns.interval_s.push(if place == 0 { Some(0.0) } else { since(order[place - 1]) });
                columns.laps_down.push((down + 1e-9).max(0.0) as u8);
            }
        }
        TrueRoad { first_ns: ns(first), step_ns: ns(ROAD_STEP_S), count, drivers }
    }

    /// Changes of order between knots, each at the moment when the two cars were level.
    fn passes(&self) -> Vec<TruePass> {
        let cars = self.scene.entrants.len();
        let on_track = |car: usize, time: f64| self.outcome.trajectories[car].at(time).doing == Doing::Track;
        let mut passes = Vec::new();
        for a in 0..cars {
            for b in a + 1..cars {
                let (first, second) = (self.outcome.trajectories[a].knots(), self.outcome.trajectories[b].knots());
                let from = (self.outcome.lights_out / KNOT_S) as usize;
                for index in from + 1..first.len().min(second.len()) {
                    let lead = |index: usize| first[index].distance - second[index].distance;
                    let (before, after) = (lead(index - 1), lead(index));
                    if (before < 0.0) == (after < 0.0) || before == after {
                        continue;
                    }
                    let time = (index as f64 - 1.0 + before / (before - after)) * KNOT_S;
                    if on_track(a, time) && on_track(b, time) {
                        let (driver, passed) = if after > before { (a, b) } else { (b, a) };
                        let distance_m = round(self.outcome.trajectories[driver].at(time).distance, 1e3);
                        passes.push(TruePass {
                            at_ns: ns(time),
                            driver: driver as u8,
                            passed: passed as u8,
                            distance_m,
                        });
                    }
                }
            }
        }
        passes.sort_by_key(|pass| (pass.at_ns, pass.driver));
        passes
    }

    fn classification(&self) -> Vec<TrueResult> {
        let result = |(place, car): (usize, usize)| TrueResult {
            position: place as u8 + 1,
            driver: car as u8,
            laps: self.outcome.laps[car],
            finished_ns: self.finish(car).map(ns),
            best_lap_ms: self.timing.laps[car].iter().filter(|lap| lap.lap > 1).map(|lap| lap.lap_ms).min(),
        };
        self.order(self.outcome.end).into_iter().enumerate().map(result).collect()
    }
}

/// Seconds as nanoseconds, rounded.
pub(super) fn ns(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// `value` in whole parts.
pub(super) fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
