//! A frame route: checks what is asked for over HTTP, then becomes a WebSocket.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    RequestPartsExt as _,
    extract::{Request, WebSocketUpgrade},
    http::StatusCode,
    response::Response,
};
use railbird_publish::{Call, FrameFormat, FrameRoute, In, Parameter};
use tokio::sync::Notify;

use super::{
    cache::FrameKey,
    clock::{SPEED_MAX, SPEED_MIN},
    viewer::{Start, Viewer},
};
use crate::{
    app::App,
    call,
    gate::Began,
    metrics::{Count, Metric, RouteMetrics},
    reply::Refused,
};

/// A stream of frames with what it needs to be served.
pub(crate) struct FrameEndpoint {
    pub(crate) app: Arc<App>,
    pub(crate) stream: FrameRoute,
    pub(crate) metrics: Arc<RouteMetrics>,
}

/// What may stand in the query.
const QUERY: [Parameter; 5] = [
    query("fps", "frames a second of the contest"),
    query("format", "json or msgpack"),
    query("encoding", "gzip"),
    query("t", "moment to start at, seconds"),
    query("speed", "speed to start with, 0.1 to 100"),
];

const fn query(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: In::Query, required: false, description }
}

impl FrameEndpoint {
    /// Answers, counts and logs one request for a socket.
    pub(crate) async fn call(self: Arc<Self>, request: Request) -> Response {
        let began = Began::of(&request);
        let deadline = self.app.config.limits.request_deadline;
        let answered = tokio::time::timeout(deadline, self.answer(request, began)).await.unwrap_or_else(|_| {
            self.app.counts.deadline_missed.add(1);
            Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "frames: could not be opened in time; try again"))
        });
        let response = answered.unwrap_or_else(|refused| refused.response());
        self.app.done(&self.metrics, self.stream.path, began, response)
    }

    async fn answer(&self, request: Request, began: Began) -> Result<Response, Refused> {
        let limits = self.app.config.limits;
        let (mut parts, _) = request.into_parts();
        let parameters = call::parameters(&mut parts, &QUERY, limits.parameter_bytes_max).await?;
        let call = Call { parameters, ..Call::default() };
        let asked = Asked::read(&call, self.stream.rates)?;
        let upgrade: WebSocketUpgrade = parts.extract().await.map_err(|_| {
            Refused::new(StatusCode::UPGRADE_REQUIRED, "frames: come over a WebSocket; connect with ws:// or wss://")
        })?;
        let place = self
            .app
            .sockets
            .take()
            .ok_or_else(|| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "sockets: as many as may; try again"))?;
        let open = Arc::clone(&self.stream.open);
        let source = self.app.pool.run(move || open(call)).await??;
        let frames = source.frames(asked.fps);
        if frames == 0 {
            return Err(Refused::new(StatusCode::NOT_FOUND, "frames: there are none"));
        }
        let start_s = source.start_s();
        let start = asked.t.map_or(0.0, |t| (t - start_s) * f64::from(asked.fps));
        let key = FrameKey {
            source: format!("{} {}", self.stream.path, source.version()).into(),
            rate: asked.fps,
            format: asked.format,
            gzip: asked.gzip,
            n: 0,
        };
        let start = Start { frames, start_s, position: start, speed: asked.speed, id: began.id };
        let app = Arc::clone(&self.app);
        Ok(upgrade
            .read_buffer_size(limits.socket_read_buffer_bytes)
            .write_buffer_size(0)
            // One frame and some small messages: a client that does not read gets no second frame queued.
            .max_write_buffer_size(limits.frame_bytes_max + (64 << 10))
            .max_message_size(limits.socket_message_bytes_max)
            .max_frame_size(limits.socket_message_bytes_max)
            .on_upgrade(move |socket| async move {
                Viewer::new(app, socket, source, key, start).run().await;
                drop(place);
            }))
    }
}

/// What a client asks for.
struct Asked {
    fps: u32,
    format: FrameFormat,
    gzip: bool,
    t: Option<f64>,
    speed: f64,
}

impl Asked {
    fn read(call: &Call, rates: &[u32]) -> Result<Self, Refused> {
        let fps = match call.get("fps") {
            None => rates.iter().copied().find(|rate| *rate == 25).or_else(|| rates.first().copied()),
            Some(text) => text.parse().ok().filter(|rate| rates.contains(rate)),
        };
        let number = |name, within: std::ops::RangeInclusive<f64>| match call.get(name).map(str::parse::<f64>) {
            None => Ok(None),
            Some(Ok(value)) if within.contains(&value) => Ok(Some(value)),
            Some(_) => Err(Refused::bad(format!("{name}: not a number from {} to {}", within.start(), within.end()))),
        };
        Ok(Self {
            fps: fps.ok_or_else(|| Refused::bad(format!("fps: not offered; expected one of {rates:?}")))?,
            format: match call.get("format") {
                None | Some("json") => FrameFormat::Json,
                Some("msgpack") => FrameFormat::Msgpack,
                Some(_) => return Err(Refused::bad("format: unknown; expected json or msgpack")),
            },
            gzip: match call.get("encoding") {
                None => false,
                Some("gzip") => true,
                Some(_) => return Err(Refused::bad("encoding: unknown; expected gzip, or none given")),
            },
            t: number("t", -1e9..=1e9)?,
            speed: number("speed", SPEED_MIN..=SPEED_MAX)?.unwrap_or(1.0),
        })
    }
}

/// WebSockets open, bounded, and what went through them.
pub(crate) struct Sockets(Arc<SocketsInner>);

struct SocketsInner {
    open_max: usize,
    // std Mutex: held to change a number.
    open: Mutex<usize>,
    all_closed: Notify,
    pub(super) opened: Count,
    pub(super) refused: Count,
    pub(super) counts: SocketCounts,
}

/// What went through the sockets.
#[derive(Default)]
pub(crate) struct SocketCounts {
    pub(crate) frames_sent: Count,
    pub(crate) bytes_sent: Count,
    pub(crate) frames_dropped: Count,
    pub(crate) controls: Count,
    pub(crate) controls_refused: Count,
    pub(crate) idle_closed: Count,
}

/// A socket's place, given back when dropped.
pub(crate) struct SocketPlace(Arc<SocketsInner>);

impl Sockets {
    pub(crate) fn new(open_max: usize) -> Self {
        Self(Arc::new(SocketsInner {
            open_max,
            open: Mutex::new(0),
            all_closed: Notify::new(),
            opened: Count::default(),
            refused: Count::default(),
            counts: SocketCounts::default(),
        }))
    }

    pub(crate) fn counts(&self) -> &SocketCounts {
        &self.0.counts
    }

    fn take(&self) -> Option<SocketPlace> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if *open >= self.0.open_max {
            self.0.refused.add(1);
            return None;
        }
        *open += 1;
        self.0.opened.add(1);
        Some(SocketPlace(Arc::clone(&self.0)))
    }

    fn open(&self) -> usize {
        *self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until none is open.
    pub(crate) async fn closed(&self) {
        loop {
            let told = self.0.all_closed.notified();
            if self.open() == 0 {
                return;
            }
            told.await;
        }
    }

    pub(crate) fn collect(&self, into: &mut Vec<Metric>) {
        let counts = &self.0.counts;
        into.extend([
            Metric::gauge("railbird_sockets_open", "WebSockets open", self.open() as f64),
            Metric::gauge("railbird_sockets_max", "bound of WebSockets", self.0.open_max as f64),
            Metric::counter("railbird_sockets_opened_total", "WebSockets opened", self.0.opened.get()),
            Metric::counter("railbird_refused_total", "requests and connections refused", self.0.refused.get())
                .with("reason", "sockets"),
            Metric::counter("railbird_frames_sent_total", "frames sent", counts.frames_sent.get()),
            Metric::counter("railbird_frame_bytes_sent_total", "bytes of frames sent", counts.bytes_sent.get()),
            Metric::counter(
                "railbird_frames_dropped_total",
                "frames left out as a client or the encoder was behind",
                counts.frames_dropped.get(),
            ),
            Metric::counter("railbird_controls_total", "control messages", counts.controls.get()),
            Metric::counter(
                "railbird_controls_refused_total",
                "control messages refused",
                counts.controls_refused.get(),
            ),
            Metric::counter(
                "railbird_sockets_idle_total",
                "WebSockets closed as nothing came",
                counts.idle_closed.get(),
            ),
        ]);
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open -= 1;
        if *open == 0 {
            self.0.all_closed.notify_waiters();
        }
    }
}
