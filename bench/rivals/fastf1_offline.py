"""FastF1 on archive files from disk, without a network. Start at `load`.

FastF1 asks three places: the live-timing archive (answered from the files), the season's schedule and the results
(answered from a frozen HTTP cache). Nothing of FastF1's own work is replaced: the records that it parses are the same
bytes that it would have downloaded.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import fastf1
import fastf1._api as api
import requests
import requests_cache
from requests_cache.backends.filesystem import FileCache

from environment import test_data


def load(year: int = 2025, event: str = "Australia", session: str = "R") -> fastf1.core.Session:
    """Loads laps, telemetry and messages of a session, as a user's first call does: nothing parsed is cached."""
    loaded = prepare(year, event, session)
    loaded.load(laps=True, telemetry=True, weather=False, messages=True)
    return loaded


def prepare(year: int, event: str, session: str) -> fastf1.core.Session:
    """Points FastF1 at the recordings and names the session, without loading it."""
    fastf1.set_log_level("ERROR")
    data = test_data() / "f1"
    # A folder of this run alone: FastF1 keeps what it has parsed, and a second run would measure reading a pickle.
    scratch = Path(tempfile.mkdtemp(prefix="railbird-fastf1-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    shutil.copytree(data / "fastf1_http_cache", scratch / "http")
    (scratch / "parsed").mkdir()
    accept_frozen_encoding()
    fastf1.Cache.configure(cache_dir=str(scratch / "parsed"), _backend=FileCache(str(scratch / "http")))
    settings = fastf1.Cache._requests_session_cached.settings
    settings.expire_after, settings.cache_control, settings.allowable_codes = requests_cache.NEVER_EXPIRE, False, ()
    fastf1.Cache.offline_mode(True)
    read_pages_from(data / "livetiming")
    return fastf1.get_session(year, event, session)


def accept_frozen_encoding() -> None:
    """The frozen answers are keyed by the headers of the request that fetched them."""
    construct = requests.Session.__init__

    def constructed(self: requests.Session) -> None:
        construct(self)
        self.headers["Accept-Encoding"] = "gzip, deflate"

    requests.Session.__init__ = constructed


def read_pages_from(archive: Path) -> None:
    """Replaces the download of a stream by reading its file; a missing stream is one that the archive has not."""

    def fetch_page(path: str, name: str) -> list | dict | None:
        file = archive / path.split("/static/")[-1].lstrip("/") / api.pages[name]
        if not file.exists():
            return None
        text = file.read_bytes().decode("utf-8-sig")
        compressed = ".z." in file.name
        if not file.name.endswith("jsonStream"):
            return api.parse(text, compressed)
        records = text.split("\r\n")[:-1]
        if name in ("position", "car_data"):
            return records
        return [[record[:12], api.parse(record[12:], zipped=compressed)] for record in records]

    api.fetch_page = fetch_page
