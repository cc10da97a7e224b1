//! `railbird demo`: simulates a race, days of a book and symbols through the formats of real sources, runs the commands
//! that a user would on them, and opens the pages.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use clap::{Args, Parser as _};
use railbird_f1::simulate::{SimulateOptions, simulate};
use railbird_fetch::Fetcher;
use url::Url;

use super::{
    Context,
    f1::{self, Field, Imported},
    serve::{Listening, Running, interrupted},
};
use crate::{
    browser,
    cli::{Cli, Command, ServeFlags},
    failure::{Failure, Outcome},
    settings::Settings,
    stages::Stages,
};

/// `railbird demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Seed of the race
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Do not open the browser
    #[arg(long)]
    pub(crate) no_open: bool,
    /// Ask for the page and the session as a browser would, and end
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) serve: ServeFlags,
}

/// Runs the demo until interrupted.
pub(crate) fn run(context: &Context, arguments: &Demo) -> Result<Outcome, Failure> {
    // Beside the user's own sessions, never among them.
    let folder = context.settings.data_dir().join("demo");
    let context =
        Context { settings: context.settings.with_data_dir(&folder), output: context.output, verbose: context.verbose };
    let field = Field::new(&context.settings);
    let imported = race(&context.settings, &field, arguments.seed)?;
    context.output.note(&format!(
        "a race of seed {} simulated and imported as {} in {:.2} s",
        arguments.seed, imported.session, imported.seconds
    ));
    let began = field.clock.monotonic();
    let (day, study) = (days(&context, arguments.seed)?, symbols(&context, arguments.seed)?);
    context.output.note(&format!(
        "days of a book cut into bars and situations, and symbols walked forward, in {:.2} s",
        field.clock.monotonic().saturating_sub(began).as_secs_f64()
    ));
    let running = Running::start(&context, &field)?;
    let page = format!("{}/f1/{}", running.listening.url, imported.session);
    let document = serde_json::json!({
        "url": running.listening.url,
        "page": page,
        "pages": {
            "book": format!("{}/book/{day}", running.listening.url),
            "market": format!("{}/market/{study}", running.listening.url),
        },
        "session": imported.session,
        "version": imported.version,
        "data_dir": running.listening.data_dir,
    });
    if arguments.check {
        let fetcher = Fetcher::new(f1::rules_of_user(), Arc::clone(&field.clock))?;
        let listening = running.listening.clone();
        let token = !context.settings.text("token_file").is_empty();
        let (checked, asked) = tokio::sync::oneshot::channel();
        let outcome = running.until(async move {
            let checks = if token { Ok(()) } else { check(&fetcher, &listening, &imported, &day, &study).await };
            // The receiver is there until the server has ended.
            let _ = checked.send(checks);
        })?;
        asked.blocking_recv().context("check")??;
        context.output.write(&document, |_| {
            "demo: pages, session, chunk, day, situation, study and health answered".to_owned()
        })?;
        return Ok(outcome);
    }
    context.output.write(&document, |document| {
        let text = |page: &serde_json::Value| page.as_str().unwrap_or_default().to_owned();
        format!(
            "{page}\n{}\n{}  (Ctrl-C ends it)",
            text(&document["pages"]["book"]),
            text(&document["pages"]["market"])
        )
    })?;
    if !arguments.no_open {
        browser::open(&page);
    }
    running.until(interrupted())
}

/// Simulates a race into an archive folder and imports it from there, as a real one.
fn race(settings: &Settings, field: &Field, seed: u64) -> Result<Imported, Failure> {
    let mut stages = Stages::start(&*field.clock);
    let archive: PathBuf = settings.data_dir().join("archive").join(seed.to_string());
    fs::create_dir_all(&archive).with_context(|| format!("{}: cannot be made", archive.display()))?;
    for (name, bytes) in simulate(&SimulateOptions { seed, ..SimulateOptions::default() }).files {
        let path = archive.join(name);
        fs::write(&path, bytes).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    stages.end("simulate");
    let read = f1::read_path(&archive, settings.number("import_bytes_max"), None)?;
    stages.end("read");
    f1::import_one(&field.store, &field.clock, read, f1::How::default(), stages)
}

/// Dates of the simulated book: a week of prior days, so that the last has something to look back on.
const DATES: &str = "2026-03-02:2026-03-06";
/// The last of them.
const LAST_DATE: &str = "2026-03-06";
/// Rows of each.
const ROWS: &str = "150000";

/// Runs a command as a user would, in silence.
fn command(context: &Context, words: &[&str]) -> Result<(), Failure> {
    let context =
        Context { settings: context.settings.clone(), output: context.output.quiet(), verbose: context.verbose };
    let cli = Cli::try_parse_from(std::iter::once("railbird").chain(words.iter().copied()))
        .map_err(|error| Failure::usage(error.to_string()))?;
    let outcome = match cli.command {
        Command::Book(book) => super::book::run(&context, book.command)?,
        Command::Market(market) => super::market::run(&context, market.command)?,
        _ => return Err(Failure::usage(format!("{words:?}: the demo runs commands of the book and the market"))),
    };
    match outcome {
        Outcome::Done => Ok(()),
        _ => Err(Failure::Failed(anyhow::anyhow!("railbird {}: only partly done", words.join(" ")))),
    }
}

/// Simulates days of a book, once a seed, and brings them through every stage; names the last.
fn days(context: &Context, seed: u64) -> Result<String, Failure> {
    let symbol = format!("SIM{seed}");
    let ticks = context.settings.data_dir().join("ticks").join(seed.to_string());
    let path = ticks.display().to_string();
    // Written last of all.
    if !ticks.join("truth.json").is_file() {
        if ticks.is_dir() {
            fs::remove_dir_all(&ticks).with_context(|| format!("{path}: cannot be removed"))?;
        }
        let seed = seed.to_string();
        command(
            context,
            &[
                "book", "simulate", "--out", &path, "--symbol", &symbol, "--dates", DATES, "--rows", ROWS, "--seed",
                &seed,
            ],
        )?;
    }
    command(context, &["book", "run", "--source", &path, "--symbol", &symbol, "--dates", DATES])?;
    Ok(format!("{symbol}@{LAST_DATE}"))
}

/// Simulates symbols and walks strategies over them; names the study.
fn symbols(context: &Context, seed: u64) -> Result<String, Failure> {
    let study = format!("simulated-{seed}");
    let bars = context.settings.data_dir().join("bars").join(seed.to_string());
    let path = bars.display().to_string();
    command(context, &["market", "simulate", "--out", &path, "--seed", &seed.to_string()])?;
    command(
        context,
        &["market", "walk", &path, "--strategies", "all", "--model", "theta", "--adjust", "splits", "--study", &study],
    )?;
    Ok(study)
}

/// Asks for what the pages ask for.
async fn check(
    fetcher: &Fetcher,
    listening: &Listening,
    imported: &Imported,
    day: &str,
    study: &str,
) -> anyhow::Result<()> {
    let get = async |path: &str| -> anyhow::Result<Vec<u8>> {
        let url = Url::parse(&format!("{}{path}", listening.url))?;
        Ok(fetcher.document(&url).await?.bytes.to_vec())
    };
    let page = get(&format!("/f1/{}", imported.session)).await?;
    ensure!(page.starts_with(b"<!doctype html") || page.starts_with(b"<!DOCTYPE html"), "/: no HTML page");
    get("/healthz").await?;
    let session: serde_json::Value =
        serde_json::from_slice(&get(&format!("/api/f1/sessions/{}", imported.session)).await?)?;
    ensure!(session["version"] == imported.version.as_str(), "session: expected version {}", imported.version);
    let chunks = session["chunks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let full =
        chunks.iter().find(|chunk| chunk["bytes"].as_u64() > Some(0)).context("session: no chunk with samples")?;
    let chunk = get(&format!("/api/f1/sessions/{}/chunks/{}", imported.version, full["n"])).await?;
    ensure!(chunk.starts_with(b"RBC1"), "chunk {}: not a chunk", full["n"]);
    get(&format!("/api/f1/sessions/{}/events", imported.version)).await?;
    for page in [format!("/book/{day}"), format!("/market/{study}")] {
        ensure!(get(&page).await?.to_ascii_lowercase().starts_with(b"<!doctype html"), "{page}: no HTML page");
    }
    let bars = get(&format!("/api/book/days/{day}/bars")).await?;
    ensure!(bars.starts_with(b"RBB1"), "bars of {day}: no pack of bars");
    let found: serde_json::Value = serde_json::from_slice(&get(&format!("/api/book/days/{day}/episodes")).await?)?;
    let episodes = found["episodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let episode = episodes.last().and_then(|one| one["id"].as_str()).context("day: no episode")?;
    get(&format!("/api/book/days/{day}/situation?episode={episode}")).await?;
    let found: serde_json::Value = serde_json::from_slice(&get(&format!("/api/market/runs/{study}")).await?)?;
    ensure!(found["symbols"].as_array().is_some_and(|symbols| !symbols.is_empty()), "study: no symbol");
    Ok(())
}
