//! A lake in a folder of this machine.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use object_store::local::LocalFileSystem;
use railbird_store::{AtomicFile, ContentHash, FileLock, join_below, read_bounded, sweep, write_atomic};

use super::{Claim, Entry, Objects, Part, Storage, Stored, Version};
use crate::Error;

/// Folder of the lock files, which are never deleted; readers pass over names that begin with a dot.
const LOCKS: &str = ".locks";
/// Deepest folder below the lake that is listed: stage, symbol, date.
const DEPTH_MAX: usize = 3;

/// A folder.
#[derive(Debug)]
pub(crate) struct Local {
    root: PathBuf,
}

impl Local {
    /// A folder that is there.
    pub(crate) fn existing(root: &Path) -> Option<Self> {
        root.is_dir().then(|| Self { root: root.to_owned() })
    }

    /// A folder, made where it is not there.
    pub(crate) fn make(root: &Path) -> Result<Self, Error> {
        let locks = root.join(LOCKS);
        fs::create_dir_all(&locks).map_err(Error::io(locks.display().to_string(), "make the folder"))?;
        Ok(Self { root: root.to_owned() })
    }

    fn path(&self, path: &str) -> Result<PathBuf, Error> {
        Ok(join_below(&self.root, path)?)
    }

    fn collect(&self, folder: &Path, relative: &str, depth: usize, into: &mut Vec<Entry>) -> Result<(), Error> {
        let failed = |action| Error::io(folder.display().to_string(), action);
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("list")(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed("list"))?;
            let name = entry.file_name();
            // What no manifest can name: locks, what is being written, and what others put here.
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.') && !name.starts_with("tmp-")) else {
                continue;
            };
            let path = if relative.is_empty() { name.to_owned() } else { format!("{relative}/{name}") };
            // Not followed: a link could lead out of the lake or around in it.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("look at a file of")(error)),
            };
            if metadata.is_dir() && depth < DEPTH_MAX {
                self.collect(&entry.path(), &path, depth + 1, into)?;
            } else if metadata.is_file() {
                let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                let modified_ns = modified.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
                into.push(Entry { path, bytes: metadata.len(), modified_ns });
            }
        }
        Ok(())
    }
}

impl Storage for Local {
    fn place(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    fn get(&self, path: &str, bytes_max: u64) -> Result<Option<Stored>, Error> {
        match read_bounded(&self.path(path)?, bytes_max) {
            Ok(bytes) => Ok(Some(Stored { bytes, version: Version::Locked })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn put(&self, path: &str, bytes: &[u8], _version: Option<&Version>) -> Result<bool, Error> {
        // The lock of the folder keeps the others away, so that there is nothing to compare.
        write_atomic(&self.path(path)?, bytes)?;
        Ok(true)
    }

    fn begin(&self, folder: &str) -> Result<Box<dyn Part>, Error> {
        let path = self.path(folder)?;
        Ok(Box::new(LocalPart { file: AtomicFile::begin(&path)? }))
    }

    fn open(&self, path: &str, bytes: u64, _hash: ContentHash) -> Result<File, Error> {
        let place = self.path(path)?;
        let file = File::open(&place).map_err(Error::io(self.place(path), "open"))?;
        let found = file.metadata().map_err(Error::io(self.place(path), "look at"))?.len();
        if found == bytes {
            return Ok(file);
        }
        Err(Error::Damaged {
            place: self.place(path),
            expected: format!("{bytes} bytes"),
            found: format!("{found} bytes"),
        })
    }

    fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        match fs::metadata(self.path(path)?) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(self.place(path), "look at")(error)),
        }
    }

    fn hash(&self, path: &str) -> Result<ContentHash, Error> {
        Ok(ContentHash::of_file(&self.path(path)?)?)
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let (path, depth) =
            if folder.is_empty() { (self.root.clone(), 0) } else { (self.path(folder)?, folder.split('/').count()) };
        let mut entries = Vec::new();
        self.collect(&path, folder, depth, &mut entries)?;
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        match fs::remove_file(self.path(path)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(self.place(path), "remove")(error)),
            _ => Ok(()),
        }
    }

    fn claim(&self, folder: &str) -> Result<Option<Box<dyn Claim>>, Error> {
        // '+' stands in no checked name, so that no two folders share a lock.
        let lock = self.root.join(LOCKS).join(format!("{}.lock", folder.replace('/', "+")));
        let Some(lock) = FileLock::try_acquire(&lock)? else { return Ok(None) };
        let path = self.path(folder)?;
        fs::create_dir_all(&path).map_err(Error::io(self.place(folder), "make the folder"))?;
        sweep(&path)?;
        Ok(Some(Box::new(LocalClaim { _lock: lock })))
    }

    fn orphan_age_ns(&self) -> i64 {
        0
    }

    fn objects(&self) -> Result<Objects, Error> {
        let store = LocalFileSystem::new_with_prefix(&self.root)
            .map_err(Error::remote(self.root.display().to_string(), "open"))?;
        Ok(Objects { store: Arc::new(store), prefix: object_store::path::Path::default() })
    }
}

struct LocalPart {
    file: AtomicFile,
}

impl Write for LocalPart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Part for LocalPart {
    fn reader(&mut self) -> Result<File, Error> {
        Ok(self.file.reader()?)
    }

    fn commit(self: Box<Self>, name: &str) -> Result<(), Error> {
        Ok(self.file.commit(name)?)
    }
}

/// The system frees the lock of a process that died.
struct LocalClaim {
    _lock: FileLock,
}

impl Claim for LocalClaim {
    fn is_held(&self) -> bool {
        true
    }
}
