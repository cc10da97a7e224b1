//! The log of laps, as it becomes known. Start at [`LapFold`].
//!
//! Real feeds bring the count of laps, the lap time, the sectors and the pit lane in records of their own, in any order,
//! late, twice, and corrected. Each value is given to the lap to which it can belong at the moment of its arrival;
//! what later records show to be wrong is taken back by further rows. Nothing here reads the clock of the
//! samples, and the finishing touches that need the whole session are left to [`laps`](crate::laps).
//!
//! Invariant: a row depends only on records received up to its `known_at`, and no row is ever changed.

use crate::event::{AppDelta, DriverId, LineDelta, RaceControl, SessionStatus, SessionTime, TimeDelta};
use crate::log::{LapField, LapRow, Logs, SegmentRow};

pub(crate) use self::deleted::Deletion;
use self::tyres::Tyres;

mod deleted;
mod tyres;

/// Most laps of one driver that are followed; a race has at most 78, a day of tests less than 200.
pub(crate) const LAPS_MAX: u16 = 400;
/// A value can be this much longer than its lap has lasted by the stamps, whose jitter reaches a second and more.
const JITTER_MS: f64 = 3_000.0;
/// What comes so soon after a line crossing still belongs to the lap before.
const LATE_NS: i64 = 5_000_000_000;
/// Speed at the line comes at most this late.
const LATE_LINE_SPEED_NS: i64 = 30_000_000_000;
/// Speed at the second intermediate comes at most this late.
const LATE_INTERMEDIATE_NS: i64 = 10_000_000_000;
/// Most mini-sectors of a sector that are followed; circuits have up to ten.
const SEGMENTS_MAX: usize = 32;
/// A feed that restates old laps for longer than this is believed.
const BEHIND_NS: i64 = 120_000_000_000;
/// A time between sessions, which some feeds print as a lap time, differs from the lap time before by more than this.
const UNLIKE_MS: f64 = 60_000.0;

/// The fold of every car's laps.
#[derive(Debug, Default)]
pub struct LapFold {
    cars: Vec<Car>,
    /// Whether any record told of the pit lane; some archives hold none.
    pits_seen: bool,
    started: bool,
}

#[derive(Debug, Default)]
struct Car {
    /// Laps by the source's count, where it has told one.
    count: Option<u16>,
    /// Counts that were no laps: in practice and qualifying the source counts the first pit exit.
    counts_too_many: u16,
    /// Whether `counts_too_many` is certain.
    calibrated: bool,
    /// Whether any record of the car has come.
    seen: bool,
    /// When the current lap began, where known.
    start: Option<SessionTime>,
    /// When the source began to restate laps that it had counted before.
    behind_since: Option<SessionTime>,
    in_pit: Option<bool>,
    /// When the car left the pits last, by which word.
    exit: Option<Exit>,
    /// Whether the car has been out.
    has_been_out: bool,
    tyres: Tyres,
    /// Laps and times that were the driver's best, in this part of the session.
    bests: Vec<(u16, f64)>,
    /// A best time whose lap is not known yet.
    best_without_lap: Option<f64>,
    laps: Vec<Cells>,
    /// Lap and code that was published last of each mini-sector, sector by sector.
    segments: Vec<(u16, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Exit {
    at: SessionTime,
    lap: u16,
    /// Whether only `PitOut` has said so, which `InPit` may correct.
    provisional: bool,
}

/// What was published last of each field, NaN before.
type Cells = [f64; FIELDS];

const FIELDS: usize = LapField::NAMES.len();
const SECTORS: [(LapField, LapField); 3] = [
    (LapField::Sector1, LapField::Sector1At),
    (LapField::Sector2, LapField::Sector2At),
    (LapField::Sector3, LapField::Sector3At),
];

impl LapFold {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what `TimingData` says of one car.
    pub fn line(&mut self, at: SessionTime, driver: DriverId, line: &LineDelta, logs: &mut Logs) {
        self.pits_seen |= line.in_pit.is_some();
        self.writer(at, driver, logs).line(line);
    }

    /// Takes in what `TimingAppData` says of one car.
    pub fn app(&mut self, at: SessionTime, driver: DriverId, app: &AppDelta, logs: &mut Logs) {
        let pits_seen = self.pits_seen;
        let mut writer = self.writer(at, driver, logs);
        writer.app(app, pits_seen);
    }

    /// Takes in a message: lap times deleted by the stewards, or given back. The lap, where there is such a one.
    pub fn race_control(
        &mut self,
        at: SessionTime,
        message: &RaceControl,
        driver: Option<DriverId>,
        logs: &mut Logs,
    ) -> Option<u16> {
        let deletion = Deletion::parse(&message.message)?;
        self.writer(at, driver?, logs).deletion(&deletion)
    }

    /// Takes in the status of the session: the first lap begins when it starts.
    pub fn session(&mut self, at: SessionTime, status: &SessionStatus, logs: &mut Logs) {
        if *status != SessionStatus::Started || self.started {
            return;
        }
        self.started = true;
        for index in 0..self.cars.len() {
            let mut writer = self.writer(at, DriverId(index as u8), logs);
            if writer.car.count.unwrap_or(0) == 0 {
                writer.car.start = Some(at);
                writer.publish(1, LapField::Start, ms(at));
            }
        }
    }

    fn writer<'a>(&'a mut self, at: SessionTime, driver: DriverId, logs: &'a mut Logs) -> Writer<'a> {
        if self.cars.len() <= driver.index() {
            self.cars.resize_with(driver.index() + 1, Car::default);
        }
        Writer { at, driver, car: &mut self.cars[driver.index()], logs }
    }
}

impl Car {
    /// The lap that the car is driving, 1 first.
    fn lap(&self) -> u16 {
        self.count.unwrap_or(0).saturating_sub(self.counts_too_many).saturating_add(1)
    }

    fn cell(&self, lap: u16, field: LapField) -> f64 {
        let cells = usize::from(lap).checked_sub(1).and_then(|index| self.laps.get(index));
        cells.map_or(f64::NAN, |cells| cells[field as usize])
    }

    fn has_data(&self, lap: u16) -> bool {
        use LapField::{LapTime, Sector1, Sector2, Sector3, SpeedFl, SpeedI1, SpeedI2};
        [LapTime, Sector1, Sector2, Sector3, SpeedI1, SpeedI2, SpeedFl]
            .into_iter()
            .any(|field| !self.cell(lap, field).is_nan())
    }

    /// How long the current lap has lasted by the stamps; without bound where its start is not known.
    fn lasted_ms(&self, at: SessionTime) -> f64 {
        self.start.map_or(f64::INFINITY, |start| (at.0 - start.0) as f64 / 1e6)
    }

    fn lasted_less_than(&self, at: SessionTime, ns: i64) -> bool {
        self.start.is_some_and(|start| at.0 - start.0 < ns)
    }

    /// The last lap of which anything is known.
    fn top(&self) -> u16 {
        self.lap().max(self.laps.len() as u16)
    }
}

/// One record on its way into the log of one car.
struct Writer<'a> {
    at: SessionTime,
    driver: DriverId,
    car: &'a mut Car,
    logs: &'a mut Logs,
}

impl Writer<'_> {
    fn line(&mut self, line: &LineDelta) {
        let snapshot = !std::mem::replace(&mut self.car.seen, true);
        if snapshot && line.number_of_laps.is_some_and(|count| count > 1) {
            return self.join(line);
        }
        if snapshot && line.in_pit == Some(false) && line.pit_out != Some(true) {
            // On the grid or on its way: the next word of the pits is an entry.
            self.car.in_pit = Some(false);
            self.car.has_been_out = true;
        }
        self.calibrate(line);
        if self.is_behind(line.number_of_laps) {
            return;
        }
        let completes = line.number_of_laps.is_some_and(|count| count > self.car.count.unwrap_or(0));
        if line.in_pit == Some(true) {
            self.enter_pits();
        }
        self.values(line, completes);
        let leaves = self.leaves_pits(line, snapshot);
        if leaves && !completes {
            self.leave_pits(line.in_pit.is_none());
        }
        if let Some(count) = line.number_of_laps {
            self.count(count, completes, leaves);
        }
        if leaves && completes {
            self.leave_pits(line.in_pit.is_none());
        }
        self.best(line);
    }

    /// The first record of a car tells of the past: a recording that began in the middle of a session.
    fn join(&mut self, line: &LineDelta) {
        self.car.count = line.number_of_laps;
        self.calibrate(line);
        self.car.in_pit = line.in_pit;
        self.car.has_been_out = true;
        if let Some(time) = line.last_lap.and_then(|last| last.value_ms).flatten() {
            self.lap_time(self.car.lap().saturating_sub(1), f64::from(time));
        }
        self.best(line);
    }

    /// The lap of a best time, printed beside the count, tells whether the source counts pit exits.
    fn calibrate(&mut self, line: &LineDelta) {
        if self.car.calibrated {
            return;
        }
        let best = line.best_lap.filter(|best| matches!(best.value_ms, Some(Some(_)))).and_then(|best| best.lap);
        let (Some(count), Some(lap)) = (line.number_of_laps, best) else { return };
        let shows_last = line.last_lap.and_then(|last| last.value_ms) == line.best_lap.and_then(|best| best.value_ms);
        if shows_last && (lap == count || lap + 1 == count) {
            self.car.counts_too_many = count - lap;
            self.car.calibrated = true;
        }
    }

    /// Whether the source restates laps that it had counted; what it says of them is left out until it has caught up.
    fn is_behind(&mut self, count: Option<u16>) -> bool {
        let known = self.car.count.unwrap_or(0);
        match (count, self.car.behind_since) {
            (Some(count), None) if count.saturating_add(1) < known => self.car.behind_since = Some(self.at),
            (Some(count), Some(_)) if count >= known => self.car.behind_since = None,
            (Some(count), Some(since)) if self.at.0 - since.0 > BEHIND_NS => {
                self.car.behind_since = None;
                self.take_back_laps(count);
            }
            _ => {}
        }
        self.car.behind_since.is_some()
    }

    fn take_back_laps(&mut self, count: u16) {
        let known = self.car.lap().saturating_sub(1);
        self.car.count = Some(count);
        for lap in self.car.lap()..=known {
            self.publish(lap, LapField::End, f64::NAN);
            self.publish(lap.saturating_add(1), LapField::Start, f64::NAN);
        }
        let start = self.car.cell(self.car.lap(), LapField::Start);
        self.car.start = (!start.is_nan()).then(|| SessionTime::from_ms(start as i64));
    }

    fn count(&mut self, count: u16, completes: bool, leaves: bool) {
        if !completes {
            if count < self.car.count.unwrap_or(0) {
                self.take_back_laps(count);
            }
            self.car.count = Some(count);
            return;
        }
        let first = self.car.count.unwrap_or(0) == 0 && count == 1;
        let exit_just_now = self.car.exit.is_some_and(|exit| self.at.0 - exit.at.0 < LATE_NS);
        let first_exit =
            leaves && !self.car.has_been_out || exit_just_now && self.car.exit.is_some_and(|exit| exit.lap == 1);
        if first && !self.car.calibrated && first_exit && !self.car.has_data(1) {
            self.car.counts_too_many = 1;
        }
        self.car.count = Some(count);
        let ended = self.car.lap().saturating_sub(1);
        self.car.start = Some(self.at);
        if ended > 0 {
            self.publish(ended, LapField::End, ms(self.at));
            // A car that has left the pits a moment ago left them for the lap that begins now.
            if let Some(exit) = self.car.exit.filter(|exit| exit.lap == ended && self.at.0 - exit.at.0 < LATE_NS) {
                self.move_exit(exit, ended + 1);
            }
        }
        self.publish(self.car.lap(), LapField::Start, ms(self.at));
        self.publish_tyres(self.car.lap());
    }

    fn enter_pits(&mut self) {
        if self.car.in_pit == Some(false) || self.car.exit.is_some_and(|exit| exit.provisional) {
            self.publish(self.car.lap(), LapField::PitIn, ms(self.at));
            self.car.tyres.pitted(self.car.lap());
        }
        self.car.in_pit = Some(true);
        self.car.exit = None;
    }

    /// Whether the record says that the car leaves the pits, and not only that it is out.
    fn leaves_pits(&self, line: &LineDelta, snapshot: bool) -> bool {
        match (line.in_pit, self.car.in_pit) {
            (Some(false), Some(true)) => true,
            (Some(false), None) => !snapshot || line.pit_out == Some(true),
            (None, Some(true)) => line.pit_out == Some(true) && self.car.exit.is_none(),
            _ => false,
        }
    }

    fn leave_pits(&mut self, provisional: bool) {
        let lap = self.car.lap();
        if !provisional {
            self.car.in_pit = Some(false);
        }
        if let Some(exit) = self.car.exit.filter(|exit| exit.provisional && exit.lap != lap) {
            self.publish(exit.lap, LapField::PitOut, f64::NAN);
        }
        let late_word = self.car.count == Some(1)
            && !self.car.has_been_out
            && !self.car.calibrated
            && self.car.counts_too_many == 0
            && self.car.lasted_less_than(self.at, LATE_NS)
            && !self.car.has_data(1);
        if late_word {
            // The count came a moment before the word that the car leaves: it was no lap.
            self.publish(1, LapField::End, f64::NAN);
            self.publish(2, LapField::Start, f64::NAN);
            self.car.counts_too_many = 1;
            self.publish(1, LapField::Start, self.car.start.map_or(f64::NAN, ms));
        }
        self.car.has_been_out = true;
        let lap = self.car.lap();
        self.car.exit = Some(Exit { at: self.at, lap, provisional });
        self.publish(lap, LapField::PitOut, ms(self.at));
    }

    fn move_exit(&mut self, exit: Exit, lap: u16) {
        self.publish(exit.lap, LapField::PitOut, f64::NAN);
        self.publish(lap, LapField::PitOut, ms(exit.at));
        self.car.exit = Some(Exit { lap, ..exit });
    }

    /// Times and speeds, each to the lap to which it can belong.
    fn values(&mut self, line: &LineDelta, completes: bool) {
        for (index, sector) in line.sectors.iter().filter(|(index, _)| *index < SECTORS.len()) {
            self.segments(*index, &sector.segments, completes);
            if let Some(Some(time)) = sector.time.value_ms {
                let lap = self.lap_of_sector(*index, f64::from(time), completes);
                self.sector(lap, *index, f64::from(time));
            }
            if let Some(previous) = sector.previous_ms {
                self.restated(*index, f64::from(previous), matches!(sector.time.value_ms, Some(Some(_))), completes);
            }
        }
        match line.last_lap.and_then(|last| last.value_ms) {
            Some(Some(time)) => {
                let time = f64::from(time);
                if let Some(lap) = self.lap_of_time(time, completes) {
                    self.lap_time(lap, time);
                }
            }
            Some(None) if self.car.lasted_less_than(self.at, LATE_NS) && !completes => {
                let lap = self.car.lap().saturating_sub(1);
                self.publish(lap, LapField::LapTime, f64::NAN);
            }
            _ => {}
        }
        let late = |ns| if !completes && self.car.lasted_less_than(self.at, ns) { 1 } else { 0 };
        let traps = [
            (LapField::SpeedI1, line.speeds.i1, late(LATE_NS)),
            (LapField::SpeedI2, line.speeds.i2, late(LATE_INTERMEDIATE_NS)),
            (LapField::SpeedFl, line.speeds.fl, late(LATE_LINE_SPEED_NS)),
            (LapField::SpeedSt, line.speeds.st, 0),
        ];
        for (field, speed, laps_ago) in traps {
            if let Some(Some(speed)) = speed {
                self.publish(self.car.lap().saturating_sub(laps_ago), field, f64::from(speed));
            }
        }
    }

    /// Codes of mini-sectors. Code 0 clears the screen for the next lap: it says nothing of any.
    fn segments(&mut self, sector: usize, codes: &[(usize, u32)], completes: bool) {
        let late = sector + 1 == SECTORS.len() && !completes && self.car.lasted_less_than(self.at, LATE_NS);
        let lap = self.car.lap().saturating_sub(u16::from(late));
        if !(1..=LAPS_MAX).contains(&lap) {
            return;
        }
        for (segment, code) in codes.iter().filter(|(segment, code)| *segment < SEGMENTS_MAX && *code != 0) {
            self.car.segments.resize(SECTORS.len() * SEGMENTS_MAX, (0, 0));
            let last = &mut self.car.segments[sector * SEGMENTS_MAX + segment];
            if std::mem::replace(last, (lap, *code)) != (lap, *code) {
                self.logs.segments.push(SegmentRow {
                    known_at: self.at,
                    driver: self.driver,
                    lap,
                    sector: sector as u8 + 1,
                    segment: *segment as u8 + 1,
                    code: *code,
                });
            }
        }
    }

    /// The current lap, unless it has not lasted long enough for the sector and those before it.
    fn lap_of_sector(&self, index: usize, time: f64, completes: bool) -> u16 {
        let lap = self.car.lap();
        if completes {
            return lap;
        }
        let before: f64 =
            SECTORS[..index].iter().map(|(field, _)| self.car.cell(lap, *field)).filter(|time| !time.is_nan()).sum();
        if self.car.lasted_less_than(self.at, LATE_NS) {
            return lap.saturating_sub(1);
        }
        // After a late count the current lap seems too short; what the lap before has already is not its own twice.
        let fits = before + time <= self.car.lasted_ms(self.at) + JITTER_MS;
        let known = !self.car.cell(lap.saturating_sub(1), SECTORS[index].0).is_nan();
        if fits || known { lap } else { lap.saturating_sub(1) }
    }

    fn lap_of_time(&self, time: f64, completes: bool) -> Option<u16> {
        let lap = self.car.lap();
        if completes || time <= self.car.lasted_ms(self.at) + JITTER_MS && !self.car.lasted_less_than(self.at, LATE_NS)
        {
            return Some(lap);
        }
        let previous = lap - 1;
        let known = self.car.cell(previous, LapField::LapTime);
        let strange = !self.car.lasted_less_than(self.at, LATE_NS) && (time - known).abs() > UNLIKE_MS;
        (!strange).then_some(previous)
    }

    fn sector(&mut self, lap: u16, index: usize, time: f64) {
        let (value, moment) = SECTORS[index];
        self.publish(lap, value, time);
        if self.car.cell(lap, moment).is_nan() {
            self.publish(lap, moment, ms(self.at));
        }
    }

    /// The source repeats a sector's time after a moment, which fills in a value that got lost, or corrects one.
    fn restated(&mut self, index: usize, time: f64, beside_new: bool, completes: bool) {
        let lap = self.lap_of_sector(index, time, completes);
        let (value, _) = SECTORS[index];
        let (now, before) = (self.car.cell(lap, value), self.car.cell(lap.saturating_sub(1), value));
        if now == time || before == time {
            return;
        }
        self.sector(if beside_new { lap.saturating_sub(1) } else { lap }, index, time);
    }

    fn lap_time(&mut self, lap: u16, time: f64) {
        self.publish(lap, LapField::LapTime, time);
        if self.car.best_without_lap == Some(time) {
            self.car.best_without_lap = None;
            self.personal_best(lap, time);
        }
    }

    fn best(&mut self, line: &LineDelta) {
        let Some(TimeDelta { value_ms: Some(value), lap, .. }) = line.best_lap else { return };
        let Some(time) = value.map(f64::from) else {
            self.car.bests.clear();
            self.car.best_without_lap = None;
            return;
        };
        let timed = |lap: &u16| self.car.cell(*lap, LapField::LapTime) == time;
        // The lap that the source names can be stale; the time itself cannot.
        let named = lap.filter(|lap| *lap > 0);
        match (1..=self.car.laps.len() as u16).rev().find(timed).or(named) {
            Some(lap) => self.personal_best(lap, time),
            None => self.car.best_without_lap = Some(time),
        }
    }

    /// A faster lap that was the best before is none any more: its time was deleted.
    fn personal_best(&mut self, lap: u16, time: f64) {
        let deleted: Vec<_> = self.car.bests.extract_if(.., |(other, best)| *other != lap && *best < time).collect();
        for (other, _) in deleted {
            self.publish(other, LapField::PersonalBest, 0.0);
        }
        if !self.car.bests.iter().any(|(other, _)| *other == lap) {
            self.car.bests.push((lap, time));
        }
        self.publish(lap, LapField::PersonalBest, 1.0);
    }

    fn app(&mut self, app: &AppDelta, pits_seen: bool) {
        for (index, stint) in &app.stints {
            if let (Some(time), Some(lap)) = (stint.lap_time_ms, stint.lap_number.filter(|lap| *lap <= LAPS_MAX)) {
                let lap = lap.saturating_sub(self.car.counts_too_many);
                self.publish(lap, LapField::StintLapTime, f64::from(time));
            }
            let counted = self.car.count.map(|_| self.car.lap());
            let Some(first) = self.car.tyres.apply(*index, stint, counted, pits_seen) else { continue };
            for lap in first..=counted.unwrap_or_else(|| self.car.tyres.laps()).min(LAPS_MAX) {
                self.publish_tyres(lap);
            }
        }
    }

    fn publish_tyres(&mut self, lap: u16) {
        let Some(set) = self.car.tyres.on_lap(lap) else { return };
        self.publish(lap, LapField::Stint, f64::from(set.stint));
        self.publish(lap, LapField::TyreLife, f64::from(set.life));
        self.publish(lap, LapField::Compound, set.compound.map_or(f64::NAN, f64::from));
        self.publish(lap, LapField::FreshTyre, set.new.map_or(f64::NAN, f64::from));
    }

    fn deletion(&mut self, deletion: &Deletion<'_>) -> Option<u16> {
        let laps = 1..=self.car.laps.len() as u16;
        let of_time =
            |lap: &u16| deletion.time_ms.is_some_and(|time| self.car.cell(*lap, LapField::LapTime) == f64::from(time));
        let named = deletion.lap.filter(|lap| (1..=self.car.top()).contains(lap));
        let lap = named.filter(of_time).or_else(|| laps.rev().find(of_time)).or(named);
        self.publish(lap?, LapField::Deleted, if deletion.reinstated { f64::NAN } else { 1.0 });
        lap
    }

    fn cells(&mut self, lap: u16) -> Option<&mut Cells> {
        if !(1..=LAPS_MAX).contains(&lap) {
            return None;
        }
        if self.car.laps.len() < usize::from(lap) {
            self.car.laps.resize(usize::from(lap), [f64::NAN; FIELDS]);
        }
        Some(&mut self.car.laps[usize::from(lap) - 1])
    }

    /// Appends a row, unless it would say what the last one of its kind said.
    fn publish(&mut self, lap: u16, field: LapField, value: f64) {
        if value.is_nan() && self.car.cell(lap, field).is_nan() {
            return;
        }
        let Some(cells) = self.cells(lap) else { return };
        let cell = &mut cells[field as usize];
        if *cell == value {
            return;
        }
        *cell = value;
        self.logs.laps.push(LapRow { known_at: self.at, driver: self.driver, lap, field, value });
    }
}

/// Milliseconds of session time.
fn ms(at: SessionTime) -> f64 {
    at.ms() as f64
}
