//! `railbird market walk`: strategies forward over bars.
//!
//! Symbols are walked in parts, so that memory is bounded and a killed run goes on where it was: with `--out`, what is
//! finished lies in `parts/`, and the tables are made from the parts alone.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use railbird_backtest::{Cached, CachedRules, CachedStats, DEFINITIONS, ForecastShelf, Scheme};
use railbird_market::{
    Costs, Counts, FillMode, Forecasts, Optimizer, Schedule, SymbolSummary, WalkInput, WalkRules,
    data::{Bars, Calendar, LoadOptions},
    fold_rows,
    strategy::{STRATEGIES, Strategy, strategy},
    walk,
};
use railbird_model::Forecaster;
use railbird_store::ForecastStore;
use railbird_timeline::{Clock, SystemClock};
use rayon::prelude::*;
use serde::Serialize;

use super::{
    Files, Reading,
    input::{Source, sources},
};
use crate::{
    cmd::Context,
    failure::{Failure, Outcome},
    memory,
    output::table,
    stages::Stages,
};

/// Which model forecasts, and whether what it made is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct Modelling {
    /// Model, with parameters after a colon
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
    /// Folder for the tables; what is finished there is not walked again
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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

impl Walk {
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
            fills: match self.fills {
                Fills::Pessimistic => FillMode::Pessimistic,
                Fills::Optimistic => FillMode::Optimistic,
                Fills::Random => FillMode::Random,
                Fills::Finer => FillMode::Finer,
            },
            optimizer: match self.optimizer {
                Search::Exact => Optimizer::Exact,
                Search::Direct => Optimizer::Direct,
                Search::DirectL => Optimizer::DirectL,
                Search::De => Optimizer::De,
            },
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
    model: String,
    strategies: Vec<&'static str>,
    symbols: Vec<SymbolSummary>,
    refused: Vec<Refused>,
    #[serde(flatten)]
    counts: CallCounts,
    cache: Option<CachedStats>,
    definitions: &'static str,
    stages: Vec<(&'static str, f64)>,
    seconds: f64,
    memory_peak_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Refused {
    symbol: String,
    reason: String,
}

/// Forecasts of the loop as written: `calls = duplicates + from_memory + from_disk + calls_made`.
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
        let (calls, unique, missing) =
            (sum(|counts| counts.calls), sum(|counts| counts.unique), sum(|counts| counts.missing));
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
            missing,
        }
    }
}

/// A symbol ready to be forecast.
struct Loaded<'a> {
    source: &'a Source,
    bars: Bars,
    calendar: Calendar,
    finer: Option<Bars>,
}

/// Walks and prints.
pub(crate) fn run(context: &Context, arguments: &Walk) -> Result<Outcome, Failure> {
    let clock = SystemClock::new();
    let mut stages = Stages::start(&clock as &dyn Clock);
    let strategies = arguments.strategies()?;
    let sources = sources(&arguments.files.paths)?;
    let options = arguments.reading.options();
    let asked = arguments.modelling.forecaster(context)?;
    let forecaster = asked.forecaster();
    stages.end("prepare");
    let mut refused = Vec::new();
    let mut summaries = Vec::new();
    let mut counts = Vec::new();

    let loaded: Vec<_> = sources.par_iter().map(|source| arguments.load(source, &options)).collect();
    let loaded = kept(&mut refused, sources.iter().zip(loaded));
    stages.end("load");

    let forecasts: Vec<_> = loaded
        .par_iter()
        .map(|loaded| {
            let symbol = &loaded.source.symbol;
            let plan = arguments.schedule().plan(symbol, &loaded.bars)?;
            Forecasts::make(symbol, &loaded.bars, &plan, &*forecaster, arguments.modelling.seed)
        })
        .collect();
    let forecasts = kept(
        &mut refused,
        loaded.iter().map(|loaded| loaded.source).zip(forecasts.into_iter().zip(&loaded).map(|(forecasts, loaded)| {
            forecasts.map(|forecasts| (loaded, forecasts)).map_err(|error| error.to_string())
        })),
    );
    stages.end("forecast");

    let walks: Vec<_> = forecasts
        .par_iter()
        .map(|(loaded, forecasts)| {
            let input = WalkInput {
                symbol: &loaded.source.symbol,
                bars: &loaded.bars,
                calendar: loaded.calendar,
                forecasts,
                finer: loaded.finer.as_ref(),
            };
            let rules = arguments.rules(loaded.calendar);
            walk(&input, &strategies, &rules).map(|walk| (walk, rules)).map_err(|error| error.to_string())
        })
        .collect();
    counts.extend(forecasts.iter().map(|(_, forecasts)| forecasts.counts));
    let walks = kept(&mut refused, forecasts.iter().map(|(loaded, _)| loaded.source).zip(walks));
    stages.end("walk");

    summaries.par_extend(walks.par_iter().map(|(walk, rules)| SymbolSummary::of(walk, rules)));
    stages.end("metrics");
    if let Some(out) = &arguments.out {
        let batches: Vec<_> = walks.iter().map(|(walk, _)| fold_rows(walk)).collect::<Result<_, _>>()?;
        std::fs::create_dir_all(out)?;
        railbird_store::write_atomic(&out.join("folds.parquet"), &railbird_market::to_parquet(&batches)?)?;
    }
    stages.end("write");
    let cache = asked.stats();
    let (stages, seconds) = stages.finish();
    let document = Document {
        model: forecaster.id().to_string(),
        strategies: strategies.iter().map(|strategy| strategy.name()).collect(),
        symbols: summaries,
        refused,
        counts: CallCounts::of(&counts, cache.as_ref()),
        cache,
        definitions: DEFINITIONS,
        stages,
        seconds,
        memory_peak_bytes: memory::peak_bytes(),
    };
    context.output.write(&document, |document| text(document, arguments.profile || context.verbose))?;
    match (document.refused.len(), document.symbols.len()) {
        (0, _) => Ok(Outcome::Done),
        (_, 0) => Err(Failure::refused_because("every symbol was refused")),
        _ => Ok(Outcome::Partly),
    }
}

/// Those that succeeded; the others are listed.
fn kept<'s, T>(refused: &mut Vec<Refused>, results: impl Iterator<Item = (&'s Source, Result<T, String>)>) -> Vec<T> {
    let mut kept = Vec::new();
    for (source, result) in results {
        match result {
            Ok(value) => kept.push(value),
            Err(reason) => refused.push(Refused { symbol: source.symbol.clone(), reason }),
        }
    }
    kept
}

impl Walk {
    fn load<'s>(&self, source: &'s Source, options: &LoadOptions) -> Result<Loaded<'s>, String> {
        let opened = source.open().map_err(|error| error.to_string())?;
        let series = opened.load(&source.symbol, options).map_err(|error| error.to_string())?;
        Ok(Loaded { source, bars: series.segment_bars(series.newest()), calendar: series.calendar, finer: None })
    }
}

fn text(document: &Document, profile: bool) -> String {
    let percent = |share: f64| format!("{:.2}", share * 100.0);
    let optional =
        |value: Option<f64>, digits: usize| value.map(|value| format!("{value:.digits$}")).unwrap_or_default();
    let mut rows = Vec::new();
    for symbol in &document.symbols {
        for summary in &symbol.strategies {
            let metrics = &summary.metrics;
            rows.push(vec![
                symbol.symbol.clone(),
                summary.strategy.to_owned(),
                percent(metrics.total),
                percent(metrics.annualised),
                optional(metrics.sharpe, 2),
                optional(metrics.sortino, 2),
                percent(metrics.drawdown_max),
                metrics.hit_rate.map(percent).unwrap_or_default(),
                percent(metrics.exposure),
                percent(summary.pessimistic.total),
                percent(summary.optimistic.total),
                summary.untuned_pessimistic.map(|side| percent(side.total)).unwrap_or_default(),
                summary.untuned_optimistic.map(|side| percent(side.total)).unwrap_or_default(),
                percent(symbol.buy_hold.total),
            ]);
        }
    }
    let head = [
        "symbol",
        "strategy",
        "return_%",
        "a_year_%",
        "sharpe",
        "sortino",
        "drawdown_%",
        "hit_%",
        "exposure_%",
        "pessim_%",
        "optim_%",
        "untuned_p_%",
        "untuned_o_%",
        "buy_hold_%",
    ];
    let mut text = table(&head, &rows);
    let counts = &document.counts;
    text.push_str(&format!(
        "\n{}: {} calls, {} unique, {} from memory, {} from disk, {} made\n",
        document.model, counts.calls, counts.unique, counts.from_memory, counts.from_disk, counts.calls_made
    ));
    for refused in &document.refused {
        text.push_str(&format!("{}: refused: {}\n", refused.symbol, refused.reason));
    }
    if profile {
        let rows: Vec<Vec<String>> =
            document.stages.iter().map(|(stage, seconds)| vec![(*stage).to_owned(), format!("{seconds:.4}")]).collect();
        text.push_str(&format!("\n{}total     {:.4}\n", table(&["stage", "seconds"], &rows), document.seconds));
    }
    text
}
