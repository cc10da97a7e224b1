//! Each rule of the page that recordings do not exercise, on rows made for it. The first bar begins at 100 s.

use expect_test::{Expect, expect};
use railbird_book::{BarClock, EventEnds};

use crate::common::{S, Tick, made};

const T: u64 = 100 * S;

fn quiet(time: u64) -> Tick {
    Tick::at(time, 'A', 'B', 99.0, 10).book(&[(99.0, 10)], &[(101.0, 10)])
}

#[track_caller]
fn check(ticks: &[Tick], columns: &[&str], want: Expect) {
    want.assert_eq(&made(ticks, |_| {}).0.show(columns));
}

#[test]
fn a_mean_reaches_from_the_first_event_end_out_to_the_bars_end() {
    // Mid 100 for 2 s, then 102 for 2 s; an empty bar carries 102; the last bar is carried out in full.
    let up = Tick::at(T + 3 * S, 'A', 'B', 101.0, 10).book(&[(101.0, 10)], &[(103.0, 10)]);
    let ticks = [quiet(T + S), up.clone(), Tick { time: T + 12 * S, ..quiet(0) }];
    check(
        &ticks,
        &["mid_twa", "mid_eob", "cover", "msg_all_sum", "events_n_sum"],
        expect![[r#"
        101 102 0.8 2 2
        102 102 1 0 0
        100.8 100 1 1 1"#]],
    );
}

#[test]
fn an_event_over_a_bars_edge_counts_its_rows_where_they_are_and_its_state_at_its_end() {
    let begins = Tick::at(T + 4 * S, 'C', 'B', 99.0, 4).flags(0).book(&[(99.0, 6)], &[(101.0, 10)]);
    let ends = Tick::at(T + 6 * S, 'C', 'B', 99.0, 4).book(&[(99.0, 2)], &[(101.0, 10)]);
    check(
        &[quiet(T), begins, ends],
        &[
            "msg_all_sum",
            "events_n_sum",
            "sz_bid_l0_eob",
            "depth_bid_twa",
            "flow_rem_bid_p1_sum",
            "flow_cancel_n_bid_p1_sum",
        ],
        expect![[r#"
            2 1 10 10 4 1
            1 1 2 3.6 4 1"#]],
    );
}

#[test]
fn a_clear_ends_an_event_without_f_last_and_is_no_flow() {
    let clear = Tick::at(T + S, 'R', 'N', 0.0, 0).flags(8).book(&[(99.0, 10)], &[(101.0, 10)]);
    let again = Tick::at(T + 2 * S, 'A', 'B', 99.0, 5).book(&[(99.0, 5)], &[]);
    check(
        &[quiet(T), clear, again],
        &[
            "mid_eob",
            "cover",
            "depth_bid_twa",
            "px_bid_l0_eob",
            "imb_1_eob",
            "ofi_1_sum",
            "flow_rest_n_sum",
            "msg_clear_sum",
            "events_n_sum",
            "bad_ts_n_sum",
            "wall_z_bid_eob",
            "szf_ask_l0_eob",
        ],
        // The A row after the clear has no reference; the imbalance of the queue sees it all the same.
        expect!["- 0.2 5 99 1 5 2 1 3 1 - 0"],
    );
}

#[test]
fn snapshots_set_the_state_and_are_counted_apart() {
    let shot = Tick::at(T + S, 'A', 'B', 98.0, 5).flags(128 + 32).book(&[(98.0, 5)], &[(100.0, 5)]);
    let traded = Tick::at(T + S, 'T', 'A', 98.0, 5).flags(128 + 32).book(&[(98.0, 5)], &[(100.0, 5)]);
    let next = Tick::at(T + 2 * S, 'A', 'B', 98.0, 3).book(&[(98.0, 8)], &[(100.0, 5)]);
    check(
        &[quiet(T), shot, traded, next],
        &[
            "mid_eob",
            "msg_all_sum",
            "msg_snapshot_sum",
            "msg_add_sum",
            "msg_trade_sum",
            "trade_n_sum",
            "ofi_1_sum",
            "flow_add_bid_p1_sum",
        ],
        expect!["99 4 2 2 0 0 3 3"],
    );
}

#[test]
fn a_book_that_may_be_wrong_is_unknown_until_an_event_ends_without_the_flag() {
    let bad = Tick::at(T + S, 'C', 'B', 99.0, 2).flags(4).book(&[(99.0, 8)], &[(101.0, 10)]);
    let still = Tick::at(T + 2 * S, 'C', 'B', 99.0, 2).flags(128 + 4).book(&[(99.0, 6)], &[(101.0, 10)]);
    let good = Tick::at(T + 3 * S, 'C', 'B', 99.0, 2).book(&[(99.0, 4)], &[(101.0, 10)]);
    let after = Tick::at(T + 4 * S, 'C', 'B', 99.0, 2).book(&[(99.0, 2)], &[(101.0, 10)]);
    check(
        &[quiet(T), bad.clone(), still.clone(), good, after],
        &[
            "cover",
            "depth_bid_twa",
            "bad_book_n_sum",
            "flow_rem_bid_p1_sum",
            "flow_rest_n_sum",
            "ofi_1_sum",
            "events_n_sum",
        ],
        // Known for 1 s at 10, 1 s at 4, 1 s at 2; flow is taken from the last row alone.
        expect!["0.6 5.333333 2 2 4 -2 4"],
    );
    check(
        &[quiet(T), bad],
        &["cover", "mid_twa", "mid_eob", "sz_bid_l0_eob", "ct_bid_l0_eob"],
        expect!["0.2 100 - - -"],
    );
}

#[test]
fn one_sided_books_lack_what_needs_both_sides() {
    let one = Tick::at(T, 'A', 'B', 99.0, 6).book(&[(99.0, 6), (98.0, 2)], &[]);
    check(
        &[one],
        &[
            "mid_eob",
            "wmid_twa",
            "spread_eob",
            "band_bid_p1_eob",
            "band_imb_p1_twa",
            "cover",
            "depth_bid_eob",
            "imb_1_eob",
            "imb_10_twa",
            "gap_max_bid_eob",
            "wall_z_bid_eob",
            "wall_near_bid_eob",
        ],
        expect!["- - - - - 0 8 1 1 1 1 -"],
    );
}

#[test]
fn crossed_and_locked_books_follow_the_same_formulas_and_are_counted() {
    let crossed = Tick::at(T, 'A', 'B', 102.0, 10).book(&[(102.0, 10)], &[(101.0, 10)]);
    let locked = Tick::at(T + S, 'A', 'B', 101.0, 10).book(&[(101.0, 10)], &[(101.0, 10)]);
    check(
        &[crossed, locked],
        &["crossed_n_sum", "locked_n_sum", "spread_twa", "mid_twa", "band_bid_p1_twa", "band_ask_p1_eob"],
        expect!["1 1 -0.2 101.1 10 10"],
    );
}

#[test]
fn an_edge_of_a_band_belongs_to_it() {
    // Equal sizes and an even spread: every level is on an edge, 1, 2, 3, 5, 10 from 100.
    let bids = [(99.0, 1), (98.0, 2), (97.0, 4), (95.0, 8), (90.0, 16), (89.0, 32)];
    let asks = [(101.0, 1), (102.0, 2), (103.0, 4), (105.0, 8), (110.0, 16), (111.0, 32)];
    let columns = [
        "band_bid_p1_eob",
        "band_bid_p2_eob",
        "band_bid_p3_eob",
        "band_bid_p5_eob",
        "band_bid_p10_eob",
        "band_ask_p10_eob",
        "band_frac_bid_p2_eob",
    ];
    check(&[Tick::at(T, 'A', 'B', 99.0, 1).book(&bids, &asks)], &columns, expect!["1 2 4 8 16 16 0.031746"]);
}

#[test]
fn two_equal_walls_have_z_of_two_exactly() {
    let mut bids: Vec<(f64, u32)> = (0..10).map(|level| (99.0 - f64::from(level), 10)).collect();
    (bids[3].1, bids[7].1) = (1000, 1000);
    let ticks = [Tick::at(T, 'A', 'B', 99.0, 10).book(&bids, &[(101.0, 10)])];
    let columns =
        ["wall_z_bid_eob", "wall_level_bid_eob", "wall_near_bid_eob", "wall_near_level_bid_eob", "wall_z_ask_eob"];
    check(&ticks, &columns, expect!["2 3 4 3 -"]);
}

#[test]
fn instruments_stand_apart_in_order_of_first_appearance() {
    let other = |time| Tick { instrument: 3, ..Tick::at(time, 'A', 'B', 49.0, 1).book(&[(49.0, 1)], &[(51.0, 1)]) };
    let both = [quiet(T), other(T + S), quiet(T + 6 * S), other(T + 11 * S)];
    let (table, report) = made(&both, |_| {});
    assert_eq!(report.instruments, 2);
    let symbols: Vec<&str> = (0..table.bars()).map(|bar| table.symbol(bar)).collect();
    assert_eq!(symbols, ["7", "7", "3", "3", "3"]);
    // The rows of each equal those of a file that holds it alone.
    for (instrument, from) in [(7, 0), (3, 2)] {
        let own: Vec<Tick> = both.iter().filter(|tick| tick.instrument == instrument).cloned().collect();
        let alone = made(&own, |_| {}).0;
        assert_eq!(table.0.slice(from, alone.bars()), alone.0);
    }
    // Another publisher is another instrument.
    let elsewhere = Tick { publisher: 2, ..quiet(T + S) };
    assert_eq!(made(&[quiet(T), elsewhere], |_| {}).1.instruments, 2);
}

#[test]
fn undefined_times_take_the_time_before_and_late_rows_fall_into_the_open_bar() {
    let unknown = Tick { time: u64::MAX, ..quiet(0) };
    let late = quiet(T + S);
    let (table, report) = made(&[unknown.clone(), quiet(T + 6 * S), unknown, late], |_| {});
    assert_eq!(report.rejected.get("without a time"), Some(&1));
    expect!["3 1 100"].assert_eq(&table.show(&["msg_all_sum", "late_n_sum", "mid_twa"]));
    assert_eq!(table.time("bar_start", 0), (T + 5 * S) as i64);
}

#[test]
fn a_gap_of_more_than_a_day_is_not_filled() {
    let day = 86_400 * S;
    let (table, report) = made(&[quiet(T), quiet(T + day + S)], |_| {});
    assert_eq!((table.bars(), report.noted.get("gaps over 24 h, not filled")), (2, Some(&1)));
    assert_eq!(table.get("cover", 1), Some(1.0));
    let (table, report) = made(&[quiet(T), quiet(T + day)], |_| {});
    assert_eq!((table.bars(), report.noted.len()), (86_400 / 5 + 1, 0));
}

#[test]
fn side_n_is_the_side_on_which_the_price_stands() {
    let added = Tick::at(T + S, 'A', 'N', 101.0, 5).book(&[(99.0, 10)], &[(101.0, 15)]);
    let gone = Tick::at(T + 2 * S, 'C', 'N', 99.0, 10).book(&[], &[(101.0, 15)]);
    let nowhere = Tick::at(T + 3 * S, 'C', 'N', 77.0, 10).book(&[], &[(101.0, 15)]);
    check(
        &[quiet(T), added, gone, nowhere],
        &[
            "flow_add_ask_p1_sum",
            "flow_add_n_ask_p1_sum",
            "flow_rem_bid_p1_sum",
            "flow_cancel_n_bid_p1_sum",
            "flow_rest_n_sum",
        ],
        expect!["5 1 10 1 2"],
    );
}

#[test]
fn fill_rows_stand_between_a_trade_and_its_change_of_the_book() {
    let row = |action, second, sequence, left| {
        let book: &[(f64, u32)] = &[(99.0, left)];
        Tick::at(T + second * S, action, 'B', 99.0, 4).sequence(sequence).book(book, &[(101.0, 10)])
    };
    let traded = |second, sequence| row('T', second, sequence, 10).flags(0);
    let columns = ["flow_fill_n_sum", "flow_cancel_n_bid_p1_sum", "flow_rem_bid_p1_sum", "msg_other_sum"];
    // One fill or several of the same trade.
    let (fill, taken) = (row('F', 1, 5, 10).flags(0), row('C', 1, 5, 6));
    check(&[quiet(T), traded(1, 5), fill.clone(), taken.clone()], &columns, expect!["1 0 0 1"]);
    check(&[quiet(T), traded(1, 5), fill.clone(), fill.clone(), taken.clone()], &columns, expect!["1 0 0 2"]);
    // A fill without a trade, of another sequence number, or of another time makes no fill of a cancel.
    check(&[quiet(T), fill.clone(), taken.clone()], &columns, expect!["0 1 4 1"]);
    check(&[quiet(T), traded(1, 4), fill.clone(), taken.clone()], &columns, expect!["0 1 4 1"]);
    check(&[quiet(T), traded(1, 5), row('F', 2, 5, 10), row('C', 2, 5, 6)], &columns, expect!["0 1 4 1"]);
    // What stands between must be fills.
    let added = row('A', 1, 5, 10).flags(0);
    check(&[quiet(T), traded(1, 5), added, taken], &columns, expect!["0 1 4 0"]);
}

#[test]
fn fills_are_no_flow_and_trades_are_counted_by_side_and_band() {
    let sold = Tick::at(T + S, 'T', 'A', 99.0, 4).sequence(5).flags(0).book(&[(99.0, 10)], &[(101.0, 10)]);
    let fill = Tick::at(T + S, 'C', 'B', 98.5, 4).sequence(5).book(&[(99.0, 6)], &[(101.0, 10)]);
    let cancel = Tick::at(T + S, 'C', 'B', 99.0, 1).sequence(5).book(&[(99.0, 5)], &[(101.0, 10)]);
    let bought = Tick::at(T + 2 * S, 'T', 'B', 103.0, 2).book(&[(99.0, 5)], &[(101.0, 10)]);
    let unknown = Tick::at(T + 3 * S, 'T', 'N', 100.0, 1).book(&[(99.0, 5)], &[(101.0, 10)]);
    let unpriced = Tick { price: None, ..unknown.clone() };
    check(
        &[quiet(T), sold, fill, cancel, bought, unknown, unpriced],
        &[
            "flow_fill_n_sum",
            "flow_rem_bid_p1_sum",
            "exec_bid_p1_sum",
            "exec_ask_p5_sum",
            "exec_rest_sum",
            "trade_n_sum",
            "trade_vol_sum",
            "trade_buy_sum",
            "trade_sell_sum",
            "trade_unk_sum",
            "trade_signed_sum",
            "trade_vwap",
            "trade_open",
            "trade_high",
            "trade_low",
            "trade_close",
        ],
        expect!["1 1 4 2 2 4 8 2 4 2 -2 100.285714 99 103 99 100"],
    );
}

#[test]
fn order_flow_imbalance_is_by_rank() {
    // A new best bid shifts every rank.
    let better = Tick::at(T + S, 'A', 'B', 100.0, 3).book(&[(100.0, 3), (99.0, 10)], &[(101.0, 10)]);
    let worse = Tick::at(T + 2 * S, 'C', 'B', 100.0, 3).book(&[(99.0, 10)], &[(101.0, 4)]);
    check(&[quiet(T), better, worse], &["ofi_1_sum", "ofi_5_sum", "ofi_10_sum"], expect!["6 6 6"]);
}

#[test]
fn bars_of_trades_end_with_the_event_and_nothing_is_split() {
    let trade = |time, flags| Tick::at(time, 'T', 'A', 99.0, 4).flags(flags).book(&[(99.0, 10)], &[(101.0, 10)]);
    let ticks = [
        quiet(T),
        trade(T + S, 0),
        trade(T + 2 * S, 0),
        trade(T + 3 * S, 128),
        trade(T + 3 * S, 128),
        trade(T + 3 * S, 128),
        trade(T + 4 * S, 128),
    ];
    let show = |size: &str| {
        let (table, report) = made(&ticks, |options| options.size = size.parse().unwrap());
        let times = (0..table.bars()).map(|bar| {
            let at = |column| (table.time(column, bar) - T as i64) / S as i64;
            format!("{}..{}", at("bar_start"), at("bar_end"))
        });
        let times: Vec<String> = times.collect();
        format!(
            "{}\n{} {:?}",
            times.join(" "),
            table.show(&["trade_n_sum", "mid_twa", "cover"]),
            report.noted.get("in the unfinished last bar")
        )
    };
    // The first bar holds the whole event; the second has no length; the last is not finished.
    expect![[r#"
        0..3 3..3
        3 100 1
        2 100 - Some(1)"#]]
    .assert_eq(&show("2t"));
    expect![[r#"
        0..3 3..3
        3 100 1
        2 100 - Some(1)"#]]
    .assert_eq(&show("8v"));
    expect![[r#"
        0..3 3..3 3..3 3..4
        3 100 1
        1 100 -
        1 100 -
        1 100 1 None"#]]
    .assert_eq(&show("396usd"));
}

#[test]
fn without_event_ends_all_states_are_missing_until_every_row_is_one() {
    let ticks = [quiet(T).flags(0), quiet(T + S).flags(0)];
    let (table, report) = made(&ticks, |_| {});
    assert!(report.without_states());
    expect!["- 0 2"].assert_eq(&table.show(&["mid_twa", "cover", "msg_all_sum"]));
    let (table, report) = made(&ticks, |options| options.ends = EventEnds::Row);
    assert!(!report.without_states());
    expect!["100 1 2"].assert_eq(&table.show(&["mid_twa", "cover", "msg_all_sum"]));
}

#[test]
fn the_clock_of_receipt_cuts_by_it_and_known_at_is_never_before_a_row_was_received() {
    let slow = Tick { received: T + 7 * S, ..quiet(T + S) };
    let bad = Tick { received: T + 99 * S, ..quiet(T + 2 * S) }.flags(128 + 8);
    let (table, _) = made(&[slow.clone(), bad.clone()], |_| {});
    assert_eq!((table.bars(), table.time("known_at", 0)), (1, (T + 99 * S) as i64));
    let (table, _) = made(&[slow, bad], |options| options.clock = BarClock::Receive);
    assert_eq!((table.bars(), table.time("bar_start", 0)), (1, (T + 5 * S) as i64));
    assert_eq!(table.get("msg_all_sum", 0), Some(2.0));
}
