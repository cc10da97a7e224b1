"""Times Polars on those bars of the book that a group-by can compute. Start at `bars`.

    python3 bench/rivals/book_polars.py FILE.dbn.zst|FILE.parquet --point 0.01 [--runs 3]

Covers what needs no memory from row to row: counts of messages, trades with volume by aggressor, VWAP and prices,
and of the last event end of each bar the prices, sizes, counts, spread, mids, depth and imbalances; 87 of the engine's
292 columns. No means over time, bands, walls, flow, or order-flow imbalance, empty bars are left out, and a state is not
carried into the next bar. Reading is timed by itself; DBN has to be turned into columns first. One JSON document.
"""

from __future__ import annotations

import sys

import book_environment

book_environment.enter(book_environment.POLARS, "book-polars")

import polars as pl  # noqa: E402

import book_subset  # noqa: E402

SIDES = ("bid", "ask")
LAST = 128


def bars(rows: pl.DataFrame, point: float, width: int) -> pl.DataFrame:
    """A group-by over the start of the bar, and one over the rows that end events."""
    action = pl.col("action")
    is_trade = action == "T"
    traded = pl.when(is_trade).then(pl.col("size")).otherwise(0)
    price = pl.when(is_trade).then(pl.col("price"))
    ends = pl.col("flags").and_(LAST) != 0
    bar = (pl.col("ts_event") // width * width).alias("bar_start")
    states = []
    found = [
        pl.len().alias("msg_all_sum"),
        ends.sum().alias("events_n_sum"),
        *((action == letter).sum().alias(f"msg_{name}_sum") for letter, name in book_subset.MESSAGES.items()),
        is_trade.sum().alias("trade_n_sum"),
        traded.sum().alias("trade_vol_sum"),
        *(
            pl.when(pl.col("side") == letter).then(traded).otherwise(0).sum().alias(f"trade_{name}_sum")
            for letter, name in book_subset.AGGRESSORS.items()
        ),
        (price * pl.col("size")).sum().alias("turnover"),
        price.drop_nulls().first().alias("trade_open"),
        price.max().alias("trade_high"),
        price.min().alias("trade_low"),
        price.drop_nulls().last().alias("trade_close"),
    ]
    for side in SIDES:
        for kind in ("px", "sz", "ct"):
            for rank in range(10):
                states.append(pl.col(f"{side}_{kind}_{rank:02}").last().alias(f"{kind}_{side}_l{rank}_eob"))
    bid, ask, bid_size, ask_size = (pl.col(f"{name}_l0_eob") for name in ("px_bid", "px_ask", "sz_bid", "sz_ask"))
    depth = {side: pl.sum_horizontal(f"sz_{side}_l{rank}_eob" for rank in range(10)) for side in SIDES}
    return (
        rows.group_by(bar, maintain_order=True)
        .agg(found)
        .join(rows.filter(ends).group_by(bar).agg(states), on="bar_start", how="left", maintain_order="left")
        .with_columns(
            bar_end=pl.col("bar_start") + width,
            trade_signed_sum=pl.col("trade_buy_sum") - pl.col("trade_sell_sum"),
            trade_vwap=pl.col("turnover") / pl.col("trade_vol_sum"),
            mid_eob=(bid + ask) / 2,
            wmid_eob=(ask * bid_size + bid * ask_size) / (bid_size + ask_size),
            spread_eob=(ask - bid) / point,
            imb_1_eob=(bid_size - ask_size) / (bid_size + ask_size),
            depth_bid_eob=depth["bid"],
            depth_ask_eob=depth["ask"],
            imb_10_eob=(depth["bid"] - depth["ask"]) / (depth["bid"] + depth["ask"]),
        )
        .drop("turnover")
    )


def main() -> int:
    arguments = book_subset.arguments(__doc__)
    table, read_seconds = book_subset.timed(lambda: book_subset.table(arguments.file))
    rows = pl.from_arrow(table)
    return book_subset.report(
        "polars",
        lambda: bars(rows, arguments.point, book_subset.BAR_NS),
        lambda made: (made.height, made.columns),
        arguments,
        len(rows),
        read_seconds,
        {"polars": pl.__version__},
    )


if __name__ == "__main__":
    sys.exit(main())
