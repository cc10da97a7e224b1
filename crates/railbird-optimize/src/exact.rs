//! The greatest sum of boxes over integer pairs, found exactly. Start at [`Exact::maximize`].
//!
//! Each box has an affine value inside its half-open edges and none outside. Between neighbouring edges the sum is affine, so
//! its maximum lies on a corner: a sweep moves `x` upwards over the candidates and holds what changes over `y`. Boxes enter
//! and leave once, as differences at their `y` edges; a row of candidates costs one pass over `y`. With `n` boxes that is
//! O(n²). A row is passed over when a bound, carried from the last row that was summed, shows that it cannot reach the best.
//!
//! Integers only: two machines find the same pair, and a tie is a tie.

use std::ops::{Add, AddAssign, Mul, Range, Sub, SubAssign};

/// An integer pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// First coordinate.
    pub x: i64,
    /// Second coordinate.
    pub y: i64,
}

/// Integers from `least` to `most`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Least.
    pub least: i64,
    /// Most.
    pub most: i64,
}

/// Worth `constant + x_slope·x + y_slope·y` at the pairs inside `x` and `y`, nothing elsewhere.
///
/// Edges are half-open: the start belongs to the box, the end does not. An edge that never comes is `i64::MIN` or `i64::MAX`.
/// A box with an empty range is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffineBox {
    /// Where it is worth something, first coordinate.
    pub x: Range<i64>,
    /// Where it is worth something, second coordinate.
    pub y: Range<i64>,
    /// Value at (0, 0), were it inside.
    pub constant: i64,
    /// Value a unit of `x`.
    pub x_slope: i64,
    /// Value a unit of `y`.
    pub y_slope: i64,
}

/// Pairs among which the maximum is sought.
#[derive(Debug, Clone, Copy)]
pub enum Candidates<'a> {
    /// Every corner of every cell between neighbouring edges: the maximum over all integer pairs of the area is among them.
    Corners,
    /// Each of `x` with each of `y`, in any order, repeats allowed; those outside the area are left out. Whoever knows the
    /// signs of the slopes names half as many on each axis. The maximum is exact among these pairs.
    Given {
        /// First coordinates.
        x: &'a [i64],
        /// Second coordinates.
        y: &'a [i64],
    },
}

/// One objective of [`Exact::maximize_first`].
#[derive(Debug, Clone, Copy)]
pub struct BoxSum<'a> {
    /// What is summed. A box that goes on in `x` where another ends, over the same `y`, is best listed right after it: then
    /// both are one step for the bound, and more rows are passed over.
    pub boxes: &'a [AffineBox],
    /// Where the sum is sought.
    pub candidates: Candidates<'a>,
}

/// The greatest sum, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    /// The pair of least rank among those that attain the maximum.
    pub point: Point,
    /// The sum there.
    pub value: i128,
    /// Which of the objectives; 0 where there is one.
    pub objective: usize,
    /// Pairs that were compared, in all objectives.
    pub pairs: u64,
    /// Of these, pairs of rows that the bound ruled out before they were summed.
    pub ruled_out: u64,
}

/// Why no maximum was sought. None is worth trying again with the same input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExactError {
    /// An empty area, or no candidate inside it.
    #[error("no pair to choose from: the area is empty, or no candidate lies inside it")]
    NoCandidate,
    /// No objective was given.
    #[error("no objective to choose from")]
    NoObjective,
    /// The sum of all boxes' greatest magnitudes does not fit 128 bits.
    #[error("box {at}: the sum of the boxes up to here may exceed 128 bits; use smaller units")]
    Overflow {
        /// Index of the box.
        at: usize,
    },
}

/// Least |x| + |y|, then least `x`, then least `y`: the rank that prefers the smallest move.
pub fn least_move(point: Point) -> (u64, i64, i64) {
    (point.x.unsigned_abs().saturating_add(point.y.unsigned_abs()), point.x, point.y)
}

/// Searches, and keeps its room for the next search: nothing is allocated once the largest has been seen.
#[derive(Debug, Default)]
pub struct Exact {
    x: Vec<i64>,
    y: Vec<i64>,
    placed: Vec<Placed>,
    /// Placed boxes that begin at each row, as a chain through `next_begin`; `NONE` ends it.
    begin: Vec<u32>,
    end: Vec<u32>,
    narrow: Vec<Difference<i64>>,
    wide: Vec<Difference<i128>>,
}

/// A box on the candidates' grid: rows `x.0..x.1`, columns `y.0..y.1`.
#[derive(Debug, Clone, Copy)]
struct Placed {
    x: (u32, u32),
    y: (u32, u32),
    /// Index in the caller's list.
    source: u32,
    next_begin: u32,
    next_end: u32,
}

const NONE: u32 = u32::MAX;

/// What changes at a column: the affine value of all boxes that begin there less those that end.
#[derive(Debug, Clone, Copy, Default)]
struct Difference<N> {
    constant: N,
    x_slope: N,
    y_slope: N,
}

/// The two widths of sums.
trait Number:
    Copy
    + Default
    + Ord
    + From<i64>
    + Into<i128>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + AddAssign
    + SubAssign
{
}

impl Number for i64 {}
impl Number for i128 {}

/// The best so far.
struct Found<N, K> {
    value: N,
    point: Point,
    rank: K,
}

impl Exact {
    /// A search without room yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The greatest sum of `boxes` over the candidates inside the area, at the pair of least `rank` among equals.
    ///
    /// O(candidates of `x` × candidates of `y` + boxes · log candidates).
    ///
    /// # Errors
    /// [`ExactError::NoCandidate`] where the area is empty or holds no candidate; [`ExactError::Overflow`] where sums might
    /// not fit.
    pub fn maximize<K: Ord>(
        &mut self,
        area: (Span, Span),
        boxes: &[AffineBox],
        candidates: Candidates<'_>,
        rank: impl Fn(Point) -> K,
    ) -> Result<Best, ExactError> {
        self.maximize_first(area, &[BoxSum { boxes, candidates }], rank)
    }

    /// The greatest sum over several objectives; among equals the first objective wins, then the least `rank`.
    ///
    /// # Errors
    /// As [`Exact::maximize`]; [`ExactError::NoObjective`] without an objective.
    pub fn maximize_first<K: Ord>(
        &mut self,
        area: (Span, Span),
        objectives: &[BoxSum<'_>],
        rank: impl Fn(Point) -> K,
    ) -> Result<Best, ExactError> {
        let mut best: Option<Best> = None;
        let (mut pairs, mut ruled_out) = (0, 0);
        for (at, objective) in objectives.iter().enumerate() {
            let found = self.search(area, objective, &rank)?;
            pairs += found.pairs;
            ruled_out += found.ruled_out;
            if best.is_none_or(|best| found.value > best.value) {
                best = Some(Best { objective: at, ..found });
            }
        }
        best.map(|best| Best { pairs, ruled_out, ..best }).ok_or(ExactError::NoObjective)
    }

    fn search<K: Ord>(
        &mut self,
        area: (Span, Span),
        objective: &BoxSum<'_>,
        rank: &impl Fn(Point) -> K,
    ) -> Result<Best, ExactError> {
        self.place(area, objective)?;
        let mut narrow = std::mem::take(&mut self.narrow);
        let mut wide = std::mem::take(&mut self.wide);
        let best = if fits_narrow(area, objective.boxes)? {
            self.sweep(objective.boxes, &mut narrow, rank)
        } else {
            self.sweep(objective.boxes, &mut wide, rank)
        };
        (self.narrow, self.wide) = (narrow, wide);
        best
    }

    /// Fills the axes and puts every box on their grid.
    fn place(&mut self, area: (Span, Span), objective: &BoxSum<'_>) -> Result<(), ExactError> {
        match objective.candidates {
            Candidates::Corners => {
                corners(&mut self.x, area.0, objective.boxes.iter().map(|each| &each.x));
                corners(&mut self.y, area.1, objective.boxes.iter().map(|each| &each.y));
            }
            Candidates::Given { x, y } => {
                given(&mut self.x, area.0, x);
                given(&mut self.y, area.1, y);
            }
        }
        if self.x.is_empty() || self.y.is_empty() {
            return Err(ExactError::NoCandidate);
        }
        self.begin.clear();
        self.begin.resize(self.x.len() + 1, NONE);
        self.end.clear();
        self.end.resize(self.x.len() + 1, NONE);
        self.placed.clear();
        for (source, each) in objective.boxes.iter().enumerate() {
            let (x, y) = (rows(&self.x, &each.x), rows(&self.y, &each.y));
            if x.0 < x.1 && y.0 < y.1 {
                let next_begin = std::mem::replace(&mut self.begin[x.0 as usize], self.placed.len() as u32);
                let next_end = std::mem::replace(&mut self.end[x.1 as usize], self.placed.len() as u32);
                self.placed.push(Placed { x, y, source: source as u32, next_begin, next_end });
            }
        }
        Ok(())
    }

    fn sweep<N: Number, K: Ord>(
        &self,
        boxes: &[AffineBox],
        columns: &mut Vec<Difference<N>>,
        rank: &impl Fn(Point) -> K,
    ) -> Result<Best, ExactError> {
        columns.clear();
        columns.resize(self.y.len() + 1, Difference::default());
        let zero = N::default();
        // The sum of the rising slopes of the boxes inside which the sweep is, and the most that the row can reach.
        let (mut rising, mut reach) = (zero, None::<N>);
        let mut best: Option<Found<N, K>> = None;
        let mut ruled_out = 0;
        for (row, &x) in self.x.iter().enumerate() {
            let x_wide = N::from(x);
            if let Some(reach) = &mut reach
                && row > 0
            {
                *reach += rising * (x_wide - N::from(self.x[row - 1]));
            }
            let mut gain = zero;
            let mut at = self.end[row];
            while at != NONE {
                let placed = self.placed[at as usize];
                let leaving = Difference::of(&boxes[placed.source as usize]);
                apply(columns, placed.y, leaving, |sum, part| *sum -= part);
                rising -= leaving.x_slope.max(zero);
                let next = self.successor(at, row);
                let change = next.map_or(leaving.negated(), |next| Difference::of(&boxes[next]).less(leaving));
                gain += self.most(change, x_wide, placed.y).max(zero);
                at = placed.next_end;
            }
            let mut at = self.begin[row];
            while at != NONE {
                let placed = self.placed[at as usize];
                let entering = Difference::of(&boxes[placed.source as usize]);
                apply(columns, placed.y, entering, |sum, part| *sum += part);
                rising += entering.x_slope.max(zero);
                if !self.succeeds(at, row) {
                    gain += self.most(entering, x_wide, placed.y).max(zero);
                }
                at = placed.next_begin;
            }
            if let Some(reach) = &mut reach {
                *reach += gain;
            }
            if let (Some(reach), Some(best)) = (reach, &best)
                && reach < best.value
            {
                ruled_out += self.y.len() as u64;
                continue;
            }
            let most = row_maximum(columns, &self.y, x_wide);
            reach = Some(most);
            if best.as_ref().is_none_or(|best| most >= best.value) {
                let tied = best.take().filter(|best| best.value == most);
                best = Some(self.least(columns, x, most, tied, rank));
            }
        }
        let best = best.ok_or(ExactError::NoCandidate)?;
        let pairs = self.x.len() as u64 * self.y.len() as u64;
        Ok(Best { point: best.point, value: best.value.into(), objective: 0, pairs, ruled_out })
    }

    /// The pair of least rank in a row among those that attain `most`, or the one that another row has.
    fn least<N: Number, K: Ord>(
        &self,
        columns: &[Difference<N>],
        x: i64,
        most: N,
        tied: Option<Found<N, K>>,
        rank: &impl Fn(Point) -> K,
    ) -> Found<N, K> {
        let mut found = tied;
        let x_wide = N::from(x);
        let mut sum = Difference::default();
        for (column, &y) in columns.iter().zip(&self.y) {
            sum = sum.plus(*column);
            if sum.at(x_wide, N::from(y)) == most {
                let point = Point { x, y };
                let rank = rank(point);
                if found.as_ref().is_none_or(|found| rank < found.rank) {
                    found = Some(Found { value: most, point, rank });
                }
            }
        }
        found.expect("the row's maximum is in the row")
    }

    /// The box listed right after one that ends at `row`, if it goes on from there over the same columns.
    fn successor(&self, at: u32, row: usize) -> Option<usize> {
        let (this, next) = (self.placed[at as usize], self.placed.get(at as usize + 1)?);
        (next.x.0 as usize == row && next.y == this.y).then_some(next.source as usize)
    }

    /// Whether a box that begins at `row` goes on from the one listed right before it.
    fn succeeds(&self, at: u32, row: usize) -> bool {
        let Some(before) = (at as usize).checked_sub(1) else { return false };
        self.placed[before].x.1 as usize == row && self.placed[before].y == self.placed[at as usize].y
    }

    /// The most of an affine value over columns, at `x`.
    fn most<N: Number>(&self, value: Difference<N>, x: N, y: (u32, u32)) -> N {
        let first = value.at(x, N::from(self.y[y.0 as usize]));
        first.max(value.at(x, N::from(self.y[y.1 as usize - 1])))
    }
}

impl<N: Number> Difference<N> {
    fn of(each: &AffineBox) -> Self {
        Self { constant: each.constant.into(), x_slope: each.x_slope.into(), y_slope: each.y_slope.into() }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            constant: self.constant + other.constant,
            x_slope: self.x_slope + other.x_slope,
            y_slope: self.y_slope + other.y_slope,
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            constant: self.constant - other.constant,
            x_slope: self.x_slope - other.x_slope,
            y_slope: self.y_slope - other.y_slope,
        }
    }

    fn negated(self) -> Self {
        Self::default().less(self)
    }

    fn at(self, x: N, y: N) -> N {
        self.constant + self.x_slope * x + self.y_slope * y
    }
}

fn apply<N: Number>(columns: &mut [Difference<N>], y: (u32, u32), value: Difference<N>, change: impl Fn(&mut N, N)) {
    let mut at = |column: u32, value: Difference<N>| {
        let column = &mut columns[column as usize];
        change(&mut column.constant, value.constant);
        change(&mut column.x_slope, value.x_slope);
        change(&mut column.y_slope, value.y_slope);
    };
    at(y.0, value);
    at(y.1, value.negated());
}

/// The most over a row. The hot loop: one pass, no branch that data decide.
fn row_maximum<N: Number>(columns: &[Difference<N>], y: &[i64], x: N) -> N {
    let mut sum = columns[0];
    let mut most = sum.at(x, N::from(y[0]));
    for (column, &y) in columns[1..].iter().zip(&y[1..]) {
        sum = sum.plus(*column);
        most = most.max(sum.at(x, N::from(y)));
    }
    most
}

/// Rows of `axis` inside `range`.
fn rows(axis: &[i64], range: &Range<i64>) -> (u32, u32) {
    let before = |edge: i64| axis.partition_point(|&at| at < edge) as u32;
    (before(range.start), before(range.end))
}

fn given(axis: &mut Vec<i64>, area: Span, values: &[i64]) {
    axis.clear();
    axis.extend(values.iter().filter(|&&value| area.least <= value && value <= area.most));
    axis.sort_unstable();
    axis.dedup();
}

/// The first and the last integer of every cell between neighbouring edges.
fn corners<'a>(axis: &mut Vec<i64>, area: Span, ranges: impl Iterator<Item = &'a Range<i64>>) {
    axis.clear();
    axis.extend([area.least, area.most]);
    for edge in ranges.filter(|range| range.start < range.end).flat_map(|range| [range.start, range.end]) {
        axis.extend([edge, edge.saturating_sub(1)]);
    }
    axis.retain(|&value| area.least <= value && value <= area.most);
    axis.sort_unstable();
    axis.dedup();
}

/// Whether every sum that the sweep or its bound can meet fits 64 bits.
fn fits_narrow(area: (Span, Span), boxes: &[AffineBox]) -> Result<bool, ExactError> {
    let reach = |span: Span| i128::from(span.least.unsigned_abs().max(span.most.unsigned_abs()));
    let (x, y) = (reach(area.0), reach(area.1));
    let mut sum = 0_i128;
    for (at, each) in boxes.iter().enumerate() {
        let magnitude = |number: i64| i128::from(number.unsigned_abs());
        let most = magnitude(each.x_slope)
            .checked_mul(x)
            .zip(magnitude(each.y_slope).checked_mul(y))
            .and_then(|(x, y)| x.checked_add(y)?.checked_add(magnitude(each.constant)));
        // The bound adds what enters, what leaves and what rises: eight times the magnitude holds them all.
        let with = most.and_then(|most| sum.checked_add(most.checked_mul(8)?));
        sum = with.ok_or(ExactError::Overflow { at })?;
    }
    Ok(sum <= i128::from(i64::MAX))
}
