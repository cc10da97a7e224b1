//! Imported sessions on disk and in memory. Start at [`SessionStore`].
//!
//! `sessions/<version>/` holds the files of a version and never changes; `names/<id>` says which version a session's name
//! stands for now, and is written last.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use railbird_f1::{EVENTS, GAPS, Import, Library, MANIFEST, Manifest, Opened, PACK, Stored, is_version, read_manifest};
use railbird_publish::{Refusal, RefusalKind};
use railbird_store::{
    AtomicDir, CacheRules, CacheStats, Committed, ContentHash, Error as StoreError, FileLock, SingleFlight,
    read_bounded, sweep, write_atomic,
};
use railbird_timeline::Clock;
use serde::Serialize;

use crate::{failure::Failure, settings::Settings};

/// Largest file of a stored session that is read, bytes.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Largest pointer from a name to a version, bytes.
const NAME_BYTES_MAX: u64 = 64;
/// Memory for manifests, bytes.
const MANIFEST_CACHE_BYTES: u64 = 64 << 20;
/// How long a commit waits for another.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Imported sessions of one data folder.
pub(crate) struct SessionStore {
    root: PathBuf,
    sessions_max: usize,
    manifests: SingleFlight<String, Arc<Manifest>>,
    stored: SingleFlight<String, Arc<Stored>>,
    opened: SingleFlight<String, Arc<Opened>>,
}

/// What a commit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// The session was not there.
    New,
    /// It was there, byte for byte.
    Unchanged,
    /// Its name stood for another version, which stays.
    NewVersion,
    /// Its stored files were damaged, and are whole again.
    Repaired,
}

impl SessionStore {
    /// The store of the data folder; nothing is read or made yet.
    pub(crate) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let rules = |bytes_max| CacheRules { bytes_max, ttl: None };
        // What is stored takes about a fifth of what it takes when opened.
        let bytes_max = settings.number("session_cache_bytes");
        Self {
            root: settings.data_dir().join("f1"),
            sessions_max: settings.size("sessions_max"),
            manifests: SingleFlight::new(rules(MANIFEST_CACHE_BYTES), Arc::clone(clock)),
            stored: SingleFlight::new(rules(bytes_max / 5), Arc::clone(clock)),
            opened: SingleFlight::new(rules(bytes_max - bytes_max / 5), Arc::clone(clock)),
        }
    }

    /// The version that a user's words stand for: an id, a version, a part of one id only, or `latest`, which is the
    /// session imported last.
    pub(crate) fn resolve(&self, words: &str) -> Result<String, Failure> {
        if is_version(words) && self.folder(words).is_dir() {
            return Ok(words.to_owned());
        }
        let ids = self.ids()?;
        let wanted = words.to_ascii_lowercase();
        let matching: Vec<&String> = match ids.iter().find(|id| **id == wanted) {
            Some(id) => vec![id],
            None if wanted == "latest" => self.latest(&ids).into_iter().collect(),
            None => ids.iter().filter(|id| id.contains(&wanted)).collect(),
        };
        match matching.as_slice() {
            [id] => Ok(self.version_of(id)?),
            [] if ids.is_empty() => Err(Failure::Failed(anyhow::anyhow!(
                "{words}: no session is imported into {}; `railbird f1 import PATH|URL` imports one",
                self.root.display()
            ))),
            [] => Err(Failure::Failed(anyhow::anyhow!("{words}: no such session; `railbird f1 sessions` lists them"))),
            several => {
                let names: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
                Err(Failure::usage(format!(
                    "{words}: stands for several sessions: {}; give more of the id",
                    names.join(", ")
                )))
            }
        }
    }

    /// The manifest of a version.
    pub(crate) fn manifest(&self, version: &str) -> Result<Arc<Manifest>, Refusal> {
        let load = || -> Result<(Arc<Manifest>, u64), Refusal> {
            let json = self.file(version, MANIFEST)?;
            let manifest = read_manifest(&json).map_err(|error| broken(format!("{version}: {error}")))?;
            Ok((Arc::new(manifest), 4 * json.len() as u64))
        };
        self.manifests.get(&version.to_owned(), load).map_err(|refusal| (*refusal).clone())
    }

    /// The stored session that was made from exactly these inputs, whether or not its files are whole.
    pub(crate) fn made_from(&self, hashes: &[(String, String)]) -> Option<Arc<Manifest>> {
        let made = |manifest: &Arc<Manifest>| {
            let inputs = manifest.inputs.iter().map(|input| (input.name.as_str(), input.blake3.as_str()));
            inputs.eq(hashes.iter().map(|(name, hash)| (name.as_str(), hash.as_str())))
        };
        self.sessions().ok()?.into_iter().find(made)
    }

    /// Whether every file of a version is the one that its manifest names.
    pub(crate) fn is_whole(&self, manifest: &Manifest) -> bool {
        self.read_whole(manifest).is_ok()
    }

    /// Writes an imported session: its files aside and renamed, its name last.
    pub(crate) fn commit(&self, import: &Import) -> Result<Change, Failure> {
        let (sessions, names) = (self.root.join("sessions"), self.root.join("names"));
        for folder in [&sessions, &names] {
            fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        }
        let _one_at_a_time = FileLock::acquire(&self.root.join("import.lock"), LOCK_PATIENCE)?;
        // A killed process may have left a name half written; half-written folders are swept where a new one begins.
        sweep(&names)?;
        let manifest = &import.manifest;
        let name = names.join(&manifest.id);
        let before = self.version_of(&manifest.id).ok();
        if before.is_none() && self.ids()?.len() >= self.sessions_max {
            return Err(Failure::refused_because(format!(
                "{}: holds {} sessions, as many as may be; raise sessions_max, or delete some",
                self.root.display(),
                self.sessions_max
            )));
        }
        let place = self.folder(&manifest.version);
        let change = match write(&place, import)? {
            Committed::New if before.is_none() => Change::New,
            Committed::New => Change::NewVersion,
            Committed::Kept if before.as_deref() == Some(&manifest.version) => Change::Unchanged,
            // The process that wrote the folder was killed before it wrote the name, or the name went on since.
            Committed::Kept if before.is_none() => Change::New,
            Committed::Kept => Change::NewVersion,
            // Damaged on the disk: a version's bytes follow from its input.
            Committed::Replaced => Change::Repaired,
        };
        if before.as_deref() != Some(&manifest.version) {
            write_atomic(&name, manifest.version.as_bytes())?;
        }
        if change == Change::Repaired {
            self.stored.forget(&manifest.version);
            self.opened.forget(&manifest.version);
        }
        Ok(change)
    }

    /// What happened in the caches: `(name, figures)`.
    pub(crate) fn caches(&self) -> [(&'static str, CacheStats); 3] {
        [("manifests", self.manifests.stats()), ("stored", self.stored.stats()), ("opened", self.opened.stats())]
    }

    fn folder(&self, version: &str) -> PathBuf {
        self.root.join("sessions").join(version)
    }

    /// Ids in alphabetical order.
    fn ids(&self) -> Result<Vec<String>, Refusal> {
        let folder = self.root.join("names");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(broken(format!("{}: {error}", folder.display()))),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(|name| is_id(name)).take(self.sessions_max).collect();
        ids.sort();
        Ok(ids)
    }

    fn latest<'a>(&self, ids: &'a [String]) -> Option<&'a String> {
        let written =
            |id: &&String| fs::metadata(self.root.join("names").join(id)).and_then(|name| name.modified()).ok();
        ids.iter().max_by_key(written)
    }

    fn file(&self, version: &str, name: &str) -> Result<Vec<u8>, Refusal> {
        if !is_version(version) {
            return Err(not_found(format!("{version}: is no version of a session")));
        }
        read_bounded(&self.folder(version).join(name), FILE_BYTES_MAX).map_err(|error| {
            if error.is_not_found() && !self.folder(version).is_dir() {
                return not_found(format!("{version}: no such version; it may have been deleted"));
            }
            broken(format!("{error}; import the session again"))
        })
    }

    /// All files of a version, each of them the one that its manifest names.
    fn read_whole(&self, manifest: &Manifest) -> Result<Vec<Bytes>, Refusal> {
        [PACK, EVENTS, GAPS]
            .into_iter()
            .map(|name| {
                let bytes = self.file(&manifest.version, name)?;
                let expected = manifest.files.iter().find(|file| file.name == name).map(|file| file.blake3.as_str());
                if expected == Some(ContentHash::of(&bytes).to_string().as_str()) {
                    return Ok(bytes.into());
                }
                let place = self.folder(&manifest.version).join(name);
                Err(broken(format!("{}: is not what was written; import the session again", place.display())))
            })
            .collect()
    }
}

impl Library for SessionStore {
    fn sessions(&self) -> Result<Vec<Arc<Manifest>>, Refusal> {
        let mut manifests = Vec::new();
        for id in self.ids()? {
            // One damaged session does not hide the others; asking for it says what is wrong with it.
            match self.version_of(&id).and_then(|version| self.manifest(&version)) {
                Ok(manifest) => manifests.push(manifest),
                Err(refusal) => tracing::warn!(session = id, %refusal, "left out of the list"),
            }
        }
        Ok(manifests)
    }

    fn version_of(&self, id: &str) -> Result<String, Refusal> {
        if !is_id(id) {
            return Err(not_found(format!("{id}: no such session")));
        }
        let bytes = read_bounded(&self.root.join("names").join(id), NAME_BYTES_MAX).map_err(|error| {
            if error.is_not_found() { not_found(format!("{id}: no such session")) } else { broken(error.to_string()) }
        })?;
        let version = String::from_utf8_lossy(&bytes).trim().to_owned();
        if is_version(&version) {
            Ok(version)
        } else {
            Err(broken(format!("{id}: names no version; import the session again")))
        }
    }

    fn stored(&self, version: &str) -> Result<Arc<Stored>, Refusal> {
        let load = || -> Result<(Arc<Stored>, u64), Refusal> {
            let manifest = self.manifest(version)?;
            let manifest_json = self.file(version, MANIFEST)?.into();
            let [pack, events, gaps] = <[Bytes; 3]>::try_from(self.read_whole(&manifest)?)
                .map_err(|_| broken(format!("{version}: files are missing; import the session again")))?;
            let stored = Stored { manifest, manifest_json, pack, events, gaps };
            let bytes = stored.bytes() as u64;
            Ok((Arc::new(stored), bytes))
        };
        self.stored.get(&version.to_owned(), load).map_err(|refusal| (*refusal).clone())
    }

    fn stored_in_memory(&self, version: &str) -> Option<Arc<Stored>> {
        self.stored.peek(&version.to_owned())
    }

    fn opened(&self, version: &str) -> Result<Arc<Opened>, Refusal> {
        let load = || -> Result<(Arc<Opened>, u64), Refusal> {
            let opened = self.stored(version)?.open().map_err(|error| broken(format!("{version}: {error}")))?;
            let bytes = opened.bytes() as u64;
            Ok((Arc::new(opened), bytes))
        };
        self.opened.get(&version.to_owned(), load).map_err(|refusal| (*refusal).clone())
    }

    fn opened_in_memory(&self, version: &str) -> Option<Arc<Opened>> {
        self.opened.peek(&version.to_owned())
    }
}

fn write(place: &Path, import: &Import) -> Result<Committed, StoreError> {
    let mut folder = AtomicDir::begin(place)?;
    for (name, bytes) in &import.files {
        folder.write(name, bytes)?;
    }
    folder.commit_replacing()
}

/// Whether a name is one that sessions have: small letters, digits and hyphens.
fn is_id(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('-')
        && !name.starts_with("tmp-")
        && name.bytes().all(plain)
}

fn broken(message: impl Into<String>) -> Refusal {
    Refusal { kind: RefusalKind::Broken, message: message.into() }
}

fn not_found(message: impl Into<String>) -> Refusal {
    Refusal { kind: RefusalKind::NotFound, message: message.into() }
}
