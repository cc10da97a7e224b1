//! The greatest sum of boxes over integer pairs, found exactly. Start at [`Exact::maximize`].
//!
//! Each box has an affine value inside its half-open edges and none outside. Between neighbouring edges the sum is affine, so
//! its maximum lies on a corner: a sweep moves `x` upwards over the candidates and holds what changes over `y`. Boxes enter
//! and leave once, as differences at their `y` edges; a row of candidates costs one pass over `y`. With `n` boxes that is
//! O(n²). A block of columns is passed over
//! while a bound, carried from the row where it was last summed, shows that it cannot reach the best.
//!
//! Integers only: two machines find the same pair, and a tie is a tie.

use std::ops::{Add, AddAssign, Mul, Range, Sub};

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
    /// both are one step for the bound, and more pairs are passed over.
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
    /// Of these, pairs that the bound ruled out before they were summed.
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
    narrow: Rows<i64>,
    wide: Rows<i128>,
}

/// Columns that share a bound.
const BLOCK: usize = 16;

/// The row at which the sweep is.
#[derive(Debug, Default)]
struct Rows<N> {
    /// What changes at each column, within its block.
    columns: Vec<Difference<N>>,
    blocks: Vec<Block<N>>,
}

/// Neighbouring columns.
#[derive(Debug, Clone, Copy, Default)]
struct Block<N> {
    /// The sum of the boxes that hold the block's first column from its start on.
    base: Difference<N>,
    /// The sum of the rising slopes of the boxes that touch the block.
    rising: N,
    /// No pair of the block is worth more in this row; of use once the block was summed.
    reach: N,
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
    Copy + Default + Ord + From<i64> + Into<i128> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + AddAssign
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
        rows: &mut Rows<N>,
        rank: &impl Fn(Point) -> K,
    ) -> Result<Best, ExactError> {
        rows.clear(self.y.len());
        let mut best: Option<Found<N, K>> = None;
        let mut ruled_out = 0;
        for (row, &x) in self.x.iter().enumerate() {
            let x_wide = N::from(x);
            if row > 0 {
                rows.advance(x_wide - N::from(self.x[row - 1]));
            }
            let mut at = self.end[row];
            while at != NONE {
                let placed = self.placed[at as usize];
                let leaving = Difference::of(&boxes[placed.source as usize]);
                let change = match self.successor(at, row) {
                    Some(next) => Difference::of(&boxes[next]).less(leaving),
                    None => leaving.negated(),
                };
                rows.change(placed.y, leaving.negated(), -1, self.most(change, x_wide, placed.y));
                at = placed.next_end;
            }
            let mut at = self.begin[row];
            while at != NONE {
                let placed = self.placed[at as usize];
                let entering = Difference::of(&boxes[placed.source as usize]);
                let counted = self.succeeds(at, row);
                let gain = if counted { N::default() } else { self.most(entering, x_wide, placed.y) };
                rows.change(placed.y, entering, 1, gain);
                at = placed.next_begin;
            }
            for at in 0..rows.blocks.len() {
                let columns = at * BLOCK..self.y.len().min((at + 1) * BLOCK);
                if best.as_ref().is_some_and(|best| row > 0 && rows.blocks[at].reach < best.value) {
                    ruled_out += columns.len() as u64;
                    continue;
                }
                let most = rows.maximum(at, &self.y[columns.clone()], x_wide);
                rows.blocks[at].reach = most;
                if best.as_ref().is_none_or(|best| most >= best.value) {
                    let tied = best.take().filter(|best| best.value == most);
                    best = Some(rows.least(at, &self.y[columns], x, most, tied, rank));
                }
            }
        }
        let best = best.ok_or(ExactError::NoCandidate)?;
        let pairs = self.x.len() as u64 * self.y.len() as u64;
        Ok(Best { point: best.point, value: best.value.into(), objective: 0, pairs, ruled_out })
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

    /// The most that an affine value adds over columns, at `x`; at least nothing.
    fn most<N: Number>(&self, value: Difference<N>, x: N, y: (u32, u32)) -> N {
        let first = value.at(x, N::from(self.y[y.0 as usize]));
        first.max(value.at(x, N::from(self.y[y.1 as usize - 1]))).max(N::default())
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

impl<N: Number> Rows<N> {
    /// Room for `columns`, all 0.
    fn clear(&mut self, columns: usize) {
        self.columns.clear();
        self.columns.resize(columns, Difference::default());
        self.blocks.clear();
        self.blocks.resize(columns.div_ceil(BLOCK), Block::default());
    }

    /// Moves by `step` along `x`.
    fn advance(&mut self, step: N) {
        for block in &mut self.blocks {
            block.reach += block.rising * step;
        }
    }

    /// Adds `value` over the columns `y`, of a box that enters (`sign` 1) or leaves (−1), and lets each block reach `gain` more.
    fn change(&mut self, y: (u32, u32), value: Difference<N>, sign: i64, gain: N) {
        let (begin, end) = (y.0 as usize, y.1 as usize);
        let sign = N::from(sign);
        let rising = sign * (value.x_slope * sign).max(N::default());
        let (first, last) = (begin / BLOCK, (end - 1) / BLOCK);
        for (at, block) in self.blocks[first..=last].iter_mut().enumerate() {
            block.reach += gain;
            block.rising += rising;
            if at > 0 {
                block.base = block.base.plus(value);
            }
        }
        if begin % BLOCK == 0 {
            self.blocks[first].base = self.blocks[first].base.plus(value);
        } else {
            self.columns[begin] = self.columns[begin].plus(value);
        }
        if end < self.columns.len() && end % BLOCK != 0 {
            self.columns[end] = self.columns[end].less(value);
        }
    }

    /// The most over a block. The hot loop: one pass, no branch that data decide.
    fn maximum(&self, at: usize, y: &[i64], x: N) -> N {
        let columns = &self.columns[at * BLOCK..][..y.len()];
        let mut sum = self.blocks[at].base;
        let mut most = sum.plus(columns[0]).at(x, N::from(y[0]));
        for (column, &y) in columns.iter().zip(y) {
            sum = sum.plus(*column);
            most = most.max(sum.at(x, N::from(y)));
        }
        most
    }

    /// The pair of least rank in a block among those that attain `most`, or the one that another block has.
    fn least<K: Ord>(
        &self,
        at: usize,
        y: &[i64],
        x: i64,
        most: N,
        tied: Option<Found<N, K>>,
        rank: &impl Fn(Point) -> K,
    ) -> Found<N, K> {
        let mut found = tied;
        let x_wide = N::from(x);
        let mut sum = self.blocks[at].base;
        for (column, &y) in self.columns[at * BLOCK..].iter().zip(y) {
            sum = sum.plus(*column);
            if sum.at(x_wide, N::from(y)) == most {
                let point = Point { x, y };
                let rank = rank(point);
                if found.as_ref().is_none_or(|found| rank < found.rank) {
                    found = Some(Found { value: most, point, rank });
                }
            }
        }
        found.expect("the block's maximum is in the block")
    }
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
