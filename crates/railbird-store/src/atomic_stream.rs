//! A file that is written piece by piece and stands whole or not at all. Start at [`AtomicFile::begin`].
//!
//! [`write_atomic`](crate::write_atomic) is for bytes in memory; this is for those that are too many to hold.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{
    Error,
    atomic_file::{make_aside, sync_folder},
    path::plain_name,
};

/// A file that is being written aside, in the folder where it is to stand. Dropped without [`AtomicFile::commit`] it goes away;
/// what a killed process leaves is taken away by [`sweep`](crate::sweep).
///
/// Not buffered: a writer of small pieces puts a `BufWriter` around it.
#[derive(Debug)]
pub struct AtomicFile {
    folder: PathBuf,
    aside: PathBuf,
    /// Holds the lock that keeps [`sweep`](crate::sweep) away.
    file: File,
    committed: bool,
}

impl AtomicFile {
    /// Begins a file in `folder`, which must be there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        let (aside, file) =
            make_aside(folder, |aside| File::options().read(true).write(true).create_new(true).open(aside))?;
        Ok(Self { folder: folder.to_path_buf(), aside, file, committed: false })
    }

    /// The same file opened for reading back what was written so far. It shares its position with the writing: read at offsets.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn reader(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(Error::io(&self.aside, "open again"))
    }

    /// Syncs the file and names it; what had the name before gives way.
    ///
    /// # Errors
    /// [`Error::Name`] unless `name` is one plain component; [`Error::Io`]. What was there before stays then.
    pub fn commit(mut self, name: &str) -> Result<(), Error> {
        let path = self.folder.join(plain_name(name)?);
        self.file.sync_all().map_err(Error::io(&self.aside, "sync"))?;
        fs::rename(&self.aside, &path).map_err(Error::io(&path, "rename into place"))?;
        self.committed = true;
        sync_folder(&self.folder)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// For what waits in it and is read again before it goes away.
impl Read for AtomicFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody to tell here; what cannot be removed now is swept later.
            let _ = fs::remove_file(&self.aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn stands_under_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("part"), "old").unwrap();
        let mut file = AtomicFile::begin(folder.path()).unwrap();
        file.write_all(b"ne").unwrap();
        assert_eq!(fs::read(folder.path().join("part")).unwrap(), b"old");
        assert_eq!(crate::sweep(folder.path()).unwrap(), crate::Swept { removed: 0, busy: 1 });
        file.write_all(b"w").unwrap();
        file.commit("part").unwrap();
        assert_eq!(fs::read(folder.path().join("part")).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["part"]);
    }

    #[test]
    fn dropped_or_misnamed_it_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        AtomicFile::begin(folder.path()).unwrap().write_all(b"x").unwrap();
        let error = AtomicFile::begin(folder.path()).unwrap().commit("../part").unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
