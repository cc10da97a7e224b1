//! Which symbols a command line names, and what their files hold.
//!
//! A file is a symbol. Of a folder that is named, each file is a symbol and each folder inside it is one of several files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use railbird_market::data::{File, LoadOptions, Series, load};
use railbird_store::{ContentHash, read_bounded};

use crate::failure::Failure;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Most symbols of one command.
const SYMBOLS_MAX: usize = 100_000;
/// Endings of files of bars.
const ENDINGS: [&str; 4] = [".csv", ".parquet", ".csv.gz", ".parquet.gz"];

/// Files of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Symbol: the file's or folder's name; with the folder above it where two would be alike.
    pub(crate) symbol: String,
    /// Files of bars.
    pub(crate) files: Vec<PathBuf>,
    /// Factor file beside them.
    pub(crate) factors: Option<PathBuf>,
}

/// A symbol's files, as they are.
pub(crate) struct Opened {
    files: Vec<File>,
    factors: Option<File>,
}

impl Opened {
    /// Hash of all that was read.
    pub(crate) fn hash(&self) -> ContentHash {
        let files = self.files.iter().chain(&self.factors);
        let hashes: Vec<String> = files
            .map(|file| {
                format!("{} {}", file.name.rsplit('.').next().unwrap_or_default(), ContentHash::of(&file.bytes))
            })
            .collect();
        ContentHash::of(hashes.join("\n").as_bytes())
    }

    /// The series that they hold.
    pub(crate) fn load(&self, symbol: &str, options: &LoadOptions) -> Result<Series, railbird_market::Error> {
        load(symbol, &self.files, self.factors.as_ref(), options)
    }
}

impl Source {
    /// Reads the files.
    pub(crate) fn open(&self) -> Result<Opened, railbird_store::Error> {
        let read =
            |path: &PathBuf| Ok(File { name: path.display().to_string(), bytes: read_bounded(path, FILE_BYTES_MAX)? });
        Ok(Opened {
            files: self.files.iter().map(read).collect::<Result<_, railbird_store::Error>>()?,
            factors: self.factors.as_ref().map(read).transpose()?,
        })
    }
}

/// Symbols of the paths, in their order; of a folder, in order of names.
pub(crate) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|error| {
            Failure::refused_because(format!(
                "{}: {error}; expected a file of bars or a folder of them",
                path.display()
            ))
        })?;
        if metadata.is_file() {
            sources.push(of_file(path));
            continue;
        }
        let before = sources.len();
        for entry in entries(path)? {
            if entry.is_dir() {
                let files: Vec<PathBuf> = entries(&entry)?.into_iter().filter(|file| has_bars(file)).collect();
                if let Some(first) = files.first() {
                    let factors = factors_beside(first);
                    sources.push(Source { symbol: name(&entry), files, factors });
                }
            } else if has_bars(&entry) {
                sources.push(of_file(&entry));
            }
        }
        if sources.len() == before {
            let message = format!("{}: no file that ends in {}", path.display(), ENDINGS.join(", "));
            return Err(Failure::refused_because(message));
        }
    }
    if sources.len() > SYMBOLS_MAX {
        let message =
            format!("{} symbols; expected at most {SYMBOLS_MAX}; give fewer folders at a time", sources.len());
        return Err(Failure::usage(message));
    }
    tell_apart(&mut sources)?;
    Ok(sources)
}

/// Symbols of one name get the folder above in front.
fn tell_apart(sources: &mut [Source]) -> Result<(), Failure> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources.iter() {
        *counts.entry(source.symbol.clone()).or_default() += 1;
    }
    for source in sources.iter_mut().filter(|source| counts.get(&source.symbol).is_some_and(|count| *count > 1)) {
        let above = source.files.first().and_then(|file| file.parent()).map(name).unwrap_or_default();
        source.symbol = format!("{above}/{}", source.symbol);
    }
    let mut seen = BTreeMap::new();
    for source in sources {
        if let Some(other) = seen.insert(source.symbol.clone(), source.files.clone()) {
            let shown = other.first().map(|file| file.display().to_string()).unwrap_or_default();
            return Err(Failure::usage(format!(
                "{}: named twice, also by {shown}; name each symbol once",
                source.symbol
            )));
        }
    }
    Ok(())
}

fn of_file(path: &Path) -> Source {
    Source { symbol: name(path), files: vec![path.to_owned()], factors: factors_beside(path) }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let refused = |error: std::io::Error| Failure::refused_because(format!("{}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(refused)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    paths.sort();
    Ok(paths)
}

fn has_bars(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The name of a file without its endings, or of a folder.
fn name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.iter().filter(|ending| lower.ends_with(**ending)).map(|ending| ending.len()).max();
    name[..name.len() - ending.unwrap_or(0)].to_owned()
}

fn factors_beside(path: &Path) -> Option<PathBuf> {
    let factors = path.with_file_name(format!("{}.factors", name(path)));
    factors.is_file().then_some(factors)
}
