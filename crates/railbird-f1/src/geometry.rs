//! Where the track is: one closed line that every car is measured along. Start at [`Centreline`].
//!
//! The contentious decision: the line is fitted once in a session and never again, so that a distance that was
//! published stays comparable with every later one. It is smooth enough for a distance to rise evenly in corners:
//! between two vertices the normal turns linearly, so two cars side by side on different lines have the same distance.
//!
//! Invariant: the line is a pure function of its length and its points, so a stored session measures as the import did.

mod fit;
mod index;

pub(crate) use self::fit::{Trace, fit, from_zero};
use self::index::Index;

/// Coordinates in a metre: the source gives 1/10 m.
const UNITS_PER_M: f64 = 10.0;
/// Largest spacing of the vertices that are projected on, m. At a corner of 20 m radius a chord of this
/// length leaves the curve by 4 cm.
const STEP_M_MAX: f64 = 2.6;
/// Farthest that a projection found from a hint may be off the line before the whole line is searched, m.
const LOCAL_OFFSET_M: f64 = 25.0;
/// Tangents are those of the line at large, averaged this far either way, m: a wave of a metre in the line would turn its
/// normals enough to misplace a car in the pit lane, 15 m beside it, by several metres.
const CALM_M: f64 = 12.0;
/// Beyond this way from the hint only a place near the line is believed without searching all of it, m.
const LOCAL_WAY_M: f64 = 150.0;
/// What near the line means there, m.
const NEAR_OFFSET_M: f64 = 8.0;
/// Moves along the line before a search from a hint is given up.
const MOVES_MAX: usize = 48;

/// A closed centreline with arc length from the finish line, in the direction of driving.
#[derive(Debug, Clone, PartialEq)]
pub struct Centreline {
    length_m: f64,
    points: Vec<(f64, f64)>,
    /// Evenly spaced vertices, denser than the points.
    vertices: Vec<Vertex>,
    step_m: f64,
    steps_a_m: f64,
    index: Index,
}

/// A point of the line, 1/10 m, and the unit tangent in it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vertex {
    x: f64,
    y: f64,
    tx: f64,
    ty: f64,
}

/// Where a car is along the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// Arc length from the finish line, m, in `0..length_m`.
    pub distance_m: f64,
    /// Distance from the line, m, positive to the left of the direction of driving.
    pub offset_m: f64,
}

/// Why no centreline can be made of what is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CentrelineError {
    /// Fewer points than a closed smooth line needs, or more than one is followed on.
    #[error("centreline: expected 8 to 20000 points, got {0}")]
    Points(usize),
    /// A length or coordinate that is not a finite number in range.
    #[error("centreline: the length or point {0} is out of range")]
    Range(usize),
}

impl Centreline {
    /// From the parts of an earlier line: its length in metres, and its points in 1/10 m, evenly spaced from the finish
    /// line on in the direction of driving, the first not repeated at the end. O(points).
    ///
    /// # Errors
    /// Where there are too few or too many points, or one of the numbers is out of range.
    pub fn from_parts(length_m: f64, points: Vec<(f64, f64)>) -> Result<Self, CentrelineError> {
        if !(8..=20_000).contains(&points.len()) {
            return Err(CentrelineError::Points(points.len()));
        }
        if !(100.0..=100_000.0).contains(&length_m) {
            return Err(CentrelineError::Range(0));
        }
        let in_range = |value: f64| value.is_finite() && value.abs() < 1e7;
        if let Some(bad) = points.iter().position(|(x, y)| !in_range(*x) || !in_range(*y)) {
            return Err(CentrelineError::Range(bad));
        }
        let parts = ((length_m / points.len() as f64) / STEP_M_MAX).ceil().clamp(1.0, 1000.0) as usize;
        let mut vertices = dense(&points, parts);
        let step_m = length_m / vertices.len() as f64;
        calm(&mut vertices, (CALM_M / step_m) as usize);
        let index = Index::new(vertices.iter().map(|vertex| (vertex.x, vertex.y)));
        Ok(Self { length_m, points, vertices, step_m, steps_a_m: step_m.recip(), index })
    }

    /// Length of a lap along the line, m.
    pub const fn length_m(&self) -> f64 {
        self.length_m
    }

    /// Evenly spaced points from the finish line on, 1/10 m; the first is not repeated at the end.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The point at `distance_m`, 1/10 m. Any distance is taken modulo the length.
    pub fn at(&self, distance_m: f64) -> (f64, f64) {
        let place = distance_m.rem_euclid(self.length_m) / self.step_m;
        let here = (place as usize).min(self.vertices.len() - 1);
        let (a, b) = (&self.vertices[here], &self.vertices[self.next(here)]);
        let weight = place - here as f64;
        (a.x + (b.x - a.x) * weight, a.y + (b.y - a.y) * weight)
    }

    /// The point at `distance_m` on the curve through the points, 1/10 m.
    fn on_curve(&self, distance_m: f64) -> (f64, f64) {
        let count = self.points.len();
        let place = distance_m.rem_euclid(self.length_m) / self.length_m * count as f64;
        let span = (place as usize).min(count - 1);
        let [a, b, c, d] = [span + count - 1, span, span + 1, span + 2].map(|index| self.points[index % count]);
        let u = place - span as f64;
        (curve([a.0, b.0, c.0, d.0], u).0, curve([a.1, b.1, c.1, d.1], u).0)
    }

    /// Where `(x, y)`, 1/10 m, is along the line.
    ///
    /// `hint_m`: the distance of the car's sample before this one, from which the line is searched first; so a car stays
    /// on its own branch where the track comes near itself. Without a hint, or where it leads nowhere near the line, the
    /// nearest branch counts. A few additions with a hint; without, O(vertices within some 100 m).
    pub fn project(&self, x: f64, y: f64, hint_m: Option<f64>) -> Projection {
        if let Some(hint_m) = hint_m {
            // The remainder costs more than the rest of the search; a hint is mostly a distance that came from here.
            let within = (0.0..self.length_m).contains(&hint_m);
            let hint_m = if within { hint_m } else { hint_m.rem_euclid(self.length_m) };
            let start = (hint_m * self.steps_a_m) as usize;
            if let Some(found) = self.walk(x, y, start.min(self.vertices.len() - 1))
                && (found.offset_m.abs() <= NEAR_OFFSET_M
                    || found.offset_m.abs() <= LOCAL_OFFSET_M
                        && self.way_m(hint_m, found.distance_m).abs() <= LOCAL_WAY_M)
            {
                return found;
            }
        }
        self.search(x, y, hint_m)
    }

    /// Signed way from `from_m` to `to_m` along the line, the shorter way round, m.
    pub fn way_m(&self, from_m: f64, to_m: f64) -> f64 {
        let way = to_m - from_m;
        let way = if way.abs() < self.length_m { way } else { way % self.length_m };
        match way {
            way if way > self.length_m / 2.0 => way - self.length_m,
            way if way < -self.length_m / 2.0 => way + self.length_m,
            way => way,
        }
    }

    const fn next(&self, vertex: usize) -> usize {
        if vertex + 1 == self.vertices.len() { 0 } else { vertex + 1 }
    }

    /// Component of the way from `vertex` to the point along the tangent there, m.
    fn along(&self, vertex: usize, x: f64, y: f64) -> f64 {
        let at = &self.vertices[vertex];
        ((x - at.x) * at.tx + (y - at.y) * at.ty) / UNITS_PER_M
    }

    /// Follows the tangents from `start` until the point lies between the normals of two neighbouring vertices.
    fn walk(&self, x: f64, y: f64, start: usize) -> Option<Projection> {
        let count = self.vertices.len();
        let mut here = start;
        for moves in 0..MOVES_MAX {
            // Long strides first; single steps once they may be going back and forth over the place.
            let stride =
                |way_m: f64| if moves < 8 { ((way_m * self.steps_a_m) as usize).clamp(1, count / 4) } else { 1 };
            let behind = self.along(here, x, y);
            if behind < 0.0 {
                let back = stride(-behind);
                here = if here < back { here + count - back } else { here - back };
                continue;
            }
            let next = self.next(here);
            let ahead = self.along(next, x, y);
            if ahead >= 0.0 {
                here += stride(ahead + self.step_m);
                here = if here < count { here } else { here - count };
                continue;
            }
            return Some(self.between(here, next, behind / (behind - ahead), x, y));
        }
        None
    }

    fn between(&self, here: usize, next: usize, weight: f64, x: f64, y: f64) -> Projection {
        let (a, b) = (&self.vertices[here], &self.vertices[next]);
        let mix = |a: f64, b: f64| a + (b - a) * weight;
        let (dx, dy) = (x - mix(a.x, b.x), y - mix(a.y, b.y));
        let left = mix(a.tx, b.tx) * dy - mix(a.ty, b.ty) * dx;
        let distance_m = (here as f64 + weight) * self.step_m;
        Projection {
            distance_m: if distance_m < self.length_m { distance_m } else { 0.0 },
            offset_m: (dx * dx + dy * dy).sqrt().copysign(left) / UNITS_PER_M,
        }
    }

    /// The whole line: nearest branch, where two are about as near the one nearer to the hint.
    fn search(&self, x: f64, y: f64, hint_m: Option<f64>) -> Projection {
        let mut best = (f64::INFINITY, 0);
        self.index.near(x, y, |vertex| {
            let at = &self.vertices[vertex];
            let off_m = (x - at.x).hypot(y - at.y) / UNITS_PER_M;
            let away_m = hint_m.map_or(0.0, |hint| self.way_m(hint, vertex as f64 * self.step_m).abs().min(500.0));
            let cost = off_m + 0.02 * away_m;
            if cost < best.0 {
                best = (cost, vertex);
            }
        });
        let vertex = best.1;
        self.walk(x, y, vertex).filter(|found| found.offset_m.abs() <= best.0 + self.step_m).unwrap_or_else(|| {
            let at = &self.vertices[vertex];
            let (dx, dy) = (x - at.x, y - at.y);
            let left = at.tx * dy - at.ty * dx;
            Projection { distance_m: vertex as f64 * self.step_m, offset_m: dx.hypot(dy).copysign(left) / UNITS_PER_M }
        })
    }
}

/// Vertices on the periodic Catmull-Rom curve through `points`, `parts` a span.
fn dense(points: &[(f64, f64)], parts: usize) -> Vec<Vertex> {
    let count = points.len();
    let mut vertices = Vec::with_capacity(count * parts);
    for span in 0..count {
        let [a, b, c, d] = [span + count - 1, span, span + 1, span + 2].map(|index| points[index % count]);
        for part in 0..parts {
            let u = part as f64 / parts as f64;
            let (x, dx) = curve([a.0, b.0, c.0, d.0], u);
            let (y, dy) = curve([a.1, b.1, c.1, d.1], u);
            let speed = dx.hypot(dy);
            let (tx, ty) = if speed > 0.0 { (dx / speed, dy / speed) } else { (1.0, 0.0) };
            vertices.push(Vertex { x, y, tx, ty });
        }
    }
    vertices
}

/// Replaces each tangent by the mean of those up to `reach` vertices away.
fn calm(vertices: &mut [Vertex], reach: usize) {
    let count = vertices.len();
    let reach = reach.min(count / 8);
    let tangents: Vec<(f64, f64)> = vertices.iter().map(|vertex| (vertex.tx, vertex.ty)).collect();
    for (index, vertex) in vertices.iter_mut().enumerate() {
        let around = (0..=2 * reach).map(|step| tangents[(index + count + step - reach) % count]);
        let (x, y) = around.fold((0.0, 0.0), |sum, tangent| (sum.0 + tangent.0, sum.1 + tangent.1));
        let size = x.hypot(y);
        if size > 0.1 {
            (vertex.tx, vertex.ty) = (x / size, y / size);
        }
    }
}

/// Value and slope of the Catmull-Rom span from `p[1]` to `p[2]` at `u`.
fn curve(p: [f64; 4], u: f64) -> (f64, f64) {
    let linear = p[2] - p[0];
    let square = 2.0 * p[0] - 5.0 * p[1] + 4.0 * p[2] - p[3];
    let cube = 3.0 * (p[1] - p[2]) + p[3] - p[0];
    let value = p[1] + 0.5 * u * (linear + u * (square + u * cube));
    (value, 0.5 * (linear + u * (2.0 * square + 3.0 * u * cube)))
}

#[cfg(test)]
mod tests;
