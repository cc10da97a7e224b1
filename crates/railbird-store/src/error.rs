//! What goes wrong with files, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use crate::ContentHash;

/// Why a file or folder could not be had. Each says which one, what was expected and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file or stream is larger than allowed.
    #[error("{place}: expected at most {bytes_max} bytes, found more; raise the limit if this is meant")]
    TooLarge {
        /// File, or what the bytes are.
        place: String,
        /// Most bytes allowed.
        bytes_max: u64,
    },
    /// A file is shorter than what is to be read of it.
    #[error("{}: expected {bytes} bytes at offset {offset}, the file ends before; import it again", path.display())]
    Short {
        /// File.
        path: PathBuf,
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted.
        bytes: u64,
    },
    /// Compressed bytes that are no whole gzip member.
    #[error("{place}: expected one whole gzip member, {reason}; get the bytes again")]
    Gzip {
        /// What the bytes are.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Bytes are not those that were written.
    #[error("{place}: expected content {expected}, found {found}; the file was changed, delete and write it again")]
    Hash {
        /// File, or what the bytes are.
        place: String,
        /// Hash on record.
        expected: ContentHash,
        /// Hash of what is there.
        found: ContentHash,
    },
    /// Text that is no content hash.
    #[error("content hash: expected 64 hexadecimal digits, found {found:?}")]
    HashText {
        /// The text, its first 80 characters.
        found: String,
    },
    /// A folder of that name is there with other content.
    #[error("{}: exists, and its {differs} differs from what is to be written; delete the folder and try again", path.display())]
    Differs {
        /// Folder.
        path: PathBuf,
        /// First file that differs.
        differs: String,
    },
    /// Somebody else holds the lock for longer than one was ready to wait.
    #[error("{}: locked by another process for more than {} s; wait for it to end and try again", path.display(), waited.as_secs_f64())]
    Locked {
        /// Lock file.
        path: PathBuf,
        /// Time waited.
        waited: Duration,
    },
    /// The store of forecasts cannot be used.
    #[error("{}: cannot keep forecasts: {reason}; it is only a cache, `railbird cache clear` empties it", folder.display())]
    Forecasts {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A path that leads, or could lead, out of its root.
    #[error("{relative:?}: {reason}; expected a path below {}", root.display())]
    Outside {
        /// Folder that must not be left.
        root: PathBuf,
        /// Path as given.
        relative: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name that is no plain file name.
    #[error("{name:?}: expected a plain file name, without '/' and not '.' or '..'")]
    Name {
        /// Name as given.
        name: String,
    },
}

impl Error {
    /// For `map_err` on what the system refuses.
    pub(crate) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

    /// Whether the file or folder is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
