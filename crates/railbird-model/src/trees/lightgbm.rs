//! Models as LightGBM saves them in text.

use std::collections::HashMap;

use super::{Child, Ensemble, Missing, Node, Tree};
use crate::Error;

/// Longest text, bytes.
const TEXT_BYTES_MAX: usize = 512 << 20;

/// The outer error is about the text, the inner one about the trees in it.
pub(super) fn parse(text: &str) -> Result<Result<Ensemble, Error>, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("expected at most {TEXT_BYTES_MAX} bytes, found {}", text.len()));
    }
    let mut lines = (1usize..).zip(text.lines());
    match lines.next() {
        Some((_, first)) if first.trim() == "tree" => {}
        _ => return Err("line 1: expected `tree`".to_owned()),
    }
    let mut head = Section::default();
    let mut trees: Vec<Section> = Vec::new();
    for (number, line) in lines {
        let line = line.trim();
        if line == "end of trees" {
            let model = Model::of(&head)?;
            let trees = trees.iter().enumerate().map(|(at, tree)| tree.tree(at % model.outputs));
            let trees = trees.collect::<Result<Vec<_>, _>>()?;
            return Ok(Ensemble::new(model.features, vec![0.0; model.outputs], trees, model.is_mean));
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if key == "Tree" {
            trees.push(Section { line: number, ..Section::default() });
        } else if !key.is_empty() {
            trees.last_mut().unwrap_or(&mut head).values.insert(key, (number, value));
        }
    }
    Err("expected `end of trees`, found the end of the text; is the file whole?".to_owned())
}

struct Model {
    features: usize,
    outputs: usize,
    is_mean: bool,
}

impl Model {
    fn of(head: &Section<'_>) -> Result<Self, String> {
        let features = head.number("max_feature_idx")?.checked_add(1).ok_or("max_feature_idx: too large")?;
        let outputs = head.number("num_tree_per_iteration")?;
        if !(1..=1_000).contains(&outputs) {
            return Err(format!("num_tree_per_iteration: expected 1 to 1000, found {outputs}"));
        }
        Ok(Self { features, outputs, is_mean: head.values.contains_key("average_output") })
    }
}

/// Lines `key=value`, with their numbers.
#[derive(Default)]
struct Section<'a> {
    line: usize,
    values: HashMap<&'a str, (usize, &'a str)>,
}

impl<'a> Section<'a> {
    fn tree(&self, output: usize) -> Result<Tree, String> {
        let leaves = self.number("num_leaves")?;
        if self.number("num_cat")? != 0 {
            return Err(format!("line {}: categorical splits are not read; encode categories as numbers", self.line));
        }
        if self.values.get("is_linear").is_some_and(|(_, value)| *value != "0") {
            return Err(format!("line {}: linear leaves are not read; train without linear_tree", self.line));
        }
        let nodes = leaves.checked_sub(1).ok_or_else(|| format!("line {}: a tree without leaves", self.line))?;
        let leaf_values: Vec<f64> = self.list("leaf_value", leaves)?;
        if nodes == 0 {
            return Ok(Tree { output, nodes: Vec::new(), leaves: leaf_values });
        }
        let features: Vec<usize> = self.list("split_feature", nodes)?;
        let thresholds: Vec<f64> = self.list("threshold", nodes)?;
        let kinds: Vec<u8> = self.list("decision_type", nodes)?;
        let (left, right): (Vec<i64>, Vec<i64>) = (self.list("left_child", nodes)?, self.list("right_child", nodes)?);
        // Negative: the leaf of that number's complement.
        let child = |number: i64| match usize::try_from(number) {
            Ok(node) => Child::Node(node),
            Err(_) => Child::Leaf(!number as usize),
        };
        let node = |at: usize| {
            let left_first = kinds[at] & 2 != 0;
            let missing = match kinds[at] >> 2 & 3 {
                0 => Missing::NanIsZero,
                1 => Missing::Zero { left: left_first },
                2 => Missing::Nan { left: left_first },
                _ => return Err(format!("line {}: decision_type {}", self.line, kinds[at])),
            };
            if kinds[at] & 1 != 0 {
                return Err(format!("line {}: categorical splits are not read", self.line));
            }
            let (left, right) = (child(left[at]), child(right[at]));
            Ok(Node { feature: features[at], threshold: thresholds[at], missing, left, right })
        };
        Ok(Tree { output, nodes: (0..nodes).map(node).collect::<Result<_, _>>()?, leaves: leaf_values })
    }

    fn value(&self, key: &str) -> Result<(usize, &'a str), String> {
        self.values.get(key).copied().ok_or_else(|| format!("line {}: expected `{key}=` below it", self.line.max(1)))
    }

    fn number(&self, key: &str) -> Result<usize, String> {
        let (line, value) = self.value(key)?;
        value.parse().map_err(|_| format!("line {line}: {key}: expected a number, found {value:.40?}"))
    }

    fn list<T: std::str::FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>, String> {
        let (line, value) = self.value(key)?;
        let parse = |word: &str| word.parse::<T>().map_err(|_| format!("line {line}: {key}: found {word:.40?}"));
        let list = value.split_ascii_whitespace().map(parse).collect::<Result<Vec<_>, _>>()?;
        if list.len() == count {
            return Ok(list);
        }
        Err(format!("line {line}: {key}: expected {count} numbers, found {}", list.len()))
    }
}
