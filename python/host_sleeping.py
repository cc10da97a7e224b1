"""A forecaster that costs what a large model costs: it answers with the last value, after a nap for each context.

railbird market walk … --model 'host:python3 python/host_sleeping.py' shows what the cache of forecasts is worth: 2.8 ms a forecast is what
one costs on average where 46,340 of them take 130 s.
"""

import argparse
import time

import numpy as np

from railbird_forecaster import LEVELS, serve


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--ms", type=float, default=2.8, help="milliseconds a forecast")
    given = arguments.parse_args()
    spread = np.array([level - 0.5 for level in LEVELS])

    def forecast(contexts, horizon, _seed):
        answers = []
        for context in contexts:
            time.sleep(given.ms / 1e3)
            if len(context) < 2:
                answers.append(None)
                continue
            scale = np.abs(np.diff(context)).mean()
            answers.append(np.tile(context[-1] + scale * spread, (horizon, 1)))
        return answers

    serve(forecast, model="sleeping/1", levels=LEVELS)


if __name__ == "__main__":
    main()
