"""statsforecast and scipy beside our walk, on the same bars. Start at `main`.

    python3 bench/rivals/market_walk.py --json

The newest 70 days of up to 20 daily symbols, each day with levels of `maxdiff` from the six days before it. Theirs forecasts each price
of each day once with statsforecast's Theta and its 80 % interval, from at most 512 bars, and has scipy's DIRECT (500 evaluations
for each of the two ways out: a target, the close) choose the two levels of each day. Ours is the whole command, start, reading and report included: cold (`--no-cache`),
filling an empty store, and warm from it. Rounds alternate; medians. statsforecast is run once before it is timed, since it
compiles. Seconds of processors stand beside those of the clock, for machines that do other things too. Bars come from
RAILBIRD_TEST_DATA.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import environment

REQUIREMENTS = ("numpy==2.4.6", "pandas==2.3.3", "scipy==1.17.1", "statsforecast==2.1.1")
BOUND, FEE, CONTEXT, TRAIN = 0.03, 0.0005, 512, 6
KEYS = ("open", "high", "low", "close")


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return 0
    try:
        python = environment.python_with(REQUIREMENTS, "walk")
        folder = environment.test_data() / "market" / "daily" / "sp500-2013-2018"
    except environment.Unavailable as missing:
        print(f"market_walk: {missing}", file=sys.stderr)
        return 1
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "railbird"], check=True, cwd=environment.ROOT)
    ours = environment.target_folder() / "release" / "railbird"
    command = [str(python), __file__, "--child", "--ours", str(ours), "--bars", str(folder)]
    for flag in ("symbols", "sims", "rounds", "theirs", "processes"):
        command += [f"--{flag}", str(getattr(arguments, flag))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        print(f"market_walk: exit code {done.returncode}", file=sys.stderr)
        return 1
    document = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--sims", type=int, default=70)
    parser.add_argument("--rounds", type=int, default=7, help="runs of ours of each kind (default 7)")
    parser.add_argument("--theirs", type=int, default=1, help="runs of theirs (default 1)")
    parser.add_argument("--processes", type=int, default=1, help="processes of theirs (default 1)")
    parser.add_argument("--bars", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict:
    import numpy
    import scipy
    import statsforecast

    files = sorted(arguments.bars.glob("*.csv"))[: arguments.symbols]
    tasks = [(str(file), arguments.sims) for file in files]
    # Compiles and imports in every process.
    with ProcessPoolExecutor(arguments.processes) as pool:
        list(pool.map(walk, [(str(files[0]), 1)] * 2 * arguments.processes))
        theirs, theirs_cpu, ours = [], [], defaultdict(list)
        for round_ in range(max(arguments.rounds, arguments.theirs)):
            if round_ < arguments.rounds:
                for kind, seconds in run_ours(arguments, files).items():
                    ours[kind].append(seconds)
            if round_ < arguments.theirs:
                begin = time.perf_counter()
                results = list(pool.map(walk, tasks))
                theirs.append(time.perf_counter() - begin)
                theirs_cpu.append(sum(result["cpu_s"] for result in results))
    theirs_s, theirs_cpu_s = statistics.median(theirs), statistics.median(theirs_cpu)
    ours_s = {kind: statistics.median(seconds) for kind, seconds in ours.items()}
    return {
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "statsforecast": statsforecast.__version__,
        "symbols": len(files),
        "sims": arguments.sims,
        "processes_theirs": arguments.processes,
        "seconds_theirs": theirs_s,
        "seconds_theirs_cpu": theirs_cpu_s,
        "seconds_theirs_forecasts": sum(result["forecasts_s"] for result in results),
        "seconds_theirs_levels": sum(result["levels_s"] for result in results),
        "forecasts_theirs": sum(result["forecasts"] for result in results),
        "mean_total_theirs": statistics.mean(result["total"] for result in results),
        "seconds_ours": ours_s,
        "ratio_cold": theirs_s / ours_s["cold"],
        "ratio_warm": theirs_s / ours_s["warm"],
        "ratio_cold_cpu": theirs_cpu_s / ours_s["cold_cpu"],
    }


def run_ours(arguments: argparse.Namespace, files: list) -> dict:
    """Seconds of the whole command, by what is in the store."""
    data = tempfile.mkdtemp()
    command = [str(arguments.ours), "market", "walk", *map(str, files), "--strategies", "maxdiff"]
    command += ["--sims", str(arguments.sims), "--data-dir", data]
    seconds = {}
    try:
        for kind, more in (("cold", ["--no-cache"]), ("filling", []), ("warm", [])):
            begin, cpu_begin = time.perf_counter(), cpu()
            subprocess.run(command + more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            seconds[kind] = time.perf_counter() - begin
            seconds[f"{kind}_cpu"] = cpu() - cpu_begin
    finally:
        shutil.rmtree(data)
    return seconds


def cpu() -> float:
    """Seconds of processors that ended children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def walk(task: tuple) -> dict:
    """One symbol: its forecasts, then the levels of each scored day and what they gave."""
    import numpy
    from scipy.optimize import direct
    from statsforecast.models import Theta

    path, sims = task
    cpu_begin = time.process_time()
    with open(path, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    prices = {key: numpy.array([float(row[key]) for row in rows]) for key in KEYS}
    days = len(rows)
    targets = range(days - sims - TRAIN, days)
    begin = time.perf_counter()
    model = Theta()
    forecast = {
        key: {day: model.forecast(y=prices[key][max(0, day - CONTEXT) : day], h=1, level=[80])["mean"][0] for day in targets}
        for key in KEYS
    }
    forecasts_s = time.perf_counter() - begin
    before = numpy.array([prices["close"][day - 1] for day in targets])
    actual = [numpy.array([prices[key][day] for day in targets]) / before - 1 for key in KEYS]
    high, low = (numpy.array([forecast[key][day] for day in targets]) / before - 1 for key in ("high", "low"))
    columns = [*actual, high, low]
    begin = time.perf_counter()
    total = 1.0
    for scored in range(TRAIN, len(targets)):
        window = [column[scored - TRAIN : scored] for column in columns]
        found = {
            out: direct(lambda m, out=out: -pay(window, m[0], m[1], out).sum(), [(-BOUND, BOUND)] * 2, maxfun=500)
            for out in ("target", "close")
        }
        out = min(found, key=lambda out: found[out].fun)
        total *= 1 + float(pay([column[scored : scored + 1] for column in columns], *found[out].x, out)[0])
    levels_s = time.perf_counter() - begin
    return {
        "forecasts": len(KEYS) * len(targets),
        "cpu_s": time.process_time() - cpu_begin,
        "forecasts_s": forecasts_s,
        "levels_s": levels_s,
        "total": total - 1,
    }


def pay(window: list, m_h: float, m_l: float, out: str):
    """What each day of a window pays: on the side of the larger move, a limit in, and out at the close or at a target, which
    only the close proves.
    """
    import numpy

    o, h, l, c, hf, lf = window
    lower, upper = lf + m_l, hf + m_h
    at_open = o < lower
    target = (numpy.where(at_open, h, c) > upper) & (out == "target")
    long = numpy.where(
        l < lower,
        (1 + numpy.where(target, upper, c)) * (1 - FEE) - (1 + numpy.where(at_open, o, lower)) * (1 + FEE),
        0.0,
    )
    at_open = o > upper
    target = (numpy.where(at_open, l, c) < lower) & (out == "target")
    short = numpy.where(
        h > upper,
        (1 + numpy.where(at_open, o, upper)) * (1 - FEE) - (1 + numpy.where(target, lower, c)) * (1 + FEE),
        0.0,
    )
    paid = numpy.where(numpy.abs(hf) > numpy.abs(lf), long, short)
    return numpy.where(lf < hf, paid, 0.0)


def table(document: dict) -> str:
    ours = document["seconds_ours"]
    return (
        f"statsforecast {document['statsforecast']}, scipy {document['scipy']}, numpy {document['numpy']}\n"
        f"{document['symbols']} symbols, {document['sims']} simulations: theirs {document['seconds_theirs']:.1f} s "
        f"({document['forecasts_theirs']} forecasts {document['seconds_theirs_forecasts']:.1f} s, levels "
        f"{document['seconds_theirs_levels']:.1f} s; {document['processes_theirs']} processes)\n"
        f"ours cold {ours['cold'] * 1e3:.0f} ms: {document['ratio_cold']:.0f}×; filling the store {ours['filling'] * 1e3:.0f} ms; "
        f"warm {ours['warm'] * 1e3:.0f} ms: {document['ratio_warm']:.0f}×\n"
        f"processors: theirs {document['seconds_theirs_cpu']:.1f} s, ours cold {ours['cold_cpu'] * 1e3:.0f} ms: "
        f"{document['ratio_cold_cpu']:.0f}×"
    )


if __name__ == "__main__":
    raise SystemExit(main())
