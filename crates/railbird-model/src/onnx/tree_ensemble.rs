//! The operator TreeEnsembleRegressor of ai.onnx.ml, versions 1 and 3.

use std::collections::HashMap;

use super::{failed, protobuf::Attribute};
use crate::{
    Ensemble, Error,
    trees::{Child, Missing, Node, Tree},
};

/// By tree and node: the outputs that the leaf adds to, and how much.
type LeafWeights = HashMap<(i64, i64), Vec<(usize, f64)>>;

pub(super) fn read(attributes: &[(String, Attribute)]) -> Result<Ensemble, Error> {
    let lists = Lists { attributes };
    let parsed = lists.trees().map_err(failed)?;
    Ensemble::new(parsed.features, parsed.base, parsed.trees, parsed.is_mean)
}

struct Lists<'a> {
    attributes: &'a [(String, Attribute)],
}

struct Parsed {
    features: usize,
    base: Vec<f64>,
    trees: Vec<Tree>,
    is_mean: bool,
}

impl Lists<'_> {
    fn of(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, attribute)| attribute)
    }

    fn integers(&self, name: &str) -> &[i64] {
        self.of(name).map_or(&[], |attribute| &attribute.integers)
    }

    fn trees(&self) -> Result<Parsed, String> {
        if let Some((name, _)) = self.attributes.iter().find(|(_, attribute)| attribute.is_tensor) {
            return Err(format!("{name}: attributes as tensors are not read; save with f32 attributes"));
        }
        let outputs = self.of("n_targets").map_or(1, |attribute| attribute.integer);
        let outputs = usize::try_from(outputs).ok().filter(|outputs| (1..=1_000).contains(outputs));
        let outputs = outputs.ok_or("n_targets: expected 1 to 1000")?;
        let is_mean = match self.of("aggregate_function").map_or("SUM", |attribute| &attribute.text) {
            "SUM" => false,
            "AVERAGE" => true,
            other => return Err(format!("aggregate_function: expected SUM or AVERAGE, found {other:.20}")),
        };
        if !matches!(self.of("post_transform").map_or("NONE", |attribute| &attribute.text), "NONE" | "") {
            return Err("post_transform: expected NONE".to_owned());
        }
        let base = self.of("base_values").map_or(&[][..], |attribute| &attribute.floats);
        if !base.is_empty() && base.len() != outputs {
            return Err(format!("base_values: expected {outputs}, found {}", base.len()));
        }
        let base = (0..outputs).map(|at| base.get(at).copied().map_or(0.0, f64::from)).collect();
        let (trees, features) = self.split(outputs)?;
        Ok(Parsed { features, base, trees, is_mean })
    }

    /// Trees in the order of their first node, and the features that they use.
    fn split(&self, outputs: usize) -> Result<(Vec<Tree>, usize), String> {
        let tree_ids = self.integers("nodes_treeids");
        let node_ids = self.integers("nodes_nodeids");
        let features = self.integers("nodes_featureids");
        let (yes, no) = (self.integers("nodes_truenodeids"), self.integers("nodes_falsenodeids"));
        let values = self.of("nodes_values").map_or(&[][..], |attribute| &attribute.floats);
        let modes = self.of("nodes_modes").map_or(&[][..], |attribute| &attribute.texts);
        let missing = self.integers("nodes_missing_value_tracks_true");
        let count = tree_ids.len();
        let lengths = [node_ids.len(), features.len(), yes.len(), no.len(), values.len(), modes.len()];
        if count == 0 || lengths != [count; 6] || !(missing.is_empty() || missing.len() == count) {
            return Err(format!("expected lists of nodes of one length, found {count} and {lengths:?}"));
        }
        let weights = self.weights(outputs)?;
        // Per tree: its rows, in order.
        let mut order: Vec<Vec<usize>> = Vec::new();
        let mut place_of_tree = HashMap::new();
        for (row, id) in tree_ids.iter().enumerate() {
            let place = *place_of_tree.entry(*id).or_insert_with(|| {
                order.push(Vec::new());
                order.len() - 1
            });
            order[place].push(row);
        }
        let mut trees = Vec::new();
        for rows in &order {
            let tree_id = tree_ids[rows[0]];
            let mut places = HashMap::new();
            let (mut inner, mut leaves) = (0, Vec::new());
            for &row in rows {
                let child = if modes[row] == "LEAF" {
                    leaves.push(node_ids[row]);
                    Child::Leaf(leaves.len() - 1)
                } else {
                    inner += 1;
                    Child::Node(inner - 1)
                };
                if places.insert(node_ids[row], child).is_some() {
                    return Err(format!("tree {tree_id}: node {} is there twice", node_ids[row]));
                }
            }
            // The root is the node that is nobody's child; files put it first.
            if inner > 0 && modes[rows[0]] == "LEAF" {
                return Err(format!("tree {tree_id}: expected its root first"));
            }
            let find = |id: i64| places.get(&id).copied().ok_or_else(|| format!("tree {tree_id}: no node {id}"));
            let mut nodes = Vec::with_capacity(inner);
            for &row in rows.iter().filter(|&&row| modes[row] != "LEAF") {
                let value = f64::from(values[row]);
                let (on_true, on_false) = (find(yes[row])?, find(no[row])?);
                let nan_is_true = missing.get(row).is_some_and(|&flag| flag != 0);
                // Less than is at most the number just below; the others are these with their sides changed.
                let (threshold, swapped) = match modes[row].as_str() {
                    "BRANCH_LEQ" => (value, false),
                    "BRANCH_LT" => (value.next_down(), false),
                    "BRANCH_GT" => (value, true),
                    "BRANCH_GTE" => (value.next_down(), true),
                    other => return Err(format!("tree {tree_id}: nodes_modes: {other:.20} is not read")),
                };
                let (left, right) = if swapped { (on_false, on_true) } else { (on_true, on_false) };
                let feature = usize::try_from(features[row]).map_err(|_| format!("feature {}", features[row]))?;
                let missing = Missing::Nan { left: nan_is_true != swapped };
                nodes.push(Node { feature, threshold, missing, left, right });
            }
            // One tree an output that it adds to.
            let mut used: Vec<usize> = Vec::new();
            for leaf in &leaves {
                for (output, _) in weights.get(&(tree_id, *leaf)).into_iter().flatten() {
                    if !used.contains(output) {
                        used.push(*output);
                    }
                }
            }
            used.sort_unstable();
            for output in used {
                let weight = |leaf: &i64| {
                    let found = weights.get(&(tree_id, *leaf)).into_iter().flatten();
                    found.filter(|(at, _)| *at == output).map(|(_, weight)| *weight).sum::<f64>()
                };
                trees.push(Tree { output, nodes: nodes.clone(), leaves: leaves.iter().map(weight).collect() });
            }
        }
        let features = trees.iter().flat_map(|tree| &tree.nodes).map(|node| node.feature).max();
        Ok((trees, features.map_or(1, |feature| feature.saturating_add(1))))
    }

    /// What a leaf of a tree adds to which outputs.
    fn weights(&self, outputs: usize) -> Result<LeafWeights, String> {
        let (trees, nodes) = (self.integers("target_treeids"), self.integers("target_nodeids"));
        let ids = self.integers("target_ids");
        let weights = self.of("target_weights").map_or(&[][..], |attribute| &attribute.floats);
        if [nodes.len(), ids.len(), weights.len()] != [trees.len(); 3] {
            return Err("expected lists of targets of one length".to_owned());
        }
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for at in 0..trees.len() {
            let output = usize::try_from(ids[at]).ok().filter(|output| *output < outputs);
            let output = output.ok_or_else(|| format!("target_ids: {} of {outputs}", ids[at]))?;
            found.entry((trees[at], nodes[at])).or_default().push((output, f64::from(weights[at])));
        }
        Ok(found)
    }
}
