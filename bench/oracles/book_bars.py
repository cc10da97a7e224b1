"""Cuts ten-level rows into bars as plainly as it can be written down, to check the kernel against. Start at `Book`.

    python3 bench/oracles/book_bars.py FILE --out BARS.parquet --point 0.01 [--lot 1] [--bar 5s] [--events flag|row]
        [--clock event|recv] [--symbol NAME]

writes all 292 columns and prints counts as one JSON document. It follows the two pages on the bars of the book sentence
by sentence, shares nothing with the engine, and is slow on purpose: rows are tuples, prices and sizes are whole numbers
in 1e-9, a comparison that decides a band never rounds, and every mean over time is a list of (duration, value) that is
summed at the end of the bar. Files: DBN, Parquet, CSV, with the names that Databento uses. `--bar` takes 500ms, 5s, 1m,
1h, or 100ticks, 5000volume, 250000dollars. `--tick` is taken and used by no column.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "rivals"))

import book_environment  # noqa: E402
from book_read import LEVELS, NANO, Row, read  # noqa: E402

LAST, SNAPSHOT, BAD_TS, BAD_BOOK = 128, 32, 8, 4
SIDES = ("bid", "ask")
EDGES = (1, 2, 3, 5, 10)
DAY = 86_400 * NANO
SPANS = {"ms": 10**6, "s": NANO, "m": 60 * NANO, "min": 60 * NANO, "h": 3600 * NANO}
TOTALS = {"ticks": "tick", "t": "tick", "volume": "volume", "v": "volume", "dollars": "dollar", "d": "dollar"}


# What a book says


class State:
    """The book at an event end, and every function of it."""

    def __init__(self, bids: tuple, asks: tuple, point: int, lot: Fraction) -> None:
        self.sides = {"bid": bids, "ask": asks}
        self.bids, self.asks, self.point, self.lot = bids, asks, point, lot
        self.both = bids[0] is not None and asks[0] is not None
        self.means = self._means()

    def weighted(self) -> tuple[int, int] | None:
        """Weighted mid as numerator and denominator, so that nothing rounds."""
        if not self.both:
            return None
        (bid, bid_size, _), (ask, ask_size, _) = self.bids[0], self.asks[0]
        return ask * bid_size + bid * ask_size, bid_size + ask_size

    def band(self, side: str, price: int | None) -> int | None:
        """Upper edge, in points, of the band in which `price` stands; None beyond the last, or without a reference."""
        reference = self.weighted()
        if reference is None or price is None:
            return None
        above, below = reference
        distance = above - price * below if side == "bid" else price * below - above
        for edge in EDGES:
            if distance <= edge * self.point * below:
                return edge
        return None

    def _means(self) -> dict[str, float | None]:
        """Functions that have both a mean over time and a last value."""
        depth = {side: sum(one[1] for one in self.sides[side] if one) for side in SIDES}
        best = {side: self.sides[side][0][1] if self.sides[side][0] else 0 for side in SIDES}
        bands = {(side, edge): 0 for side in SIDES for edge in EDGES}
        for side in SIDES:
            for one in self.sides[side]:
                edge = self.band(side, one[0]) if one else None
                if edge is not None:
                    bands[side, edge] += one[1]
        values: dict[str, float | None] = {"mid": None, "wmid": None, "spread": None}
        if self.both:
            bid, ask = self.bids[0][0], self.asks[0][0]
            above, below = self.weighted()
            values = {"mid": (bid + ask) / (2 * NANO), "wmid": above / (below * NANO)}
            values["spread"] = (ask - bid) / self.point
        values["imb_1"] = ratio(best["bid"] - best["ask"], best["bid"] + best["ask"])
        values["imb_10"] = ratio(depth["bid"] - depth["ask"], depth["bid"] + depth["ask"])
        for side in SIDES:
            values[f"depth_{side}"] = depth[side] / NANO
        for edge in EDGES:
            for side in SIDES:
                values[f"band_{side}_p{edge}"] = bands[side, edge] / NANO if self.both else None
            for side in SIDES:
                values[f"band_frac_{side}_p{edge}"] = ratio(bands[side, edge], depth[side]) if self.both else None
            below, above = bands["bid", edge], bands["ask", edge]
            values[f"band_imb_p{edge}"] = ratio(below - above, below + above) if self.both else None
        return values

    def lasts(self) -> dict[str, object]:
        """Functions that have a last value only."""
        values: dict[str, object] = {}
        for side in SIDES:
            levels = self.sides[side]
            present = [one[0] for one in levels if one]
            sign = -1 if side == "bid" else 1
            gaps = [sign * (after - before) for before, after in zip(present, present[1:])]
            values[f"gap_max_{side}"] = max(gaps) / self.point if gaps else None
            values[f"gap_mean_{side}"] = sum(gaps) / (len(gaps) * self.point) if gaps else None
            sizes = sum(one[1] for one in levels if one)
            orders = sum(one[2] for one in levels if one)
            for rank, one in enumerate(levels):
                values[f"px_{side}_l{rank}"] = one[0] / NANO if one else None
                values[f"sz_{side}_l{rank}"] = one[1] / NANO if one else 0.0
                values[f"ct_{side}_l{rank}"] = one[2] if one else 0
                # An absent level has fraction 0, on an empty side too; of a present one x/0 is missing.
                values[f"szf_{side}_l{rank}"] = ratio(one[1], sizes) if one else 0.0
                values[f"ctf_{side}_l{rank}"] = ratio(one[2], orders) if one else 0.0
            values |= self._walls(side)
        return values

    def _walls(self, side: str) -> dict[str, float | None]:
        names = (f"wall_z_{side}", f"wall_level_{side}", f"wall_near_{side}", f"wall_near_level_{side}")
        present = [(rank, one) for rank, one in enumerate(self.sides[side]) if one]
        if len({one[1] for _, one in present}) < 2:
            return dict.fromkeys(names)
        logs = [math.log1p(float(one[1] / self.lot)) for _, one in present]
        mean = math.fsum(logs) / len(logs)
        deviation = math.sqrt(math.fsum((log - mean) ** 2 for log in logs) / len(logs))
        scores = [(log - mean) / deviation for log in logs]
        strongest = max(range(len(present)), key=lambda place: (present[place][1][1], -place))
        near = next((place for place, score in enumerate(scores) if score >= 2 - 1e-9), None)
        distance = near_level = None
        if near is not None:
            near_level, (price, _, _) = present[near]
            if self.both:
                above, below = self.weighted()
                sign = 1 if side == "bid" else -1
                distance = sign * (above - price * below) / (below * self.point)
            near_level = float(near_level)
        return dict(zip(names, (scores[strongest], float(present[strongest][0]), distance, near_level)))


def ratio(over: int, under: int) -> float | None:
    """Missing where the denominator is 0: no epsilon."""
    return None if under == 0 else over / under


MEANS = tuple(State((None,) * LEVELS, (None,) * LEVELS, 1, Fraction(1)).means)
LASTS = tuple(State((None,) * LEVELS, (None,) * LEVELS, 1, Fraction(1)).lasts())


def order_flow(before: State, after: State, ranks: int) -> int:
    """Cont, Kukanov and Stoikov's e, summed over the first `ranks` levels, each by rank."""
    total = 0
    for rank in range(ranks):
        for side, sign in (("bid", 1), ("ask", -1)):
            old, new = before.sides[side][rank], after.sides[side][rank]
            # An absent bid stands at minus infinity, an absent ask at plus infinity, with size 0.
            old_price, new_price = (sign * one[0] if one else -math.inf for one in (old, new))
            if new_price >= old_price:
                total += sign * (new[1] if new else 0)
            if new_price <= old_price:
                total -= sign * (old[1] if old else 0)
    return total


# Columns, in the order of the page


def columns() -> list[tuple[str, str]]:
    """Name and type: text, time, count or number."""
    names = [("symbol", "text"), ("bar_start", "time"), ("bar_end", "time"), ("known_at", "time")]
    for name in MEANS:
        names += [(f"{name}_twa", "number"), (f"{name}_eob", "number")]
    names.append(("cover", "number"))
    names += [(f"gap_{kind}_{side}_eob", "number") for side in SIDES for kind in ("max", "mean")]
    for side in SIDES:
        for kind in ("px", "sz", "ct", "szf", "ctf"):
            names += [(f"{kind}_{side}_l{rank}_eob", "count" if kind == "ct" else "number") for rank in range(LEVELS)]
    names += [(f"wall_{kind}_{side}_eob", "number") for side in SIDES for kind in ("z", "level", "near", "near_level")]
    for side in SIDES:
        for edge in EDGES:
            names += [(f"flow_{kind}_{side}_p{edge}_sum", "number") for kind in ("add", "rem", "net")]
            names.append((f"flow_rel_{side}_p{edge}", "number"))
            names += [(f"flow_{kind}_n_{side}_p{edge}_sum", "count") for kind in ("add", "cancel", "modify")]
    names += [("flow_fill_n_sum", "count"), ("flow_rest_n_sum", "count")]
    names += [(f"exec_{side}_p{edge}_sum", "number") for side in SIDES for edge in EDGES]
    names.append(("exec_rest_sum", "number"))
    names += [(f"ofi_{ranks}_sum", "number") for ranks in (1, 5, 10)]
    names.append(("trade_n_sum", "count"))
    names += [(f"trade_{kind}_sum", "number") for kind in ("vol", "buy", "sell", "unk", "signed")]
    names += [(f"trade_{kind}", "number") for kind in ("vwap", "open", "high", "low", "close")]
    kinds = ("all", "clear", "add", "cancel", "modify", "trade", "other", "snapshot")
    names += [(f"msg_{kind}_sum", "count") for kind in kinds]
    names += [(f"{kind}_n_sum", "count") for kind in ("events", "crossed", "locked", "bad_book", "bad_ts", "late")]
    return names


# Bars


class Bar:
    """What has happened since a bar's start."""

    def __init__(self, start: int, end: int | None) -> None:
        self.start, self.end = start, end
        self.counts: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self.pieces: list[tuple[int, State]] = []
        self.traded: list[tuple[int, int]] = []
        self.total = Fraction(0)


class Book:
    """One instrument: its rows go in in file order, its bars come out."""

    def __init__(self, symbol: str, options: argparse.Namespace) -> None:
        self.symbol, self.options = symbol, options
        self.rows: list[dict] = []
        self.bar: Bar | None = None
        self.time: int | None = None
        self.reached: int | None = None
        self.received: int | None = None
        # At the last event end; None before the first, and from a bad-book row on.
        self.state: State | None = None
        self.before: Row | None = None
        # ts_event and sequence of the trade, or of the fill of one, in the row before.
        self.trade_before: tuple | None = None
        self.before_books: dict[str, tuple] | None = None
        self.report: Counter[str] = Counter()

    def row(self, row: Row) -> None:
        time, late = self._time(row)
        if time is None:
            self.report["rows_before_any_time"] += 1
            return
        if self.before and row.sequence < self.before.sequence:
            self.report["sequence_backward"] += 1
        self._open(time)
        self._carry(time)
        bar = self.bar
        if row.ts_recv is not None:
            self.received = row.ts_recv if self.received is None else max(self.received, row.ts_recv)
        bar.counts["late_n"] += late
        self._count(row)
        books = EMPTY if row.action == "R" else {"bid": row.bids, "ask": row.asks}
        if not row.flags & SNAPSHOT:
            if row.action == "T":
                self._trade(row)
            elif row.action in ("A", "C", "M"):
                self._flow(row, books)
        if row.flags & BAD_BOOK:
            self.state = None
        ends = row.flags & LAST or row.action == "R" or self.options.events == "row"
        if ends:
            self._event_end(row, books, time)
        self.before, self.before_books = row, books
        # An F row (of single orders) is no trade, yet what follows it may still be the change that its trade made.
        event = (row.ts_event, row.sequence)
        of_trade = row.action == "T" or (row.action == "F" and event == self.trade_before)
        self.trade_before = event if of_trade and not row.flags & SNAPSHOT else None
        self.time = time
        if ends:
            self._close_by_total(time)

    def _time(self, row: Row) -> tuple[int | None, bool]:
        """The largest stamp so far, and whether this row's was before it; an undefined stamp takes the time before."""
        stamp = row.ts_event
        if self.options.clock == "recv":
            stamp = None if row.flags & BAD_TS else row.ts_recv
        if stamp is None:
            return self.time, False
        if self.time is not None and stamp < self.time:
            return self.time, True
        return stamp, False

    def _open(self, time: int) -> None:
        """Opens the bar of `time`, after writing those before it."""
        width = self.options.width
        if width is None:
            if self.bar is None:
                self.bar = Bar(time, None)
            return
        start = time // width * width
        if self.bar is None:
            self.bar = Bar(start, start + width)
        skips = self.time is not None and time - self.time > DAY
        self.report["gaps_not_filled"] += skips
        while self.bar.start < start:
            self._finish()
            following = start if skips else self.bar.end
            # A state that is carried over a gap is known from the new bar's start on.
            self.reached = following if self.reached is not None else None
            self.bar = Bar(following, following + width)

    def _carry(self, time: int) -> None:
        """The state held until `time`."""
        if self.reached is not None and time > self.reached:
            self.bar.pieces.append((time - self.reached, self.state))
            self.reached = time

    def _event_end(self, row: Row, books: dict[str, tuple], time: int) -> None:
        bar = self.bar
        bar.counts["events_n"] += 1
        self.reached = time if self.reached is None else self.reached
        if row.flags & BAD_BOOK:
            return
        state = State(books["bid"], books["ask"], self.options.point, self.options.lot)
        if state.both:
            bar.counts["crossed_n"] += state.bids[0][0] > state.asks[0][0]
            bar.counts["locked_n"] += state.bids[0][0] == state.asks[0][0]
        if self.state is not None and row.action != "R" and not row.flags & SNAPSHOT:
            for ranks in (1, 5, 10):
                bar.sums[f"ofi_{ranks}"] += order_flow(self.state, state, ranks)
        self.state = state

    def _count(self, row: Row) -> None:
        counts = self.bar.counts
        counts["msg_all"] += 1
        counts["bad_book_n"] += bool(row.flags & BAD_BOOK)
        counts["bad_ts_n"] += bool(row.flags & BAD_TS)
        if row.flags & SNAPSHOT:
            counts["msg_snapshot"] += 1
            return
        # F rows among them: the fills of orders, whose trade is a T row.
        counts["msg_" + MESSAGES.get(row.action, "other")] += 1

    def _trade(self, row: Row) -> None:
        counts, sums = self.bar.counts, self.bar.sums
        counts["trade_n"] += 1
        sums["trade_vol"] += row.size
        sums[{"A": "trade_sell", "B": "trade_buy"}.get(row.side, "trade_unk")] += row.size
        if row.price is not None:
            self.bar.traded.append((row.price, row.size))
        took_from = {"A": "bid", "B": "ask"}.get(row.side)
        edge = self.state.band(took_from, row.price) if took_from and self.state else None
        sums["exec_rest" if edge is None else f"exec_{took_from}_p{edge}"] += row.size
        kind = self.options.total
        if kind:
            price = Fraction(row.price or 0, NANO)
            size = Fraction(row.size, NANO)
            self.bar.total += {"tick": Fraction(1), "volume": size, "dollar": price * size}[kind]

    def _flow(self, row: Row, books: dict[str, tuple]) -> None:
        counts, sums, before = self.bar.counts, self.bar.sums, self.before
        if row.action == "C" and self.trade_before == (row.ts_event, row.sequence):
            counts["flow_fill_n"] += 1
            return
        known = before is not None and not (row.flags | before.flags) & BAD_BOOK
        side = {"A": "ask", "B": "bid"}.get(row.side)
        if known and side is None and row.price is not None:
            at = self.before_books if row.action == "C" else books
            standing = [one for one in SIDES if queue(at[one], row.price) > 0]
            side = standing[0] if len(standing) == 1 else None
        edge = self.state.band(side, row.price) if known and side and self.state else None
        if edge is None:
            counts["flow_rest_n"] += 1
            return
        change = queue(books[side], row.price) - queue(self.before_books[side], row.price)
        sums[f"flow_{'add' if change > 0 else 'rem'}_{side}_p{edge}"] += abs(change)
        counts[f"flow_{MESSAGES[row.action]}_n_{side}_p{edge}"] += 1

    def _close_by_total(self, time: int) -> None:
        if self.options.total and self.bar.total >= self.options.threshold:
            self.bar.end = time
            self._finish()
            self.bar = Bar(time, None)

    def end(self) -> None:
        """The file is over: a bar of time is carried out to its full end, any other is not written."""
        if self.bar is None:
            return
        if self.options.width:
            self._finish()
        else:
            self.report["unfinished_rows"] += self.bar.counts["msg_all"]

    def _finish(self) -> None:
        bar = self.bar
        self._carry(bar.end)
        row: dict[str, object] = {"symbol": self.symbol, "bar_start": bar.start, "bar_end": bar.end}
        row["known_at"] = bar.end if self.received is None else max(bar.end, self.received)
        last = self.state.means | self.state.lasts() if self.state else {}
        for name in MEANS:
            row[f"{name}_eob"] = last.get(name)
            row[f"{name}_twa"] = mean(bar.pieces, name) if bar.end > bar.start else last.get(name)
        for name in LASTS:
            row[f"{name}_eob"] = last.get(name)
        covered = sum(duration for duration, state in bar.pieces if state and state.both)
        row["cover"] = ratio(covered, bar.end - bar.start)
        for name, kind in COLUMNS:
            if name not in row and name.endswith("_sum"):
                key = name.removesuffix("_sum")
                row[name] = bar.counts[key] if kind == "count" else bar.sums[key] / NANO
        for side in SIDES:
            for edge in EDGES:
                net = bar.sums[f"flow_add_{side}_p{edge}"] - bar.sums[f"flow_rem_{side}_p{edge}"]
                depth = row[f"band_{side}_p{edge}_twa"]
                row[f"flow_net_{side}_p{edge}_sum"] = net / NANO
                row[f"flow_rel_{side}_p{edge}"] = net / NANO / depth if depth else None
        row["trade_signed_sum"] = (bar.sums["trade_buy"] - bar.sums["trade_sell"]) / NANO
        prices = [price for price, _ in bar.traded]
        size = sum(size for _, size in bar.traded)
        row["trade_vwap"] = ratio(sum(price * size for price, size in bar.traded), size * NANO)
        row["trade_open"] = prices[0] / NANO if prices else None
        row["trade_high"] = max(prices) / NANO if prices else None
        row["trade_low"] = min(prices) / NANO if prices else None
        row["trade_close"] = prices[-1] / NANO if prices else None
        self.rows.append(row)


MESSAGES = {"R": "clear", "A": "add", "C": "cancel", "M": "modify", "T": "trade"}
EMPTY = {"bid": (None,) * LEVELS, "ask": (None,) * LEVELS}
COLUMNS = columns()


def queue(levels: tuple, price: int) -> int:
    """Size that stands at `price`; 0 where it is not among the levels."""
    return sum(one[1] for one in levels if one and one[0] == price)


def mean(pieces: list[tuple[int, State | None]], name: str) -> float | None:
    """Mean over the time in which the value is known."""
    known = [(duration, state.means[name]) for duration, state in pieces if state and state.means[name] is not None]
    time = sum(duration for duration, _ in known)
    return math.fsum(duration * value for duration, value in known) / time if time else None


# Command line


def bars(path: Path, options: argparse.Namespace) -> tuple[list[dict], Counter]:
    """Bars of every instrument, by first appearance, then time; and what was counted."""
    books: dict[object, Book] = {}
    report: Counter[str] = Counter()
    for row in read(path, options.symbol):
        report["rows"] += 1
        if row.instrument not in books:
            books[row.instrument] = Book(row.symbol, options)
        books[row.instrument].row(row)
    rows = []
    for book in books.values():
        book.end()
        rows += book.rows
        report.update(book.report)
    report["instruments"], report["bars"] = len(books), len(rows)
    return rows, report


def write(rows: list[dict], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    types = {
        "text": pyarrow.string(),
        "time": pyarrow.timestamp("ns", tz="UTC"),
        "count": pyarrow.int64(),
        "number": pyarrow.float64(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS])
    arrays = {name: [row[name] for row in rows] for name, _ in COLUMNS}
    pyarrow.parquet.write_table(pyarrow.table(arrays, schema=schema), path, compression="zstd")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--point", type=Fraction, required=True, help="unit of distances, in quoted price")
    parser.add_argument("--tick", type=Fraction, help="smallest step of the price: no column depends on it")
    parser.add_argument("--lot", type=Fraction, default=Fraction(1), help="size that walls are measured in (default 1)")
    parser.add_argument("--bar", default="5s")
    parser.add_argument("--events", choices=("flag", "row"), default="flag")
    parser.add_argument("--clock", choices=("event", "recv"), default="event")
    parser.add_argument("--symbol", help="name of the instrument, where the file gives none")
    options = parser.parse_args()
    options.point = int(options.point * NANO)
    options.lot = options.lot * NANO
    found = re.fullmatch(r"(\d+)([a-z]+)", options.bar)
    if not found or found[2] not in SPANS | TOTALS:
        parser.error(f"--bar {options.bar}: expected 5s, 500ms, 100ticks, 5000volume or 250000dollars")
    options.width = int(found[1]) * SPANS[found[2]] if found[2] in SPANS else None
    options.total, options.threshold = TOTALS.get(found[2]), Fraction(int(found[1]))
    return options


def main() -> int:
    options = parse_arguments()
    book_environment.enter(book_environment.ORACLE, "book-oracle")
    rows, report = bars(options.file, options)
    for name, kind in COLUMNS:
        if kind == "count" and name.endswith("_sum"):
            report[name] = sum(row[name] for row in rows)
    write(rows, options.out)
    print(json.dumps({"out": str(options.out), "columns": len(COLUMNS), **report}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
