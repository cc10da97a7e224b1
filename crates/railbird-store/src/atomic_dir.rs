//! A folder that is written whole or not at all. Start at [`AtomicDir::begin`].
//!
//! Files go into `tmp-<process>-<number>` beside the place where the folder is to stand; [`AtomicDir::commit`] syncs and
//! renames it. Whoever writes holds a lock on his folder, so that [`sweep`] knows the leftovers of dead processes.
//!
//! Invariant: under the final name there is nothing, or a whole folder, and it is never changed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    Error,
    atomic_file::{folder_of, is_aside, is_at, make_aside, sync_folder, write_synced},
    lock::try_lock,
    path::plain_name,
};

/// A folder that is being written. Dropped without [`AtomicDir::commit`] it goes away.
#[derive(Debug)]
pub struct AtomicDir {
    aside: PathBuf,
    place: PathBuf,
    /// Holds the lock that keeps [`sweep`] away; closed last.
    open: File,
    names: Vec<String>,
    /// Whether nothing is left under our name aside.
    committed: bool,
}

/// How a commit came out; the folder under the final name holds the same in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The folder is new.
    New,
    /// It was there already, byte for byte, and was kept.
    Kept,
    /// Another one was there and gave way; by [`AtomicDir::commit_replacing`] only.
    Replaced,
}

/// What [`sweep`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Leftovers of dead processes, taken away.
    pub removed: usize,
    /// Being written at the moment.
    pub busy: usize,
}

impl AtomicDir {
    /// Begins a folder that is to stand at `place`. The folder around it is made where it is not there, and swept.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn begin(place: &Path) -> Result<Self, Error> {
        let around = folder_of(place);
        fs::create_dir_all(around).map_err(Error::io(around, "make the folder"))?;
        sweep(around)?;
        let (aside, open) = make_aside(around, |aside| {
            fs::create_dir(aside)?;
            File::open(aside)
        })?;
        Ok(Self { aside, place: place.to_path_buf(), open, names: vec![], committed: false })
    }

    /// Writes one file, synced.
    ///
    /// # Errors
    /// [`Error::Name`] unless `name` is one plain component; [`Error::Io`], also where the file is there already.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.aside.join(plain_name(name)?);
        let mut file = File::create_new(&path).map_err(Error::io(&path, "make"))?;
        write_synced(&mut file, &path, bytes)?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Puts the folder in its place. If one stands there already with the same files, that one is kept: two processes that
    /// write the same thing get one result, and writing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Differs`] if another one stands there, which stays; [`Error::Io`].
    pub fn commit(mut self) -> Result<Committed, Error> {
        match self.place_or_compare()? {
            Ok(committed) => Ok(committed),
            Err(differs) => Err(Error::Differs { path: self.place.clone(), differs }),
        }
    }

    /// As [`AtomicDir::commit`], but a folder that differs gives way: for repairing what was damaged on the disk.
    ///
    /// Where the file system can exchange two names (Linux and macOS on their usual ones) the old folder stands until the new one does;
    /// elsewhere a kill in between leaves nothing.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn commit_replacing(mut self) -> Result<Committed, Error> {
        if let Ok(committed) = self.place_or_compare()? {
            return Ok(committed);
        }
        // Afterwards the old folder has our name aside, under which it goes away when `self` is dropped.
        if renameat_with(CWD, &self.aside, CWD, &self.place, RenameFlags::EXCHANGE).is_err() {
            self.exchange_in_two_steps()?;
        }
        sync_folder(folder_of(&self.place))?;
        Ok(Committed::Replaced)
    }

    fn exchange_in_two_steps(&mut self) -> Result<(), Error> {
        let (old, _held) = make_aside(folder_of(&self.place), |aside| {
            fs::rename(&self.place, aside)?;
            File::open(aside)
        })?;
        fs::rename(&self.aside, &self.place).map_err(Error::io(&self.place, "rename into place"))?;
        self.aside = old;
        Ok(())
    }

    /// Puts the folder in its place if that is free, else says whether what stands there is the same: `Err` names what differs.
    fn place_or_compare(&mut self) -> Result<Result<Committed, String>, Error> {
        self.open.sync_all().map_err(Error::io(&self.aside, "sync"))?;
        // Asked first, since a rename would replace an empty folder.
        if !self.is_taken()? {
            match fs::rename(&self.aside, &self.place) {
                Ok(()) => {
                    self.committed = true;
                    sync_folder(folder_of(&self.place))?;
                    return Ok(Ok(Committed::New));
                }
                // Somebody was quicker.
                Err(error) if is_taken_error(&error) => {}
                Err(error) => return Err(Error::io(&self.place, "rename into place")(error)),
            }
        }
        Ok(match self.first_difference()? {
            None => Ok(Committed::Kept),
            Some(differs) => Err(differs),
        })
    }

    fn is_taken(&self) -> Result<bool, Error> {
        match fs::symlink_metadata(&self.place) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(&self.place, "look at")(error)),
        }
    }

    /// Name of a file that is not the same in the folder that stands in our place.
    fn first_difference(&mut self) -> Result<Option<String>, Error> {
        let mut theirs = vec![];
        for entry in fs::read_dir(&self.place).map_err(Error::io(&self.place, "list"))? {
            let entry = entry.map_err(Error::io(&self.place, "list"))?;
            theirs.push(entry.file_name().to_string_lossy().into_owned());
        }
        theirs.sort_unstable();
        self.names.sort_unstable();
        let mut both = theirs.iter().chain(&self.names);
        if let Some(lone) = both.find(|name| !(theirs.contains(name) && self.names.contains(name))) {
            return Ok(Some(lone.clone()));
        }
        for name in &self.names {
            if !same_bytes(&self.aside.join(name), &self.place.join(name))? {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }
}

impl Drop for AtomicDir {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody to tell here; what cannot be removed now is swept later.
            let _ = fs::remove_dir_all(&self.aside);
        }
    }
}

/// Takes away what dead processes left in `folder`: files and folders called `tmp-<number>-<number>` on which nobody holds a lock.
///
/// [`AtomicDir::begin`] does so by itself; after [`write_atomic`](crate::write_atomic) it is for whoever owns the folder.
///
/// # Errors
/// [`Error::Io`] if `folder` cannot be listed; a leftover that cannot be removed counts as busy.
pub fn sweep(folder: &Path) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    for entry in fs::read_dir(folder).map_err(Error::io(folder, "list"))? {
        let entry = entry.map_err(Error::io(folder, "list"))?;
        if !is_aside(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if remove_if_dead(&entry.path()) { swept.removed += 1 } else { swept.busy += 1 }
    }
    Ok(swept)
}

fn remove_if_dead(path: &Path) -> bool {
    // Gone meanwhile, renamed into place or swept by another: not ours to count as removed.
    let Ok(file) = File::open(path) else { return false };
    // Locked, it could still have been renamed into place between the opening and the lock.
    if !try_lock(&file, path).unwrap_or(false) || !is_at(&file, path) {
        return false;
    }
    let is_folder = file.metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder { fs::remove_dir_all(path).is_ok() } else { fs::remove_file(path).is_ok() }
}

fn is_taken_error(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotADirectory)
}

fn same_bytes(ours: &Path, theirs: &Path) -> Result<bool, Error> {
    const BLOCK: usize = 64 << 10;
    let open = |path: &Path| File::open(path).map_err(Error::io(path, "open"));
    let (mut left, mut right) = (open(ours)?, open(theirs)?);
    let (mut left_block, mut right_block) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
    loop {
        left_block.clear();
        right_block.clear();
        left.by_ref().take(BLOCK as u64).read_to_end(&mut left_block).map_err(Error::io(ours, "read"))?;
        right.by_ref().take(BLOCK as u64).read_to_end(&mut right_block).map_err(Error::io(theirs, "read"))?;
        if left_block != right_block {
            return Ok(false);
        }
        if left_block.is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn write(place: &Path, files: &[(&str, &[u8])]) -> Result<Committed, Error> {
        let mut folder = AtomicDir::begin(place)?;
        for (name, bytes) in files {
            folder.write(name, bytes)?;
        }
        folder.commit()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn stands_whole_in_its_place_and_is_kept_when_written_again() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("sessions/abc");
        assert_eq!(write(&place, &[("manifest.json", b"{}"), ("chunks.pack", b"...")]).unwrap(), Committed::New);
        assert_eq!(write(&place, &[("chunks.pack", b"..."), ("manifest.json", b"{}")]).unwrap(), Committed::Kept);
        assert_eq!(names(&place), ["chunks.pack", "manifest.json"]);
        assert_eq!(names(&root.path().join("sessions")), ["abc"]);
    }

    #[test]
    fn other_content_under_the_name_is_refused_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("abc");
        write(&place, &[("a", b"1"), ("b", &[7; 200_000])]).unwrap();
        let mut flipped = vec![7; 200_000];
        flipped[199_999] = 8;
        let others: [&[(&str, &[u8])]; 4] =
            [&[("a", b"1"), ("b", &flipped)], &[("a", b"1")], &[("a", b"1"), ("b", &[7; 200_000]), ("c", b"")], &[]];
        for (other, differs) in others.into_iter().zip(["b", "b", "c", "a"]) {
            match write(&place, other) {
                Err(Error::Differs { differs: found, .. }) => assert_eq!(found, differs),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(names(&place), ["a", "b"]);
        assert_eq!(names(root.path()), ["abc"]);
    }

    #[test]
    fn a_damaged_folder_gives_way_where_that_is_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("abc");
        let replace = |bytes: &[u8]| {
            let mut folder = AtomicDir::begin(&place).unwrap();
            folder.write("a", bytes).unwrap();
            folder.commit_replacing().unwrap()
        };
        assert_eq!(replace(b"1"), Committed::New);
        assert_eq!(replace(b"1"), Committed::Kept);
        fs::write(place.join("a"), b"flipped").unwrap();
        fs::write(place.join("b"), b"strange").unwrap();
        assert_eq!(replace(b"1"), Committed::Replaced);
        assert_eq!((names(&place), fs::read(place.join("a")).unwrap()), (vec!["a".to_owned()], b"1".to_vec()));
        // As on a file system that cannot exchange names.
        let mut folder = AtomicDir::begin(&place).unwrap();
        folder.write("a", b"2").unwrap();
        folder.exchange_in_two_steps().unwrap();
        drop(folder);
        assert_eq!(fs::read(place.join("a")).unwrap(), b"2");
        assert_eq!(names(root.path()), ["abc"]);
    }

    #[test]
    fn an_empty_folder_or_a_file_in_the_place_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("abc");
        fs::create_dir(&place).unwrap();
        assert!(matches!(write(&place, &[("a", b"1")]), Err(Error::Differs { .. })));
        fs::remove_dir(&place).unwrap();
        fs::write(&place, b"file").unwrap();
        assert!(matches!(write(&place, &[("a", b"1")]), Err(Error::Io { action: "list", .. })));
        assert_eq!(fs::read(&place).unwrap(), b"file");
    }

    #[test]
    fn what_is_not_committed_goes_away() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = AtomicDir::begin(&root.path().join("abc")).unwrap();
        folder.write("a", b"1").unwrap();
        assert!(matches!(folder.write("../a", b"1"), Err(Error::Name { .. })));
        assert!(matches!(folder.write("a", b"1"), Err(Error::Io { .. })));
        drop(folder);
        assert_eq!(names(root.path()), Vec::<String>::new());
    }

    #[test]
    fn leftovers_of_the_dead_are_swept_and_the_living_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("tmp-1-0")).unwrap();
        fs::write(root.path().join("tmp-1-0/half"), b"x").unwrap();
        fs::write(root.path().join("tmp-1-1"), b"half a file").unwrap();
        for name in ["tmp-notes", "tmp-1", "tmp-1-2-3", "tmp--", "xtmp-1-2"] {
            fs::write(root.path().join(name), b"not ours").unwrap();
        }
        let living = AtomicDir::begin(&root.path().join("abc")).unwrap();
        assert_eq!(sweep(root.path()).unwrap(), Swept { removed: 0, busy: 1 });
        assert_eq!(names(root.path()).len(), 6);
        assert_eq!(living.commit().unwrap(), Committed::New);
        assert_eq!(names(root.path()), ["abc", "tmp--", "tmp-1", "tmp-1-2-3", "tmp-notes", "xtmp-1-2"]);
    }

    #[test]
    fn many_that_write_one_thing_get_one_result() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("abc");
        let new = thread::scope(|scope| {
            let writers: Vec<_> =
                (0..16).map(|_| scope.spawn(|| write(&place, &[("a", &[1; 5000]), ("b", b"2")]).unwrap())).collect();
            writers.into_iter().filter_map(|writer| writer.join().ok()).filter(|done| *done == Committed::New).count()
        });
        assert_eq!(new, 1);
        assert_eq!(names(root.path()), ["abc"]);
    }
}
