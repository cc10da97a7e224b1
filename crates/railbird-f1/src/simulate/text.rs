//! The source's ways of writing times and records. Start at [`Object`].

use std::fmt::Write;

/// A JSON object written in the order in which its members are given, as the source has them.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(String);

impl Object {
    /// An empty object.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A text member.
    pub(super) fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    /// A number, boolean, array or object, already written.
    pub(super) fn raw(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{value}");
        self
    }

    /// An object member.
    pub(super) fn object(mut self, key: &str, value: Self) -> Self {
        let value = value.done();
        self.key(key);
        self.0.push_str(&value);
        self
    }

    /// `self` with `add` applied when `when` holds.
    pub(super) fn when(self, when: bool, add: impl FnOnce(Self) -> Self) -> Self {
        if when { add(self) } else { self }
    }

    /// `self` followed by the members of `other`.
    pub(super) fn with(mut self, other: Self) -> Self {
        if self.0.is_empty() {
            return other;
        }
        if !other.0.is_empty() {
            self.0.push(',');
            self.0.push_str(&other.0[1..]);
        }
        self
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as JSON.
    pub(super) fn done(self) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        self.0 + "}"
    }

    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        quote(&mut self.0, key);
        self.0.push(':');
    }
}

/// A JSON array of what is already written.
pub(super) fn array(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}

fn quote(out: &mut String, value: &str) {
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// `1:27.403`, as lap times are written.
pub(super) fn lap_time(ms: u32) -> String {
    format!("{}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000)
}

/// `27.403` and `86.376`, as sector times are written: seconds also beyond a minute.
pub(super) fn sector_time(ms: u32) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// `+1.234`, as gaps are written.
pub(super) fn gap(ms: i64) -> String {
    format!("+{}.{:03}", ms.max(0) / 1000, ms.max(0) % 1000)
}

/// `HH:MM:SS.mmm`, as records are stamped.
pub(super) fn stamp(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// Date and time of `ns` since 1970 UTC, to the second: `2027-05-16T13:03:11`.
pub(super) fn date_time(ns: i64) -> String {
    let seconds = ns.div_euclid(1_000_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// As [`date_time`] with the fraction as the source writes it: up to seven digits, zeros at the end left out.
pub(super) fn utc(ns: i64) -> String {
    let ticks = ns.rem_euclid(1_000_000_000) / 100;
    let mut text = date_time(ns);
    if ticks > 0 {
        let fraction = format!("{ticks:07}");
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Year, month and day of a day since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
