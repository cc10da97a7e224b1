//! Forecasts kept on disk, shared by processes. Start at [`ForecastStore::open`].
//!
//! LMDB in a folder of its own. A key says all that a value depends on, so nothing here is ever stale: what goes, goes for
//! space, oldest generation first. A generation is the time in which a sixteenth of the room is written; what is read again moves to the
//! newest one. Every value carries a checksum over its key and itself.
//!
//! Invariant: losing this folder costs time, never an answer. A file that is damaged or somebody else's is set aside before
//! LMDB maps it, a value that is damaged is not given out, and neither keeps anyone from going on.

mod check;
mod seal;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls, types::Bytes};
use rustix::fs::{FlockOperation, flock};

use crate::{Error, FileLock};

/// Longest value kept.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// What an entry takes beside its value: two keys, generation, checksum, nodes of the tree.
const ENTRY_BYTES: u64 = 128;
/// Generations in the room that there is.
const GENERATIONS: u64 = 16;
/// Entries a transaction at most, so that others come to write too.
const BATCH: usize = 20_000;
/// Keys read and to be moved to the newest generation, at most; more wait for the next time that they are read.
const TOUCHED_MAX: usize = 200_000;
/// How long one waits for others that are just opening the store.
const PATIENCE: Duration = Duration::from_secs(30);

const MARK: &[u8] = b"railbird forecasts 1";
const TALLY: &[u8] = b"m";
const VALUE: u8 = b'v';
const AGE: u8 = b'g';

/// 32 bytes that say all that a value depends on.
type Key = [u8; 32];

/// Values under content keys, in a folder that several processes share.
///
/// One process opens a folder once. Clones are not needed: share it by reference or `Arc`.
#[derive(Debug)]
pub struct ForecastStore {
    env: Env<WithoutTls>,
    entries: Database<'static, Bytes, Bytes>,
    /// The file once more, for its seal.
    file: File,
    folder: PathBuf,
    bytes_max: u64,
    touched: Mutex<Vec<Key>>,
    counts: Counts,
    /// Shared lock, held as long as the file is mapped. Dropped after `env`, since fields go in order.
    _users: File,
}

/// A file that could not be used, and where it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The file as it was called.
    pub path: PathBuf,
    /// Where it was put.
    pub aside: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What a store holds, and what this process did with it since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ForecastStoreStats {
    /// Where it is.
    pub folder: PathBuf,
    /// Values held.
    pub entries: u64,
    /// Bytes of values, keys and what the tree needs for them.
    pub bytes: u64,
    /// Most such bytes; the file may grow to about twice as much.
    pub bytes_max: u64,
    /// Bytes of the file; it is never made smaller while it is in use.
    pub file_bytes: u64,
    /// Generations begun since the store was made.
    pub generation: u64,
    /// Values asked for and given.
    pub hits: u64,
    /// Values asked for that were not there.
    pub misses: u64,
    /// Values not given since their checksum was wrong.
    pub damaged: u64,
    /// Values that went to make room.
    pub evictions: u64,
}

/// What [`ForecastStore::verify`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Values looked at.
    pub checked: u64,
    /// Values whose checksum was wrong: they were taken out.
    pub damaged: u64,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    damaged: AtomicU64,
    evictions: AtomicU64,
}

/// Kept beside the values, in the same transaction.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    generation: u64,
    /// Bytes written in this generation.
    written: u64,
    bytes: u64,
    entries: u64,
}

impl ForecastStore {
    /// Opens the store in `folder`, and makes it if it is not there. `bytes_max`: most bytes of values and keys, at least 1 MiB.
    ///
    /// If no other process uses the folder and the file is not as this program last left it, it is walked first, which reads all of it;
    /// one that is damaged or no such store is set aside, over one set aside before, and said. Else two pages are read.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Locked`], [`Error::Forecasts`]. One can go on without a store.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<(Self, Option<SetAside>), Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder, "make"))?;
        // All who open or remove wait here, so that between the two steps below nobody can come in.
        let _gate = FileLock::acquire(&folder.join("gate.lock"), PATIENCE)?;
        let users = open_users(folder)?;
        let mut set_aside = None;
        let mut looked = lock(&users, folder, FlockOperation::NonBlockingLockExclusive)?;
        if looked {
            // Nobody else has it mapped: what is left of readers that were killed can go, and the file can be looked at in peace.
            remove_if_there(&folder.join("lock.mdb"))?;
            let path = folder.join("data.mdb");
            if let Err(reason) = sound(&path)? {
                set_aside = Some(put_aside(&path, reason)?);
            }
        }
        lock(&users, folder, FlockOperation::LockShared)?;
        let bytes_max = bytes_max.max(1 << 20);
        let (env, entries) = match open_env(folder, bytes_max)? {
            Some(opened) => opened,
            None => {
                // Sound, and somebody else's.
                if !lock(&users, folder, FlockOperation::NonBlockingLockExclusive)? {
                    return Err(forecasts(folder)("another program keeps its own data there"));
                }
                let reason = "not a store of forecasts".to_owned();
                set_aside = Some(put_aside(&folder.join("data.mdb"), reason)?);
                remove_if_there(&folder.join("lock.mdb"))?;
                lock(&users, folder, FlockOperation::LockShared)?;
                looked = true;
                open_env(folder, bytes_max)?.ok_or_else(|| forecasts(folder)("cannot be made anew"))?
            }
        };
        let path = folder.join("data.mdb");
        let file = File::options().read(true).write(true).open(&path).map_err(Error::io(path, "open"))?;
        if looked {
            // Found sound or just made, and nobody else has come in since.
            seal::seal(&file);
        }
        let store = Self {
            env,
            entries,
            file,
            folder: folder.to_path_buf(),
            bytes_max,
            touched: Mutex::default(),
            counts: Counts::default(),
            _users: users,
        };
        Ok((store, set_aside))
    }

    /// Takes the files away if no process uses them, else takes all values out.
    ///
    /// # Errors
    /// As [`ForecastStore::open`].
    pub fn clear(folder: &Path, bytes_max: u64) -> Result<(), Error> {
        if !folder.join("data.mdb").exists() {
            return Ok(());
        }
        {
            let _gate = FileLock::acquire(&folder.join("gate.lock"), PATIENCE)?;
            let users = open_users(folder)?;
            if lock(&users, folder, FlockOperation::NonBlockingLockExclusive)? {
                for name in ["data.mdb", "lock.mdb", ASIDE] {
                    remove_if_there(&folder.join(name))?;
                }
                return Ok(());
            }
        }
        let (store, _) = Self::open(folder, bytes_max)?;
        store.write(|store, txn, tally| {
            store.entries.clear(txn)?;
            *tally = Tally { generation: tally.generation, ..Tally::default() };
            Ok(())
        })
    }

    /// The values of `keys`, in their order; `None` where there is none, or none that is whole.
    ///
    /// # Errors
    /// [`Error::Forecasts`].
    pub fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let wrong = forecasts(&self.folder);
        let txn = self.env.read_txn().map_err(&wrong)?;
        let generation = self.tally(&txn).map_err(&wrong)?.generation;
        let (mut hits, mut damaged) = (0, 0);
        let mut old = Vec::new();
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let stored = self.entries.get(&txn, &value_key(key)).map_err(&wrong)?;
            let value = stored.map(|stored| opened(key, stored));
            values.push(match value {
                Some(Some((written, value))) => {
                    hits += 1;
                    if written < generation {
                        old.push(*key);
                    }
                    Some(value.to_vec())
                }
                Some(None) => {
                    damaged += 1;
                    None
                }
                None => None,
            });
        }
        self.counts.hits.fetch_add(hits, Ordering::Relaxed);
        self.counts.misses.fetch_add(keys.len() as u64 - hits, Ordering::Relaxed);
        self.counts.damaged.fetch_add(damaged, Ordering::Relaxed);
        if !old.is_empty() {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            old.truncate(TOUCHED_MAX.saturating_sub(touched.len()));
            touched.append(&mut old);
        }
        Ok(values)
    }

    /// Keeps `entries`; what is there under the same key is replaced. A value longer than 1 MiB is not kept.
    ///
    /// Everything given is there after a kill, or a part of it that is whole.
    ///
    /// # Errors
    /// [`Error::Forecasts`]; what was there before stays then.
    pub fn put_many(&self, entries: &[(Key, Vec<u8>)]) -> Result<(), Error> {
        let mut sorted: Vec<&(Key, Vec<u8>)> =
            entries.iter().filter(|(_, value)| value.len() <= VALUE_BYTES_MAX).collect();
        // In the order of the tree, neighbours share their pages.
        sorted.sort_unstable_by_key(|(key, _)| *key);
        for batch in sorted.chunks(BATCH) {
            self.write(|store, txn, tally| {
                let incoming: u64 = batch.iter().map(|(_, value)| cost(value.len())).sum();
                if tally.bytes + incoming > store.bytes_max {
                    let room = store.bytes_max - store.bytes_max / 8;
                    store.evict(txn, tally, room.saturating_sub(incoming))?;
                }
                batch.iter().try_for_each(|(key, value)| store.put(txn, tally, key, value))
            })?;
        }
        self.flush()
    }

    /// Moves what was read since the last time to the newest generation, so that it stays.
    ///
    /// # Errors
    /// [`Error::Forecasts`].
    pub fn flush(&self) -> Result<(), Error> {
        let mut touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        touched.sort_unstable();
        touched.dedup();
        for batch in touched.chunks(BATCH) {
            self.write(|store, txn, tally| {
                for key in batch {
                    let value = store.entries.get(txn, &value_key(key))?.and_then(|stored| opened(key, stored));
                    if let Some((_, value)) = value {
                        let value = value.to_vec();
                        store.put(txn, tally, key, &value)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes values out, oldest generation first, until at most `bytes` are held. Returns how many went.
    ///
    /// # Errors
    /// [`Error::Forecasts`].
    pub fn shrink(&self, bytes: u64) -> Result<u64, Error> {
        let before = self.counts.evictions.load(Ordering::Relaxed);
        self.write(|store, txn, tally| store.evict(txn, tally, bytes))?;
        Ok(self.counts.evictions.load(Ordering::Relaxed) - before)
    }

    /// Reads every value and takes out those whose checksum is wrong.
    ///
    /// # Errors
    /// [`Error::Forecasts`].
    pub fn verify(&self) -> Result<Verified, Error> {
        let wrong = forecasts(&self.folder);
        let (mut checked, mut bad) = (0, Vec::new());
        {
            let txn = self.env.read_txn().map_err(&wrong)?;
            for entry in self.entries.prefix_iter(&txn, &[VALUE]).map_err(&wrong)? {
                let (key, stored) = entry.map_err(&wrong)?;
                checked += 1;
                if key_of(&key[1..]).is_none_or(|key| opened(&key, stored).is_none()) {
                    bad.push(key.to_vec());
                }
            }
        }
        for batch in bad.chunks(BATCH) {
            self.write(|store, txn, tally| {
                for key in batch {
                    let bytes = store.entries.get(txn, key)?.map(|stored| stored.len().saturating_sub(16));
                    if let Some(bytes) = bytes {
                        store.entries.delete(txn, key)?;
                        tally.bytes = tally.bytes.saturating_sub(cost(bytes));
                        tally.entries = tally.entries.saturating_sub(1);
                    }
                }
                Ok(())
            })?;
        }
        Ok(Verified { checked, damaged: bad.len() as u64 })
    }

    /// What is held, and what was done since it was opened.
    ///
    /// # Errors
    /// [`Error::Forecasts`], [`Error::Io`].
    pub fn stats(&self) -> Result<ForecastStoreStats, Error> {
        let wrong = forecasts(&self.folder);
        let txn = self.env.read_txn().map_err(&wrong)?;
        let tally = self.tally(&txn).map_err(&wrong)?;
        let path = self.folder.join("data.mdb");
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Ok(ForecastStoreStats {
            folder: self.folder.clone(),
            entries: tally.entries,
            bytes: tally.bytes,
            bytes_max: self.bytes_max,
            file_bytes: fs::metadata(&path).map_err(Error::io(path, "look at"))?.len(),
            generation: tally.generation,
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            damaged: read(&self.counts.damaged),
            evictions: read(&self.counts.evictions),
        })
    }

    /// One transaction; once more with fewer values if the map is full.
    fn write(&self, change: impl Fn(&Self, &mut RwTxn<'_>, &mut Tally) -> heed::Result<()>) -> Result<(), Error> {
        let attempt = |change: &dyn Fn(&Self, &mut RwTxn<'_>, &mut Tally) -> heed::Result<()>| {
            let mut txn = self.env.write_txn()?;
            // Looked at while nobody else may write: what another program did to the file is not sealed over.
            let sealed = seal::is_sealed(&self.file);
            let mut tally = self.tally(&txn)?;
            change(self, &mut txn, &mut tally)?;
            self.entries.put(&mut txn, TALLY, &tally.to_bytes())?;
            txn.commit()?;
            if sealed {
                seal::seal(&self.file);
            }
            Ok(())
        };
        let mut result = attempt(&change);
        if matches!(result, Err(heed::Error::Mdb(MdbError::MapFull))) {
            // Trees that are half empty take more room than their values say.
            attempt(&|store, txn, tally| store.evict(txn, tally, tally.bytes / 2)).map_err(forecasts(&self.folder))?;
            result = attempt(&change);
        }
        result.map_err(forecasts(&self.folder))
    }

    fn put(&self, txn: &mut RwTxn<'_>, tally: &mut Tally, key: &Key, value: &[u8]) -> heed::Result<()> {
        let before = self.entries.get(txn, &value_key(key))?.map(|stored| (generation_of(stored), stored.len()));
        if let Some((generation, bytes)) = before {
            self.entries.delete(txn, &age_key(generation, key))?;
            tally.bytes = tally.bytes.saturating_sub(cost(bytes.saturating_sub(16)));
            tally.entries = tally.entries.saturating_sub(1);
        }
        let mut stored = Vec::with_capacity(16 + value.len());
        stored.extend_from_slice(&tally.generation.to_le_bytes());
        stored.extend_from_slice(&checksum(key, value));
        stored.extend_from_slice(value);
        self.entries.put(txn, &value_key(key), &stored)?;
        self.entries.put(txn, &age_key(tally.generation, key), &[])?;
        tally.bytes += cost(value.len());
        tally.entries += 1;
        tally.written += cost(value.len());
        if tally.written > self.bytes_max / GENERATIONS {
            (tally.generation, tally.written) = (tally.generation + 1, 0);
        }
        Ok(())
    }

    /// Takes out the oldest until at most `bytes` are held.
    fn evict(&self, txn: &mut RwTxn<'_>, tally: &mut Tally, bytes: u64) -> heed::Result<()> {
        while tally.bytes > bytes {
            let mut oldest = Vec::new();
            for entry in self.entries.prefix_iter(txn, &[AGE])?.take(1_000) {
                oldest.push(entry?.0.to_vec());
            }
            if oldest.is_empty() {
                // Damaged values, whose age nobody knows any more, are all that is left.
                self.entries.clear(txn)?;
                *tally = Tally { generation: tally.generation, ..Tally::default() };
                return Ok(());
            }
            for age in oldest {
                if tally.bytes <= bytes {
                    break;
                }
                self.entries.delete(txn, &age)?;
                let Some(key) = age.get(9..).and_then(key_of) else { continue };
                let stored = self.entries.get(txn, &value_key(&key))?;
                let held = stored.map(|stored| (age_key(generation_of(stored), &key) == age[..], stored.len()));
                if let Some((true, stored)) = held {
                    self.entries.delete(txn, &value_key(&key))?;
                    tally.bytes = tally.bytes.saturating_sub(cost(stored.saturating_sub(16)));
                    tally.entries = tally.entries.saturating_sub(1);
                    self.counts.evictions.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    fn tally(&self, txn: &RoTxn<'_>) -> heed::Result<Tally> {
        Ok(self.entries.get(txn, TALLY)?.and_then(Tally::from_bytes).unwrap_or_default())
    }
}

impl Drop for ForecastStore {
    fn drop(&mut self) {
        // What cannot be noted is only forgotten a little earlier.
        let _ = self.flush();
    }
}

impl Tally {
    fn to_bytes(self) -> Vec<u8> {
        let numbers = [self.generation, self.written, self.bytes, self.entries];
        MARK.iter().copied().chain(numbers.into_iter().flat_map(u64::to_le_bytes)).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let numbers = bytes.strip_prefix(MARK).filter(|numbers| numbers.len() == 32)?;
        let [generation, written, bytes, entries] = [0, 8, 16, 24].map(|at| u64_of(&numbers[at..at + 8]));
        Some(Self { generation, written, bytes, entries })
    }
}

const ASIDE: &str = "damaged.mdb";

/// Whether the file can be mapped: `Ok(Err(reason))` if not.
fn sound(path: &Path) -> Result<Result<(), String>, Error> {
    match File::open(path) {
        // Empty: its maker was killed before the first byte, and LMDB begins anew.
        Ok(file) if file.metadata().is_ok_and(|about| about.len() == 0) => Ok(Ok(())),
        Ok(file) if seal::is_sealed(&file) => Ok(Ok(())),
        Ok(file) => Ok(check::check(&file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ok(())),
        Err(error) => Err(Error::io(path, "open")(error)),
    }
}

fn put_aside(path: &Path, reason: String) -> Result<SetAside, Error> {
    let aside = path.with_file_name(ASIDE);
    fs::rename(path, &aside).map_err(Error::io(path, "set aside"))?;
    Ok(SetAside { path: path.to_path_buf(), aside, reason })
}

/// A mapped file and what it holds.
type Mapped = (Env<WithoutTls>, Database<'static, Bytes, Bytes>);

/// The file, mapped; `None` if it is sound and not one of ours. The caller holds the lock of its users.
fn open_env(folder: &Path, bytes_max: u64) -> Result<Option<Mapped>, Error> {
    let wrong = forecasts(folder);
    // Twice, for trees are never quite full, and room to copy pages while old ones are still read.
    let map_bytes = usize::try_from(2 * bytes_max + (32 << 20)).unwrap_or(usize::MAX / 2).next_multiple_of(1 << 16);
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_readers(1_024);
    #[expect(
        unsafe_code,
        reason = "mapping a file is sound only while nobody changes it behind LMDB's back: the folder is ours alone, who is \
                  first has walked the file and who comes later shares the lock of users, no environment of this folder is \
                  open in this process (heed refuses it), and no flag that weakens LMDB's own locking is set"
    )]
    // SAFETY: as the reason says.
    let env = unsafe { options.open(folder) }.map_err(&wrong)?;
    let txn = env.write_txn().map_err(&wrong)?;
    let database = env
        .create_databases_and_commit(txn, |opener, txn| -> heed::Result<_> {
            let entries = opener.create_database::<Bytes, Bytes>(txn, None)?;
            let tally = entries.get(txn, TALLY)?.map(|bytes| Tally::from_bytes(bytes).is_some());
            match tally {
                Some(true) => {}
                None if entries.is_empty(txn)? => entries.put(txn, TALLY, &Tally::default().to_bytes())?,
                _ => return Ok(CommitOrAbort::Abort(())),
            }
            Ok(CommitOrAbort::Commit(entries))
        })
        .map_err(&wrong)?;
    match database {
        CommitOrAbort::Commit(entries) => Ok(Some((env, entries))),
        CommitOrAbort::Abort(()) => Ok(None),
    }
}

fn open_users(folder: &Path) -> Result<File, Error> {
    let path = folder.join("users.lock");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    file.map_err(Error::io(path, "open the lock"))
}

/// Whether the lock is ours now; always, if `how` waits.
fn lock(users: &File, folder: &Path, how: FlockOperation) -> Result<bool, Error> {
    loop {
        match flock(users, how) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::io(folder, "lock")(errno.into())),
        }
    }
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, "remove")(error)),
        _ => Ok(()),
    }
}

/// For `map_err` on what LMDB says.
fn forecasts<E: ToString>(folder: &Path) -> impl Fn(E) -> Error {
    let folder = folder.to_path_buf();
    move |error| Error::Forecasts { folder: folder.clone(), reason: error.to_string() }
}

fn value_key(key: &Key) -> [u8; 33] {
    let mut bytes = [VALUE; 33];
    bytes[1..].copy_from_slice(key);
    bytes
}

fn age_key(generation: u64, key: &Key) -> [u8; 41] {
    let mut bytes = [AGE; 41];
    bytes[1..9].copy_from_slice(&generation.to_be_bytes());
    bytes[9..].copy_from_slice(key);
    bytes
}

fn key_of(bytes: &[u8]) -> Option<Key> {
    bytes.try_into().ok()
}

fn generation_of(stored: &[u8]) -> u64 {
    stored.get(..8).map_or(0, u64_of)
}

/// Generation and value, if they are what was written.
fn opened<'a>(key: &Key, stored: &'a [u8]) -> Option<(u64, &'a [u8])> {
    let (head, value) = stored.split_at_checked(16)?;
    (head[8..] == checksum(key, value)).then(|| (u64_of(&head[..8]), value))
}

fn checksum(key: &Key, value: &[u8]) -> [u8; 8] {
    let hash = blake3::Hasher::new_keyed(key).update(value).finalize();
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    short
}

/// What an entry with a value of so many bytes takes.
const fn cost(bytes: usize) -> u64 {
    bytes as u64 + ENTRY_BYTES
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
