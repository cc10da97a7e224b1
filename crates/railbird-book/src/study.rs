//! All stages of one symbol, day after day. Start at [`Study::apply`].
//!
//! Invariant: two folds and otherwise functions of their arguments; a day's tables read the bars of that day and of those
//! before it, in order, and each is what its stage gives alone.

use arrow::array::RecordBatch;

use crate::StageError;
use crate::calendar::Calendar;
use crate::episode::{Episode, EpisodeRules, Episodes, Outcome, Span, episodes};
use crate::features::{Features, features};
use crate::instrument::Instrument;
use crate::level::{Level, LevelFold, Tick, UserLevel};
use crate::profile::{Profile, ProfileFold};
use crate::table::Bars;
use crate::vectors::{SetupVector, vectors};

/// What the stages of a symbol are given beside its bars.
#[derive(Debug, Clone)]
pub struct StudyRules {
    /// Trading days.
    pub calendar: Calendar,
    /// Tick.
    pub tick: Tick,
    /// Lengths of episodes, and the point.
    pub episode: EpisodeRules,
    /// Levels of the user.
    pub user: Vec<UserLevel>,
}

/// The stages of one symbol.
#[derive(Debug, Clone)]
pub struct Study {
    rules: StudyRules,
    levels: LevelFold,
    profiles: ProfileFold,
    known_at: i64,
}

/// What the stages give for one file of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Studied {
    /// Symbol.
    pub symbol: String,
    /// Levels that hold in some of the bars.
    pub levels: Vec<Level>,
    /// Profiles of the days that begin in the bars.
    pub profiles: Vec<Profile>,
    /// Episodes, outcomes and spans.
    pub episodes: Episodes,
    /// Approaches of the episodes.
    pub features: Features,
    /// Their vectors.
    pub vectors: Vec<SetupVector>,
}

impl StudyRules {
    /// The usual rules of an instrument.
    ///
    /// # Errors
    /// [`StageError::Instrument`].
    pub fn of(instrument: &Instrument, opening_minutes: u16, user: Vec<UserLevel>) -> Result<Self, StageError> {
        Ok(Self {
            calendar: Calendar::of(instrument, opening_minutes)?,
            tick: Tick::new(&instrument.symbol, instrument.tick)?,
            episode: EpisodeRules::with_point(instrument.point),
            user,
        })
    }
}

impl Study {
    /// Nothing seen yet.
    pub fn new(rules: StudyRules) -> Self {
        let levels = LevelFold::new(rules.calendar.clone(), rules.tick, rules.user.clone());
        let profiles = ProfileFold::new(rules.calendar.clone());
        Self { rules, levels, profiles, known_at: i64::MIN }
    }

    /// Folds in bars of days before those of interest: levels and profiles remember them. Reads
    /// [`crate::Series::OF_TRADES`].
    ///
    /// # Errors
    /// As [`Study::apply`].
    pub fn pass(&mut self, bars: &Bars) -> Result<(), StageError> {
        self.check_order(bars)?;
        self.levels.apply(bars)?;
        self.profiles.apply(bars)?;
        Ok(())
    }

    /// Folds the next file of bars in, and runs every stage on it. Reads every [`crate::Series`].
    ///
    /// # Errors
    /// [`StageError::Order`] where the file does not follow the one before; [`StageError::NoColumn`].
    pub fn apply(&mut self, bars: &Bars) -> Result<Studied, StageError> {
        self.check_order(bars)?;
        let levels = self.levels.apply(bars)?;
        let profiled = self.profiles.apply(bars)?;
        let found = episodes(bars, &levels, &self.rules.episode)?;
        let features = features(bars, &found.episodes, &profiled.relative, self.rules.episode.point, self.rules.tick)?;
        let vectors = vectors(&features)?;
        Ok(Studied {
            symbol: bars.symbol().to_owned(),
            levels,
            profiles: profiled.profiles,
            episodes: found,
            features,
            vectors,
        })
    }

    fn check_order(&mut self, bars: &Bars) -> Result<(), StageError> {
        let Some((&first, &last)) = bars.known_at().first().zip(bars.known_at().last()) else { return Ok(()) };
        if first < self.known_at {
            return Err(StageError::Order { symbol: bars.symbol().to_owned(), row: 0, column: "known_at" });
        }
        self.known_at = last;
        Ok(())
    }
}

impl Studied {
    /// Every table with its name.
    pub fn tables(&self) -> [(&'static str, RecordBatch); 7] {
        [
            ("levels", Level::table(&self.symbol, &self.levels)),
            ("profiles", Profile::table(&self.symbol, &self.profiles)),
            ("episodes", Episode::table(&self.episodes.episodes)),
            ("outcomes", Outcome::table(&self.episodes.outcomes)),
            ("spans", Span::table(&self.episodes.spans)),
            ("features", self.features.table()),
            ("vectors", SetupVector::table(&self.vectors)),
        ]
    }
}
