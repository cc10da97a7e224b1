//! Volume against the time of day. Start at [`ProfileFold`].
//!
//! - The regular session is cut into buckets of five minutes from its open; a bar belongs to the bucket in which it
//!   starts. A bucket of a session counts when bars cover at least nine tenths of it and a later bar shows that it is over.
//! - The profile of a day is the mean volume of each bucket over the seven sessions before it, of those that have the
//!   bucket; with fewer than three it is missing, not zero. A session is a trading day with at least one such bucket.
//! - Relative volume of a bar, all missing where the profile or the volume is and outside the regular session:
//!   `rvol_bar` = volume of the bar a second / volume of the bucket a second in the profile;
//!   `rvol_bucket` = volume since the bucket began / that share of the bucket's profile which has passed by the bar's end;
//!   `rvol_session` = volume since the open / profile until the bar's end; missing unless bars cover the session so far.
//!
//! Invariant: the profile of a day reads earlier days only, and a relative volume reads bars up to its own.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use jiff::civil::Date;

use crate::calendar::{BUCKET_NS, Calendar, TradingDay};
use crate::table::{Bars, Series, StageError, TableBuilder};

/// Sessions that a profile is made of, at most.
pub const SESSIONS_MAX: usize = 7;
/// Sessions that a bucket needs.
pub const SESSIONS_MIN: usize = 3;
/// Share of a bucket that bars must cover.
const COVER_MIN: f64 = 0.9;

/// Mean volume by bucket over the sessions before a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Trading day that it serves.
    pub date: Date,
    /// From when it is known, ns since 1970: with the day's first bar.
    pub known_at: i64,
    /// Mean volume of each bucket, NaN with fewer than [`SESSIONS_MIN`] sessions.
    pub mean: Vec<f64>,
    /// Sessions behind each mean.
    pub sessions: Vec<u8>,
}

/// Relative volumes of bars, in their order; NaN where missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RelativeVolume {
    /// Of the bar alone.
    pub bar: Vec<f64>,
    /// Of the bucket so far.
    pub bucket: Vec<f64>,
    /// Of the session so far.
    pub session: Vec<f64>,
}

/// What the fold over one file's bars gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiled {
    /// Profiles of the days that begin in the file.
    pub profiles: Vec<Profile>,
    /// Relative volume of each bar.
    pub relative: RelativeVolume,
}

/// The fold over bars that makes profiles, one symbol, day after day.
#[derive(Debug, Clone)]
pub struct ProfileFold {
    calendar: Calendar,
    sessions: VecDeque<Vec<f64>>,
    today: Option<Today>,
}

#[derive(Debug, Clone)]
struct Today {
    day: TradingDay,
    profile: Profile,
    volume: Vec<f64>,
    covered_ns: Vec<i64>,
    /// Bucket of the bar before; those below it are over.
    open_bucket: Option<usize>,
    complete: usize,
    session_volume: f64,
    session_covered_ns: i64,
}

impl ProfileFold {
    /// Nothing seen yet.
    pub fn new(calendar: Calendar) -> Self {
        Self { calendar, sessions: VecDeque::with_capacity(SESSIONS_MAX + 1), today: None }
    }

    /// Folds the next bars in. Reads [`Series::TradeVolume`].
    ///
    /// # Errors
    /// [`StageError::NoColumn`].
    pub fn apply(&mut self, bars: &Bars) -> Result<Profiled, StageError> {
        let volume = bars.series(Series::TradeVolume)?;
        let missing = || vec![f64::NAN; bars.len()];
        let mut relative = RelativeVolume { bar: missing(), bucket: missing(), session: missing() };
        let mut profiles = Vec::new();
        for (at, (&start, &end)) in bars.start().iter().zip(bars.end()).enumerate() {
            let is_today = self.today.as_ref().is_some_and(|today| (today.day.start..today.day.end).contains(&start));
            if !is_today {
                let day = self.calendar.day_of(start);
                profiles.push(self.begin(day, bars.known_at()[at]));
            }
            let today = self.today.as_mut().expect("a day began above");
            if let Some([bar, bucket, session]) = today.add(start, end, volume[at]) {
                (relative.bar[at], relative.bucket[at], relative.session[at]) = (bar, bucket, session);
            }
        }
        Ok(Profiled { profiles, relative })
    }

    fn begin(&mut self, day: TradingDay, known_at: i64) -> Profile {
        if let Some(volumes) = self.today.take().and_then(Today::into_session) {
            self.sessions.push_back(volumes);
            if self.sessions.len() > SESSIONS_MAX {
                self.sessions.pop_front();
            }
        }
        let buckets = day.buckets();
        let (mut mean, mut sessions) = (vec![f64::NAN; buckets], vec![0_u8; buckets]);
        for bucket in 0..buckets {
            let known =
                self.sessions.iter().filter_map(|session| session.get(bucket).filter(|volume| !volume.is_nan()));
            let (count, sum) = known.fold((0_usize, 0.0), |(count, sum), volume| (count + 1, sum + volume));
            sessions[bucket] = count as u8;
            if count >= SESSIONS_MIN {
                mean[bucket] = sum / count as f64;
            }
        }
        let profile = Profile { date: day.date, known_at, mean, sessions };
        self.today = Some(Today {
            day,
            profile: profile.clone(),
            volume: vec![0.0; buckets],
            covered_ns: vec![0; buckets],
            open_bucket: None,
            complete: 0,
            session_volume: 0.0,
            session_covered_ns: 0,
        });
        profile
    }
}

impl Today {
    fn bucket_span(&self, bucket: usize) -> (i64, i64) {
        let from = self.day.open + bucket as i64 * BUCKET_NS;
        (from, (from + BUCKET_NS).min(self.day.close))
    }

    /// Relative volumes of a bar; `None` outside the regular session.
    fn add(&mut self, start: i64, end: i64, volume: f64) -> Option<[f64; 3]> {
        let bucket = self.day.bucket_of(start)?;
        let (from, to) = self.bucket_span(bucket);
        self.volume[bucket] += volume;
        self.covered_ns[bucket] += end.min(to) - start;
        self.session_volume += volume;
        self.session_covered_ns += end.min(self.day.close) - start;
        let expected = self.profile.mean[bucket];
        let share = |ns: i64| ns as f64 / (to - from) as f64;
        let passed = share(end.min(to) - from);
        let bar = ratio(volume, expected * share(end - start));
        let in_bucket = if share(self.covered_ns[bucket]) >= COVER_MIN * passed {
            ratio(self.volume[bucket], expected * passed)
        } else {
            f64::NAN
        };
        if self.open_bucket != Some(bucket) {
            self.open_bucket = Some(bucket);
            self.complete = bucket;
        }
        let elapsed = end.min(self.day.close) - self.day.open;
        let session = if self.session_covered_ns as f64 >= COVER_MIN * elapsed as f64 {
            let whole: f64 = self.profile.mean[..self.complete].iter().sum();
            ratio(self.session_volume, whole + expected * passed)
        } else {
            f64::NAN
        };
        Some([bar, in_bucket, session])
    }

    /// Volumes by bucket, NaN where not covered; `None` where no bucket is.
    fn into_session(self) -> Option<Vec<f64>> {
        let covered = |bucket: usize| {
            let (from, to) = self.bucket_span(bucket);
            self.covered_ns[bucket] as f64 >= COVER_MIN * (to - from) as f64
        };
        let volumes: Vec<f64> =
            (0..self.volume.len()).map(|bucket| if covered(bucket) { self.volume[bucket] } else { f64::NAN }).collect();
        volumes.iter().any(|volume| !volume.is_nan()).then_some(volumes)
    }
}

impl Profile {
    /// Profiles as a table, one row a bucket: `symbol`, `date`, `bucket`, `volume_mean`, `sessions`, `known_at`.
    pub fn table(symbol: &str, profiles: &[Self]) -> RecordBatch {
        let buckets =
            || profiles.iter().flat_map(|profile| (0..profile.mean.len()).map(move |bucket| (profile, bucket)));
        TableBuilder::default()
            .text("symbol", buckets().map(|_| symbol))
            .text("date", buckets().map(|(profile, _)| profile.date.to_string()))
            .whole("bucket", buckets().map(|(_, bucket)| bucket as i64))
            .real("volume_mean", &buckets().map(|(profile, bucket)| profile.mean[bucket]).collect::<Vec<_>>())
            .whole("sessions", buckets().map(|(profile, bucket)| i64::from(profile.sessions[bucket])))
            .instant("known_at", buckets().map(|(profile, _)| profile.known_at))
            .finish()
    }
}

/// Missing where the denominator is 0 or either side is missing.
fn ratio(above: f64, below: f64) -> f64 {
    if below > 0.0 { above / below } else { f64::NAN }
}
