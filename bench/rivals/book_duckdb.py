"""Times DuckDB on those bars of the book that a group-by can compute. Start at `query`.

    python3 bench/rivals/book_duckdb.py FILE.dbn.zst|FILE.parquet --point 0.01 [--runs 3]

Covers what `book_polars.py` covers, in SQL: counts of messages, trades, and the last event end of each bar; 87 of the
engine's 292 columns, and none of the means over time, bands, walls, flow, or order-flow imbalance. The rows are in
memory, in DuckDB's own table, before the clock starts; reading is timed by itself. One JSON document.
"""

from __future__ import annotations

import sys

import book_environment

book_environment.enter(book_environment.DUCKDB, "book-duckdb")

import duckdb  # noqa: E402

import book_subset  # noqa: E402

SIDES = ("bid", "ask")


def query(point: float, width: int) -> str:
    """The bars as one statement; `place` is the row's number in the file."""
    ends = "filter (flags & 128 <> 0)"
    trade = "filter (action = 'T')"
    found = ["count(*) as msg_all_sum", f"count(*) {ends} as events_n_sum"]
    for letter, name in book_subset.MESSAGES.items():
        found.append(f"count(*) filter (action = '{letter}') as msg_{name}_sum")
    found += [f"count(*) {trade} as trade_n_sum", f"coalesce(sum(size) {trade}, 0)::bigint as trade_vol_sum"]
    found += [
        f"coalesce(sum(size) filter (action = 'T' and side = '{letter}'), 0)::bigint as trade_{name}_sum"
        for letter, name in book_subset.AGGRESSORS.items()
    ]
    found += [
        f"sum(price * size) {trade} as turnover",
        f"arg_min(price, place) {trade} as trade_open",
        f"max(price) {trade} as trade_high",
        f"min(price) {trade} as trade_low",
        f"arg_max(price, place) {trade} as trade_close",
        f"max(place) {ends} as ended",
    ]
    columns = [f"{side}_{kind}_{rank:02}" for side in SIDES for kind in ("px", "sz", "ct") for rank in range(10)]
    levels = [
        f"{side}_{kind}_{rank:02} as {kind}_{side}_l{rank}_eob"
        for side in SIDES
        for kind in ("px", "sz", "ct")
        for rank in range(10)
    ]
    depth = {side: " + ".join(f"{side}_sz_{rank:02}" for rank in range(10)) for side in SIDES}
    bid, ask = f"({depth['bid']})::double", f"({depth['ask']})::double"
    return f"""
        with grouped as (
            select ts_event // {width} * {width} as bar_start, {", ".join(found)} from rows group by bar_start
        )
        select grouped.* exclude (ended, turnover), bar_start + {width} as bar_end,
            trade_buy_sum - trade_sell_sum as trade_signed_sum, turnover / trade_vol_sum as trade_vwap,
            (bid_px_00 + ask_px_00) / 2 as mid_eob,
            (ask_px_00 * bid_sz_00 + bid_px_00 * ask_sz_00) / (bid_sz_00 + ask_sz_00) as wmid_eob,
            (ask_px_00 - bid_px_00) / {point} as spread_eob,
            (bid_sz_00::double - ask_sz_00) / (bid_sz_00 + ask_sz_00) as imb_1_eob,
            {bid} as depth_bid_eob, {ask} as depth_ask_eob, ({bid} - {ask}) / ({bid} + {ask}) as imb_10_eob,
            {", ".join(levels)}
        from grouped left join (select place, {", ".join(columns)} from rows) as ends on ended = ends.place
        order by bar_start
    """


def main() -> int:
    arguments = book_subset.arguments(__doc__)
    table, read_seconds = book_subset.timed(lambda: book_subset.table(arguments.file))
    connection = duckdb.connect()
    connection.execute(f"set threads = {arguments.threads}")
    connection.register("arrow_rows", table)
    connection.execute("create table rows as select row_number() over () as place, * from arrow_rows")
    text = query(arguments.point, book_subset.BAR_NS)
    return book_subset.report(
        "duckdb",
        lambda: connection.sql(text).to_arrow_table(),
        lambda made: (made.num_rows, made.column_names),
        arguments,
        len(table),
        read_seconds,
        {"duckdb": duckdb.__version__},
    )


if __name__ == "__main__":
    sys.exit(main())
