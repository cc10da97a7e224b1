//! `railbird serve`: the fields' offers and the pages on one address. Start at [`serve`], which `demo` and `f1 replay`
//! call too.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use railbird_serve::{Access, Limits, Metric, Page, Pages, ServeConfig, ServeError, Token};
use railbird_store::CacheStats;
use serde::Serialize;
use tokio::{net::TcpListener, runtime::Runtime};

use super::{Context, book, f1, market};
use crate::{
    failure::{Failure, Outcome},
    settings::Settings,
};

/// Largest token file, bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// A server that listens.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listening {
    /// Root of its pages, without a slash at the end.
    pub(crate) url: String,
    /// Address that it is bound to.
    pub(crate) address: SocketAddr,
    /// Folder of the sessions that it serves.
    pub(crate) data_dir: String,
}

/// Serves until interrupted.
pub(crate) fn run(context: &Context) -> Result<Outcome, Failure> {
    let field = f1::Field::new(&context.settings);
    serve(context, &field, |listening| {
        context.output.write(listening, |listening| format!("{}  (Ctrl-C ends it)", listening.url))
    })
}

/// Serves until interrupted, or until `ready` says otherwise by failing; calls `ready` on a thread of its own once
/// connections are accepted.
pub(crate) fn serve(
    context: &Context,
    field: &f1::Field,
    ready: impl FnOnce(&Listening) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let running = Running::start(context, field)?;
    ready(&running.listening)?;
    running.until(interrupted())
}

/// A server on a runtime of its own.
pub(crate) struct Running {
    runtime: Runtime,
    pub(crate) listening: Listening,
    stop: tokio::sync::oneshot::Sender<()>,
    server: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Binds and serves.
    pub(crate) fn start(context: &Context, field: &f1::Field) -> Result<Self, Failure> {
        let settings = &context.settings;
        let address = address(settings)?;
        let jobs = field.jobs(settings)?;
        let days = Arc::new(book::LakeDays::new(settings, &field.clock));
        let studies = Arc::new(market::KeptStudies::new(settings, &field.clock));
        let config = config(settings, field, &jobs, &days, &studies)?;
        config.check(address).map_err(|error| Failure::usage(error.to_string()))?;
        let offers = vec![
            railbird_f1::offer(Arc::clone(&field.store) as Arc<dyn railbird_f1::Library>, jobs),
            railbird_book::offer::offer(days),
            railbird_market::offer::offer(studies),
        ];
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("async runtime")?;
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .with_context(|| format!("{address}: cannot be bound; choose another --port, or 0 for a free one"))?;
        let bound = listener.local_addr()?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let server = runtime.spawn(railbird_serve::serve(listener, config, offers, pages(), async {
            // A sender that is gone stops the server as well.
            let _ = stopped.await;
        }));
        let listening =
            Listening { url: url(bound), address: bound, data_dir: settings.data_dir().display().to_string() };
        Ok(Self { runtime, listening, stop, server })
    }

    /// Serves until `end` completes, then lets open requests finish.
    pub(crate) fn until(self, end: impl Future<Output = ()>) -> Result<Outcome, Failure> {
        let Self { runtime, stop, mut server, .. } = self;
        let served = runtime.block_on(async {
            tokio::select! {
                // Only a server that could not start ends by itself.
                ended = &mut server => return ended,
                () = end => {}
            }
            let _ = stop.send(());
            server.await
        });
        served.context("server")??;
        // A computation for a client that is gone need not be waited for.
        runtime.shutdown_background();
        Ok(Outcome::Done)
    }
}

fn address(settings: &Settings) -> Result<SocketAddr, Failure> {
    let text = settings.text("address");
    let ip: IpAddr = text
        .parse()
        .map_err(|_| Failure::usage(format!("address: {text:?} is no IP address; 127.0.0.1, ::1 and 0.0.0.0 are")))?;
    let port = u16::try_from(settings.number("port"))
        .map_err(|_| Failure::usage(format!("port: {} is above 65535", settings.number("port"))))?;
    Ok(SocketAddr::new(ip, port))
}

fn config(
    settings: &Settings,
    field: &f1::Field,
    jobs: &Arc<f1::Jobs>,
    days: &Arc<book::LakeDays>,
    studies: &Arc<market::KeptStudies>,
) -> Result<ServeConfig, Failure> {
    let token_file = settings.text("token_file");
    let access = match (token_file.is_empty(), settings.switch("no_auth")) {
        (false, true) => return Err(Failure::usage("token_file and no_auth exclude each other; give one")),
        (false, false) => Access::Token(token(token_file)?),
        (true, true) => Access::Anyone,
        (true, false) => Access::Loopback,
    };
    let (store, jobs) = (Arc::clone(&field.store), Arc::clone(jobs));
    let (days, studies) = (Arc::clone(days), Arc::clone(studies));
    let metrics = Arc::new(move || {
        let caches = store.caches().into_iter().chain(days.caches()).chain([("market_studies", studies.cache())]);
        let caches = caches.flat_map(|(cache, stats)| cache_metrics(cache, &stats));
        caches.chain(jobs.metrics()).collect()
    });
    Ok(ServeConfig {
        access,
        hosts: settings.list("allowed_hosts").to_vec(),
        origins: settings.list("allowed_origins").to_vec(),
        limits: Limits {
            connections_max: settings.size("connections_max"),
            frame_cache_bytes_max: settings.size("frame_cache_bytes"),
            ..Limits::default()
        },
        metrics: vec![metrics],
    })
}

fn token(file: &str) -> Result<Token, Failure> {
    let length = fs::metadata(file).map_err(|error| Failure::usage(format!("token_file: {file}: {error}")))?.len();
    if length > TOKEN_BYTES_MAX {
        return Err(Failure::usage(format!("token_file: {file}: {length} bytes; expected one line")));
    }
    let secret = fs::read_to_string(file).map_err(|error| Failure::usage(format!("token_file: {file}: {error}")))?;
    Token::new(&secret).map_err(|error| Failure::usage(format!("token_file: {file}: {error}")))
}

fn cache_metrics(cache: &'static str, stats: &CacheStats) -> Vec<Metric> {
    let counter = |name, help, value| Metric::counter(name, help, value).with("cache", cache);
    let gauge = |name, help, value: u64| Metric::gauge(name, help, value as f64).with("cache", cache);
    vec![
        counter("railbird_cache_hits_total", "Asked, and it was there", stats.hits),
        counter("railbird_cache_misses_total", "Asked, and it was loaded", stats.misses),
        counter("railbird_cache_joined_total", "Asked while another loaded the same", stats.joined),
        counter("railbird_cache_failures_total", "Loads that failed", stats.failures),
        counter("railbird_cache_evictions_total", "Values that went to make room", stats.evictions),
        gauge("railbird_cache_entries", "Values held", stats.entries),
        gauge("railbird_cache_bytes", "Bytes held", stats.bytes),
    ]
}

/// The embedded pages as the server wants them.
fn pages() -> Pages {
    let file = |page: &'static railbird_ui::Page| Page {
        path: if page.path == "/" { "/index.html" } else { page.path }.into(),
        media_type: page.media_type.into(),
        etag: page.etag.into(),
        plain: Some(bytes::Bytes::from_static(page.identity)),
        gzip: Some(bytes::Bytes::from_static(page.gzip)),
        brotli: None,
        immutable: page.immutable,
    };
    Pages { files: railbird_ui::pages().iter().map(file).collect() }
}

/// Where a browser on this machine finds the server.
fn url(bound: SocketAddr) -> String {
    let host = if bound.ip().is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { bound.ip() };
    format!("http://{}", SocketAddr::new(host, bound.port()))
}

/// Ctrl-C, or the signal by which service managers end a program.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // Where no signal can be watched the program is ended by the system.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_an_address_that_it_can_reach() {
        assert_eq!(url("127.0.0.1:7878".parse().expect("an address")), "http://127.0.0.1:7878");
        assert_eq!(url("0.0.0.0:80".parse().expect("an address")), "http://127.0.0.1:80");
        assert_eq!(url("[::1]:80".parse().expect("an address")), "http://[::1]:80");
    }
}
