//! The market's day in local time: how busy it is, and which session. Start at [`Profile::new`].

use jiff::{Zoned, civil::Date, tz::TimeZone};

use super::SimulateError;

const MINUTE_NS: i64 = 60_000_000_000;

/// Local minute at which the pre-market starts.
const PRE_MARKET: usize = 4 * 60;
/// Local minute of the regular open.
const OPEN: usize = 9 * 60 + 30;
/// Local minute of the regular close.
const CLOSE: usize = 16 * 60;
/// Local minute at which the after-hours end.
const AFTER_HOURS_END: usize = 20 * 60;
const DAY: usize = 24 * 60;

/// Part of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    Night,
    PreMarket,
    Regular,
    AfterHours,
}

/// A local day: from midnight to midnight.
#[derive(Debug)]
pub(super) struct Profile {
    /// Local midnight, Unix ns.
    pub(super) start_ns: i64,
    /// The next local midnight.
    pub(super) end_ns: i64,
    /// Regular open.
    pub(super) open_ns: i64,
    /// Share of the day's events that each minute since midnight has; they sum to 1.
    shares: Vec<f64>,
}

impl Profile {
    /// The day `date` in `zone`.
    pub(super) fn new(date: Date, zone: &TimeZone) -> Result<Self, SimulateError> {
        let midnight = |date: Date| -> Result<Zoned, SimulateError> { Ok(date.to_zoned(zone.clone())?) };
        let nanos = |moment: &Zoned| -> Result<i64, SimulateError> {
            i64::try_from(moment.timestamp().as_nanosecond()).map_err(|_| SimulateError::Date { date })
        };
        let start_ns = nanos(&midnight(date)?)?;
        let end_ns = nanos(&midnight(date.tomorrow()?)?)?;
        let minutes = usize::try_from((end_ns - start_ns) / MINUTE_NS).unwrap_or(DAY);
        // Minutes are counted from the open: a day with a clock change is longer or shorter in its night only.
        let open_ns = nanos(&date.at(9, 30, 0, 0).to_zoned(zone.clone())?)?;
        let before_open = (open_ns - start_ns) / MINUTE_NS;
        let local = |minute: usize| (OPEN as i64 + minute as i64 - before_open).max(0) as usize;
        let busy: Vec<f64> = (0..minutes).map(|minute| busyness(local(minute))).collect();
        let total: f64 = busy.iter().sum();
        Ok(Self { start_ns, end_ns, open_ns, shares: busy.iter().map(|busy| busy / total).collect() })
    }

    /// Share of the day's events in the minute that holds `at_ns`, and the end of that minute.
    pub(super) fn minute(&self, at_ns: i64) -> (f64, i64) {
        let minute = ((at_ns - self.start_ns) / MINUTE_NS).clamp(0, self.shares.len() as i64 - 1);
        (self.shares[minute as usize], self.start_ns + (minute + 1) * MINUTE_NS)
    }

    /// Session at `at_ns`, a moment of this day.
    pub(super) fn session(&self, at_ns: i64) -> Session {
        let minute = OPEN as i64 + (at_ns - self.open_ns).div_euclid(MINUTE_NS);
        match minute {
            minute if minute < PRE_MARKET as i64 => Session::Night,
            minute if minute < OPEN as i64 => Session::PreMarket,
            minute if minute < CLOSE as i64 => Session::Regular,
            minute if minute < AFTER_HOURS_END as i64 => Session::AfterHours,
            _ => Session::Night,
        }
    }
}

/// How busy a local minute is, in units of the middle of the regular session.
fn busyness(minute: usize) -> f64 {
    let within = |from: usize, to: usize| (minute - from) as f64 / (to - from) as f64;
    match minute {
        PRE_MARKET..OPEN => 0.24 + 0.35 * within(PRE_MARKET, OPEN).powi(2),
        // A U: the open is the higher arm.
        OPEN..CLOSE => {
            let place = 2.0 * within(OPEN, CLOSE) - 1.0;
            1.0 + if place < 0.0 { 0.9 } else { 0.7 } * place.powi(4)
        }
        CLOSE..AFTER_HOURS_END => 0.32 - 0.13 * within(CLOSE, AFTER_HOURS_END),
        _ => 0.18,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn sessions_keep_their_local_time_across_clock_changes() {
        let zone = TimeZone::get("America/New_York").unwrap();
        // A usual day, the day that loses an hour, the day that has one twice.
        for (day, hours) in [(date(2026, 3, 6), 24), (date(2026, 3, 8), 23), (date(2026, 11, 1), 25)] {
            let profile = Profile::new(day, &zone).unwrap();
            assert_eq!(profile.end_ns - profile.start_ns, hours * 60 * MINUTE_NS);
            assert_eq!(profile.session(profile.open_ns - 1), Session::PreMarket);
            assert_eq!(profile.session(profile.open_ns), Session::Regular);
            assert_eq!(profile.session(profile.open_ns + 390 * MINUTE_NS - 1), Session::Regular);
            assert_eq!(profile.session(profile.open_ns + 390 * MINUTE_NS), Session::AfterHours);
            assert_eq!(profile.session(profile.end_ns - 1), Session::Night);
            let open = day.at(9, 30, 0, 0).to_zoned(zone.clone()).unwrap();
            assert_eq!(i128::from(profile.open_ns), open.timestamp().as_nanosecond());
            let first = profile.minute(profile.open_ns).0;
            let before = profile.minute(profile.open_ns - 1).0;
            assert!(first > 2.0 * before, "the open is busy: {first} after {before}");
        }
    }
}
