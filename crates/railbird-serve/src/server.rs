//! Accepts connections, within bounds, until told to stop. Start at [`serve`].

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use railbird_publish::Offer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

use crate::{
    Limits, Pages, ServeConfig, ServeError,
    app::{App, Phase},
    gate::Gate,
    hosts::Hosts,
    stall::StallGuard,
};

/// What a connection past the bound is told.
const REFUSAL: &str = r#"{"error":"connections: as many as may; try again"}"#;

/// Serves `offers` and `pages` on `listener` until `shutdown` completes; then stops accepting, lets open requests finish
/// and closes sockets with a going-away frame, all within the grace period.
///
/// # Errors
/// [`ServeError`] where the set-up is refused (see [`ServeConfig::check`]) or an offer or page cannot be served. Failures
/// of single connections are counted, never returned.
pub async fn serve(
    listener: TcpListener,
    config: ServeConfig,
    offers: Vec<Offer>,
    pages: Pages,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let bound = listener.local_addr()?;
    config.check(bound)?;
    let limits = config.limits;
    let hosts = Hosts::new(bound, &config.hosts, &config.origins);
    let (phase, watched) = watch::channel(Phase::Serving);
    let (app, router) = App::new(config, &offers, pages, watched)?;
    let gate = Gate::new(Arc::clone(&app), hosts, router);
    let ticking = tokio::spawn(Arc::clone(&app).watch_executor());
    let server = Server {
        app,
        gate,
        places: Arc::new(Semaphore::new(limits.connections_max)),
        refusals: Arc::new(Semaphore::new(limits.refusals_max)),
        open: phase.subscribe(),
    };
    tracing::info!(address = %bound, "serving");
    server.accept(listener, shutdown).await;
    tracing::info!(grace_s = limits.grace.as_secs_f64(), "stopping");
    phase.send_replace(Phase::Stopping);
    server.drain(limits.grace, &phase).await;
    ticking.abort();
    Ok(())
}

struct Server {
    app: Arc<App>,
    gate: Gate,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    open: watch::Receiver<Phase>,
}

impl Server {
    async fn accept(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => return,
                accepted = listener.accept() => accepted,
            };
            let counts = &self.app.counts;
            match accepted {
                Ok((stream, _)) => match Arc::clone(&self.places).try_acquire_owned() {
                    Ok(place) => {
                        counts.connections_accepted.add(1);
                        let talk = talk(Arc::clone(&self.app), self.gate.clone(), stream, self.open.clone());
                        tokio::spawn(async move {
                            talk.await;
                            drop(place);
                        });
                    }
                    Err(_) => {
                        counts.connections_refused.add(1);
                        if let Ok(place) = Arc::clone(&self.refusals).try_acquire_owned() {
                            tokio::spawn(async move {
                                refuse(stream).await;
                                drop(place);
                            });
                        }
                    }
                },
                Err(error) => {
                    // Out of file descriptors, or the client has gone again: give others time to finish.
                    counts.accept_failed.add(1);
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    /// Waits for connections and sockets to end; after the grace period ends them.
    async fn drain(self, grace: Duration, phase: &watch::Sender<Phase>) {
        let Self { app, places, .. } = self;
        let limits = app.config.limits;
        let all = async {
            // Whoever holds all places knows that nobody else holds one.
            let _connections = places.acquire_many(bound(limits.connections_max)).await;
            app.sockets.closed().await;
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            phase.send_replace(Phase::Stopped);
            let last = async {
                let _connections = places.acquire_many(bound(limits.connections_max)).await;
                app.sockets.closed().await;
            };
            if tokio::time::timeout(Duration::from_secs(1), last).await.is_err() {
                tracing::warn!("connections were still open at the end of the grace period");
            }
        }
    }
}

fn bound(connections_max: usize) -> u32 {
    u32::try_from(connections_max).unwrap_or(u32::MAX)
}

/// One connection, from its first request to its last.
async fn talk(app: Arc<App>, gate: Gate, stream: TcpStream, mut phase: watch::Receiver<Phase>) {
    let limits: &Limits = &app.config.limits;
    // Small answers must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    // By itself the system would queue megabytes: of 3 kB frames, a minute.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(limits.unsent_bytes_max);
    let stream = StallGuard::new(stream, limits.write_stall_max, Arc::clone(&app));
    app.counts.connections_open.add(1);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_deadline)
            .max_headers(limits.headers_max)
            .max_header_size(limits.header_bytes_max)
            .serve_connection(TokioIo::new(stream), gate)
            .with_upgrades()
    );
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                break;
            }
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                match (changed, now) {
                    (Ok(()), Phase::Serving) => {}
                    (Ok(()), Phase::Stopping) => connection.as_mut().graceful_shutdown(),
                    (Err(_), _) | (_, Phase::Stopped) => break,
                }
            }
        }
    }
    app.counts.connections_open.sub(1);
}

/// Tells a client past the bound so, and waits a moment for it to read that.
async fn refuse(mut stream: TcpStream) {
    let told = async {
        let bytes = REFUSAL.len();
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\
             retry-after: 1\r\nconnection: close\r\n\r\n{REFUSAL}"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection, and the client might never see the answer.
        let mut unread = [0; 1024];
        for _ in 0..32 {
            if stream.read(&mut unread).await? == 0 {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), told).await;
}
