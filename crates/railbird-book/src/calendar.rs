//! Trading days of an instrument, in its own time zone. Start at [`Calendar::day_of`].
//!
//! - A trading day has a date. Where the pre-market starts after the regular open on the clock, as with futures that
//!   open the evening before, the day begins at that pre-market start on the calendar day before; else at midnight.
//! - Windows of a day: pre-market from its start to the open; opening range from the open for so many minutes; regular
//!   from the open to the close. A close at or before the open is on the next calendar day. Windows hold their start and
//!   not their end.
//! - Local times follow the zone's rules of the date: a time that the clock skips is the later one, a time that it
//!   shows twice is the first.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::StageError;
use crate::instrument::Instrument;

/// Length of the opening range unless told otherwise, minutes.
pub const OPENING_MINUTES: u16 = 15;

const NANOS_A_MINUTE: i64 = 60_000_000_000;

/// Sessions of an instrument as local times.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    pre_market: Time,
    open: Time,
    close: Time,
    opening_minutes: i64,
}

/// Local times of a [`Calendar`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// Start of the pre-market; equal to the open where there is none.
    pub pre_market: Time,
    /// Regular open.
    pub open: Time,
    /// Regular close.
    pub close: Time,
    /// Length of the opening range, minutes.
    pub opening_minutes: u16,
}

/// One trading day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingDay {
    /// Date of the day.
    pub date: Date,
    /// Start, ns since 1970, included.
    pub start: i64,
    /// End, ns since 1970, excluded: the start of the next.
    pub end: i64,
    /// Start of the pre-market.
    pub pre_market: i64,
    /// Regular open.
    pub open: i64,
    /// End of the opening range.
    pub opening_end: i64,
    /// Regular close.
    pub close: i64,
}

impl Calendar {
    /// A calendar in the IANA time zone `zone`.
    ///
    /// # Errors
    /// [`StageError::Instrument`], naming `symbol`, where the zone is not known or the opening range has no length.
    pub fn new(symbol: &str, zone: &str, times: SessionTimes) -> Result<Self, StageError> {
        let fault = |what| StageError::Instrument { symbol: symbol.to_owned(), what };
        let zone = TimeZone::get(zone)
            .map_err(|error| fault(format!("time zone {zone:?} is not known, expected a name like UTC: {error}")))?;
        if times.opening_minutes == 0 {
            return Err(fault("the opening range has no length; expected at least a minute".to_owned()));
        }
        let SessionTimes { pre_market, open, close, opening_minutes } = times;
        Ok(Self { zone, pre_market, open, close, opening_minutes: i64::from(opening_minutes) })
    }

    /// The calendar of an instrument, with an opening range of so many minutes.
    ///
    /// # Errors
    /// As [`Calendar::new`].
    pub fn of(instrument: &Instrument, opening_minutes: u16) -> Result<Self, StageError> {
        let sessions = &instrument.sessions;
        let (pre_market, open, close) = (sessions.pre_market, sessions.open, sessions.close);
        let times = SessionTimes { pre_market, open, close, opening_minutes };
        Self::new(&instrument.symbol, &instrument.time_zone, times)
    }

    /// The trading day that holds `instant`, ns since 1970.
    pub fn day_of(&self, instant: i64) -> TradingDay {
        let local = Timestamp::from_nanosecond(i128::from(instant))
            .expect("every i64 of nanoseconds is within the years that the calendar knows")
            .to_zoned(self.zone.clone());
        // Zones move a date by at most one day either way; the right one of three holds the instant.
        let date = local.date();
        [0, 1, -1]
            .into_iter()
            .map(|offset| self.day(shift(date, offset)))
            .find(|day| (day.start..day.end).contains(&instant))
            .unwrap_or_else(|| self.day(date))
    }

    /// The trading day of `date`.
    pub fn day(&self, date: Date) -> TradingDay {
        let overnight = self.pre_market > self.open;
        let start_of = |date: Date| {
            if overnight { self.at(shift(date, -1), self.pre_market) } else { self.at(date, Time::midnight()) }
        };
        let open = self.at(date, self.open);
        let close_date = if self.close <= self.open { shift(date, 1) } else { date };
        let close = self.at(close_date, self.close);
        TradingDay {
            date,
            start: start_of(date),
            end: start_of(shift(date, 1)),
            pre_market: if overnight { start_of(date) } else { self.at(date, self.pre_market) },
            open,
            opening_end: open.saturating_add(self.opening_minutes * NANOS_A_MINUTE).min(close),
            close,
        }
    }

    fn at(&self, date: Date, time: Time) -> i64 {
        let instant = self.zone.to_timestamp(date.to_datetime(time)).map_or(i128::MAX, |at| at.as_nanosecond());
        i64::try_from(instant).unwrap_or(i64::MAX)
    }
}

impl TradingDay {
    /// The regular session's five-minute bucket of `instant`, from 0; `None` outside it.
    pub fn bucket_of(&self, instant: i64) -> Option<usize> {
        (self.open..self.close).contains(&instant).then(|| ((instant - self.open) / BUCKET_NS) as usize)
    }

    /// Five-minute buckets of the regular session; the last may be shorter.
    pub fn buckets(&self) -> usize {
        ((self.close - self.open).max(0) as u64).div_ceil(BUCKET_NS as u64) as usize
    }
}

/// Length of a bucket of the volume profile, ns.
pub(crate) const BUCKET_NS: i64 = 5 * NANOS_A_MINUTE;

fn shift(date: Date, days: i32) -> Date {
    date.checked_add(days.days()).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use jiff::civil::time;
    use railbird_timeline::Ts;

    use super::*;

    const STOCKS: SessionTimes = SessionTimes {
        pre_market: time(4, 0, 0, 0),
        open: time(9, 30, 0, 0),
        close: time(16, 0, 0, 0),
        opening_minutes: 15,
    };

    #[track_caller]
    fn check(times: SessionTimes, zone: &str, instant: &str, want: Expect) {
        let calendar = Calendar::new("TEST", zone, times).unwrap();
        let day = calendar.day_of(instant.parse::<Ts>().unwrap().0);
        let shown = [day.start, day.pre_market, day.open, day.opening_end, day.close, day.end]
            .map(|instant| Ts(instant).to_string());
        want.assert_eq(&format!("{} {}", day.date, shown.join(" ")));
    }

    #[test]
    fn local_windows_follow_daylight_saving() {
        let new_york = "America/New_York";
        check(
            STOCKS,
            new_york,
            "2025-03-07T15:00:00Z",
            expect![
                "2025-03-07 2025-03-07T05:00:00Z 2025-03-07T09:00:00Z 2025-03-07T14:30:00Z 2025-03-07T14:45:00Z 2025-03-07T21:00:00Z 2025-03-08T05:00:00Z"
            ],
        );
        // The day on which the clocks go forward has 23 hours.
        check(
            STOCKS,
            new_york,
            "2025-03-09T15:00:00Z",
            expect![
                "2025-03-09 2025-03-09T05:00:00Z 2025-03-09T08:00:00Z 2025-03-09T13:30:00Z 2025-03-09T13:45:00Z 2025-03-09T20:00:00Z 2025-03-10T04:00:00Z"
            ],
        );
        check(
            STOCKS,
            new_york,
            "2025-03-10T03:59:59.999Z",
            expect![
                "2025-03-09 2025-03-09T05:00:00Z 2025-03-09T08:00:00Z 2025-03-09T13:30:00Z 2025-03-09T13:45:00Z 2025-03-09T20:00:00Z 2025-03-10T04:00:00Z"
            ],
        );
    }

    #[test]
    fn futures_begin_the_evening_before() {
        let futures = SessionTimes { pre_market: time(18, 0, 0, 0), ..STOCKS };
        check(
            futures,
            "America/New_York",
            "2025-06-03T23:00:00Z",
            expect![
                "2025-06-04 2025-06-03T22:00:00Z 2025-06-03T22:00:00Z 2025-06-04T13:30:00Z 2025-06-04T13:45:00Z 2025-06-04T20:00:00Z 2025-06-04T22:00:00Z"
            ],
        );
        check(
            futures,
            "America/New_York",
            "2025-06-04T21:59:59Z",
            expect![
                "2025-06-04 2025-06-03T22:00:00Z 2025-06-03T22:00:00Z 2025-06-04T13:30:00Z 2025-06-04T13:45:00Z 2025-06-04T20:00:00Z 2025-06-04T22:00:00Z"
            ],
        );
    }

    #[test]
    fn coins_trade_round_the_clock() {
        let midnight = Time::midnight();
        let coins = SessionTimes { pre_market: midnight, open: midnight, close: midnight, opening_minutes: 60 };
        check(
            coins,
            "UTC",
            "2025-06-03T23:00:00Z",
            expect![
                "2025-06-03 2025-06-03T00:00:00Z 2025-06-03T00:00:00Z 2025-06-03T00:00:00Z 2025-06-03T01:00:00Z 2025-06-04T00:00:00Z 2025-06-04T00:00:00Z"
            ],
        );
    }

    #[test]
    fn buckets_cover_the_regular_session() {
        let calendar = Calendar::new("TEST", "America/New_York", STOCKS).unwrap();
        let day = calendar.day_of("2025-06-03T15:00:00Z".parse::<Ts>().unwrap().0);
        assert_eq!(day.buckets(), 78);
        assert_eq!((day.bucket_of(day.open - 1), day.bucket_of(day.open)), (None, Some(0)));
        assert_eq!((day.bucket_of(day.close - 1), day.bucket_of(day.close)), (Some(77), None));
    }

    #[test]
    fn refuses_what_is_no_zone() {
        let error = Calendar::new("TEST", "Mars/Olympus", STOCKS).unwrap_err().to_string();
        assert!(error.starts_with("instrument TEST: time zone \"Mars/Olympus\" is not known"), "{error}");
    }
}
