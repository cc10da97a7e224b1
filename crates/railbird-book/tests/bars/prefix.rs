//! The prefix law: what was known at a moment does not depend on what came later.

use arrow::array::RecordBatch;

use crate::common::{S, Table, Tick, all, file, made, options, recording, table_of};

/// Bars known at `cut`.
fn known(table: &Table, cut: i64) -> RecordBatch {
    let bars = (0..table.bars()).take_while(|bar| table.time("known_at", *bar) <= cut).count();
    table.0.slice(0, bars)
}

/// Every column of every bar that was known when row `rows - 1` was received, from those rows alone and from all.
///
/// One bar may stand out: the last of the cut file, which no row has closed. It is taken to be whole, so where its end has
/// passed it counts as known, though a row of it is still on its way. The whole then knows it later, for that row.
#[track_caller]
fn check(bytes: &[u8], head: usize, point: i64, cuts: usize, size: &str) {
    let mut options = options();
    options.size = size.parse().unwrap();
    let whole = Table::read(table_of(bytes.to_vec(), &options, point).unwrap().0);
    let rows = (bytes.len() - head) / 368;
    let received = |row: usize| {
        let at = head + 368 * row + 32;
        i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    };
    let mut compared = 0;
    for cut in 1..=cuts {
        // Cuts lie at uneven steps, so that they fall inside bars and events.
        let kept = (rows * cut / cuts).saturating_sub(cut * 7 % 13).clamp(1, rows);
        let latest = (0..kept).map(received).max().unwrap();
        let part = Table::read(table_of(bytes[..head + 368 * kept].to_vec(), &options, point).unwrap().0);
        let (want, mut found) = (known(&whole, latest), known(&part, latest));
        let last = found.num_rows().saturating_sub(1);
        if found.num_rows() == part.bars() && last < part.bars() && whole.time("known_at", last) > latest {
            found = found.slice(0, last);
        }
        assert_eq!(found.num_rows(), want.num_rows(), "cut after {kept} rows");
        for (at, field) in want.schema().fields().iter().enumerate() {
            assert_eq!(found.column(at), want.column(at), "{} cut after {kept} rows", field.name());
        }
        compared += want.num_rows();
    }
    assert!(compared > 0);
}

fn cuts() -> usize {
    if all() { 250 } else { 50 }
}

#[test]
fn no_column_of_a_recording_sees_past_a_cut() {
    let Some(path) = recording("soun_mbp10_20250502_xnas.dbn.zst") else { return };
    let bytes = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    let head = 8 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    // A part of the day keeps 50 cuts short; in full the whole day is cut.
    let rows = if all() { usize::MAX } else { 20_000 };
    let end = bytes.len().min(head.saturating_add(rows.saturating_mul(368)));
    check(&bytes[..end], head, 50_000_000, cuts(), "5s");
    check(&bytes[..end], head, 50_000_000, cuts() / 10, "50t");
}

#[test]
fn no_column_of_rows_that_come_late_sees_past_a_cut() {
    let mut ticks = Vec::new();
    let mut random = 7_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for row in 0..2_000_u64 {
        let time = 1_000 * S + row * 300_000_000 - next(5) * 100_000_000;
        let bids = [(100.0 - next(3) as f64, next(4) as u32 * 5), (96.0, 7)];
        let asks = [(101.0 + next(3) as f64, next(4) as u32 * 5), (106.0, 7)];
        let (action, side) = (['A', 'C', 'M', 'T', 'T', 'R', 'F'][next(7) as usize], ['A', 'B', 'N'][next(3) as usize]);
        let flags = [128, 128, 128, 0, 132, 4, 160, 136][next(8) as usize];
        let mut tick =
            Tick::at(time, action, side, 99.0 + next(5) as f64, next(9) as u32).book(&bids, &asks).flags(flags);
        tick.received = 1_000 * S + row * 300_000_000 + 1_000_000;
        ticks.push(tick.sequence(next(3) as u32));
    }
    let bytes = file(&ticks);
    check(&bytes, bytes.len() - ticks.len() * 368, 1_000_000_000, cuts(), "5s");
}

/// A mean that ran back to a bar's start would be caught: it is what the check is for.
#[test]
fn a_leak_would_be_caught() {
    let early = Tick::at(100 * S, 'A', 'B', 99.0, 1).book(&[(99.0, 1)], &[(101.0, 1)]);
    let later = Tick::at(104 * S, 'A', 'B', 99.0, 1).book(&[(89.0, 1)], &[(91.0, 1)]);
    let whole = made(&[early.clone(), later], |_| {}).0;
    let part = made(&[early], |_| {}).0;
    // The bar is not known at the cut: what it says may differ, and does.
    assert_eq!(known(&part, 104 * S as i64).num_rows(), 0);
    assert_ne!(whole.get("mid_twa", 0), part.get("mid_twa", 0));
}
