//! What every request passes before its route: names, origins, token; and what every answer carries.
//!
//! One hand-written service rather than a stack of layers: a chunk request costs one allocation here, its boxed future.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service as _;

use crate::{Access, app::App, clock, hosts::Hosts, login, reply::Refused};

/// Number and beginning of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    pub(crate) id: u64,
    pub(crate) at: Instant,
}

impl Began {
    /// As the gate noted it on the request.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or_else(|| Self { id: 0, at: clock::now() })
    }
}

/// Carried by every answer. Pages load nothing from elsewhere, run no inline script and are framed by nobody.
static ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             worker-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The door.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    hosts: Hosts,
    router: Router,
    next_id: AtomicU64,
}

impl Gate {
    pub(crate) fn new(app: Arc<App>, hosts: Hosts, router: Router) -> Self {
        Self(Arc::new(Inner { app, hosts, router, next_id: AtomicU64::new(1) }))
    }
}

impl hyper::service::Service<hyper::Request<Incoming>> for Gate {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let began = Began { id: inner.next_id.fetch_add(1, Relaxed), at: clock::now() };
            let mut response = inner.answer(request.map(Body::new), began).await;
            let headers = response.headers_mut();
            for (name, value) in &ALWAYS {
                headers.insert(name, value.clone());
            }
            headers.insert(&REQUEST_ID, HeaderValue::from(began.id));
            Ok(response)
        })
    }
}

impl Inner {
    async fn answer(&self, mut request: Request, began: Began) -> Response {
        match self.admit(&request) {
            Ok(Admitted::Route) => {
                request.extensions_mut().insert(began);
                // The router is always ready and never fails.
                match self.router.clone().call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            Ok(Admitted::Health) => {
                let mut response = Response::new(Body::from("ok\n"));
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                self.app.done(&self.app.own().health, "/healthz", began, response)
            }
            Ok(Admitted::Login) => {
                let response = login::answer(&self.app, request).await;
                self.app.done(&self.app.own().login, "/login", began, response)
            }
            Err(response) => self.app.done(&self.app.own().refused, "(refused)", began, *response),
        }
    }

    fn admit(&self, request: &Request) -> Result<Admitted, Box<Response>> {
        let counts = &self.app.counts;
        let refuse = |status, message: &'static str| Box::new(Refused::new(status, message).response());
        let headers = request.headers();
        let Some(host) = self.hosts.host(request.uri(), headers) else {
            counts.host_refused.add(1);
            return Err(refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "host: not a name of this server; add it to the allowed hosts if it should be",
            ));
        };
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if (changes || headers.contains_key(header::UPGRADE)) && !self.hosts.same_origin(host, headers) {
            counts.origin_refused.add(1);
            return Err(refuse(StatusCode::FORBIDDEN, "origin: not a page of this server"));
        }
        let path = request.uri().path();
        if path == "/healthz" && !changes {
            return Ok(Admitted::Health);
        }
        if let Access::Token(token) = &self.app.config.access {
            if path == "/login" || path == login::STYLE_PATH {
                return Ok(Admitted::Login);
            }
            if !login::holds_token(token, headers) {
                counts.token_refused.add(1);
                return Err(Box::new(login::refusal(request)));
            }
        }
        Ok(Admitted::Route)
    }
}

/// Where a request may go.
enum Admitted {
    Health,
    Login,
    Route,
}
