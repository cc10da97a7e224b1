//! Steps of the market get their times and become records of a file. Start at [`Rows::new`].

use std::io::{self, BufWriter, Write};

use dbn::{
    BidAskPair, FlagSet, MappingInterval, MboMsg, Mbp10Msg, Metadata, RecordHeader, SType, Schema, SymbolMapping,
    encode::dbn::MetadataEncoder, flags, rtype,
};
use jiff::civil::Date;
use zstd::stream::write::Encoder;

use super::{
    BookFaults, BookSchema, SimulateError, SimulateOptions,
    book::{Book, LEVELS, Side},
    census::{Census, Seen},
    faults::RowFaults,
    market::{Shown, Step, Steps},
    random::{Random, Table},
    truth::Tape,
};

/// Publisher of every row: none of the real ones.
const PUBLISHER: u16 = 999;
const LATE_NS_MAX: usize = 50_000_000;
/// Between two rows of an event that do not share a time, ns, as the median.
const DELAY_NS: f64 = 40_000.0;

/// A file that is being written.
pub(super) struct Rows<'a, W: Write> {
    options: &'a SimulateOptions,
    out: Out<W>,
    stamps: Stamps,
    faults: RowFaults,
    written: u64,
    /// Time of the last row that was not late.
    stamped_ns: u64,
    /// First error of the output; nothing is written after it.
    broken: Option<io::Error>,
    level_record: Mbp10Msg,
    order_record: MboMsg,
    /// What was written.
    pub(super) census: Census,
    /// What was traded.
    pub(super) tape: Tape<'a>,
}

/// Bytes that have gone out.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

enum Out<W: Write> {
    Plain(BufWriter<Counted<W>>),
    Packed(BufWriter<Encoder<'static, Counted<W>>>),
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}

impl<'a, W: Write> Rows<'a, W> {
    /// A file of the day `date`, from `start_ns`, whose header is written at once.
    pub(super) fn new(
        options: &'a SimulateOptions,
        date: Date,
        start_ns: i64,
        tape: Tape<'a>,
        out: W,
    ) -> Result<Self, SimulateError> {
        let out = Counted { inner: out, bytes: 0 };
        let mut out = if options.compressed {
            Out::Packed(BufWriter::with_capacity(1 << 16, Encoder::new(out, 3)?))
        } else {
            Out::Plain(BufWriter::with_capacity(1 << 16, out))
        };
        MetadataEncoder::new(&mut out).encode(&metadata(options, date, start_ns)?)?;
        let seed = options.seed ^ (start_ns as u64).rotate_left(17);
        let header = |kind| (kind, PUBLISHER, options.instrument_id, 0);
        let (kind, publisher, instrument, time) = header(rtype::MBP_10);
        let level_record =
            Mbp10Msg { hd: RecordHeader::new::<Mbp10Msg>(kind, publisher, instrument, time), ..Mbp10Msg::default() };
        let (kind, publisher, instrument, time) = header(rtype::MBO);
        let order_record =
            MboMsg { hd: RecordHeader::new::<MboMsg>(kind, publisher, instrument, time), ..MboMsg::default() };
        Ok(Self {
            options,
            out,
            stamps: Stamps::new(seed, start_ns),
            faults: RowFaults::new(seed, &options.faults, options.rows),
            written: 0,
            stamped_ns: start_ns as u64,
            broken: None,
            level_record,
            order_record,
            census: Census::new(),
            tape,
        })
    }

    /// The next step is not before `at_ns` and begins an event.
    pub(super) fn at(&mut self, at_ns: i64) {
        self.stamps.at(at_ns);
    }

    /// The output's error, if it has failed.
    pub(super) fn error(&mut self) -> Result<(), SimulateError> {
        self.broken.take().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Time of the last row.
    pub(super) fn now_ns(&self) -> i64 {
        self.stamps.event_ns
    }

    /// Ends the file: its output, its bytes, and how many rows were spoiled.
    pub(super) fn finish(mut self) -> Result<(W, u64, BookFaults, Census, Tape<'a>), SimulateError> {
        self.error()?;
        let inner = |error: io::IntoInnerError<_>| error.into_error();
        let mut counted = match self.out {
            Out::Plain(out) => out.into_inner().map_err(|error| error.into_error())?,
            Out::Packed(out) => out.into_inner().map_err(inner)?.finish()?,
        };
        counted.inner.flush()?;
        Ok((counted.inner, counted.bytes, self.faults.done, self.census, self.tape))
    }

    fn write(&mut self, book: &Book, step: Step) -> io::Result<()> {
        let spoiled = self.faults.next(self.written);
        self.written += 1;
        let stamps = &mut self.stamps;
        let mut ts_event = stamps.event_ns as u64;
        if spoiled.late {
            ts_event = self.stamped_ns - 1 - self.faults.index(LATE_NS_MAX) as u64;
        } else {
            self.stamped_ns = ts_event;
        }
        if spoiled.undefined_time {
            ts_event = u64::MAX;
        }
        let mut bits = if step.last { flags::LAST } else { 0 };
        if step.last && !stamps.alone {
            bits |= flags::PUBLISHER_SPECIFIC;
        }
        for (set, bit) in [
            (step.snapshot, flags::SNAPSHOT | flags::BAD_TS_RECV),
            (spoiled.bad_book, flags::MAYBE_BAD_BOOK),
            (spoiled.bad_ts_recv, flags::BAD_TS_RECV),
        ] {
            if set {
                bits |= bit;
            }
        }
        self.census.see(&Seen {
            at_ns: stamps.event_ns,
            action: step.action,
            side: step.side,
            size: step.size,
            depth: step.depth,
            last: step.last || step.action == b'R',
        });
        let price = step.half_ticks.map_or(dbn::UNDEF_PRICE, |half_ticks| half_ticks * self.options.tick / 2);
        match self.options.schema {
            BookSchema::Mbp10 => {
                let record = &mut self.level_record;
                record.hd.ts_event = ts_event;
                record.price = price;
                record.size = step.size;
                record.action = step.action as _;
                record.side = step.side as _;
                record.flags = FlagSet::new(bits);
                record.depth = step.depth as u8;
                record.ts_recv = stamps.recv_ns as u64;
                record.ts_in_delta = stamps.sent_ns;
                record.sequence = stamps.sequence;
                fill(&mut record.levels, book, self.options.tick);
                self.out.write_all(record.as_ref())
            }
            BookSchema::Mbo => {
                let record = &mut self.order_record;
                record.hd.ts_event = ts_event;
                record.order_id = step.order;
                record.price = price;
                record.size = step.size;
                record.flags = FlagSet::new(bits);
                record.channel_id = 0;
                record.action = step.action as _;
                record.side = step.side as _;
                record.ts_recv = stamps.recv_ns as u64;
                record.ts_in_delta = stamps.sent_ns;
                record.sequence = stamps.sequence;
                self.out.write_all(record.as_ref())
            }
        }
    }
}

impl<W: Write> Steps for Rows<'_, W> {
    fn take(&mut self, book: &Book, step: Step) {
        // Stamped whether shown or not, so that both kinds of file tell the same events.
        self.stamps.step(&step);
        if step.action == b'T' && !step.snapshot {
            self.tape.trade(self.stamps.event_ns, step.half_ticks.unwrap_or_default(), step.size);
        }
        let shown = match self.options.schema {
            BookSchema::Mbp10 => step.shown != Shown::Orders && step.depth < LEVELS,
            BookSchema::Mbo => step.shown != Shown::Levels,
        };
        if shown && self.broken.is_none() {
            self.broken = self.write(book, step).err();
        }
    }
}

fn fill(levels: &mut [BidAskPair; LEVELS], book: &Book, tick: i64) {
    for ((pair, bid), ask) in levels.iter_mut().zip(book.shown(Side::Bid)).zip(book.shown(Side::Ask)) {
        pair.bid_px = if bid.size == 0 { dbn::UNDEF_PRICE } else { bid.tick * tick };
        pair.ask_px = if ask.size == 0 { dbn::UNDEF_PRICE } else { ask.tick * tick };
        (pair.bid_sz, pair.ask_sz) = (bid.size, ask.size);
        (pair.bid_ct, pair.ask_ct) = (bid.orders, ask.orders);
    }
}

fn metadata(options: &SimulateOptions, date: Date, start_ns: i64) -> Result<Metadata, SimulateError> {
    let day = |date: Date| {
        time::Date::from_calendar_date(
            date.year().into(),
            time::Month::try_from(date.month() as u8).map_err(|_| SimulateError::Date { date })?,
            date.day() as u8,
        )
        .map_err(|_| SimulateError::Date { date })
    };
    let schema = match options.schema {
        BookSchema::Mbp10 => Schema::Mbp10,
        BookSchema::Mbo => Schema::Mbo,
    };
    // Intervals are in days of UTC, of which a local day touches up to three.
    let interval = MappingInterval {
        start_date: day(date.yesterday()?)?,
        end_date: day(date.tomorrow()?.tomorrow()?)?,
        symbol: options.instrument_id.to_string(),
    };
    Ok(Metadata::builder()
        .dataset("SIM.BOOK")
        .schema(Some(schema))
        .start(start_ns as u64)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .symbols(vec![options.symbol.clone()])
        .mappings(vec![SymbolMapping { raw_symbol: options.symbol.clone(), intervals: vec![interval] }])
        .build())
}

/// Times and sequence numbers.
struct Stamps {
    random: Random,
    /// Time of the event's row, ns.
    event_ns: i64,
    recv_ns: i64,
    /// How long before `recv_ns` the row was sent.
    sent_ns: i32,
    sequence: u32,
    /// Whether the event lacks the publisher's own flag.
    alone: bool,
    /// Whether the rows of the event come at times of their own.
    slow: bool,
    begins: bool,
    latencies: Table,
    gaps: Table,
    delays: Table,
}

impl Stamps {
    fn new(seed: u64, start_ns: i64) -> Self {
        let mut random = Random::new(seed, "stamps");
        let mut spread = |median: f64, deviation: f64, least: f64, most: f64| {
            Table::new(|| (least + median * (deviation * random.normal()).exp()).min(most) as u32)
        };
        let latencies = spread(900.0, 1.1, 165_000.0, 2e6);
        let gaps = spread(4.0, 2.2, 1.0, 2_000.0);
        let delays = spread(DELAY_NS, 2.0, 1_000.0, 4e8);
        Self {
            random,
            event_ns: start_ns,
            recv_ns: start_ns,
            sent_ns: 0,
            sequence: 1,
            alone: false,
            slow: false,
            begins: true,
            latencies,
            gaps,
            delays,
        }
    }

    fn at(&mut self, at_ns: i64) {
        self.event_ns = self.event_ns.max(at_ns);
        self.begins = true;
        let draw = self.random.bits();
        self.alone = draw & 0xff < 26;
        self.slow = (draw >> 8) & 0xff < 31;
    }

    fn step(&mut self, step: &Step) {
        if step.same {
            return;
        }
        if !self.begins && self.slow {
            self.event_ns += i64::from(self.delays.draw(&mut self.random));
        }
        self.begins = false;
        self.sequence = self.sequence.wrapping_add(self.gaps.draw(&mut self.random));
        let latency = self.latencies.draw(&mut self.random);
        self.recv_ns = self.recv_ns.max(self.event_ns + i64::from(latency));
        self.sent_ns = (latency - latency / 8) as i32;
    }
}
