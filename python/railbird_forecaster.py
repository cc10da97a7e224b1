"""Lets railbird ask a Python function for forecasts. Copy this file beside your own; it needs pyarrow and numpy.

    from railbird_forecaster import serve

    def forecast(contexts, horizon, seed):
        # contexts: list of 1-d float64 arrays, oldest value first. One answer a context:
        # an array [horizon, len(levels)] of quantiles, or None where there can be no forecast.
        return [np.full((horizon, 1), context[-1]) for context in contexts]

    serve(forecast, model="last/1", levels=[0.5])

Then: railbird market walk … --model 'host:python3 my_host.py'. railbird keeps every answer under the bytes of its context, the
model's name, parameters and weights, the horizon and the seed. So an answer must depend on nothing else, not on the other
contexts of the batch either, and whoever changes the method changes the name.
"""

import hashlib
import os
import sys

import numpy as np
import pyarrow as pa

LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def weights_hash(*paths):
    """Tells weights apart by what their bytes are: 64 hexadecimal digits for any number of files."""
    whole = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def serve(forecast, model, levels=LEVELS, parameters="", weights=""):
    """Answers requests until railbird closes the pipe.

    model: name and revision, as in "theta/1". levels: of the quantiles, ascending, 0.5 among them. parameters: all that
    answers depend on, as text. weights: from weights_hash, empty without.
    """
    # What libraries print goes to standard error, which railbird logs; standard output carries answers alone.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    levels = [float(level) for level in levels]
    schema = pa.schema(
        [pa.field("quantiles", pa.list_(pa.float64()))],
        metadata={
            "railbird.model": model,
            "railbird.parameters": parameters,
            "railbird.weights": weights,
            "railbird.levels": ",".join(repr(level) for level in levels),
        },
    )
    # An Arrow stream: its schema says who we are, then comes one record batch a request.
    answers.write(schema.serialize())
    answers.flush()
    for request in pa.ipc.open_stream(sys.stdin.buffer):
        lists = request.column("context")
        values, offsets = lists.values.to_numpy(zero_copy_only=False), lists.offsets.to_numpy()
        contexts = [values[start:end] for start, end in zip(offsets[:-1], offsets[1:])]
        rows = []
        if contexts:
            horizon, seed = request.column("horizon")[0].as_py(), request.column("seed")[0].as_py()
            rows = [_row(answer, horizon, len(levels)) for answer in forecast(contexts, horizon, seed)]
        if len(rows) != len(contexts):
            raise ValueError(f"expected {len(contexts)} forecasts, found {len(rows)}")
        column = pa.array(rows, type=schema.field(0).type)
        answers.write(pa.record_batch([column], schema=schema).serialize())
        answers.flush()


def _row(answer, horizon, levels):
    """One forecast as railbird wants it: step by step, quantiles ascending; None if it is not finite."""
    if answer is None:
        return None
    values = np.asarray(answer, dtype=np.float64).reshape(horizon, levels)
    return np.sort(values, axis=1).ravel() if np.isfinite(values).all() else None
