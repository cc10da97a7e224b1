//! `TimingData`, `TimingAppData`, `LapCount` and the lines of `DriverList`, as a timing loop after the other makes them.
//! Start at [`TimingFeed::write`].
//!
//! In the live feed one crossing comes in several records: the gap, the sector and the lap, the place. With exact stamps
//! it comes in one, stamped with the crossing.

use super::{
    options::{SessionKind, Stamps},
    passages::{Passage, TimedLap, Timing, whole_ms},
    race::{FittedSet, Outcome},
    random::Random,
    records::{Records, stream},
    session::Scene,
    text::{Object, gap, lap_time, sector_time},
};

/// Segment codes of the source.
const SEGMENT: [u32; 4] = [2048, 2049, 2051, 2064];

/// Writes what the timing says of a race.
pub(super) struct TimingFeed<'a> {
    /// Where, when and who.
    pub(super) scene: &'a Scene,
    /// What happened.
    pub(super) outcome: &'a Outcome,
    /// Passages and laps.
    pub(super) timing: &'a Timing,
    /// Luck of the feed.
    pub(super) random: Random,
    order: Vec<usize>,
    progress: Vec<u32>,
    /// What it has said of every car.
    pub(super) cars: Vec<Seen>,
    best: Bests,
    line_stamp: i64,
    corrected: Vec<(usize, u16)>,
}

/// What the timing has said of one car.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    best: Bests,
    interval: String,
    catching: bool,
    /// Sets fitted since the start.
    pub(super) stint: usize,
    /// Stops counted.
    pub(super) pit_stops: u32,
}

/// Best values so far; zero where there are none.
#[derive(Debug, Clone)]
struct Bests {
    lap: u32,
    sectors: [u32; 3],
    segments: Vec<i64>,
    speeds: [u16; 4],
}

impl Default for Bests {
    fn default() -> Self {
        Self { lap: u32::MAX, sectors: [u32::MAX; 3], segments: Vec::new(), speeds: [0; 4] }
    }
}

impl<'a> TimingFeed<'a> {
    /// A feed of `outcome`; `corrected` names the laps whose time is first sent wrong.
    pub(super) fn new(
        scene: &'a Scene,
        outcome: &'a Outcome,
        timing: &'a Timing,
        corrected: Vec<(usize, u16)>,
    ) -> Self {
        let count = scene.entrants.len();
        let gates = scene.track.loops.len();
        let blank = Bests { segments: vec![i64::MAX; gates], ..Bests::default() };
        Self {
            scene,
            outcome,
            timing,
            random: Random::new(scene.seed, "timing feed"),
            order: outcome.grid.clone(),
            progress: vec![0; count],
            cars: vec![Seen { best: blank.clone(), ..Seen::default() }; count],
            best: blank,
            line_stamp: 0,
            corrected,
        }
    }

    /// Writes every record.
    pub(super) fn write(mut self, records: &mut Records) {
        self.begin(records);
        self.pits(records);
        self.troubles(records);
        self.speed_traps(records);
        let timing = self.timing;
        for passage in &timing.passages {
            self.pass(*passage, records);
        }
    }

    /// A car has passed a timing loop.
    fn pass(&mut self, passage: Passage, records: &mut Records) {
        let moved = self.reorder(passage);
        let at = whole_ms(passage.at);
        let on_line = passage.gate == self.timing.line();
        let exact = self.is_exact();
        let lap = self.lap_at(passage);
        let gaps = self.gaps(passage, on_line);
        let segment = self.segment(passage);
        let mut crossing = self.sector(passage, lap);
        if let Some(lap) = lap {
            crossing = self.count_lap(passage, lap, crossing, at, records);
        }
        let number = self.scene.number(passage.car);
        if exact {
            let place = self.place_of(passage.car);
            let line = if on_line {
                Object::new().raw("Line", place).text("Position", &place.to_string())
            } else {
                Object::new()
            };
            self.publish_order(&moved, at, records);
            let merged = merge([line, gaps, crossing]);
            self.say(&number, at, segment, records);
            self.say(&number, at, merged, records);
        } else {
            let late = self.delay();
            self.say(&number, at + late - 30, segment, records);
            self.say(&number, at + late + 10, gaps, records);
            let order_delay = self.delay() + 25;
            self.publish_order(&moved, at + order_delay, records);
            let crossing_delay =
                late + 70 + if self.random.chance(0.02) { self.random.range(300.0, 2_900.0) as i64 } else { 0 };
            self.say(&number, at + crossing_delay, crossing, records);
        }
    }

    /// Whether records are stamped with what they tell.
    pub(super) fn is_exact(&self) -> bool {
        self.scene.stamps == Stamps::Exact
    }

    /// The lap that a passage completes.
    pub(super) fn lap_at(&self, passage: Passage) -> Option<TimedLap> {
        let completes = |lap: &&TimedLap| passage.gate == self.timing.line() && lap.lap == passage.lap + 1;
        self.timing.laps[passage.car].iter().find(completes).copied()
    }

    /// A delta of one car, unless it is empty.
    pub(super) fn say(&self, number: &str, stamp_ms: i64, what: Object, records: &mut Records) {
        if !what.is_empty() {
            let lines = Object::new().object("Lines", Object::new().object(number, what));
            records.push(stream::TIMING_DATA, stamp_ms, lines.done());
        }
    }

    /// Delay of a record, ms: mostly a tenth of a second, now and then more.
    pub(super) fn delay(&mut self) -> i64 {
        match self.scene.stamps {
            Stamps::Exact => 0,
            Stamps::Realistic if self.random.chance(0.01) => self.random.range(250.0, 1_200.0) as i64,
            Stamps::Realistic => self.random.range(40.0, 190.0) as i64,
        }
    }

    /// Puts the car into the order of those that passed loops; returns the cars whose place changed.
    fn reorder(&mut self, passage: Passage) -> Vec<usize> {
        let gates = self.scene.track.loops.len() as u32;
        let car = passage.car;
        self.progress[car] = u32::from(passage.lap) * gates + passage.gate as u32 + 1;
        let Some(from) = self.order.iter().position(|other| *other == car) else { return Vec::new() };
        let to = self.order[..from].iter().position(|other| self.progress[*other] < self.progress[car]).unwrap_or(from);
        if to == from {
            return Vec::new();
        }
        self.order[to..=from].rotate_right(1);
        self.order[to..=from].to_vec()
    }

    fn place_of(&self, car: usize) -> usize {
        self.order.iter().position(|other| *other == car).map_or(0, |place| place + 1)
    }

    fn publish_order(&mut self, moved: &[usize], stamp_ms: i64, records: &mut Records) {
        if moved.is_empty() {
            return;
        }
        // Places are published in the order in which they came about, whatever the delays.
        self.line_stamp = self.line_stamp.max(stamp_ms);
        let stamp_ms = self.line_stamp;
        let (mut timing, mut lines) = (Object::new(), Object::new());
        for &car in moved {
            let (number, place) = (self.scene.number(car), self.place_of(car));
            self.cars[car].interval.clear();
            let line = Object::new()
                .object("IntervalToPositionAhead", Object::new().text("Value", ""))
                .raw("Line", place)
                .text("Position", &place.to_string());
            timing = timing.object(&number, line);
            lines = lines.object(&number, Object::new().raw("Line", place));
        }
        records.push(stream::TIMING_DATA, stamp_ms, Object::new().object("Lines", timing).done());
        records.push(stream::TIMING_APP_DATA, stamp_ms, Object::new().object("Lines", lines.clone()).done());
        records.push(stream::DRIVER_LIST, stamp_ms, lines.done());
    }

    /// Gap and interval at a loop, as far as they changed.
    fn gaps(&mut self, passage: Passage, on_line: bool) -> Object {
        let gates = self.scene.track.loops.len() as u32;
        let car = passage.car;
        let at = whole_ms(passage.at);
        let place = self.place_of(car);
        if place == 1 {
            let next = passage.lap + 1 + u16::from(on_line);
            let says = on_line && next <= self.scene.laps;
            let text = format!("LAP {next}");
            return Object::new().when(says, |line| {
                line.text("GapToLeader", &text).object("IntervalToPositionAhead", Object::new().text("Value", &text))
            });
        }
        let behind = |other: usize| {
            let laps = (self.progress[other].saturating_sub(self.progress[car])) / gates;
            match self.timing.passed(other, passage.lap, passage.gate) {
                _ if laps > 0 => format!("{laps} L"),
                Some(theirs) if theirs <= passage.at => gap(at - whole_ms(theirs)),
                _ => String::new(),
            }
        };
        let (to_leader, interval) = (behind(self.order[0]), behind(self.order[place - 2]));
        let catching = interval.strip_prefix("+0.").is_some();
        let seen = &mut self.cars[car];
        let (changed, turned) = (seen.interval != interval, seen.catching != catching);
        seen.interval.clone_from(&interval);
        seen.catching = catching;
        let says_interval = changed || turned;
        Object::new().text("GapToLeader", &to_leader).when(says_interval, |line| {
            let value = Object::new()
                .when(changed, |value| value.text("Value", &interval))
                .when(turned, |value| value.raw("Catching", catching));
            line.object("IntervalToPositionAhead", value)
        })
    }

    /// Mini-sector that ends at this loop, and with the first of a lap the blanking of the rest.
    pub(super) fn segment(&mut self, passage: Passage) -> Object {
        let track = &self.scene.track;
        let before = if passage.gate > 0 {
            self.timing.passed(passage.car, passage.lap, passage.gate - 1)
        } else if passage.lap > 0 {
            self.timing.passed(passage.car, passage.lap - 1, self.timing.line())
        } else {
            None
        };
        let took = before.map_or(i64::MAX, |before| whole_ms(passage.at) - whole_ms(before));
        let in_lane = self.in_lane(passage);
        let (own, all) =
            (&mut self.cars[passage.car].best.segments[passage.gate], &mut self.best.segments[passage.gate]);
        let rank = match () {
            () if in_lane => 3,
            () if took < *all => 2,
            () if took < *own => 1,
            () => 0,
        };
        if !in_lane {
            (*own, *all) = ((*own).min(took), (*all).min(took));
        }
        let mut sectors = Object::new();
        let mut gate = 0;
        let mut from = 0.0;
        for (index, end) in track.sectors.into_iter().enumerate() {
            let mut segments = Object::new();
            for (place, _) in track.loops.iter().filter(|at| **at > from && **at <= end).enumerate() {
                if gate == passage.gate {
                    segments = segments.object(&place.to_string(), Object::new().raw("Status", SEGMENT[rank]));
                } else if passage.gate == 0 && passage.lap > 0 {
                    segments = segments.object(&place.to_string(), Object::new().raw("Status", 0));
                }
                gate += 1;
            }
            if !segments.is_empty() {
                sectors = sectors.object(&index.to_string(), Object::new().object("Segments", segments));
            }
            from = end;
        }
        Object::new().object("Sectors", sectors)
    }

    pub(super) fn in_lane(&self, passage: Passage) -> bool {
        let distance = f64::from(passage.lap) * self.scene.track.length + self.scene.track.loops[passage.gate];
        let pit = &self.scene.track.pit;
        self.outcome.visits.iter().any(|visit| {
            visit.car == passage.car && (visit.base + pit.limit_from..visit.base + pit.limit_to).contains(&distance)
        })
    }

    /// Whether a lap of a session without positions begins in the lane: its first sector has no time.
    fn leaves_garage(&self, passage: Passage) -> bool {
        let before = Passage { lap: passage.lap.saturating_sub(1), gate: self.timing.line(), ..passage };
        self.scene.kind != SessionKind::Race && self.in_lane(before)
    }

    /// Sector time and speed where this loop ends a sector; empty elsewhere.
    pub(super) fn sector(&mut self, passage: Passage, lap: Option<TimedLap>) -> Object {
        let track = &self.scene.track;
        let Some(index) = track.sectors.iter().position(|end| *end == track.loops[passage.gate]) else {
            return Object::new();
        };
        if index == 2 && lap.is_none() {
            return Object::new();
        }
        let begin_gate = |sector: usize| track.loops.iter().position(|at| *at == track.sectors[sector]).unwrap_or(0);
        let began = match index {
            0 if passage.lap == 0 || self.leaves_garage(passage) => None,
            0 => self.timing.passed(passage.car, passage.lap - 1, self.timing.line()),
            later => self.timing.passed(passage.car, passage.lap, begin_gate(later - 1)),
        };
        let took = began.map(|began| (whole_ms(passage.at) - whole_ms(began)) as u32);
        let motion = self.outcome.trajectories[passage.car].at(passage.at);
        let speed = (motion.speed * 3.6).round() as u16;
        let (name, speed_index) = [("I1", 0), ("I2", 1), ("FL", 2)][index];
        let speed = self.speed(passage.car, speed_index, speed);
        let mut sectors = Object::new();
        if let Some(took) = took {
            let own = &mut self.cars[passage.car].best.sectors[index];
            let (personal, overall) = (took < *own, took < self.best.sectors[index]);
            *own = (*own).min(took);
            self.best.sectors[index] = self.best.sectors[index].min(took);
            let value = Object::new()
                .text("Value", &sector_time(took))
                .when(overall, |value| value.raw("OverallFastest", true))
                .when(personal, |value| value.raw("PersonalFastest", true));
            sectors = sectors.object(&index.to_string(), value);
        }
        let mut speeds = Object::new().object(name, speed);
        if index == 0 {
            let blank = || Object::new().text("Value", "").raw("PersonalFastest", false);
            sectors = sectors.object("1", blank()).object("2", blank());
            speeds = speeds.object("I2", blank()).object("FL", blank()).object("ST", blank());
        }
        Object::new().when(!sectors.is_empty(), |line| line.object("Sectors", sectors)).object("Speeds", speeds)
    }

    /// A speed and its standing: traps are I1, I2, FL and ST.
    pub(super) fn speed(&mut self, car: usize, index: usize, value: u16) -> Object {
        let own = &mut self.cars[car].best.speeds[index];
        let (personal, overall) = (value > *own, value > self.best.speeds[index]);
        *own = (*own).max(value);
        self.best.speeds[index] = self.best.speeds[index].max(value);
        Object::new()
            .text("Value", &value.to_string())
            .when(overall, |speed| speed.raw("OverallFastest", true))
            .when(personal, |speed| speed.raw("PersonalFastest", true))
    }

    /// Lap count and lap time; in the live feed the two now and then part.
    fn count_lap(&mut self, passage: Passage, lap: TimedLap, rest: Object, at: i64, records: &mut Records) -> Object {
        let number = self.scene.number(passage.car);
        let count = Object::new().raw("NumberOfLaps", lap.lap);
        self.count_on_screens(passage, lap, at, records);
        if lap.lap == 1 {
            return merge([count, rest]);
        }
        let own = self.cars[passage.car].best.lap;
        let (personal, overall) = (lap.lap_ms < own, lap.lap_ms < self.best.lap);
        self.cars[passage.car].best.lap = own.min(lap.lap_ms);
        self.best.lap = self.best.lap.min(lap.lap_ms);
        let text = lap_time(lap.lap_ms);
        let best = Object::new()
            .when(personal, |line| line.object("BestLapTime", Object::new().text("Value", &text).raw("Lap", lap.lap)));
        let time = |value: &str| {
            let last = Object::new()
                .text("Value", value)
                .when(overall, |time| time.raw("OverallFastest", true))
                .raw("PersonalFastest", personal);
            Object::new().object("LastLapTime", last)
        };
        if self.corrected.contains(&(passage.car, lap.lap)) {
            let wrong = lap.lap_ms + 1 + self.random.index(9) as u32;
            let delay = self.delay() + 70;
            let corrected_after = 20 + self.random.index(100) as i64;
            self.say(&number, at + delay + corrected_after, time(&text), records);
            self.say(&number, at + delay, time(&lap_time(wrong)), records);
            return merge([count, rest, best]);
        }
        match self.scene.stamps {
            Stamps::Exact => merge([count, rest, best, time(&text)]),
            Stamps::Realistic if self.random.chance(0.09) => {
                let delay = self.delay() + 70 + self.random.index(120) as i64;
                self.say(&number, at + delay, time(&text), records);
                merge([count, rest, best])
            }
            Stamps::Realistic => merge([count, rest, best, time(&text)]),
        }
    }

    /// What the other screens say of a lap: the leader's lap count, and laps on the set.
    fn count_on_screens(&mut self, passage: Passage, lap: TimedLap, at: i64, records: &mut Records) {
        if lap.position == 1 && lap.lap < self.scene.laps {
            let delay = self.delay();
            records.push(stream::LAP_COUNT, at + delay, Object::new().raw("CurrentLap", lap.lap + 1).done());
        }
        let number = self.scene.number(passage.car);
        let sets: Vec<&FittedSet> =
            self.outcome.sets.iter().filter(|set| set.car == passage.car && set.at <= passage.at).collect();
        let Some(set) = sets.last() else { return };
        let fitted_on = self.timing.laps[passage.car].iter().filter(|other| other.crossed < set.at).count() as u16;
        let total = set.tyres.start_age + lap.lap - fitted_on;
        let index = (sets.len() - 1).to_string();
        let say = |what: Object| {
            let stint = Object::new().object("Stints", Object::new().object(&index, what));
            Object::new().object("Lines", Object::new().object(&number, stint)).done()
        };
        let later = at + self.random.range(200.0, 5_000.0) as i64;
        records.push(stream::TIMING_APP_DATA, later, say(Object::new().raw("TotalLaps", total)));
        if lap.lap > 1 {
            let time =
                Object::new().text("LapTime", &lap_time(lap.lap_ms)).raw("LapNumber", lap.lap).raw("LapFlags", 1);
            let delay = self.delay() + 90;
            records.push(stream::TIMING_APP_DATA, at + delay, say(time));
        }
    }
}

/// The members of several objects as one; no member is in two of them.
pub(super) fn merge<const N: usize>(objects: [Object; N]) -> Object {
    objects.into_iter().fold(Object::new(), Object::with)
}
