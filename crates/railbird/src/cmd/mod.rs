//! One file a command, one folder a field.

pub(crate) mod bench;
pub(crate) mod book;
pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod f1;
pub(crate) mod lake;
pub(crate) mod market;
pub(crate) mod optimize;
pub(crate) mod serve;
pub(crate) mod sql;

use crate::{output::Output, settings::Settings};

/// What every command is given.
pub(crate) struct Context {
    /// What holds.
    pub(crate) settings: Settings,
    /// Where the result goes.
    pub(crate) output: Output,
    /// Whether stage times are told.
    pub(crate) verbose: bool,
}
