//! What all requests share, and the table of routes made from the offers. Start at [`router`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
    routing::{MethodFilter, on},
};
use bytes::Bytes;
use railbird_publish::{In, Method, Offer};
use tokio::sync::{Semaphore, watch};

use crate::{
    Pages, ServeConfig, ServeError,
    endpoint::Endpoint,
    frames::{FrameCache, FrameEndpoint, Sockets},
    gate::Began,
    metrics::{Count, Metric, MetricSource, RouteMetrics, render},
    openapi,
    pages::Shelf,
    pool::Pool,
    reply::{Keep, Refused, Wants},
};

/// What all requests share.
pub(crate) struct App {
    pub(crate) config: ServeConfig,
    pub(crate) pool: Pool,
    /// Large bodies that may still be taken in.
    pub(crate) large_bodies: Semaphore,
    pub(crate) keep: Keep,
    pub(crate) cache: Arc<FrameCache>,
    pub(crate) sockets: Sockets,
    pub(crate) counts: Counts,
    pub(crate) phase: watch::Receiver<Phase>,
    shelf: Shelf,
    openapi: Bytes,
    openapi_etag: String,
    routes: Vec<Arc<RouteMetrics>>,
    own: OwnRoutes,
    sources: Vec<MetricSource>,
}

/// How far the server is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// Nothing new is accepted; what is open finishes.
    Stopping,
    /// The grace period is over.
    Stopped,
}

/// Counters of the server as a whole.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections_open: Count,
    pub(crate) connections_accepted: Count,
    pub(crate) connections_refused: Count,
    pub(crate) accept_failed: Count,
    pub(crate) host_refused: Count,
    pub(crate) origin_refused: Count,
    pub(crate) token_refused: Count,
    pub(crate) deadline_missed: Count,
    pub(crate) write_stalled: Count,
    pub(crate) executor_stalls: Count,
    pub(crate) executor_stall_us: Count,
}

/// Routes that the server brings along.
pub(crate) struct OwnRoutes {
    pub(crate) health: RouteMetrics,
    pub(crate) login: RouteMetrics,
    pub(crate) refused: RouteMetrics,
    pages: RouteMetrics,
    metrics: RouteMetrics,
    openapi: RouteMetrics,
}

impl App {
    pub(crate) fn new(
        config: ServeConfig,
        offers: &[Offer],
        pages: Pages,
        phase: watch::Receiver<Phase>,
    ) -> Result<(Arc<Self>, Router), ServeError> {
        check(offers)?;
        let limits = config.limits;
        let keep = Keep::new(matches!(config.access, crate::Access::Token(_)));
        let openapi = Bytes::from(openapi::document(offers));
        let endpoints = offers.iter().flat_map(|offer| &offer.routes).map(|route| {
            let method = match route.method {
                Method::Get => "GET",
                Method::Post => "POST",
            };
            (route.clone(), Arc::new(RouteMetrics::new(method, route.path)))
        });
        let endpoints: Vec<_> = endpoints.collect();
        let streams = offers.iter().flat_map(|offer| &offer.streams);
        let streams: Vec<_> =
            streams.map(|stream| (stream.clone(), Arc::new(RouteMetrics::new("GET", stream.path)))).collect();
        let all = endpoints.iter().map(|(_, metrics)| metrics).chain(streams.iter().map(|(_, metrics)| metrics));
        let app = Arc::new(Self {
            pool: Pool::new(limits.blocking_threads, limits.blocking_queue_max),
            large_bodies: Semaphore::new(limits.large_bodies_max),
            keep,
            cache: FrameCache::new(&limits),
            sockets: Sockets::new(limits.sockets_max),
            counts: Counts::default(),
            phase,
            shelf: Shelf::new(pages, keep)?,
            openapi_etag: blake3::hash(&openapi).to_hex()[..20].to_owned(),
            openapi,
            routes: all.cloned().collect(),
            own: OwnRoutes {
                health: RouteMetrics::new("GET", "/healthz"),
                login: RouteMetrics::new("*", "/login"),
                refused: RouteMetrics::new("*", "(refused)"),
                pages: RouteMetrics::new("GET", "(pages)"),
                metrics: RouteMetrics::new("GET", "/metrics"),
                openapi: RouteMetrics::new("GET", "/api/openapi.json"),
            },
            sources: config.metrics.clone(),
            config,
        });
        let mut router = Router::new();
        for (route, metrics) in endpoints {
            let (filter, path) = match route.method {
                Method::Get => (MethodFilter::GET, route.path),
                Method::Post => (MethodFilter::POST, route.path),
            };
            let endpoint = Arc::new(Endpoint { app: Arc::clone(&app), route, metrics });
            router = router.route(path, on(filter, move |request| Arc::clone(&endpoint).call(request)));
        }
        for (stream, metrics) in streams {
            let path = stream.path;
            let endpoint = Arc::new(FrameEndpoint { app: Arc::clone(&app), stream, metrics });
            router = router.route(path, on(MethodFilter::GET, move |request| Arc::clone(&endpoint).call(request)));
        }
        Ok((Arc::clone(&app), app.add_own(router)))
    }

    fn add_own(self: Arc<Self>, router: Router) -> Router {
        let (metrics, document, pages) = (Arc::clone(&self), Arc::clone(&self), self);
        router
            .route(
                "/metrics",
                on(MethodFilter::GET, move |request: Request| async move {
                    let response = text("text/plain; version=0.0.4", Body::from(metrics.metrics()));
                    metrics.done(&metrics.own.metrics, "/metrics", Began::of(&request), response)
                }),
            )
            .route(
                "/api/openapi.json",
                on(MethodFilter::GET, move |request: Request| async move {
                    let response = document.openapi(&Wants::of(request.headers()));
                    document.done(&document.own.openapi, "/api/openapi.json", Began::of(&request), response)
                }),
            )
            .method_not_allowed_fallback(|| async {
                Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method: not allowed here").response()
            })
            .fallback(move |request: Request| async move {
                let began = Began::of(&request);
                let (parts, _) = request.into_parts();
                let response = pages.page(&parts).await.unwrap_or_else(|refused| refused.response());
                pages.done(&pages.own.pages, "(pages)", began, response)
            })
    }

    async fn page(&self, request: &Parts) -> Result<Response, Refused> {
        let path = request.uri.path();
        if path.starts_with("/api/") {
            return Err(Refused::new(StatusCode::NOT_FOUND, "no such route; /api/openapi.json lists them"));
        }
        if !matches!(request.method, axum::http::Method::GET | axum::http::Method::HEAD) {
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method: not allowed here"));
        }
        let wants = Wants::of(&request.headers);
        self.shelf.get(path, &wants, &self.pool, self.config.limits.inflate_bytes_max).await
    }

    fn openapi(&self, wants: &Wants) -> Response {
        let mut response = text("application/json", Body::empty());
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.openapi_etag)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        match wants.has(&self.openapi_etag) {
            true => *response.status_mut() = StatusCode::NOT_MODIFIED,
            false => *response.body_mut() = Body::from(self.openapi.clone()),
        }
        response
    }

    /// Counts and logs an answered request. Every request ends here, once.
    pub(crate) fn done(&self, metrics: &RouteMetrics, route: &str, began: Began, response: Response) -> Response {
        let took = began.at.elapsed();
        let status = response.status().as_u16();
        metrics.record(status, took);
        let (id, ms) = (began.id, took.as_secs_f64() * 1e3);
        match status {
            500.. => tracing::warn!(id, route, status, ms, "answered"),
            400.. => tracing::info!(id, route, status, ms, "answered"),
            // Thousands a second on hot routes.
            _ => tracing::debug!(id, route, status, ms, "answered"),
        }
        response
    }

    pub(crate) fn own(&self) -> &OwnRoutes {
        &self.own
    }

    /// All counters as text.
    fn metrics(&self) -> String {
        let mut all = Vec::new();
        let own = [
            &self.own.health,
            &self.own.login,
            &self.own.refused,
            &self.own.pages,
            &self.own.metrics,
            &self.own.openapi,
        ];
        own.into_iter().chain(self.routes.iter().map(Arc::as_ref)).for_each(|route| route.collect(&mut all));
        self.pool.collect(&mut all);
        self.cache.collect(&mut all);
        self.sockets.collect(&mut all);
        self.counts.collect(&self.config, &mut all);
        self.sources.iter().for_each(|source| all.extend(source()));
        render(&all)
    }

    /// Watches the executor: a tick that comes late says that something held a worker, or the machine was full.
    pub(crate) async fn watch_executor(self: Arc<Self>) {
        let limits = &self.config.limits;
        let mut phase = self.phase.clone();
        loop {
            let due = crate::clock::now() + limits.watch_interval;
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                _ = phase.wait_for(|phase| *phase != Phase::Serving) => return,
            }
            let late: Duration = crate::clock::now().saturating_duration_since(due);
            if late >= limits.stall_min {
                self.counts.executor_stalls.add(1);
                self.counts.executor_stall_us.add(late.as_micros() as u64);
            }
        }
    }
}

impl Counts {
    fn collect(&self, config: &ServeConfig, into: &mut Vec<Metric>) {
        let refused = |reason, count: &Count| {
            Metric::counter("railbird_refused_total", "requests and connections refused", count.get())
                .with("reason", reason)
        };
        into.extend([
            Metric::gauge("railbird_connections_open", "HTTP connections open", self.connections_open.get() as f64),
            Metric::gauge(
                "railbird_connections_max",
                "bound of HTTP connections",
                config.limits.connections_max as f64,
            ),
            Metric::counter(
                "railbird_connections_accepted_total",
                "HTTP connections accepted",
                self.connections_accepted.get(),
            ),
            Metric::counter(
                "railbird_accept_failed_total",
                "connections that failed at once",
                self.accept_failed.get(),
            ),
            refused("connections", &self.connections_refused),
            refused("host", &self.host_refused),
            refused("origin", &self.origin_refused),
            refused("token", &self.token_refused),
            refused("deadline", &self.deadline_missed),
            Metric::counter(
                "railbird_write_stalled_total",
                "connections closed as they took no bytes",
                self.write_stalled.get(),
            ),
            Metric::counter(
                "railbird_executor_stalls_total",
                "ticks of the executor that came late",
                self.executor_stalls.get(),
            ),
            Metric {
                value: self.executor_stall_us.get() as f64 / 1e6,
                ..Metric::counter("railbird_executor_stall_seconds_total", "time by which late ticks were late", 0)
            },
        ]);
    }
}

fn text(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Refuses offers that cannot be told apart, or whose paths and parameters disagree, instead of panicking on them.
fn check(offers: &[Offer]) -> Result<(), ServeError> {
    let mut taken = BTreeSet::new();
    // What stands in braces at a place, by all that stands before it.
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let none = Vec::new();
    let routes = offers.iter().flat_map(|o| &o.routes).map(|r| (r.method == Method::Get, r.path, Some(&r.parameters)));
    let streams = offers.iter().flat_map(|o| &o.streams).map(|s| (true, s.path, None));
    for (get, path, parameters) in routes.chain(streams) {
        let wrong = |reason: String| ServeError::Route { path: path.to_owned(), reason };
        if !path.starts_with("/api/") || path == "/api/openapi.json" {
            return Err(wrong("must lie under /api/, beside /api/openapi.json".to_owned()));
        }
        if !taken.insert((get, path)) {
            return Err(wrong("is offered twice".to_owned()));
        }
        let mut before = String::new();
        for segment in path[1..].split('/') {
            before.push('/');
            if let Some(name) = segment.strip_prefix('{') {
                let name = name.strip_suffix('}').filter(|n| !n.is_empty() && !n.contains(['{', '}', '*']));
                let name = name.ok_or_else(|| wrong(format!("{segment} is not a name in braces")))?;
                let known = names.entry(before.clone()).or_insert_with(|| name.to_owned());
                if known != name {
                    return Err(wrong(format!("{{{name}}} is called {{{known}}} in another route")));
                }
                before.push('*');
            } else if segment.is_empty() || segment.contains(['{', '}', '*', ':']) {
                return Err(wrong(format!("segment {segment:?} is neither text nor a name in braces")));
            } else {
                before.push_str(segment);
            }
        }
        let described: BTreeSet<&str> =
            parameters.unwrap_or(&none).iter().filter(|p| p.place == In::Path).map(|p| p.name).collect();
        if parameters.is_some() && described != names_in(path).collect() {
            return Err(wrong("its path parameters are not those described".to_owned()));
        }
    }
    Ok(())
}

/// Names in braces of a path.
pub(crate) fn names_in(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}
