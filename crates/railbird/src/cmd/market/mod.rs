//! `railbird market`: one file a verb or a piece of wiring.

mod audit;
mod check;
mod forecast;
mod input;
mod kept;
mod redundancy;
mod signals;
mod simulate;
mod walk;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use railbird_market::data::{Adjustment, Breaks, LoadOptions};

pub(crate) use self::kept::KeptStudies;
use super::Context;
use crate::failure::{Failure, Outcome};

/// `railbird market`.
#[derive(Debug, Args)]
pub(crate) struct Market {
    #[command(subcommand)]
    pub(crate) command: MarketCommand,
}

/// Verbs of `railbird market`. Each flag may also be given as a variable: `--sims` is RAILBIRD_SIMS.
#[derive(Debug, Subcommand)]
pub(crate) enum MarketCommand {
    /// Walk strategies forward over bars, each day with levels from the days before it
    Walk(walk::Walk),
    /// Forecast the next bar of each symbol
    Forecast(forecast::Forecast),
    /// Count how often a walk would make the same forecast again
    Redundancy(redundancy::Redundancy),
    /// Make up symbols, with what is true of them
    Simulate(simulate::Simulate),
    /// Say what is odd about files of bars, and where they are not one series
    Check(check::Check),
    /// Back-test your own signals or forecasts: stops, sizes, shared cash, a trade log
    Signals(signals::SignalsCommand),
    /// Rerun signals, or the program that makes them, with the future cut, and tell any difference
    Audit(audit::AuditCommand),
}

/// How files of bars are read.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reading {
    /// Apply splits, or splits and dividends, of a .factors file beside the bars or of their own columns
    #[arg(long, value_enum, default_value = "none")]
    adjust: Adjust,
    /// What is taken of a series that breaks
    #[arg(long, value_enum, default_value = "newest")]
    breaks: OnBreak,
    /// Largest unexplained change from a close to the next open, as a factor
    #[arg(long, default_value_t = 1.4, value_name = "FACTOR", value_parser = above_one)]
    jump: f64,
    /// Most days without a bar [default: 10, or 3 where the market never closes]
    #[arg(long, value_name = "DAYS", value_parser = above_zero)]
    hole_days: Option<f64>,
    /// Drop bars whose prices contradict one another, and count them, instead of refusing the file
    #[arg(long)]
    drop_bad_bars: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Adjust {
    /// Prices as they are
    None,
    /// Splits
    Splits,
    /// Splits and dividends
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnBreak {
    /// The newest stretch
    #[value(alias = "split")]
    Newest,
    /// Nothing: the file is refused
    Refuse,
    /// A walk takes every stretch that is long enough, each as a series of its own; other verbs the newest
    Every,
}

impl Reading {
    /// Whether every stretch is wanted, not the newest alone.
    fn every_stretch(&self) -> bool {
        self.breaks == OnBreak::Every
    }

    /// Options of the loader.
    fn options(&self) -> LoadOptions {
        LoadOptions {
            jump_max: self.jump,
            hole_days_max: self.hole_days,
            adjust: match self.adjust {
                Adjust::None => Adjustment::None,
                Adjust::Splits => Adjustment::Splits,
                Adjust::All => Adjustment::All,
            },
            breaks: match self.breaks {
                OnBreak::Newest | OnBreak::Every => Breaks::Split,
                OnBreak::Refuse => Breaks::Refuse,
            },
            drop_bad_bars: self.drop_bad_bars,
            ..LoadOptions::default()
        }
    }
}

/// Files or folders of bars.
#[derive(Debug, Clone, Args)]
pub(crate) struct Files {
    /// Files of bars (.csv, .parquet, .gz), or folders in which each file or folder is a symbol
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
}

/// Runs a verb.
pub(crate) fn run(context: &Context, command: MarketCommand) -> Result<Outcome, Failure> {
    match command {
        MarketCommand::Walk(arguments) => walk::run(context, &arguments),
        MarketCommand::Forecast(arguments) => forecast::run(context, &arguments),
        MarketCommand::Redundancy(arguments) => redundancy::run(context, &arguments),
        MarketCommand::Simulate(arguments) => simulate::run(context, &arguments),
        MarketCommand::Check(arguments) => check::run(context, &arguments),
        MarketCommand::Signals(arguments) => signals::run(context, &arguments),
        MarketCommand::Audit(arguments) => audit::run(context, &arguments),
    }
}

fn above_one(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number > 1.0 && number.is_finite() { Ok(number) } else { Err("expected more than 1".to_owned()) }
}

fn above_zero(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("expected more than 0".to_owned()) }
}
