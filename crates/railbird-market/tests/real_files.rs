//! Every real file is read or refused with its reason, and traps are caught by rule.

mod common;

use common::{files_below, market, series, symbol};
use railbird_market::data::{Adjustment, Breaks, LoadOptions, Reason};

#[test]
fn every_real_file_is_read_and_nothing_crashes() {
    let Some(folder) = market() else { return };
    let files = files_below(&folder);
    assert!(files.len() > 60, "{} files", files.len());
    for adjust in [Adjustment::None, Adjustment::Splits, Adjustment::All] {
        for path in &files {
            let options = LoadOptions { adjust, ..LoadOptions::default() };
            let series = series(path, &options).unwrap_or_else(|error| panic!("{error}"));
            let covered: usize = series.segments.iter().map(|segment| segment.rows.len()).sum();
            assert_eq!(covered, series.bars.len(), "{}", path.display());
            for segment in &series.segments {
                let bars = series.segment_bars(segment);
                for at in 1..bars.len() {
                    let factor = bars.open[at] / bars.close[at - 1];
                    assert!(
                        (1.0 / 1.4..=1.4).contains(&factor) || adjust == Adjustment::All,
                        "{} {factor}",
                        path.display()
                    );
                    assert!(bars.low[at] > 0.0 && bars.low[at] <= bars.high[at]);
                }
            }
        }
    }
}

#[test]
fn a_refusal_of_breaks_says_where_and_why() {
    let Some(folder) = market() else { return };
    let options = LoadOptions { breaks: Breaks::Refuse, ..LoadOptions::default() };
    let mut refused = 0;
    for path in files_below(&folder) {
        let split = series(&path, &LoadOptions::default()).expect("read");
        match series(&path, &options) {
            Ok(_) => assert!(split.findings.breaks.is_empty(), "{}", path.display()),
            Err(error) => {
                refused += 1;
                let first = &split.findings.breaks[0];
                let message = error.to_string();
                assert!(message.starts_with(&symbol(&path)), "{message}");
                assert!(
                    message.contains(&first.to.to_string()) && message.contains(&first.reason.to_string()),
                    "{message}"
                );
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

/// Breaks of a daily file as text.
fn breaks(file: &str, options: &LoadOptions) -> Option<Vec<String>> {
    let series = series(&market()?.join("daily").join(file), options).expect("read");
    let show = |found: &railbird_market::data::Break| {
        let kind = match found.reason {
            Reason::Hole { .. } => "hole",
            Reason::Jump { .. } => "jump",
            Reason::Split { .. } => "split",
        };
        format!("{} {kind}", &found.to.to_string()[..10])
    };
    Some(series.findings.breaks.iter().map(show).collect())
}

#[test]
fn reused_tickers_break_where_the_other_company_begins() {
    let raw = LoadOptions::default();
    for (file, day) in [("USO", "2006-04-10"), ("EEM", "2003-04-11"), ("FB", "2012-05-18"), ("QQQ", "2011-03-23")] {
        let Some(found) = breaks(&format!("lean-1998-2021/{file}.csv"), &raw) else { return };
        assert!(found.contains(&format!("{day} hole")), "{file}: {found:?}");
    }
}

#[test]
fn a_hole_in_a_market_that_never_closes_breaks_it() {
    for file in ["BTCUSD", "ETHUSD", "LTCUSD"] {
        let Some(found) = breaks(&format!("crypto-2014-2020/{file}.csv"), &LoadOptions::default()) else { return };
        assert_eq!(found, ["2019-04-01 hole"], "{file}");
    }
}

#[test]
fn told_splits_break_unless_they_are_applied_and_real_jumps_always_do() {
    let raw = LoadOptions::default();
    let Some(found) = breaks("lean-1998-2021/AAPL.csv", &raw) else { return };
    let splits = ["2000-06-21 split", "2005-02-28 split", "2014-06-09 split", "2020-08-31 split"];
    assert_eq!(found.iter().filter(|found| found.ends_with("split")).collect::<Vec<_>>(), splits);
    let adjusted = LoadOptions { adjust: Adjustment::Splits, ..raw };
    assert_eq!(breaks("lean-1998-2021/AAPL.csv", &adjusted).expect("there"), ["2000-09-29 jump"]);
    // The same company from another source, which tells of splits in a column.
    let wiki = breaks("wiki/AAPL_1980_2018.csv", &adjusted).expect("there");
    assert_eq!(wiki, ["2000-09-29 jump"]);
    // Eight for one, backwards.
    let uso = breaks("lean-1998-2021/USO.csv", &adjusted).expect("there");
    assert!(!uso.iter().any(|found| found.starts_with("2020-04-29")), "{uso:?}");
}

#[test]
fn adjusted_prices_of_two_sources_move_alike_and_never_change_the_past() {
    let Some(folder) = market() else { return };
    let options = LoadOptions { adjust: Adjustment::Splits, ..LoadOptions::default() };
    let lean = series(&folder.join("daily/lean-1998-2021/AAPL.csv"), &options).expect("read");
    let wiki = series(&folder.join("daily/wiki/AAPL_1980_2018.csv"), &options).expect("read");
    let (lean, wiki) = (lean.segment_bars(lean.newest()), wiki.segment_bars(wiki.newest()));
    let mut compared = 0;
    for at in 1..lean.len() {
        let Ok(other) = wiki.time.binary_search(&lean.time[at]) else { continue };
        if other == 0 || wiki.time[other - 1] != lean.time[at - 1] {
            continue;
        }
        let moves = [lean.close[at] / lean.close[at - 1], wiki.close[other] / wiki.close[other - 1]];
        compared += usize::from((moves[0] - moves[1]).abs() < 0.02);
    }
    assert!(compared > 4300, "{compared}");
    // Cut before the last split: what is left is the same.
    let cut = lean.time.partition_point(|time| time.to_string().as_str() < "2020-08-01");
    let text = std::fs::read_to_string(folder.join("daily/lean-1998-2021/AAPL.csv")).expect("read");
    let short: String = text
        .lines()
        .filter(|line| *line < "2020-08-01" || line.starts_with('t'))
        .map(|line| format!("{line}\n"))
        .collect();
    let file = railbird_market::data::File { name: "AAPL.csv".to_owned(), bytes: short.into_bytes() };
    let factors = common::read(&folder.join("daily/lean-1998-2021/AAPL.factors"));
    let cut_series = railbird_market::data::load("AAPL", &[file], Some(&factors), &options).expect("read");
    let cut_bars = cut_series.segment_bars(cut_series.newest());
    assert_eq!(cut_bars, lean.slice(0..cut));
}

#[test]
fn bids_and_asks_are_read_beside_the_middle() {
    let Some(folder) = market() else { return };
    let series = series(&folder.join("hourly/EURUSD_oanda_lean.csv.gz"), &LoadOptions::default()).expect("read");
    let spread = series.findings.spread_bp.expect("quotes");
    assert!(spread > 0.1 && spread < 20.0, "{spread}");
    assert_eq!(series.findings.zero_volume, series.bars.len());
}
