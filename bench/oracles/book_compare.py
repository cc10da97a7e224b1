"""Compares two Parquet files of bars. Start at `compare`.

    python3 bench/oracles/book_compare.py A.parquet B.parquet [--ignore COLUMN …]

Text, times and counts must be equal, missing values must be missing in both, and |x - y| must be at most
1e-9 * max(|x|, |y|, 1) for every other number. Prints the columns that differ, how often, and where first; exit code 1
on any difference, also in the columns themselves, their order, types, and the number of rows.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "rivals"))

import book_environment  # noqa: E402

TOLERANCE = 1e-9


def compare(one, other, ignored: set[str]) -> list[str]:
    """A line for everything that differs."""
    lines = []
    if one.column_names != other.column_names:
        missing = [name for name in one.column_names if name not in other.column_names]
        added = [name for name in other.column_names if name not in one.column_names]
        lines.append(f"columns: only in the first {missing}, only in the second {added}, or in another order")
    if one.num_rows != other.num_rows:
        lines.append(f"rows: {one.num_rows} and {other.num_rows}")
    for name in one.column_names:
        if name not in other.column_names or name in ignored:
            continue
        if kind(one.schema.field(name).type) != kind(other.schema.field(name).type):
            lines.append(f"{name}: {one.schema.field(name).type} and {other.schema.field(name).type}")
            continue
        lines += column(name, plain(one[name]), plain(other[name]))
    return lines


def kind(type_) -> str:
    """Text is text, however long its offsets are."""
    return "text" if str(type_) in ("string", "large_string", "string_view") else str(type_)


def plain(values) -> list:
    """Python's numbers; times as nanoseconds, which its own moments cannot hold."""
    return (values.cast("int64") if str(values.type).startswith("timestamp") else values).to_pylist()


def column(name: str, one: list, other: list) -> list[str]:
    differing = [row for row, (x, y) in enumerate(zip(one, other)) if not equal(x, y)]
    if not differing:
        return []
    first = differing[0]
    return [f"{name}: {len(differing)} of {len(one)}, first in row {first}: {one[first]!r} and {other[first]!r}"]


def equal(x: object, y: object) -> bool:
    if x is None or y is None or not isinstance(x, float) or not isinstance(y, float):
        return x == y
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or math.isinf(y):
        return False
    return abs(x - y) <= TOLERANCE * max(abs(x), abs(y), 1.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--ignore", action="append", default=[], metavar="COLUMN")
    arguments = parser.parse_args()
    book_environment.enter(book_environment.ORACLE, "book-oracle")
    import pyarrow.parquet

    one, other = (pyarrow.parquet.read_table(path) for path in (arguments.one, arguments.other))
    lines = compare(one, other, set(arguments.ignore))
    print("\n".join(lines) or f"equal: {one.num_rows} rows of {one.num_columns} columns")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
