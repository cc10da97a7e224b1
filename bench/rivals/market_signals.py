"""vectorbt beside our back-test of signals, on the same bars and signals. Start at `main`.

    python3 bench/rivals/market_signals.py --json

Columns of random walks with entries and exits of a given density; a signal trades at the next bar's open, with a fee, the whole account
at a time. Both give total return, largest drawdown, Sharpe ratio, trades and winners of each column, and must agree. vectorbt
is run once before it is timed, since it compiles; that time is told apart. Rounds alternate; medians. Ours is the
example `signals_speed`: packing bytes into bits is told apart too, and counted in `rate_with_packing`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environment

REQUIREMENTS = ("vectorbt==1.2.0",)
# Small, so that hundreds of thousands of trades leave an account to measure.
FEE = 1e-6
DENSITIES = (0.01, 0.3)


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return 0
    try:
        python = environment.python_with(REQUIREMENTS, "signals")
    except environment.Unavailable as missing:
        print(f"market_signals: {missing}", file=sys.stderr)
        return 1
    build = ["cargo", "build", "--release", "--quiet", "-p", "railbird-market", "--example", "signals_speed"]
    subprocess.run(build, check=True, cwd=environment.ROOT)
    ours = environment.target_folder() / "release" / "examples" / "signals_speed"
    command = [str(python), __file__, "--child", "--ours", str(ours)]
    command += ["--rounds", str(arguments.rounds), "--bars", str(arguments.bars), "--columns", str(arguments.columns)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        print(f"market_signals: exit code {done.returncode}", file=sys.stderr)
        return 1
    document = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=3, help="alternations of ours and theirs (default 3)")
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict:
    import numpy
    import pandas
    import vectorbt

    rows = []
    compile_s = None
    for density in DENSITIES:
        random = numpy.random.default_rng(int(density * 100))
        shape = (arguments.bars, arguments.columns)
        close = 100 * numpy.exp(random.normal(1e-6, 1e-3, shape).cumsum(axis=0))
        before = numpy.vstack([close[:1], close[:-1]])
        opened = before * numpy.exp(random.normal(0, 2e-4, shape))
        entries = random.random(shape) < density
        exits = (random.random(shape) < density) & ~entries
        # Flat at the end, where one account is sold out and the other only marked.
        entries[-10:], exits[-3:] = False, True

        def theirs() -> dict:
            late = lambda signals: numpy.vstack([numpy.zeros((1, arguments.columns), bool), signals[:-1]])
            index = pandas.date_range("2000-01-01", periods=arguments.bars, freq="1min")
            frame = pandas.DataFrame(close, index=index)
            portfolio = vectorbt.Portfolio.from_signals(
                frame, late(entries), late(exits), price=opened, fees=FEE, init_cash=100.0, freq="1min"
            )
            trades = portfolio.trades
            return {
                "total": portfolio.total_return().to_numpy(),
                "drawdown": -portfolio.max_drawdown().to_numpy(),
                "sharpe": portfolio.sharpe_ratio().to_numpy(),
                "trades": trades.count().to_numpy(),
                "wins": trades.winning.count().to_numpy(),
            }

        begin = time.perf_counter()
        reference = theirs()
        first_s = time.perf_counter() - begin
        theirs_s, ours_s, packing_s = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            for name, array in (("open", opened), ("close", close), ("entries", entries), ("exits", exits)):
                numpy.ascontiguousarray(array.T).tofile(Path(folder) / name)
            command = [str(arguments.ours), folder, str(arguments.bars), str(arguments.columns), str(FEE)]
            for _ in range(arguments.rounds):
                begin = time.perf_counter()
                reference = theirs()
                theirs_s.append(time.perf_counter() - begin)
                lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
                found = [line.split()[1:] for line in lines if line.startswith("statistic")]
                timing = {line.split()[0]: line.split()[1:] for line in lines}
                # The median of its repeats, as theirs.
                ours_s.append(float(timing["run_s"][1]))
                packing_s.append(float(timing["pack_s"][1]))
        compile_s = compile_s or first_s - statistics.median(theirs_s)
        check(reference, found)
        cells = arguments.bars * arguments.columns
        ours, theirs_median = statistics.median(ours_s), statistics.median(theirs_s)
        rows.append({
            "density": density,
            "bars": arguments.bars,
            "columns": arguments.columns,
            "trades": int(reference["trades"].sum()),
            "seconds_ours": ours,
            "seconds_packing": statistics.median(packing_s),
            "seconds_theirs": theirs_median,
            "rate_ours": cells / ours,
            "rate_with_packing": cells / (ours + statistics.median(packing_s)),
            "rate_theirs": cells / theirs_median,
            "ratio": theirs_median / ours,
        })
    return {"vectorbt": vectorbt.__version__, "numpy": numpy.__version__, "compile_s": compile_s, "rows": rows}


def check(reference: dict, found: list) -> None:
    """Both must agree on every column: counts exactly, figures within 1e-6."""
    for column, (total, drawdown, trades, wins, sharpe) in enumerate(found):
        counts = (int(trades), int(wins))
        if counts != (reference["trades"][column], reference["wins"][column]):
            raise SystemExit(f"column {column}: {counts} trades and winners, vectorbt has "
                             f"{reference['trades'][column]}, {reference['wins'][column]}")
        for name, ours in (("total", total), ("drawdown", drawdown), ("sharpe", sharpe)):
            theirs = reference[name][column]
            if abs(float(ours) - theirs) > 1e-6 * (1 + abs(theirs)):
                raise SystemExit(f"column {column}: {name} {ours}, vectorbt has {theirs}")


def table(document: dict) -> str:
    lines = [f"vectorbt {document['vectorbt']}, numpy {document['numpy']}; compiled in {document['compile_s']:.1f} s"]
    for row in document["rows"]:
        lines.append(
            f"{row['bars']} bars × {row['columns']}, density {row['density']:.0%}, {row['trades']} trades: "
            f"ours {row['seconds_ours'] * 1e3:.2f} ms = {row['rate_ours'] / 1e9:.2f} G bars/s "
            f"({row['rate_with_packing'] / 1e9:.2f} with packing), "
            f"vectorbt {row['seconds_theirs']:.2f} s = {row['rate_theirs'] / 1e6:.2f} M bars/s: {row['ratio']:.0f}×"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
