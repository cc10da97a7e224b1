"""Reads ten-level rows of the order book from DBN, Parquet and CSV. Start at `read`.

Prices and sizes are whole numbers in 1e-9, times are Unix nanoseconds; what is undefined is None. A level that is
absent is None, else (price, size, orders). One row is one `Row`; nothing is batched, nothing is guessed.
"""

from __future__ import annotations

import csv
import io
import struct
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Iterator, NamedTuple

NANO = 1_000_000_000
I64_MAX = 2**63 - 1
U64_MAX = 2**64 - 1
LEVELS = 10
MBP_10 = 10
SYMBOL_LENGTH = {1: 22, 2: 71, 3: 71}


class Row(NamedTuple):
    """A row of a ten-level file."""

    instrument: object
    symbol: str
    ts_event: int | None
    ts_recv: int | None
    action: str
    side: str
    price: int | None
    size: int
    flags: int
    sequence: int
    bids: tuple
    asks: tuple


def read(path: Path, symbol: str | None) -> Iterator[Row]:
    """Rows in file order; `symbol` names the instrument where the file does not."""
    name = path.name
    if name.endswith((".dbn", ".dbn.zst")):
        return dbn(content(path), symbol)
    if name.endswith(".parquet"):
        return parquet(path, symbol)
    if name.endswith((".csv", ".csv.zst")):
        return named(csv.DictReader(io.StringIO(content(path).decode())), symbol or path.name.split(".")[0])
    raise SystemExit(f"{path}: expected .dbn, .parquet or .csv, the first and the last perhaps with .zst")


def content(path: Path) -> bytes:
    import zstandard

    if not path.name.endswith(".zst"):
        return path.read_bytes()
    with open(path, "rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()


def level(price: int | None, size: int, orders: int) -> tuple | None:
    """Absent where the price is undefined or the size is 0; a price at or below 0 is a price."""
    return None if price is None or size == 0 else (price, size, orders)


# DBN


def dbn(data: bytes, symbol: str | None) -> Iterator[Row]:
    magic, version, length = data[:3], data[3], struct.unpack_from("<I", data, 4)[0]
    if magic != b"DBN" or version not in SYMBOL_LENGTH:
        raise SystemExit(f"expected DBN of version 1 to 3, found {data[:4]!r}")
    symbols = dbn_symbols(data[8 : 8 + length], version)
    at = 8 + length
    while at + 16 <= len(data):
        size = data[at] * 4
        if size == 0 or at + size > len(data):
            return
        if data[at + 1] == MBP_10:
            yield dbn_row(data, at, symbols, symbol)
        at += size


def dbn_row(data: bytes, at: int, symbols: list, symbol: str | None) -> Row:
    publisher, number, ts_event = struct.unpack_from("<HIQ", data, at + 2)
    fields = struct.unpack_from("<qIccBBQiI", data, at + 16)
    price, size, action, side, flags, _depth, ts_recv, _delta, sequence = fields
    bids, asks = [], []
    for rank in range(LEVELS):
        bid, ask, bid_size, ask_size, bid_orders, ask_orders = struct.unpack_from("<qqIIII", data, at + 48 + 32 * rank)
        bids.append(level(dbn_price(bid), bid_size * NANO, bid_orders))
        asks.append(level(dbn_price(ask), ask_size * NANO, ask_orders))
    return Row(
        (publisher, number),
        symbol or dbn_symbol(symbols, number, ts_recv if ts_recv != U64_MAX else ts_event),
        None if ts_event == U64_MAX else ts_event,
        None if ts_recv == U64_MAX else ts_recv,
        action.decode("latin-1"),
        side.decode("latin-1"),
        dbn_price(price),
        size * NANO,
        flags,
        sequence,
        tuple(bids),
        tuple(asks),
    )


def dbn_price(price: int) -> int | None:
    return None if price == I64_MAX else price


def dbn_symbols(metadata: bytes, version: int) -> list:
    """(first date, date after the last, instrument number, symbol) of every mapping; dates as 20250502."""
    width = SYMBOL_LENGTH[version]
    # dataset, schema, start, end, limit, (version 1: number of records,) two kinds of symbol, ts_out, (length of a
    # symbol,) reserved bytes, length of the schema definition.
    at = 100 + 4
    texts = lambda place: metadata[place : place + width].split(b"\0")[0].decode()
    for _ in range(3):
        count = struct.unpack_from("<I", metadata, at)[0]
        at += 4 + width * count
    count = struct.unpack_from("<I", metadata, at)[0]
    at += 4
    found = []
    for _ in range(count):
        raw = texts(at)
        intervals = struct.unpack_from("<I", metadata, at + width)[0]
        at += width + 4
        for _ in range(intervals):
            first, after = struct.unpack_from("<II", metadata, at)
            found.append((first, after, texts(at + 8), raw))
            at += 8 + width
    return found


def dbn_symbol(symbols: list, number: int, ts: int) -> str:
    day = datetime.fromtimestamp(ts // NANO, timezone.utc)
    date = day.year * 10_000 + day.month * 100 + day.day
    for first, after, mapped, raw in symbols:
        if mapped == str(number) and first <= date < after:
            return raw
    return str(number)


# Parquet and CSV


def parquet(path: Path, symbol: str | None) -> Iterator[Row]:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    rows = (row for batch in file.iter_batches(4096) for row in batch.to_pylist())
    return named(rows, symbol or path.name.split(".")[0])


def named(rows: Iterator[dict], symbol: str) -> Iterator[Row]:
    """Rows that carry Databento's names."""
    for row in rows:
        numbered = row.get("publisher_id") is not None and row.get("instrument_id") is not None
        own = row.get("symbol") or symbol
        yield Row(
            (int(row["publisher_id"]), int(row["instrument_id"])) if numbered else own,
            own,
            time(row.get("ts_event")),
            time(row.get("ts_recv")),
            row["action"] or "",
            row["side"] or "N",
            nano(row["price"]),
            nano(row["size"]) or 0,
            int(row.get("flags") or 0),
            int(row.get("sequence") or 0),
            tuple(named_level(row, "bid", rank) for rank in range(LEVELS)),
            tuple(named_level(row, "ask", rank) for rank in range(LEVELS)),
        )


def named_level(row: dict, side: str, rank: int) -> tuple | None:
    size = nano(row[f"{side}_sz_{rank:02}"]) or 0
    return level(nano(row[f"{side}_px_{rank:02}"]), size, int(row.get(f"{side}_ct_{rank:02}") or 0))


def nano(value: object) -> int | None:
    """A decimal in 1e-9, None where there is none. A float is the decimal of nine places that is nearest to it."""
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, str):
        return int((Decimal(value) * NANO).to_integral_value())
    return value * NANO if isinstance(value, int) else int(round(Decimal(value) * NANO))


def time(value: object) -> int | None:
    """Nanoseconds from a number, a moment, or a text such as 2025-07-17T07:05:09.035627674Z."""
    if value is None or value == "":
        return None
    if isinstance(value, int):
        return None if value in (U64_MAX, I64_MAX) else value
    if hasattr(value, "value"):
        return value.value
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return int(moment.replace(microsecond=0).timestamp()) * NANO + value.microsecond * 1000
    if value.isdigit():
        return time(int(value))
    whole, _, fraction = value.rstrip("Z").removesuffix("+00:00").replace(" ", "T").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp())
    return seconds * NANO + int(fraction.ljust(9, "0") or 0)
