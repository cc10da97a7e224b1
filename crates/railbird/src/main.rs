//! The railbird binary: arguments, configuration and wiring. Start at [`run`].
//!
//! The only crate that reads the environment, prints, and chooses exit codes; it computes nothing.

mod browser;
mod cli;
mod cmd;
mod environment;
mod failure;
mod forecaster_host;
mod interrupt;
mod logs;
mod memory;
mod output;
mod settings;
mod stages;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::{
    cli::{Cli, Command},
    cmd::Context,
    failure::{Failure, Outcome},
    output::Output,
    settings::{Settings, Sources},
};

fn main() -> ExitCode {
    let arguments = environment::arguments();
    // Known before parsing, so that a wrong command line is told in the form that was asked for.
    let json = arguments.iter().skip(1).take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let output = Output { json, quiet: false };
    let file = environment::configuration_file(environment::named_configuration(&arguments).as_deref());
    // What is wrong with the file is told when the settings are resolved; help needs none of it.
    let defaults = settings::market_defaults(file.as_ref()).unwrap_or_default();
    let command = Cli::command()
        .mut_subcommand("market", |market| environment::with_defaults(environment::with_variables(market), &defaults));
    let parsed = command.try_get_matches_from(&arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return explain(&error, output),
    };
    match run(cli, output) {
        Ok(outcome) => outcome.into(),
        Err(failure) if failure.is_broken_pipe() => Outcome::Done.into(),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Resolves the settings, then runs the command.
fn run(cli: Cli, output: Output) -> Result<Outcome, Failure> {
    let flags = cli.flags();
    let settings = Settings::resolve(&Sources {
        flags,
        variable: &environment::variable,
        file: environment::configuration_file(cli.global.config.as_deref()),
        platform_data_dir: environment::platform_data_dir(),
    })?;
    logs::start(&settings)?;
    // Everything that computes does so on this pool.
    rayon::ThreadPoolBuilder::new().num_threads(settings.size("threads")).build_global()?;
    let context = Context { settings, output, verbose: cli.global.verbose > 0 };
    match cli.command {
        Command::F1(f1) => cmd::f1::run(&context, f1.command),
        Command::Market(market) => cmd::market::run(&context, market.command),
        Command::Book(book) => cmd::book::run(&context, book.command),
        Command::Serve(_) => cmd::serve::run(&context),
        Command::Demo(demo) => cmd::demo::run(&context, &demo),
        Command::Optimize(optimize) => cmd::optimize::run(&context, &optimize),
        Command::Sql(sql) => cmd::sql::run(&context, &sql),
        Command::Cache(cache) => cmd::cache::run(&context, &cache),
        Command::Bench(bench) => cmd::bench::run(&context, &bench),
        Command::Config(_) => cmd::config::run(&context),
        Command::Completions { shell } => cmd::completions::run(&context, shell),
    }
}

/// Help and version are done; anything else is wrong usage.
fn explain(error: &clap::Error, output: Output) -> ExitCode {
    if !error.use_stderr() {
        // A reader of help that went away is no failure.
        let _ = error.print();
        return Outcome::Done.into();
    }
    if output.json {
        output.failure(&Failure::usage(error.to_string().trim_end().trim_start_matches("error: ")));
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}
