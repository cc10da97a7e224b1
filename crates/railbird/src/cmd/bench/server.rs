//! This program as a process of its own: an import whose memory is its own, and a server under load.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use super::{Figures, Target};
use crate::{environment, failure::Failure};

/// Largest resident set of an import, bytes.
const IMPORT_MEMORY_MAX: f64 = 200e6;

/// Imports in a process of its own and tells its memory.
pub(super) fn import_memory(archive: &Path, folder: &Path, figures: &mut Figures) -> Result<(), Failure> {
    let data = folder.join("data");
    let run = command(&data)?
        .args(["f1", "import", "--again", "--json"])
        .arg(archive)
        .output()
        .context("the program could not be started again")?;
    let document: serde_json::Value = serde_json::from_slice(&run.stdout).context("import --json")?;
    let number = |key: &str| document.get(key).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
    figures.add("import with commit, own process", number("seconds"), "s", None);
    let memory = number("peak_memory_bytes");
    figures.add("peak memory of an import", memory / 1e6, "MB", Some(Target::AtMost(IMPORT_MEMORY_MAX / 1e6)));
    Ok(())
}

/// A server that is ended when dropped.
pub(super) struct Served {
    child: Child,
    /// `127.0.0.1:port`.
    pub(super) address: String,
}

impl Served {
    /// Serves the sessions of `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        let mut child = command(&folder.join("data"))?
            .args(["serve", "--port", "0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the server could not be started")?;
        let mut document = String::new();
        let mut lines = BufReader::new(child.stdout.take().context("the server's output")?).take(1 << 16);
        while lines.read_line(&mut document).context("the server's output")? > 0 && !document.ends_with("}\n") {}
        let listening: serde_json::Value = serde_json::from_str(&document).context("the server did not start")?;
        let address = listening.get("address").and_then(serde_json::Value::as_str).context("the server's address")?;
        Ok(Self { address: address.to_owned(), child })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program on a data folder.
pub(super) fn command(data: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(environment::this_program()?);
    command.arg("--data-dir").arg(data).stdin(Stdio::null());
    Ok(command)
}
