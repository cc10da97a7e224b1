//! An instant. Start at [`Ts`].

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Error;

/// An instant: nanoseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
///
/// Reaches from 1677 to 2262. Shown and parsed as RFC 3339; serialised as the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub i64);

const NANOS_A_SECOND: i64 = 1_000_000_000;
const SECONDS_A_DAY: i64 = 86_400;

impl Ts {
    /// The first instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The last instant.
    pub const MAX: Self = Self(i64::MAX);

    /// From seconds since 1970; `None` outside the range.
    pub const fn from_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(NANOS_A_SECOND) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// From milliseconds since 1970; `None` outside the range.
    pub const fn from_ms(ms: i64) -> Option<Self> {
        match ms.checked_mul(1_000_000) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// Nanoseconds since 1970.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// This instant moved by `nanos`; `None` outside the range.
    pub const fn checked_add(self, nanos: i64) -> Option<Self> {
        match self.0.checked_add(nanos) {
            Some(moved) => Some(Self(moved)),
            None => None,
        }
    }

    /// This instant moved by `nanos`, stopping at the ends of the range.
    pub const fn saturating_add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this instant, negative if it is later after all; stops at the ends of `i64`.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From `earlier` to this instant; zero if it is later after all.
    pub const fn duration_since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 { Duration::ZERO } else { Duration::from_nanos(self.0.abs_diff(earlier.0)) }
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS`, a fraction of any length, and `Z`, an offset `±HH:MM` or nothing, which means UTC.
    ///
    /// A small `t` or `z`, and a space for the `T`, are accepted as RFC 3339 allows. Digits of the fraction after the
    /// ninth are dropped.
    ///
    /// # Errors
    /// [`Error::Instant`] with the offset of the byte that does not fit; [`Error::InstantRange`]. Second 60 is refused:
    /// an instant here has no place for it.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut parser = Parser { text, at: 0 };
        let year = parser.number(4, 0, 9999, "a year of four digits")?;
        parser.one(b"-", "'-'")?;
        let month = parser.number(2, 1, 12, "a month, 01 to 12")?;
        parser.one(b"-", "'-'")?;
        let day = parser.number(2, 1, days_in_month(year, month), "a day of the month")?;
        parser.one(b"Tt ", "'T'")?;
        let hour = parser.number(2, 0, 23, "an hour, 00 to 23")?;
        parser.one(b":", "':'")?;
        let minute = parser.number(2, 0, 59, "a minute, 00 to 59")?;
        parser.one(b":", "':'")?;
        let second = parser.number(2, 0, 59, "a second, 00 to 59")?;
        let nanos = parser.fraction()?;
        let offset_s = parser.offset()?;
        if parser.at != text.len() {
            return Err(parser.expected("the end"));
        }
        let days = days_from_civil(year, month, day);
        let seconds = days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second - offset_s;
        // In 128 bits, since the first second of the range begins before the range does.
        let total = i128::from(seconds) * i128::from(NANOS_A_SECOND) + i128::from(nanos);
        i64::try_from(total).map(Self).map_err(|_| Error::InstantRange)
    }
}

impl From<Ts> for i64 {
    fn from(ts: Ts) -> i64 {
        ts.0
    }
}

impl FromStr for Ts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text.as_bytes())
    }
}

/// RFC 3339 in UTC, with no, 3, 6 or 9 digits of the second: the fewest that say all.
impl fmt::Display for Ts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(NANOS_A_SECOND);
        let nanos = self.0.rem_euclid(NANOS_A_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_A_DAY));
        let of_day = seconds.rem_euclid(SECONDS_A_DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if nanos == 0 {
        } else if nanos % 1_000_000 == 0 {
            write!(out, ".{:03}", nanos / 1_000_000)?;
        } else if nanos % 1000 == 0 {
            write!(out, ".{:06}", nanos / 1000)?;
        } else {
            write!(out, ".{nanos:09}")?;
        }
        out.write_str("Z")
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn expected(&self, expected: &'static str) -> Error {
        Error::Instant { at: self.at, expected }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn one(&mut self, allowed: &[u8], expected: &'static str) -> Result<u8, Error> {
        match self.peek() {
            Some(byte) if allowed.contains(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            _ => Err(self.expected(expected)),
        }
    }

    fn number(&mut self, digits: usize, least: i64, most: i64, expected: &'static str) -> Result<i64, Error> {
        let field = self.text.get(self.at..self.at + digits).ok_or(self.expected(expected))?;
        let mut value = 0;
        for byte in field {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err(self.expected(expected));
            }
            value = value * 10 + i64::from(digit);
        }
        if value < least || value > most {
            return Err(self.expected(expected));
        }
        self.at += digits;
        Ok(value)
    }

    /// Nanoseconds.
    fn fraction(&mut self) -> Result<i64, Error> {
        if self.peek() != Some(b'.') {
            return Ok(0);
        }
        self.at += 1;
        let (mut nanos, mut worth) = (0, NANOS_A_SECOND / 10);
        let first = self.at;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            nanos += i64::from(digit - b'0') * worth;
            worth /= 10;
            self.at += 1;
        }
        if self.at == first { Err(self.expected("a digit of the second's fraction")) } else { Ok(nanos) }
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Result<i64, Error> {
        match self.peek() {
            None => Ok(0),
            Some(b'Z' | b'z') => {
                self.at += 1;
                Ok(0)
            }
            Some(sign @ (b'+' | b'-')) => {
                self.at += 1;
                let hours = self.number(2, 0, 23, "hours of the offset, 00 to 23")?;
                self.one(b":", "':'")?;
                let minutes = self.number(2, 0, 59, "minutes of the offset, 00 to 59")?;
                let seconds = hours * 3600 + minutes * 60;
                Ok(if sign == b'-' { -seconds } else { seconds })
            }
            Some(_) => Err(self.expected("'.', 'Z', an offset or the end")),
        }
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
///
/// Counts in years that begin in March, so that the leap day is the last of its year (Hinnant, "chrono-compatible
/// low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: Expect) {
        let shown = match Ts::parse(text.as_bytes()) {
            Ok(ts) => format!("{} {ts}", ts.0),
            Err(error) => error.to_string(),
        };
        want.assert_eq(&shown);
    }

    #[test]
    fn reads_what_the_feeds_write() {
        check("2024-10-26T17:15:49.3337638Z", expect!["1729962949333763800 2024-10-26T17:15:49.333763800Z"]);
        check("2024-10-26T17:15:49.3337638", expect!["1729962949333763800 2024-10-26T17:15:49.333763800Z"]);
        check("2025-03-16T04:18:23", expect!["1742098703000000000 2025-03-16T04:18:23Z"]);
        check("2025-03-16T15:00:00+11:00", expect!["1742097600000000000 2025-03-16T04:00:00Z"]);
        check("2025-03-16t03:07:22.785z", expect!["1742094442785000000 2025-03-16T03:07:22.785Z"]);
        check("1970-01-01 00:00:00.1234567899", expect!["123456789 1970-01-01T00:00:00.123456789Z"]);
        check("1969-12-31T23:59:59.999Z", expect!["-1000000 1969-12-31T23:59:59.999Z"]);
        check("2024-02-29T00:00:00.25-00:30", expect!["1709166600250000000 2024-02-29T00:30:00.250Z"]);
    }

    #[test]
    fn refuses_what_is_no_instant_and_says_where() {
        check("", expect!["instant, byte 0: expected a year of four digits"]);
        check("2025-13-01T00:00:00Z", expect!["instant, byte 5: expected a month, 01 to 12"]);
        check("2025-02-29T00:00:00Z", expect!["instant, byte 8: expected a day of the month"]);
        check("1900-02-29T00:00:00Z", expect!["instant, byte 8: expected a day of the month"]);
        check("2025-03-16T24:00:00Z", expect!["instant, byte 11: expected an hour, 00 to 23"]);
        check("2025-03-16T23:59:60Z", expect!["instant, byte 17: expected a second, 00 to 59"]);
        check("2025-03-16T23:59:59.Z", expect!["instant, byte 20: expected a digit of the second's fraction"]);
        check("2025-03-16T23:59:59.5Zz", expect!["instant, byte 22: expected the end"]);
        check("2025-03-16T23:59", expect!["instant, byte 16: expected ':'"]);
        check("2025-03-16T23:59:59+1:00", expect!["instant, byte 20: expected hours of the offset, 00 to 23"]);
        check("2025-03-16X23:59:59", expect!["instant, byte 10: expected 'T'"]);
    }

    #[test]
    fn knows_the_ends_of_its_range() {
        check("2262-04-11T23:47:16.854775807Z", expect!["9223372036854775807 2262-04-11T23:47:16.854775807Z"]);
        check(
            "2262-04-11T23:47:16.854775808Z",
            expect!["instant: outside 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z"],
        );
        check("1677-09-21T00:12:43.145224192Z", expect!["-9223372036854775808 1677-09-21T00:12:43.145224192Z"]);
        check(
            "0000-01-01T00:00:00Z",
            expect!["instant: outside 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z"],
        );
    }

    #[test]
    fn differences_stop_at_the_ends() {
        assert_eq!(Ts::MAX.since(Ts::MIN), i64::MAX);
        assert_eq!(Ts::MAX.duration_since(Ts::MIN), Duration::from_nanos(u64::MAX));
        assert_eq!(Ts(1).duration_since(Ts(2)), Duration::ZERO);
        assert_eq!(Ts::MAX.checked_add(1), None);
        assert_eq!(Ts::from_seconds(i64::MAX), None);
        assert_eq!(Ts::from_ms(1_742_094_442_785).map(|ts| ts.to_string()), Some("2025-03-16T03:07:22.785Z".into()));
    }

    #[test]
    fn every_day_of_the_range_comes_back() {
        // A calendar counted day by day is the oracle.
        let (mut year, mut month, mut day) = (1677, 9, 22);
        for days in days_from_civil(1677, 9, 22)..=days_from_civil(2262, 4, 11) {
            assert_eq!(civil_from_days(days), (year, month, day));
            assert_eq!(days_from_civil(year, month, day), days);
            day += 1;
            if day > days_in_month(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2262, 4, 12));
    }

    proptest! {
        #[test]
        fn every_instant_comes_back(nanos: i64) {
            prop_assert_eq!(Ts::parse(Ts(nanos).to_string().as_bytes()), Ok(Ts(nanos)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Ts::parse(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(nanos: i64, at in 0usize..30, byte: u8) {
            let mut text = Ts(nanos).to_string().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let _ = Ts::parse(&text);
        }
    }
}
