//! `railbird market walk`: strategies forward over bars.
//!
//! Symbols are walked in parts, so that memory is bounded and a killed run goes on where it was: with `--out`, what is
//! finished lies in `parts/`, and the tables are made from the parts alone.

mod parts;
mod told;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use arrow::array::RecordBatch;
use clap::{Args, ValueEnum};
use railbird_backtest::{Cached, CachedRules, CachedStats, DEFINITIONS, ForecastShelf, Scheme};
use railbird_market::{
    CombinationRow, CombinatorialRules, Costs, Counts, FillMode, Forecasts, Optimizer, Plan, Quality, Schedule,
    SymbolSummary, SymbolWalk, Timing, WalkInput, WalkRules,
    data::{Bars, Calendar, Key, LoadOptions},
    fold_rows,
    report::{RefusedView, Report, SymbolView, figures},
    strategy::{STRATEGIES, Strategy, strategy},
    study, walk,
};
use railbird_model::{Forecaster, builtin};
use railbird_store::{ContentHash, ForecastStore, join_below};
use railbird_timeline::{Clock, SystemClock};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use self::{parts::Parts, told::text};
use super::{
    Files, Reading,
    input::{Opened, Source, sources},
    kept,
};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
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
        let model = crate::forecaster_host::forecaster(&self.model, &Arc::default())?;
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

/// `market walk`.
#[derive(Debug, Args)]
pub(crate) struct Walk {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    modelling: Modelling,
    /// Strategies, separated by commas; all walks the ten
    #[arg(long, default_value = "maxdiff", value_name = "NAMES")]
    strategies: String,
    /// Simulations: the newest so many bars are scored, each with levels from the bars before it
    #[arg(long, default_value_t = 70, value_name = "N")]
    sims: usize,
    /// Bars of one simulation, the scored one included
    #[arg(long, default_value_t = 7, value_name = "N")]
    horizon: usize,
    /// Score every bar that can be, training on the bars before: rolling, expanding or anchored
    #[arg(long, value_enum, value_name = "SCHEME", conflicts_with = "sims")]
    continuous: Option<Continuous>,
    /// Bars that train in a continuous walk
    #[arg(long, default_value_t = 60, value_name = "N", requires = "continuous")]
    train: usize,
    /// Bars left out between training and score in a continuous walk
    #[arg(long, default_value_t = 0, value_name = "N", requires = "continuous")]
    purge: usize,
    /// Who searches for levels
    #[arg(long, value_enum, default_value = "exact")]
    optimizer: Search,
    /// Points that direct, direct-l and de may compare, each policy
    #[arg(long, default_value_t = 500, value_name = "N")]
    evaluations: u64,
    /// Fail instead of letting differential evolution take over
    #[arg(long)]
    no_fallback: bool,
    /// What is believed of the order of prices within a bar
    #[arg(long, value_enum, default_value = "pessimistic")]
    fills: Fills,
    /// Finer bars of the same symbols, for --fills finer: a folder with files of the same names
    #[arg(long, value_name = "DIR", required_if_eq("fills", "finer"))]
    finer: Option<PathBuf>,
    /// Costs: of stocks, of crypto, or by the days on which a symbol trades
    #[arg(long, value_enum, default_value = "auto")]
    asset: Asset,
    /// Fee of every fill, basis points [default: 5 stocks, 15 crypto]
    #[arg(long, value_name = "BP")]
    fee_bp: Option<f64>,
    /// What market orders slip, basis points
    #[arg(long, default_value_t = 0.0, value_name = "BP")]
    slippage_bp: f64,
    /// What borrowed shares and money cost, per cent a year
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    borrow: f64,
    /// Sell nothing short [default: crypto only]
    #[arg(long, value_name = "SWITCH", num_args = 0..=1, default_missing_value = "true")]
    long_only: Option<bool>,
    /// Farthest that a limit is tuned from its forecast, per cent
    #[arg(long, default_value_t = 3.0, value_name = "PERCENT")]
    bound: f64,
    /// Smallest step of the price; 0 where unknown
    #[arg(long, default_value_t = 0.0, value_name = "PRICE")]
    tick: f64,
    /// Add an account that each day picks the strategy with limits that did best on the scored days before
    #[arg(long)]
    nested: bool,
    /// Beside the walk, a study of combinatorial purged splits: so many groups of days, so many of them tested at a time. It
    /// trains on later days too, and is never mixed with the walk
    #[arg(long, value_name = "GROUPS,TESTED", value_parser = groups)]
    combinatorial: Option<(usize, usize)>,
    /// Days left out of training behind a tested group of the study, besides --study-purge
    #[arg(long, default_value_t = 0, value_name = "N", requires = "combinatorial")]
    embargo: usize,
    /// Days left out of training on both sides of a tested group of the study
    #[arg(long, default_value_t = 0, value_name = "N", requires = "combinatorial")]
    study_purge: usize,
    /// Folder for the tables; what is finished there is not walked again
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep the tables and the report under this name in the data folder, where the page finds them
    #[arg(long, value_name = "NAME", conflicts_with = "out")]
    study: Option<String>,
    /// Print the time of each stage
    #[arg(long)]
    profile: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Continuous {
    /// The newest bars
    Rolling,
    /// All bars so far
    Expanding,
    /// The first bars, once
    Anchored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Search {
    /// The exact maximum
    Exact,
    /// DIRECT
    Direct,
    /// DIRECT, locally biased
    DirectL,
    /// Differential evolution
    De,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fills {
    /// A target is hit only where the close proves it
    Pessimistic,
    /// A target is hit wherever the bar reaches it
    Optimistic,
    /// One of the two, by a bit that hangs on seed, symbol and time
    Random,
    /// What finer bars say, pessimistic within each
    Finer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asset {
    /// Crypto where it trades on Saturdays
    Auto,
    /// 5 basis points a fill, both sides
    Stock,
    /// 15 basis points a fill, long only
    Crypto,
}

fn groups(text: &str) -> Result<(usize, usize), String> {
    let pair = text
        .split_once(',')
        .and_then(|(groups, tested)| Some((groups.trim().parse().ok()?, tested.trim().parse().ok()?)));
    pair.ok_or_else(|| "expected two numbers, as in 8,2".to_owned())
}

impl Fills {
    const fn mode(self) -> FillMode {
        match self {
            Self::Pessimistic => FillMode::Pessimistic,
            Self::Optimistic => FillMode::Optimistic,
            Self::Random => FillMode::Random,
            Self::Finer => FillMode::Finer,
        }
    }
}

impl Search {
    const fn of(self) -> Optimizer {
        match self {
            Self::Exact => Optimizer::Exact,
            Self::Direct => Optimizer::Direct,
            Self::DirectL => Optimizer::DirectL,
            Self::De => Optimizer::De,
        }
    }
}

impl Walk {
    /// Folder of the tables and the report.
    fn out(&self, context: &Context) -> Result<Option<PathBuf>, Failure> {
        let Some(name) = &self.study else { return Ok(self.out.clone()) };
        let folder = kept::folder(&context.settings);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let place = join_below(&folder, name)
            .map_err(|error| Failure::usage(format!("--study {name}: expected one name: {error}")))?;
        Ok(Some(place))
    }

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

    fn strategies(&self) -> Result<Vec<Box<dyn Strategy>>, Failure> {
        let names: Vec<&str> = match self.strategies.trim() {
            "all" => STRATEGIES.to_vec(),
            names => names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
        };
        let mut found: Vec<Box<dyn Strategy>> = Vec::new();
        for name in names {
            let known = strategy(name).ok_or_else(|| {
                Failure::usage(format!(
                    "strategy {name:?}: unknown; expected all, or some of {}",
                    STRATEGIES.join(", ")
                ))
            })?;
            if !found.iter().any(|other| other.name() == known.name()) {
                found.push(known);
            }
        }
        if found.is_empty() { Err(Failure::usage("--strategies: expected at least one")) } else { Ok(found) }
    }

    fn schedule(&self) -> Schedule {
        let rows = self.train;
        let scheme = match self.continuous {
            None => return Schedule::Simulations { sims: self.sims, horizon: self.horizon },
            Some(Continuous::Rolling) => Scheme::Rolling { rows },
            Some(Continuous::Expanding) => Scheme::Expanding { rows },
            Some(Continuous::Anchored) => Scheme::Anchored { rows },
        };
        Schedule::Continuous { scheme, purge: self.purge }
    }

    fn rules(&self, calendar: Calendar) -> WalkRules {
        let mut costs = match (self.asset, calendar) {
            (Asset::Stock, _) | (Asset::Auto, Calendar::Exchange) => Costs::STOCKS,
            (Asset::Crypto, _) | (Asset::Auto, Calendar::Always) => Costs::CRYPTO,
        };
        // A basis point is 100 units; what is no number is refused with the rules.
        let units = |bp: f64| if bp.is_finite() { (bp * 100.0).round_ties_even() as i64 } else { -1 };
        costs.fee = self.fee_bp.map_or(costs.fee, units);
        costs.slippage = units(self.slippage_bp);
        costs.borrow_a_year = self.borrow / 100.0;
        costs.long_only = self.long_only.unwrap_or(costs.long_only);
        WalkRules {
            schedule: self.schedule(),
            fills: self.fills.mode(),
            optimizer: self.optimizer.of(),
            nested: self.nested,
            evaluations_max: self.evaluations,
            bound: if self.bound.is_finite() { (self.bound * 1e6).round_ties_even() as i64 } else { -1 },
            tick: self.tick,
            seed: self.modelling.seed,
            fall_back: !self.no_fallback,
            ..WalkRules::new(costs)
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
    refused: Vec<Refused>,
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

/// A symbol ready to be forecast.
struct Loaded<'a> {
    source: &'a Source,
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
    let parts = arguments.out(context)?.as_deref().map(Parts::open).transpose()?;
    let run =
        Run { arguments, strategies: &strategies, forecaster: &*forecaster, parts: parts.as_ref(), clock: &clock };
    let progress = context.output.progress(sources.len() as u64, "symbols");
    stages.end("prepare");
    let mut walked = Walked::default();
    for part in sources.chunks(SYMBOLS_A_PART) {
        run.part(part, &mut stages, &mut walked)?;
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
}

/// What came of the parts so far.
#[derive(Default)]
struct Walked {
    finished: Vec<Finished>,
    refused: Vec<Refused>,
    counts: Vec<Counts>,
    resumed: usize,
}

/// A symbol before it is forecast.
enum Start<'a> {
    Resumed(Finished),
    Loaded(Box<Loaded<'a>>),
}

impl Run<'_> {
    /// Walks some symbols: each stage over all of them, so that stages can be told apart.
    fn part(&self, sources: &[Source], stages: &mut Stages<'_>, walked: &mut Walked) -> Result<(), Failure> {
        let starts: Vec<Result<Start<'_>, String>> = sources.par_iter().map(|source| self.start(source)).collect();
        stages.end("load");

        let forecasts: Vec<Result<(Forecasts, Option<Forecasts>), String>> = starts
            .par_iter()
            .map(|start| match start {
                Ok(Start::Loaded(loaded)) => self.forecast(loaded).map_err(|error| error.to_string()),
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
                (Ok(Start::Loaded(loaded)), Ok((forecasts, _))) => {
                    let input = WalkInput {
                        symbol: &loaded.source.symbol,
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
                (Ok(Start::Loaded(loaded)), Ok((forecasts, naive)), Some(Ok((walk, rules)))) => {
                    Some(self.finished(loaded, forecasts, naive.as_ref(), walk, rules))
                }
                _ => None,
            })
            .collect();
        stages.end("metrics");

        let all = sources.iter().zip(starts).zip(forecasts).zip(walks).zip(finished);
        for ((((source, start), forecasts), walk), finished) in all {
            let refused = |reason| Refused { symbol: source.symbol.clone(), reason };
            let loaded = match start {
                Err(reason) => {
                    walked.refused.push(refused(reason));
                    continue;
                }
                Ok(Start::Resumed(finished)) => {
                    walked.resumed += 1;
                    walked.finished.push(finished);
                    continue;
                }
                Ok(Start::Loaded(loaded)) => loaded,
            };
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

    fn start<'s>(&self, source: &'s Source) -> Result<Start<'s>, String> {
        let opened = source.open().map_err(|error| error.to_string())?;
        let key = self.parts.map(|_| self.key(&opened)).unwrap_or_default();
        if let Some(finished) = self.parts.and_then(|parts| parts.get(&source.symbol, &key)) {
            return Ok(Start::Resumed(finished));
        }
        let options = self.arguments.reading.options();
        let series = opened.load(&source.symbol, &options).map_err(|error| error.to_string())?;
        let finer = self.arguments.finer.as_deref().map(|folder| finer_bars(source, folder, &options)).transpose()?;
        let bars = series.segment_bars(series.newest());
        Ok(Start::Loaded(Box::new(Loaded { source, key, bars, calendar: series.calendar, finer })))
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

    fn forecast(&self, loaded: &Loaded<'_>) -> Result<(Forecasts, Option<Forecasts>), railbird_market::Error> {
        let (symbol, seed) = (&loaded.source.symbol, self.arguments.modelling.seed);
        let plan = self.arguments.schedule().plan(symbol, &loaded.bars)?;
        let forecasts = Forecasts::make(symbol, &loaded.bars, &plan, self.forecaster, seed)?;
        // The baseline of every score, too quick to be worth keeping.
        let closes = plan.unique().iter().copied().filter(|(key, _)| *key == Key::Close);
        let closes = Plan::new(loaded.bars.len(), closes);
        let naive =
            builtin("naive").ok().and_then(|naive| Forecasts::make(symbol, &loaded.bars, &closes, &*naive, seed).ok());
        Ok((forecasts, naive))
    }

    fn finished(
        &self,
        loaded: &Loaded<'_>,
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
        let summary = WithQuality { summary: symbol_summary, costs: rules.costs, forecasts: quality, combinatorial };
        let rows = if self.parts.is_some() { vec![fold_rows(walk)?] } else { Vec::new() };
        Ok(Finished { symbol: walk.symbol.clone(), summary: to_raw_value(&summary)?, rows, view: view.transpose()? })
    }
}

#[derive(Serialize)]
struct WithQuality {
    #[serde(flatten)]
    summary: SymbolSummary,
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
