"""Decodes an F1 recording as plainly as it can be written down, to check the fast decoder against. Start at `read`.

    python3 bench/oracles/f1_plain.py ARCHIVE_FOLDER|RAW_RECORDING

prints, by driver, how many samples there are and a checksum of every channel. Standard library only; slow on purpose:
nothing is batched, and every rule is one statement. The rules:

- a record that cannot be opened is counted by reason and skipped; a record stamped earlier than one before it is
  counted and becomes known when that one did;
- a sample that lacks a channel or holds what no car can is counted and skipped; positions that are all zero are kept;
- by driver and stream, time must rise strictly: a sample of an equal or earlier time is counted and skipped.
"""

from __future__ import annotations

import ast
import base64
import collections
import json
import re
import sys
import zlib
from datetime import datetime, timezone
from pathlib import Path

from columns import NO_DRS, Columns, report

STAMP = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)\.(\d\d\d)")
UTC = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?")
CAR_CHANNELS = {"0": (0, 25_000), "2": (0, 500), "3": (0, 255), "4": (0, 255), "5": (0, 255), "45": (0, 254)}
METRES_10_MAX = 1_000_000
# Beyond it are safety and medical cars, which have positions and are in no list of drivers.
RACING_NUMBER_MAX = 99
# What a session is built from: known-at of a raw recording runs over all of these.
TOPICS = (
    "SessionInfo DriverList SessionStatus TrackStatus LapCount TimingAppData TimingData RaceControlMessages "
    "WeatherData CarData.z Position.z"
).split()


class Bad(Exception):
    """A record or a sample that cannot be used; the text is the reason."""


class Reader:
    """Drivers and rejects so far."""

    def __init__(self) -> None:
        self.drivers: dict[int, Columns] = {}
        self.listed = False
        self.rejected: collections.Counter[str] = collections.Counter()
        self.latest_ns: collections.Counter[str] = collections.Counter()

    def known_at(self, clock: str, stamp_ns: int) -> int:
        """Known-at never falls on one clock: a stream of an archive, or a whole recording."""
        self.latest_ns[clock] = max(self.latest_ns[clock], stamp_ns)
        return self.latest_ns[clock]

    def stamped(self, topic: str, stamp_ns: int, before_ns: int) -> None:
        """Streams of one recording may overtake one another; within a stream, time runs forward."""
        if stamp_ns < before_ns:
            self.rejected["stamp_backward"] += 1

    def record(self, topic: str, known_at_ns: int, payload: object) -> None:
        if topic == "DriverList" and isinstance(payload, dict):
            for number in payload:
                if number.isdigit():
                    self.listed = True
                    self.drivers.setdefault(int(number), Columns())
        elif topic == "CarData.z":
            for entry in opened(payload).get("Entries", []):
                self.moment(entry.get("Utc"), known_at_ns, entry.get("Cars", {}), "car")
        elif topic == "Position.z":
            for entry in opened(payload).get("Position", []):
                self.moment(entry.get("Timestamp"), known_at_ns, entry.get("Entries", {}), "position")

    def moment(self, time: object, known_at_ns: int, cars: dict, stream: str) -> None:
        read_sample = self.car if stream == "car" else self.position
        samples = []
        for number, sample in cars.items():
            try:
                values = read_sample(sample)
                if not (number.isdigit() and 1 <= int(number) <= 999):
                    raise Bad("bad_racing_number")
                samples.append((int(number), values))
            except Bad as reason:
                self.rejected[str(reason)] += 1
        try:
            utc_ns = utc(time)
        except Bad:
            self.rejected["bad_sample_time"] += 1
            return
        for number, values in samples:
            if number not in self.drivers:
                if self.listed:
                    self.rejected["unknown_driver"] += 1
                    continue
                if number > RACING_NUMBER_MAX:
                    continue
                self.drivers[number] = Columns()
            rows = getattr(self.drivers[number], stream)
            if rows and utc_ns <= rows[-1][0]:
                self.rejected[f"{stream}_time_{'equal' if utc_ns == rows[-1][0] else 'backward'}"] += 1
                continue
            rows.append((utc_ns, known_at_ns, *values))

    def car(self, sample: dict) -> tuple[int, ...]:
        channels = sample.get("Channels", {})
        self.rejected["unknown_channel"] += sum(name not in CAR_CHANNELS for name in channels)
        values = [channels.get(name) for name in CAR_CHANNELS]
        if any(not isinstance(value, int) for value in values[:5]):
            raise Bad("channel_missing")
        for value, (low, high) in zip(values, CAR_CHANNELS.values()):
            if value is not None and not low <= value <= high:
                raise Bad("car_value_out_of_range")
        return (*values[:5], NO_DRS if values[5] is None else values[5])

    def position(self, sample: dict) -> tuple[int, ...]:
        place = [sample.get(name) for name in "XYZ"]
        if any(not isinstance(value, int) for value in place):
            raise Bad("coordinate_missing")
        if any(abs(value) > METRES_10_MAX for value in place):
            raise Bad("position_out_of_range")
        return (int(sample.get("Status") == "OnTrack"), *place)


def opened(payload: object) -> dict:
    """The object in a base64 text of raw deflate of JSON."""
    if not isinstance(payload, str):
        raise Bad("not_a_quoted_string")
    try:
        packed = base64.b64decode(payload, validate=True)
    except ValueError:
        raise Bad("bad_base64") from None
    try:
        text = zlib.decompress(packed, -15)
    except zlib.error:
        raise Bad("bad_deflate") from None
    try:
        return json.loads(text)
    except ValueError:
        raise Bad("bad_json") from None


def utc(text: object) -> int:
    """Nanoseconds since 1970 of a time in UTC."""
    found = UTC.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise Bad("bad_time")
    date, time, fraction = found.groups()
    whole = datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=timezone.utc)
    return int(whole.timestamp()) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def read_archive(folder: Path, reader: Reader) -> None:
    """Drivers first, then car samples, then positions: the streams meet in no driver's column."""
    for topic in ("DriverList", "CarData.z", "Position.z"):
        file = folder / f"{topic}.jsonStream"
        if not file.exists():
            continue
        text = file.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        records = [record for record in text.replace("\r\n", "\n").split("\n") if record]
        for index, record in enumerate(records):
            try:
                archive_record(topic, record, reader)
            except Bad as reason:
                cut = index == len(records) - 1 and not text.endswith("\n")
                reader.rejected["truncated_record" if cut else str(reason)] += 1


def archive_record(topic: str, record: str, reader: Reader) -> None:
    if len(record) < 12:
        raise Bad("record_too_short")
    stamp = STAMP.fullmatch(record[:12])
    if not stamp:
        raise Bad("bad_stamp")
    hours, minutes, seconds, ms = map(int, stamp.groups())
    stamp_ns = (((hours * 60 + minutes) * 60 + seconds) * 1000 + ms) * 1_000_000
    try:
        payload = json.loads(record[12:])
    except ValueError:
        raise Bad("not_a_quoted_string" if topic.endswith(".z") else "bad_json") from None
    if topic.endswith(".z"):
        opened(payload)
    reader.stamped(topic, stamp_ns, reader.latest_ns[topic])
    reader.record(topic, reader.known_at(topic, stamp_ns), payload)


def read_recording(file: Path, reader: Reader) -> None:
    """A line a message, as printed by Python; session time zero is the stamp of the first that a session needs."""
    zero, before_ns = None, {}
    for line in file.read_bytes().decode("utf-8-sig").splitlines():
        try:
            try:
                topic, payload, stamp = ast.literal_eval(line.strip())
            except (ValueError, SyntaxError, TypeError):
                raise Bad("bad_literal") from None
            if topic not in TOPICS:
                continue
            stamp_ns = utc(stamp)
            if topic.endswith(".z"):
                opened(payload)
            zero = stamp_ns if zero is None else zero
            reader.stamped(topic, stamp_ns, before_ns.get(topic, stamp_ns))
            before_ns[topic] = stamp_ns
            reader.record(topic, reader.known_at("", stamp_ns - zero), payload)
        except Bad as reason:
            reader.rejected[str(reason)] += 1


def read(path: Path) -> Reader:
    """An archive folder, or a raw recording."""
    reader = Reader()
    (read_archive if path.is_dir() else read_recording)(path, reader)
    reader.rejected = +reader.rejected
    return reader


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    reader = read(Path(sys.argv[1]))
    print(json.dumps(report(reader.drivers, reader.rejected), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
