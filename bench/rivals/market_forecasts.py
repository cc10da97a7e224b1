#!/usr/bin/env python3
"""Our forecasters beside statsforecast's, our trees beside LightGBM: answers first, then time.

    python3 bench/rivals/market_forecasts.py --runs 3 --json

Needs numpy, statsforecast and lightgbm; builds `cargo run --release -p railbird-model --example …`.
Series are made by a linear congruential generator, so that the Rust tests can make the same.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def series(kind, count, seed=1):
    """As `series` in the tests of crates/railbird-model/src/statistical/theta.rs."""
    state, value, values = seed, 100.0, []
    for t in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        chance = (state >> 11) / 2**53 - 0.5
        if kind == "walk":
            value += chance
        elif kind == "trend":
            value = 100 + 0.3 * t + 4 * chance
        elif kind == "noise":
            value = 100 + 10 * chance
        else:
            value = 0.7 * value + 0.3 * (100 + 20 * chance)
        values.append(value)
    return np.array(values)


def theta_table():
    """What statsforecast fits: the rows of the table in theta.rs."""
    from statsforecast.theta import auto_theta, forecast_theta

    rows = []
    for kind in ("walk", "trend", "noise", "smooth"):
        for count in (6, 20, 100, 512):
            model = auto_theta(series(kind, count), 1, model="STM")
            errors = model["residuals"][3:]
            rows.append(
                {
                    "kind": kind,
                    "count": count,
                    "alpha": float(model["par"]["alpha"]),
                    "level": float(model["par"]["initial_smoothed"]),
                    "sigma": float(np.std(errors, ddof=1)),
                    "squares": float(np.sum(errors**2)),
                    "forecasts": [float(x) for x in forecast_theta(model, 3)["mean"]],
                }
            )
    return rows


def theta_seconds(contexts):
    """statsforecast's time for so many contexts of 512 values, one after the other in this process."""
    from statsforecast.models import Theta

    walk = series("walk", 512 + contexts)
    model = Theta()
    model.forecast(y=walk[:512], h=1)
    began = time.perf_counter()
    for at in range(contexts):
        model.forecast(y=walk[at : at + 512], h=1)
    return time.perf_counter() - began


def example(name, *arguments):
    command = ["cargo", "run", "--release", "-q", "-p", "railbird-model", "--example", name, "--", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def trees(runs):
    """300 trees of 31 leaves over 10,000 rows of 20 features, some missing: LightGBM and ours on the same file."""
    import lightgbm

    random = np.random.default_rng(0)
    rows = random.normal(size=(10_000, 20))
    rows[random.random(rows.shape) < 0.05] = np.nan
    answers = np.nan_to_num(rows[:, 0]) * 2 + np.sin(3 * np.nan_to_num(rows[:, 1])) + random.normal(size=10_000) * 0.3
    parameters = {"objective": "quantile", "alpha": 0.9, "num_leaves": 31, "verbose": -1, "num_threads": 2, "seed": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, answers), num_boost_round=300)
    with tempfile.TemporaryDirectory() as folder:
        model, table = Path(folder, "model.txt"), Path(folder, "rows.bin")
        booster.save_model(model)
        rows.astype("<f8").tofile(table)
        seconds = []
        for _ in range(runs):
            began = time.perf_counter()
            theirs = booster.predict(rows, num_threads=2)
            seconds.append(time.perf_counter() - began)
        ran = example("score", "lightgbm", str(model), str(table))
    ours = np.array([float(line) for line in ran.stdout.split()])
    return {
        "rows": len(rows),
        "trees": 300,
        "leaves": 31,
        "difference_max": float(np.abs(ours - theirs).max()),
        "equal_bits": float((ours == theirs).mean()),
        "lightgbm_ms": min(seconds) * 1e3,
        "railbird_ms": float(ran.stderr.split()[-2]),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--contexts", type=int, default=304, help="contexts that statsforecast is timed on")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    theirs = statistics.median(theta_seconds(given.contexts) for _ in range(given.runs))
    document = {
        "theta_statsforecast_ms_a_context": theirs / given.contexts * 1e3,
        "theta_railbird": example("speed", "theta", "2").stdout.strip(),
        "trees": trees(given.runs),
        "theta_table": theta_table(),
    }
    if given.json:
        json.dump(document, sys.stdout, indent=1)
        return
    for name, value in document.items():
        if name != "theta_table":
            print(f"{name}: {value}")
    for row in document["theta_table"]:
        print(row)


if __name__ == "__main__":
    main()
