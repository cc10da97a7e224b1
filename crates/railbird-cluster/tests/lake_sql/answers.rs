//! Answers, and how much was read for them.

use std::collections::BTreeMap;

use arrow::{array::AsArray as _, datatypes::Float64Type};
use expect_test::expect;

use crate::small_lake::{Quote, ROWS, Way, ask, ask_in, numbers, quotes, told, whole};

fn text(quote: &Quote) -> String {
    let price = quote.price.map_or("-".to_owned(), |price| format!("{price:?}"));
    let note = quote.note.clone().unwrap_or("-".to_owned());
    format!("{}|{}|{}|{price}|{}|{note}", quote.symbol, quote.date, quote.known_at, quote.size)
}

const ALL: &str = "SELECT symbol, date, arrow_cast(known_at, 'Int64'), price, size, note FROM quotes";

#[test]
fn all_rows_are_those_that_were_written_and_none_of_another_symbol() {
    let (_home, lake) = whole();
    let want: Vec<String> = quotes().iter().map(text).collect();
    let (sorted, read) = ask(&lake, &format!("{ALL} ORDER BY symbol, date, known_at")).unwrap();
    assert_eq!(told(&sorted), want);
    assert_eq!((read.partitions, read.partitions_kept, read.files), (15, 15, 15));
    // Partitions lie in order of symbol and date, and rows in that of their files.
    assert_eq!(told(&ask(&lake, ALL).unwrap().0), want);
}

#[test]
fn groups_equal_those_reckoned_plainly() {
    let (_home, lake) = whole();
    let mut groups: BTreeMap<(String, String), Vec<Quote>> = BTreeMap::new();
    for quote in quotes().into_iter().filter(|quote| quote.size >= 10) {
        groups.entry((quote.symbol.clone(), quote.date.clone())).or_default().push(quote);
    }
    let want: Vec<String> = groups
        .iter()
        .map(|((symbol, date), rows)| {
            let prices: Vec<f64> = rows.iter().filter_map(|row| row.price).collect();
            let mean = prices.iter().sum::<f64>() / prices.len() as f64;
            let size: i64 = rows.iter().map(|row| row.size).sum();
            format!("{symbol}|{date}|{}|{}|{size}|{mean:?}", rows.len(), prices.len())
        })
        .collect();
    let sql = "SELECT symbol, date, count(*), count(price), sum(size), avg(price) FROM quotes WHERE size >= 10 \
               GROUP BY symbol, date ORDER BY symbol, date";
    assert_eq!(told(&ask(&lake, sql).unwrap().0), want);
}

#[test]
fn tables_are_joined_and_windows_open() {
    let (_home, lake) = whole();
    let sql = "SELECT q.symbol, count(*) AS rows, sum(q.price - d.price_mean) AS rest FROM quotes q \
               JOIN days d ON q.symbol = d.symbol AND q.date = d.date GROUP BY q.symbol ORDER BY q.symbol";
    let (joined, _) = ask(&lake, sql).unwrap();
    assert_eq!(numbers(&joined, "rows"), [Some(ROWS * 5); 3]);
    let rest: Vec<_> = joined.column_by_name("rest").unwrap().as_primitive::<Float64Type>().iter().collect();
    assert!(rest[..2].iter().all(|rest| rest.unwrap().abs() < 1e-9) && rest[2].is_none(), "{rest:?}");
    let sql = "SELECT symbol, date, rank() OVER (PARTITION BY symbol ORDER BY date DESC) AS rank FROM days \
               WHERE date >= DATE '2024-03-07' ORDER BY symbol, rank";
    expect![[r#"
        [
            "AAA|2024-03-08|1",
            "AAA|2024-03-07|2",
            "BBB|2024-03-08|1",
            "BBB|2024-03-07|2",
            "C.C|2024-03-08|1",
            "C.C|2024-03-07|2",
        ]
    "#]]
    .assert_debug_eq(&told(&ask(&lake, sql).unwrap().0));
}

#[test]
fn only_partitions_that_the_query_asks_for_are_opened() {
    let (_home, lake) = whole();
    let check = |condition: &str, partitions: u64, files: u64| {
        let sql = format!("SELECT count(*) AS rows, min(symbol), max(date) FROM quotes WHERE {condition}");
        let (answer, read) = ask(&lake, &sql).unwrap();
        assert_eq!((read.partitions, read.partitions_kept, read.files), (15, partitions, files), "{condition}");
        numbers(&answer, "rows")[0].unwrap()
    };
    assert_eq!(check("symbol = 'BBB'", 5, 5), 5 * ROWS);
    assert_eq!(check("date = '2024-03-05'", 3, 3), 3 * ROWS);
    assert_eq!(check("symbol IN ('AAA', 'C.C') AND date BETWEEN '2024-03-05' AND '2024-03-06'", 4, 4), 4 * ROWS);
    assert_eq!(check("symbol LIKE 'C%' AND extract(day FROM date) > 7", 1, 1), ROWS);
    assert_eq!(check("symbol = 'AAA' OR date = '2024-03-04'", 7, 7), 7 * ROWS);
    assert_eq!(check("date = '2024-03-05' AND size < 10 AND symbol <> 'AAA'", 2, 2), {
        let kept = quotes().into_iter().filter(|row| row.date == "2024-03-05" && row.size < 10 && row.symbol != "AAA");
        kept.count() as i64
    });
    // A condition on the rows as well: nothing can be left out.
    assert_eq!(check("symbol = 'AAA' OR size < 0", 15, 15), 5 * ROWS);
    assert_eq!(check("symbol = 'ZZZ'", 0, 0), 0);
    assert_eq!(check("date > '2025-01-01'", 0, 0), 0);
    // What another query answers decides rows and not partitions.
    for condition in ["date = (SELECT max(date) FROM days)", "date IN (SELECT max(date) FROM days GROUP BY symbol)"] {
        let (answer, read) = ask(&lake, &format!("SELECT count(*) AS rows FROM quotes WHERE {condition}")).unwrap();
        assert_eq!((numbers(&answer, "rows")[0], read.partitions), (Some(3 * ROWS), 30), "{condition}");
    }
}

#[test]
fn what_manifests_tell_is_not_read_again() {
    let (_home, lake) = whole();
    let (answer, read) = ask(&lake, "SELECT count(*) AS rows FROM days WHERE symbol = 'AAA'").unwrap();
    assert_eq!((numbers(&answer, "rows"), read.files), (vec![Some(5)], 0));
    let (answer, read) = ask(&lake, "SELECT count(*) AS rows FROM halts").unwrap();
    assert_eq!((numbers(&answer, "rows"), read.files), (vec![Some(0)], 0));
}

#[test]
fn tables_columns_and_plans_are_told() {
    let (_home, lake) = whole();
    assert_eq!(told(&ask(&lake, "SHOW TABLES").unwrap().0), ["days", "halts", "quotes"]);
    expect![[r#"
        [
            "symbol|Utf8|YES",
            "known_at|Timestamp(ns, \"UTC\")|YES",
            "price|Float64|YES",
            "size|Int64|YES",
            "note|Utf8|YES",
            "date|Date32|NO",
        ]
    "#]]
    .assert_debug_eq(&told(&ask(&lake, "DESCRIBE quotes").unwrap().0));
    let (plan, read) =
        ask(&lake, "EXPLAIN SELECT price FROM quotes WHERE symbol = 'AAA' AND date = '2024-03-04'").unwrap();
    let plan = told(&plan).join("\n");
    assert!(plan.contains("DataSourceExec") && plan.contains("stage=quotes/symbol=AAA/date=2024-03-04"), "{plan}");
    assert!(!plan.contains("BBB") && read.files == 0, "{plan}");
    let (analysed, read) = ask(&lake, "EXPLAIN ANALYZE SELECT price FROM quotes WHERE date = '2024-03-04'").unwrap();
    assert!(told(&analysed).join("\n").contains("output_rows=120") && read.files == 3, "{:?}", told(&analysed));
}

#[test]
fn an_answer_is_the_same_with_any_number_of_threads() {
    let (_home, lake) = whole();
    for sql in [
        "SELECT symbol, size, price FROM quotes UNION ALL SELECT symbol, rows, price_mean FROM days",
        "SELECT sum(price / 3), avg(price / 7) FROM (SELECT price FROM quotes UNION ALL SELECT price_mean FROM days)",
        "SELECT symbol, sum(price / 3) FROM quotes GROUP BY symbol",
        "SELECT q.price, d.rows FROM quotes q JOIN days d ON q.symbol = d.symbol AND q.date = d.date",
        "SELECT note, price FROM quotes ORDER BY size LIMIT 20",
    ] {
        let want = told(&ask_in(&lake, Way { threads: 1, ..Way::default() }, sql).unwrap().0);
        assert!(!want.is_empty(), "{sql}");
        for _ in 0..3 {
            assert_eq!(told(&ask_in(&lake, Way { threads: 4, ..Way::default() }, sql).unwrap().0), want, "{sql}");
        }
    }
    let sql = "SELECT symbol, date, count(*), sum(size) FROM quotes GROUP BY 1, 2 ORDER BY 1, 2";
    let parts = ask_in(&lake, Way { partitions: 3, ..Way::default() }, sql).unwrap();
    assert_eq!(told(&parts.0), told(&ask(&lake, sql).unwrap().0));
}

#[test]
fn memory_is_bounded_and_what_exceeds_it_is_spilled() {
    let (_home, lake) = whole();
    let sql = "SELECT a.price, b.size, a.note FROM quotes a CROSS JOIN (SELECT size FROM quotes LIMIT 200) b \
               ORDER BY a.price, b.size, a.note";
    let want = told(&ask(&lake, sql).unwrap().0);
    assert_eq!(want.len(), 600 * 200);
    let small = Way { memory_bytes: 16 << 20, ..Way::default() };
    assert_eq!(told(&ask_in(&lake, small, sql).unwrap().0), want);
    let none = Way { memory_bytes: 10_000, ..Way::default() };
    let error = ask_in(&lake, none, sql).unwrap_err().to_string();
    assert!(error.contains("10000 bytes") && error.contains("--memory"), "{error}");
}
