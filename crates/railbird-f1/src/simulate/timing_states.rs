//! What the timing says apart from its loops: the first records, the pit lane, cars that stop, speed traps. Start at
//! [`TimingFeed::begin`].

use super::{
    entrants::{Entrant, TEAMS},
    passages::whole_ms,
    race::{FittedSet, PitVisit, What},
    records::{Records, stream},
    session::Scene,
    text::{Object, array},
    timing_feed::{TimingFeed, merge},
};

impl TimingFeed<'_> {
    /// First records of the timing, of the tyres and of the lap count.
    pub(super) fn begin(&mut self, records: &mut Records) {
        let scene = self.scene;
        let mut lines = Object::new();
        let mut app = Object::new();
        let mut stints = Object::new();
        for (place, &car) in self.outcome.grid.iter().enumerate() {
            let number = scene.number(car);
            let first = if place == 0 { "LAP 1" } else { "" };
            let gaps = Object::new()
                .text("GapToLeader", first)
                .object("IntervalToPositionAhead", Object::new().text("Value", first).raw("Catching", false));
            let line = merge([gaps, self.blank_line(car, place + 1, false)]);
            lines = lines.object(&number, line);
            let grid = Object::new()
                .text("RacingNumber", &number)
                .raw("Line", place + 1)
                .text("GridPos", &(place + 1).to_string());
            app = app.object(&number, grid);
            if let Some(set) = self.outcome.sets.iter().find(|set| set.car == car) {
                stints = stints.object(&number, Object::new().raw("Stints", array([stint(set).done()])));
            }
        }
        records.push(stream::TIMING_DATA, 4_180, Object::new().object("Lines", lines).raw("Withheld", false).done());
        records.push(stream::TIMING_APP_DATA, 4_180, Object::new().object("Lines", app).done());
        records.push(stream::TIMING_APP_DATA, 19_904, Object::new().object("Lines", stints).done());
        records.push(stream::LAP_COUNT, 2_024, Object::new().raw("CurrentLap", 1).raw("TotalLaps", scene.laps).done());
    }

    /// A car's line before anything has happened.
    pub(super) fn blank_line(&self, car: usize, place: usize, in_pit: bool) -> Object {
        let scene = self.scene;
        let segments = |from: f64, to: f64| {
            let count = scene.track.loops.iter().filter(|at| **at > from && **at <= to).count();
            array((0..count).map(|_| Object::new().raw("Status", 0).done()))
        };
        let ends = scene.track.sectors;
        let sector = |from: f64, to: f64| {
            Object::new()
                .raw("Stopped", false)
                .text("Value", "")
                .raw("Status", 0)
                .raw("OverallFastest", false)
                .raw("PersonalFastest", false)
                .raw("Segments", segments(from, to))
                .done()
        };
        let sectors = array([sector(0.0, ends[0]), sector(ends[0], ends[1]), sector(ends[1], ends[2])]);
        let speed = || {
            Object::new().text("Value", "").raw("Status", 0).raw("OverallFastest", false).raw("PersonalFastest", false)
        };
        Object::new()
            .raw("Line", place)
            .text("Position", &(place).to_string())
            .raw("ShowPosition", true)
            .text("RacingNumber", &scene.number(car))
            .raw("Retired", false)
            .raw("InPit", in_pit)
            .raw("PitOut", false)
            .raw("Stopped", false)
            .raw("Status", if in_pit { 80 } else { 64 })
            .raw("Sectors", &sectors)
            .object(
                "Speeds",
                Object::new().object("I1", speed()).object("I2", speed()).object("FL", speed()).object("ST", speed()),
            )
            .object("BestLapTime", Object::new().text("Value", ""))
            .object(
                "LastLapTime",
                Object::new()
                    .text("Value", "")
                    .raw("Status", 0)
                    .raw("OverallFastest", false)
                    .raw("PersonalFastest", false),
            )
    }

    /// Pit lane in and out, stops counted, tyres changed.
    pub(super) fn pits(&mut self, records: &mut Records) {
        let outcome = self.outcome;
        let mut visits: Vec<&PitVisit> = outcome.visits.iter().collect();
        visits.sort_by(|a, b| a.stopped.total_cmp(&b.stopped));
        for visit in visits {
            let number = self.scene.number(visit.car);
            let trajectory = &outcome.trajectories[visit.car];
            let pit = &self.scene.track.pit;
            let Some(entered) = trajectory.time_at(visit.base + pit.limit_from) else { continue };
            let parked = outcome.happenings.iter().any(|h| h.what == What::Finished(visit.car) && h.at < visit.stopped);
            let delay = self.delay();
            let mut line = Object::new().raw("InPit", true).raw("Status", if parked { 1104 } else { 80 });
            if !parked {
                self.cars[visit.car].pit_stops += 1;
                line = line.raw("NumberOfPitStops", self.cars[visit.car].pit_stops);
            }
            self.say(&number, whole_ms(entered) + delay, line, records);
            let Some(left) = trajectory.time_at(visit.base + pit.limit_to) else { continue };
            let delay = self.delay();
            let out = Object::new().raw("InPit", false).raw("PitOut", true).raw("Status", 96);
            self.say(&number, whole_ms(left) + delay, out, records);
            let settled = whole_ms(left) + self.random.range(33_000.0, 39_000.0) as i64;
            self.say(&number, settled, Object::new().raw("PitOut", false).raw("Status", 64), records);
            let fitted =
                outcome.sets.iter().find(|set| set.car == visit.car && set.at > visit.stopped - 1.0 && set.at < left);
            if let Some(set) = fitted {
                self.cars[visit.car].stint += 1;
                let index = self.cars[visit.car].stint.to_string();
                let change = Object::new().object("Stints", Object::new().object(&index, stint(set)));
                let stamp = whole_ms(left) + self.random.range(500.0, 7_000.0) as i64;
                records.push(
                    stream::TIMING_APP_DATA,
                    stamp,
                    Object::new().object("Lines", Object::new().object(&number, change)).done(),
                );
            }
        }
    }

    /// First records of the timing, of the tyres and of the lap count.
    pub(super) fn troubles(&mut self, records: &mut Records) {
        let outcome = self.outcome;
        for happening in &outcome.happenings {
            let at = whole_ms(happening.at) + self.random.range(400.0, 4_000.0) as i64;
            let (car, line) = match happening.what {
                What::Stopped(car) => (car, Object::new().raw("Stopped", true)),
                What::Recovered(car) => (car, Object::new().raw("Stopped", false)),
                What::Retired(car) => (car, Object::new().raw("Retired", true).raw("Status", 76)),
                What::Finished(car) => (car, Object::new().raw("Status", 1088)),
                _ => continue,
            };
            self.say(&self.scene.number(car), at, line, records);
        }
    }

    /// First records of the timing, of the tyres and of the lap count.
    pub(super) fn speed_traps(&mut self, records: &mut Records) {
        let track = &self.scene.track;
        for (car, laps) in self.timing.laps.iter().enumerate() {
            for lap in 0..laps.len() {
                let Some(at) = self.outcome.trajectories[car].time_at(lap as f64 * track.length + track.trap) else {
                    break;
                };
                let speed = (self.outcome.trajectories[car].at(at).speed * 3.6).round() as u16;
                let speed = self.speed(car, 3, speed);
                let delay = self.delay();
                let line = Object::new().object("Speeds", Object::new().object("ST", speed));
                self.say(&self.scene.number(car), whole_ms(at) + delay, line, records);
            }
        }
    }
}

/// A set of tyres as the source has it.
pub(super) fn stint(set: &FittedSet) -> Object {
    Object::new()
        .raw("LapFlags", 0)
        .text("Compound", set.tyres.compound.name())
        .text("New", if set.tyres.start_age == 0 { "true" } else { "false" })
        .text("TyresNotChanged", "0")
        .raw("TotalLaps", set.tyres.start_age)
        .raw("StartLaps", set.tyres.start_age)
}

/// First record of `DriverList`.
pub(super) fn driver_list(entrants: &[Entrant], grid: &[usize], scene: &Scene) -> String {
    let mut list = Object::new();
    for (place, &car) in grid.iter().enumerate() {
        let entrant = &entrants[car];
        let upper = entrant.last_name.to_uppercase();
        let initial = entrant.first_name.chars().next().unwrap_or(' ');
        let team = &TEAMS[entrant.team];
        let driver = Object::new()
            .text("RacingNumber", &scene.number(car))
            .text("BroadcastName", &format!("{initial} {upper}"))
            .text("FullName", &format!("{} {upper}", entrant.first_name))
            .text("Tla", &entrant.code)
            .raw("Line", place + 1)
            .text("TeamName", team.name)
            .text("TeamColour", team.colour)
            .text("FirstName", entrant.first_name)
            .text("LastName", entrant.last_name)
            .text(
                "Reference",
                &format!("{}{}01", entrant.first_name.to_uppercase().get(..3).unwrap_or("XXX"), entrant.code),
            )
            .text("CountryCode", entrant.country);
        list = list.object(&scene.number(car), driver);
    }
    list.done()
}
