//! The order on the road. Start at [`OrderFold`].
//!
//! Official data say who was ahead at the timing loops and the line; positions on the centreline say it in between. An
//! official Position holds until the distances of two cars differ by more than a stated margin for a stated time.
//! A car gains a place by its distance only while it runs: not before the start, not under a red flag, not stopped or
//! retired, and nobody gains one on a car that took the flag. The pit lane is a path of its own: a car in it may lose
//! places to those that pass it on the track, and gains one only on another car in the lane.
//!
//! Before the centreline is known, in sessions other than races, and for cars without positions, only official data count.

mod crossings;
mod official;
mod progress;
mod road;
mod survey;

use railbird_timeline::Ts;

use self::crossings::Crossings;
use self::progress::LapHint;
pub(in crate::state) use self::progress::Progress;
use self::survey::Survey;
use super::gaps::{Contender, GapFold};
use crate::event::{DriverId, PositionSample, SessionStatus, SessionTime, TrackFlag};
use crate::geometry::Centreline;
use crate::log::{CarStatus, CrossingRow, Logs, OrderRow};

/// Lap time until one is known, ns.
const LAP_NS: i64 = 100_000_000_000;
/// How much later than usual a sample may arrive, or how much sooner, for its time to be believed, ns.
const CLOCK_NS_MAX: u64 = 600_000_000_000;
/// So many samples in a row that agree on another time are right, and what was before them was wrong.
const CLOCKS_MAX: u16 = 400;

#[derive(Debug)]
struct Car {
    status: CarStatus,
    grid: Option<u8>,
    /// Line on the timing screen, where nothing better is known.
    screen_line: Option<u8>,
    official: Option<u8>,
    laps: u16,
    /// When the last lap was completed, or the race began, UTC ns.
    lap_began: Option<i64>,
    lap_ns: i64,
    /// Whether the car has run without a break since.
    running: bool,
    progress: Progress,
    /// Cars that this one led by more than [`OrderFold::LEAD_M`] at the moment before, a bit a driver.
    leading: u64,
    /// Place that was published last, 0 for none.
    published: u8,
}

/// An official Position that set `ahead` before `behind`.
#[derive(Debug)]
struct Hold {
    ahead: u8,
    behind: u8,
    until: i64,
}

/// An official Position of the record under way.
#[derive(Debug, Clone, Copy)]
struct Named {
    driver: u8,
    before: Option<u8>,
    counted: bool,
}

/// Folds positions, counts and official data into the order, the crossings and the gaps.
#[derive(Debug, Default)]
pub struct OrderFold {
    race: bool,
    started: bool,
    /// When the session began.
    began: Option<SessionTime>,
    red: bool,
    aborted: bool,
    /// Whether anything says who is where.
    ranked: bool,
    cars: Vec<Car>,
    /// Drivers in the order on the road.
    list: Vec<u8>,
    line: Option<(SessionTime, Centreline)>,
    survey: Survey,
    crossings: Crossings,
    gaps: GapFold,
    /// Largest `UTC - stamp` of a position so far: UTC of session time zero but for the least delay.
    origin_ns: Option<i64>,
    /// Samples in a row whose time does not agree with that.
    strange_clocks: u16,
    /// Moment of the samples under way, and whether cars have yet to be compared at it.
    moment: Option<(i64, bool)>,
    holds: Vec<Hold>,
    named: Vec<Named>,
    counted: Vec<u8>,
    rows: Vec<CrossingRow>,
}

impl OrderFold {
    /// A lead of this much in two moments running, some 0.25 s apart, is an overtaking, m.
    pub const LEAD_M: f64 = 2.0;
    /// A lead of this much is one at once, m.
    pub const CLEAR_LEAD_M: f64 = 4.0;
    /// How long after an official Position distances of its moment do not speak against it, ns.
    pub const OFFICIAL_HOLD_NS: i64 = 1_000_000_000;

    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the session is a race. In others the official Position is all there is to an order.
    pub fn race(&mut self, race: bool) {
        self.race = race;
        self.crossings.race(race);
    }

    /// Takes the centreline of an earlier session as this one's. Later ones are left alone: a line that has been measured
    /// on is not exchanged.
    pub fn adopt(&mut self, at: SessionTime, line: Centreline) {
        if self.line.is_none() {
            self.take(at, line);
        }
    }

    /// Introduces the next driver.
    pub fn add_driver(&mut self, driver: DriverId) {
        debug_assert_eq!(driver.index(), self.cars.len(), "drivers come in order");
        self.list.push(driver.0);
        self.cars.push(Car {
            status: CarStatus::Grid,
            grid: None,
            screen_line: None,
            official: None,
            laps: 0,
            lap_began: None,
            lap_ns: LAP_NS,
            running: true,
            progress: Progress::default(),
            leading: 0,
            published: 0,
        });
        self.survey.add_driver();
        self.crossings.add_driver();
        self.gaps.add_driver();
    }

    /// A sample of the car's place, taken at `utc`.
    pub fn position_sample(&mut self, at: SessionTime, driver: DriverId, utc: Ts, sample: PositionSample) {
        if !self.set_clock(at, utc) || !sample.is_known() {
            return;
        }
        if self.line.is_none() {
            if let Some(line) = self.survey.sample(driver.index(), utc, &sample) {
                self.take(at, line);
                self.moment = Some((utc.0, true));
            }
            return;
        }
        if !self.race {
            return;
        }
        match self.moment {
            Some((moment, fresh)) if utc.0 > moment => {
                if fresh {
                    self.compare(moment);
                }
                self.moment = Some((utc.0, false));
            }
            None => self.moment = Some((utc.0, false)),
            Some(_) => {}
        }
        let (Some((_, line)), car) = (&self.line, &mut self.cars[driver.index()]) else { return };
        let hint = || LapHint {
            laps: car.laps,
            since_ns: car.lap_began.map(|began| utc.0 - began),
            lap_ns: car.lap_ns,
            running: car.running,
        };
        if car.progress.push(line, utc, f64::from(sample.x), f64::from(sample.y), hint) {
            self.moment = self.moment.map(|(moment, _)| (moment, true));
        }
    }

    /// Official Position.
    pub fn official_position(&mut self, at: SessionTime, driver: DriverId, position: u8) {
        let car = &mut self.cars[driver.index()];
        let before = car.official.replace(position);
        self.crossings.official(at, driver.index(), position);
        self.named.push(Named { driver: driver.0, before, counted: false });
        self.ranked = true;
    }

    /// Place on the grid.
    pub fn grid(&mut self, _at: SessionTime, driver: DriverId, position: u8) {
        self.cars[driver.index()].grid = Some(position);
        self.line_up();
    }

    /// Line on the timing screen, which stands in until a grid or an official Position is known.
    pub fn grid_line(&mut self, _at: SessionTime, driver: DriverId, line: u8) {
        self.cars[driver.index()].screen_line = Some(line);
        if self.cars.iter().all(|car| car.grid.is_none() && car.official.is_none()) {
            self.line_up();
        }
    }

    /// Official count of laps.
    pub fn laps_completed(&mut self, at: SessionTime, driver: DriverId, laps: u16) {
        self.crossings.count(at, driver.index(), laps);
        self.counted.push(driver.0);
    }

    /// Official time of the last lap; its record may come before or after that of the count.
    pub fn lap_time(&mut self, at: SessionTime, driver: DriverId, lap_time_ms: u32) {
        self.crossings.lap_time(at, driver.index(), lap_time_ms);
        self.cars[driver.index()].lap_ns = i64::from(lap_time_ms.max(1000)) * 1_000_000;
    }

    /// What the car does from now on.
    pub fn status(&mut self, _at: SessionTime, driver: DriverId, status: CarStatus) {
        let car = &mut self.cars[driver.index()];
        car.status = status;
        if !matches!(status, CarStatus::OnTrack | CarStatus::Finished) {
            car.running = false;
            if self.line.is_none() {
                self.survey.broken(driver.index());
            }
        }
    }

    /// Status of the track.
    pub fn track(&mut self, _at: SessionTime, flag: TrackFlag) {
        self.red = flag == TrackFlag::Red;
        if self.red {
            self.stopped();
        }
    }

    /// Status of the session.
    pub fn session(&mut self, at: SessionTime, status: &SessionStatus) {
        match status {
            SessionStatus::Started if !self.started => {
                self.started = true;
                self.aborted = false;
                self.began = Some(at);
                if let Some(utc) = self.utc(at) {
                    self.begin(utc);
                }
            }
            SessionStatus::Started => self.aborted = false,
            SessionStatus::Aborted => {
                self.aborted = true;
                self.stopped();
            }
            _ => {}
        }
    }

    /// Appends what became known with the record received at `at`.
    pub fn settle(&mut self, at: SessionTime, logs: &mut Logs) {
        self.settle_counts(at);
        self.settle_officials(at);
        if let Some((moment, true)) = self.moment {
            self.compare(moment);
            self.moment = Some((moment, false));
        }
        self.settle_crossings(at, logs);
        if self.race && self.started {
            self.settle_gaps(at, logs);
        }
        for (index, driver) in self.list.iter().enumerate() {
            let (car, place) = (&mut self.cars[usize::from(*driver)], index as u8 + 1);
            if car.published != place && self.ranked {
                car.published = place;
                logs.order.push(OrderRow { known_at: at, driver: DriverId(*driver), position: place });
            }
        }
    }

    /// The centreline, and when it became known.
    pub fn centreline(&self) -> Option<(SessionTime, &Centreline)> {
        self.line.as_ref().map(|(at, line)| (*at, line))
    }

    /// From now on there is a line. What the cars have driven since the lap before is measured on it, so that gaps to
    /// those who passed earlier are known at once.
    fn take(&mut self, at: SessionTime, line: Centreline) {
        let survey = std::mem::take(&mut self.survey);
        for (driver, car) in self.cars.iter_mut().enumerate() {
            let (began, samples) = survey.recent(driver);
            // The lap before the one under way where that was whole, or the one under way.
            let laps = if began < car.lap_began { car.laps.saturating_sub(1) } else { car.laps };
            for (utc, x, y) in samples {
                let since_ns = began.map(|began| utc - began);
                let hint = || LapHint { laps, since_ns, lap_ns: car.lap_ns, running: true };
                car.progress.push(&line, Ts(*utc), *x, *y, hint);
            }
            if let (true, Some(began)) = (car.laps > 0, car.lap_began) {
                car.progress.calibrate(&line, car.laps, began);
            }
        }
        self.line = Some((at, line));
    }

    /// The session began at `utc`: in a race, lap 1 runs from the grid.
    fn begin(&mut self, utc: i64) {
        if !self.race || self.cars.iter().any(|car| car.laps > 0) {
            return;
        }
        for car in &mut self.cars {
            car.lap_began = Some(utc);
            car.running = matches!(car.status, CarStatus::Grid | CarStatus::OnTrack);
            // On an earlier session's line the cars are measured from the grid on, which lies just before lap 1.
            if let Some((_, line)) = &self.line {
                car.progress.calibrate(line, 0, utc);
            }
        }
        self.survey.started(utc);
    }

    /// Learns how the clock of the samples stands to that of the records; whether `utc` may be believed. One absurd time
    /// must not stop the order for the rest of the session, nor may an absurd first one.
    fn set_clock(&mut self, at: SessionTime, utc: Ts) -> bool {
        let offset = utc.0.saturating_sub(at.0);
        let agrees = |origin: i64| offset.abs_diff(origin) <= CLOCK_NS_MAX;
        if self.origin_ns.is_some_and(agrees) {
            self.strange_clocks = 0;
            self.origin_ns = self.origin_ns.max(Some(offset));
            return true;
        }
        self.strange_clocks += 1;
        if self.origin_ns.is_some() && self.strange_clocks < CLOCKS_MAX || offset.abs_diff(0) > i64::MAX as u64 / 2 {
            return false;
        }
        self.strange_clocks = 0;
        self.moment = None;
        if let (None, Some(began)) = (self.origin_ns.replace(offset), self.began) {
            self.begin(began.0 + offset);
        }
        true
    }

    /// No lap under way says anything of places any more.
    fn stopped(&mut self) {
        self.cars.iter_mut().for_each(|car| car.running = false);
        if self.line.is_none() {
            self.survey.all_broken();
        }
    }

    fn utc(&self, at: SessionTime) -> Option<i64> {
        self.origin_ns.map(|origin| at.0 + origin)
    }

    fn settle_counts(&mut self, at: SessionTime) {
        for driver in std::mem::take(&mut self.counted) {
            let Some((lap, crossed)) = self.crossings.counted_at(at, usize::from(driver)) else {
                self.cars[usize::from(driver)].laps = self.crossings.laps(usize::from(driver));
                continue;
            };
            for named in self.named.iter_mut().filter(|named| named.driver == driver) {
                named.counted = true;
            }
            self.started = true;
            let utc = self.utc(crossed);
            let car = &mut self.cars[usize::from(driver)];
            car.laps = lap;
            car.lap_began = utc;
            car.running = car.status == CarStatus::OnTrack && !self.red;
            match (&self.line, utc) {
                (Some((_, line)), Some(utc)) => car.progress.calibrate(line, lap, utc),
                (None, Some(utc)) => self.survey.crossed(usize::from(driver), utc),
                _ => {}
            }
        }
    }

    fn settle_crossings(&mut self, at: SessionTime, logs: &mut Logs) {
        let Self { cars, gaps, crossings, line, race, .. } = self;
        let most = cars.iter().map(|car| car.laps).max().unwrap_or(0);
        let mut rows = std::mem::take(&mut self.rows);
        crossings.settle(at, logs, |row| rows.push(*row));
        for row in rows.drain(..) {
            let car = &cars[row.driver.index()];
            let last = row.lap == car.laps;
            if *race && last && (line.is_none() || car.status == CarStatus::Finished) {
                gaps.at_line(&row, (most - car.laps).min(255) as u8, logs);
            }
        }
        self.rows = rows;
    }

    fn settle_gaps(&mut self, at: SessionTime, logs: &mut Logs) {
        let (Some((_, line)), Some((now, _)), true) = (&self.line, self.moment, self.gaps.is_due(at)) else { return };
        let cars = &self.cars;
        let order = self.list.iter().map(|driver| {
            let car = &cars[usize::from(*driver)];
            Contender {
                driver: DriverId(*driver),
                progress: &car.progress,
                racing: matches!(car.status, CarStatus::OnTrack | CarStatus::PitLane | CarStatus::Stopped),
                finished: car.status == CarStatus::Finished,
            }
        });
        self.gaps.measure(at, now, line.length_m(), order, logs);
    }
}

#[cfg(test)]
mod tests;
