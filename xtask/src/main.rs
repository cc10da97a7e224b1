//! Developers' commands: `cargo xtask test` is exactly what CI runs. Start at [`Xtask`].

#![expect(clippy::print_stdout, reason = "a developers' command speaks on standard output")]

mod bench;
mod browser;
mod fuzz;
mod profile;
mod repo;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::repo::Repo;

/// Developers' commands
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Xtask,
}

/// Commands.
#[derive(Debug, Subcommand)]
enum Xtask {
    /// Run every check that CI runs, and print the time of each step
    Test {
        /// Add the long sweeps: 200 cuts, 50 kills, every mutated record
        #[arg(long)]
        all: bool,
        /// Run only the steps whose name contains this text
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// Run the benchmarks: all, or those of one name
    Bench {
        /// `f1`, `book` and `market` run railbird and its rivals side by side; `market-walk`, `-signals`, `-optimizers`, `-strategy`,
        /// `-trees` and `-ladder` are parts of the last; any other name is a benchmark of a crate
        name: Option<String>,
    },
    /// Run the fuzz entry points over mutated seeds, on stable
    FuzzSmoke {
        /// Mutated inputs an entry point
        #[arg(long, default_value_t = 10_000)]
        runs: u32,
    },
    /// Check the rules of the repository that no other tool checks
    Tidy,
    /// Write a flame graph of a railbird command: `cargo xtask profile -- f1 import DIR`
    Profile {
        /// Arguments of railbird
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<bool> {
    let repo = Repo::find()?;
    match cli.command {
        Xtask::Test { all, only } => test::run(&repo, all, only.as_deref()),
        Xtask::Bench { name } => bench::run(&repo, name.as_deref()),
        Xtask::FuzzSmoke { runs } => fuzz::run(&repo, runs),
        Xtask::Tidy => tidy::run(&repo),
        Xtask::Profile { command } => profile::run(&repo, &command),
    }
}

/// Names of the commands, for the check that documents name only those that exist.
fn command_names() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
