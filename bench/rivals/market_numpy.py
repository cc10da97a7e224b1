"""A walk in numpy alone: every fit of a run in one batch, every search of levels in one batch. Start at `walk_all`.

What market_walk.py runs beside ours, in its process; by itself it prints its own times:

    python bench/rivals/market_numpy.py --sims 70 FILE…

The method is that of `railbird market walk --strategies maxdiff --model theta`: standard Theta with the first level solved for, its
parameter on a grid of sixteen and then by the root of the slope; forecasts asked for once each; levels by the exact search over the
candidates of both moves, under both ways out. Prices become moves in whole units of 1e-8 and fees units of 1e-6, which float64 holds
exactly, so that values of levels are equal to the last digit where forecasts are.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy

KEYS = ("close", "low", "high", "open")
CONTEXT, TRAIN = 512, 6
KEEP_LEAST, KEEP_MOST, GRID, SETTLING = 0.01, 0.9, 16, 3
ONE, MONEY, FEE, BOUND = 1e8, 1e6, 500.0, 3e6


def read(path: str) -> dict:
    """Prices of a file by name; rows without a price are left out."""
    with open(path, encoding="utf-8") as lines:
        names = [name.strip().lower() for name in lines.readline().split(",")]
        table = numpy.genfromtxt(lines, delimiter=",", usecols=[names.index(key) for key in KEYS])
    table = table[numpy.isfinite(table).all(axis=1)]
    return {key: numpy.ascontiguousarray(table[:, at]) for at, key in enumerate(KEYS)}


def walk_all(paths: list, sims: int) -> dict:
    """Total return of maxdiff a symbol, and seconds by stage."""
    began = time.perf_counter()
    symbols = [read(path) for path in paths]
    read_s = time.perf_counter()
    count = sims + TRAIN
    contexts = []
    for prices in symbols:
        for key in KEYS:
            newest = prices[key][-count - CONTEXT : -1]
            contexts.append(numpy.lib.stride_tricks.sliding_window_view(newest, CONTEXT))
    forecasts = theta(numpy.concatenate(contexts)).reshape(len(symbols), len(KEYS), count)
    forecast_s = time.perf_counter()
    days = numpy.stack([moves(prices, made, count) for prices, made in zip(symbols, forecasts, strict=True)])
    # A window a scored day: its training days, then the day itself.
    windows = numpy.lib.stride_tricks.sliding_window_view(days, TRAIN + 1, axis=1)
    windows = numpy.ascontiguousarray(windows.reshape(len(symbols) * sims, days.shape[2], TRAIN + 1))
    high, low, at_target, values = choose(windows[:, :, :TRAIN])
    paid = settle(windows[:, :, TRAIN], high, low, at_target) / (ONE * MONEY)
    totals = numpy.prod(1 + paid.reshape(len(symbols), sims), axis=1) - 1
    ended = time.perf_counter()
    return {
        "totals": totals.tolist(),
        "values": values.reshape(len(symbols), sims).tolist(),
        "forecasts": forecasts.tolist(),
        "read_s": read_s - began,
        "forecast_s": forecast_s - read_s,
        "levels_s": ended - forecast_s,
        "seconds": ended - began,
    }


def theta(contexts):
    """Forecast of the next value of each row."""
    n = contexts.shape[1]
    centred = numpy.arange(n) - (n - 1) / 2
    slope = 12 * ((contexts - contexts[:, :1]) @ centred) / (n * (n * n - 1.0))
    drift = slope / 2
    # Time along the first axis, so that each step of a recurrence reads one run of memory.
    steps = numpy.ascontiguousarray((numpy.diff(contexts, axis=1) - drift[:, None]).T)
    keep = best_keep(steps)
    error = first_error(steps, keep)
    for step in steps:
        error *= keep
        error += step
    return contexts[:, -1] + drift - keep * error


def best_keep(steps):
    """1 - alpha of each series with the least squares of errors."""
    grid = KEEP_LEAST + (KEEP_MOST - KEEP_LEAST) * numpy.arange(GRID) / (GRID - 1)
    costs = numpy.stack([squares(steps, keep) for keep in grid])
    best = costs.argmin(axis=0)
    keep = grid[best]
    low, high = grid[numpy.maximum(best - 1, 0)], grid[numpy.minimum(best + 1, GRID - 1)]
    slope, curvature = slope_of_squares(steps, keep)
    done = ((best == 0) & (slope >= 0)) | ((best == GRID - 1) & (slope <= 0))
    # Only what is not done goes on.
    open_ = numpy.flatnonzero(~done)
    if not len(open_):
        return keep
    steps, at, low, high = numpy.ascontiguousarray(steps[:, open_]), keep[open_], low[open_], high[open_]
    slope, step = slope[open_], slope[open_] / curvature[open_]
    for _ in range(30):
        high, low = numpy.where(slope > 0, at, high), numpy.where(slope > 0, low, at)
        wanted = at - step
        inside = (wanted > low) & (wanted < high)
        following = numpy.where(inside, wanted, low + (high - low) / 2)
        ended = (abs(following - at) <= 1e-9) | (high - low <= 1e-9)
        keep[open_[ended]] = following[ended]
        left = ~ended
        if not left.any():
            break
        if ended.any():
            steps, open_ = numpy.ascontiguousarray(steps[:, left]), open_[left]
        before, other = at[left], slope[left]
        at, low, high = following[left], low[left], high[left]
        slope, curvature = slope_of_squares(steps, at)
        with numpy.errstate(divide="ignore", invalid="ignore"):
            step = numpy.where(slope == other, slope / curvature, slope * (at - before) / (slope - other))
    return numpy.clip(keep, KEEP_LEAST, KEEP_MOST)


def remembered(keep: float, count: int) -> int:
    """Steps after which the first level counts for less than 1e-20."""
    return min(count, int(numpy.ceil(numpy.log(1e-20) / numpy.log(keep))) + 1)


def squares(steps, keep: float):
    """Sum of squared errors of each series at one value of the parameter, the first level solved for."""
    count = len(steps)
    long = remembered(keep, count)
    z, product = numpy.zeros(steps.shape[1]), numpy.empty(steps.shape[1])
    total, mixed = numpy.zeros_like(z), numpy.zeros_like(z)
    weights = keep ** numpy.arange(1, long + 1)
    for t in range(count):
        z *= keep
        z += steps[t]
        if t + 1 >= SETTLING:
            numpy.multiply(z, z, out=product)
            total += product
            if t < long:
                numpy.multiply(z, weights[t], out=product)
                mixed += product
    return total - mixed * mixed / (weights[SETTLING - 1 :] ** 2).sum()


def first_error(steps, keep):
    """The error before the first step that makes the squares least."""
    z, w = numpy.zeros_like(keep), numpy.ones_like(keep)
    mixed, weight = numpy.zeros_like(keep), numpy.zeros_like(keep)
    for t in range(remembered(float(keep.max()), len(steps))):
        z *= keep
        z += steps[t]
        w *= keep
        if t + 1 >= SETTLING:
            mixed += z * w
            weight += w * w
    return -mixed / weight


def slope_of_squares(steps, keep):
    """Half the slope of the squares, and its Gauss-Newton curvature."""
    error = first_error(steps, keep)
    change, slope, curvature = (numpy.zeros_like(keep) for _ in range(3))
    product = numpy.empty_like(keep)
    for t in range(len(steps)):
        change *= keep
        change += error
        error *= keep
        error += steps[t]
        if t + 1 >= SETTLING:
            numpy.multiply(error, change, out=product)
            slope += product
            numpy.multiply(change, change, out=product)
            curvature += product
    return slope, curvature


def moves(prices: dict, made, count: int):
    """Rows of days: open, high, low, close, forecast high, forecast low as moves from the last close, and the side."""
    before = prices["close"][-count - 1 : -1]
    actual = [numpy.rint((prices[key][-count:] / before - 1) * ONE) for key in ("open", "high", "low", "close")]
    high, low = (numpy.rint((made[KEYS.index(key)] / before - 1) * ONE) for key in ("high", "low"))
    side = numpy.where(low >= high, 0.0, numpy.where(abs(high) > abs(low), 1.0, -1.0))
    return numpy.stack([*actual, high, low, side], axis=1)


def choose(windows):
    """Best moves of each window, whether its target is used, and what the training days pay: ties as the walk breaks them."""
    o, h, l, c, high, low, side = (windows[:, at] for at in range(7))
    count = len(windows)

    def candidates(prices, edge):
        found = numpy.concatenate([numpy.full((count, 1), edge), *prices], axis=1)
        # What lies outside is the edge once more.
        return numpy.where(abs(found) <= BOUND, found, edge)

    x = candidates([price - 1 - high for price in (h, o, c)], BOUND)
    y = candidates([price + 1 - low for price in (l, o, c)], -BOUND)
    upper = numpy.clip(high[:, :, None] + x[:, None, :], 0, 10 * ONE)
    lower = numpy.clip(low[:, :, None] + y[:, None, :], -0.99 * ONE, 0)
    o, h, l, c = (price[:, :, None] for price in (o, h, l, c))
    keep, cost = MONEY - FEE, MONEY + FEE
    long, short = (side > 0)[:, :, None], (side < 0)[:, :, None]
    # Long: what was paid hangs on the low move alone, what is got on the high move and on whether it was in at the open.
    filled, at_open = (l + 1 <= lower) & long, o + 1 <= lower
    in_open, in_limit = (filled & at_open).astype(float), (filled & ~at_open).astype(float)
    paid = (filled * (ONE + numpy.where(at_open, o, lower)) * cost).sum(axis=1)
    # Short: the other way round.
    sold_at, sold_open = (h - 1 >= upper) & short, o - 1 >= upper
    out_open, out_limit = (sold_at & sold_open).astype(float), (sold_at & ~sold_open).astype(float)
    got = (sold_at * (ONE + numpy.where(sold_open, o, upper)) * keep).sum(axis=1)
    best = None
    for at_target in (False, True):
        sell = [(ONE + numpy.where((proof >= upper + 1) & at_target, upper, c)) * keep for proof in (h, c)]
        cover = [(ONE + numpy.where((proof <= lower - 1) & at_target, lower, c)) * cost for proof in (l, c)]
        # Sums over days are products of matrices, windows side by side.
        value = got[:, None, :] - paid[:, :, None]
        value += in_open.transpose(0, 2, 1) @ sell[0] + in_limit.transpose(0, 2, 1) @ sell[1]
        value -= cover[0].transpose(0, 2, 1) @ out_open + cover[1].transpose(0, 2, 1) @ out_limit
        flat = value.reshape(count, -1)
        most = flat.max(axis=1)
        # Among the best: least move, then least high, then least low.
        size = (abs(y)[:, :, None] + abs(x)[:, None, :]).reshape(count, -1)
        ranks = [size, numpy.broadcast_to(x[:, None, :], value.shape).reshape(count, -1)]
        ranks.append(numpy.broadcast_to(y[:, :, None], value.shape).reshape(count, -1))
        among = flat == most[:, None]
        for rank in ranks:
            rank = numpy.where(among, rank, numpy.inf)
            among &= rank == rank.min(axis=1)[:, None]
        place = among.argmax(axis=1)
        rows = numpy.arange(count)
        found = (most, x[rows, place % x.shape[1]], y[rows, place // x.shape[1]], numpy.full(count, at_target))
        if best is None:
            best = found
        else:
            better = found[0] > best[0]
            best = tuple(numpy.where(better, new, old) for new, old in zip(found, best, strict=True))
    return best[1], best[2], best[3].astype(bool), best[0]


def settle(day, high, low, at_target):
    """What one day pays, units of 1e-14."""
    o, h, l, c, forecast_high, forecast_low, side = day.T
    upper = numpy.clip(forecast_high + high, 0, 10 * ONE)
    lower = numpy.clip(forecast_low + low, -0.99 * ONE, 0)
    keep, cost = MONEY - FEE, MONEY + FEE
    at_open = o + 1 <= lower
    hit = (numpy.where(at_open, h, c) >= upper + 1) & at_target
    long = (ONE + numpy.where(hit, upper, c)) * keep - (ONE + numpy.where(at_open, o, lower)) * cost
    sold_open = o - 1 >= upper
    covered = (numpy.where(sold_open, l, c) <= lower - 1) & at_target
    short = (ONE + numpy.where(sold_open, o, upper)) * keep - (ONE + numpy.where(covered, lower, c)) * cost
    paid = numpy.where((side > 0) & (l + 1 <= lower), long, 0.0)
    return paid + numpy.where((side < 0) & (h - 1 >= upper), short, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sims", type=int, default=70)
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    done = walk_all(arguments.files, arguments.sims)
    print(json.dumps({key: value for key, value in done.items() if key not in ("values", "forecasts")}))


if __name__ == "__main__":
    main()
