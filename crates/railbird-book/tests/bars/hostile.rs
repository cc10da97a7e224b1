//! Files that nobody vouches for: rows, counts or an error, never a panic and never more memory than a bound.

use railbird_book::TableForm;

use crate::common::{S, Tick, all, file, options, recording, table_of};

/// A small generator, so that every run sees the same files.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }

    /// Some bytes changed, cut out, put in or cut off.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.next(4) {
            if bytes.is_empty() {
                return bytes;
            }
            let at = self.next(bytes.len());
            match self.next(6) {
                0 => bytes[at] ^= 1 << self.next(8),
                1 => bytes[at] = [0, 1, 127, 128, 255][self.next(5)],
                2 => bytes.truncate(at),
                3 => {
                    let end = (at + 8).min(bytes.len());
                    bytes[at..end].fill([0, 255][self.next(2)]);
                }
                4 => drop(bytes.drain(at..(at + 1 + self.next(40)).min(bytes.len()))),
                _ => {
                    let part = bytes[at..(at + 1 + self.next(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    }
}

/// Reads a file that may be anything, with a bar long enough that no gap makes many.
fn read(bytes: Vec<u8>, size: &str) -> bool {
    let mut options = options();
    options.size = size.parse().unwrap();
    // A table of few columns, since what is tried is not its writing.
    options.form = TableForm::new(Some(&["mid_twa".to_owned(), "wall".to_owned()]), 0).unwrap();
    table_of(bytes, &options, 1_000_000_000).is_ok()
}

fn small() -> Vec<u8> {
    let ticks: Vec<Tick> = (0..12)
        .map(|row| {
            let action = ['A', 'T', 'C', 'M', 'R', 'F'][row % 6];
            let tick = Tick::at(100 * S + row as u64 * S, action, ['A', 'B', 'N'][row % 3], 99.0, 5);
            tick.book(&[(99.0, 5 + row as u32), (98.0, 1)], &[(101.0, 9), (102.0, 1)])
        })
        .collect();
    file(&ticks)
}

#[test]
fn mutated_files_never_panic() {
    let mut random = Random(11);
    let runs = if all() { 10_000 } else { 2_000 };
    let plain = small();
    let mut seeds = vec![plain.clone(), zstd::encode_all(&plain[..], 3).unwrap()];
    let mut seeds_of_record: Vec<Vec<u8>> = Vec::new();
    if let Some(folder) = recording("dbn") {
        for entry in std::fs::read_dir(folder).unwrap() {
            seeds_of_record.push(std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
    seeds_of_record.sort();
    seeds.extend(seeds_of_record);
    seeds.push(CSV.as_bytes().to_vec());
    let mut read_at_all = 0;
    for run in 0..runs {
        let bytes = random.mutate(&seeds[run % seeds.len()]);
        read_at_all += usize::from(read(bytes, ["600s", "2t", "10v"][run % 3]));
    }
    // Damage is often such that what came before it is used.
    assert!(read_at_all > runs / 10, "{read_at_all} of {runs}");
}

#[test]
fn every_length_of_a_file_is_read_or_refused() {
    let bytes = small();
    for length in 0..bytes.len() {
        read(bytes[..length].to_vec(), "600s");
    }
}

#[test]
fn prices_and_sizes_at_the_ends_of_their_range_are_folded() {
    let mut bytes = small();
    let head = bytes.len() - 12 * 368;
    for row in 0..12 {
        let at = head + 368 * row;
        let extreme = [i64::MAX - 1, i64::MIN, 0, -1][row % 4].to_le_bytes();
        bytes[at + 16..at + 24].copy_from_slice(&extreme);
        for level in 0..10 {
            let level_at = at + 48 + 32 * level;
            let of = |side: usize| [i64::MIN, i64::MAX - 1, 1, -1][(row + level + side) % 4].to_le_bytes();
            bytes[level_at..level_at + 8].copy_from_slice(&of(0));
            bytes[level_at + 8..level_at + 16].copy_from_slice(&of(1));
            bytes[level_at + 16..level_at + 24].fill(255);
        }
    }
    assert!(read(bytes, "1s"));
}

const CSV: &str = "\
ts_recv,ts_event,publisher_id,instrument_id,action,side,price,size,flags,sequence,bid_px_00,bid_sz_00,ask_px_00,ask_sz_00
100000000000,100000000000,1,2,A,B,9.5,10,128,1,9.5,10,9.6,4
2025-07-17T07:05:09.035793433Z,101000000000,1,2,T,A,9.5,1,128,2,9.5,10,9.6,4
";
