//! When did it last look like this, and what came next? Start at [`Index::query`].
//!
//! - Only vectors known before the query's moment are compared with, and only those whose outcome was known before it.
//! - Distance: root of the mean, over the components that both have, of the squared difference in standard deviations. A
//!   component is centred and scaled by the mean and deviation of its own symbol's vectors known before the moment, so
//!   symbols of different size can be compared; one without spread is left out. Vectors that share less than half of their
//!   components are no neighbours.
//! - Neighbours: the nearest, exactly; of equal distances the earlier known, then by name.
//! - Similarity: exp(−d² / 2h²), h² the mean d² of the neighbours; 1 where that is 0.
//! - Shares: each outcome's part of the neighbours' similarity, with a bootstrap interval over neighbours, beside the
//!   base rate: its part of all that the query could have found.
//!
//! [`evaluate`] plays all episodes through again and says whether that knows more than the base rate.

mod evaluate;
mod scale;
mod scan;

use std::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use railbird_measure::{Baseline, Better, Bootstrap, Resampling, Score, bootstrap_each};
use rayon::prelude::*;

pub use self::evaluate::{EvaluateRules, Evaluation, evaluate};
pub use self::scan::Scan;
use self::{
    scale::{Moments, Spread},
    scan::{CHUNK, Row, Sums, Target},
};
use crate::StageError;
use crate::episode::{Outcome, OutcomeClass};
use crate::level::LevelKind;
use crate::vectors::{DIMENSIONS, SetupVector};

/// Classes of outcomes.
const CLASSES: usize = OutcomeClass::NAMES.len();
/// Most neighbours of a query.
pub const NEIGHBOURS_MAX: usize = 1000;
/// Components that two vectors must share.
const SHARED_MIN: usize = DIMENSIONS / 2;

/// Vectors with their outcomes, laid out to be compared.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// In order of symbol.
    blocks: Vec<Block>,
}

/// Vectors of one symbol, in order of time known, then of name.
#[derive(Debug, Clone)]
struct Block {
    symbol: String,
    entries: Vec<Entry>,
    /// What a query asks of each entry, close together.
    facts: Vec<Fact>,
    rows: Vec<Row>,
    moments: Moments,
}

#[derive(Debug, Clone)]
struct Entry {
    episode: String,
    kind: LevelKind,
    trigger_start: i64,
    known_at: i64,
    /// Class, and when it was known.
    outcome: Option<(OutcomeClass, i64)>,
}

#[derive(Debug, Clone, Copy)]
struct Fact {
    /// `i64::MAX` without an outcome: before no moment.
    outcome_known_at: i64,
    trigger_start: i64,
    /// The bit of the class; 0 without an outcome.
    class: u8,
    /// The bit of the kind of level.
    kind: u8,
}

/// A [`Filter`] as bits and bounds.
#[derive(Debug, Clone, Copy)]
struct Sieve {
    at: i64,
    from: i64,
    until: i64,
    classes: u8,
    kinds: u8,
}

/// What a query may find; an empty list is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Symbols.
    pub symbols: Vec<String>,
    /// Kinds of levels.
    pub kinds: Vec<LevelKind>,
    /// Outcomes.
    pub outcomes: Vec<OutcomeClass>,
    /// Triggers from this instant, ns since 1970, included.
    pub from: Option<i64>,
    /// Triggers before this instant, ns since 1970.
    pub until: Option<i64>,
}

/// A situation, and what to compare it with.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Symbol, whose vectors scale the situation.
    pub symbol: String,
    /// The moment, ns since 1970: only what was known before it is used.
    pub at: i64,
    /// By [`crate::VECTOR_FEATURES`]; NaN where missing.
    pub values: [f64; DIMENSIONS],
    /// What may be found.
    pub filter: Filter,
    /// How many neighbours, 2 to [`NEIGHBOURS_MAX`].
    pub neighbours: usize,
    /// How distances are computed.
    pub scan: Scan,
}

/// A situation that was like it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Neighbour {
    /// Its episode.
    pub episode: String,
    /// Its symbol.
    pub symbol: String,
    /// Kind of its level.
    pub kind: LevelKind,
    /// Start of its trigger bar, ns since 1970.
    pub trigger_start: i64,
    /// Distance, standard deviations.
    pub distance: f64,
    /// Weight in the shares, above 0, at most 1.
    pub similarity: f64,
    /// What came of it.
    pub outcome: OutcomeClass,
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Answer {
    /// Nearest first.
    pub neighbours: Vec<Neighbour>,
    /// How many it could have found.
    pub candidates: usize,
    /// A score for each outcome: its share, its base rate, how many neighbours, an interval.
    pub shares: Vec<Share>,
}

/// Share of an outcome.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Share {
    /// The outcome.
    pub outcome: OutcomeClass,
    /// Its share among the neighbours, beside its base rate.
    pub share: Score,
}

/// The nearest of a query, without figures.
struct Nearest {
    /// Nearest first: mean square, block, row.
    found: Vec<(f32, usize, usize)>,
    /// Candidates by outcome.
    base: [usize; CLASSES],
}

impl Index {
    /// Lays vectors out; an outcome belongs to the vector of the same episode.
    pub fn new(vectors: &[SetupVector], outcomes: &[Outcome]) -> Self {
        let outcome_of: BTreeMap<&str, (OutcomeClass, i64)> =
            outcomes.iter().map(|outcome| (outcome.episode.as_str(), (outcome.class, outcome.known_at))).collect();
        let mut by_symbol: BTreeMap<&str, Vec<&SetupVector>> = BTreeMap::new();
        for vector in vectors {
            by_symbol.entry(&vector.symbol).or_default().push(vector);
        }
        let block = |(symbol, mut vectors): (&str, Vec<&SetupVector>)| {
            vectors.sort_by(|a, b| (a.known_at, &a.episode).cmp(&(b.known_at, &b.episode)));
            let entry = |vector: &&SetupVector| Entry {
                episode: vector.episode.clone(),
                kind: vector.kind,
                trigger_start: vector.trigger_start,
                known_at: vector.known_at,
                outcome: outcome_of.get(vector.episode.as_str()).copied(),
            };
            let rows: Vec<Row> = vectors.iter().map(|vector| vector.values.map(|value| value as f32)).collect();
            let mut moments = Moments::default();
            rows.iter().for_each(|row| moments.push(row));
            let entries: Vec<Entry> = vectors.iter().map(entry).collect();
            let facts = entries.iter().map(Entry::fact).collect();
            Block { symbol: symbol.to_owned(), entries, facts, rows, moments }
        };
        Self { blocks: by_symbol.into_iter().map(block).collect() }
    }

    /// How many vectors it holds.
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.rows.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The neighbours of a situation, and what came of them. `rules`: of the intervals around the shares.
    ///
    /// # Errors
    /// [`StageError::TooFew`] with fewer than two neighbours, or where less than two vectors of the query's symbol were
    /// known; [`StageError::Measure`].
    pub fn query(&self, query: &Query, rules: &Bootstrap) -> Result<Answer, StageError> {
        let nearest = self.nearest(query)?;
        if nearest.found.len() < 2 {
            return Err(StageError::TooFew { what: "neighbours", needed: 2, found: nearest.found.len() });
        }
        let similarities = similarities(&nearest.found);
        let neighbours: Vec<Neighbour> = nearest
            .found
            .iter()
            .zip(&similarities)
            .map(|(&(square, block, row), &similarity)| self.neighbour(square, block, row, similarity))
            .collect();
        let weighted: Vec<(f64, OutcomeClass)> =
            neighbours.iter().map(|neighbour| (neighbour.similarity, neighbour.outcome)).collect();
        let candidates: usize = nearest.base.iter().sum();
        let values = shares_of(&weighted);
        // Drawn once for all outcomes: five times as many draws would be most of a query's time.
        let intervals = bootstrap_each(&weighted, shares_of, rules)?;
        let share = |((class, _), interval): ((OutcomeClass, _), _)| {
            let base = nearest.base[class as usize] as f64 / candidates as f64;
            let share = Score::new(
                share_name(class),
                Better::Higher,
                values[class as usize],
                Baseline { name: "base rate of all that could be found", value: base },
                weighted.len(),
                interval,
            )?;
            Ok(Share { outcome: class, share })
        };
        let shares = OutcomeClass::NAMES.into_iter().zip(intervals).map(share).collect::<Result<_, StageError>>()?;
        Ok(Answer { neighbours, candidates, shares })
    }

    fn neighbour(&self, square: f32, block: usize, row: usize, similarity: f64) -> Neighbour {
        let (block, entry) = (&self.blocks[block], &self.blocks[block].entries[row]);
        let (outcome, _) = entry.outcome.expect("only vectors with an outcome are found");
        Neighbour {
            episode: entry.episode.clone(),
            symbol: block.symbol.clone(),
            kind: entry.kind,
            trigger_start: entry.trigger_start,
            distance: f64::from(square).sqrt(),
            similarity,
            outcome,
        }
    }

    fn nearest(&self, query: &Query) -> Result<Nearest, StageError> {
        let count = query.neighbours.clamp(2, NEIGHBOURS_MAX);
        let own = self.blocks.iter().find(|block| block.symbol == query.symbol);
        let known = own.map_or(0, |block| block.known_before(query.at));
        let own = own.filter(|_| known >= 2).ok_or(StageError::TooFew {
            what: "vectors of the symbol",
            needed: 2,
            found: known,
        })?;
        let standard = own.spread(known).standardise(&query.values);
        let sieve = Sieve::of(query);
        let is_asked = |block: &Block| query.filter.symbols.is_empty() || query.filter.symbols.contains(&block.symbol);
        let mut parts = Vec::new();
        for (at, block) in self.blocks.iter().enumerate().filter(|(_, block)| is_asked(block)) {
            let known = block.known_before(query.at);
            let target = Arc::new(block.spread(known).target(&standard));
            let rows = (0..known).step_by(PART).map(|from| from..known.min(from + PART));
            parts.extend(rows.map(|rows| Part { at, block, target: Arc::clone(&target), rows }));
        }
        let search = |part: &Part<'_>| part.search(query.scan, sieve, count);
        let searched: Vec<Nearer> =
            if parts.len() > 1 { parts.par_iter().map(search).collect() } else { parts.iter().map(search).collect() };
        let mut base = [0; CLASSES];
        let mut found: Vec<(u32, usize, usize)> = Vec::new();
        for part in searched {
            base.iter_mut().zip(part.base).for_each(|(all, part)| *all += part);
            found.extend(part.heap);
        }
        // Those of each part hold the nearest of all; ties go by block and row, which are in a fixed order.
        found.sort_unstable();
        found.truncate(count);
        let order = |&(square, block, row): &(u32, usize, usize)| {
            let entry: &Entry = &self.blocks[block].entries[row];
            (square, entry.known_at, entry.episode.clone())
        };
        found.sort_by_cached_key(order);
        Ok(Nearest {
            found: found.into_iter().map(|(square, block, row)| (f32::from_bits(square), block, row)).collect(),
            base,
        })
    }
}

/// Rows of a block that one thread looks through at a time. Cut at the same rows whatever the number of threads.
const PART: usize = 8192;
const _: () = assert!(PART.is_multiple_of(CHUNK));

struct Part<'i> {
    at: usize,
    block: &'i Block,
    target: Arc<Target>,
    rows: std::ops::Range<usize>,
}

/// The nearest of a part, in no order, and its candidates by outcome.
struct Nearer {
    heap: BinaryHeap<(u32, usize, usize)>,
    base: [usize; CLASSES],
}

impl Part<'_> {
    /// Sifts, measures and keeps the nearest `count`, a chunk of rows after the other; nothing is allocated a row.
    fn search(&self, scan: Scan, sieve: Sieve, count: usize) -> Nearer {
        let mut base = [0; CLASSES];
        // The farthest on top, so that it is the one to go.
        let mut heap: BinaryHeap<(u32, usize, usize)> = BinaryHeap::with_capacity(count + 1);
        let mut sums = Sums::default();
        for from in self.rows.clone().step_by(CHUNK) {
            let rows = from..self.rows.end.min(from + CHUNK);
            let facts = &self.block.facts[rows.clone()];
            let mut wanted = [false; CHUNK];
            wanted.iter_mut().zip(facts).for_each(|(wanted, fact)| *wanted = sieve.passes(fact));
            if !wanted.contains(&true) {
                continue;
            }
            sums.measure(scan, &self.block.rows[rows], &self.target);
            for (row, fact) in facts.iter().enumerate().filter(|(row, _)| wanted[*row]) {
                base[fact.class.trailing_zeros() as usize] += 1;
                let Some(square) = sums.mean_square(row, SHARED_MIN) else { continue };
                // The bits of numbers that are not negative are in the order of the numbers.
                let candidate = (square.to_bits(), self.at, from + row);
                if heap.len() < count {
                    heap.push(candidate);
                } else if let Some(mut farthest) = heap.peek_mut()
                    && candidate < *farthest
                {
                    *farthest = candidate;
                }
            }
        }
        Nearer { heap, base }
    }
}

impl Block {
    fn known_before(&self, at: i64) -> usize {
        self.entries.partition_point(|entry| entry.known_at < at)
    }

    fn spread(&self, known: usize) -> Spread {
        self.moments.of_first(&self.rows, known)
    }
}

impl Entry {
    fn fact(&self) -> Fact {
        let (class, outcome_known_at) =
            self.outcome.map_or((0, i64::MAX), |(class, known_at)| (1 << class as u8, known_at));
        Fact { outcome_known_at, trigger_start: self.trigger_start, class, kind: 1 << self.kind as u8 }
    }
}

impl Sieve {
    fn of(query: &Query) -> Self {
        let Filter { kinds, outcomes, from, until, .. } = &query.filter;
        let classes = outcomes.iter().fold(0, |bits, class| bits | 1 << *class as u8);
        let kinds = kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8);
        Self {
            at: query.at,
            from: from.unwrap_or(i64::MIN),
            until: until.unwrap_or(i64::MAX),
            classes: if classes == 0 { u8::MAX } else { classes },
            kinds: if kinds == 0 { u8::MAX } else { kinds },
        }
    }

    #[inline]
    fn passes(&self, fact: &Fact) -> bool {
        (fact.outcome_known_at < self.at)
            & (fact.class & self.classes != 0)
            & (fact.kind & self.kinds != 0)
            & (self.from <= fact.trigger_start)
            & (fact.trigger_start < self.until)
    }
}

impl Spread {
    /// In standard deviations from the mean; NaN where there is no spread.
    fn standardise(&self, values: &[f64; DIMENSIONS]) -> [f64; DIMENSIONS] {
        std::array::from_fn(|at| (values[at] - self.mean[at]) / self.deviation[at])
    }

    /// The same place among the vectors that have this spread.
    fn target(&self, standard: &[f64; DIMENSIONS]) -> Target {
        Target {
            centre: std::array::from_fn(|at| (self.mean[at] + standard[at] * self.deviation[at]) as f32),
            scale: std::array::from_fn(|at| (1.0 / self.deviation[at]) as f32),
        }
    }
}

/// Weights of neighbours by their mean squares.
fn similarities(found: &[(f32, usize, usize)]) -> Vec<f64> {
    let mean = found.iter().map(|(square, ..)| f64::from(*square)).sum::<f64>() / found.len() as f64;
    let weight =
        |&(square, ..): &(f32, usize, usize)| if mean > 0.0 { (-f64::from(square) / (2.0 * mean)).exp() } else { 1.0 };
    found.iter().map(weight).collect()
}

/// Each outcome's part of the similarity of `rows`.
fn shares_of(rows: &[(f64, OutcomeClass)]) -> [f64; CLASSES] {
    let (mut of, mut total) = ([0.0; CLASSES], 0.0);
    for (weight, class) in rows {
        of[*class as usize] += weight;
        total += weight;
    }
    of.map(|of| of / total)
}

const fn share_name(class: OutcomeClass) -> &'static str {
    match class {
        OutcomeClass::StrongBreak => "share of strong breaks",
        OutcomeClass::WeakBreak => "share of weak breaks",
        OutcomeClass::Chop => "share of chop",
        OutcomeClass::WeakBounce => "share of weak bounces",
        OutcomeClass::StrongBounce => "share of strong bounces",
    }
}

/// Intervals of a query: 500 resamples at 95 %.
pub const SHARE_INTERVALS: Bootstrap =
    Bootstrap { resamples: 500, level: 0.95, seed: 1, resampling: Resampling::Independent };
