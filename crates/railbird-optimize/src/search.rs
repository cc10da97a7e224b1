//! What the searches share: bounds, limits, objectives asked in batches, and how a search ended.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

/// Points that are asked for between two looks at the flag that cancels.
pub(crate) const CHUNK_POINTS: usize = 1024;

/// A box in which every coordinate has a least and a most value.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    least: Vec<f64>,
    most: Vec<f64>,
}

/// Why bounds or limits were refused. None is worth trying again with the same input.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// No coordinate, or more than [`DIMENSIONS_MAX`].
    #[error("bounds: {found} dimensions, expected 1 to {DIMENSIONS_MAX}")]
    Dimensions {
        /// How many were given.
        found: usize,
    },
    /// A bound that is no finite number, or a least above its most, or a width that is not finite.
    #[error("bounds, dimension {dimension}: {least} to {most}, expected finite numbers, the least first")]
    Bound {
        /// Index of the coordinate.
        dimension: usize,
        /// Its least value.
        least: f64,
        /// Its most.
        most: f64,
    },
    /// No evaluation allowed, or more than [`EVALUATIONS_MAX`].
    #[error("limits: {found} evaluations, expected 1 to {EVALUATIONS_MAX}")]
    Evaluations {
        /// How many were given.
        found: u64,
    },
    /// The method cannot search these bounds, or got no finite value; only without a fallback.
    #[error("no result: {0}, and falling back was not allowed")]
    NoFallback(crate::FallbackReason),
}

/// Most coordinates of a search.
pub const DIMENSIONS_MAX: usize = 64;
/// Most evaluations of a search: every point is kept, so this bounds memory.
pub const EVALUATIONS_MAX: u64 = 10_000_000;

/// When a search stops.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// Most points to ask for. A sweep that does not fit is cut to the whole steps that do.
    pub evaluations: u64,
    /// Stops after the sweep in which a value below this is found.
    pub target: Option<f64>,
    /// Stops soon after this is set; what was found until then is returned.
    pub cancel: Option<&'a AtomicBool>,
}

/// Why a search stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A value below the target was found.
    Target,
    /// The next whole step does not fit the budget.
    BudgetSpent,
    /// Nothing is left to gain at the search's resolution.
    Converged,
    /// The flag was set.
    Cancelled,
    /// No finite value was found.
    NonFinite,
}

impl StopReason {
    /// The reason in one word, as in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::BudgetSpent => "budget",
            Self::Converged => "converged",
            Self::Cancelled => "cancelled",
            Self::NonFinite => "non-finite",
        }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The best point, inside the bounds.
    pub x: Vec<f64>,
    /// Its value; infinite where no finite value was found.
    pub value: f64,
    /// Points asked for.
    pub evaluations: u64,
    /// Of these, points whose value was no finite number; they count as worse than every number.
    pub non_finite: u64,
    /// Batches asked for.
    pub sweeps: u64,
    /// Why it stopped.
    pub stop: StopReason,
}

/// A function to be minimised, asked for many points at once.
///
/// The answer for a point must depend on that point alone; then one thread and many give the same search.
pub trait Objective {
    /// Writes the value of each point of `points` (`[values.len() × dimensions]`, a point after the other) into `values`.
    fn evaluate(&mut self, points: &[f64], dimensions: usize, values: &mut [f64]);
}

/// A function asked for one point after the other.
#[derive(Debug)]
pub struct Serial<F>(pub F);

/// A function asked on all threads of rayon's pool.
#[derive(Debug)]
pub struct Parallel<F>(pub F);

impl<F: FnMut(&[f64]) -> f64> Objective for Serial<F> {
    fn evaluate(&mut self, points: &[f64], dimensions: usize, values: &mut [f64]) {
        for (value, point) in values.iter_mut().zip(points.chunks_exact(dimensions)) {
            *value = (self.0)(point);
        }
    }
}

impl<F: Fn(&[f64]) -> f64 + Sync> Objective for Parallel<F> {
    fn evaluate(&mut self, points: &[f64], dimensions: usize, values: &mut [f64]) {
        let function = &self.0;
        values
            .par_iter_mut()
            .zip(points.par_chunks_exact(dimensions))
            .for_each(|(value, point)| *value = function(point));
    }
}

impl Bounds {
    /// Bounds of each coordinate, least and most. Equal ones hold the coordinate still.
    ///
    /// # Errors
    /// [`SearchError::Dimensions`], [`SearchError::Bound`].
    pub fn new(bounds: &[(f64, f64)]) -> Result<Self, SearchError> {
        if bounds.is_empty() || bounds.len() > DIMENSIONS_MAX {
            return Err(SearchError::Dimensions { found: bounds.len() });
        }
        for (dimension, &(least, most)) in bounds.iter().enumerate() {
            if !(least.is_finite() && most.is_finite() && least <= most && (most - least).is_finite()) {
                return Err(SearchError::Bound { dimension, least, most });
            }
        }
        Ok(Self {
            least: bounds.iter().map(|bound| bound.0).collect(),
            most: bounds.iter().map(|bound| bound.1).collect(),
        })
    }

    /// Number of coordinates.
    pub fn dimensions(&self) -> usize {
        self.least.len()
    }

    /// Whether a coordinate cannot move.
    pub fn is_degenerate(&self) -> bool {
        self.least.iter().zip(&self.most).any(|(least, most)| least == most)
    }

    /// The point at `unit`, each coordinate of which is 0 to 1, into `point`.
    pub(crate) fn place(&self, unit: &[f64], point: &mut [f64]) {
        let edges = self.least.iter().zip(&self.most);
        for ((at, unit), (least, most)) in point.iter_mut().zip(unit).zip(edges) {
            *at = (least + unit * (most - least)).clamp(*least, *most);
        }
    }
}

impl Limits<'_> {
    /// A budget alone.
    pub fn evaluations(evaluations: u64) -> Self {
        Self { evaluations, target: None, cancel: None }
    }

    pub(crate) fn check(&self) -> Result<(), SearchError> {
        let fits = (1..=EVALUATIONS_MAX).contains(&self.evaluations);
        if fits { Ok(()) } else { Err(SearchError::Evaluations { found: self.evaluations }) }
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Asks an objective, keeps the best, and counts.
pub(crate) struct Asked<'a, O> {
    objective: &'a mut O,
    bounds: &'a Bounds,
    limits: &'a Limits<'a>,
    /// Unit coordinates of the best point.
    pub(crate) best: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) evaluations: u64,
    non_finite: u64,
    pub(crate) sweeps: u64,
    points: Vec<f64>,
}

impl<'a, O: Objective> Asked<'a, O> {
    pub(crate) fn new(objective: &'a mut O, bounds: &'a Bounds, limits: &'a Limits<'a>) -> Self {
        Self {
            objective,
            bounds,
            limits,
            best: vec![0.5; bounds.dimensions()],
            value: f64::INFINITY,
            evaluations: 0,
            non_finite: 0,
            sweeps: 0,
            points: Vec::new(),
        }
    }

    /// Values of the points at `units`, one sweep; infinite where they are not finite. False if cancelled before all were asked.
    pub(crate) fn sweep(&mut self, units: &[f64], values: &mut Vec<f64>) -> bool {
        let dimensions = self.bounds.dimensions();
        values.clear();
        self.sweeps += 1;
        for chunk in units.chunks(CHUNK_POINTS * dimensions) {
            if self.limits.cancelled() {
                return false;
            }
            self.points.resize(chunk.len(), 0.0);
            for (unit, point) in chunk.chunks_exact(dimensions).zip(self.points.chunks_exact_mut(dimensions)) {
                self.bounds.place(unit, point);
            }
            let before = values.len();
            values.resize(before + chunk.len() / dimensions, f64::NAN);
            self.objective.evaluate(&self.points, dimensions, &mut values[before..]);
            for (value, unit) in values[before..].iter_mut().zip(chunk.chunks_exact(dimensions)) {
                self.evaluations += 1;
                if !value.is_finite() {
                    self.non_finite += 1;
                    *value = f64::INFINITY;
                }
                if *value < self.value {
                    self.value = *value;
                    self.best.copy_from_slice(unit);
                }
            }
        }
        true
    }

    /// Whether the target is reached.
    pub(crate) fn on_target(&self) -> bool {
        self.limits.target.is_some_and(|target| self.value < target)
    }

    /// Evaluations that are left.
    pub(crate) fn left(&self) -> u64 {
        self.limits.evaluations - self.evaluations
    }

    pub(crate) fn finish(self, stop: StopReason) -> Outcome {
        let mut x = vec![0.0; self.bounds.dimensions()];
        self.bounds.place(&self.best, &mut x);
        let stop = if self.value.is_finite() || stop == StopReason::Cancelled { stop } else { StopReason::NonFinite };
        Outcome {
            x,
            value: self.value,
            evaluations: self.evaluations,
            non_finite: self.non_finite,
            sweeps: self.sweeps,
            stop,
        }
    }
}
