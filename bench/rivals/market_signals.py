"""vectorbt beside our back-test of signals, on the same bars and signals. Start at `main`.

    python3 bench/rivals/market_signals.py

Columns of random walks with entries and exits of a given density; a signal trades at the next bar's open, with a fee, the whole account
at a time. Both give the trades, and total return, largest drawdown, Sharpe ratio, trades and winners of each column, and must agree.
In the time of both: from prices and signals as arrays in memory to trades and statistics. vectorbt is run once before it is timed,
since it compiles; that time is told apart. Rounds alternate; a round of ours is 15 runs, of theirs one. Ours is the example
`signals_speed`, whose signals are packed in bits (packing is told apart) and whose trades are written where those of the run before
were; `trades_anew` writes them into new memory, `statistics` not at all. Rates are of the best run, since the machine may do other
things too: its load is told, what our runs spend on processors (mean of a round's runs, least of the rounds), and the rate that
this would come to if all processors were free; the verdict goes by the clock. Runs with stops are ours alone, and have no target.
"""

from __future__ import annotations

import argparse
import json
import os
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
# Bars a second that are asked for, by density of signals.
TARGETS = {0.01: 1e9, 0.3: 0.5e9}
# What the targets are asked of.
TARGETED = "trades"


def main() -> int:
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return 0
    flags = ["--rounds", str(arguments.rounds), "--bars", str(arguments.bars), "--columns", str(arguments.columns)]
    build = ("-p", "railbird-market", "--example", "signals_speed")
    document = environment.beside(__file__, REQUIREMENTS, "signals", build, flags)
    if document is None:
        return 1
    print(json.dumps(document, indent=2) if arguments.json else table(document))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=5, help="alternations of ours and theirs (default 5)")
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
    for density, target in TARGETS.items():
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
                "records": trades.records_arr,
                "total": portfolio.total_return().to_numpy(),
                "drawdown": -portfolio.max_drawdown().to_numpy(),
                "sharpe": portfolio.sharpe_ratio().to_numpy(),
                "trades": trades.count().to_numpy(),
                "wins": trades.winning.count().to_numpy(),
            }

        begin = time.perf_counter()
        reference = theirs()
        first_s = time.perf_counter() - begin
        theirs_s, kinds, loads = [], {}, []
        with tempfile.TemporaryDirectory() as folder:
            for name, array in (("open", opened), ("close", close), ("entries", entries), ("exits", exits)):
                numpy.ascontiguousarray(array.T).tofile(Path(folder) / name)
            command = [str(arguments.ours), folder, str(arguments.bars), str(arguments.columns), str(FEE)]
            for _ in range(arguments.rounds):
                begin = time.perf_counter()
                reference = theirs()
                theirs_s.append(time.perf_counter() - begin)
                lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
                loads.append(os.getloadavg()[0])
                check(reference, [line.split()[1:] for line in lines if line.startswith("statistic ")])
                for name, *numbers in (line.split()[1:] for line in lines if line.startswith("time ")):
                    kinds.setdefault(name, []).append([float(number) for number in numbers])
        compile_s = compile_s or first_s - statistics.median(theirs_s)
        cells = arguments.bars * arguments.columns
        ours = {
            name: {
                "trades": int(runs[0][3]),
                "stops": int(runs[0][4]),
                "best_s": min(run[0] for run in runs),
                "median_s": statistics.median(run[1] for run in runs),
                "processors_s": min(run[2] for run in runs),
            }
            for name, runs in kinds.items()
        }
        best_s = ours[TARGETED]["best_s"]
        rows.append({
            "density": density,
            "bars": arguments.bars,
            "columns": arguments.columns,
            "signals": int(entries.sum() + exits.sum()),
            "trades": int(reference["trades"].sum()),
            "load": [min(loads), max(loads)],
            "runs": ours,
            "seconds_ours": best_s,
            "seconds_theirs": min(theirs_s),
            "seconds_theirs_median": statistics.median(theirs_s),
            "rate_ours": cells / best_s,
            "rate_theirs": cells / min(theirs_s),
            "ratio": min(theirs_s) / best_s,
            "target": target,
            "pass": cells / best_s >= target,
        })
    return {
        "vectorbt": vectorbt.__version__,
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
        "processors": os.cpu_count(),
        "rounds": arguments.rounds,
        "compile_s": compile_s,
        "rows": rows,
    }


def check(reference: dict, found: list) -> None:
    """Both must agree on every column: trades' bars and counts exactly, money and figures within 1e-6."""
    import numpy

    records = reference["records"]
    if len(found) != len(reference["trades"]):
        raise SystemExit(f"{len(found)} columns, vectorbt has {len(reference['trades'])}")
    for column, (total, drawdown, trades, wins, sharpe, entries, exits, moved) in enumerate(found):
        own = records[records["col"] == column]
        numbers = numpy.arange(1, len(own) + 1, dtype=numpy.uint64)
        checksum = lambda bars: int((own[bars].astype(numpy.uint64) * numbers).sum(dtype=numpy.uint64))
        exact = (int(trades), int(wins), int(entries), int(exits))
        theirs = (reference["trades"][column], reference["wins"][column], checksum("entry_idx"), checksum("exit_idx"))
        if exact != theirs:
            raise SystemExit(f"column {column}: {exact} trades, winners, bars of entries and exits; vectorbt has {theirs}")
        figures = {name: reference[name][column] for name in ("total", "drawdown", "sharpe")}
        figures["moved"] = numpy.abs(own["pnl"]).sum()
        for (name, theirs), ours in zip(figures.items(), (total, drawdown, sharpe, moved)):
            if not abs(float(ours) - theirs) <= 1e-6 * (1 + abs(theirs)):
                raise SystemExit(f"column {column}: {name} {ours}, vectorbt has {theirs}")


def table(document: dict) -> str:
    lines = [
        f"vectorbt {document['vectorbt']} (compiled in {document['compile_s']:.1f} s), numpy {document['numpy']}, "
        f"Python {document['python']}; {document['processors']} processors; {document['rounds']} rounds, best of all runs",
        "outputs: trades and, for each column, total, drawdown, Sharpe ratio, trades, winners; equal in every round, "
        "and bars and gains of the trades",
    ]
    for row in document["rows"]:
        cells = row["bars"] * row["columns"]
        lines.append(
            f"\n{row['bars']} bars × {row['columns']}, density {row['density']:.0%}: {row['signals']} signals, "
            f"load {row['load'][0]:.1f} to {row['load'][1]:.1f}"
        )
        for name, run in row["runs"].items():
            line = f"{name:<22} {run['trades']:>7} trades {run['best_s'] * 1e3:>8.2f} ms {cells / run['best_s'] / 1e6:>7.1f} M bars/s"
            free = cells / run["processors_s"] * document["processors"] / 1e6
            line += f" (median {run['median_s'] * 1e3:.2f} ms; processors {run['processors_s'] * 1e3:.2f} ms: {free:.0f} were they free)"
            if name == TARGETED:
                line += f" target {row['target'] / 1e6:.0f}: {'pass' if row['pass'] else 'FAIL'}, {row['ratio']:.0f}× vectorbt"
            lines.append(line)
        lines.append(
            f"{'vectorbt':<22} {row['trades']:>7} trades {row['seconds_theirs'] * 1e3:>8.0f} ms {row['rate_theirs'] / 1e6:>7.1f} M bars/s"
            f" (median {row['seconds_theirs_median'] * 1e3:.0f} ms)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
