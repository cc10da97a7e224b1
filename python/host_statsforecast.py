"""Forecasts of statsforecast's models for railbird: railbird market walk … --model 'host:python3 python/host_statsforecast.py Theta'

Needs statsforecast, pyarrow and numpy. Any model of statsforecast.models that gives intervals will do: Theta, AutoARIMA, AutoETS,
RandomWalkWithDrift … Each context is fitted by itself, on this processor's cores.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version

import numpy as np

from railbird_forecaster import LEVELS, serve

# Intervals of 80, 60, 40 and 20 % have their ends at the levels 0.1 … 0.4 and 0.6 … 0.9.
WIDTHS = [80, 60, 40, 20]


def forecast_one(task):
    """Quantiles [horizon, 9] of one context; None where the model cannot be fitted."""
    name, season, context, horizon = task
    from statsforecast import models

    model_class = getattr(models, name)
    try:
        model = model_class(season_length=season) if season > 1 else model_class()
        answer = model.forecast(y=context, h=horizon, level=WIDTHS)
    except Exception as error:  # Too short, constant, not converged: this context has no forecast, the others have.
        print(f"{name}: {len(context)} values: {error!r}", file=sys.stderr)
        return None
    low = [answer[f"lo-{width}"] for width in WIDTHS]
    high = [answer[f"hi-{width}"] for width in reversed(WIDTHS)]
    return np.stack([*low, answer["mean"], *high], axis=1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", help="a class of statsforecast.models, such as Theta")
    arguments.add_argument("--season", type=int, default=1, help="values a season")
    arguments.add_argument("--processes", type=int, default=1, help="contexts fitted at the same time")
    given = arguments.parse_args()

    def forecast(contexts, horizon, _seed):
        tasks = [(given.model, given.season, context, horizon) for context in contexts]
        if given.processes == 1:
            return map_here(tasks)
        return list(pool.map(forecast_one, tasks, chunksize=8))

    def map_here(tasks):
        return [forecast_one(task) for task in tasks]

    pool = ProcessPoolExecutor(given.processes) if given.processes > 1 else None
    serve(
        forecast,
        model=f"statsforecast.{given.model}/{version('statsforecast')}",
        parameters=f"season={given.season}",
        levels=LEVELS,
    )


if __name__ == "__main__":
    main()
