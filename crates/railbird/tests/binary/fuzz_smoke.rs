//! The fuzz entry points over mutated seeds: no panic, memory bounded, what cannot be used refused or counted.
//!
//! Seeds come from the simulator, and from the recordings where they are there. `RAILBIRD_FUZZ_RUNS` sets the number of inputs.

#[path = "../../../../fuzz/entry.rs"]
mod entry;

use std::panic::{AssertUnwindSafe, catch_unwind};

use entry::{ENTRIES, FILE_END, Outcome};
use railbird_f1::{
    Input, InputFile, Stream, import,
    simulate::{FaultOptions, SimulateOptions, simulate},
};
use railbird_timeline::ManualClock;

/// Inputs in all, of records and files.
const RUNS: u32 = 10_000;
/// Records of each stream in a seed: enough for every kind of record, few enough to import a thousand times a second.
const RECORDS: usize = 24;
const MEMORY_BYTES_MAX: u64 = 512 << 20;

/// A generator whose state is its seed, so that a failure reruns from the printed number.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }
}

#[test]
fn mutated_records_and_files_are_refused_or_counted() {
    let runs = std::env::var("RAILBIRD_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let seeds = seeds();
    let mut counts = vec![[0_u32; 3]; ENTRIES.len()];
    for run in 0..runs {
        let mut chance = Chance(u64::from(run));
        // Most of the work goes to what reads the source's bytes.
        let which = [0, 0, 0, 0, 0, 1, 1, 2, 3, 4][run as usize % 10];
        let (name, entry) = ENTRIES[which];
        let of_entry = &seeds[which];
        let mut bytes = of_entry[chance.below(of_entry.len())].clone();
        for _ in 0..=chance.below(4) {
            mutate(&mut bytes, &mut chance);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| entry(&bytes)));
        let outcome = outcome.unwrap_or_else(|_| panic!("entry {name} panicked on run {run}"));
        counts[which][match outcome {
            Outcome::Refused => 0,
            Outcome::Counted(_) => 1,
            Outcome::Clean => 2,
        }] += 1;
    }
    for ((name, _), [refused, counted, clean]) in ENTRIES.iter().zip(&counts) {
        eprintln!("{name}: {refused} refused, {counted} counted, {clean} clean");
    }
    let total: u32 = counts.iter().flatten().sum();
    assert_eq!(total, runs);
    assert!(counts[0][1] > total / 20, "mutations reach the records");
    if let Some(peak) = peak_bytes() {
        eprintln!("peak memory {} MB", peak >> 20);
        assert!(peak < MEMORY_BYTES_MAX, "{peak} bytes");
    }
}

#[test]
fn a_record_that_cannot_be_decoded_is_counted() {
    let seed = simulated();
    let before = rejected(&seed);
    assert_eq!(before, 0, "the seed itself is clean");
    let mut tried = 0;
    let is_read = |file: &InputFile| Stream::from_topic(file.name.trim_end_matches(".jsonStream")).is_some();
    for file in (0..seed.len()).filter(|file| is_read(&seed[*file])) {
        let records = seed[file].bytes.split(|byte| *byte == b'\n').filter(|record| record.len() > 16).count();
        for record in 0..records.min(4) {
            for damage in [cut_in_half as fn(&[u8]) -> Vec<u8>, without_stamp, not_utf8] {
                let mut broken = seed.clone();
                broken[file].bytes = damaged(&seed[file].bytes, record, damage);
                assert!(rejected(&broken) > 0, "{} record {record}", broken[file].name);
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

/// A compressed record that grows a thousandfold is counted, and takes no memory.
#[test]
fn a_bomb_among_the_records_is_counted_and_takes_no_memory() {
    use base64_simd::STANDARD;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).expect("memory takes every write");
    }
    let bomb = STANDARD.encode_to_string(encoder.finish().expect("memory takes every write"));
    let before = peak_bytes();
    let mut files = simulated();
    for file in files.iter_mut().filter(|file| file.name.contains(".z.")) {
        file.bytes.extend_from_slice(format!("00:30:00.000\"{bomb}\"\r\n").as_bytes());
    }
    assert!(rejected(&files) >= 2, "both bombs are counted");
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        assert!(after - before < 200 << 20, "{} MB more", (after - before) >> 20);
    }
}

/// The first records of every stream of a simulated race.
fn simulated() -> Vec<InputFile> {
    let options = SimulateOptions { seed: 3, drivers: 4, laps: 2, ..SimulateOptions::default() };
    simulate(&options).files.into_iter().map(|(name, bytes)| InputFile { name, bytes: head(&bytes, RECORDS) }).collect()
}

/// Seeds of each entry point, in the order of [`ENTRIES`].
fn seeds() -> [Vec<Vec<u8>>; 5] {
    let clean = simulated();
    let faulty =
        SimulateOptions { seed: 4, drivers: 4, laps: 2, faults: FaultOptions::all(), ..SimulateOptions::default() };
    let faulty = simulate(&faulty).files.into_iter();
    let faulty: Vec<InputFile> = faulty.map(|(name, bytes)| InputFile { name, bytes: tail(&bytes, RECORDS) }).collect();
    let mut archives = vec![joined(&clean), joined(&faulty)];
    let mut recordings = vec![recorded(&clean)];
    if let Some(data) = crate::common::recordings() {
        let folder = data.join("f1/signalr");
        recordings.extend(
            ["fastf1_with_errors.txt", "2024_mexico_fp3_partial_saved_data.txt"]
                .map(|name| head(&std::fs::read(folder.join(name)).expect("the recording is read"), 2 * RECORDS)),
        );
        let race = crate::common::australia(&data);
        let files = clean.iter().filter_map(|file| {
            let bytes = std::fs::read(race.join(&file.name)).ok()?;
            Some(InputFile { name: file.name.clone(), bytes: head(&bytes, RECORDS) })
        });
        archives.push(joined(&files.collect::<Vec<_>>()));
    }
    let imported =
        import(&Input { name: "seed".to_owned(), files: clean }, &ManualClock::default()).expect("a session");
    let file = |name: &str| -> &[u8] {
        imported.files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.as_slice()).expect("a file")
    };
    let mut stored = Vec::new();
    for name in [railbird_f1::MANIFEST, railbird_f1::PACK, railbird_f1::EVENTS, railbird_f1::GAPS] {
        stored.extend_from_slice(&u32::try_from(file(name).len()).expect("small").to_le_bytes());
        stored.extend_from_slice(file(name));
    }
    let chunks = imported.manifest.chunks.iter().filter(|chunk| chunk.bytes > 0).take(4).map(|chunk| {
        let (from, to) = (chunk.offset as usize, (chunk.offset + chunk.bytes) as usize);
        railbird_store::gunzip_bounded(&file(railbird_f1::PACK)[from..to], 1 << 24, "chunk").expect("a chunk")
    });
    [archives, recordings, chunks.collect(), vec![file(railbird_f1::MANIFEST).to_vec()], vec![stored]]
}

fn joined(files: &[InputFile]) -> Vec<u8> {
    let parts = files.iter().flat_map(|file| [file.name.as_bytes(), b"\n", &file.bytes, &[FILE_END]]);
    parts.collect::<Vec<_>>().concat()
}

/// The records of an archive as a raw recording has them: `['Topic', data, 'UTC']`.
fn recorded(files: &[InputFile]) -> Vec<u8> {
    let mut lines = Vec::new();
    for file in files {
        let topic = file.name.trim_end_matches(".jsonStream");
        for (number, record) in file.bytes.split(|byte| *byte == b'\n').enumerate() {
            let Some(data) = record.get(12..) else { continue };
            let data = String::from_utf8_lossy(data).trim().replace("true", "True").replace("false", "False");
            lines.push(format!("['{topic}', {data}, '2027-05-16T13:00:{:02}.000Z']\n", number % 60));
        }
    }
    lines.concat().into_bytes()
}

fn head(bytes: &[u8], records: usize) -> Vec<u8> {
    bytes.split_inclusive(|byte| *byte == b'\n').take(records).collect::<Vec<_>>().concat()
}

/// The last records, after the first, which may carry what the rest builds on.
fn tail(bytes: &[u8], records: usize) -> Vec<u8> {
    let all: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let from = all.len().saturating_sub(records).max(1).min(all.len());
    all.iter().take(1).chain(&all[from..]).copied().collect::<Vec<_>>().concat()
}

fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(bytes.len());
    let length = 1 + chance.below(40);
    let end = (at + length).min(bytes.len());
    match chance.below(9) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
        1 if !bytes.is_empty() => bytes[at] = chance.next() as u8,
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        4 => bytes.truncate(at),
        5 => {
            let odd: [&[u8]; 10] = [
                b"-1",
                b"99999999999999999999",
                b"1e999",
                b"null",
                b"{}",
                b"[",
                b"\"",
                b"\xff\xfe",
                b"\0",
                b"24:61:61.999",
            ];
            let word = odd[chance.below(odd.len())];
            bytes.splice(at..at, word.iter().copied());
        }
        6 => {
            // A number somewhere becomes another one.
            if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                bytes[at + digit] = b'0' + chance.below(10) as u8;
            }
        }
        7 => {
            let to = chance.below(bytes.len());
            let (low, high) = (at.min(to), at.max(to));
            let width = (high - low).min(bytes.len() - high).min(64);
            for offset in 0..width {
                bytes.swap(low + offset, high + offset);
            }
        }
        _ => bytes.splice(at..at, std::iter::repeat_n(chance.next() as u8, length * 20)).for_each(drop),
    }
}

fn damaged(bytes: &[u8], which: usize, damage: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut seen = 0;
    let mut all = Vec::new();
    for record in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_record = record.len() > 16;
        if is_record && seen == which {
            all.extend(damage(record));
        } else {
            all.extend_from_slice(record);
        }
        seen += usize::from(is_record);
    }
    all
}

fn cut_in_half(record: &[u8]) -> Vec<u8> {
    [&record[..13 + (record.len() - 13) / 2], b"\r\n"].concat()
}

fn without_stamp(record: &[u8]) -> Vec<u8> {
    [b"no stamp at all", record].concat()
}

fn not_utf8(record: &[u8]) -> Vec<u8> {
    [&record[..14], b"\xff\xff\xff", &record[14..]].concat()
}

fn rejected(files: &[InputFile]) -> u64 {
    let input = Input { name: "seed".to_owned(), files: files.to_vec() };
    // Refused whole is as good as counted.
    import(&input, &ManualClock::default()).map_or(1, |imported| imported.rejected.total())
}

/// Largest resident set so far; `None` where the platform does not tell.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?;
    kibibytes.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
