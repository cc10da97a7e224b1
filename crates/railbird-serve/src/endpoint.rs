//! One route of a field, answered over HTTP.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::{extract::Request, http::StatusCode, response::Response};
use railbird_publish::{Call, Cost, Method, Reply, Route};
use tracing::Instrument as _;

use crate::{
    app::App,
    call,
    gate::Began,
    metrics::RouteMetrics,
    pool::PoolError,
    reply::{Refused, Wants, respond},
};

/// Routes that take a larger body than this hold a place of [`Limits::large_bodies_max`](crate::Limits) while they answer.
const LARGE_BODY_BYTES: usize = 1 << 20;

/// A route with what it needs to answer.
pub(crate) struct Endpoint {
    pub(crate) app: Arc<App>,
    pub(crate) route: Route,
    pub(crate) metrics: Arc<RouteMetrics>,
}

impl Endpoint {
    /// Answers, counts and logs one request.
    pub(crate) async fn call(self: Arc<Self>, request: Request) -> Response {
        let began = Began::of(&request);
        let deadline = self.app.config.limits.request_deadline;
        // Its timer is set only where the answer has something to wait for.
        let answered = tokio::time::timeout(deadline, self.answer(request, began)).await.unwrap_or_else(|_| {
            self.app.counts.deadline_missed.add(1);
            let message = format!("no answer within {} s; try again", deadline.as_secs_f64());
            Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, message))
        });
        let response = answered.unwrap_or_else(|refused| refused.response());
        self.app.done(&self.metrics, self.route.path, began, response)
    }

    async fn answer(&self, request: Request, began: Began) -> Result<Response, Refused> {
        let limits = &self.app.config.limits;
        let (mut parts, body) = request.into_parts();
        let wants = Wants::of(&parts.headers);
        let parameters = call::parameters(&mut parts, &self.route.parameters, limits.parameter_bytes_max).await?;
        let _place = match self.route.body {
            Some(rule) if rule.bytes_max > LARGE_BODY_BYTES => {
                Some(self.app.large_bodies.try_acquire().map_err(|_| {
                    let message =
                        format!("body: {} large ones are being taken in; try again later", limits.large_bodies_max);
                    Refused::new(StatusCode::TOO_MANY_REQUESTS, message)
                })?)
            }
            _ => None,
        };
        let body = match self.route.method {
            Method::Get => bytes::Bytes::new(),
            Method::Post => call::body(&parts.headers, body, self.route.body).await?,
        };
        let call = Call { parameters, body, accepts_gzip: wants.gzip };
        let reply = match self.warm(&call)? {
            Some(reply) => reply,
            None => match self.route.cost {
                Cost::Quick => unwinding(|| (self.route.answer)(call))?,
                Cost::Blocking => {
                    let answer = Arc::clone(&self.route.answer);
                    // What the field logs says which request it belongs to.
                    let span = tracing::info_span!("request", id = began.id, route = self.route.path);
                    self.app.pool.run(move || answer(call)).instrument(span).await?
                }
            }?,
        };
        respond(reply, &wants, self.app.keep, &self.app.pool, limits.inflate_bytes_max).await
    }

    /// The answer from memory, where the route has one.
    fn warm(&self, call: &Call) -> Result<Option<Reply>, Refused> {
        match &self.route.warm {
            Some(warm) => unwinding(|| warm(call)),
            None => Ok(None),
        }
    }
}

/// A panic in a field is an answer, not a closed connection.
fn unwinding<T>(work: impl FnOnce() -> T) -> Result<T, Refused> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Refused::from(PoolError::Panicked))
}
