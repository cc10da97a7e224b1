"""Checks `railbird f1 order --at-line` and `classification` against the official positions. Start at `crossings`.

    python3 bench/oracles/f1_order.py --railbird target/release/railbird --session ID --archive FOLDER

A crossing is a record that raises `NumberOfLaps`; its official position is the `Position` in force at that record.
(In real feeds the position comes 30 to 350 ms before the count and does not move in the 2 s after it.) Prints every row
that differs. Standard library only.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from pathlib import Path


def crossings(archive: Path) -> tuple[dict[tuple[int, int], int], dict[int, int]]:
    """Official position by (lap, racing number), and the last one by racing number."""
    text = (archive / "TimingData.jsonStream").read_bytes().decode("utf-8-sig")
    position: dict[int, int] = {}
    laps: dict[int, int] = {}
    at_line: dict[tuple[int, int], int] = {}
    for record in filter(None, text.split("\r\n")):
        for key, line in json.loads(record[12:]).get("Lines", {}).items():
            number = int(key)
            if line.get("Position"):
                position[number] = int(line["Position"])
            lap = line.get("NumberOfLaps")
            if lap is not None and lap > laps.get(number, 0):
                laps[number] = lap
                at_line[lap, number] = position.get(number, 0)
    return at_line, position


def railbird(arguments: argparse.Namespace, *words: str) -> list[dict]:
    """Rows of CSV that the binary prints."""
    command = [arguments.railbird, "f1", *words]
    if arguments.data_dir:
        command += ["--data-dir", arguments.data_dir]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--railbird", required=True, help="the binary")
    parser.add_argument("--session", required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()
    official, _ = crossings(arguments.archive)
    numbers = codes(arguments.archive)
    rows = railbird(arguments, "order", arguments.session, "--at-line")
    shown = {(int(row["lap"]), numbers.get(row["driver"], row["driver"])): int(row["position"]) for row in rows}
    wrong = [
        (key, official.get(key), shown.get(key))
        for key in sorted(official.keys() | shown.keys(), key=str)
        if official.get(key) != shown.get(key)
    ]
    for (lap, number), want, have in wrong:
        print(f"lap {lap} car {number}: {have} shown, {want} official")
    if len(rows) != len(shown):
        print(f"{len(rows) - len(shown)} rows repeat a lap of a car")
    print(f"{len(official)} official crossings, {len(shown)} shown, {len(wrong)} differ")
    return 1 if wrong or len(rows) != len(shown) else 0


def codes(archive: Path) -> dict[str, int]:
    """Racing number by three-letter code, and by itself as text."""
    text = (archive / "DriverList.jsonStream").read_bytes().decode("utf-8-sig")
    numbers: dict[str, int] = {}
    for record in filter(None, text.split("\r\n")):
        for key, entry in json.loads(record[12:]).items():
            if key.isdigit():
                numbers[key] = int(key)
                if isinstance(entry, dict) and entry.get("Tla"):
                    numbers[entry["Tla"]] = int(key)
    return numbers


if __name__ == "__main__":
    sys.exit(main())
