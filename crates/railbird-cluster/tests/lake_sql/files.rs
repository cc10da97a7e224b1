//! Which files are read, and what of them.

use std::{fs, path::PathBuf};

use railbird_cluster::Error;
use railbird_lake::Lake;
use tempfile::TempDir;

use crate::small_lake::{ROWS, SYMBOLS, Version, ask, numbers, open, quotes, told, whole, write};

/// Folder of a partition, and its file of a data set.
fn place(home: &TempDir, lake: &Lake, set: &str, partition: &str) -> (PathBuf, PathBuf) {
    let tasks = lake.tasks(Some(set), None).unwrap();
    let task = tasks.into_iter().find(|task| task.folder().ends_with(partition)).unwrap();
    let manifest = lake.manifest(&task).unwrap().unwrap();
    (home.path().join(task.folder()), home.path().join(lake.path(&manifest, set).unwrap()))
}

#[test]
fn a_file_that_no_manifest_names_is_never_read() {
    let (home, lake) = whole();
    let sql = "SELECT count(*) AS rows, sum(size) AS sizes FROM quotes";
    let want = told(&ask(&lake, sql).unwrap().0);
    let (folder, file) = place(&home, &lake, "quotes", "symbol=AAA/date=2024-03-04");
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    // Whole and of the right form: beside its partition's, in a partition without a manifest, and of a stage that is none.
    fs::copy(&file, folder.join(name.replace("quotes-", "quotes-f"))).unwrap();
    for other in ["stage=quotes/symbol=AAA/date=2024-03-11", "stage=quotes/symbol=DDD/date=2024-03-04", "quotes"] {
        fs::create_dir_all(home.path().join(other)).unwrap();
        fs::copy(&file, home.path().join(other).join(&name)).unwrap();
    }
    // Half written: what a killed process leaves.
    fs::write(folder.join("tmp-quotes"), b"PAR1").unwrap();
    let (answer, read) = ask(&lake, sql).unwrap();
    assert_eq!((told(&answer), read.files), (want, 15));
    // And without its manifest a partition is gone.
    fs::remove_file(folder.join("manifest.json")).unwrap();
    let (answer, read) = ask(&lake, sql).unwrap();
    assert_eq!((numbers(&answer, "rows")[0], read.files), (Some(14 * ROWS), 14));
}

#[test]
fn columns_that_an_earlier_file_lacks_are_null() {
    let home = tempfile::tempdir().unwrap();
    let lake = open(home.path());
    write(&lake, Version::Earlier, &SYMBOLS, 4..=8);
    write(&lake, Version::Today, &SYMBOLS, 6..=8);
    let sql = "SELECT count(*) AS rows, count(size) AS sizes, sum(size) AS total, count(note) AS notes, \
               count(*) FILTER (WHERE size IS NULL) AS without FROM quotes";
    let (answer, _) = ask(&lake, sql).unwrap();
    let later: Vec<_> = quotes().into_iter().filter(|quote| quote.date.as_str() >= "2024-03-06").collect();
    let one = |name| numbers(&answer, name)[0].unwrap();
    assert_eq!((one("rows"), one("sizes"), one("without")), (15 * ROWS, 9 * ROWS, 6 * ROWS));
    assert_eq!(one("total"), later.iter().map(|quote| quote.size).sum::<i64>());
    assert_eq!(one("notes"), later.iter().filter(|quote| quote.note.is_some()).count() as i64);
    let (old, _) = ask(&lake, "SELECT DISTINCT size, note FROM quotes WHERE date = '2024-03-04'").unwrap();
    assert_eq!(told(&old), ["-|-"]);
}

#[test]
fn a_column_of_another_type_is_an_error_that_names_the_file() {
    let (home, lake) = whole();
    write(&lake, Version::Clashing, &["BBB"], 5..=5);
    let (_, file) = place(&home, &lake, "quotes", "symbol=BBB/date=2024-03-05");
    let error = ask(&lake, "SELECT sum(size) FROM quotes").unwrap_err();
    assert!(matches!(error, Error::Clash { .. }) && error.is_refusal(), "{error:?}");
    let error = error.to_string();
    let name = file.strip_prefix(home.path()).unwrap().to_str().unwrap();
    assert!(error.contains(name) && error.contains("column size: expected Int64, found Utf8"), "{error}");
    // Where the partition is left out, its file is not opened.
    assert!(ask(&lake, "SELECT sum(size) FROM quotes WHERE NOT (symbol = 'BBB' AND date = '2024-03-05')").is_ok());
}

#[test]
fn a_file_that_is_gone_or_damaged_is_named() {
    let (home, lake) = whole();
    let (_, file) = place(&home, &lake, "quotes", "symbol=AAA/date=2024-03-04");
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let sql = "SELECT sum(size) FROM quotes";
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let error = ask(&lake, sql).unwrap_err();
    assert!(matches!(&error, Error::Gone { file } if file.ends_with(&name)), "{error:?}");
    for damaged in [&bytes[..bytes.len() - 9], &bytes[..20], &vec![0x55; bytes.len()]] {
        fs::write(&file, damaged).unwrap();
        let error = ask(&lake, sql).unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains("--verify"), "{error}");
    }
    let manifest = file.parent().unwrap().join("manifest.json");
    fs::write(&manifest, "{").unwrap();
    let error = ask(&lake, sql).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("expected a manifest"), "{error}");
    assert!(ask(&lake, "SELECT sum(size) FROM quotes WHERE symbol <> 'AAA'").is_ok(), "nobody asked for it");
}

#[test]
fn stages_that_nobody_knows_are_tables_too() {
    let (home, _) = whole();
    // The same lake, opened by who knows none of its stages.
    let lake = open(home.path());
    let options = railbird_cluster::SqlOptions { memory_bytes: 64 << 20, partitions: 1 };
    let tables = railbird_cluster::Sql::open(&lake, &[], options).unwrap();
    assert_eq!(tables.tables().collect::<Vec<_>>(), ["days", "halts", "quotes"]);
}
