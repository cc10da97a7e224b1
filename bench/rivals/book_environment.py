"""Python environments of the order book's oracle and rivals. Start at `enter`.

Every version that decides a speed is pinned. An environment is made once under the target folder, by `environment`.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import environment

NUMPY = "numpy==2.4.6"
PYARROW = "pyarrow==26.0.1"
ZSTANDARD = "zstandard==0.25.0"
ORACLE = (PYARROW, ZSTANDARD)
NUMBA = ("numba==0.68.1", NUMPY, PYARROW, ZSTANDARD)
POLARS = (NUMPY, "polars==2.1.0", PYARROW, ZSTANDARD)
DUCKDB = ("duckdb==2.0.0", NUMPY, PYARROW, ZSTANDARD)
DATABENTO = ("databento==0.87.0", "databento-dbn==0.70.0", NUMPY, "pandas==2.3.3")
PANDAS = (NUMPY, "pandas==2.3.3", PYARROW)


def enter(requirements: tuple[str, ...], name: str) -> None:
    """Goes on in an environment that holds `requirements`: starts this script again there, once."""
    if os.environ.get("RAILBIRD_RIVAL") == name:
        return
    try:
        python = environment.python_with(requirements, name)
    except environment.Unavailable as missing:
        print(f"{Path(sys.argv[0]).stem}: {missing}", file=sys.stderr)
        sys.exit(1)
    os.environ["RAILBIRD_RIVAL"] = name
    os.execv(str(python), [str(python), *sys.argv])


def peak_memory_bytes() -> int:
    """Most resident memory of this process so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024
