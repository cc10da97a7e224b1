//! A lake in an object store. Start at [`Remote::open`].
//!
//! The store's client is asynchronous and runs on threads of its own; everything here blocks its caller, a worker thread.
//!
//! A claim is an object that its owner rewrites every third of the lease. Whoever has seen it unchanged for a whole lease, by
//! his own clock, may take it over on condition that it is still unchanged. Claims save double work; that no result is torn
//! rests on the conditional commit alone.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
    path::Path,
};
use railbird_store::ContentHash;
use railbird_timeline::Clock;
use tokio::{runtime::Runtime, task::JoinHandle};
use url::Url;

use super::{Claim, Entry, Objects, Part, Storage, Stored, Version};
use crate::Error;

/// Folder of the claims.
const CLAIMS: &str = "claims";
/// Largest object that is put in one request, and the size of the pieces of larger ones.
const PIECE_BYTES: usize = 8 << 20;
/// A day: nobody writes for so long between putting data and naming it.
const ORPHAN_AGE_NS: i64 = 24 * 3600 * 1_000_000_000;
/// Threads of the client. It waits more than it works.
const CLIENT_THREADS: usize = 2;

/// Counts the claims of this process, so that no two have one owner.
static CLAIMS_MADE: AtomicU64 = AtomicU64::new(0);

/// An object store.
pub(crate) struct Remote {
    client: Arc<Client>,
    seen: Mutex<HashMap<String, Seen>>,
}

struct Client {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    location: String,
    runtime: Runtime,
    clock: Arc<dyn Clock>,
    lease: Duration,
}

/// Another's claim, and since when it is as it is.
struct Seen {
    tag: Option<String>,
    since: Duration,
}

impl Remote {
    /// A folder of the store that `url` names. `settings`: the store's own, by name, such as `aws_endpoint`.
    pub(crate) fn open(
        url: &Url,
        settings: &[(String, String)],
        lease: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let location = url.as_str().trim_end_matches('/').to_owned();
        let settings = settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let (store, prefix) =
            object_store::parse_url_opts(url, settings).map_err(Error::remote(location.as_str(), "open"))?;
        Self::over(Arc::from(store), prefix, location, lease, clock)
    }

    fn over(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        location: String,
        lease: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(CLIENT_THREADS)
            .thread_name("lake-client")
            .enable_all()
            .build()
            .map_err(Error::io(location.as_str(), "start the client of"))?;
        let client = Client { store, prefix, location, runtime, clock, lease };
        Ok(Self { client: Arc::new(client), seen: Mutex::default() })
    }

    /// Takes over a claim that nobody has renewed for a lease; `None` while it is too early, or where another was quicker.
    fn take_over(&self, path: &Path, owner: &str) -> Result<Option<UpdateVersion>, Error> {
        let client = &self.client;
        let found = match client.wait(client.store.head(path)) {
            Ok(found) => found,
            // Freed meanwhile; the next try gets it.
            Err(object_store::Error::NotFound { .. }) => {
                self.forget(path);
                return Ok(None);
            }
            Err(error) => return Err(Error::remote(client.place(path.as_ref()), "look at the claim")(error)),
        };
        let now = client.clock.monotonic();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = seen.entry(path.to_string()).or_insert_with(|| Seen { tag: found.e_tag.clone(), since: now });
            if entry.tag != found.e_tag {
                *entry = Seen { tag: found.e_tag.clone(), since: now };
            }
            if now.saturating_sub(entry.since) < client.lease {
                return Ok(None);
            }
        }
        let mode = PutMode::Update(UpdateVersion { e_tag: found.e_tag, version: found.version });
        match client.wait(client.store.put_opts(path, beat(owner, 0), PutOptions::from(mode))) {
            Ok(put) => {
                self.forget(path);
                Ok(Some(put.into()))
            }
            Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::remote(client.place(path.as_ref()), "take over the claim")(error)),
        }
    }

    fn forget(&self, path: &Path) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(path.as_ref());
    }
}

impl Client {
    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn path(&self, path: &str) -> Path {
        self.prefix.parts().chain(Path::from(path).parts()).collect()
    }

    fn place(&self, path: &str) -> String {
        let below = path.strip_prefix(self.prefix.as_ref()).unwrap_or(path).trim_start_matches('/');
        format!("{}/{below}", self.location)
    }

    /// The bytes of an object, piece by piece.
    fn stream(&self, path: &str, mut each: impl FnMut(&Bytes) -> io::Result<()>) -> Result<(), Error> {
        let failed = |error| Error::remote(self.place(path), "read")(error);
        let mut stream = self.wait(self.store.get(&self.path(path))).map_err(failed)?.into_stream();
        while let Some(piece) = self.wait(stream.next()) {
            each(&piece.map_err(failed)?).map_err(Error::io(self.place(path), "spool"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Remote").field("location", &self.client.location).finish_non_exhaustive()
    }
}

impl Storage for Remote {
    fn place(&self, path: &str) -> String {
        self.client.place(path)
    }

    fn get(&self, path: &str, bytes_max: u64) -> Result<Option<Stored>, Error> {
        let client = &self.client;
        let failed = |error| Error::remote(client.place(path), "read")(error);
        let got = match client.wait(client.store.get_opts(&client.path(path), GetOptions::default())) {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let too_large = || railbird_store::Error::TooLarge { place: client.place(path), bytes_max };
        if got.meta.size > bytes_max {
            return Err(too_large().into());
        }
        let version =
            Version::Tagged(UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() });
        let mut bytes = Vec::new();
        let mut stream = got.into_stream();
        while let Some(piece) = client.wait(stream.next()) {
            bytes.extend_from_slice(&piece.map_err(failed)?);
            if bytes.len() as u64 > bytes_max {
                return Err(too_large().into());
            }
        }
        Ok(Some(Stored { bytes, version }))
    }

    fn put(&self, path: &str, bytes: &[u8], version: Option<&Version>) -> Result<bool, Error> {
        let client = &self.client;
        let mode = match version {
            None => PutMode::Create,
            Some(Version::Tagged(version)) => PutMode::Update(version.clone()),
            Some(Version::Locked) => PutMode::Overwrite,
        };
        let payload = PutPayload::from(bytes.to_vec());
        match client.wait(client.store.put_opts(&client.path(path), payload, PutOptions::from(mode))) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(Error::remote(client.place(path), "commit")(error)),
        }
    }

    fn begin(&self, folder: &str) -> Result<Box<dyn Part>, Error> {
        let place = self.client.place(folder);
        // Without a name on the disk: a killed process leaves nothing.
        let spool = tempfile::tempfile().map_err(Error::io(place, "make a spool file for"))?;
        Ok(Box::new(RemotePart {
            client: Arc::clone(&self.client),
            folder: folder.to_owned(),
            spool: BufWriter::new(spool),
        }))
    }

    fn open(&self, path: &str, bytes: u64, hash: ContentHash) -> Result<File, Error> {
        // Spooled whole: a Parquet file of hundreds of columns is read in hundreds of small ranges, each of which would be a request.
        let place = self.client.place(path);
        let mut spool = tempfile::tempfile().map_err(Error::io(place.as_str(), "make a spool file for"))?;
        let (mut hasher, mut length) = (blake3::Hasher::new(), 0);
        self.client.stream(path, |piece| {
            hasher.update(piece);
            length += piece.len() as u64;
            if length > bytes {
                return Err(io::Error::other(format!("longer than the {bytes} bytes of its manifest")));
            }
            spool.write_all(piece)
        })?;
        let found = hasher.finalize();
        if found.as_bytes() != hash.as_bytes() {
            return Err(Error::Damaged {
                place,
                expected: format!("content {hash}"),
                found: found.to_hex().as_str().to_owned(),
            });
        }
        Ok(spool)
    }

    fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        match self.client.wait(self.client.store.head(&self.client.path(path))) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::remote(self.client.place(path), "look at")(error)),
        }
    }

    fn hash(&self, path: &str) -> Result<ContentHash, Error> {
        let mut hasher = blake3::Hasher::new();
        self.client.stream(path, |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        Ok(hasher.finalize().to_hex().parse()?)
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let client = &self.client;
        let folder_path = client.path(folder);
        let found: Vec<_> = client
            .wait(client.store.list(Some(&folder_path)).try_collect())
            .map_err(Error::remote(client.place(folder), "list"))?;
        let mut entries: Vec<Entry> = found
            .into_iter()
            .filter_map(|meta| {
                let path: Path = meta.location.prefix_match(&client.prefix)?.collect();
                let modified_ns = meta.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX);
                Some(Entry { path: path.to_string(), bytes: meta.size, modified_ns })
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        match self.client.wait(self.client.store.delete(&self.client.path(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::remote(self.client.place(path), "remove")(error)),
        }
    }

    fn claim(&self, folder: &str) -> Result<Option<Box<dyn Claim>>, Error> {
        let client = &self.client;
        let path = client.path(&format!("{CLAIMS}/{}", folder.replace('/', "+")));
        let owner =
            format!("{}-{}-{}", std::process::id(), client.clock.now().0, CLAIMS_MADE.fetch_add(1, Ordering::Relaxed));
        let options = PutOptions::from(PutMode::Create);
        let version = match client.wait(client.store.put_opts(&path, beat(&owner, 0), options)) {
            Ok(put) => put.into(),
            Err(object_store::Error::AlreadyExists { .. }) => match self.take_over(&path, &owner)? {
                Some(version) => version,
                None => return Ok(None),
            },
            Err(error) => return Err(Error::remote(client.place(path.as_ref()), "claim")(error)),
        };
        Ok(Some(Box::new(RemoteClaim::hold(Arc::clone(client), path, owner, version))))
    }

    fn orphan_age_ns(&self) -> i64 {
        ORPHAN_AGE_NS
    }

    fn objects(&self) -> Result<Objects, Error> {
        Ok(Objects { store: Arc::clone(&self.client.store), prefix: self.client.prefix.clone() })
    }
}

/// Content of a claim; another one each time, so that its tag changes.
fn beat(owner: &str, number: u64) -> PutPayload {
    PutPayload::from(format!("{{\"owner\":\"{owner}\",\"beat\":{number}}}\n").into_bytes())
}

struct RemotePart {
    client: Arc<Client>,
    folder: String,
    spool: BufWriter<File>,
}

impl Write for RemotePart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spool.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

impl Part for RemotePart {
    fn reader(&mut self) -> Result<File, Error> {
        let failed = |action| Error::io(self.client.place(&self.folder), action);
        let flushed = self.spool.flush();
        flushed.map_err(failed("spool for"))?;
        self.spool.get_ref().try_clone().map_err(failed("open the spool file of"))
    }

    fn commit(self: Box<Self>, name: &str) -> Result<(), Error> {
        let Self { client, folder, spool } = *self;
        let path = client.path(&format!("{folder}/{name}"));
        let place = client.place(path.as_ref());
        let spooled = |action| Error::io(place.as_str(), action);
        let mut spool = spool.into_inner().map_err(|error| spooled("spool")(error.into_error()))?;
        spool.seek(SeekFrom::Start(0)).map_err(spooled("spool"))?;
        let mut piece = next_piece(&mut spool).map_err(spooled("spool"))?;
        if piece.len() < PIECE_BYTES {
            let put = client.wait(client.store.put(&path, PutPayload::from(piece)));
            return put.map(drop).map_err(Error::remote(place.as_str(), "put"));
        }
        let mut upload =
            client.wait(client.store.put_multipart(&path)).map_err(Error::remote(place.as_str(), "put"))?;
        while !piece.is_empty() {
            // One after the other: memory for one piece, and a worker for each of the other tasks meanwhile.
            if let Err(error) = client.wait(upload.put_part(PutPayload::from(piece))) {
                return Err(abort(&client, upload, &place, error));
            }
            piece = next_piece(&mut spool).map_err(spooled("spool"))?;
        }
        match client.wait(upload.complete()) {
            Ok(_) => Ok(()),
            Err(error) => Err(abort(&client, upload, &place, error)),
        }
    }
}

fn abort(client: &Client, mut upload: Box<dyn MultipartUpload>, place: &str, error: object_store::Error) -> Error {
    // The first error is the one to tell; what the store keeps of the pieces its own rules remove.
    let _ = client.wait(upload.abort());
    Error::remote(place, "put")(error)
}

fn next_piece(spool: &mut File) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    spool.take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

struct RemoteClaim {
    client: Arc<Client>,
    path: Path,
    lost: Arc<AtomicBool>,
    heart: JoinHandle<()>,
}

impl RemoteClaim {
    /// Holds a claim: rewrites it every third of the lease until dropped, or until somebody else has it.
    fn hold(client: Arc<Client>, path: Path, owner: String, mut version: UpdateVersion) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let heart = {
            let (store, path, lost, pause) =
                (Arc::clone(&client.store), path.clone(), Arc::clone(&lost), client.lease / 3);
            client.runtime.spawn(async move {
                for number in 1.. {
                    tokio::time::sleep(pause).await;
                    let options = PutOptions::from(PutMode::Update(version.clone()));
                    match store.put_opts(&path, beat(&owner, number), options).await {
                        Ok(put) => version = put.into(),
                        Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => {
                            lost.store(true, Ordering::Release);
                            return;
                        }
                        // The store did not answer: tried again, and if it does not before the lease is over, another takes over.
                        Err(error) => tracing::warn!(claim = %path, %error, "a claim was not renewed"),
                    }
                }
            })
        };
        Self { client, path, lost, heart }
    }
}

impl Claim for RemoteClaim {
    fn is_held(&self) -> bool {
        !self.lost.load(Ordering::Acquire)
    }
}

impl Drop for RemoteClaim {
    fn drop(&mut self) {
        self.heart.abort();
        // Waited for, so that no beat is on its way when the claim goes.
        let _ = self.client.wait(&mut self.heart);
        if self.is_held() && self.client.wait(self.client.store.delete(&self.path)).is_err() {
            tracing::debug!(claim = %self.path, "a claim was not freed; its lease ends by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use railbird_timeline::{ManualClock, Ts};

    use super::*;

    const LEASE: Duration = Duration::from_secs(600);

    fn two_machines() -> (Remote, Remote, ManualClock) {
        let (store, clock) = (Arc::new(InMemory::new()), ManualClock::new(Ts(0)));
        let machine = || {
            let store = Arc::clone(&store) as Arc<dyn ObjectStore>;
            Remote::over(store, Path::from("lake"), "memory:///lake".into(), LEASE, Arc::new(clock.clone())).unwrap()
        };
        (machine(), machine(), clock)
    }

    #[test]
    fn a_claim_is_held_by_one_and_freed_when_dropped() {
        let (one, two, _) = two_machines();
        let held = one.claim("stage=a/symbol=S/date=2024-01-02").unwrap().unwrap();
        assert!(held.is_held());
        assert!(two.claim("stage=a/symbol=S/date=2024-01-02").unwrap().is_none());
        assert!(two.claim("stage=a/symbol=S/date=2024-01-03").unwrap().is_some());
        drop(held);
        assert!(two.claim("stage=a/symbol=S/date=2024-01-02").unwrap().is_some());
    }

    #[test]
    fn a_claim_that_nobody_renews_goes_to_one_of_those_who_waited_a_lease() {
        let (one, two, clock) = two_machines();
        let path = Path::from("lake/claims/folder");
        // A claim of a machine that died: nobody renews it.
        one.client.wait(one.client.store.put(&path, beat("dead", 0))).unwrap();
        assert!(one.claim("folder").unwrap().is_none());
        clock.advance(LEASE - Duration::from_nanos(1));
        assert!(one.claim("folder").unwrap().is_none());
        // Another machine sees it for the first time, and has to wait for a lease of its own.
        assert!(two.claim("folder").unwrap().is_none());
        clock.advance(Duration::from_nanos(1));
        let held = one.claim("folder").unwrap().expect("a lease is over");
        clock.advance(LEASE);
        assert!(two.claim("folder").unwrap().is_none(), "it was taken over meanwhile and counts anew");
        assert!(held.is_held());
    }

    #[test]
    fn a_commit_finds_that_another_was_quicker() {
        let (one, two, _) = two_machines();
        assert!(one.put("a/manifest.json", b"1", None).unwrap());
        assert!(!two.put("a/manifest.json", b"2", None).unwrap());
        let seen = two.get("a/manifest.json", 10).unwrap().unwrap();
        assert!(one.put("a/manifest.json", b"3", Some(&seen.version)).unwrap());
        assert!(!two.put("a/manifest.json", b"4", Some(&seen.version)).unwrap());
        assert_eq!(two.get("a/manifest.json", 10).unwrap().unwrap().bytes, b"3");
        assert!(two.get("a/manifest.json", 0).is_err());
    }

    #[test]
    fn large_parts_go_in_pieces_and_come_back_checked() {
        let (one, _, _) = two_machines();
        let bytes: Vec<u8> = (0..PIECE_BYTES * 2 + 1000).map(|at| (at / 7) as u8).collect();
        for (name, bytes) in [("small", &bytes[..100]), ("even", &bytes[..PIECE_BYTES]), ("large", &bytes)] {
            let mut part = one.begin("folder").unwrap();
            part.write_all(bytes).unwrap();
            part.commit(name).unwrap();
            let (path, hash) = (format!("folder/{name}"), ContentHash::of(bytes));
            assert_eq!(one.size(&path).unwrap(), Some(bytes.len() as u64));
            assert_eq!(one.hash(&path).unwrap(), hash);
            let mut file = one.open(&path, bytes.len() as u64, hash).unwrap();
            let mut back = Vec::new();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_to_end(&mut back).unwrap();
            assert!(back == bytes, "{name}");
            let wrong = one.open(&path, bytes.len() as u64, ContentHash::of(b"other"));
            assert!(matches!(wrong, Err(Error::Damaged { .. })));
        }
        let names: Vec<_> = one.list("folder").unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(names, ["folder/even", "folder/large", "folder/small"]);
        one.remove("folder/even").unwrap();
        one.remove("folder/even").unwrap();
        assert_eq!(one.list("folder").unwrap().len(), 2);
    }
}
