//! What the tests of the field share.
#![allow(dead_code, clippy::print_stderr, reason = "each test file uses its own part, and says aloud what it skips")]

use std::path::{Path, PathBuf};

use railbird_market::data::{File, LoadOptions, Series, load};

/// The folder of real bars; `None`, said aloud, where it is not there. In CI that fails.
pub(crate) fn market() -> Option<PathBuf> {
    let root = std::env::var_os("RAILBIRD_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let place = root.join("market");
    if place.is_dir() {
        return Some(place);
    }
    assert!(std::env::var_os("CI").is_none(), "{}: missing; set RAILBIRD_TEST_DATA", place.display());
    eprintln!("SKIPPED: {} is not there; set RAILBIRD_TEST_DATA to the recordings' folder", place.display());
    None
}

/// Every file of bars below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.to_string_lossy().ends_with(".csv") || path.to_string_lossy().ends_with(".csv.gz") {
            files.push(path);
        }
    }
    files.sort();
    files
}

pub(crate) fn read(path: &Path) -> File {
    File { name: path.display().to_string(), bytes: std::fs::read(path).expect("a readable file") }
}

/// The series of a file, with the factors beside it.
pub(crate) fn series(path: &Path, options: &LoadOptions) -> Result<Series, railbird_market::Error> {
    let factors = path.with_extension("factors");
    let factors = factors.is_file().then(|| read(&factors));
    load(&symbol(path), &[read(path)], factors.as_ref(), options)
}

pub(crate) fn symbol(path: &Path) -> String {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    name.split('.').next().expect("a stem").to_owned()
}

/// Daily files, one in so many where not everything is asked for.
pub(crate) fn daily(every: usize) -> Option<Vec<PathBuf>> {
    let every = if std::env::var_os("RAILBIRD_TEST_ALL").is_some() { 1 } else { every };
    Some(files_below(&market()?.join("daily")).into_iter().step_by(every).collect())
}
