"""Checks the frames that a server sends against a plain resampling of the recording. Start at `compare`.

    python3 bench/oracles/f1_frames.py --url http://127.0.0.1:PORT --session ID --archive FOLDER [--form msgpack]

Plays `--seconds` of the session over a WebSocket at the speed of the clock, in which hardly a frame may be missing,
then asks for `--scattered` frames from anywhere. Compares each, field by field: place and channels with `numpy.interp`
and a hold on the samples of the recording, as `f1_plain.py` reads them; position and gaps with the logs of the same
server. Every wire form must decode to the same. Prints a table, fails where a field is further off than it is
rounded, or where more than 1 % of the frames are missing. numpy, msgpack and websockets come from the environment of
the rival.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
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
# Held logs: field of a frame, the server's page, column.
LOGGED = (
    ("position", "events?kinds=order", "position"),
    ("gap_to_leader", "gaps", "gap_s"),
    ("interval", "gaps", "interval_s"),
)
SEED = 1
# Share of frames that a busy machine may leave out.
LATE_SHARE = 0.01


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
    frames, wrong = play(arguments, manifest)
    print("\n".join(wrong), end="\n" if wrong else "")
    return compare(arguments, manifest, drivers, frames) or int(bool(wrong))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--url", required=True, help="address of a running `railbird serve`")
    parser.add_argument("--session", required=True, help="name or version of an imported session")
    parser.add_argument("--archive", type=Path, required=True, help="what it was imported from")
    parser.add_argument("--fps", type=int, default=25, help="frames a second of the session (default 25)")
    parser.add_argument("--start", type=float, help="session time to begin at, s (default: frame 0)")
    parser.add_argument("--seconds", type=float, default=60, help="session time to play, s (default 60)")
    parser.add_argument("--scattered", type=int, default=500, help="frames from anywhere (default 500)")
    parser.add_argument("--form", choices=("json", "msgpack", "gzip"), default="json")
    return parser.parse_args()


def fetch(arguments: argparse.Namespace, path: str) -> dict:
    with urllib.request.urlopen(f"{arguments.url}/api/f1/sessions/{arguments.session}{path}", timeout=60) as answer:
        return json.load(answer)


def play(arguments: argparse.Namespace, manifest: dict) -> tuple[dict[int, dict], list[str]]:
    """Frames by number, as they came, and what is wrong with their coming."""
    from websockets.sync.client import connect

    form = {"json": "format=json", "msgpack": "format=msgpack", "gzip": "format=json&encoding=gzip"}[arguments.form]
    path = f"/api/f1/sessions/{manifest['version']}/frames?fps={arguments.fps}&{form}"
    frames: dict[int, dict] = {}
    wrong: list[str] = []
    with connect(arguments.url.replace("http", "ws", 1) + path, max_size=1 << 20) as socket:
        hello = json.loads(socket.recv(timeout=5))
        if abs(hello["start"] - manifest["lights_out_s"]) > 1e-3:
            wrong.append(f"frame 0 is said to be at {hello['start']} s, not at {manifest['lights_out_s']} s")
        # The viewer's clock, whatever it counts from.
        shift = hello["start"] - manifest["lights_out_s"]

        def seek(t: float) -> None:
            socket.send(json.dumps({"op": "seek", "t": t + shift}))

        def receive() -> dict:
            return decoded(socket.recv(timeout=5), arguments.form)

        begin = arguments.start if arguments.start is not None else manifest["lights_out_s"]
        first = round((begin - manifest["lights_out_s"]) * arguments.fps)
        # A small step past the frame's moment, so that rounding cannot fall before it.
        socket.send(json.dumps({"op": "pause"}))
        seek(begin + 1e-4)
        while (frame := receive())["n"] != first:
            pass
        frames[first] = frame
        socket.send(json.dumps({"op": "play"}))
        while frame["n"] < min(first + round(arguments.seconds * arguments.fps), hello["frames"] - 1):
            frame = receive()
            frames[frame["n"]] = frame
        missing = frame["n"] - first + 1 - len(frames)
        print(f"{hello['frames']} frames in all; {len(frames)} played, {missing} left out")
        # A viewer that is late is shown the present and not the past.
        if missing > len(frames) * LATE_SHARE:
            wrong.append(f"{missing} frames did not come at the speed of the clock")

        socket.send(json.dumps({"op": "pause"}))
        pick = random.Random(SEED)
        for n in (pick.randrange(hello["frames"]) for _ in range(arguments.scattered)):
            seek(manifest["lights_out_s"] + (n + 0.01) / arguments.fps)
            while (frame := receive())["n"] != n:
                pass
            frames[n] = frame
    return frames, wrong


def decoded(message: str | bytes, form: str) -> dict:
    if form == "msgpack":
        import msgpack

        return msgpack.unpackb(message)
    return json.loads(gzip.decompress(message) if form == "gzip" else message)


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
                if not len(seconds[known]):
                    continue
                plain = numpy.interp(steps, seconds[known], numpy.array(tables[stream][column], dtype=float)[known])
                note(worst, field, code, steps, shown, plain, tolerance + 1e-6, seconds[known][0])
        for field, stream, column in HELD:
            if tables[stream]:
                seconds = (numpy.array(tables[stream]["utc_ns"]) - origin_ns) / 1e9
                row = numpy.maximum(numpy.searchsorted(seconds, steps + 1e-9, side="right") - 1, 0)
                plain = numpy.array(tables[stream][column])[row]
                note(worst, field, code, steps, shown, plain, 0.0, seconds[0], missing=NO_DRS)
    for field, page, column in LOGGED:
        logged(arguments, field, page, column, codes, steps, [frames[n] for n in numbers], worst)

    print(f"{len(numbers)} frames compared; their time is off by at most {drift * 1000:.3f} ms")
    print(f"{'field':10} {'compared':>9} {'beyond':>7} {'largest':>9}  where")
    for field, (compared, beyond, largest, where) in worst.items():
        print(f"{field:10} {compared:9} {beyond:7} {largest:9.3f}  {where}")
    wrong = sum(beyond for _, beyond, _, _ in worst.values())
    return 0 if numbers and not wrong and drift < 0.001 else 1


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


def logged(arguments, field, page, column, codes, steps, frames, worst) -> None:
    """What a frame shows is the last row of the server's own log at that time."""
    log = fetch(arguments, f"/{page}")
    log = log.get("order", log)
    names = list(codes)
    entry = worst.setdefault(field, [0, 0, 0.0, ""])
    held: dict[str, float | None] = {}
    row = 0
    for step, frame in zip(steps, frames):
        while row < len(log["t"]) and log["t"][row] <= step + 1e-9:
            held[names[log["driver"][row]]] = log[column][row]
            row += 1
        for code, car in frame["drivers"].items():
            entry[0] += 1
            if car[field] != held.get(code):
                entry[1] += 1
                error = abs((car[field] or 0) - (held.get(code) or 0))
                if error >= entry[2]:
                    entry[2] = error
                    entry[3] = f"{code} at {step:.3f} s: {car[field]} shown, {held.get(code)} in the log"


def utc_ns(text: str) -> int:
    import f1_plain

    return f1_plain.utc(text)


if __name__ == "__main__":
    sys.exit(main())
