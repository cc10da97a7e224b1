"""Times databento-python on decoding a file into a data frame, which is where its users begin. Start at `measure`.

    python3 bench/rivals/book_databento.py FILE.dbn.zst [--runs 3]

Computes no bar: it covers none of the 292 columns, only the rows that they are made from. Two figures: `to_df()` as its
documentation shows it, and `to_ndarray()`, which leaves records as they are. One JSON document.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path

import book_environment

book_environment.enter(book_environment.DATABENTO, "book-databento")

import databento  # noqa: E402
import pandas  # noqa: E402


def measure(path: Path, runs: int, decode) -> tuple[int, list[float]]:
    """Rows, and seconds of each run from the file on disk."""
    seconds, rows = [], 0
    for _ in range(runs):
        started = time.perf_counter()
        rows = len(decode(databento.DBNStore.from_file(path)))
        seconds.append(time.perf_counter() - started)
    return rows, seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    rows, framed = measure(arguments.file, arguments.runs, lambda store: store.to_df())
    _, plain = measure(arguments.file, arguments.runs, lambda store: store.to_ndarray())
    document = {
        "rival": "databento",
        "rows": rows,
        "columns": 0,
        "seconds": min(framed),
        "seconds_median": statistics.median(framed),
        "rows_per_second": rows / min(framed),
        "ndarray_seconds": min(plain),
        "ndarray_rows_per_second": rows / min(plain),
        "peak_memory_bytes": book_environment.peak_memory_bytes(),
        "versions": {
            "databento": databento.__version__,
            "databento-dbn": metadata.version("databento-dbn"),
            "pandas": pandas.__version__,
            "python": sys.version.split()[0],
        },
    }
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
