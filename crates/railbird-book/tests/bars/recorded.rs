//! Recordings: the same bars from every format and on any number of threads, and those of the plain reading in Python.

use std::{path::Path, process::Command};

use crate::common::{Table, options, recording, table_of};

#[test]
fn one_thread_or_many_give_the_same_bytes() {
    let Some(path) = recording("soun_mbp10_20250502_xnas.dbn.zst") else { return };
    let bytes = std::fs::read(path).unwrap();
    let table = |threads| {
        let mut options = options();
        options.threads = threads;
        table_of(bytes.clone(), &options, 50_000_000).unwrap()
    };
    let (one, report) = table(1);
    assert_eq!((report.rows, report.columns, report.rejected.len()), (121_619, 292, 0));
    for threads in [2, 3, 8] {
        assert!(table(threads).0 == one, "{threads} threads");
    }
}

/// DBN and Parquet of the same rows; the Parquet file has no time of receipt, the DBN file no symbol.
#[test]
fn dbn_and_parquet_say_the_same() {
    let (Some(dbn), Some(parquet)) =
        (recording("soun_mbp10_20250502_xnas.dbn.zst"), recording("soun_mbp10_20250502_xnas.parquet"))
    else {
        return;
    };
    let table = |path| Table::read(table_of(std::fs::read(path).unwrap(), &options(), 50_000_000).unwrap().0);
    let (dbn, parquet) = (table(dbn), table(parquet));
    assert_eq!(dbn.bars(), parquet.bars());
    for (at, field) in dbn.0.schema().fields().iter().enumerate() {
        if !["symbol", "known_at"].contains(&field.name().as_str()) {
            assert_eq!(dbn.0.column(at), parquet.0.column(at), "{}", field.name());
        }
    }
}

/// Every column of every recording of ten levels against the plain reading, which takes half a minute.
#[test]
fn every_column_equals_the_plain_reading() {
    if !crate::common::all() {
        eprintln!("SKIPPED: the comparison with the plain reading takes a minute; set RAILBIRD_TEST_ALL");
        return;
    }
    let oracles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/oracles");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, point, text) in [
        ("soun_mbp10_20250502_xnas.dbn.zst", 50_000_000, "0.05"),
        ("binance_cm_btcusd_20240808_mbp10like.parquet", 5_000_000_000, "5"),
        ("binance_usdm_btcusdt_20240808_mbp10like.parquet", 5_000_000_000, "5"),
        ("arl_20250717_mbp10.csv.zst", 50_000_000, "0.05"),
    ] {
        let Some(path) = recording(name) else { return };
        let mut options = options();
        options.unnamed = name.split('.').next().unwrap_or_default().to_owned();
        let (ours, theirs) =
            (folder.join(format!("{name}.ours.parquet")), folder.join(format!("{name}.plain.parquet")));
        std::fs::write(&ours, table_of(std::fs::read(&path).unwrap(), &options, point).unwrap().0).unwrap();
        let python = |script: &str, arguments: &[&std::ffi::OsStr]| {
            let ended = Command::new("python3").arg(oracles.join(script)).args(arguments).output();
            let ended = ended.expect("python3 is there");
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            assert!(ended.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&ended.stderr));
            said
        };
        let (out, point_flag) = ("--out".as_ref(), "--point".as_ref());
        python("book_bars.py", &[path.as_ref(), out, theirs.as_ref(), point_flag, text.as_ref()]);
        assert!(python("book_compare.py", &[ours.as_ref(), theirs.as_ref()]).starts_with("equal"));
    }
}
