//! `railbird book`: one file a verb or a piece of wiring.

mod bars;
mod check;
mod columns;
mod input;
mod simulate;

use clap::{Args, Subcommand};

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
    /// Simulate days of a book, with the truth beside them
    Simulate(simulate::Simulate),
    /// Count the rows of files of ticks by what becomes of them
    Check(check::Check),
}

/// Runs a verb.
pub(crate) fn run(context: &Context, command: BookCommand) -> Result<Outcome, Failure> {
    match command {
        BookCommand::Bars(arguments) => bars::run(context, &arguments),
        BookCommand::Simulate(arguments) => simulate::run(context, &arguments),
        BookCommand::Columns(arguments) => columns::run(context, &arguments),
        BookCommand::Check(arguments) => check::run(context, &arguments),
    }
}
