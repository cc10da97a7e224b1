//! Imports that run beside the server, one after another. Start at [`Jobs`].
//!
//! A request names a path below an import root or a URL of an allowed host; both are checked before anything is read,
//! and again when it is read, since links and names may have changed.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use railbird_f1::{ImportRequest, ImportRules, ImportStatus, Imports, Input};
use railbird_fetch::{FetchRules, HostRule, Hosts};
use railbird_publish::{Refusal, RefusalKind};
use railbird_serve::Metric;
use railbird_timeline::Clock;
use url::Url;

use super::{
    import::{How, import_one},
    input,
    library::SessionStore,
};
use crate::{failure::Failure, settings::Settings, stages::Stages};

/// Imports that may wait; a further one is refused.
const QUEUE_MAX: usize = 8;
/// Uploads of those, which wait in memory.
const UPLOADS_MAX: usize = 2;
/// Largest upload, bytes: a whole race is an archive of 10 to 20 MB.
const UPLOAD_BYTES_MAX: u64 = 64 << 20;
/// Imports whose outcome is kept.
const KEPT_MAX: usize = 256;

/// Imports asked for over HTTP.
pub(crate) struct Jobs {
    rules: Rules,
    /// As configured.
    hosts: Vec<String>,
    queue: SyncSender<(String, Job)>,
    uploads: Arc<AtomicUsize>,
    // std Mutex: held for a lookup, never while importing.
    statuses: Arc<Mutex<Statuses>>,
    next: AtomicU64,
    refused: AtomicU64,
}

/// What is to be imported.
enum Job {
    /// What is named.
    Request(ImportRequest),
    /// What was sent.
    Upload(Input),
}

/// What may be imported over HTTP.
#[derive(Debug, Clone)]
struct Rules {
    /// Real paths of the import roots.
    roots: Vec<PathBuf>,
    /// The allowed hosts, by HTTPS, at public addresses only.
    fetch: FetchRules,
    bytes_max: u64,
}

#[derive(Default)]
struct Statuses {
    by_name: BTreeMap<String, ImportStatus>,
    order: VecDeque<String>,
    done: u64,
    failed: u64,
}

impl Jobs {
    /// Starts the thread that imports. It ends when this is dropped and what it does is done.
    pub(crate) fn start(
        settings: &Settings,
        store: Arc<SessionStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Failure> {
        let mut roots = Vec::new();
        for root in settings.list("import_roots") {
            let real = Path::new(root).canonicalize();
            roots.push(real.map_err(|error| Failure::usage(format!("import_roots: {root}: {error}")))?);
        }
        let host =
            |host: &String| host.parse::<HostRule>().map_err(|error| Failure::usage(format!("import_hosts: {error}")));
        let hosts = settings.list("import_hosts").iter().map(host).collect::<Result<_, _>>()?;
        let fetch = FetchRules::new(Hosts::Listed(hosts));
        let rules = Rules { roots, fetch, bytes_max: settings.number("import_bytes_max") };
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let statuses = Arc::new(Mutex::new(Statuses::default()));
        let uploads = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            rules: rules.clone(),
            store,
            clock,
            statuses: Arc::clone(&statuses),
            uploads: Arc::clone(&uploads),
        };
        thread::Builder::new().name("imports".to_owned()).spawn(move || worker.run(&waiting))?;
        let (next, refused) = (AtomicU64::new(1), AtomicU64::new(0));
        Ok(Arc::new(Self {
            rules,
            hosts: settings.list("import_hosts").to_vec(),
            queue,
            uploads,
            statuses,
            next,
            refused,
        }))
    }

    /// Counters for the metrics page.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let statuses = lock(&self.statuses);
        let refused = self.refused.load(Ordering::Relaxed);
        let open = statuses.by_name.values().filter(|status| matches!(status.state, "queued" | "running")).count();
        vec![
            Metric::counter("railbird_imports_done_total", "Imports over HTTP that ended well", statuses.done),
            Metric::counter("railbird_imports_failed_total", "Imports over HTTP that failed", statuses.failed),
            Metric::counter("railbird_imports_refused_total", "Imports over HTTP that were not allowed", refused),
            Metric::gauge("railbird_imports_open", "Imports over HTTP that wait or run", open as f64),
        ]
    }
}

impl Imports for Jobs {
    fn start(&self, request: ImportRequest) -> Result<String, Refusal> {
        let checked = match &request {
            ImportRequest::Path(path) => self.rules.path(path).map(|_| ()),
            ImportRequest::Url(url) => self.rules.url(url),
        };
        if let Err(refusal) = checked {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(refusal);
        }
        self.queue(Job::Request(request))
    }

    fn start_upload(&self, input: Input) -> Result<String, Refusal> {
        let room = |waiting: usize| (waiting < UPLOADS_MAX).then_some(waiting + 1);
        self.uploads.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).map_err(|_| Refusal {
            kind: RefusalKind::Busy,
            message: format!("imports: {UPLOADS_MAX} uploads wait already; try again later"),
        })?;
        self.queue(Job::Upload(input)).inspect_err(|_| {
            self.uploads.fetch_sub(1, Ordering::AcqRel);
        })
    }

    fn rules(&self) -> ImportRules {
        ImportRules {
            paths: !self.rules.roots.is_empty(),
            hosts: self.hosts.clone(),
            upload_bytes_max: self.rules.bytes_max.min(UPLOAD_BYTES_MAX) as usize,
        }
    }

    fn status(&self, import: &str) -> Option<ImportStatus> {
        lock(&self.statuses).by_name.get(import).cloned()
    }
}

impl Jobs {
    fn queue(&self, job: Job) -> Result<String, Refusal> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        lock(&self.statuses).set(&name, status("queued", "queued", 0.0));
        self.queue.try_send((name.clone(), job)).map_err(|error| {
            lock(&self.statuses).forget(&name);
            let message = match error {
                TrySendError::Full(_) => format!("imports: {QUEUE_MAX} wait already; try again later"),
                TrySendError::Disconnected(_) => "imports: the importer has stopped; restart the server".to_owned(),
            };
            Refusal { kind: RefusalKind::Busy, message }
        })?;
        Ok(name)
    }
}

impl Rules {
    /// The real path, if it lies below an import root. Says the same of a path elsewhere and of one that is not there.
    fn path(&self, path: &str) -> Result<(PathBuf, &Path), Refusal> {
        let refused = || {
            let hint = if self.roots.is_empty() { "; none is set, see import_roots in `railbird config`" } else { "" };
            forbidden(format!("{path:?}: not found below an import root{hint}"))
        };
        let inside = |root: &PathBuf| {
            let real = root.join(path).canonicalize().ok()?;
            real.starts_with(root).then_some(real)
        };
        self.roots.iter().find_map(|root| Some((inside(root)?, root.as_path()))).ok_or_else(refused)
    }

    /// Refuses a URL that the rules forbid; the address behind its name is checked when it is fetched.
    fn url(&self, url: &str) -> Result<(), Refusal> {
        let parsed = Url::parse(url).map_err(|error| forbidden(format!("{url:?}: is no URL: {error}")))?;
        let refused = |error| forbidden(format!("{error}; see import_hosts in `railbird config`"));
        self.fetch.check(&parsed).map_err(refused)
    }
}

/// The thread that imports.
struct Worker {
    rules: Rules,
    store: Arc<SessionStore>,
    clock: Arc<dyn Clock>,
    statuses: Arc<Mutex<Statuses>>,
    uploads: Arc<AtomicUsize>,
}

impl Worker {
    fn run(&self, waiting: &Receiver<(String, Job)>) {
        while let Ok((name, job)) = waiting.recv() {
            let upload = matches!(job, Job::Upload(_));
            match &job {
                Job::Request(request) => tracing::info!(import = name, ?request, "import starts"),
                Job::Upload(input) => tracing::info!(import = name, upload = input.name, "import starts"),
            }
            let outcome = self.import(&name, job);
            if upload {
                self.uploads.fetch_sub(1, Ordering::AcqRel);
            }
            let mut statuses = lock(&self.statuses);
            match outcome {
                Ok((session, version)) => {
                    tracing::info!(import = name, session, version, "import done");
                    statuses.done += 1;
                    let done =
                        ImportStatus { session: Some(session), version: Some(version), ..status("done", "done", 1.0) };
                    statuses.set(&name, done);
                }
                Err(failure) => {
                    tracing::info!(import = name, %failure, "import failed");
                    statuses.failed += 1;
                    let failed = ImportStatus { error: Some(failure.to_string()), ..status("failed", "failed", 1.0) };
                    statuses.set(&name, failed);
                }
            }
        }
    }

    fn import(&self, name: &str, job: Job) -> Result<(String, String), Failure> {
        let mut stages = Stages::start(&*self.clock);
        lock(&self.statuses).set(name, status("running", "read", 0.1));
        let bytes_max = self.rules.bytes_max;
        let read = match job {
            Job::Upload(input) => input::Read { input, skipped: Vec::new() },
            Job::Request(ImportRequest::Path(path)) => {
                let (real, root) = self.rules.path(&path)?;
                input::read_path(&real, bytes_max, Some(root))?
            }
            Job::Request(ImportRequest::Url(url)) => {
                input::read_url(&url, self.rules.fetch.clone(), bytes_max, &self.clock)?
            }
        };
        stages.end("read");
        lock(&self.statuses).set(name, status("running", "import", 0.5));
        let imported = import_one(&self.store, &self.clock, read, How::default(), stages)?;
        Ok((imported.session, imported.version))
    }
}

impl Statuses {
    fn set(&mut self, name: &str, status: ImportStatus) {
        if self.by_name.insert(name.to_owned(), status).is_none() {
            self.order.push_back(name.to_owned());
            if self.order.len() > KEPT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_name.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
        self.order.retain(|kept| kept != name);
    }
}

fn status(state: &'static str, stage: &str, fraction: f64) -> ImportStatus {
    ImportStatus { state, stage: stage.to_owned(), fraction, session: None, version: None, error: None }
}

fn forbidden(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Forbidden, message }
}

fn lock(statuses: &Mutex<Statuses>) -> MutexGuard<'_, Statuses> {
    statuses.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(root: &Path) -> Rules {
        let hosts =
            ["livetiming.formula1.com", "archive.example:8080", "127.0.0.1"].map(|host| host.parse().expect("a host"));
        let roots = vec![root.canonicalize().expect("the root")];
        Rules { roots, fetch: FetchRules::new(Hosts::Listed(hosts.to_vec())), bytes_max: 1 }
    }

    #[test]
    fn only_paths_below_a_root_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("race")).expect("a folder");
        std::fs::create_dir(folder.path().join("secret")).expect("a folder");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).expect("a link");
        let rules = rules(&root);
        assert!(rules.path("race").is_ok());
        assert!(rules.path(root.join("race").to_str().expect("UTF-8")).is_ok());
        for outside in ["..", "../secret", "link", "/etc", "race/../../secret", "gone", "race\0", ""] {
            let refused = rules.path(outside).map(|(path, _)| path);
            if outside.is_empty() {
                // The root itself is below the root.
                assert!(refused.is_ok());
                continue;
            }
            assert!(matches!(&refused, Err(Refusal { kind: RefusalKind::Forbidden, .. })), "{outside:?}: {refused:?}");
        }
    }

    #[test]
    fn only_allowed_hosts_are_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rules = rules(folder.path());
        for good in [
            "https://livetiming.formula1.com/static/",
            "https://LiveTiming.Formula1.com/",
            "https://archive.example:8080/a",
        ] {
            assert!(rules.url(good).is_ok(), "{good}");
        }
        for bad in [
            "file:///etc/passwd",
            "https://archive.example/",
            "http://livetiming.formula1.com/",
            "https://livetiming.formula1.com:22/",
            "https://livetiming.formula1.com.evil.example/",
            "https://user@livetiming.formula1.com/",
            "https://127.0.0.1/",
            "livetiming.formula1.com",
        ] {
            assert!(rules.url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn outcomes_are_kept_up_to_a_bound() {
        let mut statuses = Statuses::default();
        for number in 0..KEPT_MAX + 10 {
            statuses.set(&number.to_string(), status("queued", "queued", 0.0));
        }
        assert_eq!((statuses.by_name.len(), statuses.order.len()), (KEPT_MAX, KEPT_MAX));
        assert!(!statuses.by_name.contains_key("9") && statuses.by_name.contains_key("10"));
    }
}
