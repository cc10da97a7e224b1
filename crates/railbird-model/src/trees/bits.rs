//! Sixteen rows at a time through all trees, by masks.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Child, Missing, Tree, Way};

/// Rows side by side: four registers of four ranks.
const ROWS: usize = 16;
/// Blocks a task, so that splitting costs nothing beside the work.
const BLOCKS: usize = 8;
/// A tree with more leaves than a word has bits is walked plainly.
const LEAVES_MAX: usize = 64;

/// Trees as masks.
#[derive(Debug, Clone)]
pub(crate) struct Bits {
    columns: Vec<Column>,
    trees: Vec<Masks>,
}

/// A feature under one rule for what is missing.
#[derive(Debug, Clone)]
struct Column {
    feature: usize,
    missing: Missing,
    /// Ascending, each once.
    thresholds: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Masks {
    Narrow(Vec<Step<u32>>),
    Wide(Vec<Step<u64>>),
    Plain,
}

/// A node: rows whose rank in the column is above `rank` go right, and lose the leaves on its left.
#[derive(Debug, Clone, Copy)]
struct Step<W> {
    column: u32,
    rank: i32,
    keeps: W,
}

impl Bits {
    pub(crate) fn of(trees: &[Tree]) -> Self {
        let mut by_column: BTreeMap<(usize, Missing), Vec<f64>> = BTreeMap::new();
        for node in trees.iter().flat_map(|tree| &tree.nodes) {
            by_column.entry((node.feature, node.missing)).or_default().push(node.threshold);
        }
        let columns: Vec<Column> = by_column
            .into_iter()
            .map(|((feature, missing), mut thresholds)| {
                thresholds.sort_unstable_by(f64::total_cmp);
                // By value: −0 and 0 are one threshold.
                thresholds.dedup_by(|a, b| a == b);
                Column { feature, missing, thresholds }
            })
            .collect();
        let trees = trees
            .iter()
            .map(|tree| match tree.leaves.len() {
                0..=32 => Masks::Narrow(steps(tree, &columns)),
                33..=LEAVES_MAX => Masks::Wide(steps(tree, &columns)),
                _ => Masks::Plain,
            })
            .collect();
        Self { columns, trees }
    }

    /// Sums of `base` and the leaves, row by row, in the order of the trees.
    pub(crate) fn score(&self, trees: &[Tree], base: &[f64], rows: &[f64], features: usize) -> Vec<f64> {
        let width = features.max(1);
        let mut scores = vec![0.0; rows.len() / width * base.len()];
        let parts = rows.par_chunks(ROWS * BLOCKS * width).zip(scores.par_chunks_mut(ROWS * BLOCKS * base.len()));
        parts.for_each(|(rows, scores)| {
            let mut ranks = vec![[0i32; ROWS]; self.columns.len()];
            for (rows, scores) in rows.chunks(ROWS * width).zip(scores.chunks_mut(ROWS * base.len())) {
                self.block(trees, base, rows, width, &mut ranks, scores);
            }
        });
        scores
    }

    fn block(
        &self,
        trees: &[Tree],
        base: &[f64],
        rows: &[f64],
        width: usize,
        ranks: &mut [[i32; ROWS]],
        scores: &mut [f64],
    ) {
        let count = rows.len() / width;
        for (column, ranks) in self.columns.iter().zip(ranks.iter_mut()) {
            for (row, rank) in rows.chunks_exact(width).zip(ranks) {
                *rank = match column.missing.way(row[column.feature]) {
                    Way::Left => 0,
                    Way::Right => column.thresholds.len() as i32,
                    Way::Compare(value) => column.thresholds.partition_point(|&threshold| threshold < value) as i32,
                };
            }
        }
        scores.chunks_exact_mut(base.len()).for_each(|scores| scores.copy_from_slice(base));
        for (tree, masks) in trees.iter().zip(&self.trees) {
            let leaves: [usize; ROWS] = match masks {
                Masks::Narrow(steps) => reached(steps, ranks).map(|word: u32| word.trailing_zeros() as usize),
                Masks::Wide(steps) => reached(steps, ranks).map(|word: u64| word.trailing_zeros() as usize),
                Masks::Plain => {
                    let mut leaves = [0; ROWS];
                    rows.chunks_exact(width).zip(&mut leaves).for_each(|(row, leaf)| *leaf = tree.leaf(row));
                    leaves
                }
            };
            for (row, leaf) in leaves.into_iter().take(count).enumerate() {
                scores[row * base.len() + tree.output] += tree.leaves[leaf];
            }
        }
    }
}

/// Leaves that are left to each row, as bits.
fn reached<W: Word>(steps: &[Step<W>], ranks: &[[i32; ROWS]]) -> [W; ROWS] {
    let mut words = [W::ALL; ROWS];
    for step in steps {
        let ranks = &ranks[step.column as usize];
        for row in 0..ROWS {
            words[row] = words[row].and(W::select(ranks[row] > step.rank, step.keeps));
        }
    }
    words
}

fn steps<W: Word>(tree: &Tree, columns: &[Column]) -> Vec<Step<W>> {
    let mut steps: Vec<Step<W>> = (0..tree.nodes.len())
        .map(|at| {
            let node = &tree.nodes[at];
            let column = columns.partition_point(|c| (c.feature, c.missing) < (node.feature, node.missing));
            let rank = columns[column].thresholds.partition_point(|&threshold| threshold < node.threshold);
            let (first, end) = (leftmost(tree, node.left), leftmost(tree, node.right));
            Step { column: column as u32, rank: rank as i32, keeps: W::without(first, end) }
        })
        .collect();
    // Neighbours read the same ranks.
    steps.sort_by_key(|step| step.column);
    steps
}

/// Leaf at the left end below a child; leaves are numbered from the left.
fn leftmost(tree: &Tree, mut child: Child) -> usize {
    loop {
        match child {
            Child::Leaf(leaf) => return leaf,
            Child::Node(node) => child = tree.nodes[node].left,
        }
    }
}

/// A word with one bit a leaf.
trait Word: Copy {
    const ALL: Self;
    fn and(self, other: Self) -> Self;
    /// `keeps` if `is_right`, else all bits.
    fn select(is_right: bool, keeps: Self) -> Self;
    /// All bits but those from `first` to before `end`.
    fn without(first: usize, end: usize) -> Self;
}

macro_rules! word {
    ($word:ty) => {
        impl Word for $word {
            const ALL: Self = <$word>::MAX;

            #[inline]
            fn and(self, other: Self) -> Self {
                self & other
            }

            #[inline]
            fn select(is_right: bool, keeps: Self) -> Self {
                if is_right { keeps } else { Self::ALL }
            }

            fn without(first: usize, end: usize) -> Self {
                (first..end).fold(Self::ALL, |word, leaf| word & !(1 << leaf))
            }
        }
    };
}

word!(u32);
word!(u64);
