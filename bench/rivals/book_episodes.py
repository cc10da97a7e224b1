"""Times a masked numpy form of the episodes at levels, and of their vectors. Start at `episodes`.

    python3 bench/rivals/book_episodes.py BARS.parquet --point 1 EPISODES.parquet FEATURES.parquet LEVELS.parquet [--runs 5]

Takes tables as the engine writes them, of a day without gaps, and finds the triggers of one day again as such code is usually vectorised: for each level
a mask of the bars at it, one of the side that price was last seen on (filled forward), and their changes; the cooldown, which no
mask can say, walks over the few touches that are left. Then the vectors: the rows of the triggers, by a mask over the table of
features. Checks that the triggers are those in EPISODES. One JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import book_environment

book_environment.enter(book_environment.PANDAS, "book-pandas")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

FORWARD, COOLDOWN = 96, 24


def sides(dist: np.ndarray) -> np.ndarray:
    """1 above the level, -1 below, 0 at it, missing where there is no price."""
    side = np.where(dist > 1 + 1e-9, 1.0, np.where(dist < -1 - 1e-9, -1.0, 0.0))
    side[np.isnan(dist)] = np.nan
    return side


def filled(values: np.ndarray) -> np.ndarray:
    """Each missing value is the one before it."""
    at = np.where(np.isnan(values), 0, np.arange(len(values)))
    return values[np.maximum.accumulate(at)]


def of_level(bars: dict, level: tuple, ends: int, point: float) -> list[int]:
    """Rows of the triggers at one level, which is watched from its own bar on."""
    price, known_at = level
    first = int(np.searchsorted(bars["known_at"], known_at))
    side = sides((bars["wmid"][first:ends] - price) / point)
    if not len(side):
        return []
    before = np.concatenate(([np.nan], filled(side)[:-1]))
    touches = np.flatnonzero((before != 0) & ~np.isnan(before) & ~np.isnan(side) & (side != before)) + first
    found, end = [], None
    for row in touches:
        if end is not None and row <= end:
            end = row + FORWARD
        elif end is None or row > end + COOLDOWN:
            found.append(int(row))
            end = row + FORWARD
    return found


def episodes(bars: dict, levels: list, point: float) -> set:
    """Level and trigger row of every episode."""
    found = set()
    for name, price, known_at, until in levels:
        # A level ends with its day, or with the next of its name.
        later = [other for other in levels if other[0] == name and other[2] > known_at]
        ends = len(bars["start"]) if until is None else int(np.searchsorted(bars["start"], until))
        if later:
            ends = min(ends, int(np.searchsorted(bars["known_at"], later[0][2])) + 1)
        found |= {(name, row) for row in of_level(bars, (price, known_at), ends, point)}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for name in ("bars", "episodes", "features", "levels"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--point", type=float, required=True)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    table = pd.read_parquet(arguments.bars, columns=["bar_start", "bar_end", "known_at", "wmid_eob"])
    nanos = lambda column: column.astype("int64").to_numpy()
    bars = {"start": nanos(table["bar_start"]), "known_at": nanos(table["known_at"]), "wmid": table["wmid_eob"].to_numpy()}
    if (nanos(table["bar_end"])[:-1] != bars["start"][1:]).any():
        parser.error(f"{arguments.bars}: there is a gap, and masks would reach over it")
    told = pd.read_parquet(arguments.levels)
    until = [None if pd.isna(moment) else moment.value for moment in told["until"]]
    levels = list(zip(told["level"], told["price"], nanos(told["known_at"]), until))
    seconds = []
    for _ in range(arguments.runs):
        started = time.perf_counter()
        found = episodes(bars, levels, arguments.point)
        seconds.append(time.perf_counter() - started)
    ours = pd.read_parquet(arguments.episodes)
    want = set(zip(ours["level"], ours["trigger_row"]))
    features = pd.read_parquet(arguments.features)
    numbers = [name for name in features.columns if features[name].dtype == "float64"][:48]
    gathering = []
    for _ in range(arguments.runs):
        started = time.perf_counter()
        vectors = features.loc[features["bars_to_trigger"] == 0, numbers].to_numpy()
        gathering.append(time.perf_counter() - started)
    document = {
        "rival": "numpy",
        "bars": len(table),
        "levels": len(levels),
        "episodes": len(found),
        "same": found == want,
        "seconds": min(seconds),
        "bars_per_second": len(table) / min(seconds),
        "episodes_per_second": len(found) / min(seconds),
        "vectors_per_second": len(vectors) / min(gathering),
        "versions": {"numpy": np.__version__, "pandas": pd.__version__, "python": sys.version.split()[0]},
    }
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
