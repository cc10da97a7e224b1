//! Models in files: ONNX, and LightGBM's text. Start at [`ModelFile`].
//!
//! Ensembles of trees go through [`Ensemble`], everything else through rten. Each context is run by itself on one thread, so that its answer
//! does not depend on its batch; for trees, contexts are spread over the threads.

mod protobuf;
mod tree_ensemble;

use std::sync::Arc;

use rayon::prelude::*;
use rten::{Model, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;

use self::protobuf::{Attribute, Field, Fields, text};
use crate::{
    Ensemble, Error, Forecast, Forecaster, ModelId, Quantiles, Unmade, forecaster::check_horizon, statistical,
};

/// Longest file, bytes.
const FILE_BYTES_MAX: usize = 1 << 30;
/// Most changes that a model may want.
const CHANGES_MAX: usize = 10_000;

/// A model in a file that predicts relative changes.
///
/// In: `[1, n]` f32 (LightGBM: f64), the last n changes `v[t] / v[t − 1] − 1` of the context, oldest first, which has n + 1 values above 0. Out: as many numbers as
/// levels times steps, step by step, within a step by level: the relative change from the last value; levels are put in order. The
/// file's metadata says `railbird.levels` (such as `0.1,0.5,0.9`; without it `0.5`), and for networks `railbird.changes`, n.
/// LightGBM's models say neither: each is one level of one step, and takes as many changes as it has features.
/// Any horizon up to the steps that the model gives.
pub struct ModelFile {
    id: ModelId,
    levels: Arc<[f64]>,
    changes: usize,
    scorer: Scorer,
}

enum Scorer {
    Trees(Ensemble),
    /// One a level.
    Levels(Vec<Ensemble>),
    Network(Box<Model>, RunOptions),
}

impl ModelFile {
    /// Reads a model. `bytes` may come from anyone.
    ///
    /// # Errors
    /// [`Error::Failed`] with what was expected.
    pub fn onnx(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(failed(format!("expected at most {FILE_BYTES_MAX} bytes, found {}", bytes.len())));
        }
        let file = OnnxFile::read(bytes).map_err(failed)?;
        let levels = file.metadata("railbird.levels").unwrap_or("0.5");
        let levels = levels.split(',').map(|level| level.trim().parse::<f64>()).collect::<Result<Vec<_>, _>>();
        let levels = levels.map_err(|_| failed("metadata `railbird.levels`: expected numbers".to_owned()))?;
        Quantiles::new(&levels[..], vec![0.0; levels.len().max(1)])?;
        let (changes, scorer) = if file.is_trees() {
            let trees = tree_ensemble::read(&file.nodes[0].attributes)?;
            (trees.features(), Scorer::Trees(trees))
        } else {
            let changes = file.metadata("railbird.changes").and_then(|changes| changes.parse().ok());
            let changes = changes.filter(|changes| (1..=CHANGES_MAX).contains(changes)).ok_or_else(|| {
                failed(format!("expected metadata `railbird.changes`, the changes that it wants, 1 to {CHANGES_MAX}"))
            })?;
            let model = Model::load(bytes.to_vec()).map_err(|error| failed(error.to_string()))?;
            if model.input_ids().len() != 1 || model.output_ids().len() != 1 {
                return Err(failed("expected one input and one output".to_owned()));
            }
            let options = RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(1))));
            (changes, Scorer::Network(Box::new(model), options))
        };
        let id = ModelId::new("onnx/1", "").with_weights(bytes);
        Ok(Self { id, levels: Arc::from(levels), changes, scorer })
    }

    /// Models that LightGBM saved as text, each for one level; 0.5 is among them.
    ///
    /// # Errors
    /// As [`ModelFile::onnx`].
    pub fn lightgbm(models: &[(f64, &[u8])]) -> Result<Self, Error> {
        let mut models = models.to_vec();
        models.sort_by(|a, b| a.0.total_cmp(&b.0));
        let levels: Vec<f64> = models.iter().map(|(level, _)| *level).collect();
        Quantiles::new(&levels[..], vec![0.0; levels.len().max(1)])?;
        let mut ensembles = Vec::new();
        let mut weights = blake3::Hasher::new();
        for (_, bytes) in &models {
            let text = std::str::from_utf8(bytes).map_err(|_| failed("LightGBM: expected text".to_owned()))?;
            let ensemble = Ensemble::from_lightgbm(text)?;
            if ensemble.outputs() != 1 || !(1..=CHANGES_MAX).contains(&ensemble.features()) {
                let (outputs, features) = (ensemble.outputs(), ensemble.features());
                let reason =
                    format!("expected one output of 1 to {CHANGES_MAX} features, found {outputs} of {features}");
                return Err(failed(reason));
            }
            weights.update(blake3::hash(bytes).as_bytes());
            ensembles.push(ensemble);
        }
        let changes = ensembles[0].features();
        if ensembles.iter().any(|ensemble| ensemble.features() != changes) {
            return Err(failed("expected models of equally many features".to_owned()));
        }
        let id = ModelId::new("lightgbm/1", format!("levels={levels:?}"));
        let id = id.with_weights_hash(*weights.finalize().as_bytes());
        Ok(Self { id, levels: Arc::from(levels), changes, scorer: Scorer::Levels(ensembles) })
    }

    fn one(&self, context: &[f64], horizon: usize) -> Result<Forecast, Error> {
        if let Err(unmade) = statistical::usable(context, self.changes + 1) {
            return Ok(Forecast::Unmade(unmade));
        }
        let recent = &context[context.len() - self.changes - 1..];
        if recent.iter().any(|&value| value <= 0.0) {
            return Ok(Forecast::Unmade(Unmade::Declined));
        }
        let exact: Vec<f64> = recent.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let changes = exact.iter().map(|&change| change as f32);
        let outputs: Vec<f64> = match &self.scorer {
            Scorer::Trees(trees) => trees.score(&changes.map(f64::from).collect::<Vec<_>>()),
            Scorer::Levels(levels) => levels.iter().flat_map(|level| level.score(&exact)).collect(),
            Scorer::Network(model, options) => run(model, options, changes.collect())?,
        };
        let wanted = horizon * self.levels.len();
        if outputs.len() < wanted || !outputs.len().is_multiple_of(self.levels.len()) {
            let (found, levels) = (outputs.len(), self.levels.len());
            return Err(failed(format!("expected {wanted} numbers, {levels} levels a step, found {found}")));
        }
        let last = context[context.len() - 1];
        let mut values: Vec<f64> = outputs[..wanted].iter().map(|change| last * (1.0 + change)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Ok(Forecast::Unmade(Unmade::Overflow));
        }
        values.chunks_exact_mut(self.levels.len()).for_each(|step| step.sort_unstable_by(f64::total_cmp));
        Quantiles::new(Arc::clone(&self.levels), values).map(Forecast::Made)
    }
}

impl Forecaster for ModelFile {
    fn id(&self) -> ModelId {
        self.id.clone()
    }

    fn predict_batch(&self, contexts: &[&[f64]], horizon: usize, _seed: u64) -> Result<Vec<Forecast>, Error> {
        check_horizon(horizon)?;
        if !matches!(self.scorer, Scorer::Network(..)) {
            return contexts.par_iter().map(|context| self.one(context, horizon)).collect();
        }
        // A thread of its own: rten has a pool of rayon's inside, and a worker of another pool that waits for it takes up further contexts
        // meanwhile, one within the other, until its stack is full.
        std::thread::scope(|scope| {
            let all = scope.spawn(|| contexts.iter().map(|context| self.one(context, horizon)).collect());
            all.join().unwrap_or_else(|_| Err(failed("the network panicked; its file may be damaged".to_owned())))
        })
    }
}

/// Outputs of a network for one row.
fn run(model: &Model, options: &RunOptions, changes: Vec<f32>) -> Result<Vec<f64>, Error> {
    let shape = [1, changes.len()];
    let input = Value::from_shape(shape, changes).map_err(|error| failed(error.to_string()))?;
    let inputs = vec![(model.input_ids()[0], input.into())];
    let outputs = model.run(inputs, model.output_ids(), Some(options.clone()));
    let outputs = outputs.map_err(|error| failed(error.to_string()))?;
    match outputs.into_iter().next() {
        Some(Value::FloatTensor(tensor)) => Ok(tensor.iter().copied().map(f64::from).collect()),
        _ => Err(failed("expected an output of f32".to_owned())),
    }
}

/// What is looked at before a scorer is chosen.
#[derive(Default)]
struct OnnxFile {
    nodes: Vec<OnnxNode>,
    metadata: Vec<(String, String)>,
}

#[derive(Default)]
struct OnnxNode {
    operator: String,
    attributes: Vec<(String, Attribute)>,
}

impl OnnxFile {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut file = Self::default();
        for field in Fields::of(bytes) {
            match field? {
                Field::Bytes(7, graph) => {
                    for field in Fields::of(graph) {
                        if let Field::Bytes(1, node) = field? {
                            file.nodes.push(OnnxNode::read(node)?);
                        }
                    }
                }
                Field::Bytes(14, pair) => {
                    let (mut key, mut value) = (String::new(), String::new());
                    for field in Fields::of(pair) {
                        match field? {
                            Field::Bytes(1, bytes) => key = text(bytes),
                            Field::Bytes(2, bytes) => value = text(bytes),
                            _ => {}
                        }
                    }
                    file.metadata.push((key, value));
                }
                _ => {}
            }
        }
        if file.nodes.is_empty() {
            return Err("expected an ONNX model, found no node in it".to_owned());
        }
        match file.nodes.iter().find(|node| node.operator.starts_with("TreeEnsemble")) {
            Some(node) if node.operator != "TreeEnsembleRegressor" => {
                Err(format!("expected TreeEnsembleRegressor, found {}", node.operator))
            }
            Some(_) if file.nodes.len() > 1 => {
                Err("expected a graph of one TreeEnsembleRegressor, found other nodes beside it".to_owned())
            }
            _ => Ok(file),
        }
    }

    fn is_trees(&self) -> bool {
        self.nodes[0].operator == "TreeEnsembleRegressor"
    }

    fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl OnnxNode {
    fn read(message: &[u8]) -> Result<Self, String> {
        let mut node = Self::default();
        for field in Fields::of(message) {
            match field? {
                Field::Bytes(4, bytes) => node.operator = text(bytes),
                Field::Bytes(5, bytes) => node.attributes.push(Attribute::read(bytes)?),
                _ => {}
            }
        }
        // Only trees are read from attributes; a network's may be large.
        if !node.operator.starts_with("TreeEnsemble") {
            node.attributes.clear();
        }
        Ok(node)
    }
}

fn failed(reason: String) -> Error {
    Error::Failed { model: "file".to_owned(), reason }
}
