//! Books that never were: files in the format of the real ones, and their exact truth. Start at [`Simulator::day`].
//!
//! Events come as a self-exciting process through a day with sessions (`arrivals`, `profile`); traders without
//! intelligence act on a book of single orders (`market`, `book`); each step gets its times and becomes a record
//! (`rows`). The same market is told as ten levels or as single orders.
//!
//! Invariant: nothing in this module uses anything of the crate outside it. A simulator that shared code with the
//! decoders or the kernel would agree with their mistakes. It writes to a `Write` and knows no file.

mod arrivals;
mod book;
mod census;
mod faults;
mod market;
mod options;
mod profile;
mod random;
mod rows;
mod statistics;
mod truth;

use std::io::{self, Write};

use jiff::{civil::Date, tz::TimeZone};

use self::{
    arrivals::Arrivals, faults::EventFaults, market::Market, profile::Profile, random::Random, rows::Rows, truth::Tape,
};
pub use self::{
    options::{BookFaults, BookSchema, SimulateOptions},
    statistics::{Statistics, Target, targets_table},
    truth::{DayTruth, Range, TrueLevels, Truth},
};

/// Ten-level rows that an event becomes, in the mean.
const ROWS_AN_EVENT: f64 = 1.07;
/// A day that follows another starts so much later, in the first bar of 5 s that the day before has not reached.
const BAR_NS: i64 = 5_000_000_000;

/// Why nothing can be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// An option is out of range.
    #[error("{what}")]
    Option {
        /// Which, and what is expected.
        what: String,
    },
    /// A date cannot be simulated.
    #[error("{date}: not after the day that was simulated before, or beyond the years 1971 to 2200")]
    Date {
        /// The date.
        date: Date,
    },
    /// The calendar cannot tell when a day is.
    #[error("the calendar ends here: {0}")]
    Calendar(#[from] jiff::Error),
    /// The header cannot be written.
    #[error("the header cannot be written: {0}")]
    Header(#[from] dbn::Error),
    /// The output fails.
    #[error("rows cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// A market that goes on from day to day.
#[derive(Debug)]
pub struct Simulator {
    options: SimulateOptions,
    zone: TimeZone,
    market: Market,
    arrivals: Option<Arrivals>,
    /// End of the day before, ns, and its regular session.
    before: Option<(i64, Option<Range>)>,
}

impl Simulator {
    /// A market at its start price.
    ///
    /// # Errors
    /// [`SimulateError::Option`] where an option is out of range.
    pub fn new(options: SimulateOptions) -> Result<Self, SimulateError> {
        let wrong = |what: String| Err(SimulateError::Option { what });
        let zone = match TimeZone::get(&options.time_zone) {
            Ok(zone) => zone,
            Err(error) => return wrong(format!("time zone {:?} is not known: {error}", options.time_zone)),
        };
        let symbol = &options.symbol;
        if symbol.is_empty() || symbol.len() > 70 || !symbol.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong(format!("symbol {symbol:?}: expected 1 to 70 visible ASCII letters"));
        }
        if !(1_000..=1_000_000_000).contains(&options.rows) {
            return wrong(format!("{} rows a day: expected 1,000 to 1,000,000,000", options.rows));
        }
        // Half ticks are prices too, and the price may wander for years.
        let ticks = options.start_price.checked_div(options.tick).unwrap_or_default();
        if options.tick < 2 || options.tick % 2 != 0 || ticks < 1_000 || options.start_price > i64::MAX / 16 {
            return wrong(format!(
                "tick {} and start price {} in 1e-9: expected an even tick and a price of 1,000 ticks at least",
                options.tick, options.start_price
            ));
        }
        let market = Market::new(options.seed, ticks);
        Ok(Self { options, zone, market, arrivals: None, before: None })
    }

    /// Simulates the day `date` into `out`: one DBN file. About a second for 1.9 M rows.
    ///
    /// Days are given in order; what lies between two days is not simulated, and the price goes on as if it were not
    /// there. The day lasts from local midnight to the next, where its last row stands; a day right after another
    /// begins 5 s later, so that no two files share a bar of 5 s. Returns the output and the day's truth.
    ///
    /// # Errors
    /// [`SimulateError::Date`] where `date` is not after the day before, [`SimulateError::Write`] where `out` fails.
    pub fn day<W: Write>(&mut self, date: Date, out: W) -> Result<(W, DayTruth), SimulateError> {
        if !(1971..=2200).contains(&date.year()) {
            return Err(SimulateError::Date { date });
        }
        let profile = Profile::new(date, &self.zone)?;
        let (ended_ns, prior_regular) = self.before.unwrap_or((i64::MIN, None));
        if ended_ns > profile.start_ns {
            return Err(SimulateError::Date { date });
        }
        let start_ns = profile.start_ns.max(ended_ns.saturating_add(BAR_NS));
        let Self { options, market, arrivals, .. } = self;
        let arrivals = arrivals.get_or_insert_with(|| Arrivals::new(Random::new(options.seed, "arrivals"), start_ns));
        arrivals.rest_until(start_ns);
        // Without children as many would be left as have no parent.
        let immigrants_a_day = options.rows as f64 / ROWS_AN_EVENT * (1.0 - Arrivals::branching());
        let mut faults = EventFaults::new(options.seed ^ start_ns as u64, &options.faults, options.rows);
        let mut done = BookFaults::default();
        let tape = Tape::new(&profile, options.tick, prior_regular);
        let mut rows = Rows::new(options, date, start_ns, tape, out)?;
        let (mut immigrants, mut children) = (0_u64, 0_u64);
        market.snapshot(&mut rows);
        let mut minute_ns = start_ns;
        while minute_ns < profile.end_ns {
            let (share, end_ns) = profile.minute(minute_ns);
            let base = immigrants_a_day * share / 60.0;
            while let Some(arrival) = arrivals.next(base, end_ns) {
                while let Some(fault) = faults.next(immigrants + children, &mut done) {
                    rows.at(arrival.at_ns);
                    market.fault(fault, &mut rows);
                }
                *if arrival.immigrant { &mut immigrants } else { &mut children } += 1;
                // Rows that took their time may not run on beyond the day.
                rows.at(arrival.at_ns);
                market.act(&mut rows);
            }
            rows.error()?;
            minute_ns = end_ns;
        }
        rows.at(profile.end_ns);
        market.act(&mut rows);
        let now_ns = rows.now_ns();
        let (out, bytes, row_faults, census, tape) = rows.finish()?;
        let faults = BookFaults {
            late: row_faults.late,
            undefined_time: row_faults.undefined_time,
            bad_book: row_faults.bad_book,
            bad_ts_recv: row_faults.bad_ts_recv,
            ..done
        };
        let truth = DayTruth {
            date: date.to_string(),
            start_ns,
            open_ns: profile.open_ns,
            end_ns: profile.end_ns,
            levels: tape.levels,
            trades: tape.trades,
            volume: tape.volume,
            immigrants,
            children,
            faults,
            statistics: Statistics::new(&census, &profile, bytes, immigrants, children),
        };
        self.before = Some((now_ns, truth.levels.regular));
        Ok((out, truth))
    }

    /// The truth of a run of these options with the truths of its days.
    pub fn truth(&self, days: Vec<DayTruth>) -> Truth {
        Truth {
            symbol: self.options.symbol.clone(),
            seed: self.options.seed,
            tick: self.options.tick,
            time_zone: self.options.time_zone.clone(),
            days,
        }
    }
}
