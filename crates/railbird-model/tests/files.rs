//! Models in files, written here in their true formats: ONNX by a protobuf writer of twenty lines, LightGBM's text by hand.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

use proptest::prelude::*;
use railbird_model::{Ensemble, Forecast, Forecaster, ModelFile, Unmade};

/// A protobuf message under construction.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A model of one graph: nodes, initial tensors, metadata.
fn model(nodes: &[Message], tensors: &[Message], input: usize, metadata: &[(&str, &str)]) -> Vec<u8> {
    let value = |name: &str, width: Option<usize>| {
        let rows = Message::default().number(1, 1);
        let columns = width.map_or_else(Message::default, |width| Message::default().number(1, width as i64));
        let shape = Message::default().message(1, &rows).message(1, &columns);
        let tensor = Message::default().number(1, 1).message(2, &shape);
        Message::default().bytes(1, name.as_bytes()).message(2, &Message::default().message(1, &tensor))
    };
    let mut graph = nodes.iter().fold(Message::default(), |graph, node| graph.message(1, node)).bytes(2, b"graph");
    graph = tensors.iter().fold(graph, |graph, tensor| graph.message(5, tensor));
    graph = graph.message(11, &value("x", Some(input))).message(12, &value("y", None));
    let opset = |domain: &str, version| Message::default().bytes(1, domain.as_bytes()).number(2, version);
    let model = Message::default().number(1, 8).message(8, &opset("", 17)).message(8, &opset("ai.onnx.ml", 3));
    let pairs =
        metadata.iter().map(|(key, value)| Message::default().bytes(1, key.as_bytes()).bytes(2, value.as_bytes()));
    pairs.fold(model.message(7, &graph), |model, pair| model.message(14, &pair)).0
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Message]) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input.as_bytes()));
    let node = node.bytes(2, output.as_bytes()).bytes(4, operator.as_bytes());
    attributes.iter().fold(node, |node, attribute| node.message(5, attribute))
}

fn tensor(name: &str, shape: &[i64], values: &[f32]) -> Message {
    let tensor = shape.iter().fold(Message::default(), |tensor, &size| tensor.number(1, size));
    tensor.number(2, 1).bytes(8, name.as_bytes()).bytes(9, &floats(values))
}

/// Three changes in, two hidden units, levels 0.5 and 0.9 of two steps out.
const HIDDEN: [f32; 6] = [0.5, -0.25, 1.0, 0.75, -0.5, 0.125];
const OUT: [f32; 8] = [1.0, 1.5, 2.0, 2.5, 0.5, 1.0, 0.25, 0.75];
const SHIFT: [f32; 4] = [0.0, 0.01, 0.0, 0.02];

fn network() -> Vec<u8> {
    let nodes = [
        node("MatMul", &["x", "w"], "h", &[]),
        node("Relu", &["h"], "r", &[]),
        node("MatMul", &["r", "v"], "o", &[]),
        node("Add", &["o", "b"], "y", &[]),
    ];
    let tensors = [tensor("w", &[3, 2], &HIDDEN), tensor("v", &[2, 4], &OUT), tensor("b", &[4], &SHIFT)];
    model(&nodes, &tensors, 3, &[("railbird.levels", "0.5,0.9"), ("railbird.changes", "3")])
}

fn network_by_hand(changes: &[f32; 3]) -> Vec<f64> {
    let hidden: Vec<f32> =
        (0..2).map(|unit| (0..3).map(|at| changes[at] * HIDDEN[at * 2 + unit]).sum::<f32>().max(0.0)).collect();
    (0..4)
        .map(|out| f64::from((0..2).map(|unit| hidden[unit] * OUT[unit * 4 + out]).sum::<f32>() + SHIFT[out]))
        .collect()
}

/// Two trees: one of three leaves on features 0 and 2, one of two leaves on feature 1 with the other comparison.
fn trees(extra: &[Message]) -> Vec<u8> {
    let integers = |name: &str, values: &[i64]| {
        let attribute = Message::default().bytes(1, name.as_bytes()).number(20, 7);
        values.iter().fold(attribute, |attribute, &value| attribute.number(8, value))
    };
    let numbers = |name: &str, values: &[f32]| {
        Message::default().bytes(1, name.as_bytes()).number(20, 6).bytes(7, &floats(values))
    };
    let texts = |name: &str, values: &[&str]| {
        let attribute = Message::default().bytes(1, name.as_bytes()).number(20, 8);
        values.iter().fold(attribute, |attribute, value| attribute.bytes(9, value.as_bytes()))
    };
    let mut attributes = vec![
        integers("nodes_treeids", &[0, 0, 0, 0, 0, 1, 1, 1]),
        integers("nodes_nodeids", &[0, 1, 2, 3, 4, 0, 1, 2]),
        integers("nodes_featureids", &[0, 0, 2, 0, 0, 1, 0, 0]),
        numbers("nodes_values", &[0.01, 0.0, -0.02, 0.0, 0.0, 0.0, 0.0, 0.0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"]),
        integers("nodes_truenodeids", &[1, 0, 3, 0, 0, 1, 0, 0]),
        integers("nodes_falsenodeids", &[2, 0, 4, 0, 0, 2, 0, 0]),
        integers("target_treeids", &[0, 0, 0, 1, 1]),
        integers("target_nodeids", &[1, 3, 4, 1, 2]),
        integers("target_ids", &[0, 0, 0, 0, 0]),
        numbers("target_weights", &[0.5, 0.25, -0.125, 1.0, -1.0]),
        numbers("base_values", &[0.0625]),
    ];
    attributes.extend_from_slice(extra);
    model(&[node("TreeEnsembleRegressor", &["x"], "y", &attributes)], &[], 3, &[])
}

fn context(changes: &[f64]) -> Vec<f64> {
    let mut value = 64.0;
    let rest = changes.iter().map(|change| {
        value *= 1.0 + change;
        value
    });
    [64.0].into_iter().chain(rest).collect()
}

fn median_change(file: &ModelFile, changes: &[f64]) -> f64 {
    let context = context(changes);
    let forecast = file.predict_batch(&[&context], 1, 0).unwrap().remove(0);
    forecast.median(0).unwrap() / context[context.len() - 1] - 1.0
}

#[test]
fn a_network_in_onnx_forecasts_what_its_weights_say() {
    let file = ModelFile::onnx(&network()).unwrap();
    for changes in [[0.5, 0.25, -0.125], [0.0; 3], [-0.5, -0.25, 0.5], [1.0, 1.0, 1.0]] {
        let context = context(&changes);
        let forecast = file.predict_batch(&[&context], 2, 0).unwrap().remove(0);
        let wanted = network_by_hand(&changes.map(|change| change as f32));
        let made = forecast.made().unwrap();
        assert_eq!((made.levels(), made.horizon()), (&[0.5, 0.9][..], 2));
        for (found, wanted) in made.values().iter().zip(wanted) {
            let found = found / context[3] - 1.0;
            assert!((found - wanted).abs() < 1e-6, "{found} for {wanted}");
        }
    }
    let short = file.predict_batch(&[&[1.0, 2.0]], 1, 0).unwrap();
    assert_eq!(short, [Forecast::Unmade(Unmade::TooShort { needed: 4, found: 2 })]);
    assert!(file.predict_batch(&[&[1.0; 9]], 3, 0).unwrap_err().to_string().contains("expected 6 numbers"));
}

#[test]
fn trees_in_onnx_forecast_what_their_leaves_say() {
    let file = ModelFile::onnx(&trees(&[])).unwrap();
    for (changes, wanted) in [
        ([0.0, 0.5, 0.0], 0.0625 + 0.5 + 1.0),
        ([0.5, 0.5, -0.25], 0.0625 + 0.25 + 1.0),
        ([0.5, -0.5, 0.25], 0.0625 - 0.125 - 1.0),
        ([0.5, 0.0, 0.25], 0.0625 - 0.125 - 1.0),
    ] {
        assert!((median_change(&file, &changes) - wanted).abs() < 1e-12, "{changes:?}");
    }
}

#[test]
fn one_byte_of_a_file_is_another_model() {
    let bytes = network();
    let mut other = bytes.clone();
    let at = bytes.windows(4).position(|four| four == 0.125f32.to_le_bytes()).unwrap();
    other[at] ^= 1;
    assert_ne!(ModelFile::onnx(&bytes).unwrap().id(), ModelFile::onnx(&other).unwrap().id());
}

#[test]
fn says_why_a_file_is_not_read() {
    let said = |bytes: &[u8]| ModelFile::onnx(bytes).err().map(|error| error.to_string()).unwrap_or_default();
    let attribute = |name: &str, text: &str| Message::default().bytes(1, name.as_bytes()).bytes(4, text.as_bytes());
    for (bytes, wanted) in [
        (b"".to_vec(), "found no node in it"),
        (b"\xff\xff\xff".to_vec(), "no protobuf message"),
        (network()[..50].to_vec(), "no protobuf message"),
        (trees(&[attribute("post_transform", "SOFTMAX")]), "post_transform: expected NONE"),
        (trees(&[attribute("aggregate_function", "MAX")]), "aggregate_function: expected SUM or AVERAGE"),
        (model(&[node("TreeEnsembleClassifier", &["x"], "y", &[])], &[], 3, &[]), "expected TreeEnsembleRegressor"),
        (model(&[node("Relu", &["x"], "y", &[])], &[], 3, &[]), "railbird.changes"),
    ] {
        assert!(said(&bytes).contains(wanted), "{wanted}: {}", said(&bytes));
    }
}

const LIGHTGBM: &str = "tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=2
objective=regression
feature_names=a b c
feature_infos=[0:1] [0:1] [0:1]

Tree=0
num_leaves=3
num_cat=0
split_feature=0 2
split_gain=1 1
threshold=0.01 -0.02
decision_type=2 8
left_child=-1 -2
right_child=1 -3
leaf_value=0.5 0.25 -0.125
is_linear=0
shrinkage=1

Tree=1
num_leaves=1
num_cat=0
leaf_value=0.0625

end of trees

parameters:
end of parameters
";

#[test]
fn a_model_of_lightgbm_is_read_from_its_text() {
    let ensemble = Ensemble::from_lightgbm(LIGHTGBM).unwrap();
    let rows = [0.0, 9.0, 9.0, 1.0, 9.0, -1.0, 1.0, 9.0, 1.0, f64::NAN, 0.0, 0.0, 1.0, 0.0, f64::NAN];
    // The first node takes NaN as 0, the second sends it to the right.
    assert_eq!(ensemble.score(&rows), [0.5625, 0.3125, -0.0625, 0.5625, -0.0625]);
    assert_eq!(ensemble.score_plainly(&rows), ensemble.score(&rows));
    let file = ModelFile::lightgbm(&[(0.5, LIGHTGBM.as_bytes())]).unwrap();
    assert_eq!(median_change(&file, &[0.5, 0.0, 0.25]), -0.0625);
    for (from, to, wanted) in [
        ("num_cat=0", "num_cat=1", "categorical splits are not read"),
        ("is_linear=0", "is_linear=1", "linear leaves are not read"),
        ("end of trees", "", "is the file whole?"),
        ("threshold=0.01 -0.02", "threshold=0.01", "line 16: threshold: expected 2 numbers, found 1"),
        ("threshold=0.01 -0.02", "threshold=0.01 x", "line 16: threshold: found \"x\""),
        ("split_feature=0 2", "split_feature=0 3", "feature 3 of 3"),
        ("right_child=1 -3", "right_child=0 -3", "node 0 is reached twice"),
        ("right_child=1 -3", "right_child=1 -9", "leaf 8 of 3"),
        ("tree\n", "forest\n", "line 1: expected `tree`"),
    ] {
        let error = Ensemble::from_lightgbm(&LIGHTGBM.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

/// A random forest as LightGBM's text, with trees of up to `leaves` leaves.
fn forest(seed: u64, trees: usize, leaves: usize, features: usize) -> String {
    let mut state = seed;
    let mut chance = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut text = format!("tree\nnum_tree_per_iteration=1\nmax_feature_idx={}\n", features - 1);
    for tree in 0..trees {
        let count = 1 + chance(leaves);
        // A leaf is split again and again: child slots hold nodes or the complements of leaves.
        let (mut left, mut right): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
        for node in 0..count - 1 {
            let fresh = !(node as i64 + 1);
            if node == 0 {
                left.push(!0);
            } else {
                let slots = left.len() + right.len();
                let start = chance(slots);
                let slot = (0..slots)
                    .map(|at| (start + at) % slots)
                    .find(|&at| *left.iter().chain(&right).nth(at).unwrap() < 0);
                let slot = slot.unwrap();
                let place = if slot < left.len() { &mut left[slot] } else { &mut right[slot - node] };
                let old = std::mem::replace(place, node as i64);
                left.push(old);
            }
            right.push(fresh);
        }
        let list =
            |make: &mut dyn FnMut() -> String, count: usize| (0..count).map(|_| make()).collect::<Vec<_>>().join(" ");
        let features_of = list(&mut || chance(features).to_string(), count - 1);
        let thresholds = list(&mut || format!("{}", (chance(9) as f64 - 4.0) / 4.0), count - 1);
        let kinds = list(&mut || [0, 2, 4, 6, 8, 10][chance(6)].to_string(), count - 1);
        let values = list(&mut || format!("{}", (chance(2_001) as f64 - 1_000.0) / 997.0), count);
        let join = |list: &[i64]| list.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
        text += &format!(
            "Tree={tree}\nnum_leaves={count}\nnum_cat=0\nsplit_feature={features_of}\nthreshold={thresholds}\n\
             decision_type={kinds}\nleft_child={}\nright_child={}\nleaf_value={values}\n",
            join(&left),
            join(&right)
        );
    }
    text + "end of trees\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn by_bits_and_by_walking_give_the_same_bits(
        seed: u64,
        leaves in prop::sample::select(vec![1usize, 2, 31, 32, 33, 64, 65, 150]),
        rows in 1usize..70,
    ) {
        let ensemble = Ensemble::from_lightgbm(&forest(seed, 12, leaves, 5)).unwrap();
        let special = [f64::NAN, 0.0, -0.0, 1e-36, -1e-36, f64::INFINITY, f64::NEG_INFINITY, 1e-30];
        let values: Vec<f64> = (0..rows * 5)
            .map(|at| {
                let chance = blake3_like(seed ^ at as u64);
                if chance.is_multiple_of(4) { special[(chance / 4) as usize % 8] } else { (chance % 17) as f64 / 8.0 - 1.0 }
            })
            .collect();
        let bits = |scores: Vec<f64>| scores.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(ensemble.score(&values)), bits(ensemble.score_plainly(&values)));
    }

    #[test]
    fn a_file_with_any_bytes_changed_is_a_model_or_an_error(
        is_network: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = if is_network { network() } else { trees(&[]) };
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(3 * bytes.len()).max(1));
        if let Ok(file) = ModelFile::onnx(&bytes) {
            let _ = file.predict_batch(&[&[1.0, 2.0, 3.0, 4.0, 5.0]], 1, 0);
        }
    }

    #[test]
    fn a_text_with_any_byte_changed_is_a_model_or_an_error(place in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = LIGHTGBM.as_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(ensemble) = Ensemble::from_lightgbm(&String::from_utf8_lossy(&bytes)) {
            let row = vec![0.5; ensemble.features()];
            prop_assert_eq!(ensemble.score(&row), ensemble.score_plainly(&row));
        }
    }
}

fn blake3_like(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}
