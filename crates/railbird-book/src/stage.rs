//! The stages of a lake of books, as data: `bars → profiles → episodes → features → vectors`. Start at [`stages`].
//!
//! Each stage names what it reads, what it writes and the function between them, which is one of this crate's own; where
//! the tables lie, and who runs the tasks, is not known here. `profiles` and `episodes` read the dates before their own, up
//! to [`DATES_BACK`] of them, so that seven sessions are among them whatever Sundays and short days lie between.
//!
//! Invariant: what is known at the trigger never reads a set of what came after: the edges of `features` and `vectors` do not
//! name `outcomes` and `spans`, and a task cannot open what its edges do not name.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
    sync::Arc,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use railbird_lake::{Contract, Edge, Graph, Stage, StageFn, StageResult, Table, Work};
use railbird_timeline::{ManualClock, Ts};

use crate::{
    bars::{BarsOptions, bars},
    calendar::Calendar,
    decode::{HEAD_BYTES, TickFormat, TickReader, TickSource},
    episode::{Episode, EpisodeRules, Outcome, Span, episodes},
    features::{Features, features},
    instrument::Instrument,
    level::{Level, LevelFold, Tick, UserLevel},
    profile::{Profile, ProfileFold, RelativeVolume},
    state::rules::{BarClock, BarSize, EventEnds},
    table::{Bars, Rows, Series, StageError, TableBuilder},
    table_writer::{MakeShelf, Shelf, TableForm},
    vectors::{SetupVector, VECTOR_FEATURES, vectors_of_table},
};

/// Dates before its own that a stage with a memory reads, at most. Seven sessions lie in nine weekdays and Sundays; three more
/// are for holidays and half days.
pub const DATES_BACK: usize = 12;

/// Versions of the stages' code: raised when the same inputs give other outputs, so that lakes are brought up to date.
const BARS_CODE: u32 = 1;
const PROFILES_CODE: u32 = 1;
const EPISODES_CODE: u32 = 1;
const FEATURES_CODE: u32 = 1;
const VECTORS_CODE: u32 = 1;

/// Memory of one task, bytes, measured on days of 1.9 M rows (275 MB) and rounded up: decoding, folding and a row group of bars.
const BARS_BYTES: u64 = 300_000_000;
/// A day of bars with the features of its episodes, or twelve days of the few columns that levels and profiles read.
const TABLES_BYTES: u64 = 150_000_000;

/// Columns of the bars that every stage reads.
const KEYS: [&str; 4] = ["symbol", "bar_start", "bar_end", "known_at"];

/// What the stages are told.
#[derive(Debug, Clone)]
pub struct StageRules {
    /// What is known of the symbol.
    pub instrument: Instrument,
    /// When a bar ends.
    pub size: BarSize,
    /// Which time cuts bars.
    pub clock: BarClock,
    /// Which rows end an event.
    pub ends: EventEnds,
    /// Level of compression of the bars, 1 to 22; 0 for none.
    pub compression: i32,
    /// Length of the opening range, minutes.
    pub opening_minutes: u16,
    /// Levels of the user.
    pub user: Vec<UserLevel>,
}

/// Why there are no stages.
#[derive(Debug, thiserror::Error)]
pub enum StagesError {
    /// Rules that cannot be followed.
    #[error(transparent)]
    Rules(#[from] StageError),
    /// A table that cannot be written.
    #[error(transparent)]
    Table(#[from] crate::table_writer::TableError),
    /// A graph that cannot be.
    #[error(transparent)]
    Graph(#[from] railbird_lake::Error),
}

/// The five stages of one instrument.
///
/// | stage | reads | writes |
/// |---|---|---|
/// | `bars` | the source | `bars` |
/// | `profiles` | `bars`, also of dates before | `profiles`, `relative_volume` |
/// | `episodes` | `bars`, also of dates before | `levels`, `episodes`, `outcomes`, `spans` |
/// | `features` | `bars`, `relative_volume`, `episodes` | `features` |
/// | `vectors` | `features`, `episodes` | `vectors` |
///
/// # Errors
/// [`StagesError`], where the rules cannot be followed.
pub fn stages(rules: &StageRules) -> Result<Graph, StagesError> {
    let form = TableForm::new(None, rules.compression)?;
    let calendar = Calendar::of(&rules.instrument, rules.opening_minutes)?;
    let tick = Tick::new(&rules.instrument.symbol, rules.instrument.tick)?;
    let point = rules.instrument.point;
    let day = Edge::same("bars", &["bars"]);
    let before = Edge::before("bars", "bars", DATES_BACK);
    let sessions = || {
        let Instrument { time_zone, sessions, .. } = &rules.instrument;
        [
            ("time_zone", time_zone.clone()),
            ("pre_market", sessions.pre_market.to_string()),
            ("open", sessions.open.to_string()),
            ("close", sessions.close.to_string()),
            ("opening_minutes", rules.opening_minutes.to_string()),
        ]
    };
    let stages = vec![
        Stage {
            name: "bars".to_owned(),
            code: code(BARS_CODE),
            settings: settings([
                ("bar", rules.size.to_string()),
                ("clock", format!("{:?}", rules.clock)),
                ("events", format!("{:?}", rules.ends)),
                ("compression", rules.compression.to_string()),
                ("point", point.to_string()),
                ("lot", rules.instrument.lot.to_string()),
            ]),
            edges: vec![Edge::Source],
            outputs: vec![contract("bars", form.schema())?],
            memory_bytes: BARS_BYTES,
            run: cut(rules, form),
        },
        Stage {
            name: "profiles".to_owned(),
            code: code(PROFILES_CODE),
            settings: settings(sessions()),
            edges: vec![before.clone(), day.clone()],
            outputs: vec![
                contract("profiles", Profile::table("", &[]).schema())?,
                contract("relative_volume", relative_table(None, &RelativeVolume::default()).schema())?,
            ],
            memory_bytes: TABLES_BYTES,
            run: profile(calendar.clone()),
        },
        Stage {
            name: "episodes".to_owned(),
            code: code(EPISODES_CODE),
            settings: settings(sessions().into_iter().chain([
                ("tick", rules.instrument.tick.to_string()),
                ("point", point.to_string()),
                ("levels", format!("{:?}", rules.user)),
            ])),
            edges: vec![before, day.clone()],
            outputs: vec![
                contract("levels", Level::table("", &[]).schema())?,
                contract("episodes", Episode::table(&[]).schema())?,
                contract("outcomes", Outcome::table(&[]).schema())?,
                contract("spans", Span::table(&[]).schema())?,
            ],
            memory_bytes: TABLES_BYTES,
            run: find(calendar, tick, rules.user.clone(), EpisodeRules::with_point(point)),
        },
        Stage {
            name: "features".to_owned(),
            code: code(FEATURES_CODE),
            settings: settings([("tick", rules.instrument.tick.to_string()), ("point", point.to_string())]),
            edges: vec![day, Edge::same("profiles", &["relative_volume"]), Edge::same("episodes", &["episodes"])],
            outputs: vec![contract("features", Features::none().table().schema())?],
            memory_bytes: TABLES_BYTES,
            run: Arc::new(move |work| describe(work, point, tick)),
        },
        Stage {
            name: "vectors".to_owned(),
            code: code(VECTORS_CODE),
            settings: BTreeMap::new(),
            edges: vec![Edge::same("features", &["features"]), Edge::same("episodes", &["episodes"])],
            outputs: vec![contract("vectors", SetupVector::table(&[]).schema())?],
            memory_bytes: TABLES_BYTES,
            run: Arc::new(gather),
        },
    ];
    Ok(Graph::new(stages)?)
}

fn code(version: u32) -> String {
    format!("{}/{version}", env!("CARGO_PKG_VERSION"))
}

fn settings<'s>(pairs: impl IntoIterator<Item = (&'s str, String)>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn contract(set: &str, schema: SchemaRef) -> Result<Contract, railbird_lake::Error> {
    Contract::new(set, schema)?.known_at("known_at")
}

/// Ticks to bars.
fn cut(rules: &StageRules, form: TableForm) -> StageFn {
    let instrument = rules.instrument.clone();
    let (size, clock, ends) = (rules.size, rules.clock, rules.ends);
    Arc::new(move |work| {
        let unnamed = work.task().symbol.to_string();
        // One thread: the lake runs as many tasks at once as the machine bears.
        let options = BarsOptions { size, clock, ends, form: form.clone(), unnamed, threads: 1 };
        let reader = open(work)?;
        let out = work.begin_file("bars")?;
        let make_shelf: MakeShelf<'_> = &|| -> io::Result<Box<dyn Shelf>> { Ok(Box::new(Work::spool()?)) };
        // Times of its own work are of no use to a table, and would differ from run to run.
        let clock = ManualClock::new(Ts(0));
        let (out, report) = bars(reader, &options, &|_| instrument.clone(), out, make_shelf, &clock)
            .map_err(|error| format!("{}: {error}", work.source_name()))?;
        work.end_file(out)?;
        for (name, count) in [
            ("rows", report.rows),
            ("events", report.events),
            ("rejected", report.rejected.values().sum()),
            ("cut_short", u64::from(report.cut_short.is_some())),
            ("without_states", u64::from(report.without_states())),
        ] {
            work.count(name, i64::try_from(count).unwrap_or(i64::MAX))?;
        }
        Ok(())
    })
}

fn open(work: &Work<'_>) -> Result<TickReader, Box<dyn std::error::Error + Send + Sync>> {
    let mut bytes = work.source()?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    bytes.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let format = TickFormat::of(&head);
    let source = match format {
        TickFormat::Parquet => TickSource::Parquet(work.source_chunks()?),
        _ => TickSource::Stream(Box::new(Cursor::new(head).chain(bytes))),
    };
    Ok(TickReader::open(source, format).map_err(|error| format!("{}: {error}", work.source_name()))?)
}

/// Bars to volume profiles and relative volumes.
fn profile(calendar: Calendar) -> StageFn {
    Arc::new(move |work| {
        let mut fold = ProfileFold::new(calendar.clone());
        for (_, table) in work.tables_before("bars")? {
            if let Some(bars) = bars_of(work, &table, &[Series::TradeVolume])? {
                fold.apply(&bars)?;
            }
        }
        let bars = bars_of(work, &work.table("bars")?, &[Series::TradeVolume])?;
        let Some(bars) = bars else { return Ok(()) };
        let profiled = fold.apply(&bars)?;
        work.write("profiles", &Profile::table(bars.symbol(), &profiled.profiles))?;
        Ok(work.write("relative_volume", &relative_table(Some(&bars), &profiled.relative))?)
    })
}

/// Bars to levels, episodes and what came of them.
fn find(calendar: Calendar, tick: Tick, user: Vec<UserLevel>, rules: EpisodeRules) -> StageFn {
    Arc::new(move |work| {
        let mut fold = LevelFold::new(calendar.clone(), tick, user.clone());
        for (_, table) in work.tables_before("bars")? {
            if let Some(bars) = bars_of(work, &table, Series::OF_TRADES)? {
                fold.apply(&bars)?;
            }
        }
        let wanted = [Series::OF_TRADES, &[Series::Wmid, Series::TradeVwap]].concat();
        let Some(bars) = bars_of(work, &work.table("bars")?, &wanted)? else { return Ok(()) };
        let levels = fold.apply(&bars)?;
        let found = episodes(&bars, &levels, &rules)?;
        work.write("levels", &Level::table(bars.symbol(), &levels))?;
        work.write("episodes", &Episode::table(&found.episodes))?;
        work.write("outcomes", &Outcome::table(&found.outcomes))?;
        Ok(work.write("spans", &Span::table(&found.spans))?)
    })
}

/// Episodes to their approaches.
fn describe(work: &mut Work<'_>, point: i64, tick: Tick) -> StageResult {
    let Some(bars) = bars_of(work, &work.table("bars")?, Series::ALL)? else { return Ok(()) };
    let relative = relative_of(&work.table("relative_volume")?.whole(None)?)?;
    let found = Episode::read(&work.table("episodes")?.whole(None)?)?;
    let features = features(&bars, &found, &relative, point, tick)?;
    Ok(work.write("features", &features.table())?)
}

/// Approaches to vectors.
fn gather(work: &mut Work<'_>) -> StageResult {
    let columns = [&["episode", "bars_to_trigger"], VECTOR_FEATURES.as_slice()].concat();
    let features = work.table("features")?.whole(Some(&columns))?;
    let found = Episode::read(&work.table("episodes")?.whole(None)?)?;
    Ok(work.write("vectors", &SetupVector::table(&vectors_of_table(&features, &found)?))?)
}

/// The bars of the task's symbol; `None` where the file has no bars at all.
fn bars_of(
    work: &Work<'_>,
    table: &Table,
    wanted: &[Series],
) -> Result<Option<Bars>, Box<dyn std::error::Error + Send + Sync>> {
    let columns: Vec<&str> = KEYS.into_iter().chain(wanted.iter().map(|series| series.column())).collect();
    let batches = table.batches(Some(&columns))?.collect::<Result<Vec<_>, _>>()?;
    let all = Bars::read(&batches, wanted)?;
    let symbol = work.task().symbol.as_str();
    let held: Vec<String> = all.iter().map(|bars| bars.symbol().to_owned()).collect();
    if held.is_empty() {
        return Ok(None);
    }
    let found = all.into_iter().find(|bars| bars.symbol() == symbol);
    let missing = || format!("the bars hold no {symbol}, but {}; run the lake for that symbol", held.join(", "));
    Ok(Some(found.ok_or_else(missing)?))
}

/// Relative volume as a table, one row a bar: `symbol`, `bar_start`, `known_at`, `rvol_bar`, `rvol_bucket`, `rvol_session`.
fn relative_table(bars: Option<&Bars>, relative: &RelativeVolume) -> RecordBatch {
    let (symbol, starts, known_at) = bars.map_or(("", &[][..], &[][..]), |b| (b.symbol(), b.start(), b.known_at()));
    TableBuilder::default()
        .text("symbol", starts.iter().map(|_| symbol))
        .instant("bar_start", starts.iter().copied())
        .instant("known_at", known_at.iter().copied())
        .real("rvol_bar", &relative.bar)
        .real("rvol_bucket", &relative.bucket)
        .real("rvol_session", &relative.session)
        .finish()
}

fn relative_of(table: &RecordBatch) -> Result<RelativeVolume, StageError> {
    let rows = Rows::of(table, "run");
    Ok(RelativeVolume {
        bar: rows.reals("rvol_bar")?,
        bucket: rows.reals("rvol_bucket")?,
        session: rows.reals("rvol_session")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> StageRules {
        StageRules {
            instrument: Instrument::plain("SIM", 1_000_000_000, 250_000_000, 1.0).unwrap(),
            size: "5s".parse().unwrap(),
            clock: BarClock::Event,
            ends: EventEnds::Flag,
            compression: 3,
            opening_minutes: 15,
            user: Vec::new(),
        }
    }

    #[test]
    fn no_stage_of_what_is_known_at_the_trigger_can_open_what_came_after() {
        let graph = stages(&rules()).unwrap();
        let names: Vec<_> = graph.stages().iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["bars", "profiles", "episodes", "features", "vectors"]);
        for stage in &graph.stages()[3..] {
            for edge in &stage.edges {
                let (Edge::Same { sets, .. } | Edge::Before { sets, .. }) = edge else {
                    panic!("{}: {edge:?}", stage.name)
                };
                assert!(!sets.iter().any(|set| set == "outcomes" || set == "spans"), "{}: {sets:?}", stage.name);
            }
        }
        for stage in graph.stages().iter().filter(|stage| stage.name != "episodes") {
            for column in stage.outputs.iter().flat_map(|output| output.schema().fields().iter()) {
                assert!(!Outcome::COLUMNS.contains(&column.name().as_str()), "{}: {column}", stage.name);
            }
        }
    }

    #[test]
    fn a_rule_changes_the_settings_of_the_stages_that_follow_it() {
        let changed = |change: fn(&mut StageRules)| {
            let mut other = rules();
            change(&mut other);
            let (one, two) = (stages(&rules()).unwrap(), stages(&other).unwrap());
            let pairs = one.stages().iter().zip(two.stages());
            pairs.filter(|(a, b)| a.settings != b.settings).map(|(a, _)| a.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(changed(|rules| rules.size = "10s".parse().unwrap()), ["bars"]);
        assert_eq!(changed(|rules| rules.ends = EventEnds::Row), ["bars"]);
        assert_eq!(changed(|rules| rules.clock = BarClock::Receive), ["bars"]);
        assert_eq!(changed(|rules| rules.instrument.lot = 100.0), ["bars"]);
        assert_eq!(changed(|rules| rules.instrument.point *= 2), ["bars", "episodes", "features"]);
        assert_eq!(changed(|rules| rules.instrument.tick *= 2), ["episodes", "features"]);
        assert_eq!(changed(|rules| rules.opening_minutes = 30), ["profiles", "episodes"]);
        assert_eq!(changed(|rules| rules.instrument.time_zone = "Asia/Tokyo".to_owned()), ["profiles", "episodes"]);
        let user = |rules: &mut StageRules| {
            rules.user.push(UserLevel { name: "a".to_owned(), price: 1.0, from: None });
        };
        assert_eq!(changed(user), ["episodes"]);
    }
}
