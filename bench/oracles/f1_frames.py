"""Checks the frames that a server sends against a plain resampling of the recording. Start at `compare`.

    python3 bench/oracles/f1_frames.py --url http://127.0.0.1:PORT --session ID --archive FOLDER [--fps 25] [--seconds 60]

Plays the session over a WebSocket at 100 times its speed and compares every frame that comes, field by field: place and
channels with `numpy.interp` and a hold on the samples of the recording, as `f1_plain.py` reads them; the position with
the order that the server's own event log says was known. Prints a table, fails where a field is further off than it is
rounded, or where fewer frames came than there are. numpy and websockets come from the environment of the rival.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "rivals"))

import environment  # noqa: E402
from columns import CAR, NO_DRS, POSITION, Columns  # noqa: E402

# Field of a frame, stream and column of the recording, and half of the last digit that a frame shows.
LINEAR = (
    ("x", "position", "x", 0.05),
    ("y", "position", "y", 0.05),
    ("speed", "car", "speed", 0.05),
    ("throttle", "car", "throttle", 0.05),
    ("rpm", "car", "rpm", 0.5),
)
HELD = (("gear", "car", "gear"), ("brake", "car", "brake"), ("drs", "car", "drs"))
SPEED = 100


def main() -> int:
    arguments = parse_arguments()
    if "RAILBIRD_F1_FRAMES_CHILD" not in os.environ:
        try:
            python = environment.python_with(environment.FASTF1, "fastf1")
        except environment.Unavailable as missing:
            print(f"f1_frames: {missing}", file=sys.stderr)
            return 1
        os.environ["RAILBIRD_F1_FRAMES_CHILD"] = "1"
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    import f1_plain

    manifest = fetch(arguments, "")
    drivers = f1_plain.read(arguments.archive).drivers
    frames = play(arguments, manifest)
    return compare(arguments, manifest, drivers, frames)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--url", required=True, help="address of a running `railbird serve`")
    parser.add_argument("--session", required=True, help="name or version of an imported session")
    parser.add_argument("--archive", type=Path, required=True, help="what it was imported from")
    parser.add_argument("--fps", type=int, default=1, help="frames a second of the session (default 1)")
    parser.add_argument("--start", type=float, help="session time to begin at, s (default: frame 0)")
    parser.add_argument("--seconds", type=float, help="session time to play, s (default: to the end)")
    return parser.parse_args()


def fetch(arguments: argparse.Namespace, path: str) -> dict:
    with urllib.request.urlopen(f"{arguments.url}/api/f1/sessions/{arguments.session}{path}", timeout=60) as answer:
        return json.load(answer)


def play(arguments: argparse.Namespace, manifest: dict) -> dict[int, dict]:
    """Frames by number, as they came."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    address = arguments.url.replace("http", "ws", 1)
    path = f"/api/f1/sessions/{manifest['version']}/frames?fps={arguments.fps}&format=json"
    frames: dict[int, dict] = {}
    with connect(address + path, max_size=1 << 20) as socket:
        socket.send(json.dumps({"op": "speed", "value": SPEED}))
        begin = arguments.start if arguments.start is not None else manifest["lights_out_s"]
        socket.send(json.dumps({"op": "seek", "t": begin}))
        while True:
            try:
                frame = json.loads(socket.recv(timeout=5))
            except (TimeoutError, ConnectionClosed):
                break
            if frame["t"] >= begin - 1e-3:
                frames[frame["n"]] = frame
            if arguments.seconds is not None and frame["t"] > begin + arguments.seconds:
                break
    return frames


def compare(
    arguments: argparse.Namespace, manifest: dict, drivers: dict[int, Columns], frames: dict[int, dict]
) -> int:
    """Prints how far each field is from the plain one; 0 where none is further than it is rounded."""
    import numpy

    numbers = sorted(frames)
    codes = {driver["code"]: driver["number"] for driver in manifest["drivers"]}
    # Exact time of a frame: its text is rounded to the millisecond.
    start_s = manifest["lights_out_s"]
    steps = numpy.array([start_s + n / arguments.fps for n in numbers])
    drift = max(abs(frames[n]["t"] - step) for n, step in zip(numbers, steps))
    origin_ns = utc_ns(manifest["origin_utc"])
    worst: dict[str, list] = {}
    for code, number in codes.items():
        shown = [frames[n]["drivers"][code] for n in numbers]
        tables = {
            "car": {name: column for name, column in zip(CAR, zip(*drivers[number].car))},
            "position": {name: column for name, column in zip(POSITION, zip(*drivers[number].position))},
        }
        for field, stream, column, tolerance in LINEAR:
            if tables[stream]:
                seconds = (numpy.array(tables[stream]["utc_ns"]) - origin_ns) / 1e9
                known = known_rows(tables[stream]) if stream == "position" else slice(None)
                plain = numpy.interp(steps, seconds[known], numpy.array(tables[stream][column], dtype=float)[known])
                note(worst, field, code, steps, shown, plain, tolerance + 1e-6, seconds[known][0])
        for field, stream, column in HELD:
            if tables[stream]:
                seconds = (numpy.array(tables[stream]["utc_ns"]) - origin_ns) / 1e9
                row = numpy.maximum(numpy.searchsorted(seconds, steps + 1e-9, side="right") - 1, 0)
                plain = numpy.array(tables[stream][column])[row]
                note(worst, field, code, steps, shown, plain, 0.0, seconds[0], missing=NO_DRS)
    positions(arguments, codes, steps, [frames[n] for n in numbers], worst)

    expected = numbers[-1] - numbers[0] + 1 if numbers else 0
    print(f"{len(numbers)} frames came of {expected}; their time is off by at most {drift * 1000:.3f} ms")
    print(f"{'field':10} {'compared':>9} {'beyond':>7} {'largest':>9}  where")
    for field, (compared, beyond, largest, where) in worst.items():
        print(f"{field:10} {compared:9} {beyond:7} {largest:9.3f}  {where}")
    wrong = sum(beyond for _, beyond, _, _ in worst.values())
    return 0 if numbers and not wrong and len(numbers) == expected and drift < 0.001 else 1


def known_rows(table: dict):
    """Rows with a position: the source writes zeros until it has one."""
    import numpy

    return numpy.any([numpy.array(table[axis]) != 0 for axis in "xyz"], axis=0)


def note(worst, field, code, steps, shown, plain, tolerance, first_s, missing=None) -> None:
    """Adds one driver's values of `field` to the totals."""
    entry = worst.setdefault(field, [0, 0, 0.0, ""])
    for step, car, wanted in zip(steps, shown, plain):
        if step < first_s or wanted == missing:
            continue
        value = car[field]
        error = float("inf") if value is None else abs(value - wanted)
        entry[0] += 1
        entry[1] += error > tolerance
        if error > entry[2]:
            entry[2], entry[3] = error, f"{code} at {step:.3f} s: {value} shown, {wanted:.3f} plain"


def positions(arguments, codes, steps, frames, worst) -> None:
    """The position in a frame is the one of the order log at that time."""
    order = fetch(arguments, "/events?kinds=order")["order"]
    names = list(codes)
    entry = worst.setdefault("position", [0, 0, 0.0, ""])
    held: dict[str, int] = {}
    row = 0
    for step, frame in zip(steps, frames):
        while row < len(order["t"]) and order["t"][row] <= step + 1e-9:
            held[names[order["driver"][row]]] = order["position"][row]
            row += 1
        for code, car in frame["drivers"].items():
            entry[0] += 1
            if car["position"] != held.get(code):
                entry[1] += 1
                entry[2] = max(entry[2], abs((car["position"] or 0) - (held.get(code) or 0)))
                entry[3] = f"{code} at {step:.3f} s: {car['position']} shown, {held.get(code)} in the log"


def utc_ns(text: str) -> int:
    import f1_plain

    return f1_plain.utc(text)


if __name__ == "__main__":
    sys.exit(main())
