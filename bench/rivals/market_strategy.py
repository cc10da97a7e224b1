"""Every strategy that optimises, under every optimiser, on a made-up symbol; scipy on the same windows. Start at `main`.

    python3 bench/rivals/market_strategy.py --seed 1 --json

200 days whose returns carry over in part, forecast with noise about what came; levels of each of 120 days are chosen on the six days
before it. Ours is the example `optimizers` of railbird-market; it writes the windows that scipy's DIRECT and differential evolution then
search, 500 evaluations for each of the two ways out, on an objective in numpy. Ours runs several times: the same seed must give the
same table, times apart; the medians of its times are shown. The objective here must give our value at no place more than the exact search
found: scipy's best may not be better.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import environment

REQUIREMENTS = ("numpy==2.4.6", "scipy==1.17.1")
ONE, MONEY, FEE, BOUND = 100_000_000, 1_000_000, 500, 3_000_000
TRAIN = 6
FIELDS = ("strategy", "optimizer", "trained_bp", "scored_bp", "evaluations", "windows", "seconds")


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return 0
    build = ("-p", "railbird-market", "--example", "optimizers")
    document = environment.beside(__file__, REQUIREMENTS, "optimizers", build, ["--seed", str(arguments.seed), "--rounds", str(arguments.rounds)])
    if document is None:
        return 1
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0 if document["pass"] else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seed", type=int, default=1, help="seed of the series and of the noise (default 1)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of ours, scipy's between them (default 3)")
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict:
    import numpy
    import scipy

    searches = {
        "scipy direct": lambda f, b: scipy.optimize.direct(f, b, maxfun=500, locally_biased=False),
        "scipy direct-l": lambda f, b: scipy.optimize.direct(f, b, maxfun=500),
        "scipy de": lambda f, b: scipy.optimize.differential_evolution(f, b, maxiter=16, popsize=15, polish=False, rng=1),
    }
    runs, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "windows"
        for round_ in range(arguments.rounds):
            command = [str(arguments.ours), str(arguments.seed), str(path)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            runs.append([line.split("\t") for line in done.stdout.splitlines()])
            if round_ == 0:
                for strategy, windows in read(path).items():
                    for name, search in searches.items():
                        theirs.append(run(strategy, name, search, windows))
    if any([row[:-1] for row in run] != [row[:-1] for row in runs[0]] for run in runs):
        raise SystemExit("the same seed gave another table")
    rows = []
    for at, row in enumerate(runs[0]):
        row = dict(zip(FIELDS, row, strict=True))
        for field in ("trained_bp", "scored_bp"):
            row[field] = float(row[field])
        row["evaluations"], row["windows"] = int(row["evaluations"]), int(row["windows"])
        row["seconds"] = statistics.median(float(run[at][-1]) for run in runs)
        rows.append(row)
    rows += theirs
    best = {row["strategy"]: row for row in rows if row["optimizer"] == "exact"}
    for row in rows:
        exact = best[row["strategy"]]
        row["gap_bp"] = exact["trained_bp"] - row["trained_bp"]
        row["times_exact"] = row["seconds"] / exact["seconds"]
    # Real multipliers may gain less than a unit a day over integer ones.
    better = [row for row in rows if row["gap_bp"] < -1e-3]
    return {
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "seed": arguments.seed,
        "rows": sorted(rows, key=lambda row: list(best).index(row["strategy"])),
        "pass": not better,
    }


def read(path: Path) -> dict:
    """Windows of each strategy: a row a training day."""
    import numpy

    found: dict = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        strategy, window, *numbers = line.split()
        found.setdefault(strategy, {}).setdefault(int(window), []).append([int(number) for number in numbers])
    return {strategy: [numpy.array(days, float) for days in windows.values()] for strategy, windows in found.items()}


def run(strategy: str, name: str, search, windows: list) -> dict:
    bounds = [(0, BOUND), (-BOUND, 0)] if strategy == "pctdiff" else [(-BOUND, BOUND)] * 2
    value, evaluations = 0.0, 0
    begin = time.perf_counter()
    for window in windows:
        columns = window.T
        results = [search(lambda m, out=out: -pay(columns, m[0], m[1], out), bounds) for out in (True, False)]
        value += max(-result.fun for result in results)
        evaluations += sum(result.nfev for result in results)
    seconds = time.perf_counter() - begin
    return {
        "strategy": strategy,
        "optimizer": name,
        "trained_bp": value / (len(windows) * TRAIN) * 1e4,
        "scored_bp": None,
        "evaluations": evaluations,
        "windows": len(windows),
        "seconds": seconds,
    }


def pay(columns, m_h: float, m_l: float, at_target: bool) -> float:
    """Sum of what the days of a window pay, fills proven by the close alone; moves in units of 1e-8."""
    import numpy

    o, h, l, c, hf, lf, long, short = columns
    upper = numpy.clip(hf + m_h, 0, 10 * ONE)
    lower = numpy.clip(lf + m_l, -0.99 * ONE, 0)
    keep, cost = 1 - FEE / MONEY, 1 + FEE / MONEY
    at_open = o + 1 <= lower
    bought = numpy.where(at_open, o, lower)
    hit = (numpy.where(at_open, h, c) >= upper + 1) & at_target
    gain_long = (ONE + numpy.where(hit, upper, c)) * keep - (ONE + bought) * cost
    at_open = o - 1 >= upper
    sold = numpy.where(at_open, o, upper)
    hit = (numpy.where(at_open, l, c) <= lower - 1) & at_target
    gain_short = (ONE + sold) * keep - (ONE + numpy.where(hit, lower, c)) * cost
    paid = long * numpy.where(l + 1 <= lower, gain_long, 0) + short * numpy.where(h - 1 >= upper, gain_short, 0)
    return float(paid.sum()) / 2 / ONE


def table(document: dict) -> str:
    lines = [f"seed {document['seed']}; scipy {document['scipy']}, numpy {document['numpy']}; 200 days, levels from 6 days each"]
    lines.append(f"{'strategy':<18} {'optimizer':<15} {'trained_bp':>10} {'gap_bp':>8} {'scored_bp':>9} "
                 f"{'evaluations':>11} {'seconds':>10} {'times exact':>11}")
    for row in document["rows"]:
        scored = "" if row["scored_bp"] is None else f"{row['scored_bp']:.3f}"
        lines.append(f"{row['strategy']:<18} {row['optimizer']:<15} {row['trained_bp']:>10.3f} {row['gap_bp']:>8.3f} "
                     f"{scored:>9} {row['evaluations']:>11} {row['seconds']:>10.6f} {row['times_exact']:>11.1f}")
    lines.append(f"the same seed, the same table; exact is never below another: {'pass' if document['pass'] else 'FAIL'}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
