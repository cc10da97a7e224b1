//! Tests of the simulator: its bytes, its truth, its faults, and that it stands alone.

mod archive;
mod consistency;
mod parts;
mod shape;

use std::{io::Read, path::PathBuf};

use serde_json::Value;

use super::{FaultOptions, Incidents, SimulateOptions, SimulatedArchive, Stamps, simulate};

/// A short race with nothing in it: quick to make.
fn short() -> SimulateOptions {
    SimulateOptions { seed: 5, drivers: 6, laps: 3, incidents: Incidents::none(), ..SimulateOptions::default() }
}

/// A race with everything in it, as short as that allows.
fn full() -> SimulateOptions {
    SimulateOptions { seed: 11, drivers: 14, laps: 10, ..SimulateOptions::default() }
}

/// Records of a stream: stamp in milliseconds and JSON; `.z` streams are opened.
fn records(archive: &SimulatedArchive, stream: &str) -> Vec<(i64, Value)> {
    let bytes = file(archive, stream);
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap()).unwrap();
    text.split("\r\n")
        .filter(|line| !line.is_empty())
        .map(|line| {
            let stamp = &line[..12];
            let number = |from: usize, to: usize| stamp[from..to].parse::<i64>().unwrap();
            let ms = ((number(0, 2) * 60 + number(3, 5)) * 60 + number(6, 8)) * 1000 + number(9, 12);
            let json = serde_json::from_str(&line[12..]).unwrap();
            (ms, if stream.ends_with(".z") { open(&json) } else { json })
        })
        .collect()
}

fn open(packed: &Value) -> Value {
    let bytes = base64_simd::STANDARD.decode_to_vec(packed.as_str().unwrap()).unwrap();
    let mut json = Vec::new();
    flate2::read::DeflateDecoder::new(bytes.as_slice()).read_to_end(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn file<'a>(archive: &'a SimulatedArchive, stream: &str) -> &'a [u8] {
    let name = format!("{stream}.jsonStream");
    &archive.files.iter().find(|(file, _)| *file == name).unwrap().1
}

#[test]
fn the_same_options_give_the_same_bytes_and_another_seed_others() {
    let (first, again) = (simulate(&short()), simulate(&short()));
    assert_eq!(first, again);
    let other = simulate(&SimulateOptions { seed: 6, ..short() });
    assert_ne!(first.files, other.files);
    assert_ne!(first.truth.circuit.centreline, other.truth.circuit.centreline);
}

#[test]
fn faults_and_stamps_change_the_feed_and_never_the_race() {
    let plain = simulate(&short());
    let spoiled = simulate(&SimulateOptions { faults: FaultOptions::all(), ..short() });
    let exact = simulate(&SimulateOptions { stamps: Stamps::Exact, ..short() });
    assert_ne!(plain.files, spoiled.files);
    assert_ne!(plain.files, exact.files);
    for other in [spoiled, exact] {
        let (mut truth, mut plain) = (other.truth, plain.truth.clone());
        (truth.faults, plain.faults) = Default::default();
        plain.stamps = truth.stamps;
        assert_eq!(truth, plain);
    }
}

/// Law: a simulator never imports the code that it tests.
#[test]
fn nothing_of_the_crate_outside_is_used() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/simulate");
    let allowed =
        ["std", "serde", "serde_json", "base64_simd", "flate2", "libdeflater", "rand_chacha", "super", "self"];
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        seen += 1;
        let source = std::fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for line in &code {
            let line = line.trim();
            // In two parts, so that this very line is no finding.
            assert!(!line.contains(concat!("crate", "::")), "{}: {line}", path.display());
            assert!(!line.contains(concat!("super::", "super")), "{}: {line}", path.display());
            let used = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("use ");
            if let Some(root) = used.and_then(|used| used.split([':', ';', '{', ' ']).next()) {
                let own = folder.join(format!("{root}.rs")).exists();
                assert!(own || allowed.contains(&root), "{}: {line}", path.display());
            }
        }
        let parents = code.iter().filter(|line| line.trim_start().starts_with("use super::")).count();
        assert!(
            parents == 0 || !path.ends_with("mod.rs"),
            "{}: the module's head reaches above itself",
            path.display()
        );
    }
    assert!(seen > 20, "{seen} files seen");
}
