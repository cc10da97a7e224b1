//! The fold: records in, rows out. Start at [`State::apply`].
//!
//! A file, a tape and a live connection run the same fold. Invariant: what is published at a moment depends only on
//! records received up to it, so the logs of a cut recording are the cut logs of the whole one.

mod cars;
mod gaps;
mod samples;

use crate::decode::Rejected;
use crate::event::{
    AppDelta, DriverDelta, DriverId, Event, RacingNumber, SessionInfo, SessionStatus, SessionTime, Stamped, TimingDelta,
};
use crate::geometry::Centreline;
use crate::log::{EntriesRow, LapCountRow, Logs, RaceControlRow, SessionRow, TrackRow, WeatherRow};
use crate::session::Driver;

pub(crate) use self::laps::Deletion;
pub use self::laps::LapFold;
pub use self::order::OrderFold;
pub(crate) use self::samples::{Moment, Samples, Stale};

mod laps;
mod order;
mod rulings;

/// Most drivers of a session; numbers that come after are counted and left out.
pub const DRIVERS_MAX: usize = 64;

/// Everything that is known of a session so far.
#[derive(Debug, Default)]
pub struct State {
    info: SessionInfo,
    drivers: Vec<Driver>,
    /// Whether `DriverList` has named a driver; before, any number in any stream introduces one, since a recording that
    /// began in the middle of a session has no list.
    listed: bool,
    cars: cars::Cars,
    samples: Samples,
    order: OrderFold,
    laps: LapFold,
    rulings: rulings::RulingFold,
    /// Centreline of an earlier session, until this one has said what it is.
    earlier: Option<Centreline>,
    /// Cars that take part in each part of qualifying.
    entries: [u8; 3],
    part: u8,
    session: Option<SessionStatus>,
    logs: Logs,
    rejected: Rejected,
    end: SessionTime,
    /// Smallest of `record stamp - UTC` of a message of race control, for sessions without samples.
    control_origin_ns: Option<i64>,
}

/// What is left of a state when the recording has ended.
pub(crate) struct Ended {
    pub(crate) info: SessionInfo,
    pub(crate) drivers: Vec<Driver>,
    pub(crate) samples: Samples,
    pub(crate) order: OrderFold,
    pub(crate) logs: Logs,
    pub(crate) rejected: Rejected,
    pub(crate) end: SessionTime,
    pub(crate) control_origin_ns: Option<i64>,
}

impl State {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing known but the centreline of an earlier session on the same circuit, which counts from the moment at which
    /// the source says what this session is.
    pub fn after(earlier: Option<Centreline>) -> Self {
        Self { earlier, ..Self::default() }
    }

    /// Rows published so far.
    pub const fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Drivers so far.
    pub fn drivers(&self) -> &[Driver] {
        &self.drivers
    }

    /// What was left out so far.
    pub const fn rejected(&self) -> &Rejected {
        &self.rejected
    }

    /// Takes one record in. Records come in the order in which they were received.
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.known_at;
        debug_assert!(at >= self.end, "records come in the order received");
        self.end = at;
        match &stamped.event {
            Event::SessionInfo(info) => {
                self.info = (**info).clone();
                self.order.race(self.is_race());
                self.cars.race(self.is_race());
                if let Some(line) = self.earlier.take() {
                    self.order.adopt(at, line);
                }
            }
            Event::Drivers(deltas) => {
                self.introduce(at, deltas.iter().map(|(number, delta)| (*number, delta.line)));
                deltas.iter().for_each(|(number, delta)| self.list(at, *number, delta));
            }
            Event::Cars(entries) => {
                for entry in entries {
                    let moment = self.samples.car_moment(entry.utc, at);
                    for (number, sample) in &entry.cars {
                        if let Some(driver) = self.known_driver(at, *number) {
                            self.samples.car(moment, driver, sample, self.cars.lap(driver), &mut self.rejected);
                        }
                    }
                }
            }
            Event::Positions(entries) => {
                for entry in entries {
                    let moment = self.samples.position_moment(entry.utc, at);
                    for (number, sample) in &entry.cars {
                        if let Some(driver) = self.known_driver(at, *number) {
                            let lap = self.cars.lap(driver);
                            if self.samples.position(moment, driver, sample, lap, &mut self.rejected) {
                                self.order.position_sample(at, driver, entry.utc, *sample);
                            }
                        }
                    }
                }
            }
            Event::Timing(delta) => self.timing(at, delta),
            Event::TimingApp(lines) => {
                self.introduce(at, lines.iter().map(|(number, delta)| (*number, delta.line)));
                lines.iter().for_each(|(number, delta)| self.app(at, *number, delta));
            }
            Event::TrackStatus(status) => {
                self.order.track(at, status.flag);
                self.logs.track.push(TrackRow { known_at: at, flag: status.flag, message: status.message.clone() });
            }
            Event::SessionStatus(status) => self.session_status(at, status),
            Event::RaceControl(messages) => {
                for message in messages {
                    let driver = self.driver_of_message(message);
                    if let Some(utc) = message.utc {
                        let offset = utc.0 - at.0;
                        self.control_origin_ns = Some(self.control_origin_ns.map_or(offset, |most| most.max(offset)));
                    }
                    let lap = self.laps.race_control(at, message, driver, &mut self.logs);
                    if let Some(driver) = driver {
                        self.rulings.race_control(at, &message.message, driver, lap, &mut self.logs);
                    }
                    self.logs.race_control.push(RaceControlRow { known_at: at, driver, message: message.clone() });
                }
            }
            Event::LapCount(count) => {
                self.cars.total_laps(count.total);
                self.logs.lap_count.push(LapCountRow { known_at: at, count: *count });
            }
            Event::Weather(weather) => self.logs.weather.push(WeatherRow { known_at: at, weather: *weather }),
        }
        self.order.settle(at, &mut self.logs);
    }

    pub(crate) fn end(self) -> Ended {
        Ended {
            info: self.info,
            drivers: self.drivers,
            samples: self.samples,
            order: self.order,
            logs: self.logs,
            rejected: self.rejected,
            end: self.end,
            control_origin_ns: self.control_origin_ns,
        }
    }

    fn is_race(&self) -> bool {
        self.info.kind.eq_ignore_ascii_case("race")
    }

    fn session_status(&mut self, at: SessionTime, status: &SessionStatus) {
        self.session = Some(status.clone());
        self.order.session(at, status);
        self.laps.session(at, status, &mut self.logs);
        self.cars.session(status);
        self.logs.session.push(SessionRow { known_at: at, status: session_name(status), part: self.part });
        for index in 0..self.drivers.len() {
            self.refresh(at, DriverId(index as u8));
        }
    }

    fn timing(&mut self, at: SessionTime, delta: &TimingDelta) {
        if let Some(part) = delta.session_part.filter(|part| *part != self.part) {
            self.part = part;
            let status = self.session.as_ref().map_or_else(String::new, session_name);
            self.logs.session.push(SessionRow { known_at: at, status, part });
        }
        for (index, cars) in &delta.entries {
            let Some(known) = self.entries.get_mut(*index) else { continue };
            if std::mem::replace(known, *cars) != *cars {
                self.logs.entries.push(EntriesRow { known_at: at, part: *index as u8 + 1, cars: *cars });
            }
        }
        self.introduce(at, delta.lines.iter().map(|(number, line)| (*number, line.line)));
        for (number, line) in &delta.lines {
            let Some(driver) = self.introduced(at, *number) else { continue };
            self.cars.line(at, driver, line, &mut self.logs);
            self.refresh(at, driver);
            if let Some(position) = line.position {
                self.logs.official_positions.push(crate::log::OrderRow { known_at: at, driver, position });
                self.order.official_position(at, driver, position);
            }
            if let Some(time) = line.last_lap.and_then(|last| last.value_ms).flatten() {
                self.order.lap_time(at, driver, time);
            }
            if let Some(laps) = line.number_of_laps {
                self.order.laps_completed(at, driver, laps);
            }
            self.laps.line(at, driver, line, &mut self.logs);
        }
    }

    fn app(&mut self, at: SessionTime, number: RacingNumber, delta: &AppDelta) {
        let Some(driver) = self.introduced(at, number) else { return };
        if let Some(grid) = delta.grid_position.filter(|grid| *grid > 0) {
            self.drivers[driver.index()].grid = Some(grid);
            self.order.grid(at, driver, grid);
        }
        self.cars.stints(at, driver, delta, &mut self.logs);
        self.laps.app(at, driver, delta, &mut self.logs);
    }

    fn list(&mut self, at: SessionTime, number: RacingNumber, delta: &DriverDelta) {
        let Some(driver) = self.introduced(at, number) else { return };
        self.listed |= delta.code.is_some();
        let entry = &mut self.drivers[driver.index()];
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut entry.code, &delta.code);
        set(&mut entry.first_name, &delta.first_name);
        set(&mut entry.last_name, &delta.last_name);
        set(&mut entry.broadcast_name, &delta.broadcast_name);
        set(&mut entry.team, &delta.team);
        set(&mut entry.colour, &delta.colour);
        set(&mut entry.country, &delta.country);
        if let Some(line) = delta.line.filter(|line| *line > 0) {
            self.order.grid_line(at, driver, line);
        }
    }

    /// The driver of a number in a stream of samples.
    fn known_driver(&mut self, at: SessionTime, number: RacingNumber) -> Option<DriverId> {
        let driver = self.samples.driver(number);
        if driver.is_some() {
            return driver;
        }
        // Safety and medical cars have numbers above 99.
        if self.listed || number.0 > 99 {
            self.rejected.count("unknown_driver", || format!("car {} at {:.3} s", number.0, at.seconds()));
            return None;
        }
        self.introduced(at, number)
    }

    /// Introduces who is new in a record in the order of the screen; those without a line come last, in the record's order.
    fn introduce(&mut self, at: SessionTime, record: impl Iterator<Item = (RacingNumber, Option<u8>)>) {
        let mut new: Vec<_> = record.filter(|(number, _)| self.samples.driver(*number).is_none()).collect();
        new.sort_by_key(|(_, line)| line.filter(|line| *line > 0).unwrap_or(u8::MAX));
        for (number, _) in new {
            self.introduced(at, number);
        }
    }

    /// The driver of a number in a stream that may introduce one.
    fn introduced(&mut self, at: SessionTime, number: RacingNumber) -> Option<DriverId> {
        if let Some(driver) = self.samples.driver(number) {
            return Some(driver);
        }
        if self.drivers.len() >= DRIVERS_MAX {
            self.rejected.count("too_many_drivers", || format!("car {} at {:.3} s", number.0, at.seconds()));
            return None;
        }
        let driver = DriverId(self.drivers.len() as u8);
        self.drivers.push(Driver {
            number,
            code: number.0.to_string(),
            first_name: String::new(),
            last_name: String::new(),
            broadcast_name: String::new(),
            team: String::new(),
            colour: "808080".to_owned(),
            country: String::new(),
            grid: None,
        });
        self.samples.add_driver(number);
        self.cars.add_driver();
        self.order.add_driver(driver);
        self.refresh(at, driver);
        Some(driver)
    }

    /// Publishes the status of a car where it changed.
    fn refresh(&mut self, at: SessionTime, driver: DriverId) {
        if let Some(status) = self.cars.changed_status(driver) {
            self.order.status(at, driver, status);
            self.logs.status.push(crate::log::StatusRow { known_at: at, driver, status });
        }
    }

    /// The one car that a message concerns, by its own field or by `CAR 4 (NOR)` in the words.
    fn driver_of_message(&self, message: &crate::event::RaceControl) -> Option<DriverId> {
        if let Some(number) = message.racing_number {
            return self.samples.driver(number);
        }
        let mut named = message.message.match_indices("CAR ").map(|(at, _)| {
            let rest = &message.message[at + 4..];
            let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            rest[..digits].parse().ok().and_then(|number| self.samples.driver(RacingNumber(number)))
        });
        match (named.next(), named.next()) {
            (Some(driver), None) => driver,
            _ => None,
        }
    }
}

fn session_name(status: &SessionStatus) -> String {
    match status {
        SessionStatus::Inactive => "Inactive",
        SessionStatus::Started => "Started",
        SessionStatus::Aborted => "Aborted",
        SessionStatus::Finished => "Finished",
        SessionStatus::Finalised => "Finalised",
        SessionStatus::Ends => "Ends",
        SessionStatus::Other(other) => other,
    }
    .to_owned()
}
