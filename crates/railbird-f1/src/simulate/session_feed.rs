//! `TimingData` of practice and qualifying: places by best lap, parts, eliminations. Start at [`SessionFeed::write`].

use super::{
    options::SessionKind,
    passages::{Passage, whole_ms},
    race::Outcome,
    records::{Records, stream},
    runs::{FlyingLap, Part},
    text::{Object, array, gap, lap_time},
    timing_feed::{TimingFeed, merge},
    timing_states::stint,
};

/// Places of a session without positions: by best lap in the part, then those who went out before.
pub(super) struct Standing {
    /// First place first.
    pub(super) order: Vec<usize>,
    best: Vec<u32>,
    active: Vec<bool>,
}

impl Standing {
    /// Before the first lap, in the order given.
    pub(super) fn new(order: &[usize]) -> Self {
        Self { order: order.to_vec(), best: vec![u32::MAX; order.len()], active: vec![true; order.len()] }
    }

    /// `car` has done a lap of `ms`; whether it is its best of the part.
    pub(super) fn lap(&mut self, car: usize, ms: u32) -> bool {
        if !self.active[car] || ms >= self.best[car] {
            return false;
        }
        self.best[car] = ms;
        // Only those who go on are ranked again; the sort is stable.
        let ranked = self.order.iter().take_while(|car| self.active[**car]).count();
        let best = &self.best;
        self.order[..ranked].sort_by_key(|car| best[*car]);
        true
    }

    /// A part is over.
    pub(super) fn close(&mut self, part: &Part) {
        for car in &part.eliminated {
            self.active[*car] = false;
        }
        for car in &part.cars {
            self.best[*car] = u32::MAX;
        }
    }

    /// Best lap of `car` in the part, ms; `u32::MAX` without one.
    pub(super) fn best(&self, car: usize) -> u32 {
        self.best[car]
    }
}

/// Writes what the timing says of practice and qualifying.
pub(super) struct SessionFeed<'a> {
    feed: TimingFeed<'a>,
    outcome: &'a Outcome,
    parts: &'a [Part],
    flying: &'a [FlyingLap],
    standing: Standing,
    part: usize,
    cutoff: Vec<bool>,
}

impl<'a> SessionFeed<'a> {
    /// A feed on top of the one for races.
    pub(super) fn new(feed: TimingFeed<'a>, outcome: &'a Outcome, parts: &'a [Part], flying: &'a [FlyingLap]) -> Self {
        let standing = Standing::new(&outcome.grid);
        Self { feed, outcome, parts, flying, standing, part: 0, cutoff: vec![true; outcome.grid.len()] }
    }

    /// Writes every record.
    pub(super) fn write(mut self, records: &mut Records) {
        self.begin(records);
        self.lane(records);
        self.feed.speed_traps(records);
        let timing = self.feed.timing;
        for passage in &timing.passages {
            while self.part + 1 < self.parts.len() && passage.at > self.parts[self.part].closed {
                self.next_part(records);
            }
            self.pass(*passage, records);
        }
        while self.part + 1 < self.parts.len() {
            self.next_part(records);
        }
    }

    fn is_qualifying(&self) -> bool {
        self.feed.scene.kind == SessionKind::Qualifying
    }

    fn begin(&mut self, records: &mut Records) {
        let scene = self.feed.scene;
        let (mut lines, mut app) = (Object::new(), Object::new());
        for (place, &car) in self.outcome.grid.iter().enumerate() {
            let number = scene.number(car);
            let differences = || Object::new().text("TimeDiffToFastest", "").text("TimeDifftoPositionAhead", "");
            let head = if self.is_qualifying() {
                Object::new()
                    .raw("Stats", array((0..3).map(|_| differences().done())))
                    .raw("KnockedOut", false)
                    .raw("Cutoff", true)
                    .raw("BestLapTimes", "[{\"Value\":\"\"},{},{}]")
            } else {
                Object::new().text("TimeDiffToFastest", "").text("TimeDiffToPositionAhead", "")
            };
            lines = lines.object(&number, merge([head, self.feed.blank_line(car, place + 1, true)]));
            app = app.object(
                &number,
                Object::new().text("RacingNumber", &number).raw("Line", place + 1).raw("Stints", "[]"),
            );
        }
        let entries = self
            .parts
            .iter()
            .enumerate()
            .fold(Object::new(), |entries, (index, part)| entries.raw(&index.to_string(), part.cars.len()));
        let body = if self.is_qualifying() {
            let first = Object::new()
                .raw("NoEntries", "[0,0,0]")
                .raw("SessionPart", 0)
                .raw("Lines", "{}")
                .raw("Withheld", false);
            records.push(stream::TIMING_DATA, 3_213, first.done());
            // The source tells beforehand how many will start each part.
            let entries = Object::new().object("NoEntries", entries).raw("SessionPart", 1).text("CutOffTime", "");
            entries.text("CutOffPercentage", "107").object("Lines", lines)
        } else {
            Object::new().object("Lines", lines).raw("Withheld", false)
        };
        records.push(stream::TIMING_DATA, 4_180, body.done());
        records.push(stream::TIMING_APP_DATA, 4_180, Object::new().object("Lines", app).done());
    }

    /// Out of the garage and back, and the tyres of each run.
    fn lane(&mut self, records: &mut Records) {
        let (track, outcome) = (&self.feed.scene.track, self.outcome);
        let mut runs = vec![0_usize; outcome.grid.len()];
        for set in &outcome.sets {
            let number = self.feed.scene.number(set.car);
            let trajectory = &outcome.trajectories[set.car];
            let base = (trajectory.at(set.at).distance / track.length).floor() * track.length;
            let Some(out) = trajectory.time_at(base + track.pit.limit_to) else { continue };
            let at = whole_ms(out) + self.feed.delay();
            let lap = (base / track.length).round() as u16 + 1;
            let line = Object::new().raw("InPit", false).raw("PitOut", true).raw("Status", 96).raw("NumberOfLaps", lap);
            self.feed.say(&number, at, line, records);
            let settled = at + self.feed.random.range(38_000.0, 52_000.0) as i64;
            self.feed.say(&number, settled, Object::new().raw("PitOut", false).raw("Status", 64), records);
            let index = runs[set.car];
            runs[set.car] += 1;
            let change = Object::new().object("Stints", Object::new().object(&index.to_string(), stint(set)));
            let later = at + self.feed.random.range(2_000.0, 9_000.0) as i64;
            records.push(
                stream::TIMING_APP_DATA,
                later,
                Object::new().object("Lines", Object::new().object(&number, change)).done(),
            );
        }
        let mut stops = vec![0_u32; outcome.grid.len()];
        for visit in &outcome.visits {
            let Some(entered) = outcome.trajectories[visit.car].time_at(visit.base + track.pit.limit_from) else {
                continue;
            };
            stops[visit.car] += 1;
            let line = Object::new().raw("InPit", true).raw("Status", 80).raw("NumberOfPitStops", stops[visit.car]);
            let at = whole_ms(entered) + self.feed.delay();
            self.feed.say(&self.feed.scene.number(visit.car), at, line, records);
        }
    }

    fn pass(&mut self, passage: Passage, records: &mut Records) {
        let at = whole_ms(passage.at);
        let number = self.feed.scene.number(passage.car);
        let delay = self.feed.delay();
        let segment = self.feed.segment(passage);
        self.feed.say(&number, at + delay, segment, records);
        let lap = self.feed.lap_at(passage);
        // In the lane the clock is stopped for the screen.
        if self.feed.in_lane(passage) || (passage.gate == self.feed.timing.line() && lap.is_none()) {
            return;
        }
        let crossing = self.feed.sector(passage, lap);
        let exact = self.feed.is_exact();
        let stamp = if exact { at } else { at + delay + 60 };
        let Some(lap) = lap else {
            self.feed.say(&number, stamp, crossing, records);
            return;
        };
        let mut line = merge([Object::new().raw("NumberOfLaps", lap.lap + 1), crossing]);
        let flying = self.flying.iter().find(|flying| (flying.car, flying.lap) == (passage.car, lap.lap)).copied();
        let mut moved = Vec::new();
        if let Some(flying) = flying {
            let before = self.standing.order.clone();
            let personal = self.standing.lap(passage.car, flying.ms);
            moved = self
                .standing
                .order
                .iter()
                .copied()
                .zip(before)
                .filter(|(now, was)| now != was)
                .map(|(now, _)| now)
                .collect();
            line = merge([line, self.best(passage.car, flying, personal)]);
        } else if lap.lap > 1 {
            let time = Object::new().text("Value", &lap_time(lap.lap_ms)).raw("PersonalFastest", false);
            line = line.object("LastLapTime", time);
        }
        self.publish(passage.car, line, &moved, stamp, records);
    }

    fn best(&self, car: usize, flying: FlyingLap, personal: bool) -> Object {
        let text = lap_time(flying.ms);
        let overall = personal && self.standing.order[0] == car;
        let value = Object::new().text("Value", &text).raw("Lap", flying.lap);
        let part = self.part.to_string();
        let place = self.standing.order.iter().position(|other| *other == car).unwrap_or(0);
        let behind = |other: usize| match i64::from(flying.ms) - i64::from(self.standing.best(other)) {
            0 => String::new(),
            behind => gap(behind),
        };
        let differences = Object::new()
            .text("TimeDiffToFastest", &behind(self.standing.order[0]))
            .text("TimeDifftoPositionAhead", &behind(self.standing.order[place.saturating_sub(1)]));
        Object::new()
            .when(personal && self.is_qualifying(), |line| {
                line.object("Stats", Object::new().object(&part, differences))
                    .object("BestLapTimes", Object::new().object(&part, value.clone()))
            })
            .when(personal, |line| line.object("BestLapTime", value))
            .object(
                "LastLapTime",
                Object::new()
                    .text("Value", &text)
                    .when(overall, |time| time.raw("OverallFastest", true))
                    .raw("PersonalFastest", personal),
            )
    }

    /// One record with the crossing, every place that it changed, and who is now beyond the cut.
    fn publish(&mut self, car: usize, line: Object, moved: &[usize], stamp_ms: i64, records: &mut Records) {
        let scene = self.feed.scene;
        let going_on = self.parts.get(self.part + 1).map_or(usize::MAX, |next| next.cars.len());
        let (mut lines, mut screens) = (Object::new(), Object::new());
        let order = self.standing.order.clone();
        let mut said = Some(line);
        for (index, other) in order.into_iter().enumerate() {
            let number = scene.number(other);
            let mut delta = if other == car { said.take().unwrap_or_default() } else { Object::new() };
            if moved.contains(&other) {
                delta = delta.raw("Line", index + 1).text("Position", &(index + 1).to_string());
                screens = screens.object(&number, Object::new().raw("Line", index + 1));
            }
            let beyond = index >= going_on || self.standing.best(other) == u32::MAX;
            if self.is_qualifying() && self.parts[self.part].cars.contains(&other) && self.cutoff[other] != beyond {
                self.cutoff[other] = beyond;
                delta = delta.raw("Cutoff", beyond);
            }
            if !delta.is_empty() {
                lines = lines.object(&number, delta);
            }
        }
        records.push(stream::TIMING_DATA, stamp_ms, Object::new().object("Lines", lines).done());
        if !screens.is_empty() {
            records.push(stream::TIMING_APP_DATA, stamp_ms, Object::new().object("Lines", screens.clone()).done());
            records.push(stream::DRIVER_LIST, stamp_ms, screens.done());
        }
    }

    fn next_part(&mut self, records: &mut Records) {
        let part = &self.parts[self.part];
        self.standing.close(part);
        self.part += 1;
        let index = self.part.to_string();
        let mut lines = Object::new();
        for car in &part.cars {
            let blank = || Object::new().text("Value", "");
            let sectors = Object::new().object("0", blank()).object("1", blank()).object("2", blank());
            let delta = if part.eliminated.contains(car) {
                Object::new()
                    .raw("KnockedOut", true)
                    .raw("Status", 208)
                    .object("Sectors", sectors)
                    .object("LastLapTime", blank())
            } else {
                self.cutoff[*car] = true;
                Object::new()
                    .raw("Cutoff", true)
                    .object("BestLapTimes", Object::new().object(&index, blank()))
                    .object("Sectors", sectors)
                    .object("BestLapTime", blank().raw("_deleted", "[\"Lap\"]"))
                    .object("LastLapTime", blank().raw("PersonalFastest", true))
            };
            lines = lines.object(&self.feed.scene.number(*car), delta);
        }
        let body = Object::new().raw("SessionPart", self.part + 1).object("Lines", lines);
        records.push(stream::TIMING_DATA, whole_ms(part.closed), body.done());
    }
}
