//! What the field serves: days of a lake, for the page and for programs. Start at [`offer()`].
//!
//! The caller brings [`Days`], which does the I/O; nothing here does. Every answer but a situation is finished bytes,
//! made once a version of a day.

mod day;

use std::sync::Arc;

use bytes::Bytes;
use railbird_publish::{Call, Cost, In, Method, Offer, Parameter, Refusal, RefusalKind, Reply, Route};
use serde::Serialize;
use serde_json::json;

pub use day::{DayTables, situation, span_ms};

/// A day in the list. Times are ms since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayCard {
    /// Name in addresses: `SYMBOL@2025-06-02`.
    pub id: String,
    /// Symbol.
    pub symbol: String,
    /// Date of the day.
    pub date: String,
    /// Bars.
    pub bars: u64,
    /// Episodes.
    pub episodes: u64,
    /// Start of the first bar.
    pub start_ms: f64,
    /// End of the last bar.
    pub end_ms: f64,
}

/// What a day is measured in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayInfo {
    /// As in the list.
    #[serde(flatten)]
    pub card: DayCard,
    /// Hash of what the day was made from.
    pub version: String,
    /// Width of a bar, s; `None` where bars are not cut by time.
    pub bar_s: Option<f64>,
    /// Point of the instrument, quoted price.
    pub point: f64,
    /// Tick of the instrument, quoted price.
    pub tick: f64,
    /// Time zone of the exchange, an IANA name.
    pub time_zone: String,
}

/// A level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelView {
    /// Kind, as in `opening_range_high`.
    pub kind: String,
    /// Quoted price.
    pub price: f64,
    /// From when it exists.
    pub known_at_ms: f64,
}

/// An episode with its outcome, each with the moment at which it became known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpisodeView {
    /// Name within the day.
    pub id: String,
    /// Kind of the level.
    pub level: String,
    /// Price of the level.
    pub price: f64,
    /// 1 where price came from below, −1 from above.
    pub direction: i8,
    /// Start of the first bar of the approach.
    pub start_ms: f64,
    /// End of the bar that met the level.
    pub trigger_ms: f64,
    /// When the trigger was known.
    pub known_at_ms: f64,
    /// What came of it; `None` where the day ended before.
    pub outcome: Option<String>,
    /// When that was known.
    pub outcome_known_at_ms: Option<f64>,
    /// End of the episode.
    pub end_ms: Option<f64>,
}

/// A day, opened.
#[derive(Debug, Clone)]
pub struct Day {
    /// What it is measured in.
    pub info: DayInfo,
    /// Bars as [`crate::pack_bars`] gives them, gzip.
    pub bars: Bytes,
    /// Levels, in order of their known-at.
    pub levels: Vec<LevelView>,
    /// Episodes, in order of their known-at.
    pub episodes: Vec<EpisodeView>,
}

impl Day {
    /// Bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bars.len() + 64 * self.levels.len() + 160 * self.episodes.len() + 512
    }
}

/// An episode like another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NeighbourView {
    /// Its symbol.
    pub symbol: String,
    /// Its day.
    pub date: String,
    /// Kind of its level.
    pub level: String,
    /// Its trigger.
    pub trigger_ms: f64,
    /// Distance of the vectors, in standard deviations of a feature.
    pub distance: f64,
    /// Weight that it has in the shares, 0 to 1.
    pub similarity: f64,
    /// What came of it.
    pub outcome: String,
}

/// Share of an outcome among the neighbours, beside that among all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShareView {
    /// Outcome.
    pub outcome: String,
    /// Share among the neighbours, weighted by similarity.
    pub share: f64,
    /// Interval of the share at 95 %.
    pub low: f64,
    /// Its other end.
    pub high: f64,
    /// Share among all episodes whose outcome was known by then.
    pub base: f64,
}

/// What came of situations like one, as known at its trigger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SituationView {
    /// The episode.
    pub episode: String,
    /// Moment as of which was searched.
    pub known_at_ms: f64,
    /// Episodes searched.
    pub searched: u64,
    /// Most alike, nearest first.
    pub neighbours: Vec<NeighbourView>,
    /// Every outcome, in the order from break to bounce.
    pub shares: Vec<ShareView>,
}

/// Days of a lake.
pub trait Days: Send + Sync {
    /// Every day, by symbol and date.
    ///
    /// # Errors
    /// Where the lake cannot be read.
    fn days(&self) -> Result<Vec<DayCard>, Refusal>;

    /// A day, opened once however many ask at a time, and kept within a bound.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    fn day(&self, id: &str) -> Result<Arc<Day>, Refusal>;

    /// Situations like that of `episode` of the day.
    ///
    /// # Errors
    /// Where there is no such day or episode, or the lake cannot be read.
    fn situation(&self, id: &str, episode: &str) -> Result<SituationView, Refusal>;
}

/// Everything that the field serves.
pub fn offer(days: Arc<dyn Days>) -> Offer {
    let day = || Parameter { name: "day", place: In::Path, required: true, description: "Day: `SYMBOL@2025-06-02`" };
    let route = |path, summary, parameters, answer: fn(&dyn Days, &Call) -> Result<Reply, Refusal>| {
        let days = Arc::clone(&days);
        Route {
            method: Method::Get,
            path,
            summary,
            parameters,
            body: None,
            media_type: "application/json",
            schema: Some(json!({"type": "object"})),
            cost: Cost::Blocking,
            warm: None,
            answer: Arc::new(move |call| answer(&*days, &call)),
        }
    };
    let routes = vec![
        route("/api/book/days", "Days of the lake, by symbol and date", vec![], |days, _| {
            Reply::json(&json!({"days": days.days()?}))
        }),
        route("/api/book/days/{day}", "What a day is measured in", vec![day()], |days, call| {
            Reply::json(&open(days, call)?.info)
        }),
        Route {
            media_type: "application/octet-stream",
            schema: None,
            ..route("/api/book/days/{day}/bars", "Bars of a day, packed (docs/book.md)", vec![day()], bars)
        },
        route("/api/book/days/{day}/levels", "Levels, each with its known-at", vec![day()], |days, call| {
            Reply::json(&json!({"levels": open(days, call)?.levels}))
        }),
        route("/api/book/days/{day}/episodes", "Episodes and their outcomes, each with its known-at", vec![day()], {
            |days, call| Reply::json(&json!({"episodes": open(days, call)?.episodes}))
        }),
        route(
            "/api/book/days/{day}/situation",
            "The most alike of earlier episodes and what came of them, beside the base rate",
            vec![
                day(),
                Parameter { name: "episode", place: In::Query, required: true, description: "Name of an episode" },
            ],
            |days, call| {
                let episode = call.get("episode").ok_or_else(|| refusal("episode: expected the name of an episode"))?;
                Reply::json(&days.situation(name(call)?, episode)?)
            },
        ),
    ];
    Offer { routes, streams: Vec::new() }
}

fn bars(days: &dyn Days, call: &Call) -> Result<Reply, Refusal> {
    let day = open(days, call)?;
    Ok(Reply {
        gzip: true,
        etag: Some(day.info.version.clone()),
        body: day.bars.clone(),
        ..Reply::bytes("application/octet-stream")
    })
}

fn open(days: &dyn Days, call: &Call) -> Result<Arc<Day>, Refusal> {
    days.day(name(call)?)
}

fn name(call: &Call) -> Result<&str, Refusal> {
    call.get("day").ok_or_else(|| refusal("day: expected a name like SYMBOL@2025-06-02"))
}

fn refusal(message: &str) -> Refusal {
    Refusal { kind: RefusalKind::BadCall, message: message.to_owned() }
}
