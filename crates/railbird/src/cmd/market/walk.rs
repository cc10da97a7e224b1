//! `railbird market walk`: strategies forward over bars.
//!
//! Symbols are walked in parts, so that memory is bounded and a killed run goes on where it was: with `--out`, what is
//! finished lies in `parts/`, and the tables are made from the parts alone.

mod arguments;
mod parts;
mod told;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arrow::array::RecordBatch;
use clap::Args;
use railbird_backtest::{Cached, CachedRules, CachedStats, DEFINITIONS, ForecastShelf};
use railbird_market::{
    CombinationRow, CombinatorialRules, Costs, Counts, FillMode, Forecasts, Optimizer, Plan, Quality, Schedule,
    SymbolSummary, SymbolWalk, Timing, WalkInput, WalkRules,
    data::{Bars, Calendar, Key, LoadOptions, Segment, Series},
    fold_rows,
    report::{RefusedView, Report, SymbolView, figures},
    strategy::Strategy,
    study, walk,
};
use railbird_model::{Forecaster, builtin};
use railbird_store::{ContentHash, ForecastStore};
use railbird_timeline::{Clock, SystemClock};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub(crate) use self::arguments::Walk;
use self::{parts::Parts, told::text};
use super::{
    input::{Opened, Source, sources},
    kept,
};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    interrupt, memory,
    stages::Stages,
};

/// Which model forecasts, and whether what it made is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct Modelling {
    /// Model, with parameters after a colon; or 'host:PROGRAM ARGUMENTS'
    #[arg(long, default_value = "theta", value_name = "NAME")]
    model: String,
    /// Seed of all that is random
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) seed: u64,
    /// Make every forecast anew, and keep none
    #[arg(long)]
    no_cache: bool,
    /// Make one in so many forecasts of the store anew, and fail where one differs
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20", conflicts_with = "no_cache")]
    verify_cache: Option<u64>,
    /// Most bytes of forecasts that are kept on disk
    #[arg(long, default_value_t = 4 << 30, value_name = "BYTES")]
    cache_bytes_max: u64,
}

/// A forecaster, cached or not.
pub(super) enum Asked {
    Plain(Arc<dyn Forecaster>),
    Cached(Arc<Cached<Box<dyn Forecaster>>>),
}

impl Asked {
    pub(super) fn forecaster(&self) -> Arc<dyn Forecaster> {
        match self {
            Self::Plain(forecaster) => Arc::clone(forecaster),
            Self::Cached(cached) => Arc::clone(cached) as Arc<dyn Forecaster>,
        }
    }

    fn stats(&self) -> Option<CachedStats> {
        match self {
            Self::Plain(_) => None,
            Self::Cached(cached) => Some(cached.stats()),
        }
    }
}

impl Modelling {
    /// The forecaster, with the store of the data folder behind it.
    pub(super) fn forecaster(&self, context: &Context) -> Result<Asked, Failure> {
        let model = crate::forecaster_host::forecaster(&self.model, &interrupt::watch())?;
        if self.no_cache {
            return Ok(Asked::Plain(Arc::from(model)));
        }
        let folder = context.settings.data_dir().join("forecasts");
        let shelf: Option<Arc<dyn ForecastShelf>> = match ForecastStore::open(&folder, self.cache_bytes_max) {
            Ok((store, set_aside)) => {
                if let Some(set_aside) = set_aside {
                    context
                        .output
                        .note(&format!("forecasts: a store that could not be used was set aside: {set_aside:?}"));
                }
                Some(Arc::new(store))
            }
            Err(error) => {
                context.output.note(&format!("forecasts are not kept: {error}"));
                None
            }
        };
        let rules = CachedRules { verify_one_in: self.verify_cache.unwrap_or(0), ..CachedRules::default() };
        Ok(Asked::Cached(Arc::new(Cached::new(model, shelf, rules, Arc::new(SystemClock::new())))))
    }
}

impl Walk {
    /// The walk as a report.
    fn report(&self, out: &Path, finished: &[Finished], kept: &KeptDocument) -> Report<Box<RawValue>> {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (sims, horizon) = match self.schedule() {
            Schedule::Simulations { sims, horizon } => (number(sims), number(horizon)),
            Schedule::Continuous { .. } => (0, 1),
        };
        let text = |value: String| serde_json::Value::String(value);
        let settings = BTreeMap::from([
            ("strategies".to_owned(), text(kept.strategies.join(", "))),
            ("schedule".to_owned(), text(format!("{:?}", self.schedule()).to_lowercase())),
            ("fills".to_owned(), text(format!("{:?}", self.fills).to_lowercase())),
            ("optimizer".to_owned(), text(self.optimizer.of().name().to_owned())),
            ("levels_within".to_owned(), text(format!("{} %", self.bound))),
            ("tick".to_owned(), self.tick.into()),
            ("seed".to_owned(), self.modelling.seed.into()),
        ]);
        let id = out.file_name().map_or_else(|| "walk".to_owned(), |name| name.to_string_lossy().into_owned());
        Report {
            id,
            model: kept.model.clone(),
            sims,
            horizon,
            settings,
            figures: figures(),
            symbols: finished.iter().filter_map(|finished| finished.view.clone()).collect(),
            refused: kept
                .refused
                .iter()
                .map(|refused| RefusedView { symbol: refused.symbol.clone(), reason: refused.reason.clone() })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    kept: KeptDocument,
    #[serde(flatten)]
    counts: CallCounts,
    cache: Option<CachedStats>,
    /// Symbols taken from `--out`, walked before.
    resumed: usize,
    definitions: &'static str,
    stages: Vec<(&'static str, f64)>,
    seconds: f64,
    memory_peak_bytes: Option<u64>,
}

/// What is the same however often, and from wherever, a walk is resumed; `summary.json` holds it.
#[derive(Serialize)]
struct KeptDocument {
    model: String,
    strategies: Vec<&'static str>,
    schedule: Schedule,
    fills: FillMode,
    optimizer: Optimizer,
    symbols: Vec<Box<RawValue>>,
    /// Stretches too short to be walked, where every stretch was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOut>,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct LeftOut {
    symbol: String,
    bars: usize,
    reason: String,
}

#[derive(Serialize)]
struct Refused {
    symbol: String,
    reason: String,
}

/// Forecasts of the loop as written: `calls = duplicates + from_memory + from_disk + calls_made`, those of resumed symbols left out.
#[derive(Debug, Default, Serialize)]
struct CallCounts {
    /// Forecasts that the loop asks for.
    calls: u64,
    /// Different ones of each symbol, handed over in one batch a symbol.
    unique: u64,
    /// Calls that repeat one of the same symbol.
    duplicates: u64,
    /// Given from memory.
    from_memory: u64,
    /// Given from the store.
    from_disk: u64,
    /// Made by the model.
    calls_made: u64,
    /// Calls that were not made.
    cache_hits: u64,
    /// Forecasts that could not be made.
    missing: u64,
}

impl CallCounts {
    fn of(counts: &[Counts], cache: Option<&CachedStats>) -> Self {
        let sum = |value: fn(&Counts) -> usize| counts.iter().map(|counts| value(counts) as u64).sum::<u64>();
        let (calls, unique) = (sum(|counts| counts.calls), sum(|counts| counts.unique));
        let (from_memory, from_disk, calls_made) =
            cache.map_or((0, 0, unique), |cache| (cache.from_memory, cache.from_disk, cache.made));
        Self {
            calls,
            unique,
            duplicates: calls - unique,
            from_memory,
            from_disk,
            calls_made,
            cache_hits: calls.saturating_sub(calls_made),
            missing: sum(|counts| counts.missing),
        }
    }
}

/// A symbol, or a stretch of one, ready to be forecast.
struct Loaded {
    symbol: String,
    stretch: Stretch,
    key: String,
    bars: Bars,
    calendar: Calendar,
    finer: Option<Bars>,
}

/// A symbol that is done.
struct Finished {
    symbol: String,
    summary: Box<RawValue>,
    /// Its rows; empty where nobody asked for tables.
    rows: Vec<RecordBatch>,
    /// What the report shows of it; none where nobody asked for one.
    view: Option<Box<RawValue>>,
}

/// Symbols that are walked together: what a killed run loses at most, and what is in memory at once.
const SYMBOLS_A_PART: usize = 32;

/// Walks and prints.
pub(crate) fn run(context: &Context, arguments: &Walk) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut stages = Stages::start(&clock as &dyn Clock);
    let strategies = arguments.strategies()?;
    let sources = sources(&arguments.files.paths)?;
    let asked = arguments.modelling.forecaster(context)?;
    let forecaster = asked.forecaster();
    let interrupted = interrupt::watch();
    let parts = arguments.out(context)?.as_deref().map(Parts::open).transpose()?;
    let run = Run {
        arguments,
        strategies: &strategies,
        forecaster: &*forecaster,
        parts: parts.as_ref(),
        clock: &clock,
        interrupted: &interrupted,
    };
    let progress = context.output.progress(sources.len() as u64, "symbols");
    stages.end("prepare");
    let mut walked = Walked::default();
    for part in sources.chunks(SYMBOLS_A_PART) {
        run.part(part, &mut stages, &mut walked)?;
        if run.is_interrupted() {
            progress.finish_and_clear();
            return Err(stopped(&walked, parts.as_ref()));
        }
        progress.inc(part.len() as u64);
    }
    progress.finish_and_clear();
    let kept = KeptDocument {
        model: forecaster.id().to_string(),
        strategies: strategies.iter().map(|strategy| strategy.name()).collect(),
        schedule: arguments.schedule(),
        fills: arguments.fills.mode(),
        optimizer: arguments.optimizer.of(),
        symbols: walked.finished.iter().map(|finished| finished.summary.clone()).collect(),
        left_out: walked.left_out,
        refused: walked.refused,
    };
    if let Some(parts) = &parts {
        parts.finish(&walked.finished, &kept)?;
        kept::keep(&parts.out, &arguments.report(&parts.out, &walked.finished, &kept))?;
    }
    stages.end("write");
    let cache = asked.stats();
    let (stages, seconds) = stages.finish();
    let document = Document {
        counts: CallCounts::of(&walked.counts, cache.as_ref()),
        kept,
        cache,
        resumed: walked.resumed,
        definitions: DEFINITIONS,
        stages: merged(&stages),
        seconds,
        memory_peak_bytes: memory::peak_bytes(),
    };
    context.output.write(&document, |document| text(document, arguments.profile || context.verbose))?;
    match (document.kept.refused.len(), document.kept.symbols.len()) {
        (0, _) => Ok(Outcome::Done),
        (_, 0) => Ok(Outcome::Refused),
        _ => Ok(Outcome::Partly),
    }
}

/// What is left of a walk that was asked to end.
fn stopped(walked: &Walked, parts: Option<&Parts>) -> Failure {
    let done = walked.finished.len();
    Failure::Failed(match parts {
        Some(parts) => anyhow::anyhow!(
            "stopped: {done} symbols are done and kept in {}; the same command goes on from there",
            parts.out.display()
        ),
        None => anyhow::anyhow!("stopped: nothing is kept but forecasts; with --out, symbols that are done would be"),
    })
}

/// Stages of one name as one, in order of their first.
fn merged(stages: &[(&'static str, f64)]) -> Vec<(&'static str, f64)> {
    let mut merged: Vec<(&'static str, f64)> = Vec::new();
    for &(stage, seconds) in stages {
        match merged.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, sum)) => *sum += seconds,
            None => merged.push((stage, seconds)),
        }
    }
    merged
}

/// What all parts of a run share.
struct Run<'a> {
    arguments: &'a Walk,
    strategies: &'a [Box<dyn Strategy>],
    forecaster: &'a dyn Forecaster,
    parts: Option<&'a Parts>,
    clock: &'a SystemClock,
    interrupted: &'a AtomicBool,
}

/// What came of the parts so far.
#[derive(Default)]
struct Walked {
    finished: Vec<Finished>,
    left_out: Vec<LeftOut>,
    refused: Vec<Refused>,
    counts: Vec<Counts>,
    resumed: usize,
}

/// A symbol, or a stretch of one, before it is forecast.
enum Start {
    Resumed(Finished),
    Loaded(Box<Loaded>),
    LeftOut(LeftOut),
    Refused(Refused),
}

/// The unbroken bars that are walked.
#[derive(Debug, Clone, Serialize)]
struct Stretch {
    /// Its place among the symbol's, from 1, oldest first.
    number: usize,
    /// First bar.
    from: String,
    /// Last bar.
    to: String,
    bars: usize,
}

impl Stretch {
    fn of(number: usize, segment: &Segment) -> Self {
        Self { number, from: segment.from.to_string(), to: segment.to.to_string(), bars: segment.rows.len() }
    }

    /// The symbol with the stretch's first bar. Every stretch is called so, also an only one: a later break changes no name.
    fn name(&self, symbol: &str) -> String {
        let day = self.from.split_once('T').filter(|(_, time)| time.bytes().all(|byte| !(b'1'..=b'9').contains(&byte)));
        format!("{symbol}@{}", day.map_or(self.from.as_str(), |(day, _)| day))
    }
}

impl Run<'_> {
    /// Walks some symbols: each stage over all of them, so that stages can be told apart.
    fn part(&self, sources: &[Source], stages: &mut Stages<'_>, walked: &mut Walked) -> Result<(), Failure> {
        let starts: Vec<Start> = sources.par_iter().flat_map_iter(|source| self.starts(source)).collect();
        stages.end("load");

        let forecasts: Vec<Result<(Forecasts, Option<Forecasts>), String>> = starts
            .par_iter()
            .map(|start| match start {
                Start::Loaded(loaded) => self.forecast(loaded),
                _ => Err(String::new()),
            })
            .collect();
        stages.end("forecast");

        let (accounts_ns, searches_ns) = (AtomicU64::new(0), AtomicU64::new(0));
        let timing = Timing { clock: self.clock, accounts_ns: &accounts_ns, searches_ns: &searches_ns };
        let began = self.clock.monotonic();
        let walks: Vec<Option<Result<(SymbolWalk, WalkRules), String>>> = starts
            .par_iter()
            .zip(&forecasts)
            .map(|(start, forecasts)| match (start, forecasts) {
                (Start::Loaded(loaded), Ok((forecasts, _))) if !self.is_interrupted() => {
                    let input = WalkInput {
                        symbol: &loaded.symbol,
                        bars: &loaded.bars,
                        calendar: loaded.calendar,
                        forecasts,
                        finer: loaded.finer.as_ref(),
                        timing: Some(timing),
                    };
                    let rules = self.arguments.rules(loaded.calendar);
                    let walk = walk(&input, self.strategies, &rules);
                    Some(walk.map(|walk| (walk, rules)).map_err(|error| error.to_string()))
                }
                _ => None,
            })
            .collect();
        // Of the wall time, searches get the share that they have in the threads' time.
        let took = self.clock.monotonic().saturating_sub(began).as_secs_f64();
        let threads = |sum: &AtomicU64| sum.load(Ordering::Relaxed) as f64;
        let share = (threads(&searches_ns) / threads(&accounts_ns).max(1.0)).min(1.0);
        stages.end_in_parts(&[("optimise", took * share)], "simulate");

        let finished: Vec<Option<Result<Finished, Failure>>> = (&starts, &forecasts, &walks)
            .into_par_iter()
            .map(|(start, forecasts, walk)| match (start, forecasts, walk) {
                (Start::Loaded(loaded), Ok((forecasts, naive)), Some(Ok((walk, rules)))) => {
                    Some(self.finished(loaded, forecasts, naive.as_ref(), walk, rules))
                }
                _ => None,
            })
            .collect();
        stages.end("metrics");

        for (((start, forecasts), walk), finished) in starts.into_iter().zip(forecasts).zip(walks).zip(finished) {
            let loaded = match start {
                Start::Refused(refused) => {
                    walked.refused.push(refused);
                    continue;
                }
                Start::LeftOut(left_out) => {
                    walked.left_out.push(left_out);
                    continue;
                }
                Start::Resumed(finished) => {
                    walked.resumed += 1;
                    walked.finished.push(finished);
                    continue;
                }
                Start::Loaded(loaded) => loaded,
            };
            let refused = |reason| Refused { symbol: loaded.symbol.clone(), reason };
            match (forecasts, walk, finished) {
                (Ok((forecasts, _)), Some(Ok(_)), Some(finished)) => {
                    let finished = match finished {
                        Ok(finished) => finished,
                        Err(failure) => {
                            walked.refused.push(refused(failure.to_string()));
                            continue;
                        }
                    };
                    walked.counts.push(forecasts.counts);
                    if let Some(parts) = self.parts {
                        parts.put(&loaded.key, &finished)?;
                    }
                    walked.finished.push(finished);
                }
                (Err(reason), ..) | (_, Some(Err(reason)), _) => walked.refused.push(refused(reason)),
                _ => walked.refused.push(refused("not walked".to_owned())),
            }
        }
        stages.end("write");
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What there is to walk of a source: its newest stretch, or every one.
    fn starts(&self, source: &Source) -> Vec<Start> {
        self.try_starts(source)
            .unwrap_or_else(|reason| vec![Start::Refused(Refused { symbol: source.symbol.clone(), reason })])
    }

    fn try_starts(&self, source: &Source) -> Result<Vec<Start>, String> {
        if self.is_interrupted() {
            return Ok(Vec::new());
        }
        let opened = source.open().map_err(|error| error.to_string())?;
        let key = self.parts.map(|_| self.key(&opened)).unwrap_or_default();
        let every = self.arguments.reading.every_stretch();
        let kept = |symbol: &str| self.parts.and_then(|parts| parts.get(symbol, &key)).map(Start::Resumed);
        if let (false, Some(kept)) = (every, kept(&source.symbol)) {
            return Ok(vec![kept]);
        }
        let options = self.arguments.reading.options();
        let series = opened.load(&source.symbol, &options).map_err(|error| error.to_string())?;
        let finer = self.arguments.finer.as_deref().map(|folder| finer_bars(source, folder, &options)).transpose()?;
        let loaded = |symbol: String, stretch: Stretch, series: &Series, segment: &Segment| Loaded {
            symbol,
            stretch,
            key: key.clone(),
            bars: series.segment_bars(segment),
            calendar: series.calendar,
            finer: finer.clone(),
        };
        if !every {
            let newest = series.newest();
            let stretch = Stretch::of(series.segments.len(), newest);
            return Ok(vec![Start::Loaded(Box::new(loaded(source.symbol.clone(), stretch, &series, newest)))]);
        }
        let starts: Vec<Start> = series
            .segments
            .iter()
            .enumerate()
            .map(|(index, segment)| {
                let stretch = Stretch::of(index + 1, segment);
                let symbol = stretch.name(&source.symbol);
                if let Some(kept) = kept(&symbol) {
                    return kept;
                }
                let loaded = loaded(symbol, stretch, &series, segment);
                match self.arguments.schedule().plan(&loaded.symbol, &loaded.bars) {
                    Ok(_) => Start::Loaded(Box::new(loaded)),
                    Err(error) => Start::LeftOut(LeftOut {
                        symbol: loaded.symbol,
                        bars: loaded.bars.len(),
                        reason: error.to_string(),
                    }),
                }
            })
            .collect();
        let longest = starts.iter().filter_map(|start| match start {
            Start::LeftOut(left_out) => Some((left_out.bars, &left_out.reason)),
            _ => None,
        });
        match longest.max() {
            // Not one is long enough: that is no walk, and the best of them says what would be.
            Some((_, reason)) if starts.iter().all(|start| matches!(start, Start::LeftOut(_))) => Err(reason.clone()),
            _ => Ok(starts),
        }
    }

    /// Hash of all that a symbol's result depends on.
    fn key(&self, opened: &Opened) -> String {
        let arguments = self.arguments;
        let rules = [Calendar::Exchange, Calendar::Always].map(|calendar| format!("{:?}", arguments.rules(calendar)));
        let names: Vec<&str> = self.strategies.iter().map(|strategy| strategy.name()).collect();
        let id = self.forecaster.id();
        let all = format!(
            "{}\n{:?}\n{}\n{}\n{:?}\n{:?}\n{:?}\n{}",
            env!("CARGO_PKG_VERSION"),
            rules,
            names.join(","),
            id,
            id.digest(),
            arguments.reading.options(),
            (&arguments.finer, arguments.combinatorial, arguments.study_purge, arguments.embargo),
            opened.hash()
        );
        ContentHash::of(all.as_bytes()).to_string()
    }

    fn forecast(&self, loaded: &Loaded) -> Result<(Forecasts, Option<Forecasts>), String> {
        if self.is_interrupted() {
            return Err("not walked".to_owned());
        }
        let told = |error: railbird_market::Error| error.to_string();
        let (symbol, seed) = (&loaded.symbol, self.arguments.modelling.seed);
        let plan = self.arguments.schedule().plan(symbol, &loaded.bars).map_err(told)?;
        let forecasts = Forecasts::make(symbol, &loaded.bars, &plan, self.forecaster, seed).map_err(told)?;
        // The baseline of every score, too quick to be worth keeping.
        let closes = plan.unique().iter().copied().filter(|(key, _)| *key == Key::Close);
        let closes = Plan::new(loaded.bars.len(), closes);
        let naive =
            builtin("naive").ok().and_then(|naive| Forecasts::make(symbol, &loaded.bars, &closes, &*naive, seed).ok());
        Ok((forecasts, naive))
    }

    fn finished(
        &self,
        loaded: &Loaded,
        forecasts: &Forecasts,
        naive: Option<&Forecasts>,
        walk: &SymbolWalk,
        rules: &WalkRules,
    ) -> Result<Finished, Failure> {
        let splits = self.arguments.combinatorial.map(|(groups, tested)| CombinatorialRules {
            groups,
            tested,
            purge: self.arguments.study_purge,
            embargo: self.arguments.embargo,
        });
        let input = WalkInput {
            symbol: &walk.symbol,
            bars: &loaded.bars,
            calendar: loaded.calendar,
            forecasts,
            finer: loaded.finer.as_ref(),
            timing: None,
        };
        let combinatorial = splits.map(|splits| study(&input, self.strategies, rules, splits)).transpose()?;
        let quality = naive.map(|naive| Quality::of(&loaded.bars, &walk.bars, forecasts, naive, rules.seed));
        let symbol_summary = SymbolSummary::of(walk, rules);
        let view = self.parts.map(|_| {
            let model = self.forecaster.id().to_string();
            to_raw_value(&SymbolView::of(&input, walk, &symbol_summary, self.strategies, rules, &model))
        });
        let summary = WithQuality {
            summary: symbol_summary,
            stretch: loaded.stretch.clone(),
            costs: rules.costs,
            forecasts: quality,
            combinatorial,
        };
        let rows = if self.parts.is_some() { vec![fold_rows(walk)?] } else { Vec::new() };
        Ok(Finished { symbol: walk.symbol.clone(), summary: to_raw_value(&summary)?, rows, view: view.transpose()? })
    }
}

#[derive(Serialize)]
struct WithQuality {
    #[serde(flatten)]
    summary: SymbolSummary,
    stretch: Stretch,
    costs: Costs,
    forecasts: Option<Quality>,
    /// A study of its own, which trains on later days too.
    #[serde(skip_serializing_if = "Option::is_none")]
    combinatorial: Option<Vec<CombinationRow>>,
}

/// Bars of the same symbol from the folder of finer ones.
fn finer_bars(source: &Source, folder: &Path, options: &LoadOptions) -> Result<Bars, String> {
    let found = sources(&[folder.to_owned()]).map_err(|error| error.to_string())?;
    let symbol = source.symbol.rsplit('/').next().unwrap_or_default();
    let finer = found.iter().find(|finer| finer.symbol == symbol);
    let finer = finer.ok_or_else(|| format!("{}: no finer bars of {symbol}", folder.display()))?;
    let opened = finer.open().map_err(|error| error.to_string())?;
    Ok(opened.load(&finer.symbol, options).map_err(|error| error.to_string())?.bars)
}
