"""scipy's global optimisers beside ours, on the classic functions and on windows of real bars. Start at `main`.

    python3 bench/rivals/market_optimizers.py --json

Classic functions: value, gap to the published minimum, evaluations and seconds of DIRECT, differential evolution, dual
annealing and SHGO. Windows: the best entry and exit levels over n bars (a long position, exit at a target or at the close),
scipy's DIRECT with 500 evaluations on the vectorised objective of one policy, beside our exact search over both policies
(the example `levels`), on the same windows, alternating; medians. The exact value must be at least scipy's on every
window, and the objective written here must give our value at our point. Bars come from RAILBIRD_TEST_DATA, or are simulated
where it is absent (and said so).
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import time
from pathlib import Path

import environment

REQUIREMENTS = ("numpy==2.4.6", "scipy==1.17.1")
BOUND, FEE, MONEY, ONE = 3_000_000, 500, 1_000_000, 100_000_000
SIZES = {6: 280, 60: 70, 252: 24}


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return 0
    build = ("-p", "railbird-optimize", "--example", "levels")
    document = environment.beside(__file__, REQUIREMENTS, "optimizers", build, ["--rounds", str(arguments.rounds)])
    if document is None:
        return 1
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=5, help="alternations of ours and theirs (default 5)")
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict:
    import numpy
    import scipy

    series, source = bars()
    return {
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "classic": classic(),
        "bars": source,
        "levels": [levels(arguments, series, n, count) for n, count in SIZES.items()],
    }


def bars() -> tuple[list, str]:
    """Open, high, low, close of each symbol; and where they are from."""
    import numpy

    try:
        folder = environment.test_data() / "market" / "daily" / "sp500-2013-2018"
        series = []
        for path in sorted(folder.glob("*.csv")):
            with open(path, encoding="utf-8") as lines:
                rows = [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(lines)]
            ohlc = numpy.array([[float(row[key] or "nan") for key in ("open", "high", "low", "close")] for row in rows])
            series.append(ohlc[numpy.isfinite(ohlc).all(axis=1)])
        if series:
            return series, f"{len(series)} real symbols"
    except environment.Unavailable:
        pass
    random = numpy.random.default_rng(1)
    series = []
    for _ in range(16):
        steps = random.normal(0, 0.004, (1200, 4)).cumsum(axis=1)
        before = numpy.exp(numpy.concatenate([[0], steps[:-1, -1].cumsum()]))[:, None]
        path = before * numpy.exp(steps)
        series.append(numpy.stack([path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]], axis=1))
    return series, "16 simulated symbols (no recordings found)"


def windows(series: list, n: int, count: int) -> list:
    """`count` windows of n bars: moves of open, high, low, close and two forecasts (means of the last 20 bars' moves)."""
    import numpy

    chosen = []
    for at in range(count):
        ohlc = series[at % len(series)]
        moves = numpy.rint((ohlc[1:] / ohlc[:-1, 3:4] - 1) * ONE).astype(numpy.int64)
        end = len(moves) - 1 - 13 * (at // len(series))
        rows = []
        for t in range(end - n, end):
            past = moves[t - 20 : t]
            rows.append([*moves[t], int(past[:, 1].mean()), int(past[:, 2].mean())])
        chosen.append(numpy.array(rows, dtype=numpy.int64))
    return chosen


def pay(window, m_h: float, m_l: float, close_policy: bool):
    """Sum of pay over a window in units of 1e-14, as the exact search defines it; exact for integer moves."""
    import numpy

    o, h, l, c, hf, lf = window.T
    x = numpy.clip(hf + m_h, 0, 10 * ONE)
    e = numpy.clip(lf + m_l, -99 * ONE // 100, 0)
    at_open = o + 1 <= e
    entry = numpy.where(at_open, o, e)
    hit = numpy.where(at_open, h, c) >= x + 1
    leave = c if close_policy else numpy.where(hit, x, c)
    gain = (ONE + leave) * (MONEY - FEE) - (ONE + entry) * (MONEY + FEE)
    return numpy.where(l + 1 <= e, gain, 0).sum()


def levels(arguments: argparse.Namespace, series: list, n: int, count: int) -> dict:
    from scipy.optimize import direct

    chosen = windows(series, n, count)
    lines = "\n\n".join("\n".join(" ".join(map(str, row)) for row in window) for window in chosen) + "\n"
    ours_s, theirs_s = [], []
    for _ in range(arguments.rounds):
        done = subprocess.run([str(arguments.ours)], input=lines, stdout=subprocess.PIPE, check=True, text=True)
        *found, timing = done.stdout.splitlines()
        ours_s.append(float(timing.split()[1]))
        begin = time.perf_counter()
        results = [
            direct(lambda m, w=window: -float(pay(w, m[0], m[1], False)) / 1e14, [(-BOUND, BOUND)] * 2, maxfun=500)
            for window in chosen
        ]
        theirs_s.append(time.perf_counter() - begin)
    below = 0
    for window, line, result in zip(chosen, found, results, strict=True):
        value, m_h, m_l, policy = map(int, line.split())
        if pay(window, m_h, m_l, policy == 0) != value:
            raise SystemExit(f"n = {n}: value {value} at ({m_h}, {m_l}) is not the objective's")
        # Real multipliers may gain less than one unit a bar over integer ones.
        below += value < -result.fun * 1e14 - n * 2 * MONEY
    if below:
        raise SystemExit(f"n = {n}: {below} exact values are below scipy's")
    ours, theirs = statistics.median(ours_s) / count, statistics.median(theirs_s) / count
    gaps = [int(line.split()[0]) / 1e14 + result.fun for line, result in zip(found, results, strict=True)]
    return {
        "n": n,
        "windows": count,
        "evaluations_theirs": statistics.mean(result.nfev for result in results),
        "pairs_ours": int(timing.split()[5]) / count,
        "ruled_out_share": int(timing.split()[7]) / int(timing.split()[5]),
        "seconds_ours": ours,
        "seconds_theirs": theirs,
        "ratio": theirs / ours,
        "mean_gap_theirs": statistics.mean(gaps),
    }


def classic() -> list[dict]:
    """scipy's four on the classic functions."""
    from scipy import optimize

    methods = {
        "direct": lambda f, b: optimize.direct(f, b, locally_biased=False, maxfun=5000),
        "differential_evolution": lambda f, b: optimize.differential_evolution(f, b, rng=1),
        "dual_annealing": lambda f, b: optimize.dual_annealing(f, b, rng=1, maxfun=5000),
        "shgo": lambda f, b: optimize.shgo(f, b),
    }
    rows = []
    for name, function, bounds, minimum in functions():
        for method, search in methods.items():
            begin = time.perf_counter()
            result = search(function, bounds)
            seconds = time.perf_counter() - begin
            rows.append({
                "function": name,
                "method": method,
                "value": float(result.fun),
                "gap": abs(float(result.fun) - minimum) / abs(minimum),
                "evaluations": int(result.nfev),
                "seconds": seconds,
            })
    return rows


def functions() -> list:
    import numpy

    def branin(p):
        x, y = p
        bow = y - 5.1 / (4 * numpy.pi**2) * x * x + 5 / numpy.pi * x - 6
        return bow * bow + 10 * (1 - 1 / (8 * numpy.pi)) * numpy.cos(x) + 10

    def goldstein_price(p):
        x, y = p
        first = (x + y + 1) ** 2 * (19 - 14 * x + 3 * x * x - 14 * y + 6 * x * y + 3 * y * y)
        second = (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x * x + 48 * y - 36 * x * y + 27 * y * y)
        return (1 + first) * (30 + second)

    def camel(p):
        x, y = p
        return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (-4 + 4 * y**2) * y**2

    def shubert(p):
        i = numpy.arange(1, 6)
        return numpy.prod([numpy.sum(i * numpy.cos((i + 1) * x + i)) for x in p])

    a = numpy.array([[4, 4, 4, 4], [1, 1, 1, 1], [8, 8, 8, 8], [6, 6, 6, 6], [3, 7, 3, 7], [2, 9, 2, 9], [5, 5, 3, 3],
                     [8, 1, 8, 1], [6, 2, 6, 2], [7, 3.6, 7, 3.6]])
    c = numpy.array([0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5])

    def shekel(m):
        return lambda p: -numpy.sum(1 / (((p - a[:m]) ** 2).sum(axis=1) + c[:m]))

    alpha = numpy.array([1, 1.2, 3, 3.2])
    a3 = numpy.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
    p3 = numpy.array([[0.3689, 0.1170, 0.2673], [0.4699, 0.4387, 0.7470], [0.1091, 0.8732, 0.5547],
                      [0.03815, 0.5743, 0.8828]])
    a6 = numpy.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
                      [17, 8, 0.05, 10, 0.1, 14]])
    p6 = numpy.array([[0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
                      [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381]])

    def hartman(a, p):
        return lambda x: -numpy.sum(alpha * numpy.exp(-(a * (x - p) ** 2).sum(axis=1)))

    return [
        ("Shekel 5", shekel(5), [(0, 10)] * 4, -10.153),
        ("Shekel 7", shekel(7), [(0, 10)] * 4, -10.403),
        ("Shekel 10", shekel(10), [(0, 10)] * 4, -10.536),
        ("Hartman 3", hartman(a3, p3), [(0, 1)] * 3, -3.8628),
        ("Hartman 6", hartman(a6, p6), [(0, 1)] * 6, -3.3224),
        ("Branin", branin, [(-5, 10), (0, 15)], 0.39789),
        ("Goldstein–Price", goldstein_price, [(-2, 2)] * 2, 3.0),
        ("six-hump camel", camel, [(-3, 3), (-2, 2)], -1.0316),
        ("Shubert", shubert, [(-10, 10)] * 2, -186.73),
    ]


def table(document: dict) -> str:
    lines = [f"scipy {document['scipy']}, numpy {document['numpy']}; {document['bars']}"]
    for row in document["levels"]:
        lines.append(
            f"n = {row['n']:>3}: ours {row['seconds_ours'] * 1e6:8.2f} µs, scipy {row['seconds_theirs'] * 1e6:10.1f} µs "
            f"({row['evaluations_theirs']:.0f} evaluations): {row['ratio']:.0f}×; scipy misses {row['mean_gap_theirs']:.2e}"
        )
    for row in document["classic"]:
        lines.append(
            f"{row['function']:<16} {row['method']:<24} {row['value']:>12.5f} gap {row['gap']:.1e} "
            f"{row['evaluations']:>6} evaluations {row['seconds']:.3f} s"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
