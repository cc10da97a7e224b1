//! `railbird completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Context;
use crate::{
    cli::Cli,
    failure::{Failure, Outcome},
};

/// Prints the completion script of a shell.
pub(crate) fn run(context: &Context, shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "railbird", &mut script);
    if context.output.json {
        let script = String::from_utf8_lossy(&script);
        context.output.document(&serde_json::json!({ "shell": shell.to_string(), "script": script }))?;
    } else {
        context.output.bytes(&script)?;
    }
    Ok(Outcome::Done)
}
