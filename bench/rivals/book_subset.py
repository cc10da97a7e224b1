"""What the rivals share that compute a part of the bars. Start at `table` and `report`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import book_environment

BAR_NS = 5_000_000_000
MESSAGES = {"R": "clear", "A": "add", "C": "cancel", "M": "modify", "T": "trade"}
AGGRESSORS = {"B": "buy", "A": "sell", "N": "unk"}
SIDES = ("bid", "ask")


def arguments(doc: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--point", type=float, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="threads of the library (default 1)")
    parser.add_argument("--out", type=Path, help="write the bars, to compare")
    found = parser.parse_args()
    # Polars reads it when it is imported.
    if os.environ.get("POLARS_MAX_THREADS") != str(found.threads):
        os.environ["POLARS_MAX_THREADS"] = str(found.threads)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return found


def table(path: Path):
    """Rows with Databento's names, prices as quoted, as an Arrow table."""
    import pyarrow
    import pyarrow.parquet

    if path.name.endswith(".parquet"):
        return pyarrow.parquet.read_table(path)
    import numpy
    import zstandard

    with open(path, "rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    start = 8 + int.from_bytes(data[4:8], "little")
    level = [("bid_px", "<i8"), ("ask_px", "<i8")]
    level += [(f"{side}_{kind}", "<u4") for kind in ("sz", "ct") for side in SIDES]
    head = [("head", "<u8"), ("ts_event", "<u8"), ("price", "<i8"), ("size", "<u4"), ("action", "u1"), ("side", "u1")]
    head += [("flags", "u1"), ("depth", "u1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4")]
    kind = numpy.dtype([*head, ("levels", level, 10)])
    rows = numpy.frombuffer(data, dtype=kind, offset=start, count=(len(data) - start) // kind.itemsize)
    letters = lambda name: pyarrow.array(numpy.ascontiguousarray(rows[name]).view("S1").astype("U1"))
    quoted = lambda price: numpy.where(price == 2**63 - 1, numpy.nan, price / 1e9)
    columns = {
        "ts_event": rows["ts_event"].astype("i8"),
        "action": letters("action"),
        "side": letters("side"),
        "price": quoted(rows["price"]),
        "size": rows["size"].astype("i8"),
        "flags": rows["flags"].astype("i8"),
        "sequence": rows["sequence"].astype("i8"),
    }
    for rank in range(10):
        for name, _ in level:
            values = rows["levels"][name][:, rank]
            side, what = name.split("_")
            columns[f"{side}_{what}_{rank:02}"] = quoted(values) if what == "px" else values.astype("i8")
    return pyarrow.table(columns)


def timed(work) -> tuple:
    started = time.perf_counter()
    made = work()
    return made, time.perf_counter() - started


def report(rival, work, shape, options, rows: int, read_seconds: float, versions: dict) -> int:
    """Runs `work` some times after once for warmth, and prints what it took."""
    made = work()
    seconds = [timed(work)[1] for _ in range(options.runs)]
    bars, columns = shape(made)
    if options.out:
        import pyarrow.parquet

        pyarrow.parquet.write_table(made if hasattr(made, "num_rows") else made.to_arrow(), options.out)
    document = {
        "rival": rival,
        "rows": rows,
        "bars": bars,
        "columns": len(columns),
        "column_names": list(columns),
        "threads": options.threads,
        "read_seconds": read_seconds,
        "seconds": min(seconds),
        "seconds_median": statistics.median(seconds),
        "rows_per_second": rows / min(seconds),
        "peak_memory_bytes": book_environment.peak_memory_bytes(),
        "versions": versions | {"python": sys.version.split()[0]},
    }
    print(json.dumps(document, indent=1))
    return 0
