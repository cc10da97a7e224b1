//! The simulator against its own truth and its targets, read with the `dbn` crate alone.
#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a test that fails")]

use std::collections::BTreeMap;

use dbn::{
    MboMsg, Mbp10Msg, Metadata, UNDEF_PRICE,
    decode::{DbnMetadata, DecodeRecord, dbn::Decoder},
};
use jiff::civil::{Date, date};
use railbird_book::simulate::{BookFaults, BookSchema, DayTruth, Range, SimulateOptions, Simulator, targets_table};

const MONDAY: Date = date(2026, 3, 2);
const LAST: u8 = 128;
const SNAPSHOT: u8 = 32;
const BAD_TS: u8 = 8;
const BAD_BOOK: u8 = 4;

fn small() -> SimulateOptions {
    SimulateOptions { rows: 60_000, seed: 7, ..SimulateOptions::default() }
}

#[track_caller]
fn one_day(options: &SimulateOptions) -> (Vec<u8>, DayTruth) {
    Simulator::new(options.clone()).unwrap().day(MONDAY, Vec::new()).unwrap()
}

fn decoder(bytes: &[u8]) -> Decoder<impl std::io::Read> {
    Decoder::new(zstd::stream::read::Decoder::new(bytes).unwrap()).unwrap()
}

fn metadata(bytes: &[u8]) -> Metadata {
    decoder(bytes).metadata().clone()
}

fn levels(bytes: &[u8]) -> Vec<Mbp10Msg> {
    let mut decoder = decoder(bytes);
    let mut rows = Vec::new();
    while let Some(row) = decoder.decode_record::<Mbp10Msg>().unwrap() {
        rows.push(row.clone());
    }
    rows
}

fn orders(bytes: &[u8]) -> Vec<MboMsg> {
    let mut decoder = decoder(bytes);
    let mut rows = Vec::new();
    while let Some(row) = decoder.decode_record::<MboMsg>().unwrap() {
        rows.push(row.clone());
    }
    rows
}

fn letter(value: std::ffi::c_char) -> u8 {
    value as u8
}

#[test]
fn a_day_has_the_shape_of_real_files() {
    let (bytes, truth) = one_day(&SimulateOptions::default());
    let targets = truth.statistics.against_targets();
    assert!(targets.iter().all(|target| target.holds()), "{}", targets_table(&targets));
    assert_eq!(truth.statistics.bytes, bytes.len() as u64);
    // What the simulator counts of itself is what the file holds.
    let mut decoder = decoder(&bytes);
    let (mut rows, mut trades, mut unknown, mut first, mut shared) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut bars = BTreeMap::<u64, u64>::new();
    let mut before = (0, false);
    while let Some(row) = decoder.decode_record::<Mbp10Msg>().unwrap() {
        rows += 1;
        trades += u64::from(letter(row.action) == b'T');
        unknown += u64::from(letter(row.action) == b'T' && letter(row.side) == b'N');
        first += u64::from(row.depth == 0);
        let ties = row.hd.ts_event == before.0;
        shared += u64::from(ties) + u64::from(ties && !before.1);
        before = (row.hd.ts_event, ties);
        *bars.entry(row.hd.ts_event / 5_000_000_000).or_default() += 1;
    }
    let statistics = truth.statistics;
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    assert_eq!(rows, statistics.rows);
    assert_eq!(share(trades, rows), statistics.trades);
    assert_eq!(share(unknown, trades), statistics.trades_unknown);
    assert_eq!(share(first, rows), statistics.first_level);
    assert_eq!(share(shared, rows), statistics.sharing_time);
    let span = bars.last_key_value().unwrap().0 - bars.first_key_value().unwrap().0 + 1;
    assert_eq!(span, statistics.bars);
    let mut counts: Vec<u64> = bars.values().copied().collect();
    counts.resize(span as usize, 0);
    counts.sort_unstable();
    let p99 = counts[counts.len() * 99 / 100] as f64;
    assert_eq!(p99 / (rows as f64 / span as f64), statistics.burstiness);
}

#[test]
fn the_seed_decides_every_byte() {
    let (bytes, truth) = one_day(&small());
    assert_eq!(one_day(&small()), (bytes.clone(), truth));
    assert_ne!(one_day(&SimulateOptions { seed: 8, ..small() }).0, bytes);
}

#[test]
fn every_row_is_a_book_and_follows_the_feed_s_rules() {
    let options = small();
    let (bytes, truth) = one_day(&options);
    let rows = levels(&bytes);
    assert_eq!(rows.len() as u64, truth.statistics.rows);
    let (mut fills, mut inside, mut wide_events) = (0, 0, 0);
    for (index, row) in rows.iter().enumerate() {
        let best = &row.levels[0];
        assert!(best.bid_px < best.ask_px, "row {index} is crossed");
        for pair in row.levels.windows(2) {
            assert!(pair[0].bid_px > pair[1].bid_px && pair[0].ask_px < pair[1].ask_px, "row {index}: order of levels");
        }
        for level in &row.levels {
            assert!(
                level.bid_sz >= level.bid_ct && level.bid_ct > 0 && level.ask_sz >= level.ask_ct && level.ask_ct > 0
            );
            assert!(level.bid_px % options.tick == 0 && level.ask_px % options.tick == 0);
        }
        let Some(before) = index.checked_sub(1).map(|index| &rows[index]) else { continue };
        assert!(
            row.hd.ts_event >= before.hd.ts_event && row.ts_recv >= before.ts_recv && row.ts_recv > row.hd.ts_event
        );
        assert!(row.sequence >= before.sequence);
        let (action, side) = (letter(row.action), letter(row.side));
        if action == b'T' && side != b'N' {
            // The book before the fill: the size is still there, on the other side of the aggressor.
            let (price, size) = if side == b'A' { (best.bid_px, best.bid_sz) } else { (best.ask_px, best.ask_sz) };
            assert!(row.price == price && row.size <= size, "row {index}");
            inside += usize::from(row.flags.raw() & LAST == 0);
            if row.flags.raw() & LAST != 0 {
                let after = &rows[index + 1];
                assert_eq!((letter(after.action), after.size, after.price), (b'C', row.size, row.price), "row {index}");
                assert_eq!((after.hd.ts_event, after.sequence), (row.hd.ts_event, row.sequence), "row {index}");
                assert_ne!(letter(after.side), side);
                assert_ne!(after.flags.raw() & LAST, 0);
                fills += 1;
            }
        }
        if action == b'T' && side == b'N' && letter(before.action) != b'T' {
            assert_eq!(row.levels, before.levels, "row {index}: a hidden trade leaves the book");
        }
        wide_events += usize::from(before.flags.raw() & LAST == 0 && row.hd.ts_event > before.hd.ts_event);
    }
    assert!(fills > 500 && inside > 500, "{fills} fills, {inside} trades inside events");
    assert!(wide_events > 20, "{wide_events} events hold several times");
    let header = metadata(&bytes);
    assert_eq!(header.mappings[0].raw_symbol, "SIM");
    assert_eq!(header.schema, Some(dbn::Schema::Mbp10));
}

#[test]
fn true_levels_are_those_of_the_trades_in_the_file() {
    let (bytes, truth) = one_day(&small());
    let mut range: BTreeMap<&str, Range> = BTreeMap::new();
    let mut note = |name, price| {
        let range = range.entry(name).or_insert(Range { first: price, high: price, low: price, last: price });
        (range.high, range.low, range.last) = (range.high.max(price), range.low.min(price), price);
    };
    let minute = 60_000_000_000;
    let mut volume = 0;
    for row in levels(&bytes).iter().filter(|row| letter(row.action) == b'T') {
        volume += u64::from(row.size);
        note("day", row.price);
        let since_open = row.hd.ts_event as i64 - truth.open_ns;
        if (-330 * minute..0).contains(&since_open) {
            note("pre-market", row.price);
        }
        for (name, minutes) in [("regular", 390), ("5", 5), ("15", 15), ("30", 30)] {
            if (0..minutes * minute).contains(&since_open) {
                note(name, row.price);
            }
        }
    }
    let levels = truth.levels;
    assert_eq!(volume, truth.volume);
    for (name, told) in [
        ("day", levels.day),
        ("pre-market", levels.pre_market),
        ("regular", levels.regular),
        ("5", levels.opening_5_min),
        ("15", levels.opening_15_min),
        ("30", levels.opening_30_min),
    ] {
        assert_eq!(range.get(name).copied(), told, "{name}");
    }
    assert_eq!(levels.prior_regular, None);
}

#[test]
fn orders_build_the_same_ten_levels() {
    let options = small();
    let (bytes, _) = one_day(&options);
    let (order_bytes, _) = one_day(&SimulateOptions { schema: BookSchema::Mbo, ..options });
    let shown = levels(&bytes);
    let rows = orders(&order_bytes);
    let mut book: BTreeMap<u64, (u8, i64, u32)> = BTreeMap::new();
    let mut at = 0;
    let mut checked = 0;
    for row in &rows {
        let side = letter(row.side);
        match letter(row.action) {
            b'R' => book.clear(),
            b'A' => {
                assert!(book.insert(row.order_id, (side, row.price, row.size)).is_none());
            }
            b'C' => {
                let order = book.get_mut(&row.order_id).expect("an order that stands");
                order.2 -= row.size;
                if order.2 == 0 {
                    book.remove(&row.order_id);
                }
            }
            _ => continue,
        }
        // The same row among the levels, if it is shown there: the same time, sequence, action and size.
        let told = shown.get(at).filter(|told| letter(told.action) != b'T');
        let Some(told) = told.or_else(|| {
            while shown.get(at).is_some_and(|told| letter(told.action) == b'T') {
                at += 1;
            }
            shown.get(at)
        }) else {
            break;
        };
        let key = (told.hd.ts_event, told.sequence, told.action, told.side, told.price, told.size);
        if key != (row.hd.ts_event, row.sequence, row.action, row.side, row.price, row.size) {
            continue;
        }
        at += 1;
        checked += 1;
        if checked % 97 != 0 {
            continue;
        }
        for (side, sign) in [(b'B', -1), (b'A', 1)] {
            let mut plain: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
            for (_, price, size) in book.values().filter(|order| order.0 == side) {
                let level = plain.entry(sign * price).or_default();
                *level = (level.0 + size, level.1 + 1);
            }
            let ten: Vec<(i64, u32, u32)> =
                plain.iter().take(10).map(|(price, &(size, count))| (sign * price, size, count)).collect();
            let there: Vec<(i64, u32, u32)> = told
                .levels
                .iter()
                .map(|level| match side {
                    b'B' => (level.bid_px, level.bid_sz, level.bid_ct),
                    _ => (level.ask_px, level.ask_sz, level.ask_ct),
                })
                .collect();
            assert_eq!(ten, there, "row {at} of the levels");
        }
    }
    let changes = shown.iter().filter(|row| letter(row.action) != b'T').count();
    assert!(checked + 5 >= changes, "{checked} of {changes} rows of levels are told by orders");
}

#[test]
fn days_go_on_from_one_another_and_share_no_bar() {
    let mut simulator = Simulator::new(small()).unwrap();
    let (first, one) = simulator.day(MONDAY, Vec::new()).unwrap();
    let (second, two) = simulator.day(MONDAY.tomorrow().unwrap(), Vec::new()).unwrap();
    let (first, second) = (levels(&first), levels(&second));
    let bar = |row: &Mbp10Msg| row.hd.ts_event / 5_000_000_000;
    let (end, start) = (first.last().unwrap(), second.first().unwrap());
    assert!(end.hd.ts_event as i64 >= one.end_ns && bar(end) < bar(start));
    let far = (end.levels[0].bid_px - start.levels[0].bid_px).abs();
    assert!(far <= 4 * small().tick, "the price goes on: {far}");
    assert_eq!(two.levels.prior_regular, one.levels.regular);
    assert!(one.levels.regular.is_some());
    // Neither the same day again nor an earlier one.
    assert!(simulator.day(MONDAY.tomorrow().unwrap(), Vec::new()).is_err());
    assert!(simulator.day(MONDAY, Vec::new()).is_err());
}

#[test]
fn faults_are_in_the_file_as_often_as_the_truth_says() {
    let clean = one_day(&small());
    let options = SimulateOptions { faults: BookFaults::all(), ..small() };
    let (bytes, truth) = one_day(&options);
    assert_eq!(truth.faults, BookFaults::all());
    // The market goes its own way: faults do not change what is traded.
    assert_eq!((truth.trades, truth.children), (clean.1.trades, clean.1.children));
    let rows = levels(&bytes);
    let count = |is: &dyn Fn(&Mbp10Msg) -> bool| rows.iter().filter(|row| is(row)).count() as u32;
    assert_eq!(count(&|row| letter(row.action) == b'R'), 5);
    assert_eq!(count(&|row| row.hd.ts_event == u64::MAX), 20);
    assert_eq!(count(&|row| row.flags.raw() & BAD_BOOK != 0), 60);
    assert_eq!(count(&|row| row.flags.raw() & SNAPSHOT != 0), 12);
    assert!(count(&|row| row.flags.raw() & BAD_TS != 0) >= 80);
    let has =
        |row: &Mbp10Msg, bid: bool| (if bid { row.levels[0].bid_px } else { row.levels[0].ask_px }) != UNDEF_PRICE;
    let crossed = count(&|row| has(row, true) && has(row, false) && row.levels[0].bid_px > row.levels[0].ask_px);
    let locked = count(&|row| has(row, true) && row.levels[0].bid_px == row.levels[0].ask_px);
    assert!(crossed >= 40 && locked >= 40, "{crossed} crossed, {locked} locked");
    assert!(count(&|row| has(row, true) != has(row, false)) > 8);
    let mut latest = 0;
    let mut late = 0;
    for row in rows.iter().filter(|row| row.hd.ts_event != u64::MAX) {
        late += u32::from(row.hd.ts_event < latest);
        latest = latest.max(row.hd.ts_event);
    }
    assert_eq!(late, 200);
}

#[test]
fn what_cannot_be_simulated_is_refused_with_a_reason() {
    #[track_caller]
    fn check(options: SimulateOptions, part: &str) {
        let error = Simulator::new(options).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    check(SimulateOptions { time_zone: "Mars/Olympus".to_owned(), ..small() }, "Mars/Olympus");
    check(SimulateOptions { symbol: String::new(), ..small() }, "symbol");
    check(SimulateOptions { rows: 3, ..small() }, "1,000");
    check(SimulateOptions { tick: 0, ..small() }, "tick");
    check(SimulateOptions { tick: 250_000_000, start_price: 1_000_000_000, ..small() }, "ticks");
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no room"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = Simulator::new(small()).unwrap().day(MONDAY, Full).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("no room"), "{error}");
}
