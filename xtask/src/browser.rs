//! Checks of the web pages: types and unit tests by npm, and a real browser against a real server.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, have, read, run as run_command};

/// Checks the types of the pages; why not, where Node is missing.
pub(crate) fn types(repo: &Repo) -> Result<Option<String>> {
    if let Some(reason) = node_missing() {
        return Ok(Some(reason));
    }
    repo.tested_binary()?;
    installed(repo)?;
    run_command(&mut command(repo, "check")).map(|()| None)
}

/// Runs the unit tests of the pages, the decoder on a session that the engine wrote among them.
pub(crate) fn unit_tests(repo: &Repo, all: bool) -> Result<Option<String>> {
    if let Some(reason) = node_missing() {
        return Ok(Some(reason));
    }
    let simulated = simulate(repo)?;
    installed(repo)?;
    let mut tests = command(repo, "test");
    tests.env("RAILBIRD_SESSION_DIR", &simulated.data);
    if all {
        tests.env("RAILBIRD_TEST_ALL", "1");
    }
    run_command(&mut tests).map(|()| None)
}

/// Simulates and imports a session, serves it on a free loopback port, and runs the browser tests against it.
pub(crate) fn run(repo: &Repo, all: bool) -> Result<Option<String>> {
    if let Some(reason) = node_missing() {
        return Ok(Some(reason));
    }
    let Some(browser) = chromium() else {
        return Ok(Some("no Chromium: install it, or name it in RAILBIRD_CHROMIUM".to_owned()));
    };
    let simulated = simulate(repo)?;
    installed(repo)?;
    let server = Server::start(&simulated)?;
    let mut tests = command(repo, "e2e");
    tests
        .env("RAILBIRD_URL", &server.url)
        .env("RAILBIRD_SESSION_DIR", &simulated.data)
        .env("RAILBIRD_BINARY", &simulated.binary)
        .env("RAILBIRD_CHROMIUM", browser)
        .env("RAILBIRD_SCREENSHOTS", repo.target.join("screenshots"));
    if all {
        tests.env("RAILBIRD_TEST_ALL", "1");
    }
    run_command(&mut tests).map(|()| None)
}

fn command(repo: &Repo, script: &str) -> Command {
    let mut command = repo.command("npm");
    command.current_dir(repo.ui()).args(["run", "--silent", script]).env("RAILBIRD_ROOT", &repo.root);
    command
}

fn node_missing() -> Option<String> {
    let missing = ["node", "npm"].into_iter().find(|program| !have(program, &["--version"]))?;
    Some(format!("{missing} is not installed"))
}

/// Whether the build script of `railbird-ui` has copied the pages and installed their packages.
fn installed(repo: &Repo) -> Result<()> {
    if repo.ui().join("node_modules").is_dir() {
        return Ok(());
    }
    bail!("{}: packages of the pages are missing; the build of railbird-ui says why", repo.ui().display());
}

/// A binary and a data folder with what it simulated: a session, days of a book, a study.
struct Simulated {
    binary: PathBuf,
    data: PathBuf,
}

fn simulate(repo: &Repo) -> Result<Simulated> {
    let binary = repo.tested_binary()?;
    let folder = repo.target.join("xtask");
    let (archive, data) = (folder.join("archive"), folder.join("data"));
    for old in [&archive, &data] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("{}: cannot be removed", old.display()))?;
        }
    }
    let (ticks, bars) = (folder.join("ticks"), folder.join("bars"));
    if ticks.exists() {
        fs::remove_dir_all(&ticks).with_context(|| format!("{}: cannot be removed", ticks.display()))?;
    }
    let (archive, data_text) = (text(&archive)?, text(&data)?);
    let (ticks, bars) = (text(&ticks)?, text(&bars)?);
    let race = ["f1", "simulate", "--out", archive, "--seed", "7", "--drivers", "20", "--laps", "8", "--json"];
    read(repo.command(&binary).args(race))?;
    read(repo.command(&binary).args(["f1", "import", archive, "--data-dir", data_text, "--json"]))?;
    let dates = "2026-03-02:2026-03-06";
    let into = ["--data-dir", data_text, "--json"];
    for command in [
        vec!["book", "simulate", "--out", ticks, "--dates", dates, "--rows", "120000", "--seed", "7"],
        vec!["book", "run", "--source", ticks, "--symbol", "SIM", "--dates", dates],
        vec!["market", "simulate", "--out", bars, "--seed", "7"],
        vec!["market", "walk", bars, "--strategies", "all", "--adjust", "splits", "--study", "simulated"],
    ] {
        read(repo.command(&binary).args(command).args(into))?;
    }
    Ok(Simulated { binary, data })
}

/// A running server, ended when dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(simulated: &Simulated) -> Result<Self> {
        let mut child = Command::new(&simulated.binary)
            .args(["serve", "--json", "--address", "127.0.0.1", "--port", "0", "--data-dir"])
            .arg(&simulated.data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("railbird serve: could not start")?;
        let said = child.stdout.take().context("railbird serve: no standard output")?;
        let mut server = Self { child, url: String::new() };
        // The server prints one JSON document, its address in it, as soon as it listens.
        let mut document = String::new();
        for line in BufReader::new(said).lines() {
            document.push_str(&line?);
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&document) {
                let url = value["url"].as_str().with_context(|| format!("railbird serve: no url in {document}"))?;
                url.clone_into(&mut server.url);
                return Ok(server);
            }
        }
        bail!("railbird serve: ended before it listened, having said {document:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Chromium of this machine.
fn chromium() -> Option<String> {
    if let Ok(named) = env::var("RAILBIRD_CHROMIUM") {
        return Some(named);
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names.into_iter().find(|name| have(name, &["--version"])).map(str::to_owned)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: path is not UTF-8", path.display()))
}
