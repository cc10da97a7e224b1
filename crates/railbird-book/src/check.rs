//! What becomes of every row of a file of ticks. Start at [`check`].
//!
//! Invariant: the counts by rule, and the rows left out by reason, add up to the rows read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    decode::{Body, Chunk, DecodeCounts, DecodeError, TickReader},
    state::{
        book::{Book, Quote},
        row::{FLAG_BAD_BOOK, FLAG_BAD_TIME, FLAG_LAST, FLAG_SNAPSHOT, NO_TIME, Record, Row},
    },
};

/// What becomes of a row: the first of these that holds.
const RULES: [&str; 10] = [
    "snapshot",
    "book may be wrong",
    "clear",
    "receive time may be wrong",
    "late",
    "inside an event",
    "event end, crossed",
    "event end, locked",
    "event end, one-sided or empty",
    "event end, two-sided",
];

/// What becomes of the rows of a file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CheckReport {
    /// Rows read.
    pub rows: u64,
    /// Rows that are used, by the first rule that holds.
    pub rules: BTreeMap<&'static str, u64>,
    /// Rows left out, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Things worth knowing of rows that are used.
    pub noted: BTreeMap<&'static str, u64>,
    /// Rows by action.
    pub actions: BTreeMap<char, u64>,
    /// Rows used of each instrument, in order of first appearance.
    pub instruments: Vec<CheckedInstrument>,
    /// Levels that the source tells.
    pub levels: u8,
    /// Why reading ended before the file did.
    pub cut_short: Option<String>,
}

/// Rows of one instrument.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedInstrument {
    /// Its symbol.
    pub symbol: String,
    /// Rows used.
    pub rows: u64,
    /// By rule.
    pub rules: BTreeMap<&'static str, u64>,
}

impl CheckReport {
    /// Rows by rule and reason, which are all of them.
    pub fn accounted(&self) -> u64 {
        self.rules.values().chain(self.rejected.values()).sum()
    }
}

/// Counts of one instrument.
struct Counted {
    symbol: String,
    clock: u64,
    rules: [u64; RULES.len()],
}

/// Reads a file to its end and counts its rows. `every_row_ends`: every row ends an event, for sources without F_LAST.
///
/// # Errors
/// [`DecodeError`].
pub fn check(mut reader: TickReader, every_row_ends: bool) -> Result<CheckReport, DecodeError> {
    let form = reader.form();
    let every_row_ends = every_row_ends || form.every_row_ends;
    let mut counted: Vec<Counted> = Vec::new();
    let mut actions = [0_u64; 256];
    let mut chunk = Chunk::default();
    while reader.fill(&mut chunk)? {
        let new = chunk.named.drain(..).map(|symbol| Counted { symbol, clock: 0, rules: [0; RULES.len()] });
        counted.extend(new);
        let mut at = 0;
        for (instrument, rows) in &chunk.runs {
            let (of, to) = (&mut counted[*instrument as usize], at + *rows as usize);
            match &chunk.body {
                Body::Records(bytes) => {
                    let records: &[Record] = bytes.as_chunks().0;
                    records[at..to].iter().for_each(|row| of.count(row, every_row_ends, &mut actions));
                }
                Body::Rows(all) => all[at..to].iter().for_each(|row| of.count(row, every_row_ends, &mut actions)),
            }
            at = to;
        }
    }
    let DecodeCounts { rows, rejected, noted, cut_short } = reader.into_counts();
    let named = |rules: &[u64; RULES.len()]| {
        RULES.into_iter().zip(*rules).filter(|(_, rows)| *rows > 0).collect::<BTreeMap<_, _>>()
    };
    let mut all = [0; RULES.len()];
    for of in &counted {
        all.iter_mut().zip(of.rules).for_each(|(sum, rows)| *sum += rows);
    }
    let instruments = counted.iter().map(|of| CheckedInstrument {
        symbol: of.symbol.clone(),
        rows: of.rules.iter().sum(),
        rules: named(&of.rules),
    });
    Ok(CheckReport {
        rows,
        rules: named(&all),
        rejected,
        noted,
        actions: (0_u8..=255)
            .zip(actions)
            .filter(|(_, rows)| *rows > 0)
            .map(|(action, rows)| (char::from(action), rows))
            .collect(),
        instruments: instruments.collect(),
        levels: form.levels,
        cut_short,
    })
}

impl Counted {
    fn count<R: Row>(&mut self, row: &R, every_row_ends: bool, actions: &mut [u64; 256]) {
        actions[usize::from(row.action())] += 1;
        let flags = row.flags();
        let late = row.ts_event() < self.clock;
        if row.ts_event() != NO_TIME {
            self.clock = self.clock.max(row.ts_event());
        }
        let rule = match () {
            () if flags & FLAG_SNAPSHOT != 0 => 0,
            () if flags & FLAG_BAD_BOOK != 0 => 1,
            () if row.action() == b'R' => 2,
            () if flags & FLAG_BAD_TIME != 0 => 3,
            () if late => 4,
            () if flags & FLAG_LAST == 0 && !every_row_ends => 5,
            () => match Quote::of(&Book::read(row)) {
                quote if !quote.both => 8,
                quote if quote.price[0] > quote.price[1] => 6,
                quote if quote.price[0] == quote.price[1] => 7,
                _ => 9,
            },
        };
        self.rules[rule] += 1;
    }
}
