//! An invented circuit. Start at [`Track::generate`].
//!
//! The circuit is a closed cubic B-spline through seeded control points, resampled by arc length. Every place on it is
//! a distance from the line along the centreline and an offset to the left of it; the pit lane is such an offset too.

use std::f64::consts::TAU;

use super::random::Random;

/// A closed circuit, run counter-clockwise. Distances are metres along the centreline from the line on.
pub(super) struct Track {
    /// Length, m.
    pub(super) length: f64,
    /// Corners by distance.
    pub(super) corners: Vec<Corner>,
    /// Ends of the three sectors; the last is `length`.
    pub(super) sectors: [f64; 3],
    /// Timing loops: ends of the mini-sectors, ascending; the last is `length`.
    pub(super) loops: Vec<f64>,
    /// Speed trap on the longest straight that is not the pit straight.
    pub(super) trap: f64,
    /// Straights on which a car may pull out and pass.
    pub(super) straights: Vec<Straight>,
    /// The pit lane.
    pub(super) pit: PitLane,
    step: f64,
    points: Vec<Point>,
}

/// A corner.
pub(super) struct Corner {
    /// 1 first.
    pub(super) number: u8,
    /// Apex, m from the line.
    pub(super) apex: f64,
}

/// A straight, with DRS on the two longest.
pub(super) struct Straight {
    /// Where it begins, m from the line.
    pub(super) from: f64,
    /// Length, m.
    pub(super) length: f64,
    /// Whether DRS may be opened on it.
    pub(super) drs: bool,
}

/// The pit lane, beside the start-finish straight: all distances relative to the line, negative before it.
pub(super) struct PitLane {
    /// Where the lane leaves the track.
    pub(super) entry: f64,
    /// Where the speed limit begins.
    pub(super) limit_from: f64,
    /// Where it ends.
    pub(super) limit_to: f64,
    /// Where the lane has rejoined the track.
    pub(super) exit: f64,
    /// First team's box; the others follow every `box_spacing`.
    pub(super) first_box: f64,
    /// m.
    pub(super) box_spacing: f64,
    /// Offset of the lane to the left of the centreline, m.
    pub(super) offset: f64,
}

#[derive(Clone, Copy)]
struct Point {
    xyz: [f64; 3],
    normal: [f64; 2],
    curvature: f64,
}

impl Track {
    /// The circuit of `seed`.
    pub(super) fn generate(seed: u64) -> Self {
        let mut random = Random::new(seed, "track");
        // Most draws give a circuit that one would drive; the rest are drawn again. The bound is never met in practice,
        // and the last draw is still a closed curve.
        let mut path = Vec::new();
        for _ in 0..400 {
            path = draw(&mut random);
            if is_drivable(&path) {
                break;
            }
        }
        Self::from_path(&path, &mut random)
    }

    fn from_path(path: &[[f64; 2]], random: &mut Random) -> Self {
        let count = path.len();
        let length: f64 = (0..count).map(|i| distance(path[i], path[(i + 1) % count])).sum();
        let step = length / count as f64;
        let waves: Vec<(f64, f64, f64)> =
            (1..=4).map(|k| (f64::from(k), random.range(2.0, 11.0) / f64::from(k), random.range(0.0, TAU))).collect();
        let ground = random.range(20.0, 120.0);
        let turn = random.range(0.0, TAU);
        let shift = [random.range(-800.0, 800.0), random.range(-800.0, 800.0)];
        let (sin, cos) = turn.sin_cos();
        let placed: Vec<[f64; 2]> =
            path.iter().map(|p| [p[0] * cos - p[1] * sin + shift[0], p[0] * sin + p[1] * cos + shift[1]]).collect();
        let curvature = smooth(&curvatures(&placed, step), 4);
        let points: Vec<Point> = (0..count)
            .map(|i| {
                let (before, after) = (placed[(i + count - 1) % count], placed[(i + 1) % count]);
                let tangent = [after[0] - before[0], after[1] - before[1]];
                let size = tangent[0].hypot(tangent[1]);
                let along = i as f64 / count as f64 * TAU;
                let z = ground + waves.iter().map(|(k, height, phase)| height * (k * along + phase).sin()).sum::<f64>();
                Point {
                    xyz: [placed[i][0], placed[i][1], z],
                    normal: [-tangent[1] / size, tangent[0] / size],
                    curvature: curvature[i],
                }
            })
            .collect();
        let mut track = Self {
            length,
            corners: Vec::new(),
            sectors: [(length * random.range(0.29, 0.33)).round(), (length * random.range(0.64, 0.69)).round(), length],
            loops: Vec::new(),
            trap: 0.0,
            straights: Vec::new(),
            pit: PitLane {
                entry: -400.0,
                limit_from: -275.0,
                limit_to: 195.0,
                exit: 275.0,
                first_box: -170.0,
                box_spacing: 28.0,
                offset: 16.0,
            },
            step,
            points,
        };
        track.corners = track.find_corners();
        track.straights = track.find_straights();
        track.loops = track.place_loops();
        track.trap = track
            .straights
            .iter()
            .filter(|straight| straight.from > 300.0 && straight.from + straight.length < length)
            .max_by(|a, b| a.length.total_cmp(&b.length))
            .map_or(length * 0.5, |straight| straight.from + straight.length * 0.85);
        track
    }

    /// Place `offset` m to the left of the centreline at `distance` m from the line (any number of laps), m.
    pub(super) fn place(&self, distance: f64, offset: f64) -> [f64; 3] {
        let (a, b, part) = self.at(distance);
        let mix = |from: f64, to: f64| from + (to - from) * part;
        [
            mix(a.xyz[0], b.xyz[0]) + offset * mix(a.normal[0], b.normal[0]),
            mix(a.xyz[1], b.xyz[1]) + offset * mix(a.normal[1], b.normal[1]),
            mix(a.xyz[2], b.xyz[2]),
        ]
    }

    /// Curvature of the centreline, 1/m, positive to the left.
    pub(super) fn curvature(&self, distance: f64) -> f64 {
        let (a, b, part) = self.at(distance);
        a.curvature + (b.curvature - a.curvature) * part
    }

    /// `distance` brought into [0, length).
    pub(super) fn wrap(&self, distance: f64) -> f64 {
        let wrapped = distance.rem_euclid(self.length);
        if wrapped < self.length { wrapped } else { 0.0 }
    }

    /// The straight that `distance` lies on.
    pub(super) fn straight_at(&self, distance: f64) -> Option<usize> {
        self.straights.iter().position(|straight| self.wrap(distance - straight.from) < straight.length)
    }

    /// Distance from the line that `distance` is nearest to, in (-length/2, length/2].
    pub(super) fn signed(&self, distance: f64) -> f64 {
        let wrapped = self.wrap(distance);
        if wrapped > self.length * 0.5 { wrapped - self.length } else { wrapped }
    }

    /// Points of the centreline at most `spacing` m apart, from the line on, m.
    pub(super) fn centreline(&self, spacing: f64) -> Vec<[f64; 3]> {
        let count = (self.length / spacing).ceil() as usize;
        (0..count).map(|i| self.place(i as f64 * self.length / count as f64, 0.0)).collect()
    }

    fn at(&self, distance: f64) -> (Point, Point, f64) {
        let position = self.wrap(distance) / self.step;
        let index = (position as usize).min(self.points.len() - 1);
        (self.points[index], self.points[(index + 1) % self.points.len()], position - index as f64)
    }

    fn find_corners(&self) -> Vec<Corner> {
        let count = self.points.len();
        let bend = |i: usize| self.points[i % count].curvature.abs();
        let mut apexes: Vec<usize> = Vec::new();
        for i in 0..count {
            let reach = (35.0 / self.step) as usize;
            let is_peak =
                bend(i) > 1.0 / 220.0 && (1..=reach).all(|d| bend(i) > bend(i + d) && bend(i) >= bend(i + count - d));
            if is_peak {
                apexes.push(i);
            }
        }
        let corner = |(index, apex): (usize, usize)| Corner { number: index as u8 + 1, apex: apex as f64 * self.step };
        apexes.into_iter().enumerate().take(27).map(corner).collect()
    }

    fn find_straights(&self) -> Vec<Straight> {
        let count = self.points.len();
        let flat = |i: usize| self.points[i % count].curvature.abs() < 1.0 / 450.0;
        let Some(first_bend) = (0..count).find(|&i| !flat(i)) else { return Vec::new() };
        let mut straights = Vec::new();
        let mut from = None;
        for i in first_bend..=first_bend + count {
            match (flat(i), from) {
                (true, None) => from = Some(i),
                (false, Some(begin)) => {
                    let length = (i - begin) as f64 * self.step;
                    if length > 250.0 {
                        straights.push(Straight { from: self.wrap(begin as f64 * self.step), length, drs: false });
                    }
                    from = None;
                }
                _ => {}
            }
        }
        straights.sort_by(|a, b| b.length.total_cmp(&a.length));
        for straight in straights.iter_mut().take(2) {
            straight.drs = true;
        }
        straights
    }

    fn place_loops(&self) -> Vec<f64> {
        let mut loops = Vec::new();
        let mut from = 0.0;
        for end in self.sectors {
            let parts = ((end - from) / 235.0).round().max(3.0);
            loops.extend((1..=parts as usize).map(|part| from + (end - from) * part as f64 / parts));
            from = end;
        }
        if let Some(last) = loops.last_mut() {
            *last = self.length;
        }
        loops
    }
}

/// Control points, spline, arc length: a closed path of points about a metre apart, scaled to its final length.
///
/// Six control points in a row make a straight that is exactly straight between the inner ones; the line is on it, far
/// enough from both ends for the pit lane to lie beside it.
fn draw(random: &mut Random) -> Vec<[f64; 2]> {
    let mut control: Vec<[f64; 2]> = (0..6).map(|i| [-0.95 + 0.38 * f64::from(i), -0.72]).collect();
    let around = 11 + random.index(4);
    let (begin, end) = (-24.0_f64, 204.0_f64);
    for i in 0..around {
        let angle = (begin + (end - begin) * (i as f64 + 0.5 + random.range(-0.24, 0.24)) / around as f64).to_radians();
        let swing = random.range(0.05, 0.42);
        let radius = if i % 2 == 0 { 0.98 + swing } else { 0.94 - swing };
        control.push([radius * 1.15 * angle.cos(), radius * 0.85 * angle.sin()]);
    }
    let control = straighten(control, random);
    let scale = random.range(4_700.0, 5_500.0);
    let fine = spline(&control, 96);
    let count = fine.len();
    let length: f64 = (0..count).map(|i| distance(fine[i], fine[(i + 1) % count])).sum();
    let fine: Vec<[f64; 2]> = fine.iter().map(|p| [p[0] * scale / length, p[1] * scale / length]).collect();
    resample(&fine, scale.round() as usize)
}

/// Puts two points on each of a few sides of the control polygon: four in a row make a straight.
fn straighten(control: Vec<[f64; 2]>, random: &mut Random) -> Vec<[f64; 2]> {
    let count = control.len();
    let side = |i: usize| distance(control[i], control[(i + 1) % count]);
    let mut sides: Vec<usize> = (5..count).collect();
    sides.sort_by(|a, b| side(*b).total_cmp(&side(*a)));
    sides.truncate(3 + random.index(2));
    let mut points = Vec::with_capacity(count + 2 * sides.len());
    for i in 0..count {
        points.push(control[i]);
        if sides.contains(&i) {
            let (a, b) = (control[i], control[(i + 1) % count]);
            for part in [0.27, 0.73] {
                points.push([a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part]);
            }
        }
    }
    points
}

/// A closed uniform cubic B-spline, `parts` points a span.
fn spline(control: &[[f64; 2]], parts: usize) -> Vec<[f64; 2]> {
    let count = control.len();
    let mut points = Vec::with_capacity(count * parts);
    // The first span begins at the fourth control point: two thirds along the start-finish straight.
    for span in 0..count {
        let p = |k: usize| control[(span + k + 2) % count];
        for part in 0..parts {
            let t = part as f64 / parts as f64;
            let weights = [
                (1.0 - t).powi(3) / 6.0,
                (3.0 * t.powi(3) - 6.0 * t * t + 4.0) / 6.0,
                (-3.0 * t.powi(3) + 3.0 * t * t + 3.0 * t + 1.0) / 6.0,
                t.powi(3) / 6.0,
            ];
            let axis = |a: usize| (0..4).map(|k| weights[k] * p(k)[a]).sum::<f64>();
            points.push([axis(0), axis(1)]);
        }
    }
    points
}

/// `count` points at equal arc length along the closed `path`.
fn resample(path: &[[f64; 2]], count: usize) -> Vec<[f64; 2]> {
    let n = path.len();
    let mut along = vec![0.0; n + 1];
    for i in 0..n {
        along[i + 1] = along[i] + distance(path[i], path[(i + 1) % n]);
    }
    let mut at = 0;
    (0..count)
        .map(|i| {
            let want = along[n] * i as f64 / count as f64;
            while at + 1 < n && along[at + 1] <= want {
                at += 1;
            }
            let part = (want - along[at]) / (along[at + 1] - along[at]);
            let (a, b) = (path[at], path[(at + 1) % n]);
            [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part]
        })
        .collect()
}

/// Corners not too tight, none missing, and no two stretches of track close to one another.
fn is_drivable(path: &[[f64; 2]]) -> bool {
    let count = path.len();
    let bends = smooth(&curvatures(path, 1.0), 4);
    let tightest = bends.iter().fold(0.0_f64, |most, bend| most.max(bend.abs()));
    if !(1.0 / 45.0..=1.0 / 14.0).contains(&tightest) {
        return false;
    }
    let tight = bends.windows(2).filter(|pair| pair[0].abs() < 1.0 / 120.0 && pair[1].abs() >= 1.0 / 120.0).count();
    if !(8..=20).contains(&tight) {
        return false;
    }
    // Three straights besides the bends: long runs of nearly no curvature, the start-finish straight among them.
    let straight = |from: usize| (0..230).all(|d| bends[(from + d) % count].abs() < 1.0 / 450.0);
    let begins = (0..count).filter(|&i| bends[(i + count - 1) % count].abs() >= 1.0 / 450.0 && straight(i)).count();
    if begins < 3 {
        return false;
    }
    let coarse: Vec<[f64; 2]> = path.iter().copied().step_by(15).collect();
    (0..coarse.len()).all(|i| {
        (i + 1..coarse.len()).all(|j| {
            let apart = ((j - i) * 15).min(count - (j - i) * 15);
            apart < 260 || distance(coarse[i], coarse[j]) > 75.0
        })
    })
}

fn curvatures(path: &[[f64; 2]], step: f64) -> Vec<f64> {
    let count = path.len();
    let heading = |i: usize| {
        let (a, b) = (path[i % count], path[(i + 1) % count]);
        (b[1] - a[1]).atan2(b[0] - a[0])
    };
    (0..count)
        .map(|i| {
            let turn = heading(i) - heading(i + count - 1);
            (turn - TAU * (turn / TAU).round()) / step
        })
        .collect()
}

fn smooth(values: &[f64], reach: usize) -> Vec<f64> {
    let count = values.len();
    let width = (2 * reach + 1) as f64;
    (0..count).map(|i| (0..=2 * reach).map(|d| values[(i + count + d - reach) % count]).sum::<f64>() / width).collect()
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
