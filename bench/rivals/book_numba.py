"""Times a linear-time numba kernel that cuts ten-level rows into bars: arrays in, arrays out. Start at `kernel`.

    python3 bench/rivals/book_numba.py FILE.dbn.zst --point 0.01 [--bar-ns 5000000000] [--runs 5] [--out BARS.parquet]

The usual form of such a system, a compiled loop over rows with arrays of accumulators, without the scan of all rows for
every bar that made the one which is replaced quadratic. It computes the same families as the engine, 288 number columns
of one instrument (all but the four keys), with floating-point bands where the engine compares whole numbers; states are
worked out only where they last. Decoding, compilation (one call on a part of the rows) and writing are not timed.
Prints one JSON document: best and median seconds of the kernel, rows a second, columns, versions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import book_environment

book_environment.enter(book_environment.NUMBA, "book-numba")

import numba  # noqa: E402
import numpy as np  # noqa: E402

SIDES = ("bid", "ask")
EDGES = (1, 2, 3, 5, 10)
UNDEFINED = np.int64(2**63 - 1)
ROW = np.dtype(
    [
        ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
        ("price", "<i8"), ("size", "<u4"), ("action", "u1"), ("side", "u1"), ("flags", "u1"), ("depth", "u1"),
        ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
        (
            "levels",
            [
                ("bid_px", "<i8"), ("ask_px", "<i8"), ("bid_sz", "<u4"), ("ask_sz", "<u4"),
                ("bid_ct", "<u4"), ("ask_ct", "<u4"),
            ],
            10,
        ),
    ]
)  # fmt: skip

# Functions with a mean and a last value, in the order of the columns.
MEANS = ["mid", "wmid", "spread", "imb_1", "imb_10", "depth_bid", "depth_ask"]
for _edge in EDGES:
    MEANS += [f"band_{side}_p{_edge}" for side in SIDES] + [f"band_frac_{side}_p{_edge}" for side in SIDES]
    MEANS.append(f"band_imb_p{_edge}")
NAMES = [name for mean in MEANS for name in (f"{mean}_twa", f"{mean}_eob")]
COVER = len(NAMES)
NAMES.append("cover")
GAP = len(NAMES)
NAMES += [f"gap_{kind}_{side}_eob" for side in SIDES for kind in ("max", "mean")]
LEVEL = len(NAMES)
NAMES += [f"{kind}_{s}_l{rank}_eob" for s in SIDES for kind in ("px", "sz", "ct", "szf", "ctf") for rank in range(10)]
WALL = len(NAMES)
NAMES += [f"wall_{kind}_{side}_eob" for side in SIDES for kind in ("z", "level", "near", "near_level")]
FLOW = len(NAMES)
for _side in SIDES:
    for _edge in EDGES:
        NAMES += [f"flow_{kind}_{_side}_p{_edge}_sum" for kind in ("add", "rem", "net")]
        NAMES.append(f"flow_rel_{_side}_p{_edge}")
        NAMES += [f"flow_{kind}_n_{_side}_p{_edge}_sum" for kind in ("add", "cancel", "modify")]
FILL = len(NAMES)
NAMES += ["flow_fill_n_sum", "flow_rest_n_sum"]
EXEC = len(NAMES)
NAMES += [f"exec_{side}_p{edge}_sum" for side in SIDES for edge in EDGES] + ["exec_rest_sum"]
OFI = len(NAMES)
NAMES += [f"ofi_{ranks}_sum" for ranks in (1, 5, 10)]
TRADE = len(NAMES)
NAMES += [f"trade_{kind}_sum" for kind in ("n", "vol", "buy", "sell", "unk", "signed")]
NAMES += [f"trade_{kind}" for kind in ("vwap", "open", "high", "low", "close")]
MESSAGE = len(NAMES)
NAMES += [f"msg_{kind}_sum" for kind in ("all", "clear", "add", "cancel", "modify", "trade", "other", "snapshot")]
QUALITY = len(NAMES)
NAMES += [f"{kind}_n_sum" for kind in ("events", "crossed", "locked", "bad_book", "bad_ts", "late")]
COLUMNS = len(NAMES)
STATES = len(MEANS)
BAND = 7
LAST, SNAPSHOT, BAD_TS, BAD_BOOK = 128, 32, 8, 4
R, A, C, M, T, B = (ord(letter) for letter in "RACMTB")


@numba.njit
def band_of(distance, point):
    """Number of the band, -1 beyond the last."""
    d = distance / point
    if d <= 1.0:
        return 0
    if d <= 2.0:
        return 1
    if d <= 3.0:
        return 2
    if d <= 5.0:
        return 3
    return 4 if d <= 10.0 else -1


@numba.njit
def wmid_of(px, sz, row):
    """Weighted mid of a book, NaN where a side is empty."""
    if sz[row, 0, 0] == 0 or sz[row, 1, 0] == 0 or px[row, 0, 0] == UNDEFINED or px[row, 1, 0] == UNDEFINED:
        return np.nan
    bid, ask = float(sz[row, 0, 0]), float(sz[row, 1, 0])
    return (px[row, 1, 0] * bid + px[row, 0, 0] * ask) / (bid + ask)


@numba.njit
def ratio(over, under):
    return over / under if under != 0.0 else np.nan


@numba.njit
def state(px, sz, row, clear, point, f):
    """Every function that has a mean, of the book in `row`."""
    f[:] = np.nan
    depth = np.zeros(2)
    bands = np.zeros((2, 5))
    if clear:
        f[5] = f[6] = 0.0
        return
    w = wmid_of(px, sz, row)
    for side in range(2):
        for rank in range(10):
            size = sz[row, side, rank]
            price = px[row, side, rank]
            if size == 0 or price == UNDEFINED:
                continue
            depth[side] += size
            if w == w:
                band = band_of(w - price if side == 0 else price - w, point)
                if band >= 0:
                    bands[side, band] += size
    bid = float(sz[row, 0, 0]) if px[row, 0, 0] != UNDEFINED else 0.0
    ask = float(sz[row, 1, 0]) if px[row, 1, 0] != UNDEFINED else 0.0
    f[3] = ratio(bid - ask, bid + ask)
    f[4] = ratio(depth[0] - depth[1], depth[0] + depth[1])
    f[5], f[6] = depth[0], depth[1]
    if w != w:
        return
    f[0] = (px[row, 0, 0] + px[row, 1, 0]) / 2e9
    f[1] = w / 1e9
    f[2] = (px[row, 1, 0] - px[row, 0, 0]) / point
    for band in range(5):
        at = BAND + 5 * band
        below, above = bands[0, band], bands[1, band]
        f[at], f[at + 1] = below, above
        f[at + 2], f[at + 3] = ratio(below, depth[0]), ratio(above, depth[1])
        f[at + 4] = ratio(below - above, below + above)


@numba.njit
def queue_at(px, sz, row, side, price):
    for rank in range(10):
        if px[row, side, rank] == price and sz[row, side, rank] > 0:
            return sz[row, side, rank]
    return 0


@numba.njit
def order_flow(px, sz, row, clear, before, before_clear, sums):
    """Cont, Kukanov and Stoikov's e by rank, over the first 1, 5 and 10."""
    total = 0.0
    for rank in range(10):
        for side in range(2):
            new, new_size = px[row, side, rank], sz[row, side, rank]
            old, old_size = px[before, side, rank], sz[before, side, rank]
            absent = -UNDEFINED if side == 0 else UNDEFINED
            if clear or new == UNDEFINED or new_size == 0:
                new, new_size = absent, 0
            if before_clear or old == UNDEFINED or old_size == 0:
                old, old_size = absent, 0
            sign = 1.0 if side == 0 else -1.0
            better = new >= old if side == 0 else new <= old
            worse = new <= old if side == 0 else new >= old
            if better:
                total += sign * new_size
            if worse:
                total -= sign * old_size
        if rank == 0:
            sums[0] += total
        elif rank == 4:
            sums[1] += total
        elif rank == 9:
            sums[2] += total


@numba.njit
def last_values(px, sz, ct, row, clear, point, lot, out):
    """Gaps, levels and walls of the book at the bar's end."""
    w = np.nan if clear else wmid_of(px, sz, row)
    logs = np.empty(10)
    for side in range(2):
        depth, orders, count = 0.0, 0.0, 0
        gap_max, gap_sum, before = -np.inf, 0.0, np.int64(0)
        largest, smallest, strongest = -1.0, np.inf, -1
        for rank in range(10):
            price, size, number = px[row, side, rank], sz[row, side, rank], ct[row, side, rank]
            if clear or size == 0 or price == UNDEFINED:
                logs[rank] = -1.0
                continue
            if count > 0:
                gap = float(before - price if side == 0 else price - before)
                gap_max = max(gap_max, gap)
                gap_sum += gap
            before = price
            count += 1
            depth += size
            orders += number
            logs[rank] = np.log1p(size / lot)
            smallest = min(smallest, size)
            if size > largest:
                largest, strongest = size, rank
        if count > 1:
            out[GAP + 2 * side] = gap_max / point
            out[GAP + 2 * side + 1] = gap_sum / (count - 1) / point
        for rank in range(10):
            at = LEVEL + 50 * side + rank
            if logs[rank] < 0.0:
                out[at + 10] = out[at + 20] = out[at + 30] = out[at + 40] = 0.0
                continue
            out[at] = px[row, side, rank] / 1e9
            out[at + 10] = sz[row, side, rank]
            out[at + 20] = ct[row, side, rank]
            out[at + 30] = sz[row, side, rank] / depth
            out[at + 40] = ratio(float(ct[row, side, rank]), orders)
        if count < 2 or smallest == largest:
            continue
        mean, square = 0.0, 0.0
        for rank in range(10):
            if logs[rank] >= 0.0:
                mean += logs[rank]
        mean /= count
        for rank in range(10):
            if logs[rank] >= 0.0:
                square += (logs[rank] - mean) ** 2
        deviation = np.sqrt(square / count)
        at = WALL + 4 * side
        out[at], out[at + 1] = (logs[strongest] - mean) / deviation, strongest
        for rank in range(10):
            if logs[rank] >= 0.0 and (logs[rank] - mean) / deviation >= 2.0 - 1e-9:
                price = px[row, side, rank]
                out[at + 2] = (w - price if side == 0 else price - w) / point
                out[at + 3] = rank
                break


@numba.njit
def close_bar(px, sz, ct, row, clear, known, point, lot, width, f, fresh, sums, times, covered, size_priced, out):
    """Means and last values of a bar whose sums stand in `out`."""
    if known and not fresh:
        state(px, sz, row, clear, point, f)
    for i in range(STATES):
        out[2 * i] = sums[i] / times[i] if times[i] > 0 else np.nan
        out[2 * i + 1] = f[i] if known else np.nan
    out[COVER] = covered / width
    out[GAP:FLOW] = np.nan
    if known:
        last_values(px, sz, ct, row, clear, point, lot, out)
    for side in range(2):
        for band in range(5):
            at = FLOW + 35 * side + 7 * band
            out[at + 2] = out[at] - out[at + 1]
            depth = out[2 * (BAND + 5 * band + side)]
            out[at + 3] = out[at + 2] / depth if depth == depth and depth != 0.0 else np.nan
    traded = 0.0
    for i in range(10):
        traded += out[EXEC + i]
    out[EXEC + 10] = out[TRADE + 1] - traded
    out[TRADE + 5] = out[TRADE + 2] - out[TRADE + 3]
    out[TRADE + 6] = out[TRADE + 6] / size_priced if size_priced > 0 else np.nan


@numba.njit
def kernel(ts, action, side, flags, price, size, sequence, px, sz, ct, width, point, lot, out):
    """Bars of one instrument. `px`, `sz`, `ct`: [rows, side, level]. `out`: [bars, COLUMNS]. Returns how many bars."""
    n = len(ts)
    f = np.full(STATES, np.nan)
    sums, times = np.zeros(STATES), np.zeros(STATES)
    ofi = np.zeros(3)
    clock = ts[0]
    first = clock // width
    bar = 0
    now = np.int64(-1)
    covered, size_priced = 0.0, 0.0
    known, fresh, clear, at = False, False, False, 0
    reference = np.nan
    line = out[0]
    line[:] = 0.0
    line[TRADE + 7 : TRADE + 11] = np.nan
    for i in range(n):
        late = ts[i] < clock
        if not late:
            clock = ts[i]
        while first + bar < clock // width:
            end = (first + bar + 1) * width
            if now >= 0:
                if known:
                    if not fresh:
                        state(px, sz, at, clear, point, f)
                        fresh = True
                    dt = float(end - now)
                    for k in range(STATES):
                        if f[k] == f[k]:
                            sums[k] += f[k] * dt
                            times[k] += dt
                    if f[0] == f[0]:
                        covered += dt
                now = end
            close_bar(
                px, sz, ct, at, clear, known, point, lot, width, f, fresh, sums, times, covered, size_priced, line
            )
            sums[:] = 0.0
            times[:] = 0.0
            covered, size_priced = 0.0, 0.0
            bar += 1
            line = out[bar]
            line[:] = 0.0
            line[TRADE + 7 : TRADE + 11] = np.nan
        if now >= 0 and clock > now:
            if known:
                if not fresh:
                    state(px, sz, at, clear, point, f)
                    fresh = True
                dt = float(clock - now)
                for k in range(STATES):
                    if f[k] == f[k]:
                        sums[k] += f[k] * dt
                        times[k] += dt
                if f[0] == f[0]:
                    covered += dt
            now = clock
        what, flag = action[i], flags[i]
        bad = flag & BAD_BOOK != 0
        line[MESSAGE] += 1
        line[QUALITY + 5] += late
        line[QUALITY + 3] += bad
        line[QUALITY + 4] += flag & BAD_TS != 0
        if flag & SNAPSHOT != 0:
            line[MESSAGE + 7] += 1
        elif what == T:
            line[MESSAGE + 5] += 1
            line[TRADE] += 1
            line[TRADE + 1] += size[i]
            taken = -1
            if side[i] == A:
                line[TRADE + 3] += size[i]
                taken = 0
            elif side[i] == B:
                line[TRADE + 2] += size[i]
                taken = 1
            else:
                line[TRADE + 4] += size[i]
            if price[i] != UNDEFINED:
                quoted = price[i] / 1e9
                line[TRADE + 6] += quoted * size[i]
                size_priced += size[i]
                if line[TRADE + 7] != line[TRADE + 7]:
                    line[TRADE + 7] = line[TRADE + 8] = line[TRADE + 9] = quoted
                line[TRADE + 8] = max(line[TRADE + 8], quoted)
                line[TRADE + 9] = min(line[TRADE + 9], quoted)
                line[TRADE + 10] = quoted
                if taken >= 0 and reference == reference:
                    band = band_of(reference - price[i] if taken == 0 else price[i] - reference, point)
                    if band >= 0:
                        line[EXEC + 5 * taken + band] += size[i]
        elif what == A or what == C or what == M:
            kind = 0 if what == A else (1 if what == C else 2)
            line[MESSAGE + 2 + kind] += 1
            if (
                what == C
                and i > 0
                and action[i - 1] == T
                and flags[i - 1] & SNAPSHOT == 0
                and ts[i - 1] == ts[i]
                and sequence[i - 1] == sequence[i]
            ):
                line[FILL] += 1
            else:
                known_before = i > 0 and not bad and flags[i - 1] & BAD_BOOK == 0
                cleared = i > 0 and action[i - 1] == R
                where = 1 if side[i] == A else (0 if side[i] == B else -1)
                if known_before and where < 0 and price[i] != UNDEFINED:
                    row = i - 1 if what == C else i
                    empty = what == C and cleared
                    on_bid = not empty and queue_at(px, sz, row, 0, price[i]) > 0
                    on_ask = not empty and queue_at(px, sz, row, 1, price[i]) > 0
                    if on_bid != on_ask:
                        where = 0 if on_bid else 1
                band = -1
                if known_before and where >= 0 and reference == reference and price[i] != UNDEFINED:
                    band = band_of(reference - price[i] if where == 0 else price[i] - reference, point)
                if band < 0:
                    line[FILL + 1] += 1
                else:
                    before = 0 if cleared else queue_at(px, sz, i - 1, where, price[i])
                    change = float(queue_at(px, sz, i, where, price[i])) - float(before)
                    to = FLOW + 35 * where + 7 * band
                    if change > 0.0:
                        line[to] += change
                    else:
                        line[to + 1] -= change
                    line[to + 4 + kind] += 1
        elif what == R:
            line[MESSAGE + 1] += 1
        else:
            line[MESSAGE + 6] += 1
        if bad:
            known = False
            reference = np.nan
        if flag & LAST != 0 or what == R:
            line[QUALITY] += 1
            if now < 0:
                now = clock
            if not bad:
                is_clear = what == R
                if known and not is_clear and flag & SNAPSHOT == 0:
                    ofi[:] = 0.0
                    order_flow(px, sz, i, is_clear, at, clear, ofi)
                    for k in range(3):
                        line[OFI + k] += ofi[k]
                at, clear, known, fresh = i, is_clear, True, False
                reference = np.nan if is_clear else wmid_of(px, sz, i)
                if reference == reference:
                    line[QUALITY + 1] += px[i, 0, 0] > px[i, 1, 0]
                    line[QUALITY + 2] += px[i, 0, 0] == px[i, 1, 0]
    end = (first + bar + 1) * width
    if now >= 0 and known:
        if not fresh:
            state(px, sz, at, clear, point, f)
            fresh = True
        dt = float(end - now)
        for k in range(STATES):
            if f[k] == f[k]:
                sums[k] += f[k] * dt
                times[k] += dt
        if f[0] == f[0]:
            covered += dt
    close_bar(px, sz, ct, at, clear, known, point, lot, width, f, fresh, sums, times, covered, size_priced, line)
    return bar + 1


def read(path: Path) -> np.ndarray:
    """Rows of a ten-level DBN file of version 1 to 3."""
    import zstandard

    with open(path, "rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    start = 8 + int.from_bytes(data[4:8], "little")
    return np.frombuffer(data, dtype=ROW, offset=start, count=(len(data) - start) // ROW.itemsize)


def arrays(rows: np.ndarray) -> tuple:
    """What the kernel takes, each contiguous."""
    both = lambda name, kind: np.stack(
        [rows["levels"][f"{side}_{name}"].astype(kind) for side in SIDES], axis=1
    )
    plain = lambda name, kind: np.ascontiguousarray(rows[name].astype(kind))
    return (
        plain("ts_event", np.int64), plain("action", np.uint8), plain("side", np.uint8), plain("flags", np.uint8),
        plain("price", np.int64), plain("size", np.int64), plain("sequence", np.int64),
        both("px", np.int64), both("sz", np.int64), both("ct", np.int64),
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--point", type=float, required=True)
    parser.add_argument("--lot", type=float, default=1.0)
    parser.add_argument("--bar-ns", type=int, default=5_000_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the bars, to compare")
    arguments = parser.parse_args()
    rows = read(arguments.file)
    taken = arrays(rows)
    stamps = taken[0]
    bars = int(stamps.max() // arguments.bar_ns - stamps[0] // arguments.bar_ns + 1)
    settings = (np.int64(arguments.bar_ns), round(arguments.point * 1e9) * 1.0, arguments.lot)
    out = np.empty((bars, COLUMNS))
    started = time.perf_counter()
    kernel(*(array[:1000] for array in taken), *settings, out)
    compiled = time.perf_counter() - started
    seconds = []
    for _ in range(arguments.runs):
        started = time.perf_counter()
        made = kernel(*taken, *settings, out)
        seconds.append(time.perf_counter() - started)
    assert made == bars
    if arguments.out:
        write(arguments.out, stamps[0] // arguments.bar_ns, arguments.bar_ns, out)
    document = {
        "rival": "numba",
        "rows": len(rows),
        "bars": bars,
        "columns": COLUMNS,
        "families": "all of the engine's but the four keys; bands in floating point",
        "compile_seconds": compiled,
        "seconds": min(seconds),
        "seconds_median": statistics.median(seconds),
        "rows_per_second": len(rows) / min(seconds),
        "peak_memory_bytes": book_environment.peak_memory_bytes(),
        "versions": {"numba": numba.__version__, "numpy": np.__version__, "python": sys.version.split()[0]},
    }
    print(json.dumps(document, indent=1))
    return 0


def write(path: Path, first: int, width: int, out: np.ndarray) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {"bar_start": (first + np.arange(len(out))) * width}
    columns |= {name: pyarrow.array(out[:, place], from_pandas=True) for place, name in enumerate(NAMES)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


if __name__ == "__main__":
    sys.exit(main())
