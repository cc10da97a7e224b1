//! Gradient-boosted quantiles, trained on the context alone.

use super::{bootstrap::quantile, each_by_itself, last};
use crate::{Error, Forecast, Forecaster, LEVELS, ModelId, Quantiles};

/// One boosted ensemble a level and a step ahead, of the relative change from the features of the days before: gradient boosting of the
/// pinball loss (Friedman 2001: trees on the sign of the error, each leaf moved to the quantile of what is left in it), levels put
/// in order afterwards (Chernozhukov et al. 2010).
///
/// It is trained anew for each context on the context: its newest row is known when it ends, so nothing later comes in. Features: the last five
/// changes, their mean and mean size over 5 and 20, the place between the least and the greatest of 20 values. Needs 120 values
/// above 0 and as many more as steps ahead; costs milliseconds, which is what the cache is for.
#[derive(Debug, Clone, Copy)]
pub struct BoostedQuantiles {
    trees: usize,
    depth: usize,
    rate: f64,
}

const LAGS: usize = 5;
const WINDOW: usize = 20;
const FEATURES: usize = LAGS + 5;
/// Values that come into the features of a row.
const BEFORE: usize = WINDOW + 1;
const NEEDED: usize = 120;
/// Bounds tried a feature: the deciles and what lies between them.
const BOUNDS: usize = 15;
/// Fewest rows in a leaf, else its quantile at 0.1 is a single row.
const LEAF_ROWS: usize = 20;

impl BoostedQuantiles {
    /// `trees`: 1 to 500 a level; `depth`: 1 to 6; `rate`: share of each step that is taken, above 0, at most 1.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(trees: usize, depth: usize, rate: f64) -> Result<Self, Error> {
        let wrong = |parameter: String, reason: &str| {
            Err(Error::Parameter { model: "boosted".to_owned(), parameter, reason: reason.to_owned() })
        };
        if !(1..=500).contains(&trees) {
            return wrong(format!("trees={trees}"), "expected 1 to 500 trees");
        }
        if !(1..=6).contains(&depth) {
            return wrong(format!("depth={depth}"), "expected a depth of 1 to 6");
        }
        if !(rate > 0.0 && rate <= 1.0) {
            return wrong(format!("rate={rate}"), "expected a rate above 0 and at most 1");
        }
        Ok(Self { trees, depth, rate })
    }
}

impl Default for BoostedQuantiles {
    fn default() -> Self {
        Self { trees: 20, depth: 2, rate: 0.1 }
    }
}

impl Forecaster for BoostedQuantiles {
    fn id(&self) -> ModelId {
        let Self { trees, depth, rate } = self;
        ModelId::new("boosted/1", format!("trees={trees},depth={depth},rate={rate}"))
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        each_by_itself(contexts, horizon, NEEDED + horizon, |context| {
            if context.iter().any(|&value| value <= 0.0) {
                return Err(crate::Unmade::Declined);
            }
            let rows: Vec<[f64; FEATURES]> =
                (BEFORE..=context.len()).map(|end| features(&context[end - BEFORE..end])).collect();
            let table = Table::of(&rows);
            let mut values = Vec::with_capacity(horizon * LEVELS.len());
            for step in 1..=horizon {
                // Row r ends at value BEFORE + r; its answer is the change from there to `step` later.
                let answers: Vec<f64> = (BEFORE..=context.len() - step)
                    .map(|end| context[end - 1 + step] / context[end - 1] - 1.0)
                    .collect();
                let mut at: [f64; 9] = LEVELS.map(|level| last(context) * (1.0 + self.boost(&table, &answers, level)));
                at.sort_unstable_by(f64::total_cmp);
                values.extend(at);
            }
            Quantiles::of_standard_levels(values.into())
        })
    }
}

impl BoostedQuantiles {
    /// The quantile at `level` of the table's newest row, whose answer is not known.
    fn boost(&self, table: &Table, answers: &[f64], level: f64) -> f64 {
        let mut sorted = answers.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let base = quantile(&sorted, level);
        let mut fitted = vec![base; table.rows];
        let everyone: Vec<u32> = (0..answers.len() as u32).collect();
        let newest = table.rows - 1;
        for _ in 0..self.trees {
            let gradients: Vec<f64> =
                answers.iter().zip(&fitted).map(|(a, f)| if a > f { level } else { level - 1.0 }).collect();
            self.grow(table, answers, &gradients, level, everyone.clone(), Some(newest), self.depth, &mut fitted);
        }
        fitted[newest]
    }

    /// Splits `rows` where the gradients differ most, and moves the leaves. `newest`: the row to be predicted, if it falls in here.
    #[expect(clippy::too_many_arguments, reason = "one recursion over one table: a struct would only rename them")]
    fn grow(
        &self,
        table: &Table,
        answers: &[f64],
        gradients: &[f64],
        level: f64,
        rows: Vec<u32>,
        newest: Option<usize>,
        depth: usize,
        fitted: &mut [f64],
    ) {
        let split = (depth > 0).then(|| table.best_split(gradients, &rows)).flatten();
        let Some((feature, bound)) = split else {
            let mut left: Vec<f64> = rows.iter().map(|&row| answers[row as usize] - fitted[row as usize]).collect();
            left.sort_unstable_by(f64::total_cmp);
            let step = self.rate * quantile(&left, level);
            rows.iter().for_each(|&row| fitted[row as usize] += step);
            if let Some(newest) = newest {
                fitted[newest] += step;
            }
            return;
        };
        let goes_low = |row: usize| table.bins[feature][row] <= bound;
        let (low, high): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| goes_low(row as usize));
        let newest_low = newest.filter(|&row| goes_low(row));
        let newest_high = newest.filter(|&row| !goes_low(row));
        self.grow(table, answers, gradients, level, low, newest_low, depth - 1, fitted);
        self.grow(table, answers, gradients, level, high, newest_high, depth - 1, fitted);
    }
}

/// Features as numbers of bounds that lie below them.
struct Table {
    bins: Vec<Vec<u8>>,
    rows: usize,
}

impl Table {
    fn of(rows: &[[f64; FEATURES]]) -> Self {
        let bins = (0..FEATURES).map(|feature| {
            // Bounds of the rows before the newest, so that what is predicted draws no bound.
            let mut sorted: Vec<f64> = rows[..rows.len() - 1].iter().map(|row| row[feature]).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let bounds: Vec<f64> = (1..=BOUNDS).map(|part| sorted[(sorted.len() - 1) * part / (BOUNDS + 1)]).collect();
            rows.iter().map(|row| bounds.partition_point(|bound| *bound < row[feature]) as u8).collect()
        });
        Self { bins: bins.collect(), rows: rows.len() }
    }

    /// Feature and bin whose split explains most of the gradients' variance; the first of equals.
    fn best_split(&self, gradients: &[f64], rows: &[u32]) -> Option<(usize, u8)> {
        let total: f64 = rows.iter().map(|&row| gradients[row as usize]).sum();
        let mut best: Option<(f64, usize, u8)> = None;
        for (feature, bins) in self.bins.iter().enumerate() {
            let (mut sums, mut counts) = ([0.0; BOUNDS + 1], [0usize; BOUNDS + 1]);
            for &row in rows {
                let bin = usize::from(bins[row as usize]);
                sums[bin] += gradients[row as usize];
                counts[bin] += 1;
            }
            let (mut sum, mut count) = (0.0, 0);
            for bin in 0..BOUNDS {
                sum += sums[bin];
                count += counts[bin];
                let rest = rows.len() - count;
                if count < LEAF_ROWS || rest < LEAF_ROWS {
                    continue;
                }
                let gain = sum * sum / count as f64 + (total - sum) * (total - sum) / rest as f64
                    - total * total / rows.len() as f64;
                if gain > 1e-12 && best.is_none_or(|(found, ..)| gain > found) {
                    best = Some((gain, feature, bin as u8));
                }
            }
        }
        best.map(|(_, feature, bin)| (feature, bin))
    }
}

/// Features of the moment after `values`, [`BEFORE`] of them.
fn features(values: &[f64]) -> [f64; FEATURES] {
    let changes: Vec<f64> = values.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let newest = |count: usize| &changes[changes.len() - count..];
    let mean = |count: usize| newest(count).iter().sum::<f64>() / count as f64;
    let size = |count: usize| newest(count).iter().map(|change| change.abs()).sum::<f64>() / count as f64;
    let window = &values[values.len() - WINDOW..];
    let least = window.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let place = if greatest > least { (values[values.len() - 1] - least) / (greatest - least) } else { 0.5 };
    let mut features = [0.0; FEATURES];
    features[..LAGS].copy_from_slice(newest(LAGS));
    features[LAGS..].copy_from_slice(&[mean(5), mean(WINDOW), size(5), size(WINDOW), place]);
    features
}
