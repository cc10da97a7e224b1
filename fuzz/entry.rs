//! Entry points of the fuzz targets: untrusted bytes in; refused, counted or clean out, never a panic.
//!
//! `cargo xtask fuzz-smoke` and a test of the binary's crate run them over mutated seeds on stable.

use std::collections::BTreeMap;

use railbird_f1::{EVENTS, GAPS, Import, Input, InputFile, MANIFEST, PACK, decode_chunk, import, open, read_manifest};
use railbird_timeline::ManualClock;

/// Ends a file in a seed that holds several; begins with the file's name and a line feed.
pub(crate) const FILE_END: u8 = 0x1e;

/// What became of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was made of them.
    Refused,
    /// Used, but for so many records or samples.
    Counted(u64),
    /// Used whole.
    Clean,
}

/// An entry point.
pub(crate) type Entry = fn(&[u8]) -> Outcome;

/// Every entry point by name.
pub(crate) const ENTRIES: [(&str, Entry); 5] =
    [("archive", archive), ("recording", recording), ("chunk", chunk), ("manifest", manifest), ("stored", stored)];

/// Streams of an archive, each ended by [`FILE_END`].
pub(crate) fn archive(bytes: &[u8]) -> Outcome {
    let files = files(bytes).map(|(name, bytes)| InputFile { name, bytes: bytes.to_vec() }).collect();
    imported(&Input { name: "fuzz".to_owned(), files })
}

/// A raw recording of the live feed.
pub(crate) fn recording(bytes: &[u8]) -> Outcome {
    let files = vec![InputFile { name: "fuzz.txt".to_owned(), bytes: bytes.to_vec() }];
    imported(&Input { name: "fuzz".to_owned(), files })
}

/// One chunk, after decompression.
pub(crate) fn chunk(bytes: &[u8]) -> Outcome {
    if decode_chunk(bytes).is_ok() { Outcome::Clean } else { Outcome::Refused }
}

/// A manifest.
pub(crate) fn manifest(bytes: &[u8]) -> Outcome {
    if read_manifest(bytes).is_ok() { Outcome::Clean } else { Outcome::Refused }
}

/// A stored session: manifest, pack, events and gaps, each after its length of four bytes, little end first.
pub(crate) fn stored(bytes: &[u8]) -> Outcome {
    let mut parts = BTreeMap::new();
    let mut rest = bytes;
    for name in [MANIFEST, PACK, EVENTS, GAPS] {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return Outcome::Refused };
        let length = (u32::from_le_bytes(*length) as usize).min(after.len());
        let (part, after) = after.split_at(length);
        parts.insert(name, part);
        rest = after;
    }
    let Ok(manifest) = read_manifest(parts[MANIFEST]) else { return Outcome::Refused };
    if open(&manifest, &parts).is_ok() { Outcome::Clean } else { Outcome::Refused }
}

fn imported(input: &Input) -> Outcome {
    let Ok(imported) = import(input, &ManualClock::default()) else { return Outcome::Refused };
    reopened(&imported);
    match imported.rejected.total() {
        0 => Outcome::Clean,
        count => Outcome::Counted(count),
    }
}

/// What was written can be read.
fn reopened(imported: &Import) {
    let files = imported.files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let manifest = read_manifest(imported.files.last().map_or(&[][..], |(_, bytes)| bytes));
    assert!(manifest.is_ok(), "manifest: {:?}", manifest.err());
    let session = open(&imported.manifest, &files);
    assert!(session.is_ok(), "session: {:?}", session.err());
}

fn files(bytes: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    bytes.split(|byte| *byte == FILE_END).filter_map(|file| {
        let end = file.iter().position(|byte| *byte == b'\n')?;
        Some((String::from_utf8_lossy(&file[..end]).into_owned(), &file[end + 1..]))
    })
}
