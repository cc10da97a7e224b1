//! The skipping walk against the plain one, the prefix law, and trades by hand.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use expect_test::{Expect, expect};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use proptest::prelude::*;
use railbird_timeline::Ts;

use super::*;
use crate::data::File;

const DAY: i64 = 86_400_000_000_000;

/// Bars that own their columns.
#[derive(Debug, Clone)]
struct Owned {
    time: Vec<Ts>,
    ohlc: [Vec<f64>; 4],
    signals: Signals,
}

impl Owned {
    fn new(bars: &[(f64, f64, f64, f64)]) -> Self {
        let price = |pick: fn(&(f64, f64, f64, f64)) -> f64| bars.iter().map(pick).collect::<Vec<f64>>();
        Self {
            time: (0..bars.len() as i64).map(|day| Ts(day * DAY)).collect(),
            ohlc: [price(|bar| bar.0), price(|bar| bar.1), price(|bar| bar.2), price(|bar| bar.3)],
            signals: Signals::none(bars.len()),
        }
    }

    fn column(&self) -> Column<'_> {
        let [open, high, low, close] = &self.ohlc;
        Column { prices: Prices { time: &self.time, open, high, low, close }, signals: &self.signals }
    }
}

/// A path of bars with signals of a given density, in a random but plain way.
fn path(bars: std::ops::Range<usize>) -> impl Strategy<Value = Owned> {
    let bar = (-0.03..0.03_f64, 0.0..0.03_f64, 0.0..0.03_f64, -0.03..0.03_f64, any::<u16>(), 1..4_i64);
    (proptest::collection::vec(bar, bars), 0..4_u32).prop_map(|(steps, rarity)| {
        let mut before = 100.0;
        let (mut bars, mut bytes, mut time, mut now) = (vec![], [const { vec![] }; 4], vec![], 0);
        for (gap, up, down, step, bits, days) in steps {
            let open: f64 = before * (1.0 + gap);
            let close = open * (1.0 + step);
            bars.push((open, open.max(close) * (1.0 + up), open.min(close) * (1.0 - down), close));
            before = close;
            for (at, bytes) in bytes.iter_mut().enumerate() {
                let nibble = bits >> (4 * at) & 15;
                bytes.push(u8::from(nibble < [8, 4, 2, 1][rarity as usize]));
            }
            now += days * DAY;
            time.push(Ts(now));
        }
        let mut owned = Owned::new(&bars);
        owned.time = time;
        let [long_entry, long_exit, short_entry, short_exit] = bytes.map(|bytes| Bits::from_bytes(&bytes));
        owned.signals = Signals { long_entry, long_exit, short_entry, short_exit, weight: vec![] };
        owned
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let share = || prop_oneof![Just(None), (0.002..0.08_f64).prop_map(Some)];
    let size = prop_oneof![
        3 => Just(Size::Equity(1.0)),
        1 => (0.1..1.0_f64).prop_map(Size::Equity),
        1 => (100.0..20_000.0_f64).prop_map(Size::Value),
        1 => (1.0..150.0_f64).prop_map(Size::Units),
    ];
    let costs = (0.0..0.01_f64, 0.0..0.01_f64, prop_oneof![Just(0.0), Just(0.08)]);
    let stops = (share(), share(), share(), prop_oneof![Just(SameBar::Pessimistic), Just(SameBar::Optimistic)]);
    let limits =
        (prop_oneof![3 => Just(1.0), 1 => Just(2.0), 1 => Just(40.0)], 0..12_usize, prop_oneof![Just(0.0), Just(7.0)]);
    (size, costs, stops, limits).prop_map(|(size, costs, stops, limits)| Rules {
        cash: 10_000.0,
        size: match size {
            Size::Equity(share) => Size::Equity(share * limits.0),
            size => size,
        },
        fee: costs.0,
        slippage: costs.1,
        borrow: costs.2,
        stops: Stops { loss: stops.0, profit: stops.1, trailing: stops.2 },
        same_bar: stops.3,
        gross_max: limits.0,
        bars_max: limits.1,
        lot: limits.2,
    })
}

pub(super) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

pub(super) fn near_or_none(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => near(a, b),
        // Spread that is only rounding.
        (a, b) => a.or(b).is_none_or(|only| only.abs() < 1e-6 || only.abs() > 1e6),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn skipping_trades_as_walking_does(owned in path(1..160), rules in rules()) {
        let column = owned.column();
        let plain = walk(&[column], &rules);
        let mut log = Vec::new();
        let fast = skip(&column, &rules, 252.0, Some(&mut log));
        prop_assert_eq!(&log, &plain.trades);
        prop_assert_eq!(fast.counts, plain.counts);
        let metrics = plain.metrics(252.0);
        prop_assert!(near(fast.total, metrics.total), "{fast:?} {metrics:?}");
        if !plain.counts.ruined {
            prop_assert!(near(fast.mean, metrics.mean), "{fast:?} {metrics:?}");
            prop_assert!(near(fast.drawdown_max, metrics.drawdown_max), "{fast:?} {metrics:?}");
            prop_assert!(near(fast.exposure, metrics.exposure), "{fast:?} {metrics:?}");
            prop_assert!(near(fast.turnover, metrics.turnover), "{fast:?} {metrics:?}");
            prop_assert!(near_or_none(fast.volatility, metrics.volatility), "{fast:?} {metrics:?}");
            prop_assert!(near_or_none(fast.sharpe, metrics.sharpe), "{fast:?} {metrics:?}");
            prop_assert!(near_or_none(fast.sortino, metrics.sortino), "{fast:?} {metrics:?}");
        }
    }

    #[test]
    fn money_is_neither_made_nor_lost(owned in path(1..160), rules in rules()) {
        let plain = walk(&[owned.column()], &rules);
        let gained: f64 = plain.trades.iter().map(|trade| trade.gain).sum();
        let end = plain.equity.last().copied().unwrap_or(rules.cash);
        // All positions end at the last bar, so what trades gained is what the account gained.
        prop_assert!((rules.cash + gained - end).abs() <= 1e-6 * (1.0 + end.abs() + rules.cash), "{gained} {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn prefix_law_many_symbols_many_cuts(first in path(20..90), second in path(20..90), third in path(20..90), rules in rules()) {
        let columns = [first.column(), second.column(), third.column()];
        let audit = audit(&columns, &Rules { size: Size::Equity(0.4), ..rules }, &columns[0].prices.cuts(12));
        prop_assert!(audit.is_clean(), "{audit:?}");
        prop_assert!(audit.compared > 0);
    }

    #[test]
    fn prefix_law_of_skipping(owned in path(40..160), rules in rules(), cuts in proptest::collection::vec(2..40_usize, 8)) {
        let mut whole = Vec::new();
        skip(&owned.column(), &rules, 252.0, Some(&mut whole));
        for cut in cuts {
            let signals = owned.signals.prefix(cut);
            let column = Column { prices: owned.column().prices.prefix(cut), signals: &signals };
            let mut part = Vec::new();
            skip(&column, &rules, 252.0, Some(&mut part));
            let ended = |trades: &[Trade]| -> Vec<Trade> { trades.iter().filter(|trade| trade.exit_bar + 1 < cut).copied().collect() };
            prop_assert_eq!(ended(&part), ended(&whole));
        }
    }

    #[test]
    fn optimists_stop_no_more_often(owned in path(5..60), loss in 0.005..0.05_f64, profit in 0.005..0.05_f64) {
        let run = |same_bar| {
            let stops = Stops { loss: Some(loss), profit: Some(profit), trailing: None };
            // One entry, so that both hold the same position.
            let mut one = owned.clone();
            one.signals = Signals::none(one.time.len());
            one.signals.long_entry.set(0, true);
            walk(&[one.column()], &Rules { stops, same_bar, ..Rules::default() })
        };
        let (low, high) = (run(SameBar::Pessimistic), run(SameBar::Optimistic));
        prop_assert!(low.equity.last() <= high.equity.last());
    }
}

/// Four bits a bar, in the order long entry, long exit, short entry, short exit: `L`, `l`, `S`, `s`.
fn marked(bars: &[(f64, f64, f64, f64)], marks: &[&str]) -> Owned {
    let mut owned = Owned::new(bars);
    for (bar, mark) in marks.iter().enumerate() {
        owned.signals.long_entry.set(bar, mark.contains('L'));
        owned.signals.long_exit.set(bar, mark.contains('l'));
        owned.signals.short_entry.set(bar, mark.contains('S'));
        owned.signals.short_exit.set(bar, mark.contains('s'));
    }
    owned
}

#[track_caller]
fn check(owned: &Owned, rules: &Rules, want: Expect) {
    let walked = walk(&[owned.column()], rules);
    let line = |trade: &Trade| {
        format!(
            "{:?} {} bar {} at {:.2} to bar {} at {:.2}: {:+.2}, {}\n",
            trade.side,
            trade.units,
            trade.entry_bar,
            trade.entry_price,
            trade.exit_bar,
            trade.exit_price,
            trade.gain,
            trade.reason.word()
        )
    };
    want.assert_eq(&walked.trades.iter().map(line).collect::<String>());
}

fn free(stops: Stops) -> Rules {
    Rules { fee: 0.0, size: Size::Units(10.0), stops, ..Rules::default() }
}

const CALM: (f64, f64, f64, f64) = (100.0, 101.0, 99.0, 100.0);

#[test]
fn a_signal_trades_at_the_next_open_and_a_reversal_turns_there() {
    let bars = [CALM, (101.0, 103.0, 100.0, 102.0), (103.0, 105.0, 102.0, 104.0), (105.0, 106.0, 99.0, 100.0)];
    check(
        &marked(&bars, &["L", "S", "", ""]),
        &free(Stops::default()),
        expect![[r"
        Long 10 bar 1 at 101.00 to bar 2 at 103.00: +20.00, reversal
        Short 10 bar 2 at 103.00 to bar 3 at 100.00: +30.00, end
    "]],
    );
    // The last bar's signal has no open to trade at; contradictions are none.
    check(&marked(&bars, &["LS", "Ll", "", "L"]), &free(Stops::default()), expect![""]);
}

#[test]
fn the_stop_comes_first_unless_the_open_proves_the_target() {
    let stops = Stops { loss: Some(0.05), profit: Some(0.05), trailing: None };
    let wide = [CALM, CALM, (100.0, 110.0, 90.0, 100.0)];
    check(
        &marked(&wide, &["L"]),
        &free(stops),
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 2 at 95.00: -50.00, stop_loss
    "]],
    );
    let optimistic = Rules { same_bar: SameBar::Optimistic, ..free(stops) };
    check(
        &marked(&wide, &["L"]),
        &optimistic,
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 2 at 105.00: +50.00, take_profit
    "]],
    );
    check(
        &marked(&[CALM, CALM, (106.0, 110.0, 90.0, 100.0)], &["L"]),
        &free(stops),
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 2 at 106.00: +60.00, take_profit
    "]],
    );
    // A gap through the stop fills at the open, worse than the stop.
    check(
        &marked(&[CALM, CALM, (90.0, 110.0, 85.0, 100.0)], &["L"]),
        &optimistic,
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 2 at 90.00: -100.00, stop_loss
    "]],
    );
    // A target that is only touched is not filled; a stop that is touched is.
    check(
        &marked(&[CALM, (100.0, 105.0, 95.5, 100.0)], &["L"]),
        &free(stops),
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 1 at 100.00: +0.00, end
    "]],
    );
    check(
        &marked(&wide, &["S"]),
        &free(stops),
        expect![[r"
        Short 10 bar 1 at 100.00 to bar 2 at 105.00: -50.00, stop_loss
    "]],
    );
}

#[test]
fn a_trailing_stop_stands_on_bars_before_or_on_what_the_close_proves() {
    let stops = Stops { trailing: Some(0.1), ..Stops::default() };
    // The low of bar 2 may have come before its high: the stop stands on bar 1's high, 101.
    let rising = [CALM, CALM, (100.0, 120.0, 95.0, 119.0), (119.0, 119.0, 105.0, 110.0)];
    check(
        &marked(&rising, &["L"]),
        &free(stops),
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 3 at 108.00: +80.00, trailing_stop
    "]],
    );
    // A close below 90 % of the same bar's high proves that the price came down through it.
    check(
        &marked(&[CALM, CALM, (100.0, 120.0, 99.0, 100.0)], &["L"]),
        &free(stops),
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 2 at 108.00: +80.00, trailing_stop
    "]],
    );
}

#[test]
fn time_lots_and_interest() {
    let bars = [CALM; 6];
    check(
        &marked(&bars, &["L"]),
        &Rules { bars_max: 2, ..free(Stops::default()) },
        expect![[r"
        Long 10 bar 1 at 100.00 to bar 3 at 100.00: +0.00, time
    "]],
    );
    let lots = Rules { size: Size::Equity(1.0), lot: 30.0, fee: 0.001, ..Rules::default() };
    check(
        &marked(&bars, &["L", "", "l"]),
        &lots,
        expect![[r"
        Long 90 bar 1 at 100.00 to bar 3 at 100.00: -18.00, signal
    "]],
    );
    // Two nights on 1,000 at 36.5 % a year.
    check(
        &marked(&bars, &["S", "", "s"]),
        &Rules { borrow: 0.365, ..free(Stops::default()) },
        expect![[r"
        Short 10 bar 1 at 100.00 to bar 3 at 100.00: -2.00, signal
    "]],
    );
}

#[test]
fn symbols_share_the_cash_and_the_first_takes_it() {
    let (first, second) = (marked(&[CALM; 4], &["L", "l"]), marked(&[CALM; 4], &["L", "L"]));
    let walked = walk(&[first.column(), second.column()], &Rules { fee: 0.0, ..Rules::default() });
    let who: Vec<(usize, usize, f64)> =
        walked.trades.iter().map(|trade| (trade.symbol, trade.entry_bar, trade.units)).collect();
    // The second is refused at bar 1, and buys at bar 2 with what the first sold for.
    assert_eq!(who, [(0, 1, 100.0), (1, 2, 100.0)]);
    assert_eq!((walked.counts.refused, walked.equity), (1, vec![10_000.0; 4]));
}

#[test]
fn many_threads_permute_as_one_does() {
    let bars: Vec<_> = (0..400)
        .map(|at| {
            let at = f64::from(at);
            (100.0 + at.sin(), 103.0, 97.0, 100.0 + (at * 1.7).sin())
        })
        .collect();
    let marks: Vec<&str> = (0..400).map(|at| ["L", "", "l", "", ""][at % 5]).collect();
    let owned = marked(&bars, &marks);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| permuted(&[owned.column()], &Rules::default(), 252.0, 50, 7))
    };
    assert_eq!(run(1), run(4));
    assert!(run(1).p > 0.0 && run(1).p <= 1.0);
}

fn table(text: &str) -> Table {
    Table::read(&File { name: "s.csv".to_owned(), bytes: text.as_bytes().to_vec() }).expect("a table")
}

const THRESHOLDS: Thresholds = Thresholds { enter: 0.01, exit: 0.0, short: true };

#[test]
fn rows_known_late_trade_late() {
    let time: Vec<Ts> = (0..5).map(|day| Ts(day * DAY)).collect();
    let entries = |text: &str| {
        let aligned = table(text).signals("A", &time, &THRESHOLDS).expect("rows on bars");
        (aligned.signals.long_entry.bars().collect::<Vec<_>>(), aligned.without_bar, aligned.too_late)
    };
    // Without known_at: the bar of its time, which trades at the next.
    assert_eq!(entries("date,long_entry\n1970-01-02,1\n1970-01-03,0\n1999-01-01,1\n"), (vec![1], 1, 0));
    // Known at 22:00 of the second day: trades at the third day's open. At midnight: at that very bar's open.
    assert_eq!(entries("date,known_at,long_entry\n1970-01-02,1970-01-02T22:00:00Z,1\n"), (vec![1], 0, 0));
    assert_eq!(entries("date,known_at,long_entry\n1970-01-02,1970-01-02,1\n"), (vec![0], 0, 0));
    // Known after the last bar began: never.
    assert_eq!(
        entries("date,known_at,long_entry\n1970-01-02,1970-01-02,1\n1970-01-02,1970-02-01,1\n"),
        (vec![0], 0, 1)
    );
}

#[test]
fn a_table_in_parquet_is_the_one_in_text() {
    let text = "timestamp,symbol,long_entry,forecast\n1970-01-02,A,1,0.5\n1970-01-03,,0,\n";
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![DAY / 1_000_000, 2 * DAY / 1_000_000]));
    let date: ArrayRef = Arc::new(Date32Array::from(vec![1, 2]));
    // An instant stays the same, whatever zone it is shown in.
    let zoned = TimestampMillisecondArray::from(vec![DAY / 1_000_000, 2 * DAY / 1_000_000]).with_timezone("-05:00");
    let symbol: ArrayRef = Arc::new(StringArray::from(vec![Some("A"), None]));
    let entry: ArrayRef = Arc::new(Int64Array::from(vec![1, 0]));
    let forecast: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None]));
    for time in [time, date, Arc::new(zoned)] {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
            let columns = [("timestamp", &time), ("symbol", &symbol), ("Long_Entry", &entry), ("forecast", &forecast)];
            let batch = RecordBatch::try_from_iter(columns.map(|(name, array)| (name, array.clone()))).unwrap();
            let properties = WriterProperties::builder().set_compression(compression).build();
            let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            let file = File { name: "s.parquet".to_owned(), bytes: writer.into_inner().unwrap() };
            let (read, want) = (Table::read(&file).unwrap().rows, table(text).rows);
            assert_eq!(read.len(), want.len());
            for (read, want) in read.iter().zip(&want) {
                assert_eq!((read.time, &read.symbol), (want.time, &want.symbol));
                assert!(read.same(want), "{read} {want}");
            }
        }
    }
}

#[test]
fn forecasts_become_signals_by_thresholds() {
    let time: Vec<Ts> = (0..4).map(|day| Ts(day * DAY)).collect();
    let text = "time,symbol,forecast\n1970-01-01,a,0.02\n1970-01-02,A,0.005\n1970-01-03,A,-0.02\n1970-01-03,B,0.5\n";
    let aligned = table(text).signals("A", &time, &THRESHOLDS).expect("rows on bars");
    let bars = |bits: &Bits| bits.bars().collect::<Vec<_>>();
    let signals = &aligned.signals;
    assert_eq!([bars(&signals.long_entry), bars(&signals.long_exit)], [vec![0], vec![2]]);
    assert_eq!([bars(&signals.short_entry), bars(&signals.short_exit)], [vec![2], vec![0, 1]]);
    assert_eq!(aligned.rows, 3);
}

#[test]
fn what_is_no_table_is_refused_with_its_place() {
    let refused = |text: &str| {
        let file = File { name: "s.csv".to_owned(), bytes: text.as_bytes().to_vec() };
        Table::read(&file).expect_err("a refusal").to_string()
    };
    expect!["s.csv, line 3: long_entry: found \"maybe\"; expected 1, 0, true, false or nothing"]
        .assert_eq(&refused("time,long_entry\n1970-01-01,1\n1970-01-02,maybe\n"));
    expect!["s.csv: no column of times, or none of signals; found a, b; expected timestamp and one of long_entry, long_exit, short_entry, short_exit, forecast"]
        .assert_eq(&refused("a,b\n1,2\n"));
    let time = [Ts(0)];
    let nowhere = table("time,long_entry\n1999-01-01,1\n").signals("A", &time, &THRESHOLDS);
    assert!(nowhere.is_err_and(|error| error.to_string().contains("none of 1 rows of A")));
}

#[test]
fn an_audit_tells_rows_that_changed_with_the_future() {
    let rows = |text: &str| table(text).rows;
    let with = rows("time,long_entry\n1970-01-01,1\n1970-01-02,0\n1970-01-03,1\n");
    let same = rows("time,long_entry\n1970-01-01,1\n1970-01-02,0\n");
    let other = rows("time,long_entry\n1970-01-01,0\n1970-01-02,0\n");
    assert!(compare_rows(&with, &same, Ts(DAY)).is_clean());
    let audit = compare_rows(&with, &other, Ts(DAY));
    assert_eq!((audit.compared, audit.differences.len()), (2, 1));
    assert!(audit.differences[0].what.contains("1970-01-01"));
    assert_eq!(compare_rows(&with, &same, Ts(2 * DAY)).differences.len(), 1);
}
