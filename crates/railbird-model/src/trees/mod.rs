//! Ensembles of decision trees. Start at [`Ensemble::score`].
//!
//! Scored by bit vectors (Lucchese et al. 2015, QuickScorer): each tree is a word with one bit a leaf, each node a mask that clears the
//! leaves that a row cannot reach any more, and the lowest bit that is left is the row's leaf. Rows are taken sixteen at a time and values
//! are first replaced by their rank among the thresholds, so that a node is one comparison of integers in vector registers.
//! [`Ensemble::score_plainly`] walks the trees node by node and gives the same bits.

mod bits;
mod lightgbm;

use crate::Error;

pub(crate) use bits::Bits;

/// Most nodes of an ensemble, and deepest tree.
const NODES_MAX: usize = 10_000_000;
const FEATURES_MAX: usize = 100_000;

/// A sum of decision trees over a row of features.
#[derive(Debug, Clone)]
pub struct Ensemble {
    features: usize,
    /// What each output begins with.
    base: Vec<f64>,
    trees: Vec<Tree>,
    /// Each output is the mean of its trees, not their sum.
    is_mean: bool,
    bits: Bits,
}

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Output that the tree adds to.
    pub(crate) output: usize,
    pub(crate) nodes: Vec<Node>,
    /// From left to right.
    pub(crate) leaves: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) feature: usize,
    /// Left if the value is at most this.
    pub(crate) threshold: f64,
    pub(crate) missing: Missing,
    pub(crate) left: Child,
    pub(crate) right: Child,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    Node(usize),
    Leaf(usize),
}

/// What is done with a value that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Missing {
    /// NaN is 0.
    NanIsZero,
    /// NaN goes left, or right.
    Nan { left: bool },
    /// NaN and what is as good as 0 go left, or right.
    Zero { left: bool },
}

/// Which way a value goes by itself.
pub(crate) enum Way {
    Left,
    Right,
    /// By comparison of this value.
    Compare(f64),
}

impl Missing {
    pub(crate) fn way(self, value: f64) -> Way {
        // LightGBM's bound for what it calls zero.
        const ZERO: f64 = 1e-35_f32 as f64;
        let side = |left| if left { Way::Left } else { Way::Right };
        match self {
            Self::NanIsZero => Way::Compare(if value.is_nan() { 0.0 } else { value }),
            Self::Nan { left } if value.is_nan() => side(left),
            Self::Zero { left } if value.is_nan() || value.abs() <= ZERO => side(left),
            Self::Nan { .. } | Self::Zero { .. } => Way::Compare(value),
        }
    }
}

impl Ensemble {
    /// Checks and orders the trees. `base`: one number an output.
    pub(crate) fn new(features: usize, base: Vec<f64>, trees: Vec<Tree>, is_mean: bool) -> Result<Self, Error> {
        let wrong = |reason: String| Err(Error::Failed { model: "trees".to_owned(), reason });
        if features > FEATURES_MAX || trees.iter().map(|tree| tree.nodes.len()).sum::<usize>() > NODES_MAX {
            return wrong(format!("expected at most {FEATURES_MAX} features and {NODES_MAX} nodes, found more"));
        }
        if base.is_empty() || !base.iter().all(|value| value.is_finite()) {
            return wrong("expected outputs that begin with finite numbers".to_owned());
        }
        let mut ordered = Vec::with_capacity(trees.len());
        for (number, tree) in trees.into_iter().enumerate() {
            if tree.output >= base.len() {
                return wrong(format!("tree {number}: output {} of {}", tree.output, base.len()));
            }
            match tree.ordered(features) {
                Ok(tree) => ordered.push(tree),
                Err(reason) => return wrong(format!("tree {number}: {reason}")),
            }
        }
        let bits = Bits::of(&ordered);
        Ok(Self { features, base, trees: ordered, is_mean, bits })
    }

    /// A model as LightGBM saves it in text.
    ///
    /// Gives raw scores, which for regression and quantiles are the predictions. No categorical splits, no linear leaves.
    ///
    /// # Errors
    /// [`Error::Failed`] with the line, for anything else. The text may come from anyone.
    pub fn from_lightgbm(text: &str) -> Result<Self, Error> {
        lightgbm::parse(text).map_err(|reason| Error::Failed { model: "LightGBM text".to_owned(), reason })?
    }

    /// Features of a row.
    pub const fn features(&self) -> usize {
        self.features
    }

    /// Numbers that a row gives.
    pub const fn outputs(&self) -> usize {
        self.base.len()
    }

    /// Outputs of `rows`: row by row. `rows`: row by row, [`Ensemble::features`] each; NaN is missing.
    ///
    /// # Panics
    /// If `rows` is not a whole number of rows.
    pub fn score(&self, rows: &[f64]) -> Vec<f64> {
        assert!(rows.len().is_multiple_of(self.features.max(1)), "whole rows");
        let mut scores = self.bits.score(&self.trees, &self.base, rows, self.features);
        self.finish(&mut scores);
        scores
    }

    /// The same by walking each tree: the plain reading that [`Ensemble::score`] is held to.
    ///
    /// # Panics
    /// As [`Ensemble::score`].
    pub fn score_plainly(&self, rows: &[f64]) -> Vec<f64> {
        assert!(rows.len().is_multiple_of(self.features.max(1)), "whole rows");
        let mut scores = Vec::new();
        for row in rows.chunks_exact(self.features.max(1)) {
            let mut sums = self.base.clone();
            for tree in &self.trees {
                sums[tree.output] += tree.leaves[tree.leaf(row)];
            }
            scores.extend(sums);
        }
        self.finish(&mut scores);
        scores
    }

    fn finish(&self, scores: &mut [f64]) {
        if self.is_mean && !self.trees.is_empty() {
            let each = (self.trees.len() / self.base.len()).max(1) as f64;
            for (at, score) in scores.iter_mut().enumerate() {
                let base = self.base[at % self.base.len()];
                *score = base + (*score - base) / each;
            }
        }
    }
}

impl Tree {
    /// The leaf that a row reaches.
    pub(crate) fn leaf(&self, row: &[f64]) -> usize {
        let mut at = if self.nodes.is_empty() { Child::Leaf(0) } else { Child::Node(0) };
        loop {
            match at {
                Child::Leaf(leaf) => return leaf,
                Child::Node(node) => {
                    let Node { feature, threshold, missing, left, right } = self.nodes[node];
                    at = match missing.way(row[feature]) {
                        Way::Left => left,
                        Way::Right => right,
                        Way::Compare(value) if value <= threshold => left,
                        Way::Compare(_) => right,
                    };
                }
            }
        }
    }

    /// The same tree with its leaves from left to right; an error if it is none.
    fn ordered(mut self, features: usize) -> Result<Self, String> {
        if self.leaves.len() != self.nodes.len() + 1 {
            return Err(format!(
                "expected one leaf more than nodes, found {} and {}",
                self.leaves.len(),
                self.nodes.len()
            ));
        }
        if let Some(value) = self.leaves.iter().find(|value| !value.is_finite()) {
            return Err(format!("expected finite leaves, found {value}"));
        }
        if let Some(node) = self.nodes.iter().find(|node| node.feature >= features || node.threshold.is_nan()) {
            return Err(format!("feature {} of {features}, threshold {}", node.feature, node.threshold));
        }
        let mut leaves = Vec::with_capacity(self.leaves.len());
        let mut seen = vec![false; self.nodes.len()];
        let root = if self.nodes.is_empty() { Child::Leaf(0) } else { Child::Node(0) };
        // What is still to be visited, and where its number is to be written: a leaf's place is its number from the left.
        let mut stack = vec![(root, None::<(usize, bool)>)];
        while let Some((child, parent)) = stack.pop() {
            match child {
                Child::Node(node) => {
                    if *seen.get(node).ok_or_else(|| format!("node {node} of {}", self.nodes.len()))? {
                        return Err(format!("node {node} is reached twice"));
                    }
                    seen[node] = true;
                    stack.push((self.nodes[node].right, Some((node, false))));
                    stack.push((self.nodes[node].left, Some((node, true))));
                }
                Child::Leaf(leaf) => {
                    let value =
                        *self.leaves.get(leaf).ok_or_else(|| format!("leaf {leaf} of {}", self.leaves.len()))?;
                    if leaves.len() == self.leaves.len() {
                        return Err(format!("leaf {leaf} is reached twice"));
                    }
                    if let Some((node, is_left)) = parent {
                        let place = Child::Leaf(leaves.len());
                        if is_left { self.nodes[node].left = place } else { self.nodes[node].right = place }
                    }
                    leaves.push(value);
                }
            }
        }
        if leaves.len() != self.leaves.len() {
            return Err("a part that cannot be reached".to_owned());
        }
        self.leaves = leaves;
        Ok(self)
    }
}
