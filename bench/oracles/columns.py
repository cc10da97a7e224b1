"""Samples of one driver as plain lists, and their checksums. Start at `Columns`.

A checksum is the CRC-32 of the values as little-endian 64-bit integers, so that any reader in any language can make the
same one.
"""

from __future__ import annotations

import struct
import zlib

CAR = ("utc_ns", "known_at_ns", "rpm", "speed", "gear", "throttle", "brake", "drs")
POSITION = ("utc_ns", "known_at_ns", "on_track", "x", "y", "z")
# Stands for "the season has no DRS".
NO_DRS = 255


class Columns:
    """Both streams of one driver; rows are tuples in the order of `CAR` and `POSITION`."""

    def __init__(self) -> None:
        self.car: list[tuple[int, ...]] = []
        self.position: list[tuple[int, ...]] = []

    def checksums(self) -> dict:
        return {
            "car": {"samples": len(self.car), "crc32": crcs(CAR, self.car)},
            "position": {"samples": len(self.position), "crc32": crcs(POSITION, self.position)},
        }


def crcs(names: tuple[str, ...], rows: list[tuple[int, ...]]) -> dict[str, str]:
    columns = zip(*rows) if rows else ((),) * len(names)
    return {name: f"{zlib.crc32(struct.pack(f'<{len(rows)}q', *column)):08x}" for name, column in zip(names, columns)}


def report(drivers: dict[int, Columns], rejected: dict[str, int]) -> dict:
    """What a reader found: totals, rejects by reason, and counts and checksums by racing number."""
    return {
        "car_samples": sum(len(columns.car) for columns in drivers.values()),
        "position_samples": sum(len(columns.position) for columns in drivers.values()),
        "rejected": dict(sorted(rejected.items())),
        "drivers": {str(number): drivers[number].checksums() for number in sorted(drivers)},
    }
