//! Days of a lake, for the page. Start at [`LakeDays`].
//!
//! A day is served once its `episodes` stand in the lake; what is searched for neighbours is every vector of the lake.

use std::{io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use flate2::{Compression, write::GzEncoder};
use railbird_book::{
    BarSize, Episode, Index, Level, Outcome, SetupVector, Span,
    offer::{Day, DayCard, DayTables, Days, SituationView, situation, span_ms},
    packed_columns,
};
use railbird_lake::{Error as LakeError, Lake, LakeOptions, Manifest, Symbol, TaskId};
use railbird_publish::{Refusal, RefusalKind};
use railbird_store::{CacheRules, CacheStats, SingleFlight};
use railbird_timeline::Clock;

use crate::settings::Settings;

/// Memory for opened days, bytes.
const DAYS_BYTES: u64 = 256 << 20;
/// Memory for what is searched, bytes: one index.
const INDEX_BYTES: u64 = 1 << 30;
/// Memory for the list, and how old it may be: a run beside the server adds days.
const LIST_BYTES: u64 = 16 << 20;
const LIST_TTL: Duration = Duration::from_secs(5);
/// How old an index may be.
const INDEX_TTL: Duration = Duration::from_secs(60);

/// Days of one lake.
pub(crate) struct LakeDays {
    location: PathBuf,
    options: LakeOptions,
    lists: SingleFlight<(), Arc<Vec<DayCard>>>,
    days: SingleFlight<String, Arc<Day>>,
    indexes: SingleFlight<(), Arc<Index>>,
}

/// Folder of the lake of a data folder.
pub(crate) fn lake_folder(settings: &Settings) -> PathBuf {
    settings.data_dir().join("book")
}

impl LakeDays {
    /// The days of the data folder's lake; nothing is read or made yet.
    pub(crate) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let rules = |bytes_max, ttl| CacheRules { bytes_max, ttl };
        Self {
            location: lake_folder(settings),
            options: LakeOptions::new(Arc::clone(clock)),
            lists: SingleFlight::new(rules(LIST_BYTES, Some(LIST_TTL)), Arc::clone(clock)),
            days: SingleFlight::new(rules(DAYS_BYTES, None), Arc::clone(clock)),
            indexes: SingleFlight::new(rules(INDEX_BYTES, Some(INDEX_TTL)), Arc::clone(clock)),
        }
    }

    /// What happened in the caches: `(name, figures)`.
    pub(crate) fn caches(&self) -> [(&'static str, CacheStats); 2] {
        [("book_days", self.days.stats()), ("book_indexes", self.indexes.stats())]
    }

    /// The lake; `None` where there is none yet.
    fn lake(&self) -> Result<Option<Lake>, Refusal> {
        match Lake::existing(&self.location.to_string_lossy(), &self.options) {
            Ok(lake) => Ok(Some(lake)),
            Err(LakeError::NoLake { .. }) => Ok(None),
            Err(error) => Err(broken(&error)),
        }
    }

    fn list(&self) -> Result<Vec<DayCard>, Refusal> {
        let Some(lake) = self.lake()? else { return Ok(Vec::new()) };
        let mut cards = Vec::new();
        for task in lake.tasks(Some("episodes"), None).map_err(|error| broken(&error))? {
            let bars = lake.manifest(&of_stage(&task, "bars")).map_err(|error| broken(&error))?;
            let found = lake.manifest(&task).map_err(|error| broken(&error))?;
            let (Some(bars), Some(found)) = (bars, found) else { continue };
            let rows = |manifest: &Manifest, set: &str| manifest.output(set).map_or(0, |output| output.rows);
            let times = lake.table(&bars, "bars").and_then(|table| table.whole(Some(&["bar_start", "bar_end"])));
            let (start_ms, end_ms) = span_ms(&[times.map_err(|error| broken(&error))?]);
            cards.push(DayCard {
                id: format!("{}@{}", task.symbol, task.date),
                symbol: task.symbol.to_string(),
                date: task.date.to_string(),
                bars: rows(&bars, "bars"),
                episodes: rows(&found, "episodes"),
                start_ms,
                end_ms,
            });
        }
        Ok(cards)
    }

    fn open(&self, id: &str) -> Result<(Day, u64), Refusal> {
        let (lake, task) = self.find(id)?;
        let read = |stage: &str| -> Result<Manifest, Refusal> {
            let found = lake.manifest(&of_stage(&task, stage)).map_err(|error| broken(&error))?;
            found.ok_or_else(|| unknown(id))
        };
        let (bars, found) = (read("bars")?, read("episodes")?);
        let table = |manifest: &Manifest, set: &str| {
            lake.table(manifest, set).and_then(|table| table.whole(None)).map_err(|error| broken(&error))
        };
        let columns = packed_columns();
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let batches: Vec<_> = lake
            .table(&bars, "bars")
            .and_then(|table| table.batches(Some(&names))?.collect())
            .map_err(|error| broken(&error))?;
        let setting = |name: &str| -> Result<&str, Refusal> {
            let value = found.settings.get(name).or_else(|| bars.settings.get(name));
            value.map(String::as_str).ok_or_else(|| broken(&format!("{id}: its manifest has no setting {name}")))
        };
        let whole = |name: &str| -> Result<i64, Refusal> {
            setting(name)?.parse().map_err(|_| broken(&format!("{id}: setting {name} is no whole number")))
        };
        let size: BarSize = setting("bar")?.parse().map_err(|error| broken(&error))?;
        let stage = |error: railbird_book::StageError| broken(&error);
        let day = DayTables {
            symbol: task.symbol.as_str(),
            date: &task.date.to_string(),
            version: found.key.short(20),
            size,
            point: whole("point")?,
            tick: whole("tick")?,
            time_zone: setting("time_zone")?.to_owned(),
            bars: &batches,
            levels: &Level::read(&table(&found, "levels")?).map_err(stage)?,
            episodes: &Episode::read(&table(&found, "episodes")?).map_err(stage)?,
            outcomes: &Outcome::read(&table(&found, "outcomes")?).map_err(stage)?,
            spans: &Span::read(&table(&found, "spans")?).map_err(stage)?,
        }
        .open(gzip)
        .map_err(stage)?;
        let bytes = day.bytes() as u64;
        Ok((day, bytes))
    }

    /// Every vector of the lake with its outcome.
    fn index(&self) -> Result<(Arc<Index>, u64), Refusal> {
        let Some(lake) = self.lake()? else { return Ok((Arc::new(Index::default()), 1)) };
        let (mut vectors, mut outcomes) = (Vec::new(), Vec::new());
        for task in lake.tasks(Some("vectors"), None).map_err(|error| broken(&error))? {
            vectors.extend(vectors_of(&lake, &task)?);
            let Some(found) = lake.manifest(&of_stage(&task, "episodes")).map_err(|error| broken(&error))? else {
                continue;
            };
            let table = lake.table(&found, "outcomes").and_then(|table| table.whole(None));
            let table = table.map_err(|error| broken(&error))?;
            outcomes.extend(Outcome::read(&table).map_err(|error| broken(&error))?);
        }
        let bytes = (vectors.len() as u64 + 1) * 512;
        Ok((Arc::new(Index::new(&vectors, &outcomes)), bytes))
    }

    /// The lake and the day's task, whatever the stage.
    fn find(&self, id: &str) -> Result<(Lake, TaskId), Refusal> {
        let task = || -> Option<TaskId> {
            let (symbol, date) = id.rsplit_once('@')?;
            let (symbol, date) = (Symbol::new(symbol).ok()?, date.parse().ok()?);
            Some(TaskId { stage: "episodes".to_owned(), symbol, date })
        };
        let lake = self.lake()?.ok_or_else(|| unknown(id))?;
        Ok((lake, task().ok_or_else(|| unknown(id))?))
    }
}

impl Days for LakeDays {
    fn days(&self) -> Result<Vec<DayCard>, Refusal> {
        let load = || self.list().map(|cards| (Arc::new(cards.clone()), 200 * cards.len() as u64));
        self.lists.get(&(), load).map(|cards| cards.to_vec()).map_err(|refusal| (*refusal).clone())
    }

    fn day(&self, id: &str) -> Result<Arc<Day>, Refusal> {
        let load = || self.open(id).map(|(day, bytes)| (Arc::new(day), bytes));
        self.days.get(&id.to_owned(), load).map_err(|refusal| (*refusal).clone())
    }

    fn situation(&self, id: &str, episode: &str) -> Result<SituationView, Refusal> {
        let (lake, task) = self.find(id)?;
        let vectors = vectors_of(&lake, &of_stage(&task, "vectors"))?;
        let vector = vectors.into_iter().find(|vector| vector.episode == episode).ok_or_else(|| Refusal {
            kind: RefusalKind::NotFound,
            message: format!("{episode}: no vector of that episode on {id}; …/episodes lists them"),
        })?;
        let index = self.indexes.get(&(), || self.index()).map_err(|refusal| (*refusal).clone())?;
        situation(&index, &vector).map_err(|error| broken(&error))
    }
}

fn of_stage(task: &TaskId, stage: &str) -> TaskId {
    TaskId { stage: stage.to_owned(), ..task.clone() }
}

fn vectors_of(lake: &Lake, task: &TaskId) -> Result<Vec<SetupVector>, Refusal> {
    let Some(manifest) = lake.manifest(task).map_err(|error| broken(&error))? else { return Ok(Vec::new()) };
    let table = lake.table(&manifest, "vectors").and_then(|table| table.whole(None)).map_err(|error| broken(&error))?;
    SetupVector::read(&table).map_err(|error| broken(&error))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    // Into memory nothing can fail to be written.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn unknown(id: &str) -> Refusal {
    let message = format!("{id}: no such day in the lake; /api/book/days lists them");
    Refusal { kind: RefusalKind::NotFound, message }
}

fn broken(error: &dyn std::fmt::Display) -> Refusal {
    Refusal { kind: RefusalKind::Broken, message: error.to_string() }
}
