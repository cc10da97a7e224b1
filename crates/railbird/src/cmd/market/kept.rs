//! Studies kept in the data folder, for the page. Start at [`KeptStudies`].
//!
//! `market/<name>/` holds `card.json`, how the study stands in a list, and `report.json.gz`, all that the page shows. The
//! card is written last: a study without one is not finished.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use railbird_market::{
    offer::{Document, Runs},
    report::{Report, RunCard},
};
use railbird_publish::{Refusal, RefusalKind};
use railbird_store::{CacheRules, CacheStats, ContentHash, SingleFlight, join_below, read_bounded, write_atomic};
use railbird_timeline::Clock;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::settings::Settings;

const CARD: &str = "card.json";
const REPORT: &str = "report.json.gz";
/// Largest card that is read, bytes.
const CARD_BYTES_MAX: u64 = 1 << 20;
/// Largest report that is read, bytes, compressed.
const REPORT_BYTES_MAX: u64 = 256 << 20;
/// Memory for reports, bytes.
const CACHE_BYTES: u64 = 128 << 20;
/// Most studies listed.
const STUDIES_MAX: usize = 10_000;

/// Studies of one data folder.
pub(crate) struct KeptStudies {
    root: PathBuf,
    documents: SingleFlight<String, Document>,
}

impl KeptStudies {
    /// The studies of the data folder; nothing is read or made yet.
    pub(crate) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let rules = CacheRules { bytes_max: CACHE_BYTES, ttl: None };
        Self { root: folder(settings), documents: SingleFlight::new(rules, Arc::clone(clock)) }
    }

    /// What happened in the cache.
    pub(crate) fn cache(&self) -> CacheStats {
        self.documents.stats()
    }

    fn place(&self, id: &str) -> Result<PathBuf, Refusal> {
        join_below(&self.root, id).map_err(|error| refusal(RefusalKind::NotFound, &error))
    }

    /// Names of the folders, in order.
    fn names(&self) -> Result<Vec<String>, Refusal> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let what = format!("{}: {error}", self.root.display());
                return Err(Refusal { kind: RefusalKind::Broken, message: what });
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(STUDIES_MAX).collect();
        names.sort();
        Ok(names)
    }
}

impl Runs for KeptStudies {
    fn runs(&self) -> Result<Vec<RunCard>, Refusal> {
        let mut cards = Vec::new();
        for name in self.names()? {
            let Ok(bytes) = read_bounded(&self.root.join(&name).join(CARD), CARD_BYTES_MAX) else { continue };
            match serde_json::from_slice::<RunCard>(&bytes) {
                // The folder's name is the study's: it may have been renamed by hand.
                Ok(card) => cards.push(RunCard { id: name, ..card }),
                Err(error) => tracing::warn!(study = name, %error, "card left out of the list: it cannot be read"),
            }
        }
        Ok(cards)
    }

    fn document(&self, id: &str) -> Result<Document, Refusal> {
        let file = self.place(id)?.join(REPORT);
        let load = || -> Result<(Document, u64), Refusal> {
            let bytes = read_bounded(&file, REPORT_BYTES_MAX).map_err(|error| {
                if error.is_not_found() {
                    let message = format!("{id}: no such study; /api/market/runs lists them");
                    Refusal { kind: RefusalKind::NotFound, message }
                } else {
                    refusal(RefusalKind::Broken, &error)
                }
            })?;
            let size = bytes.len() as u64;
            Ok((Document { hash: ContentHash::of(&bytes).short(20), bytes: Bytes::from(bytes) }, size))
        };
        self.documents.get(&id.to_owned(), load).map_err(|refusal| (*refusal).clone())
    }
}

/// Folder of the studies.
pub(crate) fn folder(settings: &Settings) -> PathBuf {
    settings.data_dir().join("market")
}

/// Keeps a study in `place`, its card last; writes a report that shows itself beside it where the pages were built.
pub(crate) fn keep(place: &Path, report: &Report<Box<RawValue>>) -> anyhow::Result<()> {
    let json = serde_json::to_vec(report).context("report")?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(&json)?;
    write_atomic(&place.join(REPORT), &gzip.finish()?)?;
    if let Some(html) = railbird_ui::report(std::str::from_utf8(&json)?) {
        write_atomic(&place.join("report.html"), html.as_bytes())?;
    }
    write_atomic(&place.join(CARD), &serde_json::to_vec_pretty(&card(report)?)?)?;
    Ok(())
}

/// What a card tells of a symbol.
#[derive(Deserialize)]
struct OfSymbol {
    symbol: String,
    t_ms: Vec<i64>,
    runs: Vec<OfRun>,
}

#[derive(Deserialize)]
struct OfRun {
    strategy: String,
}

/// The report as it stands in a list.
fn card(report: &Report<Box<RawValue>>) -> anyhow::Result<RunCard> {
    let symbols: Vec<OfSymbol> =
        report.symbols.iter().map(|symbol| serde_json::from_str(symbol.get())).collect::<Result<_, _>>()?;
    let days = || symbols.iter().flat_map(|symbol| symbol.t_ms.iter().copied());
    let mut strategies: Vec<String> = Vec::new();
    for run in symbols.iter().flat_map(|symbol| &symbol.runs) {
        if !strategies.contains(&run.strategy) {
            strategies.push(run.strategy.clone());
        }
    }
    Ok(RunCard {
        id: report.id.clone(),
        model: report.model.clone(),
        sims: report.sims,
        from_ms: days().min().unwrap_or(0),
        to_ms: days().max().unwrap_or(0),
        symbols: symbols.into_iter().map(|symbol| symbol.symbol).collect(),
        strategies,
    })
}

fn refusal(kind: RefusalKind, error: &railbird_store::Error) -> Refusal {
    Refusal { kind, message: error.to_string() }
}
