//! `railbird cache`: the forecasts that are kept on disk.

use clap::{Args, Subcommand};
use railbird_store::{ForecastStore, ForecastStoreStats, Verified};
use serde::Serialize;

use crate::{cmd::Context, failure::Failure, failure::Outcome};

/// Forecasts kept on disk.
#[derive(Debug, Args)]
pub(crate) struct Cache {
    #[command(subcommand)]
    command: CacheCommand,
    /// Most bytes of forecasts that are kept
    #[arg(long, global = true, default_value_t = 4 << 30, value_name = "BYTES")]
    cache_bytes_max: u64,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum CacheCommand {
    /// What is held
    Stats,
    /// Read every value, and take out those that are not as they were written
    Verify,
    /// Take out what was not used for longest, until at most so many bytes are held
    Gc {
        /// Bytes to keep; by default half of the most
        #[arg(long, value_name = "BYTES")]
        keep: Option<u64>,
    },
    /// Take out everything
    Clear,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    stats: ForecastStoreStats,
    /// File that could not be used and was set aside, and why.
    set_aside: Option<String>,
    /// Values that were looked at, and those that were damaged.
    verified: Option<Verified>,
    /// Values taken out.
    removed: Option<u64>,
}

/// Runs the command. Damaged values that were found are told by exit code 4.
pub(crate) fn run(context: &Context, cache: &Cache) -> Result<Outcome, Failure> {
    let folder = context.settings.data_dir().join("forecasts");
    let mut removed = None;
    if matches!(cache.command, CacheCommand::Clear) {
        let before = ForecastStore::open(&folder, cache.cache_bytes_max)?.0.stats()?.entries;
        ForecastStore::clear(&folder, cache.cache_bytes_max)?;
        removed = Some(before);
    }
    let (store, set_aside) = ForecastStore::open(&folder, cache.cache_bytes_max)?;
    let mut verified = None;
    match cache.command {
        CacheCommand::Stats | CacheCommand::Clear => {}
        CacheCommand::Verify => verified = Some(store.verify()?),
        CacheCommand::Gc { keep } => removed = Some(store.shrink(keep.unwrap_or(cache.cache_bytes_max / 2))?),
    }
    let set_aside =
        set_aside.map(|file| format!("{}: {}; see {}", file.path.display(), file.reason, file.aside.display()));
    let is_damaged = set_aside.is_some() || verified.is_some_and(|verified| verified.damaged > 0);
    context.output.write(&Document { stats: store.stats()?, set_aside, verified, removed }, text)?;
    Ok(if is_damaged { Outcome::Partly } else { Outcome::Done })
}

fn text(document: &Document) -> String {
    let stats = &document.stats;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let mut text = format!(
        "{}: {} forecasts, {:.1} of at most {:.1} MB, file {:.1} MB, generation {}\n",
        stats.folder.display(),
        stats.entries,
        megabytes(stats.bytes),
        megabytes(stats.bytes_max),
        megabytes(stats.file_bytes),
        stats.generation,
    );
    if let Some(set_aside) = &document.set_aside {
        text += &format!("set aside: {set_aside}\n");
    }
    if let Some(Verified { checked, damaged }) = document.verified {
        text += &format!("{checked} looked at, {damaged} damaged and taken out\n");
    }
    if let Some(removed) = document.removed {
        text += &format!("{removed} taken out\n");
    }
    text
}
