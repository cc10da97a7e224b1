//! Episodes: price comes to a level. Start at [`episodes`].
//!
//! - *Price* is the weighted mid at the bar's end (`wmid_eob`); a bar without it changes nothing. The distance is
//!   (price − level) / point; price is *at* the level when it is at most 1 either way (1e-9 counts as equal).
//! - A *touch*: price, last seen away from the level on one side, is at the level or beyond it. A level is watched from
//!   the bar at which it is known, which cannot itself touch; it is left when it ends or a newer of its name is known.
//! - A touch opens an *episode*: its trigger is that bar; it comes *from above* or *from below*, as price was seen last.
//!   It begins 180 bars before the trigger and ends 96 bars after; a touch while it is open ends it 96 bars after that
//!   touch instead. In the 24 bars after its end the level opens no other.
//! - Bars that do not join (the end of one is not the start of the next) part runs. An episode begins no earlier than
//!   its run and ends no later; what it cannot look back on is not made up.
//! - The *outcome* reads trades only, in the same run: the mean of (price − level) / point weighted by volume, over bars
//!   1–48 (`early`) and 49–72 (`late`) after the trigger, positive beyond the level as seen from where price came.
//!   Late above 1: a break, strong if early is above 1 too, else weak. Late below −1: a bounce, strong if early is below
//!   −1 too, else weak. Else chop. Without 72 bars or without volume in either window there is no outcome.
//!
//! Known at: an episode with its trigger bar, an outcome with the 72nd bar after, a span with its last bar. So they stand
//! in three tables, and what is made from the trigger alone takes [`Episode`], which has nothing of the other two.

use std::fmt;

use arrow::array::RecordBatch;
use railbird_timeline::Ts;

use crate::level::{Level, LevelKind};
use crate::table::{Bars, Rows, Series, StageError, TableBuilder};

/// Lengths, in bars, and the distance that counts as at the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpisodeRules {
    /// Size of a point, 1e-9 of the quoted price.
    pub point: i64,
    /// Bars before the trigger.
    pub look_back: usize,
    /// Bars after a touch.
    pub forward: usize,
    /// Bars after an episode without another of its level.
    pub cooldown: usize,
    /// Last bar of the early window.
    pub early_end: usize,
    /// Last bar of the late window.
    pub late_end: usize,
}

/// Where price came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Price was above the level.
    Above,
    /// Price was below the level.
    Below,
}

/// What is known of an episode at its trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Symbol, trigger and level in one word, unique in a lake.
    pub id: String,
    /// Symbol.
    pub symbol: String,
    /// Kind of its level.
    pub kind: LevelKind,
    /// Name of its level.
    pub level: String,
    /// Price of its level, quoted.
    pub price: f64,
    /// Where price came from.
    pub from: Side,
    /// First row, from 0, of the bars given.
    pub first_row: usize,
    /// Row of the trigger.
    pub trigger_row: usize,
    /// Start of the first bar, ns since 1970.
    pub first_start: i64,
    /// Start of the trigger bar, ns since 1970.
    pub trigger_start: i64,
    /// When the trigger bar was known, ns since 1970.
    pub known_at: i64,
}

/// What came of an episode.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The episode.
    pub episode: String,
    /// Its symbol.
    pub symbol: String,
    /// Class.
    pub class: OutcomeClass,
    /// Volume-weighted distance over bars 1–48, points, positive beyond the level.
    pub early: f64,
    /// The same over bars 49–72.
    pub late: f64,
    /// When the 72nd bar was known, ns since 1970.
    pub known_at: i64,
}

/// Classes of outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeClass {
    /// Beyond the level at once and later.
    StrongBreak,
    /// Beyond the level later only.
    WeakBreak,
    /// About the level.
    Chop,
    /// Back where it came from, later only.
    WeakBounce,
    /// Back where it came from at once and later.
    StrongBounce,
}

/// How far an episode reached in the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The episode.
    pub episode: String,
    /// Its symbol.
    pub symbol: String,
    /// Start of the last bar, ns since 1970.
    pub last_start: i64,
    /// Bars from the first to the last.
    pub bars: usize,
    /// Touches, the trigger included.
    pub touches: usize,
    /// When the last bar was known, ns since 1970.
    pub known_at: i64,
}

/// Episodes of bars, with what became of them as far as the bars tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Episodes {
    /// In order of trigger, then of level.
    pub episodes: Vec<Episode>,
    /// In order of time known.
    pub outcomes: Vec<Outcome>,
    /// In order of time known.
    pub spans: Vec<Span>,
}

impl EpisodeRules {
    /// The usual lengths, for an instrument with a point of so many 1e-9.
    pub const fn with_point(point: i64) -> Self {
        Self { point, look_back: 180, forward: 96, cooldown: 24, early_end: 48, late_end: 72 }
    }

    /// A point, quoted.
    pub(crate) fn point_price(&self) -> f64 {
        self.point as f64 / 1e9
    }
}

impl Side {
    /// +1 above, −1 below.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Above => 1.0,
            Self::Below => -1.0,
        }
    }

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl OutcomeClass {
    /// Every class, with its name.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::StrongBreak, "strong_break"),
        (Self::WeakBreak, "weak_break"),
        (Self::Chop, "chop"),
        (Self::WeakBounce, "weak_bounce"),
        (Self::StrongBounce, "strong_bounce"),
    ];

    /// Of the two distances, points, positive beyond the level.
    pub fn of(early: f64, late: f64) -> Self {
        if late > 1.0 {
            if early > 1.0 { Self::StrongBreak } else { Self::WeakBreak }
        } else if late < -1.0 {
            if early < -1.0 { Self::StrongBounce } else { Self::WeakBounce }
        } else {
            Self::Chop
        }
    }

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// From the name; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(class, _)| class)
    }
}

impl fmt::Display for OutcomeClass {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.pad(self.name())
    }
}

/// Finds the episodes of `bars` at `levels` in one pass.
///
/// `levels`: in the order in which they became known. Reads [`Series::Wmid`], [`Series::TradeVwap`] and
/// [`Series::TradeVolume`]. Costs O(bars × levels that hold), and 72 bars an episode.
///
/// # Errors
/// [`StageError::NoColumn`]; [`StageError::Instrument`] for a point below 1.
pub fn episodes(bars: &Bars, levels: &[Level], rules: &EpisodeRules) -> Result<Episodes, StageError> {
    if rules.point <= 0 {
        let what = format!("point {}: expected more than 0", rules.point);
        return Err(StageError::Instrument { symbol: bars.symbol().to_owned(), what });
    }
    let mut finder = Finder {
        bars,
        levels,
        rules,
        wmid: bars.series(Series::Wmid)?,
        vwap: bars.series(Series::TradeVwap)?,
        volume: bars.series(Series::TradeVolume)?,
        watched: Vec::new(),
        next_level: 0,
        next_outcome: 0,
        run_start: 0,
        found: Episodes::default(),
    };
    for row in 0..bars.len() {
        finder.step(row);
    }
    Ok(finder.finish())
}

struct Finder<'a> {
    bars: &'a Bars,
    levels: &'a [Level],
    rules: &'a EpisodeRules,
    wmid: &'a [f64],
    vwap: &'a [f64],
    volume: &'a [f64],
    /// In the order in which they became known.
    watched: Vec<Watched>,
    next_level: usize,
    /// The first episode whose outcome may still become known.
    next_outcome: usize,
    run_start: usize,
    found: Episodes,
}

/// A level, and how price stands to it.
struct Watched {
    level: usize,
    /// When it ends; `i64::MAX`: with the next of its name.
    until: i64,
    /// Whether it can still open episodes.
    holds: bool,
    price: Price,
    /// While price lies between these two, it stands to the level as it did.
    quiet: (f64, f64),
    open: Option<Open>,
    /// First row at which it may open again.
    free_from: usize,
}

#[derive(Clone, Copy)]
enum Price {
    Unseen,
    At,
    Away(Side),
}

/// No price lies between these.
const NEVER: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

impl Watched {
    /// Price stands so now. The bounds keep a thousandth of a point from where it would stand otherwise, which is decided by the
    /// distance itself.
    fn stand(&mut self, now: Price, level: f64, rules: &EpisodeRules) {
        let (inner, outer) = (rules.point_price() * 0.999, rules.point_price() * 1.001);
        self.price = now;
        self.quiet = match now {
            Price::Unseen => NEVER,
            Price::At => (level - inner, level + inner),
            Price::Away(Side::Above) => (level + outer, f64::INFINITY),
            Price::Away(Side::Below) => (f64::NEG_INFINITY, level - outer),
        };
    }
}

struct Open {
    episode: usize,
    /// Row of the last bar, unless a touch comes before.
    end: usize,
    touches: usize,
}

impl Finder<'_> {
    fn step(&mut self, row: usize) {
        if row > 0 && self.bars.end()[row - 1] != self.bars.start()[row] {
            self.end_run(row);
        }
        self.outcomes_known_at(row);
        let (start, wmid) = (self.bars.start()[row], self.wmid[row]);
        let mut is_over = false;
        for at in 0..self.watched.len() {
            let watched = &mut self.watched[at];
            watched.holds &= start < watched.until;
            // Most bars leave most levels where they are: two comparisons, no division.
            let (low, high) = watched.quiet;
            if !(watched.open.is_none() && low < wmid && wmid < high) {
                self.watch(at, row);
            }
            is_over |= !self.watched[at].holds && self.watched[at].open.is_none();
        }
        if is_over {
            self.watched.retain(|watched| watched.holds || watched.open.is_some());
        }
        // New levels last: the bar with which a level is known sets where price stands and cannot touch.
        while let Some(level) =
            self.levels.get(self.next_level).filter(|level| level.known_at <= self.bars.known_at()[row])
        {
            for watched in &mut self.watched {
                watched.holds &= self.levels[watched.level].name != level.name;
            }
            let mut watched = Watched {
                level: self.next_level,
                until: level.until.unwrap_or(i64::MAX),
                holds: true,
                price: Price::Unseen,
                quiet: NEVER,
                open: None,
                free_from: 0,
            };
            watched.stand(place(self.distance(level, row)).unwrap_or(Price::Unseen), level.price, self.rules);
            self.watched.push(watched);
            self.next_level += 1;
        }
    }

    fn distance(&self, level: &Level, row: usize) -> f64 {
        (self.wmid[row] - level.price) / self.rules.point_price()
    }

    fn watch(&mut self, at: usize, row: usize) {
        self.close(at, row);
        let watched = &self.watched[at];
        let Some(now) = place(self.distance(&self.levels[watched.level], row)) else { return };
        let from = match (watched.price, now) {
            (Price::Away(from), Price::At) => Some(from),
            (Price::Away(from), Price::Away(side)) if from != side => Some(from),
            _ => None,
        };
        if let Some(from) = from {
            self.touch(at, row, from);
        }
        let price = self.levels[self.watched[at].level].price;
        self.watched[at].stand(now, price, self.rules);
    }

    fn touch(&mut self, at: usize, row: usize, from: Side) {
        let watched = &mut self.watched[at];
        if let Some(open) = &mut watched.open {
            open.end = row + self.rules.forward;
            open.touches += 1;
        } else if watched.holds && row >= watched.free_from {
            let level = &self.levels[watched.level];
            let first_row = row.saturating_sub(self.rules.look_back).max(self.run_start);
            let (start, symbol) = (self.bars.start(), self.bars.symbol());
            watched.open = Some(Open { episode: self.found.episodes.len(), end: row + self.rules.forward, touches: 1 });
            self.found.episodes.push(Episode {
                id: format!("{symbol}@{}@{}", Ts(start[row]), level.name),
                symbol: symbol.to_owned(),
                kind: level.kind,
                level: level.name.clone(),
                price: level.price,
                from,
                first_row,
                trigger_row: row,
                first_start: start[first_row],
                trigger_start: start[row],
                known_at: self.bars.known_at()[row],
            });
        }
    }

    /// Ends the episode of a level whose last bar was the one before `row`.
    fn close(&mut self, at: usize, row: usize) {
        let watched = &mut self.watched[at];
        if watched.open.as_ref().is_some_and(|open| open.end < row)
            && let Some(open) = watched.open.take()
        {
            watched.free_from = open.end + 1 + self.rules.cooldown;
            self.span(&open, row - 1);
        }
    }

    fn span(&mut self, open: &Open, last: usize) {
        let episode = &self.found.episodes[open.episode];
        self.found.spans.push(Span {
            episode: episode.id.clone(),
            symbol: episode.symbol.clone(),
            last_start: self.bars.start()[last],
            bars: last + 1 - episode.first_row,
            touches: open.touches,
            known_at: self.bars.known_at()[last],
        });
    }

    /// Nothing carries over from before `row`: open episodes have no end that could be known, price is unseen.
    fn end_run(&mut self, row: usize) {
        for at in 0..self.watched.len() {
            self.close(at, row);
            let watched = &mut self.watched[at];
            watched.open = None;
            (watched.price, watched.quiet) = (Price::Unseen, NEVER);
            watched.free_from = row;
        }
        self.run_start = row;
    }

    /// Outcomes whose last bar is `row`. Episodes stand in order of trigger, and so does what is waited for.
    fn outcomes_known_at(&mut self, row: usize) {
        while let Some(episode) = self.found.episodes.get(self.next_outcome)
            && let trigger = episode.trigger_row
            && trigger + self.rules.late_end <= row
        {
            self.next_outcome += 1;
            if trigger < self.run_start {
                continue;
            }
            let early = self.weighted_distance(episode, trigger + 1, trigger + self.rules.early_end);
            let late = self.weighted_distance(episode, trigger + self.rules.early_end + 1, row);
            if early.is_nan() || late.is_nan() {
                continue;
            }
            self.found.outcomes.push(Outcome {
                episode: episode.id.clone(),
                symbol: episode.symbol.clone(),
                class: OutcomeClass::of(early, late),
                early,
                late,
                known_at: self.bars.known_at()[row],
            });
        }
    }

    /// Over rows `first` to `last`, both included; positive beyond the level; NaN without volume.
    fn weighted_distance(&self, episode: &Episode, first: usize, last: usize) -> f64 {
        let rows = first..=last;
        let traded = self.vwap[rows.clone()].iter().zip(&self.volume[rows]).filter(|(vwap, _)| !vwap.is_nan());
        let (sum, volume) = traded
            .fold((0.0, 0.0), |(sum, total), (vwap, volume)| (sum + (vwap - episode.price) * volume, total + volume));
        if volume > 0.0 { -episode.from.sign() * sum / volume / self.rules.point_price() } else { f64::NAN }
    }

    fn finish(mut self) -> Episodes {
        let rows = self.bars.len();
        // An episode whose last bar is the last of all is known to its end.
        for at in 0..self.watched.len() {
            if self.watched[at].open.as_ref().is_some_and(|open| open.end < rows) {
                self.close(at, rows);
            }
        }
        self.found
    }
}

/// `None` where price is missing.
fn place(distance: f64) -> Option<Price> {
    if distance.is_nan() {
        None
    } else if distance.abs() <= 1.0 + 1e-9 {
        Some(Price::At)
    } else {
        Some(Price::Away(if distance > 0.0 { Side::Above } else { Side::Below }))
    }
}

impl Episode {
    /// Episodes as a table: `episode`, `symbol`, `kind`, `level`, `price`, `from`, `first_start`, `trigger_start`,
    /// `first_row`, `trigger_row`, `known_at`.
    pub fn table(episodes: &[Self]) -> RecordBatch {
        TableBuilder::default()
            .text("episode", episodes.iter().map(|episode| &episode.id))
            .text("symbol", episodes.iter().map(|episode| &episode.symbol))
            .text("kind", episodes.iter().map(|episode| episode.kind.name()))
            .text("level", episodes.iter().map(|episode| &episode.level))
            .real("price", &episodes.iter().map(|episode| episode.price).collect::<Vec<_>>())
            .text("from", episodes.iter().map(|episode| episode.from.name()))
            .instant("first_start", episodes.iter().map(|episode| episode.first_start))
            .instant("trigger_start", episodes.iter().map(|episode| episode.trigger_start))
            .whole("first_row", episodes.iter().map(|episode| episode.first_row as i64))
            .whole("trigger_row", episodes.iter().map(|episode| episode.trigger_row as i64))
            .instant("known_at", episodes.iter().map(|episode| episode.known_at))
            .finish()
    }

    /// Episodes back from their table.
    ///
    /// # Errors
    /// As [`Bars::read`], and [`StageError::Word`].
    pub fn read(batch: &RecordBatch) -> Result<Vec<Self>, StageError> {
        let rows = Rows::of(batch, "episodes");
        let (ids, symbols, kinds) = (rows.texts("episode")?, rows.texts("symbol")?, rows.texts("kind")?);
        let (levels, price, from) = (rows.texts("level")?, rows.reals("price")?, rows.texts("from")?);
        let (first_start, trigger_start) = (rows.instants("first_start")?, rows.instants("trigger_start")?);
        let (first_row, trigger_row) = (rows.counts("first_row")?, rows.counts("trigger_row")?);
        let known_at = rows.instants("known_at")?;
        let word = |column: &str, row, found: &str, expected| StageError::Word {
            column: column.to_owned(),
            row,
            found: found.to_owned(),
            expected,
        };
        let episode = |row: usize| {
            Ok(Self {
                id: ids.value(row).to_owned(),
                symbol: symbols.value(row).to_owned(),
                kind: LevelKind::from_name(kinds.value(row))
                    .ok_or_else(|| word("kind", row, kinds.value(row), "kind of level"))?,
                level: levels.value(row).to_owned(),
                price: price[row],
                from: match from.value(row) {
                    "above" => Side::Above,
                    "below" => Side::Below,
                    other => return Err(word("from", row, other, "side, above or below")),
                },
                first_row: first_row[row],
                trigger_row: trigger_row[row],
                first_start: first_start[row],
                trigger_start: trigger_start[row],
                known_at: known_at[row],
            })
        };
        (0..rows.len()).map(episode).collect()
    }
}

impl Outcome {
    /// Columns of the outcomes' table that no table of what is known at the trigger may hold.
    pub const COLUMNS: [&'static str; 3] = ["outcome", "outcome_early", "outcome_late"];

    /// Outcomes as a table: `episode`, `symbol`, `outcome`, `outcome_early`, `outcome_late`, `known_at`.
    pub fn table(outcomes: &[Self]) -> RecordBatch {
        let reals = |value: fn(&Self) -> f64| outcomes.iter().map(value).collect::<Vec<_>>();
        TableBuilder::default()
            .text("episode", outcomes.iter().map(|outcome| &outcome.episode))
            .text("symbol", outcomes.iter().map(|outcome| &outcome.symbol))
            .text("outcome", outcomes.iter().map(|outcome| outcome.class.name()))
            .real("outcome_early", &reals(|outcome| outcome.early))
            .real("outcome_late", &reals(|outcome| outcome.late))
            .instant("known_at", outcomes.iter().map(|outcome| outcome.known_at))
            .finish()
    }

    /// Outcomes back from their table.
    ///
    /// # Errors
    /// As [`Bars::read`], and [`StageError::Word`].
    pub fn read(batch: &RecordBatch) -> Result<Vec<Self>, StageError> {
        let rows = Rows::of(batch, "episodes");
        let (ids, symbols, classes) = (rows.texts("episode")?, rows.texts("symbol")?, rows.texts("outcome")?);
        let (early, late) = (rows.reals("outcome_early")?, rows.reals("outcome_late")?);
        let known_at = rows.instants("known_at")?;
        let outcome = |row: usize| {
            let class = classes.value(row);
            Ok(Self {
                episode: ids.value(row).to_owned(),
                symbol: symbols.value(row).to_owned(),
                class: OutcomeClass::from_name(class).ok_or_else(|| StageError::Word {
                    column: "outcome".to_owned(),
                    row,
                    found: class.to_owned(),
                    expected: "outcome",
                })?,
                early: early[row],
                late: late[row],
                known_at: known_at[row],
            })
        };
        (0..rows.len()).map(outcome).collect()
    }
}

impl Span {
    /// Spans back from their table.
    ///
    /// # Errors
    /// As [`Bars::read`].
    pub fn read(batch: &RecordBatch) -> Result<Vec<Self>, StageError> {
        let rows = Rows::of(batch, "episodes");
        let (ids, symbols, last_start) = (rows.texts("episode")?, rows.texts("symbol")?, rows.instants("last_start")?);
        let (bars, touches, known_at) = (rows.counts("bars")?, rows.counts("touches")?, rows.instants("known_at")?);
        let span = |row: usize| Self {
            episode: ids.value(row).to_owned(),
            symbol: symbols.value(row).to_owned(),
            last_start: last_start[row],
            bars: bars[row],
            touches: touches[row],
            known_at: known_at[row],
        };
        Ok((0..rows.len()).map(span).collect())
    }

    /// Spans as a table: `episode`, `symbol`, `last_start`, `bars`, `touches`, `known_at`.
    pub fn table(spans: &[Self]) -> RecordBatch {
        TableBuilder::default()
            .text("episode", spans.iter().map(|span| &span.episode))
            .text("symbol", spans.iter().map(|span| &span.symbol))
            .instant("last_start", spans.iter().map(|span| span.last_start))
            .whole("bars", spans.iter().map(|span| span.bars as i64))
            .whole("touches", spans.iter().map(|span| span.touches as i64))
            .instant("known_at", spans.iter().map(|span| span.known_at))
            .finish()
    }
}
