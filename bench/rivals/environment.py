"""Python environments of the rivals, made once under the target folder. Start at `python_with`.

Standard library only: this runs before anything is installed. An environment is named after the hash of
what it holds, and is used only once its marker is there, so that an interrupted installation is made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Everything that decides the rival's speed is pinned; what these pull in besides is not on a hot path.
FASTF1 = (
    "fastf1==3.9.0",
    "numpy==2.4.6",
    "pandas==2.3.3",
    "requests-cache==1.3.3",
    "scipy==1.17.1",
)


class Unavailable(Exception):
    """What a script needs is not there; the text says what to do."""


def python_with(requirements: tuple[str, ...], name: str) -> Path:
    """Python of an environment that holds `requirements`; installs them where it is missing.

    Needs the package registry the first time, nothing afterwards. Raises `Unavailable`.
    """
    if sys.version_info < (3, 11):
        raise Unavailable(f"python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    digest = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    folder = target_folder() / "rivals" / f"{name}-{digest}"
    python, marker = folder / "bin" / "python", folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{name}: installing {', '.join(requirements)} into {folder}", file=sys.stderr)
            run([sys.executable, "-m", "venv", str(folder)])
            run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
            marker.write_text("\n".join(requirements) + "\n", encoding="ascii")
    return python


def beside(script: str, requirements: tuple[str, ...], name: str, build: tuple[str, ...], flags: list[str]) -> dict | None:
    """Builds ours, then runs `script` once more, as `--child --ours PATH` with `flags`, in the environment of the rivals.

    `build`: the package, and its example where ours is one. The document that the child prints last; none where something
    is missing or failed, which standard error says.
    """
    what = Path(script).stem
    try:
        python = python_with(requirements, name)
        run(["cargo", "build", "--release", "--quiet", *build], ROOT)
    except Unavailable as missing:
        print(f"{what}: {missing}", file=sys.stderr)
        return None
    place = Path("release", "examples", build[-1]) if "--example" in build else Path("release", "railbird")
    command = [str(python), script, "--child", "--ours", str(target_folder() / place), *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        print(f"{what}: exit code {done.returncode}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def target_folder() -> Path:
    """Cargo's target folder: nothing that is installed or written lands beside the sources."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()


def test_data() -> Path:
    """Folder of the real recordings. Raises `Unavailable` where it is absent."""
    folder = Path(os.environ.get("RAILBIRD_TEST_DATA") or ROOT / ".." / "shared" / "data").resolve()
    if not (folder / "f1" / "livetiming").is_dir():
        raise Unavailable(f"{folder}: no recordings here; set RAILBIRD_TEST_DATA to the folder that holds f1/")
    return folder


def run(command: list[str], folder: Path | None = None) -> None:
    """Runs `command` in `folder`, its output on standard error. Raises `Unavailable` where it fails."""
    done = subprocess.run(command, stdout=sys.stderr, stderr=sys.stderr, check=False, cwd=folder)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)}: exit code {done.returncode}")
