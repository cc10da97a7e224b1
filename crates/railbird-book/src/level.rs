//! Levels that price may come back to, from traded prices. Start at [`LevelFold`].
//!
//! - *Pre-market high and low*, *opening-range high and low*, *prior day's high, low and close*: the highest, lowest and
//!   last traded price of the bars that start in the window (for the prior day: the regular session), rounded to the
//!   nearest tick. *User levels*: prices that the user names.
//! - A window is complete with the first bar that ends at or after the window's end; that bar's `known_at` is the level's.
//!   With evenly cut bars it is the window's last bar, so a level exists from the end of its window.
//! - A window without trades gives no level. `cover` is the share of the window in which there were bars: below 1 where
//!   the bars begin inside it.
//! - A level holds until a newer one of its kind is known; pre-market and opening-range levels also end with their
//!   trading day. A user level holds from when the user says, and always where he does not.
//!
//! Invariant: a fold over bars in order; what a bar brings is known when the bar is, and nothing reads ahead.

use arrow::array::RecordBatch;
use jiff::civil::Date;

use crate::calendar::{Calendar, TradingDay};
use crate::table::{Bars, Rows, Series, StageError, TableBuilder};

/// Where a level comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelKind {
    /// Highest price of the pre-market.
    PreMarketHigh,
    /// Lowest price of the pre-market.
    PreMarketLow,
    /// Highest price of the opening range.
    OpeningHigh,
    /// Lowest price of the opening range.
    OpeningLow,
    /// Highest price of the last complete regular session.
    PriorHigh,
    /// Lowest price of the last complete regular session.
    PriorLow,
    /// Last price of the last complete regular session.
    PriorClose,
    /// Named by the user.
    User,
}

impl LevelKind {
    /// Every kind, with its name.
    pub const NAMES: [(Self, &'static str); 8] = [
        (Self::PreMarketHigh, "pre_market_high"),
        (Self::PreMarketLow, "pre_market_low"),
        (Self::OpeningHigh, "opening_high"),
        (Self::OpeningLow, "opening_low"),
        (Self::PriorHigh, "prior_high"),
        (Self::PriorLow, "prior_low"),
        (Self::PriorClose, "prior_close"),
        (Self::User, "user"),
    ];

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// From the name; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    /// +1 for a high, −1 for a low, 0 for what is neither.
    pub const fn polarity(self) -> i8 {
        match self {
            Self::PreMarketHigh | Self::OpeningHigh | Self::PriorHigh => 1,
            Self::PreMarketLow | Self::OpeningLow | Self::PriorLow => -1,
            Self::PriorClose | Self::User => 0,
        }
    }
}

/// A level.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Where it comes from.
    pub kind: LevelKind,
    /// The kind's name, or the user's for the level.
    pub name: String,
    /// Trading day of its window; of its first bar for a user level.
    pub date: Date,
    /// Price, quoted.
    pub price: f64,
    /// Price in ticks of the instrument.
    pub price_ticks: i64,
    /// Start of its window, ns since 1970.
    pub window_start: i64,
    /// End of its window, ns since 1970.
    pub window_end: i64,
    /// From when it is known, ns since 1970; the first bar's `known_at` where it holds from before the bars given.
    pub known_at: i64,
    /// When it ends, ns since 1970; `None`: with the next of its kind.
    pub until: Option<i64>,
    /// Share of the window that bars cover, 0 to 1.
    pub cover: f64,
}

/// A price that the user names.
#[derive(Debug, Clone, PartialEq)]
pub struct UserLevel {
    /// The user's name for it.
    pub name: String,
    /// Price, quoted; rounded to the nearest tick.
    pub price: f64,
    /// From when it is known, ns since 1970; `None`: always.
    pub from: Option<i64>,
}

/// The fold over bars that finds levels, one symbol, day after day.
#[derive(Debug, Clone)]
pub struct LevelFold {
    calendar: Calendar,
    tick: Tick,
    day: Option<TradingDay>,
    windows: [Window; 3],
    user: Vec<UserLevel>,
    user_given: bool,
    current: Vec<Level>,
}

/// The tick of an instrument, 1e-9 of the quoted price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick(i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    PreMarket,
    Opening,
    Regular,
}

/// What is traded in a window so far.
#[derive(Debug, Clone)]
struct Window {
    part: Part,
    /// Day that it belongs to; its bounds stay when the day has changed and the window is not complete.
    bounds: Option<(Date, i64, i64, i64)>,
    high: f64,
    low: f64,
    close: f64,
    covered_ns: i64,
}

impl Tick {
    /// A tick of `nanos` 1e-9 of the quoted price.
    ///
    /// # Errors
    /// [`StageError::Instrument`] below 1.
    pub fn new(symbol: &str, nanos: i64) -> Result<Self, StageError> {
        if nanos > 0 {
            return Ok(Self(nanos));
        }
        Err(StageError::Instrument { symbol: symbol.to_owned(), what: format!("tick {nanos}: expected more than 0") })
    }

    /// Nearest whole number of ticks to `price`, and the price there.
    pub fn snap(self, price: f64) -> (i64, f64) {
        let ticks = (price * 1e9 / self.0 as f64).round() as i64;
        (ticks, (i128::from(ticks) * i128::from(self.0)) as f64 / 1e9)
    }

    /// The tick, quoted.
    pub fn price(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl LevelFold {
    /// Nothing seen yet.
    pub fn new(calendar: Calendar, tick: Tick, user: Vec<UserLevel>) -> Self {
        let windows = [Part::PreMarket, Part::Opening, Part::Regular].map(Window::new);
        Self { calendar, tick, day: None, windows, user, user_given: false, current: Vec::new() }
    }

    /// Folds the next bars in and returns the levels that hold in some of them, those from before first, in the order in
    /// which they became known. Reads [`Series::OF_TRADES`].
    ///
    /// # Errors
    /// [`StageError::NoColumn`].
    pub fn apply(&mut self, bars: &Bars) -> Result<Vec<Level>, StageError> {
        let high = bars.series(Series::TradeHigh)?;
        let low = bars.series(Series::TradeLow)?;
        let close = bars.series(Series::TradeClose)?;
        let (start, end, known_at) = (bars.start(), bars.end(), bars.known_at());
        let mut levels = Vec::new();
        if let (Some(&first), false) = (start.first(), self.user_given) {
            self.user_given = true;
            let date = self.calendar.day_of(first).date;
            levels.extend(self.user.iter().map(|user| self.tick.level_of_user(user, date)));
        }
        for at in 0..bars.len() {
            let day = match self.day {
                Some(day) if (day.start..day.end).contains(&start[at]) => day,
                _ => self.calendar.day_of(start[at]),
            };
            if self.day != Some(day) {
                self.day = Some(day);
            }
            for window in &mut self.windows {
                // What the bar's predecessors left incomplete is complete now; then a new day may begin.
                if let Some(found) = window.complete(&day, start[at], known_at[at]) {
                    levels.extend(found.levels(self.tick));
                }
                window.add(&day, start[at], end[at], [high[at], low[at], close[at]]);
                if let Some(found) = window.complete(&day, end[at], known_at[at]) {
                    levels.extend(found.levels(self.tick));
                }
            }
        }
        let mut holding: Vec<Level> = self.current.drain(..).collect();
        holding.extend(levels);
        if let (Some(&first), Some(&last), Some(&known)) = (start.first(), end.last(), known_at.first()) {
            holding.retain(|level| level.until.is_none_or(|until| until > first));
            // What holds from before is a row of these bars too, and as such known with the first of them.
            holding.iter_mut().for_each(|level| level.known_at = level.known_at.max(known));
            holding.sort_by_key(|level| level.known_at);
            self.current = newest(&holding, last);
        } else {
            self.current = holding.clone();
        }
        Ok(holding)
    }
}

/// The newest of each name that does not end by `now`.
fn newest(levels: &[Level], now: i64) -> Vec<Level> {
    let is_newest = |at: usize| levels[at + 1..].iter().all(|later| later.name != levels[at].name);
    let holds = |level: &Level| level.until.is_none_or(|until| until > now);
    (0..levels.len()).filter(|&at| is_newest(at) && holds(&levels[at])).map(|at| levels[at].clone()).collect()
}

impl Tick {
    fn level_of_user(self, user: &UserLevel, date: Date) -> Level {
        let (price_ticks, price) = self.snap(user.price);
        let from = user.from.unwrap_or(i64::MIN);
        Level {
            kind: LevelKind::User,
            name: user.name.clone(),
            date,
            price,
            price_ticks,
            window_start: from,
            window_end: from,
            known_at: from,
            until: None,
            cover: 1.0,
        }
    }
}

/// A complete window.
struct Complete {
    part: Part,
    date: Date,
    bounds: (i64, i64),
    until: Option<i64>,
    known_at: i64,
    high: f64,
    low: f64,
    close: f64,
    cover: f64,
}

impl Window {
    fn new(part: Part) -> Self {
        Self { part, bounds: None, high: f64::NAN, low: f64::NAN, close: f64::NAN, covered_ns: 0 }
    }

    fn bounds_on(&self, day: &TradingDay) -> (i64, i64) {
        match self.part {
            Part::PreMarket => (day.pre_market, day.open),
            Part::Opening => (day.open, day.opening_end),
            Part::Regular => (day.open, day.close),
        }
    }

    /// Counts a bar that starts in the window.
    fn add(&mut self, day: &TradingDay, start: i64, end: i64, [high, low, close]: [f64; 3]) {
        let (from, to) = self.bounds_on(day);
        if !(from..to).contains(&start) {
            return;
        }
        if self.bounds.is_none() {
            self.bounds = Some((day.date, from, to, day.end));
        }
        self.covered_ns += end.min(to) - start;
        // `max` and `min` pass over a missing side.
        self.high = self.high.max(high);
        self.low = self.low.min(low);
        if !close.is_nan() {
            self.close = close;
        }
    }

    /// What the window holds, once a bar has come as far as `reached`; the window is empty after.
    fn complete(&mut self, day: &TradingDay, reached: i64, known_at: i64) -> Option<Complete> {
        let (date, from, to, day_end) = self.bounds?;
        if reached < to && day.date == date {
            return None;
        }
        let window = std::mem::replace(self, Self::new(self.part));
        // A window without trades gives nothing.
        (!window.close.is_nan()).then(|| Complete {
            part: window.part,
            date,
            bounds: (from, to),
            until: (window.part != Part::Regular).then_some(day_end),
            known_at,
            high: window.high,
            low: window.low,
            close: window.close,
            cover: (window.covered_ns as f64 / (to - from).max(1) as f64).min(1.0),
        })
    }
}

impl Complete {
    fn levels(self, tick: Tick) -> Vec<Level> {
        use LevelKind::{OpeningHigh, OpeningLow, PreMarketHigh, PreMarketLow, PriorClose, PriorHigh, PriorLow};
        let prices = match self.part {
            Part::PreMarket => vec![(PreMarketHigh, self.high), (PreMarketLow, self.low)],
            Part::Opening => vec![(OpeningHigh, self.high), (OpeningLow, self.low)],
            Part::Regular => vec![(PriorHigh, self.high), (PriorLow, self.low), (PriorClose, self.close)],
        };
        let level = |(kind, price): (LevelKind, f64)| {
            let (price_ticks, price) = tick.snap(price);
            Level {
                kind,
                name: kind.name().to_owned(),
                date: self.date,
                price,
                price_ticks,
                window_start: self.bounds.0,
                window_end: self.bounds.1,
                known_at: self.known_at,
                until: self.until,
                cover: self.cover,
            }
        };
        prices.into_iter().map(level).collect()
    }
}

impl Level {
    /// Levels as a table, one row each: `symbol`, `kind`, `level`, `date`, `price`, `price_ticks`, `window_start`,
    /// `window_end`, `known_at`, `until`, `cover`.
    pub fn table(symbol: &str, levels: &[Self]) -> RecordBatch {
        let reals = |value: fn(&Self) -> f64| levels.iter().map(value).collect::<Vec<_>>();
        TableBuilder::default()
            .text("symbol", levels.iter().map(|_| symbol))
            .text("kind", levels.iter().map(|level| level.kind.name()))
            .text("level", levels.iter().map(|level| &level.name))
            .text("date", levels.iter().map(|level| level.date.to_string()))
            .real("price", &reals(|level| level.price))
            .whole("price_ticks", levels.iter().map(|level| level.price_ticks))
            .instant("window_start", levels.iter().map(|level| level.window_start))
            .instant("window_end", levels.iter().map(|level| level.window_end))
            .instant("known_at", levels.iter().map(|level| level.known_at))
            .instant_or_none("until", levels.iter().map(|level| level.until))
            .real("cover", &reals(|level| level.cover))
            .finish()
    }

    /// Levels back from their table.
    ///
    /// # Errors
    /// As [`Bars::read`], and [`StageError::Word`] for a kind or date that is none.
    pub fn read(batch: &RecordBatch) -> Result<Vec<Self>, StageError> {
        let rows = Rows::of(batch, "levels");
        let (kinds, names, dates) = (rows.texts("kind")?, rows.texts("level")?, rows.texts("date")?);
        let (price, cover) = (rows.reals("price")?, rows.reals("cover")?);
        let price_ticks = rows.instants("price_ticks")?;
        let (start, end) = (rows.instants("window_start")?, rows.instants("window_end")?);
        let (known_at, until) = (rows.instants("known_at")?, rows.instants_or_none("until")?);
        let word = |column: &str, row, found: &str, expected| StageError::Word {
            column: column.to_owned(),
            row,
            found: found.to_owned(),
            expected,
        };
        let level = |row: usize| {
            let (kind, date) = (kinds.value(row), dates.value(row));
            Ok(Self {
                kind: LevelKind::from_name(kind).ok_or_else(|| word("kind", row, kind, "kind of level"))?,
                name: names.value(row).to_owned(),
                date: date.parse().map_err(|_| word("date", row, date, "date, YYYY-MM-DD"))?,
                price: price[row],
                price_ticks: price_ticks[row],
                window_start: start[row],
                window_end: end[row],
                known_at: known_at[row],
                until: until[row],
                cover: cover[row],
            })
        };
        (0..rows.len()).map(level).collect()
    }
}
