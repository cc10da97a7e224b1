//! Fits a closed line to the first clean laps. Start at [`fit`].
//!
//! The samples of a lap are some 15 m apart and every lap runs a little beside the others; together they lie dense enough
//! for a local parabola in arc length, which takes the noise out and leaves the corners in.

use super::{Centreline, UNITS_PER_M, curve};

/// One lap of one car: positions in 1/10 m in order of driving, from about one pass of a place to the next.
pub(crate) type Trace = Vec<(f64, f64)>;

/// Spacing of the points of a line, m.
const SPACING_M: f64 = 5.0;
/// Samples nearer to their forerunner than this add nothing, m.
const MOVED_M_MIN: f64 = 4.0;
/// A sample farther from the line of the round before is an outlier or an excursion, m.
const OFFSET_M_MAX: f64 = 12.0;
/// Least half-width of the window of a local parabola, m.
const WINDOW_M: f64 = 18.0;
/// Least number of samples on either side in a window; it widens until it has as many, since a parabola that rests on
/// one side only runs away on the other.
const SIDE_SAMPLES: usize = 4;
/// Widest half-width of a window, m.
const WINDOW_M_MAX: f64 = 80.0;
/// The ends of a trace count less over this way, m: a car leaves its grid slot some metres beside the line of the others,
/// and where such a trace joined at full weight the line would jump aside.
const TAPER_M: f64 = 80.0;
/// Least weight of a sample at the very end of a trace.
const TAPER_MIN: f64 = 0.02;
/// Rounds of projecting and smoothing.
const ROUNDS: usize = 3;

/// The line through `traces`, the first of which gives the first guess; its zero is where that trace begins.
///
/// `None` where the first trace does not close to a loop, or the samples do not cover it. O(samples).
pub(crate) fn fit(traces: &[Trace]) -> Option<Centreline> {
    let mut line = even(&moved(traces.first()?), SPACING_M)?;
    for _ in 0..ROUNDS {
        line = even(&smooth(&line, traces)?, SPACING_M)?;
    }
    let points = line.points().iter().map(|(x, y)| (tenth(*x), tenth(*y))).collect();
    Centreline::from_parts((line.length_m() * 1000.0).round() / 1000.0, points).ok()
}

/// The same line with its zero at `distance_m`, rounded as it is stored.
pub(crate) fn from_zero(line: &Centreline, distance_m: f64) -> Option<Centreline> {
    let count = line.points().len();
    let points = (0..count)
        .map(|index| line.on_curve(distance_m + line.length_m() * index as f64 / count as f64))
        .map(|(x, y)| (tenth(x), tenth(y)))
        .collect();
    Centreline::from_parts(line.length_m(), points).ok()
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The places of a trace without standstill.
fn moved(trace: &Trace) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = Vec::with_capacity(trace.len());
    for &(x, y) in trace {
        let far = |last: &(f64, f64)| (x - last.0).hypot(y - last.1) >= MOVED_M_MIN * UNITS_PER_M;
        if places.last().is_none_or(far) {
            places.push((x, y));
        }
    }
    while places.len() > 1 {
        let (first, last) = (places[0], places[places.len() - 1]);
        if (first.0 - last.0).hypot(first.1 - last.1) >= MOVED_M_MIN * UNITS_PER_M {
            break;
        }
        places.pop();
    }
    places
}

/// The closed curve through `places`, at even spacing of about `spacing_m`.
fn even(places: &[(f64, f64)], spacing_m: f64) -> Option<Centreline> {
    let count = places.len();
    if count < 8 {
        return None;
    }
    // Arc length on a fine polyline of the curve.
    let fine = 8;
    let mut curve_places = Vec::with_capacity(count * fine + 1);
    for span in 0..count {
        let [a, b, c, d] = [span + count - 1, span, span + 1, span + 2].map(|index| places[index % count]);
        for part in 0..fine {
            let u = part as f64 / fine as f64;
            curve_places.push((curve([a.0, b.0, c.0, d.0], u).0, curve([a.1, b.1, c.1, d.1], u).0));
        }
    }
    curve_places.push(places[0]);
    let mut length = 0.0;
    let mut lengths = Vec::with_capacity(curve_places.len());
    lengths.push(0.0);
    for pair in curve_places.windows(2) {
        length += (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1) / UNITS_PER_M;
        lengths.push(length);
    }
    let steps = (length / spacing_m).round().clamp(8.0, 20_000.0) as usize;
    let mut span = 0;
    let points = (0..steps)
        .map(|step| {
            let wanted = length * step as f64 / steps as f64;
            while span + 2 < lengths.len() && lengths[span + 1] <= wanted {
                span += 1;
            }
            let width = lengths[span + 1] - lengths[span];
            let weight = if width > 0.0 { (wanted - lengths[span]) / width } else { 0.0 };
            let (a, b) = (curve_places[span], curve_places[span + 1]);
            (a.0 + (b.0 - a.0) * weight, a.1 + (b.1 - a.1) * weight)
        })
        .collect();
    Centreline::from_parts(length, points).ok()
}

/// Sample of a trace in the frame of a line.
struct Sample {
    distance_m: f64,
    x: f64,
    y: f64,
    weight: f64,
}

/// Weights of the places of a trace: how far along the trace each stands and how near to its ends.
fn taper(places: &[(f64, f64)]) -> Vec<f64> {
    let mut way_m = 0.0;
    let mut ways: Vec<f64> = Vec::with_capacity(places.len());
    ways.push(0.0);
    for pair in places.windows(2) {
        way_m += (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1) / UNITS_PER_M;
        ways.push(way_m);
    }
    // A place stands for the way around it, so that a car that starts slowly does not outvote those that pass.
    let share = |index: usize| {
        let (before, after) = (ways[index.saturating_sub(1)], ways[(index + 1).min(ways.len() - 1)]);
        ((after - before) / 30.0).clamp(0.1, 1.0)
    };
    let ends = |index: usize| (ways[index].min(way_m - ways[index]) / TAPER_M).clamp(TAPER_MIN, 1.0);
    (0..places.len()).map(|index| share(index) * ends(index)).collect()
}

/// A local parabola of the samples at every point of `line`.
fn smooth(line: &Centreline, traces: &[Trace]) -> Option<Vec<(f64, f64)>> {
    let mut samples = Vec::with_capacity(traces.iter().map(Vec::len).sum());
    for trace in traces {
        let mut hint = None;
        let places = moved(trace);
        for ((x, y), weight) in places.iter().copied().zip(taper(&places)) {
            let found = line.project(x, y, hint);
            if found.offset_m.abs() <= OFFSET_M_MAX {
                hint = Some(found.distance_m);
                samples.push(Sample { distance_m: found.distance_m, x, y, weight });
            }
        }
    }
    samples.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m));
    if samples.len() < 8 * SIDE_SAMPLES {
        return None;
    }
    let count = line.points().len();
    (0..count)
        .map(|point| {
            let at_m = line.length_m() * point as f64 / count as f64;
            parabola(line, &samples, at_m).or_else(|| Some(line.at(at_m)))
        })
        .collect()
}

/// Value at `at_m` of the parabola through the samples around, weighted by nearness.
fn parabola(line: &Centreline, samples: &[Sample], at_m: f64) -> Option<(f64, f64)> {
    let count = samples.len();
    let first = samples.partition_point(|sample| sample.distance_m < at_m);
    let way = |index: usize| line.way_m(at_m, samples[index % count].distance_m);
    // The window is an index range around `first`, on the circle.
    let (mut low, mut high) = (first + count, first + count);
    let mut half_m = WINDOW_M;
    loop {
        while high + 1 < low + count && way(high).abs() <= half_m {
            high += 1;
        }
        while low + count > high + 1 && way(low - 1).abs() <= half_m {
            low -= 1;
        }
        let (behind, ahead) = (first + count - low, high - first - count);
        if behind.min(ahead) >= SIDE_SAMPLES || half_m >= WINDOW_M_MAX {
            break;
        }
        half_m *= 1.25;
    }
    // Normal equations of a + b s + c s², s in half-widths.
    let mut moments = [0.0; 5];
    let mut sums = [[0.0; 3]; 2];
    for index in low..high {
        let s = way(index) / half_m;
        let sample = &samples[index % count];
        let weight = sample.weight * (1.0 - s.abs().powi(3)).max(0.0).powi(3);
        let powers = [1.0, s, s * s, s.powi(3), s.powi(4)].map(|power| weight * power);
        moments.iter_mut().zip(powers).for_each(|(moment, power)| *moment += power);
        for (sum, value) in sums.iter_mut().zip([sample.x, sample.y]) {
            sum.iter_mut().zip(powers).for_each(|(sum, power)| *sum += power * value);
        }
    }
    Some((constant(&moments, &sums[0])?, constant(&moments, &sums[1])?))
}

/// First unknown of the 3×3 normal equations by Cramer's rule.
fn constant(m: &[f64; 5], sums: &[f64; 3]) -> Option<f64> {
    let det = |a: [f64; 3], b: [f64; 3], c: [f64; 3]| {
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    };
    let whole = det([m[0], m[1], m[2]], [m[1], m[2], m[3]], [m[2], m[3], m[4]]);
    let first = det([sums[0], m[1], m[2]], [sums[1], m[2], m[3]], [sums[2], m[3], m[4]]);
    (whole.abs() > 1e-6 * m[0].powi(3)).then(|| first / whole)
}
