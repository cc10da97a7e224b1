//! What is refused, and in which words.

use expect_test::{Expect, expect};
use railbird_cluster::Error;
use railbird_lake::Lake;

use crate::small_lake::{ask, open, whole};

#[track_caller]
fn check(lake: &Lake, sql: &str, want: Expect) {
    let error = ask(lake, sql).unwrap_err();
    assert!(error.is_usage(), "{error:?}");
    want.assert_eq(&error.to_string());
}

#[test]
fn a_lake_is_only_read() {
    let (home, lake) = whole();
    let out = home.path().join("out.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", out.display());
    let external = format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}'", home.path().display());
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        external.as_str(),
        "DROP TABLE quotes",
        "INSERT INTO quotes SELECT * FROM quotes",
        "UPDATE quotes SET size = 0",
        "DELETE FROM quotes",
        "TRUNCATE TABLE quotes",
        copy.as_str(),
        "EXPLAIN ANALYZE INSERT INTO days SELECT * FROM days",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
    ] {
        let error = ask(&lake, sql).unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{sql}: {error:?}");
    }
    assert!(!out.exists());
    check(
        &lake,
        "drop table quotes",
        expect!["DROP: a lake is only read here; expected SELECT, WITH, VALUES, SHOW TABLES, DESCRIBE or EXPLAIN"],
    );
    // Files of this machine are no tables.
    let file = home.path().join("x.csv");
    std::fs::write(&file, "a\n1\n").unwrap();
    assert!(ask(&lake, &format!("SELECT * FROM '{}'", file.display())).unwrap_err().is_usage());
}

#[test]
fn what_is_wrong_is_shown_with_its_place() {
    let (_home, lake) = whole();
    check(
        &lake,
        "SELECT price\nFROM quotes WHER size > 1",
        expect![[r#"
        line 2, column 18: Expected: end of statement, found: size
          FROM quotes WHER size > 1
                           ^"#]],
    );
    check(&lake, "SELECT (1", expect!["Expected: ), found: EOF"]);
    check(&lake, "", expect!["expected a statement, found none"]);
    check(&lake, "SELECT 1; SELECT 2", expect!["expected one statement, found several; give them one after another"]);
    check(
        &lake,
        "SELECT prise FROM quotes",
        expect![[r#"
            line 1, column 8: column prise: not there, did you mean quotes.price?; there are symbol, known_at, price, size, note, date
              SELECT prise FROM quotes
                     ^"#]],
    );
    check(
        &lake,
        "SELECT price\nFROM quotes\nWHERE q.size = 1",
        expect![[r#"
            line 3, column 7: column q.size: not there, did you mean quotes.size?; there are symbol, known_at, price, size, note, date
              WHERE q.size = 1
                    ^"#]],
    );
    check(
        &lake,
        "SELECT nothing(price) FROM quotes",
        expect![[r#"
            line 1, column 8: Invalid function 'nothing'; Possible function 'contains'
              SELECT nothing(price) FROM quotes
                     ^"#]],
    );
    check(&lake, "SELECT sum(note) FROM quotes", expect!["Function 'sum' failed to match any signature"]);
    check(
        &lake,
        "SELECT symbol, sum(size) FROM quotes",
        expect![[r#"
            line 1, column 8: 'quotes.symbol' must appear in GROUP BY clause because it's not an aggregate expression; Either add 'quotes.symbol' to GROUP BY clause, or use an aggregate function like ANY_VALUE(quotes.symbol)
              SELECT symbol, sum(size) FROM quotes
                     ^"#]],
    );
    check(&lake, "SELECT * FROM bars", expect![[r#"table "bars": not in this lake; it holds days, halts, quotes"#]]);
    check(
        &lake,
        "SELECT * FROM quotes, lake.bars",
        expect![[r#"table "bars": not in this lake; it holds days, halts, quotes"#]],
    );
    check(
        &open(tempfile::tempdir().unwrap().path()),
        "SELECT * FROM bars",
        expect![[r#"table "bars": not in this lake; it holds none"#]],
    );
}

#[test]
fn an_endless_condition_is_answered_or_refused_and_no_stack_overflows() {
    let (_home, lake) = whole();
    let wide = vec!["size = 1"; 2000].join(" OR ");
    assert!(ask(&lake, &format!("SELECT count(*) FROM quotes WHERE {wide}")).is_ok());
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(ask(&lake, &deep).unwrap_err().is_usage());
}

#[test]
fn what_fails_while_it_runs_is_no_wrong_usage() {
    let (_home, lake) = whole();
    let error = ask(&lake, "SELECT 1 / (size - size) FROM quotes").unwrap_err();
    assert!(!error.is_usage() && !error.is_refusal(), "{error:?}");
    expect!["the query failed: Arrow error: Divide by zero error"].assert_eq(&error.to_string());
}
