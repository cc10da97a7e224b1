"""Times pandas on the approach features of level episodes. Start at `approach`.

    python3 bench/rivals/book_stages.py BARS.parquet --point 0.01 [--episodes 500] [--runs 3]

Takes bars as the engine writes them, cuts `--episodes` evenly spread windows of 181 bars, each with the price at its
last bar, rounded to a point, as its level, and computes per row and by episode: distance, side, alignment; first and
second differences of 11 series over 3, 12, 36 and 72 bars; 21 running sums and their rates; and the setup's ranges, totals and
shares: 158 columns. Two forms of the differences: `groupby.diff`, the fastest that pandas has, and `groupby.transform`
with a function, which is how such code is usually left. Sums are `groupby.cumsum`. The windows are cut before the clock
starts. Not covered: velocities, sizes at the level, relative volume. One JSON document.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import book_environment

book_environment.enter(book_environment.PANDAS, "book-pandas")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

ROWS = 181
WINDOWS = (3, 12, 36, 72)
SERIES = [
    "dist", "imb_1_eob", "imb_10_eob", "band_imb_p1_eob", "band_imb_p2_eob", "depth_bid_eob", "depth_ask_eob",
    "band_bid_p1_eob", "band_ask_p1_eob", "wall_z_bid_eob", "wall_z_ask_eob",
]  # fmt: skip
FLOWS = {side: [f"flow_net_{side}_p{edge}_sum" for edge in (1, 2, 3, 5, 10)] for side in ("bid", "ask")}
SUMS = [
    "trade_vol_sum", "trade_signed_sum", "trade_buy_sum", "trade_sell_sum", "msg_all_sum", "trade_n_sum", "msg_add_sum",
    "msg_cancel_sum", *FLOWS["bid"], *FLOWS["ask"],
]  # fmt: skip
READ = [*SERIES[1:], *SUMS, "wmid_eob", "wall_near_bid_eob", "wall_near_ask_eob"]


def windows(bars: pd.DataFrame, episodes: int, point: float) -> pd.DataFrame:
    """Rows of every episode, one after the other."""
    ends = np.linspace(ROWS - 1, len(bars) - 1, episodes).astype(int)
    rows = bars.iloc[(ends[:, None] + np.arange(1 - ROWS, 1)).ravel()].reset_index(drop=True)
    rows["episode"] = np.repeat(np.arange(episodes), ROWS)
    level = np.round(bars["wmid_eob"].ffill().bfill().to_numpy()[ends] / point) * point
    rows["level"] = np.repeat(level, ROWS)
    return rows


def approach(rows: pd.DataFrame, point: float, form: str) -> pd.DataFrame:
    """The features of every row."""
    episode = rows["episode"]
    dist = (rows["wmid_eob"] - rows["level"]) / point
    made = {"dist": dist, "dist_abs": dist.abs(), "side": np.sign(dist)}
    start = dist.groupby(episode).transform("first")
    made["from_side"] = np.sign(start)
    made["alignment"] = made["side"] * made["from_side"]
    bars = rows.groupby("episode").cumcount() + 1
    made["bars"] = bars
    differences(rows.assign(dist=dist), made, form)
    summed = rows[[*SUMS]].copy()
    summed["flow_bid"] = rows[FLOWS["bid"]].sum(axis=1)
    summed["flow_ask"] = rows[FLOWS["ask"]].sum(axis=1)
    summed["flow_imb"] = summed["flow_bid"] - summed["flow_ask"]
    sums = summed.groupby(episode).cumsum()
    for name in sums:
        made[f"sum_{name}"] = sums[name]
        made[f"rate_{name}"] = sums[name] / bars
    setup(rows, dist, episode, sums, bars, made)
    return pd.DataFrame(made)


def differences(rows: pd.DataFrame, made: dict, form: str) -> None:
    groups = rows.groupby("episode")
    for name in SERIES:
        for window in WINDOWS:
            if form == "diff":
                first = groups[name].diff(window) / window
                second = first.groupby(rows["episode"]).diff(window) / window
            else:
                slope = lambda x: x.diff(window) / window
                first = groups[name].transform(slope)
                second = first.groupby(rows["episode"]).transform(slope)
            made[f"{name}_d1_w{window}"], made[f"{name}_d2_w{window}"] = first, second


def setup(rows, dist, episode, sums, bars, made: dict) -> None:
    """Ranges, counts and totals from the episode's first row to each row."""
    so_far = dist.abs().groupby(episode)
    step = so_far.diff()
    made["setup_start_dist"] = made["dist"].groupby(episode).transform("first")
    made["setup_min_dist"], made["setup_max_dist"] = so_far.cummin(), so_far.cummax()
    made["setup_dist_range"] = made["setup_max_dist"] - made["setup_min_dist"]
    made["setup_approach_bars"] = (step < 0).groupby(episode).cumsum()
    made["setup_retreat_bars"] = (step > 0).groupby(episode).cumsum()
    made["setup_approach_share"] = made["setup_approach_bars"] / bars
    for name in ("imb_1", "imb_10"):
        groups = rows.groupby("episode")[f"{name}_eob"]
        made[f"setup_{name}_start"] = groups.transform("first")
        made[f"setup_{name}_delta"] = rows[f"{name}_eob"] - made[f"setup_{name}_start"]
        made[f"setup_{name}_min"], made[f"setup_{name}_max"] = groups.cummin(), groups.cummax()
        made[f"setup_{name}_range"] = made[f"setup_{name}_max"] - made[f"setup_{name}_min"]
    made["setup_trade_imb"] = sums["trade_signed_sum"] / sums["trade_vol_sum"]
    for side in ("bid", "ask"):
        made[f"setup_wall_max_{side}"] = rows.groupby("episode")[f"wall_z_{side}_eob"].cummax()
        made[f"setup_wall_bars_{side}"] = rows[f"wall_near_{side}_eob"].notna().groupby(episode).cumsum()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bars", type=Path)
    parser.add_argument("--point", type=float, required=True)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    bars = pd.read_parquet(arguments.bars, columns=READ)
    if len(bars) < ROWS:
        parser.error(f"{arguments.bars}: {len(bars)} bars, expected {ROWS} at least")
    rows = windows(bars, arguments.episodes, arguments.point)
    document = {"rival": "pandas", "episodes": arguments.episodes, "rows": len(rows)}
    for form in ("diff", "transform"):
        seconds = []
        for _ in range(arguments.runs):
            started = time.perf_counter()
            made = approach(rows, arguments.point, form)
            seconds.append(time.perf_counter() - started)
        document["columns"] = made.shape[1]
        document[form] = {
            "seconds": min(seconds),
            "seconds_median": statistics.median(seconds),
            "rows_per_second": len(rows) / min(seconds),
            "episodes_per_second": arguments.episodes / min(seconds),
        }
    document["peak_memory_bytes"] = book_environment.peak_memory_bytes()
    document["versions"] = {"pandas": pd.__version__, "numpy": np.__version__, "python": sys.version.split()[0]}
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
