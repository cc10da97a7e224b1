//! A file of ticks to a table of bars. Start at [`bars`].
//!
//! Three stages, each with its own thread where there are several: decode, fold, write. Between them stand bounded
//! channels, so that memory does not grow with the file.
//!
//! Invariant: the same bytes on one thread or many.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use railbird_timeline::Clock;
use serde::Serialize;

use crate::{
    columns::COLUMN_COUNT,
    decode::{Body, Chunk, DecodeCounts, DecodeError, TickReader},
    instrument::Instrument,
    state::{
        finish::Bar,
        fold::{Fold, FoldCounts},
        row::{Record, Row, TickRow},
        rules::{BarClock, BarSize, EventEnds, Rules, SourceForm},
    },
    table_writer::{BLOCK_BARS, MakeShelf, TableError, TableForm, TableWriter, Tagged},
};

/// How bars are made.
#[derive(Debug, Clone)]
pub struct BarsOptions {
    /// When a bar ends.
    pub size: BarSize,
    /// Which time cuts bars.
    pub clock: BarClock,
    /// Which rows end an event.
    pub ends: EventEnds,
    /// How the table is written.
    pub form: TableForm,
    /// Symbol of an instrument of which the file says none.
    pub unnamed: String,
    /// Threads to use; one does everything in turn.
    pub threads: usize,
}

/// What making bars came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BarsReport {
    /// Rows read, those left out among them.
    pub rows: u64,
    /// Bars written.
    pub bars: u64,
    /// Columns of each.
    pub columns: usize,
    /// Instruments.
    pub instruments: usize,
    /// Rows left out, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Things worth knowing of rows that were used.
    pub noted: BTreeMap<String, u64>,
    /// Event ends.
    pub events: u64,
    /// Why reading ended before the file did.
    pub cut_short: Option<String>,
    /// Busy time of each stage, s; where they run side by side their sum is more than the time that passed.
    pub busy_seconds: BTreeMap<&'static str, f64>,
}

impl BarsReport {
    /// Whether there were rows, and no event end among them: every state is missing then.
    pub fn without_states(&self) -> bool {
        self.rows > 0 && self.events == 0
    }
}

/// Why bars were not made.
#[derive(Debug, thiserror::Error)]
pub enum BarsError {
    /// The file is refused.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The table cannot be written.
    #[error("{0}")]
    Table(#[from] TableError),
    /// Bars are to be cut by a time that the file does not have.
    #[error("no row has a time in the clock that was asked for; use the event clock")]
    NoTime,
}

/// Chunks and blocks that wait between two stages.
const WAITING_MAX: usize = 4;

/// Reads `reader` to its end and writes its bars to `out`.
///
/// `instrument`: what is known of a symbol, asked once each. `make_shelf`: makes a place outside the memory where bars wait
/// if the file has several instruments. `clock`: for the times of the report.
///
/// # Errors
/// [`BarsError`]; what was written to `out` is of no use then.
pub fn bars<W: Write + Send>(
    reader: TickReader,
    options: &BarsOptions,
    instrument: &(dyn Fn(&str) -> Instrument + Sync),
    out: W,
    make_shelf: MakeShelf<'_>,
    clock: &dyn Clock,
) -> Result<(W, BarsReport), BarsError> {
    let folds = Folds::new(options, instrument, reader.form());
    let writer = TableWriter::new(&options.form, out, make_shelf)?;
    let ended =
        if options.threads > 1 { beside(reader, folds, writer, clock) } else { in_turn(reader, folds, writer, clock) }?;
    let Ended { out, bars, decoded, folded, busy_seconds, instruments } = ended;
    let mut report =
        BarsReport { rows: decoded.rows, bars, columns: options.form.column_count(), ..BarsReport::default() };
    report.instruments = instruments;
    report.busy_seconds = busy_seconds;
    report.events = folded.events;
    report.cut_short = decoded.cut_short;
    let named =
        |counts: &BTreeMap<&'static str, u64>| counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    report.rejected = named(&decoded.rejected);
    report.noted = named(&decoded.noted);
    for (name, n) in [("without a time", folded.without_time)] {
        if n > 0 {
            report.rejected.insert(name.to_owned(), n);
        }
    }
    for (name, n) in [
        ("late", folded.late),
        ("gaps over 24 h, not filled", folded.gaps),
        ("sequence going backwards", folded.sequence_back),
        ("in the unfinished last bar", folded.unfinished),
    ] {
        if n > 0 {
            report.noted.insert(name.to_owned(), n);
        }
    }
    if report.rows > 0 && folded.without_time == report.rows {
        return Err(BarsError::NoTime);
    }
    Ok((out, report))
}

/// What the stages leave.
struct Ended<W> {
    out: W,
    bars: u64,
    decoded: DecodeCounts,
    folded: FoldCounts,
    busy_seconds: BTreeMap<&'static str, f64>,
    instruments: usize,
}

/// One fold an instrument, and the bars that they hand out.
struct Folds<'a> {
    options: &'a BarsOptions,
    instrument: &'a (dyn Fn(&str) -> Instrument + Sync),
    form: SourceForm,
    folds: Vec<AnyFold>,
    block: Vec<Tagged>,
}

/// A fold of rows in place or decoded.
enum AnyFold {
    Records(Box<Fold<Record>>),
    Rows(Box<Fold<TickRow>>),
}

/// What the fold hands to the writer.
enum Handed<'b> {
    Names(Vec<String>),
    /// To be left empty: taken, or cleared.
    Bars(&'b mut Vec<Tagged>),
}

/// What the fold sends to a writer that runs beside it.
enum Sent {
    Names(Vec<String>),
    Bars(Vec<Tagged>),
}

impl<'a> Folds<'a> {
    fn new(options: &'a BarsOptions, instrument: &'a (dyn Fn(&str) -> Instrument + Sync), form: SourceForm) -> Self {
        Self { options, instrument, form, folds: Vec::new(), block: Vec::with_capacity(BLOCK_BARS) }
    }

    /// Folds a chunk; `hand` gets names before the bars that need them.
    fn run(
        &mut self,
        chunk: &mut Chunk,
        hand: &mut dyn FnMut(Handed<'_>) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        if !chunk.named.is_empty() {
            for symbol in &mut chunk.named {
                if symbol.is_empty() {
                    symbol.clone_from(&self.options.unnamed);
                }
                let of = (self.instrument)(symbol);
                let rules = Rules::new(self.options.size, self.options.clock, self.options.ends, &of, self.form);
                self.folds.push(match chunk.body {
                    Body::Records(_) => AnyFold::Records(Box::new(Fold::new(rules))),
                    Body::Rows(_) => AnyFold::Rows(Box::new(Fold::new(rules))),
                });
            }
            hand(Handed::Names(std::mem::take(&mut chunk.named)))?;
        }
        let mut at = 0;
        for (instrument, rows) in &chunk.runs {
            let to = at + *rows as usize;
            match (&mut self.folds[*instrument as usize], &chunk.body) {
                (AnyFold::Records(fold), Body::Records(bytes)) => {
                    let records = bytes.as_chunks().0;
                    run(fold, &records[at..to], *instrument, &mut self.block, hand)?;
                }
                (AnyFold::Rows(fold), Body::Rows(all)) => {
                    run(fold, &all[at..to], *instrument, &mut self.block, hand)?;
                }
                _ => unreachable!("a reader gives one kind of rows"),
            }
            at = to;
        }
        Ok(())
    }

    /// Ends the last bars.
    fn finish(&mut self, hand: &mut dyn FnMut(Handed<'_>) -> Result<(), TableError>) -> Result<FoldCounts, TableError> {
        let mut all = FoldCounts::default();
        for (instrument, fold) in self.folds.iter_mut().enumerate() {
            let block = &mut self.block;
            let mut keep = |bar: &Bar<'_>| keep(block, instrument as u32, bar);
            let counts = match fold {
                AnyFold::Records(fold) => {
                    fold.finish(&mut keep);
                    fold.counts
                }
                AnyFold::Rows(fold) => {
                    fold.finish(&mut keep);
                    fold.counts
                }
            };
            all.add(&counts);
            if self.block.len() >= BLOCK_BARS {
                hand(Handed::Bars(&mut self.block))?;
            }
        }
        hand(Handed::Bars(&mut self.block))?;
        Ok(all)
    }
}

/// Puts a bar at the end of a block.
fn keep(block: &mut Vec<Tagged>, instrument: u32, bar: &Bar<'_>) {
    block.push((instrument, [0; COLUMN_COUNT]));
    if let Some((_, cells)) = block.last_mut() {
        bar.write(cells);
    }
}

/// Folds a run of rows, and hands on the block whenever it is full.
fn run<R: Row>(
    fold: &mut Fold<R>,
    rows: &[R],
    instrument: u32,
    block: &mut Vec<Tagged>,
    hand: &mut dyn FnMut(Handed<'_>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let mut failed = Ok(());
    fold.run(rows, &mut |bar| {
        keep(block, instrument, bar);
        if block.len() >= BLOCK_BARS {
            if failed.is_ok() {
                failed = hand(Handed::Bars(block));
            }
            block.clear();
        }
    });
    failed
}

fn write<W: Write + Send>(writer: &mut TableWriter<'_, W>, handed: Handed<'_>) -> Result<(), TableError> {
    match handed {
        Handed::Names(names) => {
            writer.name(names);
            Ok(())
        }
        Handed::Bars(bars) => {
            let added = writer.add(bars);
            bars.clear();
            added
        }
    }
}

/// Busy time of one stage.
struct Busy<'c> {
    clock: &'c dyn Clock,
    time: Duration,
}

impl<'c> Busy<'c> {
    fn new(clock: &'c dyn Clock) -> Self {
        Self { clock, time: Duration::ZERO }
    }

    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let from = self.clock.monotonic();
        let done = work();
        self.time += self.clock.monotonic().saturating_sub(from);
        done
    }
}

/// All stages in turn.
fn in_turn<W: Write + Send>(
    mut reader: TickReader,
    mut folds: Folds<'_>,
    mut writer: TableWriter<'_, W>,
    clock: &dyn Clock,
) -> Result<Ended<W>, BarsError> {
    let (mut decode, mut fold, mut write_busy) = (Busy::new(clock), Busy::new(clock), Busy::new(clock));
    let mut chunk = Chunk::default();
    let mut hand = |handed: Handed<'_>| write_busy.of(|| write(&mut writer, handed));
    while decode.of(|| reader.fill(&mut chunk))? {
        fold.of(|| folds.run(&mut chunk, &mut hand))?;
    }
    let folded = fold.of(|| folds.finish(&mut hand))?;
    // What the fold handed on was written within its time.
    let folding = fold.time.saturating_sub(write_busy.time);
    let (out, bars) = write_busy.of(|| writer.finish())?;
    let writing = write_busy.time.as_secs_f64();
    let busy_seconds =
        BTreeMap::from([("decode", decode.time.as_secs_f64()), ("fold", folding.as_secs_f64()), ("write", writing)]);
    Ok(Ended { out, bars, decoded: reader.into_counts(), folded, busy_seconds, instruments: folds.folds.len() })
}

/// Stages side by side.
fn beside<W: Write + Send>(
    mut reader: TickReader,
    mut folds: Folds<'_>,
    mut writer: TableWriter<'_, W>,
    clock: &dyn Clock,
) -> Result<Ended<W>, BarsError> {
    thread::scope(|scope| {
        let (to_fold, chunks) = sync_channel::<Chunk>(WAITING_MAX);
        let (to_reader, spare) = sync_channel::<Chunk>(WAITING_MAX + 2);
        let (to_writer, handed) = sync_channel::<Sent>(WAITING_MAX);
        let decoding = scope.spawn(move || {
            let mut busy = Busy::new(clock);
            let ended = decode_all(&mut reader, &to_fold, &spare, &mut busy);
            (ended, reader, busy.time)
        });
        let writing = scope.spawn(move || {
            let mut busy = Busy::new(clock);
            let written = write_all(&mut writer, &handed, &mut busy);
            let ended = written.and_then(|()| busy.of(|| writer.finish()));
            (ended, busy.time)
        });
        let mut busy = Busy::new(clock);
        let mut waiting = Duration::ZERO;
        let mut hand = |handed: Handed<'_>| {
            let from = clock.monotonic();
            let sent = match handed {
                Handed::Names(names) => Sent::Names(names),
                Handed::Bars(bars) => Sent::Bars(std::mem::replace(bars, Vec::with_capacity(BLOCK_BARS))),
            };
            // A writer that went away tells why when it is joined.
            let _ = to_writer.send(sent);
            waiting += clock.monotonic().saturating_sub(from);
            Ok(())
        };
        let mut folded = Ok(());
        for mut chunk in chunks {
            folded = folded.and_then(|()| busy.of(|| folds.run(&mut chunk, &mut hand)));
            // A reader that has ended needs no more.
            let _ = to_reader.try_send(chunk);
        }
        let counts = folded.and_then(|()| busy.of(|| folds.finish(&mut hand)));
        drop(to_writer);
        let (decoded, reader, decode_time) = decoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (written, write_time) = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        decoded?;
        let (out, bars) = written?;
        let busy_seconds = BTreeMap::from([
            ("decode", decode_time.as_secs_f64()),
            ("fold", busy.time.saturating_sub(waiting).as_secs_f64()),
            ("write", write_time.as_secs_f64()),
        ]);
        Ok(Ended {
            out,
            bars,
            decoded: reader.into_counts(),
            folded: counts?,
            busy_seconds,
            instruments: folds.folds.len(),
        })
    })
}

fn decode_all(
    reader: &mut TickReader,
    to_fold: &SyncSender<Chunk>,
    spare: &Receiver<Chunk>,
    busy: &mut Busy<'_>,
) -> Result<(), DecodeError> {
    loop {
        let mut chunk = spare.try_recv().unwrap_or_default();
        if !busy.of(|| reader.fill(&mut chunk))? || to_fold.send(chunk).is_err() {
            return Ok(());
        }
    }
}

fn write_all<W: Write + Send>(
    writer: &mut TableWriter<'_, W>,
    sent: &Receiver<Sent>,
    busy: &mut Busy<'_>,
) -> Result<(), TableError> {
    for sent in sent {
        busy.of(|| match sent {
            Sent::Names(names) => write(writer, Handed::Names(names)),
            Sent::Bars(mut bars) => write(writer, Handed::Bars(&mut bars)),
        })?;
    }
    Ok(())
}
