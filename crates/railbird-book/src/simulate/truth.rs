//! What really happened. Start at [`Truth`].

use serde::Serialize;

use super::{
    BookFaults, Statistics,
    profile::{Profile, Session},
};

const MINUTE_NS: i64 = 60_000_000_000;

/// The truth of a run: what `truth.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Symbol.
    pub symbol: String,
    /// Seed.
    pub seed: u64,
    /// Smallest step of the price, 1e-9.
    pub tick: i64,
    /// Time zone of the sessions.
    pub time_zone: String,
    /// Days, oldest first.
    pub days: Vec<DayTruth>,
}

/// The truth of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayTruth {
    /// Date in the instrument's time zone.
    pub date: String,
    /// First moment of the day, Unix ns.
    pub start_ns: i64,
    /// Regular open, Unix ns.
    pub open_ns: i64,
    /// End of the day, Unix ns: the last row is stamped with it.
    pub end_ns: i64,
    /// Prices that levels are made from, of all trades of any side.
    pub levels: TrueLevels,
    /// Trades of the day.
    pub trades: u64,
    /// Traded size of the day.
    pub volume: u64,
    /// Events without a parent.
    pub immigrants: u64,
    /// Events with a parent.
    pub children: u64,
    /// How many of each fault there are.
    pub faults: BookFaults,
    /// Shape of the rows.
    pub statistics: Statistics,
}

/// Levels of a day, 1e-9. None where nothing was traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TrueLevels {
    /// Trades from 04:00 to the regular open.
    pub pre_market: Option<Range>,
    /// Trades of the first 5 minutes of the regular session.
    pub opening_5_min: Option<Range>,
    /// Trades of the first 15 minutes.
    pub opening_15_min: Option<Range>,
    /// Trades of the first 30 minutes.
    pub opening_30_min: Option<Range>,
    /// Trades from 09:30 to 16:00.
    pub regular: Option<Range>,
    /// The regular session of the simulated day before.
    pub prior_regular: Option<Range>,
    /// Trades of the whole day, up to and with its last row.
    pub day: Option<Range>,
}

/// First, highest, lowest and last traded price, 1e-9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// First.
    pub first: i64,
    /// Highest.
    pub high: i64,
    /// Lowest.
    pub low: i64,
    /// Last.
    pub last: i64,
}

/// Notes the trades of a day.
#[derive(Debug)]
pub(super) struct Tape<'a> {
    profile: &'a Profile,
    half_tick: i64,
    pub(super) levels: TrueLevels,
    pub(super) trades: u64,
    pub(super) volume: u64,
}

impl<'a> Tape<'a> {
    /// Prices come in half ticks of `tick`, 1e-9.
    pub(super) fn new(profile: &'a Profile, tick: i64, prior_regular: Option<Range>) -> Self {
        let levels = TrueLevels { prior_regular, ..TrueLevels::default() };
        Self { profile, half_tick: tick / 2, levels, trades: 0, volume: 0 }
    }

    /// A trade at `half_ticks`.
    pub(super) fn trade(&mut self, at_ns: i64, half_ticks: i64, size: u32) {
        self.trades += 1;
        self.volume += u64::from(size);
        let price = half_ticks * self.half_tick;
        let levels = &mut self.levels;
        note(&mut levels.day, price);
        match self.profile.session(at_ns) {
            Session::PreMarket => note(&mut levels.pre_market, price),
            Session::Regular => {
                note(&mut levels.regular, price);
                let since_open = at_ns - self.profile.open_ns;
                for (minutes, range) in
                    [(5, &mut levels.opening_5_min), (15, &mut levels.opening_15_min), (30, &mut levels.opening_30_min)]
                {
                    if since_open < minutes * MINUTE_NS {
                        note(range, price);
                    }
                }
            }
            Session::Night | Session::AfterHours => {}
        }
    }
}

fn note(range: &mut Option<Range>, price: i64) {
    let range = range.get_or_insert(Range { first: price, high: price, low: price, last: price });
    range.high = range.high.max(price);
    range.low = range.low.min(price);
    range.last = price;
}
