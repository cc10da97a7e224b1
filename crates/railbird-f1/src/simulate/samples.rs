//! Samples of cars and positions on their two clocks, batched into records. Start at [`sample`].

use super::{
    machine::instruments,
    motion::{Doing, Trajectory},
    options::Stamps,
    random::Random,
    session::Scene,
};

/// Seconds before which positions are zero: the track is not live yet.
pub(super) const LIVE_FROM_S: f64 = 18.0;

/// Channels of a car sample: rpm, speed, gear, throttle, brake, DRS.
pub(super) const CHANNELS: [u16; 6] = [0, 2, 3, 4, 5, 45];

/// All cars at one moment. `V` is what a stream says of one car.
#[derive(Debug, Clone)]
pub(super) struct Moment<V> {
    /// When the sample was taken, UTC, ns.
    pub(super) utc_ns: i64,
    /// Racing number and values, by number.
    pub(super) cars: Vec<(u16, V)>,
}

/// Moments sent together.
#[derive(Debug, Clone)]
pub(super) struct Batch<V> {
    /// Session time at which the record is stamped, ms.
    pub(super) stamp_ms: i64,
    /// Its moments.
    pub(super) moments: Vec<Moment<V>>,
}

/// Channels of one car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CarValues {
    /// In the order of [`CHANNELS`].
    pub(super) channels: [i64; 6],
    /// A channel that nobody knows.
    pub(super) extra: bool,
}

/// Place of one car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlaceValues {
    /// 1/10 m.
    pub(super) xyz: [i64; 3],
    /// Whether the car is on the track.
    pub(super) on_track: bool,
}

/// The two sample streams of a session.
pub(super) struct Samples {
    /// `CarData.z`.
    pub(super) cars: Vec<Batch<CarValues>>,
    /// `Position.z`.
    pub(super) places: Vec<Batch<PlaceValues>>,
}

/// A sample clock: how far apart moments are, ms and weight.
type Intervals = &'static [(i64, f64)];

/// Shares seen in recordings: multiples of 40 ms for cars, of 20 ms for positions.
const CAR_INTERVALS: Intervals = &[
    (160, 170.0),
    (200, 196.0),
    (240, 177.0),
    (280, 150.0),
    (320, 112.0),
    (360, 82.0),
    (400, 59.0),
    (440, 33.0),
    (480, 10.4),
    (520, 1.5),
];
const PLACE_INTERVALS: Intervals = &[
    (40, 4.0),
    (80, 12.0),
    (120, 26.0),
    (140, 15.0),
    (160, 90.0),
    (180, 92.0),
    (200, 101.0),
    (220, 94.0),
    (240, 83.0),
    (260, 79.0),
    (280, 70.0),
    (300, 67.0),
    (320, 55.0),
    (340, 44.0),
    (360, 40.0),
    (380, 33.0),
    (400, 27.0),
    (420, 22.0),
    (440, 15.0),
    (460, 11.0),
    (480, 6.0),
    (500, 4.0),
    (520, 1.4),
];

/// Samples of `trajectories` from session time zero to `end` s.
pub(super) fn sample(scene: &Scene, trajectories: &[Trajectory], end: f64) -> Samples {
    let mut by_number: Vec<usize> = (0..scene.entrants.len()).collect();
    by_number.sort_by_key(|car| scene.entrants[*car].number);
    let car_values = |car: usize, time: f64| {
        let motion = trajectories[car].at(time);
        let bend = scene.track.curvature(motion.distance);
        let along = motion.speed * (1.0 - bend * motion.offset);
        let read = instruments(along, motion.acceleration);
        let off = matches!(motion.doing, Doing::Retired | Doing::Stopped) && motion.speed == 0.0;
        let channels = if off {
            [0, 0, 0, 0, 0, 0]
        } else {
            [read.rpm, read.speed, read.gear.into(), read.throttle.into(), read.brake.into(), motion.drs.into()]
                .map(i64::from)
        };
        CarValues { channels, extra: false }
    };
    let place_values = |car: usize, time: f64| {
        if time < LIVE_FROM_S {
            return PlaceValues { xyz: [0; 3], on_track: true };
        }
        let motion = trajectories[car].at(time);
        let place = scene.track.place(motion.distance, motion.offset);
        PlaceValues {
            xyz: place.map(|metres| (metres * 10.0).round() as i64),
            on_track: !matches!(motion.doing, Doing::Stopped | Doing::Retired),
        }
    };
    let numbers: Vec<(u16, usize)> = by_number.iter().map(|car| (scene.entrants[*car].number, *car)).collect();
    let mut random = Random::new(scene.seed, "car clock");
    let cars = batches(scene, &mut random, CAR_INTERVALS, 1.37, end, &numbers, car_values);
    let mut random = Random::new(scene.seed, "position clock");
    let places = batches(scene, &mut random, PLACE_INTERVALS, 1.61, end, &numbers, place_values);
    Samples { cars, places }
}

fn batches<V>(
    scene: &Scene,
    random: &mut Random,
    intervals: Intervals,
    first: f64,
    end: f64,
    numbers: &[(u16, usize)],
    values: impl Fn(usize, f64) -> V,
) -> Vec<Batch<V>> {
    let mut batches = Vec::new();
    let mut moments: Vec<Moment<V>> = Vec::new();
    // Sample times are in ticks of 100 ns, as the source writes them; with exact stamps in whole milliseconds.
    let exact = scene.stamps == Stamps::Exact;
    let begin = (first * 1e7).round() as i64 + if exact { 0 } else { random.index(9_999) as i64 };
    let (mut ticks, mut size) = (begin, 4);
    let last = (end * 1e7) as i64 - 5_000_000;
    while ticks < last {
        let time = ticks as f64 / 1e7;
        let cars = numbers.iter().map(|(number, car)| (*number, values(*car, time))).collect();
        moments.push(Moment { utc_ns: scene.origin_ns + ticks * 100, cars });
        let gap = random.chance(0.0025);
        let step = if gap { 600 + random.index(15) as i64 * 50 } else { random.weighted(intervals) };
        let jitter = if exact { 0 } else { random.range(-900.0, 900.0) as i64 };
        if moments.len() >= size || gap {
            let lag = if exact { 0.0 } else { latency(random) };
            let stamp_ms = (ticks as f64 / 1e4 + lag).ceil() as i64;
            batches.push(Batch { stamp_ms, moments: std::mem::take(&mut moments) });
            size = random.weighted(&[(2, 2.0), (3, 22.0), (4, 50.0), (5, 26.0)]);
        }
        ticks += step * 10_000 + jitter;
    }
    if !moments.is_empty() {
        batches.push(Batch { stamp_ms: (ticks / 10_000) + 50, moments });
    }
    // Records leave in order, however late one of them was.
    let mut latest = 0;
    for batch in &mut batches {
        latest = batch.stamp_ms.max(latest);
        batch.stamp_ms = latest;
    }
    batches
}

/// How long after its last moment a record is stamped, ms.
fn latency(random: &mut Random) -> f64 {
    let usual = random.range(0.0, 35.0);
    if random.chance(0.015) { usual + random.range(60.0, 700.0) } else { usual }
}
