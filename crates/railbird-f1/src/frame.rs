//! Ready-made frames for programs: the whole race at one moment. Start at [`Frames`].
//!
//! A frame is a pure function of the session, the rate and its index. Categories are held, x, y and the continuous
//! channels are linear between samples, the order is the one that was known at the moment.
//!
//! Invariant: [`Frames::fill`] allocates nothing once the frame has been filled before.

use std::sync::Arc;

use bytes::Bytes;
use railbird_publish::{FrameFormat, FrameSource, Refusal, RefusalKind};
use railbird_timeline::{Ts, as_of};
use rayon::prelude::*;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::event::{SessionTime, Weather};
use crate::log::CarStatus;
use crate::session::Session;

/// Frame rates that are offered, frames a second of the session.
pub const FRAME_RATES: &[u32] = &[1, 5, 10, 25, 50];

/// A session laid out for frames at any moment.
#[derive(Debug)]
pub struct Frames {
    version: String,
    session: Arc<Session>,
    start: SessionTime,
    end: SessionTime,
    cars: Vec<CarTracks>,
    lap_count: Steps<u16>,
    weather: Steps<Weather>,
}

/// What one car did, by time.
#[derive(Debug)]
struct CarTracks {
    /// Metres since the line was crossed for the first lap, at each position sample; empty without a centreline.
    progress_m: Vec<f64>,
    position: Steps<u8>,
    laps: Steps<u16>,
    gap: Steps<[f64; 2]>,
    status: Steps<CarStatus>,
    tyre: Steps<u8>,
}

/// Values that hold from a moment until the next.
#[derive(Debug)]
struct Steps<T> {
    times: Vec<SessionTime>,
    values: Vec<T>,
}

impl<T: Copy> Steps<T> {
    fn new(rows: impl Iterator<Item = (SessionTime, T)>) -> Self {
        let (times, values) = rows.unzip();
        Self { times, values }
    }

    fn at(&self, time: SessionTime) -> Option<T> {
        let after = self.times.partition_point(|known_at| *known_at <= time);
        after.checked_sub(1).map(|row| self.values[row])
    }
}

/// The race at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    /// Index.
    pub n: u64,
    /// Session time, s.
    pub t: f64,
    /// The leader's lap, 1 first; 0 before the first.
    pub lap: u16,
    /// Cars by driver.
    pub cars: Vec<CarFrame>,
    /// Weather, where known.
    pub weather: Option<Weather>,
}

/// One car at one moment. NaN and `None` where not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarFrame {
    /// 1/10 m.
    pub x: f64,
    /// 1/10 m.
    pub y: f64,
    /// km/h.
    pub speed: f64,
    /// 0 neutral.
    pub gear: Option<u8>,
    /// Lap that the car is in, 1 first.
    pub lap: u16,
    /// Position in the order on the road.
    pub position: Option<u8>,
    /// First letter of the compound, lower case, as in `s`, `m`, `h`, `i`, `w`.
    pub tyre: Option<u8>,
    /// %.
    pub throttle: f64,
    /// 0 or 100.
    pub brake: Option<u8>,
    /// Code of the source; 10, 12 and 14 are open.
    pub drs: Option<u8>,
    /// 1/min.
    pub rpm: f64,
    /// Metres along the centreline since the line.
    pub dist: f64,
    /// `dist` as a share of the lap.
    pub rel_dist: f64,
    /// s.
    pub gap_to_leader: f64,
    /// s.
    pub interval: f64,
    /// Metres along the centreline since the first lap began.
    pub race_progress: f64,
    /// What the car is doing.
    pub status: Option<CarStatus>,
}

impl Frames {
    /// Lays out `session`. O(samples): each position is projected on the centreline once.
    pub fn new(version: &str, session: Arc<Session>) -> Self {
        let started = session.logs.session.iter().find(|row| row.status == "Started").map(|row| row.known_at);
        let utc = |pick: fn(&[Ts]) -> Option<&Ts>| {
            session
                .columns
                .iter()
                .flat_map(move |columns| pick(&columns.car.utc).into_iter().chain(pick(&columns.position.utc)).copied())
        };
        let first = utc(<[Ts]>::first).min().map(|utc| session.time_of(utc));
        let last = utc(<[Ts]>::last).max().map(|utc| session.time_of(utc));
        let line = session.logs.crossings.iter().map(|row| row.at).max();
        let start = started.or(first).unwrap_or_default();
        let cars = (0..session.drivers.len()).into_par_iter().map(|driver| CarTracks::new(&session, driver)).collect();
        Self {
            version: version.to_owned(),
            start,
            end: last.max(line).unwrap_or(session.end).max(start),
            cars,
            lap_count: Steps::new(
                session.logs.lap_count.iter().filter_map(|row| Some((row.known_at, row.count.current?))),
            ),
            weather: Steps::new(session.logs.weather.iter().map(|row| (row.known_at, row.weather))),
            session,
        }
    }

    /// Session time of frame 0: lights out, or the first sample where no start is known.
    pub const fn start(&self) -> SessionTime {
        self.start
    }

    /// Session time of frame `n` at `rate`.
    pub const fn time(&self, rate: u32, n: u64) -> SessionTime {
        SessionTime(self.start.0 + (n as i128 * 1_000_000_000 / rate as i128) as i64)
    }

    /// Number of frames at `rate`: the last one is not after the last sample and the last crossing of the line.
    pub const fn count(&self, rate: u32) -> u64 {
        ((self.end.0 - self.start.0) as i128 * rate as i128 / 1_000_000_000) as u64 + 1
    }

    /// Fills `frame` with the race at frame `n`.
    pub fn fill(&self, rate: u32, n: u64, frame: &mut Frame) {
        let time = self.time(rate, n);
        frame.n = n;
        frame.t = time.seconds();
        frame.lap = self.lap_count.at(time).unwrap_or(0);
        frame.weather = self.weather.at(time);
        frame.cars.clear();
        frame.cars.extend((0..self.cars.len()).map(|driver| self.car(driver, time)));
    }

    fn car(&self, driver: usize, time: SessionTime) -> CarFrame {
        let tracks = &self.cars[driver];
        let utc = self.session.utc_at(time);
        let car = &self.session.columns[driver].car;
        let at = Between::new(&car.utc, utc);
        let held = |column: &[u8]| at.map(|at| column[at.row]);
        let position = &self.session.columns[driver].position;
        let known = |at: Between| if position.is_known(at.next) { at } else { Between { next: at.row, ..at } };
        let place = Between::new(&position.utc, utc).filter(|at| position.is_known(at.row)).map(known);
        let progress =
            place.filter(|_| !tracks.progress_m.is_empty()).map_or(f64::NAN, |at| at.linear(&tracks.progress_m));
        let length = self.session.centreline.as_ref().map_or(f64::NAN, |(_, line)| line.length_m());
        let dist = progress.rem_euclid(length);
        let [gap_to_leader, interval] = tracks.gap.at(time).unwrap_or([f64::NAN; 2]);
        CarFrame {
            x: place.map_or(f64::NAN, |at| at.linear(&position.x)),
            y: place.map_or(f64::NAN, |at| at.linear(&position.y)),
            speed: at.map_or(f64::NAN, |at| at.linear(&car.speed)),
            gear: held(&car.gear),
            lap: tracks.laps.at(time).unwrap_or(0) + 1,
            position: tracks.position.at(time),
            tyre: tracks.tyre.at(time),
            throttle: at.map_or(f64::NAN, |at| at.linear(&car.throttle)),
            brake: held(&car.brake),
            drs: held(&car.drs).filter(|drs| *drs != crate::columns::CarColumns::NO_DRS),
            rpm: at.map_or(f64::NAN, |at| at.linear(&car.rpm)),
            dist,
            rel_dist: dist / length,
            gap_to_leader,
            interval,
            race_progress: progress,
            status: tracks.status.at(time),
        }
    }
}

impl CarTracks {
    fn new(session: &Session, driver: usize) -> Self {
        let logs = &session.logs;
        let own = |row_driver: crate::event::DriverId| row_driver.index() == driver;
        let mut laps = 0;
        Self {
            progress_m: progress(session, driver),
            position: Steps::new(
                logs.order.iter().filter(|row| own(row.driver)).map(|row| (row.known_at, row.position)),
            ),
            laps: Steps::new(logs.crossings.iter().filter(|row| own(row.driver)).map(|row| {
                laps = row.lap.max(laps);
                (row.known_at, laps)
            })),
            gap: Steps::new(
                logs.gaps.iter().filter(|row| own(row.driver)).map(|row| (row.known_at, [row.gap_s, row.interval_s])),
            ),
            status: Steps::new(logs.status.iter().filter(|row| own(row.driver)).map(|row| (row.known_at, row.status))),
            tyre: Steps::new(logs.tyres.iter().filter(|row| own(row.driver)).map(|row| {
                (row.known_at, row.compound.bytes().next().map_or(b'?', |letter| letter.to_ascii_lowercase()))
            })),
        }
    }
}

/// Metres since the line was crossed for the first lap, at each position sample: laps counted by the crossings, and the
/// distance along the centreline from sample to sample in between, so that it rises through the line.
fn progress(session: &Session, driver: usize) -> Vec<f64> {
    let Some((_, line)) = &session.centreline else { return Vec::new() };
    let positions = &session.columns[driver].position;
    let length = line.length_m();
    let (mut hint, mut run) = (None, 0.0);
    let mut unwrapped: Vec<f64> = (0..positions.len())
        .map(|row| {
            if !positions.is_known(row) {
                return run;
            }
            let (x, y) = (f64::from(positions.x[row]), f64::from(positions.y[row]));
            let distance = line.project(x, y, hint).distance_m;
            run = hint.map_or(distance, |before| run + line.way_m(before, distance));
            hint = Some(distance);
            run
        })
        .collect();
    // Whole laps to add, known at each crossing: the count there less what the distance says.
    let mut shifts: Vec<(SessionTime, f64)> = Vec::new();
    for crossing in session.logs.crossings.iter().filter(|row| row.driver.index() == driver) {
        if let Some(row) = as_of(&positions.utc, session.utc_at(crossing.at)) {
            let laps = f64::from(crossing.lap) - unwrapped[row] / length;
            shifts.push((crossing.at, laps.round() * length));
        }
    }
    let mut shift = 0;
    for (row, value) in unwrapped.iter_mut().enumerate() {
        let time = session.time_of(positions.utc[row]);
        while shift + 1 < shifts.len() && shifts[shift + 1].0 <= time {
            shift += 1;
        }
        *value += shifts.get(shift).map_or(0.0, |(_, metres)| *metres);
    }
    unwrapped
}

/// A moment between two samples.
#[derive(Debug, Clone, Copy)]
struct Between {
    row: usize,
    next: usize,
    weight: f64,
}

impl Between {
    /// `None` before the first sample.
    fn new(times: &[Ts], time: Ts) -> Option<Self> {
        let row = as_of(times, time)?;
        let next = (row + 1).min(times.len() - 1);
        let span = times[next].0 - times[row].0;
        let weight = if span > 0 { (time.0 - times[row].0) as f64 / span as f64 } else { 0.0 };
        Some(Self { row, next, weight })
    }

    fn linear<T: Copy + Into<f64>>(self, column: &[T]) -> f64 {
        let (a, b): (f64, f64) = (column[self.row].into(), column[self.next].into());
        a + (b - a) * self.weight
    }
}

impl FrameSource for Frames {
    fn version(&self) -> &str {
        &self.version
    }

    fn start_s(&self) -> f64 {
        self.start.seconds()
    }

    fn frames(&self, rate: u32) -> u64 {
        self.count(rate)
    }

    fn encode(&self, rate: u32, format: FrameFormat, n: u64) -> Result<Bytes, Refusal> {
        let refuse = |kind, message| Refusal { kind, message };
        if n >= self.count(rate) {
            let message = format!("frame {n}: the session has {} at {rate} a second", self.count(rate));
            return Err(refuse(RefusalKind::NotFound, message));
        }
        let mut frame = Frame::default();
        self.fill(rate, n, &mut frame);
        let named = Named { frame: &frame, session: &self.session };
        match format {
            FrameFormat::Json => serde_json::to_vec(&named).map_err(|error| error.to_string()),
            FrameFormat::Msgpack => rmp_serde::to_vec_named(&named).map_err(|error| error.to_string()),
        }
        .map(Bytes::from)
        .map_err(|error| refuse(RefusalKind::Broken, format!("frame {n}: {error}")))
    }
}

/// A frame with its drivers by code.
struct Named<'a> {
    frame: &'a Frame,
    session: &'a Session,
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("n", &self.frame.n)?;
        map.serialize_entry("t", &rounded(self.frame.t, 1000.0))?;
        map.serialize_entry("lap", &self.frame.lap)?;
        map.serialize_entry("drivers", &Cars(self))?;
        map.serialize_entry("weather", &self.frame.weather.map(WeatherFrame))?;
        map.end()
    }
}

struct Cars<'a>(&'a Named<'a>);

impl Serialize for Cars<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.frame.cars.len()))?;
        for (car, driver) in self.0.frame.cars.iter().zip(&self.0.session.drivers) {
            map.serialize_entry(&driver.code, &OneCar(car))?;
        }
        map.end()
    }
}

struct OneCar<'a>(&'a CarFrame);

impl Serialize for OneCar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let car = self.0;
        let mut map = serializer.serialize_map(Some(17))?;
        map.serialize_entry("x", &rounded(car.x, 10.0))?;
        map.serialize_entry("y", &rounded(car.y, 10.0))?;
        map.serialize_entry("speed", &rounded(car.speed, 10.0))?;
        map.serialize_entry("gear", &car.gear)?;
        map.serialize_entry("lap", &car.lap)?;
        map.serialize_entry("position", &car.position)?;
        map.serialize_entry("tyre", &car.tyre.map(char::from))?;
        map.serialize_entry("throttle", &rounded(car.throttle, 10.0))?;
        map.serialize_entry("brake", &car.brake)?;
        map.serialize_entry("drs", &car.drs)?;
        map.serialize_entry("rpm", &rounded(car.rpm, 1.0))?;
        map.serialize_entry("dist", &rounded(car.dist, 100.0))?;
        map.serialize_entry("rel_dist", &rounded(car.rel_dist, 100_000.0))?;
        map.serialize_entry("gap_to_leader", &rounded(car.gap_to_leader, 1000.0))?;
        map.serialize_entry("interval", &rounded(car.interval, 1000.0))?;
        map.serialize_entry("race_progress", &rounded(car.race_progress, 100.0))?;
        map.serialize_entry("status", &car.status.map(CarStatus::name))?;
        map.end()
    }
}

struct WeatherFrame(Weather);

impl Serialize for WeatherFrame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let weather = &self.0;
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("air_temp", &rounded(weather.air_temp, 10.0))?;
        map.serialize_entry("track_temp", &rounded(weather.track_temp, 10.0))?;
        map.serialize_entry("humidity", &rounded(weather.humidity, 10.0))?;
        map.serialize_entry("pressure", &rounded(weather.pressure, 10.0))?;
        map.serialize_entry("rainfall", &weather.rainfall)?;
        map.serialize_entry("wind_direction", &rounded(weather.wind_direction, 1.0))?;
        map.serialize_entry("wind_speed", &rounded(weather.wind_speed, 10.0))?;
        map.end()
    }
}

/// Rounded to a multiple of `1 / scale`; `None` for NaN.
fn rounded(value: f64, scale: f64) -> Option<f64> {
    value.is_finite().then(|| (value * scale).round() / scale)
}
