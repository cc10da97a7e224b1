//! `railbird book`: one file a verb or a piece of wiring.

mod bars;
mod check;
mod columns;
mod days;
mod episodes;
mod evaluate;
mod export;
mod input;
mod levels;
mod query;
mod run;
mod simulate;
mod situations;
mod user_levels;

use clap::{Args, Subcommand};

pub(crate) use self::days::LakeDays;
#[cfg(feature = "sql")]
pub(crate) use self::days::lake_folder;
pub(crate) use self::run::bytes;
use super::Context;
use crate::failure::{Failure, Outcome};

/// `railbird book`.
#[derive(Debug, Args)]
pub(crate) struct Book {
    #[command(subcommand)]
    pub(crate) command: BookCommand,
}

/// Verbs of `railbird book`.
#[derive(Debug, Subcommand)]
pub(crate) enum BookCommand {
    /// Cut files of ticks into bars
    Bars(bars::Bars),
    /// List the columns of the bars
    Columns(columns::Columns),
    /// Bring the stages of a symbol up to date in a lake: bars, profiles, episodes, features, vectors
    Run(run::Run),
    /// Levels of bars, and from when they are known
    Levels(levels::Levels),
    /// When price came to a level, and what became of it
    Episodes(episodes::Episodes),
    /// Write tables of bars and of what follows them, by our names or older ones
    Export(export::Export),
    /// When did it last look like this, and what came next?
    Query(query::Query),
    /// Do the neighbours know more than the base rate?
    Evaluate(evaluate::Evaluate),
    /// Simulate days of a book, with the truth beside them
    Simulate(simulate::Simulate),
    /// Count the rows of files of ticks by what becomes of them
    Check(check::Check),
}

/// Runs a verb.
pub(crate) fn run(context: &Context, command: BookCommand) -> Result<Outcome, Failure> {
    match command {
        BookCommand::Bars(arguments) => bars::run(context, &arguments),
        BookCommand::Run(arguments) => run::run(context, &arguments),
        BookCommand::Levels(arguments) => levels::run(context, &arguments),
        BookCommand::Episodes(arguments) => episodes::run(context, &arguments),
        BookCommand::Export(arguments) => export::run(context, &arguments),
        BookCommand::Query(arguments) => query::run(context, &arguments),
        BookCommand::Evaluate(arguments) => evaluate::run(context, &arguments),
        BookCommand::Simulate(arguments) => simulate::run(context, &arguments),
        BookCommand::Columns(arguments) => columns::run(context, &arguments),
        BookCommand::Check(arguments) => check::run(context, &arguments),
    }
}
