"""Times FastF1 on the work that `railbird f1 import` and its 25 Hz grid do. Start at `measure`.

    python3 bench/rivals/fastf1_import.py --json --runs 3

prints one JSON document: seconds to load the session, to merge car and position samples once a driver
(`merge_channels`), to put every driver on the 25 Hz grid from lights-out to the last car's finish (vectorised), and the peak
of resident memory. Each run is a process of its own with nothing cached; importing the libraries is not counted.
The session comes from the recordings in RAILBIRD_TEST_DATA, the libraries from the package registry, once.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import environment

FRAMES_PER_S = 25
CONTINUOUS = ("X", "Y", "Z", "Speed", "RPM", "Throttle")
HELD = ("nGear", "Brake", "DRS")
STAGES = ("load_s", "merge_s", "resample_s", "total_s")


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments.year, arguments.event)))
        return 0
    try:
        environment.test_data()
        python = environment.python_with(environment.FASTF1, "fastf1")
        runs = [child(python, arguments) for _ in range(arguments.runs)]
    except environment.Unavailable as missing:
        print(f"fastf1_import: {missing}", file=sys.stderr)
        return 1
    document = summary(runs)
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--runs", type=positive, default=3, help="processes to time (default 3)")
    parser.add_argument("--year", type=int, default=2025)
    parser.add_argument("--event", default="Australia", help="a race of which the archive is there (default Australia)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def child(python: environment.Path, arguments: argparse.Namespace) -> dict:
    """One run in a process of its own."""
    command = [str(python), __file__, "--child", "--year", str(arguments.year), "--event", arguments.event]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        raise environment.Unavailable(f"{' '.join(command)}: exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(year: int, event: str) -> dict:
    """Loads, merges, resamples; seconds of each, and what came out."""
    import fastf1
    import numpy
    import pandas

    import fastf1_offline

    clock = [time.perf_counter()]
    session = fastf1_offline.load(year, event)
    clock.append(time.perf_counter())
    merged = merge(session)
    clock.append(time.perf_counter())
    steps, grids = resample(session, merged)
    clock.append(time.perf_counter())

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "versions": {
            "fastf1": fastf1.__version__,
            "numpy": numpy.__version__,
            "pandas": pandas.__version__,
            "python": sys.version.split()[0],
        },
        "session": f"{session.event.year} {session.event.EventName} {session.name}",
        "load_s": clock[1] - clock[0],
        "merge_s": clock[2] - clock[1],
        "resample_s": clock[3] - clock[2],
        "total_s": clock[3] - clock[0],
        "peak_memory_bytes": kilobytes if sys.platform == "darwin" else kilobytes * 1024,
        "laps": len(session.laps),
        "drivers": len(grids),
        "car_samples": sum(len(samples) for samples in session.car_data.values()),
        "position_samples": sum(len(samples) for samples in session.pos_data.values()),
        "frames": len(steps),
    }


def merge(session) -> dict:
    """Car and position samples of each driver on one clock, the whole session at once."""
    return {
        driver: session.pos_data[driver].merge_channels(session.car_data[driver], frequency="original")
        for driver in session.drivers
        if driver in session.pos_data and driver in session.car_data
    }


def resample(session, merged: dict) -> tuple:
    """Every driver on the grid: `steps` in seconds of session time, and columns by driver and channel."""
    import numpy

    first = session.session_start_time.total_seconds()
    # The race ends with its last sample or, a moment later, with the last car's crossing of the line.
    sampled = max(samples["SessionTime"].iloc[-1].total_seconds() for samples in merged.values())
    last = max(sampled, session.laps["Time"].max().total_seconds())
    # Whole milliseconds, as the stamps are: the last frame is the one at or before the end.
    frames = (round((last - first) * 1000) * FRAMES_PER_S) // 1000 + 1
    steps = first + numpy.arange(frames) / FRAMES_PER_S
    grids = {}
    for driver, samples in merged.items():
        seconds = samples["SessionTime"].dt.total_seconds().to_numpy()
        before = numpy.maximum(numpy.searchsorted(seconds, steps, side="right") - 1, 0)
        columns = {name: numpy.interp(steps, seconds, samples[name].to_numpy(dtype=float)) for name in CONTINUOUS}
        columns |= {name: samples[name].to_numpy()[before] for name in HELD}
        grids[driver] = columns
    return steps, grids


def summary(runs: list[dict]) -> dict:
    """Best and median of every stage, each on its own, and the runs themselves."""
    common = {key: value for key, value in runs[0].items() if key not in (*STAGES, "peak_memory_bytes")}
    best = {stage: min(run[stage] for run in runs) for stage in STAGES}
    median = {stage: statistics.median(run[stage] for run in runs) for stage in STAGES}
    kept = [{key: run[key] for key in (*STAGES, "peak_memory_bytes")} for run in runs]
    peak = max(run["peak_memory_bytes"] for run in runs)
    return {"rival": "FastF1", **common, "best": best, "median": median, "peak_memory_bytes": peak, "runs": kept}


def table(document: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    lines = [
        f"{document['session']}: {document['laps']} laps, {document['drivers']} drivers, "
        f"{document['car_samples']} car and {document['position_samples']} position samples, "
        f"{document['frames']} frames",
        f"{versions}; {len(document['runs'])} runs, peak {document['peak_memory_bytes'] / 1e6:.0f} MB",
        "stage        best s  median s",
    ]
    lines += [f"{stage:12} {document['best'][stage]:6.3f}  {document['median'][stage]:8.3f}" for stage in STAGES]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
