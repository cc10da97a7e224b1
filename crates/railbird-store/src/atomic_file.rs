//! A file that is written whole or not at all. Start at [`write_atomic`].

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Error, lock::try_lock};

/// How names begin under which something is being written: `tmp-<process>-<number>`.
const ASIDE: &str = "tmp-";

/// Tells apart what one process writes at the same moment.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Puts `bytes` where `path` is: whoever reads it, also after a kill or a loss of power, finds what was there before or all of `bytes`.
///
/// Written aside in the same folder, synced, renamed, and the folder synced. The folder must be there. What a killed process left
/// aside stays until its folder is [swept](crate::sweep), which is not done here: the folder may be anyone's.
///
/// # Errors
/// [`Error::Io`]; what was there before stays then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = folder_of(path);
    let (aside, mut file) = make_aside(folder, |aside| File::options().write(true).create_new(true).open(aside))?;
    let written = write_synced(&mut file, &aside, bytes)
        .and_then(|()| fs::rename(&aside, path).map_err(Error::io(path, "rename into place")));
    if written.is_err() {
        // The first error is the one to tell; what is left is swept later.
        let _ = fs::remove_file(&aside);
    }
    written?;
    sync_folder(folder)
}

/// Makes something of a name that nobody has, locked, so that [`sweep`](crate::sweep) leaves it alone as long as it is open.
pub(crate) fn make_aside(
    folder: &Path,
    mut make: impl FnMut(&Path) -> io::Result<File>,
) -> Result<(PathBuf, File), Error> {
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let aside = folder.join(format!("{ASIDE}{}-{number}", process::id()));
        let file = match make(&aside) {
            Ok(file) => file,
            // Of a dead process that had our id: it is swept elsewhere, we take the next name. A sweeper may also have been quicker
            // than our lock and have taken the thing away.
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists) => continue,
            Err(error) => return Err(Error::io(aside, "make")(error)),
        };
        if try_lock(&file, &aside)? && is_at(&file, &aside) {
            return Ok((aside, file));
        }
    }
}

/// Whether a name is one that [`make_aside`] gives.
pub(crate) fn is_aside(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix(ASIDE).and_then(|rest| rest.split_once('-')).is_some_and(|(a, b)| number(a) && number(b))
}

/// Whether what is open is what stands at `path`.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Writes all of `bytes` and waits until they are on the disk.
pub(crate) fn write_synced(file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    file.write_all(bytes).map_err(Error::io(path, "write"))?;
    file.sync_all().map_err(Error::io(path, "sync"))
}

/// Waits until the names in `folder` are on the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder, "sync"))
}

/// The folder in which `path` is named.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        write_atomic(&path, b"first").unwrap();
        write_atomic(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn readers_among_writers_see_whole_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        write_atomic(&path, &[0; 10_000]).unwrap();
        thread::scope(|scope| {
            for writer in 1..5u8 {
                let path = &path;
                scope.spawn(move || {
                    (0..20).for_each(|_| write_atomic(path, &vec![writer; 10_000 * writer as usize]).unwrap())
                });
            }
            for _ in 0..200 {
                let seen = fs::read(&path).unwrap();
                assert_eq!(seen.len(), 10_000 * usize::from(seen[0].max(1)));
                assert!(seen.iter().all(|byte| *byte == seen[0]));
            }
        });
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        fs::create_dir_all(path.join("full")).unwrap();
        assert!(matches!(write_atomic(&path, b"x"), Err(Error::Io { action: "rename into place", .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_atomic(&folder.path().join("none/file"), b"x").unwrap_err().is_not_found());
    }
}
