//! `railbird f1`: one file a verb or a piece of wiring.

mod arguments;
mod import;
mod input;
mod jobs;
mod library;
mod order;
mod replay;
mod simulate;
mod tables;

use std::sync::Arc;

use railbird_timeline::{Clock, SystemClock};

pub(crate) use self::{
    arguments::{F1, F1Command},
    import::{How, Imported, import_one},
    input::{read_path, rules_of_user},
    jobs::Jobs,
    library::SessionStore,
};
use super::Context;
use crate::{
    failure::{Failure, Outcome},
    settings::Settings,
};

/// The field, wired to this machine's clock and data folder.
pub(crate) struct Field {
    /// Imported sessions.
    pub(crate) store: Arc<SessionStore>,
    /// The machine's clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Field {
    /// Wires the field; nothing is read or made yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Self { store: Arc::new(SessionStore::new(settings, &clock)), clock }
    }

    /// Starts the importer that runs beside a server.
    pub(crate) fn jobs(&self, settings: &Settings) -> Result<Arc<Jobs>, Failure> {
        Jobs::start(settings, Arc::clone(&self.store), Arc::clone(&self.clock))
    }
}

/// Runs a verb.
pub(crate) fn run(context: &Context, command: F1Command) -> Result<Outcome, Failure> {
    let field = Field::new(&context.settings);
    match command {
        F1Command::Import(arguments) => import::run(context, &field, &arguments),
        F1Command::Sessions(arguments) => tables::sessions(context, &field, &arguments),
        F1Command::Laps(arguments) => tables::laps(context, &field, &arguments),
        F1Command::Telemetry(arguments) => tables::telemetry(context, &field, &arguments),
        F1Command::Compare(arguments) => tables::compare(context, &field, &arguments),
        F1Command::Order(arguments) => order::run(context, &field, &arguments),
        F1Command::Export(arguments) => tables::export(context, &field, &arguments),
        F1Command::Simulate(arguments) => simulate::run(context, &arguments),
        F1Command::Classification(arguments) => tables::classification(context, &field, &arguments),
        F1Command::Events(arguments) => tables::events(context, &field, &arguments),
        F1Command::Replay(arguments) => replay::run(context, &field, &arguments),
    }
}
