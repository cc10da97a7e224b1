//! `railbird demo`: simulates a race through the true format, imports it, and opens its page.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use clap::Args;
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
    cli::ServeFlags,
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
    let running = Running::start(&context, &field)?;
    let page = format!("{}/f1/{}", running.listening.url, imported.session);
    let document = serde_json::json!({
        "url": running.listening.url,
        "page": page,
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
            let checks = if token { Ok(()) } else { check(&fetcher, &listening, &imported).await };
            // The receiver is there until the server has ended.
            let _ = checked.send(checks);
        })?;
        asked.blocking_recv().context("check")??;
        context.output.write(&document, |_| "demo: page, session, chunk and health answered".to_owned())?;
        return Ok(outcome);
    }
    context.output.write(&document, |_| format!("{page}  (Ctrl-C ends it)"))?;
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

/// Asks for what the page asks for.
async fn check(fetcher: &Fetcher, listening: &Listening, imported: &Imported) -> anyhow::Result<()> {
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
    Ok(())
}
