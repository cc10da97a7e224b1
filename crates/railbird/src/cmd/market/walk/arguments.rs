//! What `railbird market walk` may be told. Start at [`Walk`].

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use railbird_backtest::Scheme;
use railbird_market::{
    Costs, FillMode, Optimizer, Schedule, WalkRules,
    data::Calendar,
    strategy::{STRATEGIES, Strategy, strategy},
};
use railbird_store::join_below;

use super::{
    super::{Files, Reading, kept},
    Modelling,
};
use crate::{cmd::Context, failure::Failure};

/// `market walk`.
#[derive(Debug, Args)]
pub(crate) struct Walk {
    #[command(flatten)]
    pub(super) files: Files,
    #[command(flatten)]
    pub(super) reading: Reading,
    #[command(flatten)]
    pub(super) modelling: Modelling,
    /// Strategies, separated by commas; all walks the ten
    #[arg(long, default_value = "maxdiff", value_name = "NAMES")]
    pub(super) strategies: String,
    /// Simulations: the newest so many bars are scored, each with levels from the bars before it
    #[arg(long, default_value_t = 70, value_name = "N")]
    pub(super) sims: usize,
    /// Bars of one simulation, the scored one included
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub(super) horizon: usize,
    /// Score every bar that can be, training on the bars before: rolling, expanding or anchored
    #[arg(long, value_enum, value_name = "SCHEME", conflicts_with = "sims")]
    pub(super) continuous: Option<Continuous>,
    /// Bars that train in a continuous walk
    #[arg(long, default_value_t = 60, value_name = "N", requires = "continuous")]
    pub(super) train: usize,
    /// Bars left out between training and score in a continuous walk
    #[arg(long, default_value_t = 0, value_name = "N", requires = "continuous")]
    pub(super) purge: usize,
    /// Who searches for levels
    #[arg(long, value_enum, default_value = "exact")]
    pub(super) optimizer: Search,
    /// Points that direct, direct-l and de may compare, each policy
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub(super) evaluations: u64,
    /// Fail instead of letting differential evolution take over
    #[arg(long)]
    pub(super) no_fallback: bool,
    /// What is believed of the order of prices within a bar
    #[arg(long, value_enum, default_value = "pessimistic")]
    pub(super) fills: Fills,
    /// Finer bars of the same symbols, for --fills finer: a folder with files of the same names
    #[arg(long, value_name = "DIR", required_if_eq("fills", "finer"))]
    pub(super) finer: Option<PathBuf>,
    /// Costs: of stocks, of crypto, or by the days on which a symbol trades
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) asset: Asset,
    /// Fee of every fill, basis points [default: 5 stocks, 15 crypto]
    #[arg(long, value_name = "BP")]
    pub(super) fee_bp: Option<f64>,
    /// What market orders slip, basis points
    #[arg(long, default_value_t = 0.0, value_name = "BP")]
    pub(super) slippage_bp: f64,
    /// What borrowed shares and money cost, per cent a year
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub(super) borrow: f64,
    /// Sell nothing short [default: crypto only]
    #[arg(long, value_name = "SWITCH", num_args = 0..=1, default_missing_value = "true")]
    pub(super) long_only: Option<bool>,
    /// Farthest that a limit is tuned from its forecast, per cent
    #[arg(long, default_value_t = 3.0, value_name = "PERCENT")]
    pub(super) bound: f64,
    /// Smallest step of the price; 0 where unknown
    #[arg(long, default_value_t = 0.0, value_name = "PRICE")]
    pub(super) tick: f64,
    /// Add an account that each day picks the strategy with limits that did best on the scored days before
    #[arg(long)]
    pub(super) nested: bool,
    /// Beside the walk, a study of combinatorial purged splits: so many groups of days, so many of them tested at a time. It
    /// trains on later days too, and is never mixed with the walk
    #[arg(long, value_name = "GROUPS,TESTED", value_parser = groups)]
    pub(super) combinatorial: Option<(usize, usize)>,
    /// Days left out of training behind a tested group of the study, besides --study-purge
    #[arg(long, default_value_t = 0, value_name = "N", requires = "combinatorial")]
    pub(super) embargo: usize,
    /// Days left out of training on both sides of a tested group of the study
    #[arg(long, default_value_t = 0, value_name = "N", requires = "combinatorial")]
    pub(super) study_purge: usize,
    /// Folder for the tables; what is finished there is not walked again
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Keep the tables and the report under this name in the data folder, where the page finds them
    #[arg(long, value_name = "NAME", conflicts_with = "out")]
    pub(super) study: Option<String>,
    /// Print the time of each stage
    #[arg(long)]
    pub(super) profile: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Continuous {
    /// The newest bars
    Rolling,
    /// All bars so far
    Expanding,
    /// The first bars, once
    Anchored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Search {
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
pub(super) enum Fills {
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
pub(super) enum Asset {
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
    pub(super) const fn mode(self) -> FillMode {
        match self {
            Self::Pessimistic => FillMode::Pessimistic,
            Self::Optimistic => FillMode::Optimistic,
            Self::Random => FillMode::Random,
            Self::Finer => FillMode::Finer,
        }
    }
}

impl Search {
    pub(super) const fn of(self) -> Optimizer {
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
    pub(super) fn out(&self, context: &Context) -> Result<Option<PathBuf>, Failure> {
        let Some(name) = &self.study else { return Ok(self.out.clone()) };
        let folder = kept::folder(&context.settings);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let place = join_below(&folder, name)
            .map_err(|error| Failure::usage(format!("--study {name}: expected one name: {error}")))?;
        Ok(Some(place))
    }

    pub(super) fn strategies(&self) -> Result<Vec<Box<dyn Strategy>>, Failure> {
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

    pub(super) fn schedule(&self) -> Schedule {
        let rows = self.train;
        let scheme = match self.continuous {
            None => return Schedule::Simulations { sims: self.sims, horizon: self.horizon },
            Some(Continuous::Rolling) => Scheme::Rolling { rows },
            Some(Continuous::Expanding) => Scheme::Expanding { rows },
            Some(Continuous::Anchored) => Scheme::Anchored { rows },
        };
        Schedule::Continuous { scheme, purge: self.purge }
    }

    pub(super) fn rules(&self, calendar: Calendar) -> WalkRules {
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
