//! Formats: the same rows give the same bars, and what is not a book is refused with a reason.

use expect_test::expect;

use crate::common::{S, Table, Tick, made, options, recording, table_of};

/// Every conformance file is read, or refused with a reason.
#[test]
fn conformance_files_read_or_say_why_not() {
    let Some(folder) = recording("dbn") else { return };
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in &names {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match table_of(std::fs::read(path).unwrap(), &options(), 1_000_000_000) {
            Ok((bytes, report)) => {
                assert!(!name.ends_with("dbz"), "{name}");
                assert_eq!((report.rows, report.rejected.len()), (2, 0), "{name}: {report:?}");
                assert_eq!(report.cut_short, None, "{name}");
                let table = Table::read(bytes);
                let rows: f64 = (0..table.bars()).map(|bar| table.get("msg_all_sum", bar).unwrap()).sum();
                assert_eq!(rows, 2.0, "{name}");
                let no_levels = name.contains("trades");
                let known = (0..table.bars()).any(|bar| table.get("mid_eob", bar).is_some());
                assert!(!(no_levels && known), "{name}");
                let deep = name.contains("mbp-10") || name.contains("mbo");
                assert_eq!(table.get("flow_add_bid_p1_sum", 0).is_some(), deep, "{name}");
            }
            Err(error) => {
                assert!(name.ends_with("dbz"), "{name}: {error}");
                expect!["is DBZ, the format before DBN; convert it to DBN"].assert_eq(&error.to_string());
            }
        }
    }
}

#[test]
fn what_holds_no_ticks_is_refused_with_a_reason() {
    let refusal = |bytes: &[u8]| table_of(bytes.to_vec(), &options(), 1).unwrap_err().to_string();
    expect!["its DBN head is not whole (3 of 8 bytes); get the file again"].assert_eq(&refusal(b"DBN"));
    expect!["is DBN of version 9, expected 1, 2 or 3; convert it"].assert_eq(&refusal(b"DBN\x09\0\0\0\0"));
    expect!["has no column ts_event; expected the column names of DBN's text form: ts_event, action, side, price, size, flags, sequence, and bid_px_00 and so on or order_id"].assert_eq(&refusal(b"time,price\n1,2\n"));
    assert!(refusal(b"PAR1 but not really").starts_with("cannot be read as Parquet"));
    assert!(refusal(&[0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]).contains("cannot be read"));
}

#[test]
fn a_file_that_ends_within_a_record_gives_what_came() {
    let ticks: Vec<Tick> =
        (0..5).map(|row| Tick::at((100 + row) * S, 'A', 'B', 99.0, 1).book(&[(99.0, 1)], &[(101.0, 1)])).collect();
    let whole = crate::common::file(&ticks);
    let (_, report) = table_of(whole[..whole.len() - 100].to_vec(), &options(), 1).unwrap();
    assert_eq!(report.rows, 4);
    assert!(report.cut_short.is_some_and(|reason| reason.contains("268 bytes came, then the file ends")));
    // Long enough for several blocks, so that something came before the damage.
    let mut random = 1_u64;
    let long: Vec<Tick> = (0..4_000_u64)
        .map(|row| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let size = (random >> 40) as u32 + 1;
            Tick::at((100 + row) * S, 'A', 'B', 99.0, size).book(&[(99.0, size)], &[(101.0, size / 3 + 1)])
        })
        .collect();
    let packed = zstd::encode_all(&crate::common::file(&long)[..], 3).unwrap();
    let (_, report) = table_of(packed[..packed.len() - 20].to_vec(), &options(), 1).unwrap();
    assert!(report.rows > 100 && report.rows < 4_000, "{report:?}");
    assert!(report.cut_short.is_some_and(|reason| reason.starts_with("reading ended after byte")));
}

#[test]
fn csv_with_decimals_and_with_whole_numbers_says_the_same() {
    let head = "ts_event,ts_recv,action,side,price,size,flags,sequence,symbol,bid_px_00,bid_sz_00,bid_ct_00,ask_px_00,ask_sz_00,ask_ct_00\n";
    let one = "100000000000,100000000165,A,B,9.5,0.25,128,1,ABC,9.5,0.25,1,9.6,4,2\n";
    let two = "1970-01-01T00:01:40Z,1970-01-01T00:01:40.000000165Z,A,B,9500000000,0.250,128,1,ABC,9500000000,.25,1,9600000000,4.0,2\n";
    let table = |line: &str| {
        let (bytes, report) = table_of(format!("{head}{line}").into_bytes(), &options(), 50_000_000).unwrap();
        assert_eq!(report.rejected.len(), 0, "{report:?}");
        Table::read(bytes)
    };
    let (first, second) = (table(one), table(two));
    assert_eq!(first.0, second.0);
    assert_eq!(first.symbol(0), "ABC");
    expect!["9.55 9.505882 0.25 - - -"].assert_eq(&first.show(&[
        "mid_eob",
        "wmid_twa",
        "sz_bid_l0_eob",
        "imb_10_eob",
        "px_bid_l1_eob",
        "ofi_5_sum",
    ]));
    let (_, report) = table_of(format!("{head}{}", one.replace("0.25", "-1")).into_bytes(), &options(), 1).unwrap();
    assert_eq!(report.rejected.get("size below 0 or too large"), Some(&1));
}

/// The book that is built from orders is the one that was published as levels.
#[test]
fn a_book_from_orders_is_the_published_one() {
    let (Some(orders), Some(levels)) = (recording("arl_20250717_mbo.csv.zst"), recording("arl_20250717_mbp10.csv.zst"))
    else {
        return;
    };
    let table = |path: std::path::PathBuf| {
        let mut options = options();
        options.size = "60s".parse().unwrap();
        Table::read(table_of(std::fs::read(path).unwrap(), &options, 50_000_000).unwrap().0)
    };
    let (orders, levels) = (table(orders), table(levels));
    let first = levels.time("bar_start", 0).max(orders.time("bar_start", 0));
    let place = |table: &Table, time: i64| (0..table.bars()).find(|bar| table.time("bar_start", *bar) == time);
    let (mut from, mut at) = (place(&orders, first).unwrap(), place(&levels, first).unwrap());
    let (mut same, mut all, mut same_tenth) = (0, 0, 0);
    while from < orders.bars() && at < levels.bars() {
        for side in ["bid", "ask"] {
            for level in 0..10 {
                for what in ["px", "sz", "ct"] {
                    let column = format!("{what}_{side}_l{level}_eob");
                    let equal = u32::from(orders.get(&column, from) == levels.get(&column, at));
                    if level < 9 {
                        (all, same) = (all + 1, same + equal);
                    } else {
                        same_tenth += equal;
                    }
                }
            }
        }
        (from, at) = (from + 1, at + 1);
    }
    assert!(all > 10_000);
    assert_eq!(same, all, "cells of the first nine levels at the bars' ends");
    // The published rows do not tell every change of the tenth level, which depends on orders beyond it.
    assert!(same_tenth * 9 >= all - all / 1000, "{same_tenth} cells of the tenth level, of {}", all / 9);
}

/// Neighbouring rows with one time keep their order: sorting them by time would make another book.
#[test]
fn file_order_is_kept() {
    let a = Tick::at(100 * S, 'A', 'B', 99.0, 1).book(&[(99.0, 1)], &[(101.0, 1)]);
    let b = Tick::at(100 * S, 'A', 'B', 98.0, 1).book(&[(98.0, 7)], &[(101.0, 1)]);
    let eob = |ticks: &[Tick]| made(ticks, |_| {}).0.get("sz_bid_l0_eob", 0);
    assert_eq!((eob(&[a.clone(), b.clone()]), eob(&[b, a])), (Some(7.0), Some(1.0)));
}
