#!/usr/bin/env python3
"""A plain reading of the market's semantics, to check the engine against.

Reads one JSON document on standard input and writes one on standard output; needs nothing but Python.

Input:  symbol, seed, rules {mode, sims, horizon, fee, slippage, borrow, long_only, bound, delta}, strategies,
        time (ns), open, high, low, close: lists, one a bar;
        points: {close, low, high, open}: lists, one a bar, null where missing; q40, q60: lists;
        finer: null, or one list a bar of [open, high, low, close].
Output: {strategy: {"rows": [...], "liquidation": r or null}}; a row: bar, return, and for limits m_high, m_low, policy,
        value (units of 0.5e-14), pay (the same), entry and leave of each side.

Everything is searched by brute force and nothing is shared with the engine.
"""
import json
import math
import sys

ONE = 10**8
FEE = 10**6
MASK = 2**64 - 1


def units(share):
    if not math.isfinite(share):
        return None
    return round(share * 1e8)  # Python rounds half to even.


def move(price, base):
    if price is None:
        return None
    return units(price / base - 1.0)


def slip(price, factor):
    """price * factor / 1e6, half to even, on 1 + price."""
    product = (ONE + price) * factor
    floor, rest = divmod(product, FEE)
    if 2 * rest > FEE or (2 * rest == FEE and floor % 2):
        floor += 1
    return floor - ONE


def low_first(seed, symbol, time):
    def mix(state, word):
        z = ((state ^ word) + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    state = mix(0, seed)
    for byte in symbol.encode():
        state = mix(state, byte)
    return mix(state, time & MASK) >> 63 == 1


def sign(number):
    return (number > 0) - (number < 0)


class Bar:
    """A bar as it came out, in moves from the last close."""

    def __init__(self, given, t):
        base = given["close"][t - 1]
        self.o, self.h, self.l, self.c = (move(given[key][t], base) for key in ("open", "high", "low", "close"))
        self.low_first = low_first(given["seed"], given["symbol"], given["time"][t])
        finer = given["finer"][t] if given["finer"] else []
        self.finer = [tuple(move(price, base) for price in bar) for bar in finer]


class Forecast:
    """What the forecasts of a bar say, in moves."""

    def __init__(self, given, t):
        base = given["close"][t - 1]
        points = {key: given["points"][key][t] for key in ("close", "low", "high", "open")}
        self.c, self.h, self.l = (move(points[key], base) for key in ("close", "high", "low"))
        self.own = {key: move(points[key], given[key][t - 1]) for key in points}
        q40, q60 = given["q40"][t], given["q60"][t]
        self.width = None if q40 is None or q60 is None else units((q60 - q40) / base)


# Strategies that hold. Each gives a weight, or None where a value is missing.

def weight_of(name, forecast, held, last_move):
    c = forecast.c
    if name == "buy_hold":
        return 1
    if name == "simple":
        return None if c is None else sign(c)
    if name == "all_signals":
        signs = [forecast.own[key] for key in ("close", "high", "low")]
        if any(own is None for own in signs):
            return None
        signs = {sign(own) for own in signs}
        return signs.pop() if len(signs) == 1 else 0
    if name == "unprofit_shutdown":
        if c is None:
            return None
        return 0 if held != 0 and held * last_move <= 0 else sign(c)
    if name == "ci_guard":
        if c is None or forecast.width is None:
            return None
        return sign(c) if abs(c) > max(forecast.width, 1) else 0
    raise KeyError(name)


# Strategies with limits. Each gives h', l' and the halves of equity long and short, or None.

def limits_of(name, forecast, long_only):
    c, h, l = forecast.c, forecast.h, forecast.l
    if name == "pctdiff":
        if c is None:
            return None
        h = l = 0
        side = sign(c)
    elif name in ("maxdiff", "maxdiff_always_on"):
        if h is None or l is None:
            return None
        if name == "maxdiff_always_on":
            if l >= h:
                return h, l, 0, 0
            return (h, l, 2, 0) if long_only else (h, l, 1, 1)
        side = 0 if l >= h else (1 if abs(h) > abs(l) else -1)
    else:
        if c is None or h is None or l is None:
            return None
        side = sign(c)
    if side < 0 and long_only:
        side = 0
    return h, l, 2 if side > 0 else 0, 2 if side < 0 else 0


def clip(value, least, most):
    return max(least, min(most, value))


def side_long(name, h, l, bar, m_high, m_low, policy, rules):
    """(entry, leave) or None."""
    mode, delta = rules["mode"], rules["delta"]
    at_close = slip(bar.c, FEE - rules["slippage"])
    if name == "entry_takeprofit":
        target = max(h, bar.o)
        return slip(bar.o, FEE + rules["slippage"]), target if bar.h > target else at_close
    e = clip(l + m_low, -99 * 10**6, 0)
    x = clip(h + m_high, 0, 10 * ONE)
    held, entry, hit = False, None, False
    for o, hi, lo, c in (bar.finer if mode == "finer" and bar.finer else [(bar.o, bar.h, bar.l, bar.c)]):
        if held:
            hit = hit or hi >= x + delta
            continue
        if lo > e - delta:
            continue
        held = True
        if o <= e - delta:
            entry = o
            hit = hi >= x + delta
        else:
            entry = e
            believed = mode == "optimistic" or (mode == "random" and bar.low_first)
            hit = (hi if believed else c) >= x + delta
    if not held:
        return None
    return entry, x if hit and policy == "level" else at_close


def side_short(name, h, l, bar, m_high, m_low, policy, rules):
    mode, delta = rules["mode"], rules["delta"]
    at_close = slip(bar.c, FEE + rules["slippage"])
    if name == "entry_takeprofit":
        target = min(l, bar.o)
        return slip(bar.o, FEE - rules["slippage"]), target if bar.l < target else at_close
    e = clip(l + m_low, -99 * 10**6, 0)
    x = clip(h + m_high, 0, 10 * ONE)
    held, entry, hit = False, None, False
    for o, hi, lo, c in (bar.finer if mode == "finer" and bar.finer else [(bar.o, bar.h, bar.l, bar.c)]):
        if held:
            hit = hit or lo <= e - delta
            continue
        if hi < x + delta:
            continue
        held = True
        if o >= x + delta:
            entry = o
            hit = lo <= e - delta
        else:
            entry = x
            believed = mode == "optimistic" or (mode == "random" and not bar.low_first)
            hit = (lo if believed else c) <= e - delta
    if not held:
        return None
    return entry, e if hit and policy == "level" else at_close


def settle(name, order, bar, m_high, m_low, policy, rules):
    h, l, long, short = order
    fee, pay = rules["fee"], 0
    bought = side_long(name, h, l, bar, m_high, m_low, policy, rules) if long else None
    sold = side_short(name, h, l, bar, m_high, m_low, policy, rules) if short else None
    if bought:
        pay += long * ((ONE + bought[1]) * (FEE - fee) - (ONE + bought[0]) * (FEE + fee))
    if sold:
        pay += short * ((ONE + sold[0]) * (FEE - fee) - (ONE + sold[1]) * (FEE + fee))
    return pay, bought, sold


def choose(name, days, rules):
    """Brute force over the candidates of the page: (m_high, m_low, policy, value)."""
    if not days:
        return 0, 0, "level", 0
    bound, delta = rules["bound"], rules["delta"]
    high_range = (0, bound) if name == "pctdiff" else (-bound, bound)
    low_range = (-bound, 0) if name == "pctdiff" else (-bound, bound)
    highs, lows = {high_range[1]}, {low_range[0]}
    for order, bar in days:
        bars = [(bar.o, bar.h, bar.l, bar.c)] + (bar.finer if rules["mode"] == "finer" else [])
        for o, hi, lo, c in bars:
            highs |= {price - delta - order[0] for price in (hi, o, c)}
            lows |= {price + delta - order[1] for price in (lo, o, c)}
    highs = [m for m in highs if high_range[0] <= m <= high_range[1]]
    lows = [m for m in lows if low_range[0] <= m <= low_range[1]]
    best = None
    for rank, policy in enumerate(("close", "level")):
        for m_high in highs:
            for m_low in lows:
                value = sum(settle(name, order, bar, m_high, m_low, policy, rules)[0] for order, bar in days)
                key = (-value, rank, abs(m_high) + abs(m_low), m_high, m_low)
                if best is None or key < best[0]:
                    best = (key, (m_high, m_low, policy, value))
    return best[1]


TUNED = {"maxdiff", "maxdiff_always_on", "pctdiff"}
LIMITS = TUNED | {"highlow", "entry_takeprofit"}


def walk_limits(name, given):
    rules, count = given["rules"], len(given["time"])
    sims, horizon = rules["sims"], rules["horizon"]
    days = {}
    for t in range(count - sims - horizon + 1, count):
        order = limits_of(name, Forecast(given, t), rules["long_only"])
        days[t] = (order, Bar(given, t)) if order else None
    rows = []
    for t in range(count - sims, count):
        if days[t] is None:
            rows.append({"bar": t, "return": 0.0, "missing": True})
            continue
        order, bar = days[t]
        training = [days[s] for s in range(t - horizon + 1, t) if days[s] is not None]
        row = {"bar": t, "missing": False}
        if name in TUNED:
            m_high, m_low, policy, row["value"] = choose(name, training, rules)
        else:
            m_high, m_low, policy = 0, 0, "close" if name == "highlow" else "level"
        row["pay"], bought, sold = settle(name, order, bar, m_high, m_low, policy, rules)
        row.update(m_high=m_high, m_low=m_low, policy=policy, bought=bought, sold=sold)
        row["return"] = row["pay"] / 2e14
        rows.append(row)
    return {"rows": rows, "liquidation": None}


def walk_weights(name, given):
    rules, count = given["rules"], len(given["time"])
    fee, slippage = rules["fee"] / 1e6, rules["slippage"] / 1e6
    cash, held_units, held, equity, rows = 1.0, 0.0, 0, 1.0, []
    first = count - rules["sims"]

    def trade_away(cash, units_held, price):
        if units_held == 0:
            return cash
        price *= 1 - sign(units_held) * slippage
        return cash + units_held * price - abs(units_held) * price * fee

    for t in range(first, count):
        if t > first:
            last = given["close"][t - 1]
            worth = held_units * last
            borrowed = -worth if worth < 0 else max(worth - equity, 0.0)
            day = 86_400_000_000_000
            calendar_days = given["time"][t] // day - given["time"][t - 1] // day
            cash -= borrowed * rules["borrow"] / 365 * calendar_days
        last_move = move(given["close"][t - 1], given["close"][t - 2])
        weight = weight_of(name, Forecast(given, t), held, last_move)
        missing = weight is None
        weight = weight or 0
        if rules["long_only"]:
            weight = max(weight, 0)
        if weight == 0 or held_units == 0 or sign(held_units) != sign(weight):
            price = given["open"][t]
            cash, held_units = trade_away(cash, held_units, price), 0.0
            if weight:
                price *= 1 + sign(weight) * slippage
                held_units = weight * cash / (price * (1 + fee))
                cash -= held_units * price + abs(held_units) * price * fee
        held = weight
        marked = cash + held_units * given["close"][t]
        rows.append({"bar": t, "return": marked / equity - 1, "missing": missing})
        equity = marked
    liquidation = None
    if held_units:
        liquidation = trade_away(cash, held_units, given["close"][-1]) / equity - 1
    return {"rows": rows, "liquidation": liquidation}


def main():
    given = json.load(sys.stdin)
    walks = {name: (walk_limits if name in LIMITS else walk_weights)(name, given) for name in given["strategies"]}
    json.dump(walks, sys.stdout)


if __name__ == "__main__":
    main()
