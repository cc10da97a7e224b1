"""statsforecast with scipy, and numpy alone, beside our walk, on the same bars. Start at `main`.

    python3 bench/rivals/market_walk.py --json

The newest 70 days of 20 symbols, each day with levels of `maxdiff` from the six days before it. Theirs forecasts each price of each day
once with statsforecast's Theta and its 80 % interval, from 512 bars, and has scipy's DIRECT (500 evaluations for each of the two ways
out: a target, the close) choose the two levels of each day, in one process. The program in numpy (market_numpy.py) fits all contexts
in one batch and searches all windows in one batch, exactly. Both rivals are timed within a process that has imported
everything; the numpy program also as a whole command, as ours is: start, reading and report included, cold (`--no-cache`), filling an empty
store, and warm from it. Rounds alternate; medians, and the least of each beside them, since the machine may do other things too; seconds
of processors as well. statsforecast is run once before it is timed, since it compiles.

Symbols: the files below market/daily of RAILBIRD_TEST_DATA in order of their folders' share of the whole, sp500-2013-2018 first, whose
newest 588 bars are unbroken; a name that was taken before is left out.

Equal results: ours and numpy's must give the same total return for every symbol within 1e-6. statsforecast stops its search of the
smoothing parameter early and draws its intervals, so its forecasts differ; by how much is printed.
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
        flags = ["--bars", str(environment.test_data() / "market" / "daily")]
    except environment.Unavailable as missing:
        print(f"market_walk: {missing}", file=sys.stderr)
        return 1
    for flag in ("symbols", "sims", "rounds", "theirs", "processes"):
        flags += [f"--{flag}", str(getattr(arguments, flag))]
    build = ("-p", "railbird")
    document = environment.beside(__file__, REQUIREMENTS, "walk", build, flags)
    if document is None:
        return 1
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
    import market_numpy
    import numpy
    import scipy
    import statsforecast

    files = symbols(arguments)
    tasks = [(str(file), arguments.sims) for file in files]
    # Compiles and imports in every process.
    with ProcessPoolExecutor(arguments.processes) as pool:
        list(pool.map(walk, [(str(files[0]), 1)] * 2 * arguments.processes))
        theirs, theirs_cpu, ours, in_numpy = [], [], defaultdict(list), defaultdict(list)
        market_numpy.walk_all([str(file) for file in files[:2]], arguments.sims)
        for round_ in range(max(arguments.rounds, arguments.theirs)):
            if round_ < arguments.rounds:
                for kind, seconds in run_ours(arguments, files).items():
                    ours[kind].append(seconds)
                for kind, seconds in run_numpy(arguments, files).items():
                    in_numpy[kind].append(seconds)
            if round_ < arguments.theirs:
                begin = time.perf_counter()
                results = list(pool.map(walk, tasks))
                theirs.append(time.perf_counter() - begin)
                theirs_cpu.append(sum(result["cpu_s"] for result in results))
    theirs_s, theirs_cpu_s = statistics.median(theirs), statistics.median(theirs_cpu)
    ours_s = {kind: statistics.median(seconds) for kind, seconds in ours.items()}
    numpy_s = {kind: statistics.median(seconds) for kind, seconds in in_numpy.items()}
    made = market_numpy.walk_all([str(file) for file in files], arguments.sims)
    told = totals(arguments, files)
    apart = max(abs(one - other) for one, other in zip(told, made["totals"], strict=True))
    if apart > 1e-6:
        raise SystemExit(f"totals of ours and of numpy are {apart} apart: {list(zip(told, made['totals']))}")
    # By symbol and key; theirs in the order of KEYS here, numpy's in its own.
    off = [
        abs(result["points"][key][day] / made["forecasts"][at][market_numpy.KEYS.index(key)][day] - 1) * 1e4
        for at, result in enumerate(results)
        for key in KEYS
        for day in range(len(result["points"][key]))
    ]
    return {
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "statsforecast": statsforecast.__version__,
        "symbols": len(files),
        "files": [f"{file.parent.name}/{file.stem}" for file in files],
        "sims": arguments.sims,
        "processes_theirs": arguments.processes,
        "seconds_theirs": theirs_s,
        "seconds_theirs_cpu": theirs_cpu_s,
        "seconds_theirs_forecasts": sum(result["forecasts_s"] for result in results),
        "seconds_theirs_levels": sum(result["levels_s"] for result in results),
        "forecasts_theirs": sum(result["forecasts"] for result in results),
        "mean_total_theirs": statistics.mean(result["total"] for result in results),
        "mean_total_ours": statistics.mean(told),
        "totals_apart_numpy": apart,
        "forecasts_apart_bp_median": statistics.median(off),
        "forecasts_apart_bp_max": max(off),
        "seconds_ours": ours_s,
        "seconds_ours_least": {kind: min(seconds) for kind, seconds in ours.items()},
        "seconds_numpy": numpy_s,
        "seconds_numpy_least": {kind: min(seconds) for kind, seconds in in_numpy.items()},
        "ratio_numpy": numpy_s["command"] / ours_s["cold"],
        "ratio_numpy_cpu": numpy_s["command_cpu"] / ours_s["cold_cpu"],
        "ratio_numpy_within": numpy_s["within"] / ours_s["cold"],
        "ratio_cold": theirs_s / ours_s["cold"],
        "ratio_warm": theirs_s / ours_s["warm"],
        "ratio_cold_cpu": theirs_cpu_s / ours_s["cold_cpu"],
    }


def symbols(arguments: argparse.Namespace) -> list:
    """Files of symbols whose newest bars are unbroken, the largest folder first."""
    needed = CONTEXT + TRAIN + arguments.sims
    by_folder = defaultdict(list)
    for file in sorted(arguments.bars.glob("*/*.csv")):
        by_folder[file.parent.name].append(file)
    files, names = [], set()
    for folder in sorted(by_folder, key=lambda name: (-len(by_folder[name]), name)):
        for file in by_folder[folder]:
            if file.stem not in names and len(files) < arguments.symbols and unbroken(file, needed):
                names.add(file.stem)
                files.append(file)
    return files


def unbroken(path: Path, needed: int) -> bool:
    """Whether the newest bars have neither a jump nor a hole, by the bounds of `railbird market check`."""
    import datetime

    with open(path, encoding="utf-8") as lines:
        rows = [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(lines)]
    time_of = next(key for key in rows[0] if key in ("timestamp", "date", "time"))
    rows = [row for row in rows if all(row[key] for key in KEYS)][-needed:]
    if len(rows) < needed:
        return False
    for before, row in zip(rows, rows[1:]):
        days = datetime.date.fromisoformat(row[time_of][:10]) - datetime.date.fromisoformat(before[time_of][:10])
        if not 1 / 1.4 <= float(row["open"]) / float(before["close"]) <= 1.4 or days.days > 10:
            return False
        # Crypto has other fees, and is long only.
        if datetime.date.fromisoformat(row[time_of][:10]).weekday() >= 5:
            return False
    return True


def totals(arguments: argparse.Namespace, files: list) -> list:
    """Total return of each symbol, as ours tells it."""
    with tempfile.TemporaryDirectory() as data:
        command = [str(arguments.ours), "market", "walk", *map(str, files), "--strategies", "maxdiff", "--no-cache", "--json"]
        command += ["--sims", str(arguments.sims), "--data-dir", data]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    by_name = {symbol["symbol"]: symbol for symbol in json.loads(done.stdout)["symbols"]}
    return [by_name[file.stem]["strategies"][0]["pessimistic"]["total"] for file in files]


def run_numpy(arguments: argparse.Namespace, files: list) -> dict:
    """Seconds of the program in numpy, as a command and within it."""
    script = Path(__file__).with_name("market_numpy.py")
    command = [sys.executable, str(script), "--sims", str(arguments.sims), *map(str, files)]
    begin, cpu_begin = time.perf_counter(), cpu()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    seconds = {"command": time.perf_counter() - begin, "command_cpu": cpu() - cpu_begin}
    return seconds | {"within": json.loads(done.stdout)["seconds"]}


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
        rows = [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(lines)]
    rows = [row for row in rows if all(row[key] for key in KEYS)]
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
        "points": {key: [float(forecast[key][day]) for day in targets] for key in KEYS},
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
    ours, least, in_numpy = document["seconds_ours"], document["seconds_ours_least"], document["seconds_numpy"]
    return (
        f"statsforecast {document['statsforecast']}, scipy {document['scipy']}, numpy {document['numpy']}\n"
        f"{document['symbols']} symbols ({', '.join(document['files'])}), {document['sims']} simulations\n"
        f"statsforecast + scipy {document['seconds_theirs']:.1f} s "
        f"({document['forecasts_theirs']} forecasts {document['seconds_theirs_forecasts']:.1f} s, levels "
        f"{document['seconds_theirs_levels']:.1f} s; {document['processes_theirs']} processes), processors "
        f"{document['seconds_theirs_cpu']:.1f} s\n"
        f"numpy alone: command {in_numpy['command'] * 1e3:.0f} ms, processors {in_numpy['command_cpu'] * 1e3:.0f} ms, "
        f"within {in_numpy['within'] * 1e3:.0f} ms\n"
        f"ours cold {ours['cold'] * 1e3:.0f} ms (least {least['cold'] * 1e3:.0f}), processors {ours['cold_cpu'] * 1e3:.0f} ms; "
        f"filling the store {ours['filling'] * 1e3:.0f} ms; warm {ours['warm'] * 1e3:.0f} ms\n"
        f"cold beside statsforecast + scipy: {document['ratio_cold']:.0f}×, by processors {document['ratio_cold_cpu']:.0f}×; "
        f"warm {document['ratio_warm']:.0f}×\n"
        f"cold beside numpy: command {document['ratio_numpy']:.1f}×, by processors {document['ratio_numpy_cpu']:.1f}×, "
        f"numpy's time within {document['ratio_numpy_within']:.1f}×\n"
        f"totals of ours and numpy are {document['totals_apart_numpy']:.1e} apart at most; statsforecast's forecasts are "
        f"{document['forecasts_apart_bp_median']:.3f} bp from them in the median, {document['forecasts_apart_bp_max']:.1f} at most"
    )


if __name__ == "__main__":
    raise SystemExit(main())
