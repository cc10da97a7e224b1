//! The walk that merges the two streams. Start at [`Merger::span`].

use railbird_timeline::Ts;

use super::{Curve, SampleSource, Span, Telemetry, spline::Spline};
use crate::columns::{CarColumns, Columns};
use crate::event::{DriverId, SessionTime};
use crate::geometry::Centreline;
use crate::session::Session;

const NS_A_MS: i64 = 1_000_000;
/// Rows on each side of the edge of a span through which its spline is drawn: a row's influence falls to a sixth at
/// each further row, below the last bit of a double after twenty.
const EDGE_ROWS: usize = 32;
/// How far the last piece of a spline is trusted beyond its last sample, s; the value there is held on.
const BEYOND_S_MAX: f64 = 1.0;
/// How far apart the first two positions of a car that stands may be, 1/10 m.
const STANDS_UNITS_MAX: u32 = 10;
/// From here on a car moves, km/h.
const MOVING_KMH: u16 = 30;
/// Fewest moving cars by which a record is judged.
const MOVING_CARS_MIN: usize = 5;

/// Memory of a merge, for the next one.
#[derive(Debug, Default)]
pub(super) struct Merger {
    /// Car samples that are drawn through.
    car_rows: Vec<usize>,
    /// Positions that are drawn through.
    position_rows: Vec<usize>,
    car_times: Vec<i64>,
    position_times: Vec<i64>,
    rows: Vec<Row>,
    places: Spline<3>,
    distances: Spline<1>,
    edge: Spline<4>,
    /// Rows before the first sample of each stream: car, position.
    leading: [usize; 2],
    /// Distance at each car sample, m.
    driven: Vec<f64>,
}

/// A moment of the merged clock.
#[derive(Debug, Clone, Copy)]
struct Row {
    time: i64,
    car: Between,
    position: Between,
    source: SampleSource,
}

/// Where a moment lies among the samples of a stream.
#[derive(Debug, Clone, Copy)]
struct Between {
    /// Sample at or before, or the first one.
    row: u32,
    /// Way to the next sample, 0 at a sample and before the first one.
    weight: f64,
    /// Whether the stream has a sample at or after the moment.
    closed: bool,
}

impl Merger {
    pub(super) fn span(&mut self, session: &Session, driver: DriverId, span: Span, curve: Curve, out: &mut Telemetry) {
        out.clear(span.start, session.origin);
        let Some(columns) = session.columns.get(driver.index()) else { return };
        let cut = |utc: &[Ts]| {
            let from = utc.partition_point(|utc| session_ns(session, *utc) < span.start.0);
            let to = utc.partition_point(|utc| session_ns(session, *utc) <= span.end.0);
            // One more on each side, to draw from.
            (from < to).then(|| from.saturating_sub(1)..(to + 1).min(utc.len()))
        };
        let (Some(car), Some(position)) = (cut(&columns.car.utc), cut(&columns.position.utc)) else { return };
        // The recording begins with a car that stands, as on the grid: it stood there before, too.
        let places = &columns.position;
        let near = |axis: &[i32]| axis[0].abs_diff(axis[1]) <= STANDS_UNITS_MAX;
        let stands = car.start == 0
            && position.start == 0
            && places.len() > 1
            && columns.car.speed[0] == 0
            && near(&places.x)
            && near(&places.y);
        let slices = Slices { columns, car, position, stands };
        self.merge(session, &slices, span.start.0, curve, out);
        for edge in [span.start.0, span.end.0] {
            self.insert_edge(edge, curve, out);
        }
        let from = out.time.partition_point(|time| *time < span.start);
        let to = out.time.partition_point(|time| *time <= span.end);
        out.keep(from..to);
        if let Some((known_at, line)) = &session.centreline {
            let known_at = if curve == Curve::Line { *known_at } else { SessionTime(i64::MIN) };
            measure(line, known_at, out);
        } else {
            out.track_distance.fill(f64::NAN);
        }
    }

    pub(super) fn whole(&mut self, session: &Session, driver: DriverId, curve: Curve, out: &mut Telemetry) {
        out.clear(SessionTime(0), session.origin);
        let Some(columns) = session.columns.get(driver.index()) else { return };
        let slices = Slices { columns, car: 0..columns.car.len(), position: 0..columns.position.len(), stands: false };
        if slices.car.is_empty() || slices.position.is_empty() {
            return;
        }
        let first = columns.car.utc[0].min(columns.position.utc[0]);
        out.start = SessionTime(session_ns(session, first));
        self.merge(session, &slices, out.start.0, curve, out);
        out.track_distance.fill(f64::NAN);
    }

    fn merge(&mut self, session: &Session, slices: &Slices<'_>, start: i64, curve: Curve, out: &mut Telemetry) {
        let (car, position) = (&slices.columns.car, &slices.columns.position);
        self.car_rows.clear();
        self.car_rows.extend(slices.car.clone().filter(|row| !repeats(session, car, *row)));
        clock(session, self.car_rows.iter().map(|row| car.utc[*row]), &mut self.car_times);
        self.position_rows.clear();
        self.position_rows.extend(slices.position.clone());
        clock(session, self.position_rows.iter().map(|row| position.utc[*row]), &mut self.position_times);
        if self.car_rows.is_empty() {
            return;
        }
        if slices.stands {
            stand_before(start, &mut self.car_times, &mut self.car_rows);
            stand_before(start, &mut self.position_times, &mut self.position_rows);
        }
        self.walk(curve);
        let seconds = |time: i64| (time - start) as f64 / 1e9;

        let mut driven = 0.0;
        let mut before = 0.0;
        self.driven.clear();
        self.driven.extend(self.car_times.iter().zip(&self.car_rows).map(|(&time, &row)| {
            let time = seconds(time);
            driven += f64::from(car.speed[row]) / 3.6 * (time - before);
            before = time;
            driven
        }));
        if curve == Curve::Spline {
            self.distances.fit(self.car_times.iter().map(|&time| seconds(time)), self.driven.iter().map(|&m| [m]));
            let places = self
                .position_rows
                .iter()
                .map(|&row| [position.x[row], position.y[row], position.z[row]].map(f64::from));
            self.places.fit(self.position_times.iter().map(|&time| seconds(time)), places);
        }

        let leading = |first: i64| self.rows.partition_point(|row| row.time < first);
        self.leading = [leading(self.car_times[0]), leading(self.position_times[0])];
        out.reserve(self.rows.len());
        let last = slices.latest();
        for row in &self.rows {
            let time = seconds(row.time);
            let next = |place: &Between| place.row as usize + usize::from(place.weight > 0.0);
            let (sample, following) = (row.car.row as usize, next(&row.car));
            let at = Sample { car: self.car_rows[sample], position: self.position_rows[row.position.row as usize] };
            let after = Sample { car: self.car_rows[following], position: self.position_rows[next(&row.position)] };
            out.time.push(SessionTime(row.time));
            out.source.push(row.source);
            out.push_car(car, at.car, after.car, row.car.weight);
            out.on_track.push(position.on_track[at.position]);
            let drawn = match curve {
                Curve::Spline => self.drawn(row, time),
                Curve::Line => {
                    let places = |row: usize| [position.x[row], position.y[row], position.z[row]].map(f64::from);
                    let (a, b) = (places(at.position), places(after.position));
                    let [x, y, z] = std::array::from_fn(|axis| mix(a[axis], b[axis], row.position.weight));
                    [x, y, z, mix(self.driven[sample], self.driven[following], row.car.weight)]
                }
            };
            let known = position.is_known(at.position) && position.is_known(after.position);
            out.push_place(drawn, known);
            out.known_at.push(match curve {
                Curve::Spline => last,
                Curve::Line => car.known_at[after.car].max(position.known_at[after.position]),
            });
        }
        let driven = self.driven.last().copied().unwrap_or(f64::NAN);
        match curve {
            Curve::Spline => out.relative_distance.extend(out.distance.iter().map(|distance| distance / driven)),
            Curve::Line => out.relative_distance.resize(out.distance.len(), f64::NAN),
        }
    }

    /// Every moment of both streams, in order, once.
    fn walk(&mut self, curve: Curve) {
        self.rows.clear();
        self.rows.reserve(self.car_times.len() + self.position_times.len());
        let (mut car, mut position) = (Cursor::new(&self.car_times), Cursor::new(&self.position_times));
        loop {
            let time = match (car.next(), position.next()) {
                (None, None) => return,
                (car, position) => car.unwrap_or(i64::MAX).min(position.unwrap_or(i64::MAX)),
            };
            car.advance(time);
            let has_position = position.advance(time);
            let row = Row {
                time,
                car: car.between(time),
                position: position.between(time),
                source: if has_position { SampleSource::Position } else { SampleSource::Car },
            };
            if curve == Curve::Line && !(row.car.closed && row.position.closed) {
                // What comes next will say what was here.
                return;
            }
            self.rows.push(row);
        }
    }

    /// Splines at a row: x, y, z, distance. Before a stream's first sample that sample holds.
    fn drawn(&self, row: &Row, time: f64) -> [f64; 4] {
        let held = |(first, last): (f64, f64)| time.clamp(first, last + BEYOND_S_MAX);
        let [x, y, z] = self.places.at(row.position.row as usize, held(self.places.ends()));
        let [distance] = self.distances.at(row.car.row as usize, held(self.distances.ends()));
        [x, y, z, distance]
    }

    /// A row at the start or end of a span, where no sample is.
    fn insert_edge(&mut self, edge: i64, curve: Curve, out: &mut Telemetry) {
        let index = out.time.partition_point(|time| time.0 < edge);
        if out.time.is_empty() || out.time.get(index).is_some_and(|time| time.0 == edge) {
            return;
        }
        if index == out.time.len() && curve == Curve::Line {
            return;
        }
        let (before, after) = (index.saturating_sub(1), index.min(out.time.len() - 1));
        let between = out.time[after].0 - out.time[before].0;
        let weight = if between == 0 { 0.0 } else { (edge - out.time[before].0) as f64 / between as f64 };
        let place = |row: usize| [out.x[row], out.y[row], out.z[row], out.distance[row]];
        let (a, b) = (place(before), place(after));
        let drawn = match curve {
            Curve::Line => std::array::from_fn(|axis| mix(a[axis], b[axis], weight)),
            Curve::Spline => {
                let [car, position] = self.leading;
                let [x, y, z, _] = self.drawn_at_edge(edge, position, index, out, a);
                [x, y, z, self.drawn_at_edge(edge, car, index, out, a)[3]]
            }
        };
        let driven = match curve {
            Curve::Spline => self.driven.last().copied().unwrap_or(f64::NAN),
            Curve::Line => f64::NAN,
        };
        out.time.insert(index, SessionTime(edge));
        out.source.insert(index, SampleSource::Interpolated);
        for column in [&mut out.rpm, &mut out.speed, &mut out.throttle] {
            let value = mix(column[before], column[after], weight);
            column.insert(index, value);
        }
        out.gear.insert(index, out.gear[before]);
        out.brake.insert(index, out.brake[before]);
        out.drs.insert(index, out.drs[before]);
        out.on_track.insert(index, out.on_track[before]);
        let [x, y, z, distance] = drawn;
        out.x.insert(index, x);
        out.y.insert(index, y);
        out.z.insert(index, z);
        out.distance.insert(index, distance);
        out.relative_distance.insert(index, distance / driven);
        let known = out.track_distance[before] == 0.0 && out.track_distance[after] == 0.0;
        out.track_distance.insert(index, if known { 0.0 } else { f64::NAN });
        out.known_at.insert(index, out.known_at[before].max(out.known_at[after]));
    }

    /// Splines at an edge through all rows near it, as FastF1 draws them in its second pass; rows before a stream's first
    /// sample are no part of its spline.
    fn drawn_at_edge(&mut self, edge: i64, first: usize, index: usize, out: &Telemetry, held: [f64; 4]) -> [f64; 4] {
        if index <= first {
            return held;
        }
        let window = first.max(index.saturating_sub(EDGE_ROWS))..(index + EDGE_ROWS).min(out.time.len());
        let seconds = |time: i64| (time - edge) as f64 / 1e9;
        let place = |row: usize| [out.x[row], out.y[row], out.z[row], out.distance[row]];
        self.edge.fit(window.clone().map(|row| seconds(out.time[row].0)), window.clone().map(place));
        let (_, last) = self.edge.ends();
        self.edge.at(index - 1 - window.start, 0f64.min(last + BEYOND_S_MAX))
    }
}

/// What is merged.
struct Slices<'a> {
    columns: &'a Columns,
    car: std::ops::Range<usize>,
    position: std::ops::Range<usize>,
    /// Whether the car stood before its first sample as it stands in it.
    stands: bool,
}

impl Slices<'_> {
    fn latest(&self) -> SessionTime {
        self.columns.car.known_at[self.car.end - 1].max(self.columns.position.known_at[self.position.end - 1])
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    car: usize,
    position: usize,
}

/// A place on one stream's clock.
struct Cursor<'a> {
    times: &'a [i64],
    /// Samples passed.
    passed: usize,
}

impl<'a> Cursor<'a> {
    const fn new(times: &'a [i64]) -> Self {
        Self { times, passed: 0 }
    }

    fn next(&self) -> Option<i64> {
        self.times.get(self.passed).copied()
    }

    /// Passes the sample at `time`, where there is one.
    fn advance(&mut self, time: i64) -> bool {
        let here = self.next() == Some(time);
        self.passed += usize::from(here);
        here
    }

    fn between(&self, time: i64) -> Between {
        let row = self.passed.saturating_sub(1);
        let (from, to) = (self.times[row], self.times.get(self.passed).copied());
        let weight = match to {
            Some(to) if self.passed > 0 && from < time => (time - from) as f64 / (to - from) as f64,
            _ => 0.0,
        };
        Between { row: row as u32, weight, closed: from >= time || to.is_some() }
    }
}

/// Session time of a sample, rounded to milliseconds, half to even, as FastF1 does.
fn session_ns(session: &Session, utc: Ts) -> i64 {
    let ms = utc.0.div_euclid(NS_A_MS);
    let rest = utc.0.rem_euclid(NS_A_MS);
    let up = rest > NS_A_MS / 2 || rest == NS_A_MS / 2 && ms % 2 != 0;
    (ms + i64::from(up)) * NS_A_MS - session.origin.0
}

/// A sample like the first one before it, as far away as the second one is behind it, where that is before `start`: so the
/// curve knows that the car stood.
fn stand_before(start: i64, times: &mut Vec<i64>, rows: &mut Vec<usize>) {
    if let [first, second, ..] = times[..]
        && 2 * first - second < start
    {
        times.insert(0, 2 * first - second);
        rows.insert(0, rows[0]);
    }
}

/// Whether a sample is of a record that repeats the one before: nearly every car that moves has all channels bit for bit as
/// before. Such a record measured nothing, and drawing through it would put a step into the speed. One car alone may
/// well repeat itself.
fn repeats(session: &Session, car: &CarColumns, row: usize) -> bool {
    if !repeats_alone(car, row) {
        return false;
    }
    let utc = car.utc[row];
    let (mut moving, mut repeated) = (0, 0);
    for other in session.columns.iter().map(|columns| &columns.car) {
        let Ok(row) = other.utc.binary_search(&utc) else { continue };
        moving += usize::from(row > 0 && other.speed[row] >= MOVING_KMH);
        repeated += usize::from(repeats_alone(other, row));
    }
    moving >= MOVING_CARS_MIN && repeated * 10 >= moving * 9
}

fn repeats_alone(car: &CarColumns, row: usize) -> bool {
    let Some(before) = row.checked_sub(1) else { return false };
    car.speed[row] >= MOVING_KMH
        && car.rpm[row] == car.rpm[before]
        && car.speed[row] == car.speed[before]
        && car.gear[row] == car.gear[before]
        && car.throttle[row] == car.throttle[before]
        && car.brake[row] == car.brake[before]
        && car.drs[row] == car.drs[before]
}

/// The clock of a stream; samples that fall into one millisecond stay apart.
fn clock(session: &Session, utc: impl Iterator<Item = Ts>, times: &mut Vec<i64>) {
    let mut last = i64::MIN;
    times.clear();
    times.extend(utc.map(|utc| {
        last = session_ns(session, utc).max(last.saturating_add(1));
        last
    }));
}

/// Metres along the line at every row with a position; rows that were known before the line was are left out.
fn measure(line: &Centreline, known_at: SessionTime, out: &mut Telemetry) {
    let length = line.length_m();
    let mut before: Option<(f64, f64)> = None;
    for row in 0..out.time.len() {
        if out.track_distance[row].is_nan() || out.known_at[row] < known_at {
            out.track_distance[row] = f64::NAN;
            continue;
        }
        let at = line.project(out.x[row], out.y[row], before.map(|(at, _)| at)).distance_m;
        let total = match before {
            None => {
                if at > length / 2.0 {
                    at - length
                } else {
                    at
                }
            }
            Some((last, total)) => total + line.way_m(last, at),
        };
        before = Some((at, total));
        out.track_distance[row] = total;
    }
}

/// Exactly `from` at weight 0.
fn mix(from: f64, to: f64, weight: f64) -> f64 {
    from + (to - from) * weight
}

impl Telemetry {
    fn clear(&mut self, start: SessionTime, origin: Ts) {
        self.start = start;
        self.origin = origin;
        self.keep(0..0);
    }

    fn push_car(&mut self, car: &CarColumns, at: usize, next: usize, weight: f64) {
        self.rpm.push(mix(f64::from(car.rpm[at]), f64::from(car.rpm[next]), weight));
        self.speed.push(mix(f64::from(car.speed[at]), f64::from(car.speed[next]), weight));
        self.throttle.push(mix(f64::from(car.throttle[at]), f64::from(car.throttle[next]), weight));
        self.gear.push(car.gear[at]);
        self.brake.push(car.brake[at] > 0);
        self.drs.push(car.drs[at]);
    }

    /// `known`: whether the source has positions here; decides whether the centreline is asked.
    fn push_place(&mut self, [x, y, z, distance]: [f64; 4], known: bool) {
        self.x.push(x);
        self.y.push(y);
        self.z.push(z);
        self.distance.push(distance);
        self.track_distance.push(if known { 0.0 } else { f64::NAN });
    }

    /// The columns of continuous values.
    const fn numbers(&mut self) -> [&mut Vec<f64>; 9] {
        [
            &mut self.rpm,
            &mut self.speed,
            &mut self.throttle,
            &mut self.x,
            &mut self.y,
            &mut self.z,
            &mut self.distance,
            &mut self.relative_distance,
            &mut self.track_distance,
        ]
    }

    fn reserve(&mut self, rows: usize) {
        let rows = rows + 2;
        self.time.reserve(rows);
        self.known_at.reserve(rows);
        self.source.reserve(rows);
        for column in self.numbers() {
            column.reserve(rows);
        }
        self.gear.reserve(rows);
        self.brake.reserve(rows);
        self.drs.reserve(rows);
        self.on_track.reserve(rows);
    }

    fn keep(&mut self, rows: std::ops::Range<usize>) {
        fn keep<T>(column: &mut Vec<T>, rows: &std::ops::Range<usize>) {
            column.truncate(rows.end);
            column.drain(..rows.start);
        }
        keep(&mut self.time, &rows);
        keep(&mut self.known_at, &rows);
        keep(&mut self.source, &rows);
        for column in self.numbers() {
            keep(column, &rows);
        }
        keep(&mut self.gear, &rows);
        keep(&mut self.brake, &rows);
        keep(&mut self.drs, &rows);
        keep(&mut self.on_track, &rows);
    }
}
