//! DIRECT (Jones, Perttunen, Stuckman 1993) and DIRECT-L (Gablonsky, Kelley 2001). Start at [`direct`] or [`direct_l`].
//!
//! The box is divided into rectangles, each known by the value at its centre. A sweep divides those that could hold the
//! minimum for some rate of change: the lower right hull of value over size. All centres of a sweep are asked for in one
//! batch. Sides are counted in thirds, so sizes are compared as integers.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::search::{Asked, Bounds, Limits, Objective, Outcome, SearchError, StopReason};

/// Least improvement that a rectangle must promise, as a share of the best value.
const EPSILON: f64 = 1e-4;
/// Values this near are equal.
const TIE: f64 = 1e-13;
/// Most divisions of a side: 3^-30 of it is below the last bit of a coordinate.
const DEPTH_MAX: u32 = 30;

/// Minimises by DIRECT: size is the half diagonal, and all best rectangles of a size are divided.
///
/// Starts at the centre. At the end of a sweep it stops on the target, the budget or the flag; the last sweep is cut to the
/// whole rectangles that the budget holds. O(evaluations · log evaluations) beside the evaluations.
///
/// # Errors
/// [`SearchError::Evaluations`].
pub fn direct(objective: &mut impl Objective, bounds: &Bounds, limits: &Limits<'_>) -> Result<Outcome, SearchError> {
    search(objective, bounds, limits, Form::Original)
}

/// Minimises by DIRECT-L, which prefers local search: size is the longest side, and one rectangle a size is divided.
///
/// # Errors
/// As [`direct`].
pub fn direct_l(objective: &mut impl Objective, bounds: &Bounds, limits: &Limits<'_>) -> Result<Outcome, SearchError> {
    search(objective, bounds, limits, Form::Local)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Original,
    Local,
}

/// Where a rectangle stands in its class: by value, then by when it was made.
#[derive(Debug, Clone, Copy)]
struct Entry {
    value: f64,
    index: u32,
}

/// Rectangles, by their centres.
struct Rectangles {
    dimensions: usize,
    form: Form,
    /// `[rectangles × dimensions]`, 0 to 1.
    centres: Vec<f64>,
    /// `[rectangles × dimensions]`: how often each side was cut into thirds.
    depths: Vec<u8>,
    values: Vec<f64>,
    /// Open rectangles of each size, largest first; the best on top.
    classes: Vec<BinaryHeap<Entry>>,
}

fn search(
    objective: &mut impl Objective,
    bounds: &Bounds,
    limits: &Limits<'_>,
    form: Form,
) -> Result<Outcome, SearchError> {
    limits.check()?;
    let mut asked = Asked::new(objective, bounds, limits);
    let mut values = Vec::new();
    let mut rectangles = Rectangles::new(bounds.dimensions(), form);
    let centre = vec![0.5; bounds.dimensions()];
    if !asked.sweep(&centre, &mut values) {
        return Ok(asked.finish(StopReason::Cancelled));
    }
    rectangles.add(&centre, &vec![0; bounds.dimensions()], values[0]);
    let (mut chosen, mut units) = (Vec::new(), Vec::new());
    loop {
        if asked.on_target() {
            return Ok(asked.finish(StopReason::Target));
        }
        if limits.cancelled() {
            return Ok(asked.finish(StopReason::Cancelled));
        }
        // Without any finite value there is no hull: the centre is divided once, then the search gives up.
        rectangles.choose(asked.value, &mut chosen);
        if chosen.is_empty() {
            return Ok(asked.finish(StopReason::Converged));
        }
        let fitting = rectangles.fitting(&chosen, asked.left());
        let cut = fitting < chosen.len();
        chosen.truncate(fitting);
        if chosen.is_empty() {
            return Ok(asked.finish(StopReason::BudgetSpent));
        }
        rectangles.samples(&chosen, &mut units);
        if !asked.sweep(&units, &mut values) {
            return Ok(asked.finish(StopReason::Cancelled));
        }
        rectangles.divide(&chosen, &units, &values);
        if cut && !asked.on_target() {
            return Ok(asked.finish(StopReason::BudgetSpent));
        }
    }
}

impl Rectangles {
    fn new(dimensions: usize, form: Form) -> Self {
        Self { dimensions, form, centres: vec![], depths: vec![], values: vec![], classes: vec![] }
    }

    fn depths(&self, index: u32) -> &[u8] {
        &self.depths[index as usize * self.dimensions..][..self.dimensions]
    }

    fn centre(&self, index: u32) -> &[f64] {
        &self.centres[index as usize * self.dimensions..][..self.dimensions]
    }

    /// Sides that are longest: those cut least often.
    fn longest(&self, index: u32) -> impl Iterator<Item = usize> {
        let depths = self.depths(index);
        let least = depths.iter().min().copied().unwrap_or(0);
        depths.iter().enumerate().filter(move |&(_, &depth)| depth == least).map(|(side, _)| side)
    }

    fn add(&mut self, centre: &[f64], depths: &[u8], value: f64) {
        let index = self.values.len() as u32;
        self.centres.extend_from_slice(centre);
        self.depths.extend_from_slice(depths);
        self.values.push(value);
        self.open(index);
    }

    fn open(&mut self, index: u32) {
        let class = self.class(index);
        if self.classes.len() <= class {
            self.classes.resize_with(class + 1, BinaryHeap::new);
        }
        self.classes[class].push(Entry { value: self.values[index as usize], index });
    }

    /// Class of a size. Sides differ by one cut at most, so all cuts together give all sides.
    fn class(&self, index: u32) -> usize {
        let depths = self.depths(index);
        match self.form {
            Form::Original => depths.iter().map(|&depth| usize::from(depth)).sum(),
            Form::Local => usize::from(depths.iter().min().copied().unwrap_or(0)),
        }
    }

    fn size(&self, class: usize) -> f64 {
        match self.form {
            Form::Local => 3_f64.powi(-(class as i32)),
            Form::Original => {
                let (depth, shorter) = (class / self.dimensions, class % self.dimensions);
                let side = 3_f64.powi(-(depth as i32));
                0.5 * side * ((self.dimensions - shorter) as f64 + shorter as f64 / 9.0).sqrt()
            }
        }
    }

    /// Takes the rectangles to be divided out of their classes: largest class first, in the order in which they were made.
    fn choose(&mut self, least: f64, chosen: &mut Vec<u32>) {
        chosen.clear();
        for class in self.hull(least) {
            self.take(class, chosen);
        }
    }

    /// Classes on the lower right hull that promise enough, largest first.
    fn hull(&self, least: f64) -> Vec<usize> {
        let mut hull: Vec<(usize, f64, f64)> = Vec::new();
        if self.values.len() == 1 {
            return vec![0];
        }
        for (class, heap) in self.classes.iter().enumerate() {
            let Some(top) = heap.peek() else { continue };
            if !top.value.is_finite() || !self.divisible(class) {
                continue;
            }
            let (size, value) = (self.size(class), top.value);
            // A smaller rectangle must be strictly better than every larger one.
            if hull.last().is_some_and(|&(_, _, larger)| value >= larger) {
                continue;
            }
            while let [.., before, last] = hull[..]
                && slope(before, last) < slope(last, (class, size, value))
            {
                hull.pop();
            }
            hull.push((class, size, value));
        }
        let promised = least - EPSILON * least.abs();
        let mut kept = Vec::with_capacity(hull.len());
        for (at, &(class, size, value)) in hull.iter().enumerate() {
            let promises = at == 0 || value - slope(hull[at - 1], hull[at]) * size <= promised;
            if promises {
                kept.push(class);
            }
        }
        kept
    }

    fn divisible(&self, class: usize) -> bool {
        let depth = match self.form {
            Form::Original => class / self.dimensions,
            Form::Local => class,
        };
        depth < DEPTH_MAX as usize
    }

    /// Takes the best of a class: all of them, or the first made.
    fn take(&mut self, class: usize, chosen: &mut Vec<u32>) {
        let Some(best) = self.classes[class].peek().copied() else { return };
        let begin = chosen.len();
        while let Some(top) = self.classes[class].peek().copied()
            && (top.value - best.value <= TIE || top.index == best.index)
        {
            chosen.push(top.index);
            self.classes[class].pop();
        }
        chosen[begin..].sort_unstable();
        if self.form == Form::Local {
            for other in chosen.drain(begin + 1..) {
                self.classes[class].push(Entry { value: self.values[other as usize], index: other });
            }
        }
    }

    /// How many of the chosen fit the budget, from the first on.
    fn fitting(&self, chosen: &[u32], mut left: u64) -> usize {
        let fits = |&&index: &&u32| {
            let needed = 2 * self.longest(index).count() as u64;
            let fits = needed <= left;
            left -= if fits { needed } else { 0 };
            fits
        };
        chosen.iter().take_while(fits).count()
    }

    /// New centres of all chosen, two a longest side.
    fn samples(&self, chosen: &[u32], units: &mut Vec<f64>) {
        units.clear();
        for &index in chosen {
            for side in self.longest(index) {
                let third = 3_f64.powi(-i32::from(self.depths(index)[side]) - 1);
                for step in [third, -third] {
                    let begin = units.len();
                    units.extend_from_slice(self.centre(index));
                    units[begin + side] += step;
                }
            }
        }
    }

    /// Divides the chosen along all their longest sides: the side of the best value first, so that it stays in the largest part.
    fn divide(&mut self, chosen: &[u32], units: &[f64], values: &[f64]) {
        let dimensions = self.dimensions;
        let mut at = 0;
        let mut sides: Vec<(f64, usize, usize)> = Vec::with_capacity(dimensions);
        let mut depths = vec![0; dimensions];
        for &index in chosen {
            sides.clear();
            for side in self.longest(index) {
                sides.push((values[at].min(values[at + 1]), side, at));
                at += 2;
            }
            sides.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            depths.copy_from_slice(self.depths(index));
            for &(_, side, sample) in &sides {
                depths[side] += 1;
                for sample in [sample, sample + 1] {
                    self.add(&units[sample * dimensions..][..dimensions], &depths, values[sample]);
                }
            }
            self.depths[index as usize * dimensions..][..dimensions].copy_from_slice(&depths);
            self.open(index);
        }
    }
}

/// Rise of value a unit of size between two points of the hull.
fn slope(larger: (usize, f64, f64), smaller: (usize, f64, f64)) -> f64 {
    (larger.2 - smaller.2) / (larger.1 - smaller.1)
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The heap's top is its greatest: the least value, then the first made.
    fn cmp(&self, other: &Self) -> Ordering {
        other.value.total_cmp(&self.value).then(other.index.cmp(&self.index))
    }
}
