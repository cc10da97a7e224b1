//! How lakes are opened: what every command that reads or writes one shares.

use std::sync::Arc;

use railbird_lake::{Error, LakeOptions};
use railbird_timeline::Clock;

use crate::{environment, failure::Failure};

/// Variables that say how an object store is reached; its own names, in small letters, are its settings.
const VARIABLES: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ALLOW_HTTP",
];

/// Options from the environment, for lakes in an object store.
pub(crate) fn options(clock: Arc<dyn Clock>) -> LakeOptions {
    let mut options = LakeOptions::new(clock);
    let set = VARIABLES.iter().filter_map(|name| Some((name.to_lowercase(), environment::variable(name)?)));
    options.store = set.collect();
    options
}

/// Wrong names are wrong usage, what is not there is refused, all else failed.
pub(crate) fn failure(error: Error) -> Failure {
    match error {
        Error::Symbol { .. } | Error::UnknownStage { .. } | Error::Location { .. } | Error::UnknownSet { .. } => {
            Failure::usage(error.to_string())
        }
        error if error.is_refusal() => Failure::refused(anyhow::Error::new(error)),
        error => Failure::from(error),
    }
}
