//! What the tests of the field share.
#![allow(dead_code, clippy::print_stderr, reason = "each test file uses its own part, and says aloud what it skips")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use railbird_f1::simulate::{SimulateOptions, SimulatedArchive, simulate};
use railbird_f1::{Import, Input, InputFile, Logs, import};
use railbird_timeline::ManualClock;

/// A simulated archive and its truth.
pub(crate) fn simulated(options: &SimulateOptions) -> (Input, SimulatedArchive) {
    let archive = simulate(options);
    let files =
        archive.files.iter().map(|(name, bytes)| InputFile { name: name.clone(), bytes: bytes.clone() }).collect();
    (Input { name: "simulated".to_owned(), files }, archive)
}

/// The import of `input`, which must succeed.
#[track_caller]
pub(crate) fn imported(input: &Input) -> Import {
    import(input, &ManualClock::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes of every file by name.
pub(crate) fn files(import: &Import) -> BTreeMap<&str, &[u8]> {
    import.files.iter().map(|(name, bytes)| (*name, &bytes[..])).collect()
}

/// The input below `path` of the test recordings; `None`, said aloud, where they are not there. In CI that fails.
pub(crate) fn recorded(path: &str) -> Option<Input> {
    let root = std::env::var_os("RAILBIRD_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let place = root.join("f1").join(path);
    if !place.exists() {
        assert!(std::env::var_os("CI").is_none(), "{}: missing; set RAILBIRD_TEST_DATA", place.display());
        eprintln!("SKIPPED: {} is not there; set RAILBIRD_TEST_DATA to the recordings' folder", place.display());
        return None;
    }
    let read = |file: PathBuf| InputFile {
        name: file.file_name().expect("a file").to_string_lossy().into_owned(),
        bytes: std::fs::read(&file).expect("a readable recording"),
    };
    let files = if place.is_dir() {
        let entries = std::fs::read_dir(&place).expect("a readable folder");
        entries
            .map(|entry| read(entry.expect("an entry").path()))
            .filter(|file| file.name.ends_with("jsonStream"))
            .collect()
    } else {
        vec![read(place)]
    };
    Some(Input { name: path.to_owned(), files })
}

/// Folders of the recordings.
pub(crate) const AUSTRALIA: &str = "livetiming/2025/2025-03-16_Australian_Grand_Prix/2025-03-16_Race";
/// Full timing of a race, without samples.
pub(crate) const AZERBAIJAN: &str = "livetiming/2018/2018-04-29_Azerbaijan_Grand_Prix/2018-04-29_Race";
/// Full timing of a qualifying session.
pub(crate) const SPAIN: &str = "livetiming/2024/2024-06-23_Spanish_Grand_Prix/2024-06-22_Qualifying";
/// A raw recording.
pub(crate) const MEXICO: &str = "signalr/2024_mexico_fp3_partial_saved_data.txt";
/// Malformed lines of a raw recording.
pub(crate) const ERRORS: &str = "signalr/fastf1_with_errors.txt";

/// How many random cuts a prefix test makes.
pub(crate) fn cuts() -> usize {
    if std::env::var_os("RAILBIRD_TEST_ALL").is_some() { 200 } else { 20 }
}

/// The archive as it was at `cut_ms`: records stamped later are gone.
pub(crate) fn cut(input: &Input, cut_ms: i64) -> Input {
    let files =
        input.files.iter().map(|file| InputFile { name: file.name.clone(), bytes: cut_file(&file.bytes, cut_ms) });
    Input { name: input.name.clone(), files: files.collect() }
}

fn cut_file(bytes: &[u8], cut_ms: i64) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let stamp = text.get(..12).and_then(|stamp| std::str::from_utf8(stamp).ok()).and_then(stamp_ms);
        // What has no stamp can only be counted, not used: it is left out.
        if stamp.is_some_and(|stamp| stamp <= cut_ms) {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn stamp_ms(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    Some(((number(0..2)? * 60 + number(3..5)?) * 60 + number(6..8)?) * 1000 + number(9..12)?)
}

/// The rows of every log that were known at `cut_ms`.
pub(crate) fn known(logs: &Logs, cut_ms: i64) -> Logs {
    let mut known = logs.clone();
    macro_rules! cut {
        ($($log:ident)+) => {
            $(known.$log.retain(|row| row.known_at.ms() <= cut_ms);)+
        };
    }
    cut!(order crossings gaps official_gaps official_positions status tyres laps track session race_control rulings segments entries weather lap_count);
    known
}

/// Fails at the first log that differs.
#[track_caller]
pub(crate) fn assert_same_logs(found: &Logs, want: &Logs, what: &str) {
    macro_rules! same {
        ($($log:ident)+) => {
            $(
                let (left, right) = (format!("{:?}", found.$log), format!("{:?}", want.$log));
                if left != right {
                    let at = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
                    let show = |text: &str| text.get(at.saturating_sub(300)..(at + 300).min(text.len())).map(str::to_owned);
                    panic!("{what}: {} differ:\n{:?}\n{:?}", stringify!($log), show(&left), show(&right));
                }
            )+
        };
    }
    same!(order crossings gaps official_gaps official_positions status tyres laps track session race_control rulings segments entries weather lap_count);
}
