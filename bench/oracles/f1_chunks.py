"""Decodes a stored session from the written form of its chunks alone. Start at `read`.

    python3 bench/oracles/f1_chunks.py SESSION_FOLDER [--against ARCHIVE_FOLDER|RAW_RECORDING]

prints the same counts and checksums as `f1_plain.py`; with `--against`, the differences between the two, and fails
where there is one. Written from `docs/formats/f1-chunks.md` and sharing nothing with the engine, so that it shows two
things at once: that the store loses nothing, and that the document is enough to write a reader. Standard library only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import struct
import sys
from pathlib import Path

from columns import CAR, POSITION, Columns, report

CAR_CHANNELS = CAR[2:]
POSITION_CHANNELS = POSITION[2:]


class Malformed(Exception):
    """The bytes are not of the written form; the text says where."""


class Bytes:
    """A cursor over one decoded chunk."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Malformed(f"byte {self.at}: expected {count} more")
        self.at += count
        return self.data[self.at - count : self.at]

    def u(self) -> int:
        value = shift = 0
        for _ in range(10):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise Malformed(f"byte {self.at}: a varint of more than 10 bytes")

    def s(self) -> int:
        value = self.u()
        return (value >> 1) ^ -(value & 1)

    def column(self, rows: int, times: list[int] | None = None) -> list[int]:
        """`times` of the rows, in the stream's unit, where the column is a channel."""
        predictor = self.take(1)[0]
        if predictor > 3 or (predictor == 3 and times is None):
            raise Malformed(f"byte {self.at}: predictor {predictor}")
        values: list[int] = []
        last = before = 0
        for row in range(rows):
            if predictor == 3:
                predicted = last + rise(last - before, times, row)
            else:
                predicted = (0, last, 2 * last - before)[predictor]
            before, last = last, predicted + self.s()
            values.append(last)
        return values


def rise(step: int, times: list[int], row: int) -> int:
    """`step` over the last span of time, carried over the next one and cut off towards zero."""
    span = times[row - 1] - times[row - 2] if row >= 2 else 0
    if span == 0:
        return 0
    product = step * (times[row] - times[row - 1])
    whole = abs(product) // abs(span)
    return whole if (product < 0) == (span < 0) else -whole


def read(folder: Path) -> dict[int, Columns]:
    """Every sample of the session, by racing number, in the order of the chunks."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    pack = (folder / "chunks.pack").read_bytes()
    numbers = [driver["number"] for driver in manifest["drivers"]]
    drivers = {number: Columns() for number in numbers}
    for index in manifest["chunks"]:
        if index["bytes"] == 0:
            continue
        packed = pack[index["offset"] : index["offset"] + index["bytes"]]
        counts = read_chunk(Bytes(gzip.decompress(packed)), index["n"], [drivers[number] for number in numbers])
        if counts != (index["car_samples"], index["position_samples"]):
            raise Malformed(f"chunk {index['n']}: {counts} samples, the index says otherwise")
    return drivers


def read_chunk(data: Bytes, n: int, drivers: list[Columns]) -> tuple[int, int]:
    """Appends the chunk's samples; the number of car samples and of positions."""
    if data.take(4) != b"RBC1" or data.u() != n:
        raise Malformed(f"chunk {n}: not this chunk")
    (base,) = struct.unpack("<q", data.take(8))
    start = data.s()
    cars = read_stream(data, base, start, CAR_CHANNELS, [driver.car for driver in drivers])
    positions = read_stream(data, base, start, POSITION_CHANNELS, [driver.position for driver in drivers])
    if data.at != len(data.data):
        raise Malformed(f"chunk {n}: {len(data.data) - data.at} bytes too many")
    return cars, positions


def read_stream(data: Bytes, base: int, start: int, channels: tuple[str, ...], rows_of: list[list]) -> int:
    entries, unit = data.u(), data.u()
    taken = data.column(entries)
    utc = [base + value * unit for value in taken]
    known_at = [start + value * unit for value in data.column(entries)]
    present: list[tuple[int, list[int]]] = []
    for _ in range(data.u()):
        driver = data.u()
        runs = [data.u() for _ in range(data.u())] or [entries]
        if sum(runs) != entries:
            raise Malformed(f"byte {data.at}: runs add up to {sum(runs)} of {entries} moments")
        moments, moment = [], 0
        for index, run in enumerate(runs):
            if index % 2 == 0:
                moments.extend(range(moment, moment + run))
            moment += run
        present.append((driver, moments))
    values: list[list[list[int]]] = [[] for _ in present]
    for _ in channels:
        for columns, (_, moments) in zip(values, present):
            columns.append(data.column(len(moments), [taken[moment] for moment in moments]))
    for columns, (driver, moments) in zip(values, present):
        rows_of[driver].extend(zip((utc[m] for m in moments), (known_at[m] for m in moments), *columns))
    return sum(len(moments) for _, moments in present)


def differences(ours: dict[int, Columns], theirs: dict[int, Columns]) -> list[str]:
    """What the stored session holds otherwise than the recording, a line each."""
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        stored, source = ours.get(number, Columns()), theirs.get(number, Columns())
        for stream, names in (("car", CAR), ("position", POSITION)):
            rows, wanted = getattr(stored, stream), getattr(source, stream)
            if len(rows) != len(wanted):
                found.append(f"{number} {stream}: {len(rows)} samples stored, {len(wanted)} in the recording")
            for column, name in enumerate(names):
                wrong = [i for i, (a, b) in enumerate(zip(rows, wanted)) if a[column] != b[column]]
                if wrong:
                    i = wrong[0]
                    found.append(
                        f"{number} {stream} {name}: {len(wrong)} of {len(rows)} differ, "
                        f"first row {i}: {rows[i][column]} stored, {wanted[i][column]} in the recording"
                    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("session", type=Path, help="folder of a stored session (holds manifest.json)")
    parser.add_argument("--against", type=Path, help="what it was imported from")
    arguments = parser.parse_args()
    try:
        drivers = read(arguments.session)
    except (Malformed, OSError) as error:
        print(f"f1_chunks: {arguments.session}: {error}", file=sys.stderr)
        return 1
    if not arguments.against:
        print(json.dumps(report(drivers, {}), indent=1))
        return 0
    import f1_plain

    source = f1_plain.read(arguments.against)
    found = differences(drivers, source.drivers)
    totals = report(drivers, source.rejected)
    print(f"{totals['car_samples']} car and {totals['position_samples']} position samples of {len(drivers)} drivers")
    print("\n".join(found) if found else "every value of every channel is equal")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
