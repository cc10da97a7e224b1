//! The log: structured, on standard error, as text or JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::{environment, failure::Failure, settings::Settings};

/// Starts the log.
pub(crate) fn start(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(settings.text("log")).map_err(|error| {
        Failure::usage(format!(
            "log: {:?} is no log filter: {error}; `info` or `railbird_serve=debug` are",
            settings.text("log")
        ))
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && !environment::no_color())
        .with_writer(io::stderr);
    let started = if settings.text("log_format") == "json" { log.json().try_init() } else { log.try_init() };
    started.map_err(|error| Failure::Failed(anyhow::anyhow!("log could not start: {error}")))
}
