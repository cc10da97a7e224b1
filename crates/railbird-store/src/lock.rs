//! One at a time, among processes. Start at [`FileLock::acquire`].
//!
//! The lock is the system's (`flock`), not the file's existence: a killed process holds nothing. Lock files are never deleted, since
//! one could then hold a lock on a file that nobody else can find.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use crate::Error;

const POLL_FIRST: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(50);

/// A lock that is held until this is dropped, against other processes and other threads of this one.
#[derive(Debug)]
pub struct FileLock {
    /// Closing it frees the lock.
    _file: File,
    path: PathBuf,
}

impl FileLock {
    /// Waits until the lock is free, at most `patience`. Makes the file if there is none; its folder must be there.
    ///
    /// Blocks the thread: not for async workers. Tries about every 50 ms, in no order among those who wait.
    ///
    /// # Errors
    /// [`Error::Locked`] when patience has run out; [`Error::Io`].
    pub fn acquire(path: &Path, patience: Duration) -> Result<Self, Error> {
        let file = open(path)?;
        let (mut waited, mut poll) = (Duration::ZERO, POLL_FIRST);
        loop {
            if try_lock(&file, path)? {
                return Ok(Self { _file: file, path: path.to_path_buf() });
            }
            // `flock` knows no deadline; what was slept is waited, so that no clock is read here.
            let nap = poll.min(patience.saturating_sub(waited));
            if nap.is_zero() {
                return Err(Error::Locked { path: path.to_path_buf(), waited });
            }
            thread::sleep(nap);
            waited += nap;
            poll = (poll * 2).min(POLL_MAX);
        }
    }

    /// The lock if it is free now.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        Ok(try_lock(&file, path)?.then(|| Self { _file: file, path: path.to_path_buf() }))
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn open(path: &Path) -> Result<File, Error> {
    // Not truncated: the file is somebody else's too.
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    file.map_err(Error::io(path, "open the lock"))
}

/// Whether the lock on an open file or folder is ours now. Freed when the last descriptor of this opening is closed.
pub(crate) fn try_lock(file: &File, path: &Path) -> Result<bool, Error> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::io(path, "lock")(io::Error::from(errno))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::acquire(&path, Duration::ZERO).unwrap();
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        assert!(matches!(FileLock::acquire(&path, Duration::from_millis(3)), Err(Error::Locked { .. })));
        assert_eq!(held.path(), path);
        drop(held);
        assert!(FileLock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn threads_that_wait_get_it_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _held = FileLock::acquire(&path, Duration::from_secs(60)).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = FileLock::try_acquire(Path::new("/nonexistent/lock")).unwrap_err();
        assert!(error.is_not_found() && error.to_string().starts_with("/nonexistent/lock: cannot open the lock"));
    }
}
