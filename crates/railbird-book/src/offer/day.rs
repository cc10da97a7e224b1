//! A day and a situation as they are served, from the tables of the stages.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use bytes::Bytes;
use railbird_measure::{Bootstrap, Resampling};
use railbird_timeline::Ts;

use super::{Day, DayCard, DayInfo, EpisodeView, LevelView, NeighbourView, ShareView, SituationView};
use crate::{
    Answer, BarSize, Episode, Filter, Index, Level, Neighbour, Outcome, PRICE_SCALE, Query, Scan, SetupVector, Side,
    Span, StageError,
};

/// Neighbours of a situation on the page.
const NEIGHBOURS: usize = 50;
/// Resamples of the intervals of its shares.
const RESAMPLES: usize = 1000;

/// The tables of a day, and what they were made with.
#[derive(Debug, Clone)]
pub struct DayTables<'t> {
    /// Symbol.
    pub symbol: &'t str,
    /// Date, `2025-06-02`.
    pub date: &'t str,
    /// Hash of what the tables were made from.
    pub version: String,
    /// Size of a bar.
    pub size: BarSize,
    /// Point of the instrument, 1e-9 of the quoted price.
    pub point: i64,
    /// Tick of the instrument, likewise.
    pub tick: i64,
    /// Time zone of the exchange, an IANA name.
    pub time_zone: String,
    /// Bars, the columns of [`crate::packed_columns`] at least.
    pub bars: &'t [RecordBatch],
    /// Levels.
    pub levels: &'t [Level],
    /// Episodes.
    pub episodes: &'t [Episode],
    /// What came of them.
    pub outcomes: &'t [Outcome],
    /// How far they reached.
    pub spans: &'t [Span],
}

fn millis(ns: i64) -> f64 {
    ns as f64 / 1e6
}

/// First value of the first batch with rows, or last of the last.
fn time_of(batches: &[RecordBatch], name: &str, last: bool) -> Option<i64> {
    let mut full = batches.iter().filter(|batch| batch.num_rows() > 0);
    let batch = if last { full.next_back() } else { full.next() }?;
    let times = batch.column_by_name(name)?.as_primitive_opt::<TimestampNanosecondType>()?;
    Some(times.value(if last { times.len() - 1 } else { 0 }))
}

/// Start of the first bar and end of the last, ms since 1970; 0 without bars.
pub fn span_ms(bars: &[RecordBatch]) -> (f64, f64) {
    let at = |name, last| time_of(bars, name, last).map_or(0.0, millis);
    (at("bar_start", false), at("bar_end", true))
}

impl DayTables<'_> {
    /// The day as it stands in the list.
    pub fn card(&self) -> DayCard {
        let (start_ms, end_ms) = span_ms(self.bars);
        DayCard {
            id: format!("{}@{}", self.symbol, self.date),
            symbol: self.symbol.to_owned(),
            date: self.date.to_owned(),
            bars: self.bars.iter().map(|batch| batch.num_rows() as u64).sum(),
            episodes: self.episodes.len() as u64,
            start_ms,
            end_ms,
        }
    }

    /// The day, its bars packed; `compress` makes a gzip member of them.
    ///
    /// # Errors
    /// As [`crate::pack_bars`].
    pub fn open(&self, compress: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<Day, StageError> {
        let price = |nanos: i64| nanos as f64 / PRICE_SCALE as f64;
        let pack = crate::pack_bars(self.bars, price(self.tick))?;
        let mut levels: Vec<LevelView> = self
            .levels
            .iter()
            .map(|level| LevelView {
                kind: level.name.clone(),
                price: level.price,
                known_at_ms: millis(level.known_at),
            })
            .collect();
        levels.sort_by(|a, b| a.known_at_ms.total_cmp(&b.known_at_ms));
        let mut episodes: Vec<EpisodeView> = self.episodes.iter().map(|episode| self.episode(episode)).collect();
        episodes.sort_by(|a, b| a.known_at_ms.total_cmp(&b.known_at_ms));
        let info = DayInfo {
            card: self.card(),
            version: self.version.clone(),
            bar_s: match self.size {
                BarSize::Time(ns) => Some(ns as f64 / 1e9),
                _ => None,
            },
            point: price(self.point),
            tick: price(self.tick),
            time_zone: self.time_zone.clone(),
        };
        Ok(Day { info, bars: Bytes::from(compress(&pack)), levels, episodes })
    }

    fn episode(&self, episode: &Episode) -> EpisodeView {
        let outcome = self.outcomes.iter().find(|outcome| outcome.episode == episode.id);
        let span = self.spans.iter().find(|span| span.episode == episode.id);
        EpisodeView {
            id: episode.id.clone(),
            level: episode.level.clone(),
            price: episode.price,
            direction: if episode.from == Side::Below { 1 } else { -1 },
            start_ms: millis(episode.first_start),
            trigger_ms: millis(episode.trigger_start),
            known_at_ms: millis(episode.known_at),
            outcome: outcome.map(|outcome| outcome.class.name().to_owned()),
            outcome_known_at_ms: outcome.map(|outcome| millis(outcome.known_at)),
            end_ms: span.map(|span| millis(span.last_start)),
        }
    }
}

/// What came of situations like that of `vector`, as known at its moment.
///
/// # Errors
/// [`StageError::Measure`]. Where too little was known by then the answer has no neighbours.
pub fn situation(index: &Index, vector: &SetupVector) -> Result<SituationView, StageError> {
    let query = Query {
        symbol: vector.symbol.clone(),
        at: vector.known_at,
        values: vector.values,
        filter: Filter::default(),
        neighbours: NEIGHBOURS,
        scan: Scan::default(),
    };
    let rules = Bootstrap { resamples: RESAMPLES, level: 0.95, seed: 0, resampling: Resampling::Independent };
    let answer = match index.query(&query, &rules) {
        Ok(answer) => answer,
        Err(StageError::TooFew { found, .. }) => {
            let (episode, known_at_ms) = (vector.episode.clone(), millis(vector.known_at));
            let searched = found as u64;
            return Ok(SituationView { episode, known_at_ms, searched, neighbours: Vec::new(), shares: Vec::new() });
        }
        Err(error) => return Err(error),
    };
    Ok(view(vector, answer))
}

fn view(vector: &SetupVector, answer: Answer) -> SituationView {
    let neighbour = |neighbour: Neighbour| NeighbourView {
        date: Ts(neighbour.trigger_start).to_string().chars().take(10).collect(),
        symbol: neighbour.symbol,
        level: neighbour.kind.name().to_owned(),
        trigger_ms: millis(neighbour.trigger_start),
        distance: neighbour.distance,
        similarity: neighbour.similarity,
        outcome: neighbour.outcome.name().to_owned(),
    };
    SituationView {
        episode: vector.episode.clone(),
        known_at_ms: millis(vector.known_at),
        searched: answer.candidates as u64,
        neighbours: answer.neighbours.into_iter().map(neighbour).collect(),
        shares: answer
            .shares
            .into_iter()
            .map(|share| ShareView {
                outcome: share.outcome.name().to_owned(),
                share: share.share.value(),
                low: share.share.interval().low(),
                high: share.share.interval().high(),
                base: share.share.baseline().value,
            })
            .collect(),
    }
}
