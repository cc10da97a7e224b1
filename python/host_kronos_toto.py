"""Forecasts of Toto or Kronos for railbird. Needs torch, the model's own package, and its weights, which are not part of this.

    railbird market walk … --model 'host:python3 python/host_kronos_toto.py toto Datadog/Toto-Open-Base-1.0'
    railbird market walk … --model 'host:python3 python/host_kronos_toto.py kronos NeoQuasar/Kronos-small --tokenizer NeoQuasar/Kronos-Tokenizer-base'
    railbird market walk … --model 'host:python3 python/host_kronos_toto.py toto --stand-in'

--stand-in puts the smallest network with random weights in the model's place, behind the same interface: it needs numpy alone, shows that
the pipes, the quantiles and the cache work, and forecasts NOTHING. Answers are marked with the model name "stand-in".

Each context is predicted by itself and with a seed of its own, so that an answer does not depend on the batch that it is in.
"""

import argparse
import hashlib

import numpy as np

from railbird_forecaster import LEVELS, serve, weights_hash


def load_toto(name, device, samples):
    """Toto (github.com/DataDog/toto): samples of the next values of one variable."""
    import torch
    from toto.data.util.dataset import MaskedTimeseries
    from toto.inference.forecaster import TotoForecaster
    from toto.model.toto import Toto

    model = Toto.from_pretrained(name).to(device).eval()
    forecaster = TotoForecaster(model.model)

    def sample(context, horizon, seed):
        torch.manual_seed(seed)
        series = torch.tensor(context, dtype=torch.float32, device=device)[None, :]
        inputs = MaskedTimeseries(
            series=series,
            padding_mask=torch.ones_like(series, dtype=torch.bool),
            id_mask=torch.zeros_like(series),
            timestamp_seconds=torch.zeros_like(series),
            time_interval_seconds=torch.full((1,), 86_400, device=device),
        )
        forecast = forecaster.forecast(inputs, prediction_length=horizon, num_samples=samples, samples_per_batch=samples)
        return forecast.samples.reshape(horizon, samples).cpu().numpy()

    return sample


def load_kronos(name, tokenizer, device, samples):
    """Kronos (github.com/shiyu-coder/Kronos), its `model` package on PYTHONPATH: bars whose four prices are the context's value."""
    import pandas as pd
    import torch
    from model import Kronos, KronosPredictor, KronosTokenizer

    predictor = KronosPredictor(
        Kronos.from_pretrained(name), KronosTokenizer.from_pretrained(tokenizer), device=device, max_context=512
    )

    def sample(context, horizon, seed):
        context = context[-512:]
        bars = pd.DataFrame({column: context for column in ("open", "high", "low", "close")})
        days = pd.Series(pd.date_range("2000-01-03", periods=len(context) + horizon, freq="B"))
        paths = []
        for path in range(samples):
            torch.manual_seed(seed + path)
            forecast = predictor.predict(
                df=bars,
                x_timestamp=days[: len(context)],
                y_timestamp=days[len(context) :],
                pred_len=horizon,
                T=1.0,
                top_p=0.9,
                sample_count=1,
                verbose=False,
            )
            paths.append(forecast["close"].to_numpy())
        return np.stack(paths, axis=1)

    return sample


def load_stand_in(samples):
    """One layer of random weights, always the same: 16 changes in, mean and spread of the next change out."""
    weights = np.random.default_rng(0).normal(size=(16, 2)) * 0.1

    def sample(context, horizon, seed):
        random = np.random.default_rng(seed)
        size = np.abs(np.diff(context)).mean() + 1e-9
        paths = np.repeat(context[-17:, None], samples, axis=1)
        for _ in range(horizon):
            mean, spread = np.moveaxis(np.tanh(np.diff(paths[-17:], axis=0).T / size) @ weights, 1, 0)
            step = size * (mean + np.exp(spread) * random.normal(size=samples))
            paths = np.concatenate([paths, (paths[-1] + step)[None, :]])
        return paths[-horizon:]

    return sample, hashlib.sha256(weights.tobytes()).hexdigest()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", choices=["toto", "kronos"])
    arguments.add_argument("name", nargs="?", help="folder of the weights, or their name on the hub")
    arguments.add_argument("--tokenizer", help="Kronos: folder or name of the tokenizer")
    arguments.add_argument("--weights", nargs="*", default=[], help="files that hold the weights, for the cache's key")
    arguments.add_argument("--samples", type=int, default=64, help="paths a forecast")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--stand-in", action="store_true", help="random weights: a test of the pipes")
    given = arguments.parse_args()

    if given.stand_in:
        sample, weights = load_stand_in(given.samples)
        model = f"stand-in for {given.model}, random weights/1"
    elif not given.name:
        arguments.error("expected the weights' folder or name, or --stand-in")
    else:
        weights = weights_hash(*given.weights) if given.weights else ""
        model = f"{given.model}/{given.name}"
        if given.model == "toto":
            sample = load_toto(given.name, given.device, given.samples)
        else:
            sample = load_kronos(given.name, given.tokenizer, given.device, given.samples)

    def forecast(contexts, horizon, seed):
        answers = []
        for context in contexts:
            if len(context) < 32 or not np.isfinite(context).all():
                answers.append(None)
                continue
            content = hashlib.sha256(context.tobytes() + seed.to_bytes(8, "little")).digest()
            paths = sample(context, horizon, int.from_bytes(content[:4], "little"))
            answers.append(np.quantile(paths, LEVELS, axis=1).T)
        return answers

    serve(forecast, model=model, parameters=f"samples={given.samples},tokenizer={given.tokenizer}", weights=weights)


if __name__ == "__main__":
    main()
