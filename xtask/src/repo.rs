//! The repository and the tools that this machine has.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

const BINARY: &str = if cfg!(windows) { "railbird.exe" } else { "railbird" };

/// Where things are, and whether a missing tool is a failure.
pub(crate) struct Repo {
    /// The project's root.
    pub(crate) root: PathBuf,
    /// All build output.
    pub(crate) target: PathBuf,
    /// Whether this is CI, where nothing may be skipped.
    pub(crate) ci: bool,
}

impl Repo {
    /// Finds the repository that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
            .no_deps()
            .exec()
            .context("cargo metadata")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
            ci: env::var("CI").is_ok_and(|value| value == "true"),
        })
    }

    /// The folder of real recordings, which may not be there.
    pub(crate) fn recordings(&self) -> PathBuf {
        env::var_os("RAILBIRD_TEST_DATA").map_or_else(|| self.root.join("../shared/data"), PathBuf::from)
    }

    /// A command that runs in the root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Cargo, the one that runs us.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What cargo tells us of this crate is nothing to those that it builds: left in place it would rebuild them.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR") {
                command.env_remove(&name);
            }
        }
        command.args(arguments);
        command
    }

    /// Where the web pages are built and their packages installed.
    pub(crate) fn ui(&self) -> PathBuf {
        self.target.join("ui/work")
    }

    /// Builds the binary and returns its path.
    pub(crate) fn binary(&self, profile: &str) -> Result<PathBuf> {
        run(&mut self.cargo(&["build", "--package", "railbird", "--profile", profile]))?;
        Ok(self.target.join(profile).join(BINARY))
    }

    /// The binary as the tests run it: built with them, so that nothing is built again with other features.
    pub(crate) fn tested_binary(&self) -> Result<PathBuf> {
        run(&mut self.cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
        Ok(self.target.join("debug").join(BINARY))
    }
}

/// Runs a command; its failure is an error that repeats the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{}: could not start", shown(command)))?;
    if !status.success() {
        bail!("{}: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it wrote on standard output.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{}: could not start", shown(command)))?;
    if !output.status.success() {
        bail!("{}: {}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{}: wrote no UTF-8", shown(command)))
}

/// Whether a program can be started.
pub(crate) fn have(program: &str, probe: &[&str]) -> bool {
    let tried =
        Command::new(program).args(probe).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
