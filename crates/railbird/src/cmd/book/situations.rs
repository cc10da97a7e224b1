//! Bars read back from files, folders and lakes, and the stages over them, for the verbs that ask what happened at levels.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use railbird_book::{
    Bars, Filter, LevelKind, OPENING_MINUTES, Outcome as Came, OutcomeClass, Scan, Series, SetupVector, StageError,
    Studied, Study, StudyRules,
};
use railbird_lake::{Lake, LakeOptions};
use railbird_timeline::{SystemClock, Ts};

use super::{input::InstrumentFlags, user_levels::LevelFlags};
use crate::failure::Failure;

/// Largest file of bars, bytes.
pub(crate) const BARS_BYTES_MAX: u64 = 4 << 30;
/// What files of bars end with, as `book bars` writes them.
const BARS_ENDING: &str = ".bars.parquet";

/// Bars, and what is known of their instruments.
#[derive(Debug, Args)]
pub(crate) struct Situations {
    /// Files of bars as `book bars` writes them, folders of such files, or lakes
    #[arg(required = true, value_name = "BARS")]
    bars: Vec<PathBuf>,
    /// Only this symbol; may be repeated
    #[arg(long, value_name = "SYMBOL")]
    symbol: Vec<String>,
    /// Length of the opening range, minutes
    #[arg(long, value_name = "MINUTES", default_value_t = OPENING_MINUTES, value_parser = clap::value_parser!(u16).range(1..=1440))]
    opening_range: u16,
    #[command(flatten)]
    levels: LevelFlags,
    #[command(flatten)]
    instrument: InstrumentFlags,
}

/// What may be found among situations.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only levels of this kind; may be repeated
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<LevelKind>,
    /// Only triggers from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<Ts>,
    /// Only triggers before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Ts>,
    /// Only neighbours with this outcome; may be repeated
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Vec<OutcomeClass>,
    /// Only neighbours of this symbol; may be repeated
    #[arg(long, value_name = "SYMBOL")]
    among: Vec<String>,
    /// Compute distances one component after another; the answer is the same
    #[arg(long)]
    scalar: bool,
}

/// Vectors and outcomes of all bars.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) vectors: Vec<SetupVector>,
    pub(crate) outcomes: Vec<Came>,
    pub(crate) bars: usize,
    pub(crate) files: usize,
}

fn kind(text: &str) -> Result<LevelKind, String> {
    LevelKind::from_name(text).ok_or_else(|| format!("expected one of {}", names(&LevelKind::NAMES)))
}

fn outcome(text: &str) -> Result<OutcomeClass, String> {
    OutcomeClass::from_name(text).ok_or_else(|| format!("expected one of {}", names(&OutcomeClass::NAMES)))
}

fn names<T>(list: &[(T, &'static str)]) -> String {
    list.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

impl Wanted {
    /// As the library asks for it.
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            symbols: self.among.clone(),
            kinds: self.kind.clone(),
            outcomes: self.outcome.clone(),
            from: self.from.map(Ts::nanos),
            until: self.until.map(Ts::nanos),
        }
    }

    /// How distances are computed.
    pub(crate) fn scan(&self) -> Scan {
        if self.scalar { Scan::Scalar } else { Scan::Lanes }
    }
}

impl Situations {
    /// Runs the stages over each file of each symbol, in order of time; `each` gets what they give and the file's name.
    pub(crate) fn study(
        &self,
        mut each: impl FnMut(&Path, &Bars, Studied) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let known = self.instrument.known()?;
        let levels = self.levels.read()?;
        let mut studies: BTreeMap<String, Study> = BTreeMap::new();
        let files = self.files()?;
        for path in &files {
            for bars in read(path, Series::ALL)? {
                if !self.symbol.is_empty() && !self.symbol.iter().any(|symbol| symbol == bars.symbol()) {
                    continue;
                }
                let refused = |error: StageError| Failure::refused(anyhow!("{}: {error}", path.display()));
                if !studies.contains_key(bars.symbol()) {
                    let instrument = known.of(bars.symbol());
                    let rules =
                        StudyRules::of(&instrument, self.opening_range, levels.of(bars.symbol())).map_err(refused)?;
                    studies.insert(bars.symbol().to_owned(), Study::new(rules));
                }
                let study = studies.get_mut(bars.symbol()).context("the study was put there above")?;
                let studied = study.apply(&bars).map_err(refused)?;
                each(path, &bars, studied)?;
            }
        }
        if studies.is_empty() {
            return Err(Failure::refused_because("no bars of the symbols asked for in the files given"));
        }
        Ok(files.len())
    }

    /// Every vector and outcome.
    pub(crate) fn past(&self) -> Result<Past, Failure> {
        let mut past = Past::default();
        let files = self.study(|_, bars, studied| {
            past.bars += bars.len();
            past.vectors.extend(studied.vectors);
            past.outcomes.extend(studied.episodes.outcomes);
            Ok(())
        })?;
        past.files = files;
        Ok(past)
    }

    /// Files of bars in order of their first bar.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = BTreeSet::new();
        for path in &self.bars {
            let about = fs::metadata(path).with_context(|| path.display().to_string());
            let about = about.map_err(Failure::refused)?;
            if !about.is_dir() {
                files.insert(path.clone());
                continue;
            }
            let before = files.len();
            of_folder(path, &mut files)?;
            if files.len() == before {
                of_lake(path, &mut files)?;
            }
            if files.len() == before {
                let message = format!(
                    "{}: holds no files that end with {BARS_ENDING}, and no lake with bars; run `railbird book bars` first",
                    path.display()
                );
                return Err(Failure::refused_because(message));
            }
        }
        let mut by_start: Vec<(i64, PathBuf)> = Vec::new();
        for path in files {
            let first = read(&path, &[])?.iter().filter_map(|bars| bars.start().first().copied()).min();
            by_start.extend(first.map(|first| (first, path)));
        }
        by_start.sort();
        Ok(by_start.into_iter().map(|(_, path)| path).collect())
    }
}

/// Name of a table's file beside others: after the file of bars, in a lake after its date, the symbol, and the table.
pub(crate) fn exported_name(bars: &Path, symbol: Option<&str>, table: &str) -> String {
    let name = bars.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.strip_suffix(".parquet").unwrap_or(&name);
    let mut stem = stem.strip_suffix(".bars").unwrap_or(stem).to_owned();
    // In a lake every file of bars has the same name; its folders say what it holds.
    let folders = bars.iter().filter_map(|part| part.to_str()?.split_once('='));
    for (_, value) in folders {
        stem = format!("{value}.{stem}");
    }
    // Symbols of one file get a file each; a name must not leave the folder.
    let plain = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    match symbol {
        Some(symbol) => format!("{stem}.{}.{table}.parquet", symbol.chars().map(plain).collect::<String>()),
        None => format!("{stem}.{table}.parquet"),
    }
}

fn of_folder(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(BARS_ENDING)) {
            files.insert(path);
        }
    }
    Ok(())
}

/// The bars that the manifests of a lake name.
fn of_lake(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let location = folder.display().to_string();
    let options = LakeOptions::new(Arc::new(SystemClock::new()));
    let Ok(lake) = Lake::existing(&location, &options) else { return Ok(()) };
    for task in lake.tasks(Some("bars"), None).map_err(Failure::refused)? {
        if let Some(manifest) = lake.manifest(&task).map_err(Failure::refused)? {
            files.insert(PathBuf::from(lake.path(&manifest, "bars").map_err(Failure::refused)?));
        }
    }
    Ok(())
}

fn read(path: &Path, wanted: &[Series]) -> Result<Vec<Bars>, Failure> {
    let bytes = railbird_store::read_bounded(path, BARS_BYTES_MAX).map_err(Failure::refused)?;
    Bars::read_parquet(bytes.into(), wanted).map_err(|error| Failure::refused(anyhow!("{}: {error}", path.display())))
}
