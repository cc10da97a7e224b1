//! What an import reads: an archive folder, its URL root, or a raw recording. Start at [`read_path`] and [`read_url`].
//!
//! Only names that the field asks for are read, each within its bound; whatever else stands in a folder is left alone.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use railbird_f1::{Input, InputFile, STREAM_BYTES_MAX, STREAMS, Stream};
use railbird_fetch::{Addresses, Error as FetchError, FetchRequest, FetchRules, Fetched, Fetcher, Hosts};
use railbird_store::read_bounded;
use railbird_timeline::Clock;
use serde::Serialize;
use url::Url;

use crate::failure::Failure;

/// An input and what of it was left aside.
pub(crate) struct Read {
    /// What the import is given.
    pub(crate) input: Input,
    /// Whole streams that are there and could not be read.
    pub(crate) skipped: Vec<Skipped>,
}

/// A stream that is there and could not be read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Skipped {
    /// File or URL.
    pub(crate) stream: String,
    /// Why.
    pub(crate) reason: String,
}

/// Whether an input is named by a URL.
pub(crate) fn is_url(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// Reads a folder or a file, at most `bytes_max` bytes in all.
///
/// With `root`, links that lead out of it are refused.
pub(crate) fn read_path(path: &Path, bytes_max: u64, root: Option<&Path>) -> Result<Read, Failure> {
    let name = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|error| {
        Failure::refused_because(format!("{name}: {error}; expected an archive folder or a raw recording (.txt)"))
    })?;
    let mut read = Read { input: Input { name: name.clone(), files: Vec::new() }, skipped: Vec::new() };
    let mut left = bytes_max;
    if metadata.is_dir() {
        for stream in STREAMS {
            read.stream(path, stream, &mut left, root)?;
        }
    } else if metadata.is_file() {
        inside(path, root)?;
        let bytes = read_bounded(path, left).map_err(Failure::refused)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or(name);
        read.input.files.push(InputFile { name, bytes });
    } else {
        return Err(Failure::refused_because(format!("{name}: neither a folder nor a file")));
    }
    Ok(read)
}

/// Rules for a URL that the user of this machine has typed: any host at any address.
pub(crate) fn rules_of_user() -> FetchRules {
    FetchRules { addresses: Addresses::Any, plain_http: true, ..FetchRules::new(Hosts::Any) }
}

/// Fetches an archive below its URL root, or a raw recording (a URL that ends in `.txt`), at most `bytes_max` bytes in
/// all. A stream that the server does not have is none; one that it has and that cannot be had is skipped.
pub(crate) fn read_url(text: &str, rules: FetchRules, bytes_max: u64, clock: &Arc<dyn Clock>) -> Result<Read, Failure> {
    let url = Url::parse(text).map_err(|error| Failure::refused_because(format!("{text}: is no URL: {error}")))?;
    let fetcher = Fetcher::new(rules, Arc::clone(clock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut read = Read { input: Input { name: text.to_owned(), files: Vec::new() }, skipped: Vec::new() };
    let wanted: Vec<(String, Url)> = if url.path().ends_with(".txt") {
        let name = url.path().rsplit('/').next().unwrap_or_default().to_owned();
        vec![(name, url)]
    } else {
        let mut root = url;
        if !root.path().ends_with('/') {
            root.set_path(&format!("{}/", root.path()));
        }
        let each = STREAMS.iter().map(|stream| Ok((stream.file_name(), root.join(&stream.file_name())?)));
        each.collect::<Result<_, Failure>>()?
    };
    let (mut left, mut first_error) = (bytes_max, None);
    // One after another, so that what is held stays within the bound; a session is a dozen requests.
    for (name, url) in wanted {
        let request = FetchRequest { bytes_max: Some(left.min(STREAM_BYTES_MAX)), ..FetchRequest::new(url.clone()) };
        match runtime.block_on(fetcher.get(&request)) {
            Ok(Fetched::Document(document)) => {
                left = left.saturating_sub(document.bytes.len() as u64);
                read.input.files.push(InputFile { name, bytes: document.bytes.to_vec() });
            }
            Ok(Fetched::Unchanged) => {}
            Err(error) if error.is_refused() => return Err(Failure::refused(error)),
            Err(error) if error.is_not_found() => {
                first_error.get_or_insert(error);
            }
            Err(error) => {
                read.skipped.push(Skipped { stream: url.to_string(), reason: error.to_string() });
                // What cannot be had says more than what is not there.
                if first_error.as_ref().is_none_or(FetchError::is_not_found) {
                    first_error = Some(error);
                }
            }
        }
    }
    match first_error {
        Some(error) if read.input.files.is_empty() && error.is_not_found() => Err(Failure::refused_because(format!(
            "{text}: no stream found; expected a folder with files like TimingData.jsonStream, or a recording (.txt)"
        ))),
        Some(error) if read.input.files.is_empty() => Err(Failure::from(error)),
        _ => Ok(read),
    }
}

impl Read {
    fn stream(&mut self, folder: &Path, stream: Stream, left: &mut u64, root: Option<&Path>) -> Result<(), Failure> {
        let path = folder.join(stream.file_name());
        if !path.exists() {
            return Ok(());
        }
        inside(&path, root)?;
        let size = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
        if size > *left {
            return Err(Failure::refused_because(format!(
                "{}: {size} bytes, with {left} left of import_bytes_max; raise --import-bytes-max",
                path.display()
            )));
        }
        match read_bounded(&path, STREAM_BYTES_MAX) {
            Ok(bytes) => {
                *left = left.saturating_sub(bytes.len() as u64);
                self.input.files.push(InputFile { name: stream.file_name(), bytes });
            }
            Err(error) => {
                self.skipped.push(Skipped { stream: path.display().to_string(), reason: error.to_string() });
            }
        }
        Ok(())
    }
}

/// Refuses a path that leads out of `root`, through links too.
fn inside(path: &Path, root: Option<&Path>) -> Result<(), Failure> {
    let Some(root) = root else { return Ok(()) };
    let real: PathBuf = path.canonicalize().with_context(|| path.display().to_string())?;
    if real.starts_with(root) {
        return Ok(());
    }
    Err(Failure::refused_because(format!("{}: leads out of the import root", path.display())))
}
