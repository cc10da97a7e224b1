//! Where a lake lies: files of this machine, or objects of a store. Start at [`Storage`].
//!
//! Invariant: a path that a reader may find holds nothing or a whole file. Data goes first, under a name made of its content; the
//! manifest that names it goes last, on condition that nobody else has committed since the claim.

mod local;
mod remote;

use std::{fmt, fs::File, io::Write, path::PathBuf, sync::Arc};

use object_store::{ObjectStore, UpdateVersion};
use railbird_store::ContentHash;

pub(crate) use self::{local::Local, remote::Remote};
use crate::Error;

/// What a lake needs of the place where it lies. Paths are relative to the lake, of checked names, with `/` between them.
pub(crate) trait Storage: Send + Sync + fmt::Debug {
    /// How a path is told to people.
    fn place(&self, path: &str) -> String;

    /// A whole small file, and its version; `None` where there is none.
    fn get(&self, path: &str, bytes_max: u64) -> Result<Option<Stored>, Error>;

    /// Writes a small file if it still has `version` (`None`: if it is not there); `false` if somebody else was quicker.
    /// The folder's claim must be held.
    fn put(&self, path: &str, bytes: &[u8], version: Option<&Version>) -> Result<bool, Error>;

    /// Begins a large file of a folder whose claim is held.
    fn begin(&self, folder: &str) -> Result<Box<dyn Part>, Error>;

    /// A file to be read at random, of that size and content.
    fn open(&self, path: &str, bytes: u64, hash: ContentHash) -> Result<File, Error>;

    /// Size of a file, bytes; `None` where there is none.
    fn size(&self, path: &str) -> Result<Option<u64>, Error>;

    /// Hash of a file's bytes, all of them read.
    fn hash(&self, path: &str) -> Result<ContentHash, Error>;

    /// Files below a folder, by path; none where it is not there.
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Error>;

    /// Removes a file, which need not be there.
    fn remove(&self, path: &str) -> Result<(), Error>;

    /// The sole right to write into a folder; `None` while another has it.
    fn claim(&self, folder: &str) -> Result<Option<Box<dyn Claim>>, Error>;

    /// Smallest age of a file that no manifest names, nanoseconds, at which it can be nobody's who is still writing.
    fn orphan_age_ns(&self) -> i64;

    /// Where readers of another kind find the files.
    fn objects(&self) -> Result<Objects, Error>;
}

/// A lake's files, for readers that bring their own scheduling.
#[derive(Debug, Clone)]
pub struct Objects {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Folder of the lake in it; empty for its root.
    pub prefix: object_store::path::Path,
}

/// A file that is being written. Dropped without commit it goes away.
pub(crate) trait Part: Write + Send {
    /// What was written and flushed so far, to be read at offsets.
    fn reader(&mut self) -> Result<File, Error>;

    /// Puts the file into its folder under `name`, whole.
    fn commit(self: Box<Self>, name: &str) -> Result<(), Error>;
}

/// The sole right to write into a folder, until it is dropped.
pub(crate) trait Claim: Send {
    /// Whether it is still ours.
    fn is_held(&self) -> bool;
}

/// A small file as it was found.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
}

/// Which state of a file was found.
#[derive(Debug, Clone)]
pub(crate) enum Version {
    /// Whichever: a lock keeps others away.
    Locked,
    /// As the store calls it.
    Tagged(UpdateVersion),
}

/// A file of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// When it was written, nanoseconds UTC, by the storage's clock.
    pub(crate) modified_ns: i64,
}

/// Where a lake lies, from what a user wrote.
pub(crate) enum Location {
    Folder(PathBuf),
    Url(url::Url),
}

impl Location {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Location { location: text.to_owned(), reason };
        if text.is_empty() {
            return Err(wrong("is empty".to_owned()));
        }
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let url = url::Url::parse(text).map_err(|error| wrong(error.to_string()))?;
        match url.scheme() {
            "file" => url.to_file_path().map(Self::Folder).map_err(|()| wrong("names no local folder".to_owned())),
            "s3" | "s3a" => Ok(Self::Url(url)),
            other => Err(wrong(format!("scheme {other:?} is not known here"))),
        }
    }
}
