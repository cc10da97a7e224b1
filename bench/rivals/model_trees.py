"""Our trees beside LightGBM's and onnxruntime's, on the same model and rows. Start at `main`.

    python3 bench/rivals/model_trees.py --json

300 trees of 31 leaves, trained by LightGBM on 10,000 rows of 20 features, score those rows: ours from LightGBM's text (the example
`score` of railbird-model), LightGBM itself, and onnxruntime from the same trees as one TreeEnsembleRegressor, written here. Rounds alternate;
the least of each, since the machine may do other things too. Ours must give LightGBM's numbers within 1e-12; onnxruntime computes in
f32, and its difference is printed. The target is 6.7 ms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import environment

REQUIREMENTS = ("numpy==2.4.6", "lightgbm==4.6.0", "onnx==1.19.1", "onnxruntime==1.23.2")
ROWS, FEATURES, TREES, LEAVES = 10_000, 20, 300, 31
TARGET_MS = 6.7


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return 0
    build = ("-p", "railbird-model", "--example", "score")
    document = environment.beside(__file__, REQUIREMENTS, "trees", build, ["--rounds", str(arguments.rounds)])
    if document is None:
        return 1
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0 if document["pass"] else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=5, help="alternations (default 5)")
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict:
    import lightgbm
    import numpy
    import onnxruntime

    random = numpy.random.default_rng(0)
    rows = random.normal(size=(ROWS, FEATURES))
    answers = rows[:, 0] * 2 + numpy.sin(3 * rows[:, 1]) + random.normal(size=ROWS) * 0.3
    parameters = {"objective": "quantile", "alpha": 0.9, "num_leaves": LEAVES, "verbose": -1, "num_threads": 2, "seed": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, answers), num_boost_round=TREES)
    session = onnxruntime.InferenceSession(onnx_of(booster.dump_model()).SerializeToString())
    narrow = rows.astype(numpy.float32)
    least = {"railbird": float("inf"), "lightgbm": float("inf"), "onnxruntime": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        model, table_ = Path(folder, "model.txt"), Path(folder, "rows.bin")
        booster.save_model(model)
        rows.astype("<f8").tofile(table_)
        for _ in range(arguments.rounds):
            begin = time.perf_counter()
            theirs = booster.predict(rows, num_threads=2)
            least["lightgbm"] = min(least["lightgbm"], (time.perf_counter() - begin) * 1e3)
            begin = time.perf_counter()
            (in_f32,) = session.run(None, {"rows": narrow})
            least["onnxruntime"] = min(least["onnxruntime"], (time.perf_counter() - begin) * 1e3)
            command = [str(arguments.ours), "lightgbm", str(model), str(table_)]
            done = subprocess.run(command, capture_output=True, check=True, text=True)
            least["railbird"] = min(least["railbird"], float(done.stderr.split()[-2]))
    ours = numpy.array([float(line) for line in done.stdout.split()])
    apart = float(abs(ours - theirs).max())
    if apart > 1e-12:
        raise SystemExit(f"ours and LightGBM's numbers are {apart} apart")
    return {
        "lightgbm": lightgbm.__version__,
        "onnxruntime": onnxruntime.__version__,
        "rows": ROWS,
        "trees": TREES,
        "leaves": LEAVES,
        "milliseconds": least,
        "apart_lightgbm": apart,
        "apart_onnxruntime": float(abs(ours - in_f32.ravel()).max()),
        "target_ms": TARGET_MS,
        "pass": least["railbird"] <= TARGET_MS,
    }


def onnx_of(dump: dict):
    """The same trees as one TreeEnsembleRegressor."""
    from onnx import TensorProto, helper

    of_node: dict = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                                         "falsenodeids", "missing_value_tracks_true")}
    of_target: dict = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
    for tree, root in enumerate(info["tree_structure"] for info in dump["tree_info"]):
        count = 0

        def put(node: dict, tree: int = tree) -> int:
            nonlocal count
            number, count = count, count + 1
            place = len(of_node["nodeids"])
            is_leaf = "leaf_value" in node
            row = (tree, number, node.get("split_feature", 0), node.get("threshold", 0.0),
                   "LEAF" if is_leaf else "BRANCH_LEQ", 0, 0, 0)
            for values, value in zip(of_node.values(), row, strict=True):
                values.append(value)
            if is_leaf:
                for values, value in zip(of_target.values(), (tree, number, 0, node["leaf_value"]), strict=True):
                    values.append(value)
            else:
                of_node["truenodeids"][place] = put(node["left_child"])
                of_node["falsenodeids"][place] = put(node["right_child"])
            return number

        put(root)
    attributes = {f"nodes_{key}": values for key, values in of_node.items()}
    attributes |= {f"target_{key}": values for key, values in of_target.items()}
    node = helper.make_node("TreeEnsembleRegressor", ["rows"], ["scores"], domain="ai.onnx.ml", n_targets=1, **attributes)
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def table(document: dict) -> str:
    times = ", ".join(f"{name} {ms:.2f} ms" for name, ms in document["milliseconds"].items())
    return (
        f"{document['rows']} rows, {document['trees']} trees of {document['leaves']} leaves: {times}\n"
        f"apart from LightGBM {document['lightgbm']}: {document['apart_lightgbm']:.1e}, from onnxruntime "
        f"{document['onnxruntime']}, which computes in f32: {document['apart_onnxruntime']:.1e}\n"
        f"target {document['target_ms']} ms: {'pass' if document['pass'] else 'FAIL'}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
