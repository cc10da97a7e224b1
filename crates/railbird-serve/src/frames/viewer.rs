//! One client of a stream: its clock, its socket, and at most one frame on the way.
//!
//! Nothing queues here. While a frame is being encoded or taken by the client, time goes on; then the newest frame that
//! is due is sent, and what was due in between is counted as dropped.

use std::{
    future::{pending, poll_fn},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::{SinkExt as _, StreamExt as _};
use railbird_publish::{FrameSource, Refusal, RefusalKind};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};

use super::{
    cache::{Encoded, FrameKey, Lookup, length},
    clock::PlayClock,
    control::Control,
};
use crate::{
    app::{App, Phase},
    clock::now,
};

/// Between two frames that answer seeks, however fast they come: 40 ms.
const SEEK_INTERVAL: Duration = Duration::from_millis(40);
/// Time for a client to take the closing frame.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Where a client starts.
pub(super) struct Start {
    pub(super) frames: u64,
    /// Moment of frame 0, seconds of the contest.
    pub(super) start_s: f64,
    /// Frames from the beginning.
    pub(super) position: f64,
    pub(super) speed: f64,
    /// Request that became this socket.
    pub(super) id: u64,
}

/// One client.
pub(super) struct Viewer {
    app: Arc<App>,
    socket: WebSocket,
    source: Arc<dyn FrameSource>,
    key: FrameKey,
    start: Start,
    clock: PlayClock,
    /// A frame that is being encoded for this client.
    encoding: Option<oneshot::Receiver<Encoded>>,
    /// Whether the socket holds bytes that it has not taken.
    flushing: bool,
    sent_at: Instant,
    heard_at: Instant,
    ping_at: Instant,
    second: (Instant, u32),
}

/// Why a client is let go.
enum End {
    /// It went.
    Gone,
    /// It is told why, with a code of RFC 6455.
    Close(u16, String),
}

enum Event {
    Received(Option<Result<Message, axum::Error>>),
    Flushed(Result<(), axum::Error>),
    Due,
    Encoded(Encoded),
    Ping,
    Stopping,
}

fn unfinished() -> Refusal {
    Refusal { kind: RefusalKind::Broken, message: "frame: was not finished".to_owned() }
}

impl Viewer {
    pub(super) fn new(
        app: Arc<App>,
        socket: WebSocket,
        source: Arc<dyn FrameSource>,
        key: FrameKey,
        start: Start,
    ) -> Self {
        let now = now();
        let clock = PlayClock::new(now, key.rate, start.frames, start.position, start.speed);
        let ping_at = now + app.config.limits.ping_interval;
        let sent_at = now.checked_sub(SEEK_INTERVAL).unwrap_or(now);
        Self {
            app,
            socket,
            source,
            key,
            start,
            clock,
            encoding: None,
            flushing: false,
            sent_at,
            heard_at: now,
            ping_at,
            second: (now, 0),
        }
    }

    /// Streams until the client goes, misbehaves, or the server stops.
    pub(super) async fn run(mut self) {
        let end = match self.greet() {
            Err(end) => end,
            Ok(()) => loop {
                let event = self.wait().await;
                if let Err(end) = self.handle(event) {
                    break end;
                }
            },
        };
        let id = self.start.id;
        match end {
            End::Gone => tracing::debug!(id, "socket ended"),
            End::Close(code, reason) => {
                tracing::debug!(id, code, reason, "socket closed");
                // Best effort: a client that takes nothing is dropped.
                let _ = timeout(CLOSE_DEADLINE, self.close(code, reason)).await;
            }
        }
    }

    fn greet(&mut self) -> Result<(), End> {
        let hello = serde_json::json!({
            "type": "hello",
            "version": self.source.version(),
            "fps": self.key.rate,
            "frames": self.start.frames,
            "start": self.start.start_s,
        });
        self.send(Message::Text(hello.to_string().into()))
    }

    async fn wait(&mut self) -> Event {
        let idle = self.encoding.is_none() && !self.flushing;
        let due = if idle { self.clock.next(now()) } else { None };
        let due = due.map(|due| due.at.max(self.sent_at + self.spacing()));
        let mut phase = self.app.phase.clone();
        let (socket, flushing, encoding) = (&mut self.socket, self.flushing, &mut self.encoding);
        // Both sides of the socket in one future: neither waits for the other.
        let io = poll_fn(|cx| {
            if let Poll::Ready(received) = socket.poll_next_unpin(cx) {
                return Poll::Ready(Event::Received(received));
            }
            if flushing && let Poll::Ready(flushed) = socket.poll_flush_unpin(cx) {
                return Poll::Ready(Event::Flushed(flushed));
            }
            Poll::Pending
        });
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => Event::Stopping,
            event = io => event,
            encoded = async { match encoding { Some(encoding) => encoding.await, None => pending().await } } => {
                Event::Encoded(encoded.unwrap_or_else(|_| Err(unfinished())))
            }
            () = async { match due { Some(due) => sleep_until(due).await, None => pending().await } } => Event::Due,
            () = sleep_until(self.ping_at) => Event::Ping,
        }
    }

    /// Seeks are answered at once, but no faster than this.
    fn spacing(&self) -> Duration {
        match self.clock.has_jumped() {
            true => SEEK_INTERVAL,
            false => Duration::ZERO,
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Received(None | Some(Err(_))) => Err(End::Gone),
            Event::Received(Some(Ok(message))) => {
                self.heard_at = now();
                self.receive(message)
            }
            Event::Flushed(Err(_)) => Err(End::Gone),
            Event::Flushed(Ok(())) => {
                self.flushing = false;
                Ok(())
            }
            Event::Due => self.show(),
            Event::Encoded(encoded) => {
                self.encoding = None;
                match encoded {
                    Ok(frame) => self.send_frame(frame),
                    Err(refusal) => Err(End::Close(close_code::ERROR, refusal.message)),
                }
            }
            Event::Ping => self.ping(),
            Event::Stopping => Err(End::Close(close_code::AWAY, "the server is stopping".to_owned())),
        }
    }

    /// Sends the frame that is due, or has it encoded.
    fn show(&mut self) -> Result<(), End> {
        let Some(due) = self.clock.next(now()) else { return Ok(()) };
        self.key.n = due.n;
        self.clock.sent(due.n);
        self.sent_at = now();
        self.app.sockets.counts().frames_dropped.add(due.skipped);
        match self.app.cache.get(&self.key, &self.source) {
            Lookup::Hit(frame) => self.send_frame(frame),
            Lookup::Wait(encoding) => {
                self.encoding = Some(encoding);
                Ok(())
            }
            Lookup::Busy => {
                self.app.sockets.counts().frames_dropped.add(1);
                Ok(())
            }
        }
    }

    fn send_frame(&mut self, frame: Message) -> Result<(), End> {
        let counts = self.app.sockets.counts();
        counts.frames_sent.add(1);
        counts.bytes_sent.add(length(&frame) as u64);
        self.send(frame)
    }

    fn send(&mut self, message: Message) -> Result<(), End> {
        self.flushing = true;
        self.socket.start_send_unpin(message).map_err(|_| End::Gone)
    }

    fn receive(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            // Answered by the library; a flush carries the answer.
            Message::Ping(_) => {
                self.flushing = true;
                return self.count_control();
            }
            Message::Pong(_) => return self.count_control(),
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) => return self.refuse("control: binary; expected JSON text".to_owned()),
        };
        self.count_control()?;
        self.app.sockets.counts().controls.add(1);
        let now = now();
        match Control::parse(&text) {
            Err(message) => return self.refuse(message),
            Ok(Control::Play {}) => self.clock.play(now),
            Ok(Control::Pause {}) => self.clock.pause(now),
            Ok(Control::Speed { value }) => self.clock.speed(now, value),
            Ok(Control::Seek { t }) => {
                let position = (t - self.start.start_s) * f64::from(self.key.rate);
                self.clock.seek(now, position);
                // What was being encoded is of the past.
                self.encoding = None;
            }
        }
        Ok(())
    }

    /// Bounds how much work a client can make by talking.
    fn count_control(&mut self) -> Result<(), End> {
        let now = now();
        let (since, count) = &mut self.second;
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        match *count > self.app.config.limits.controls_per_second_max {
            true => self.refuse("control: too many messages in a second".to_owned()),
            false => Ok(()),
        }
    }

    fn refuse(&mut self, message: String) -> Result<(), End> {
        self.app.sockets.counts().controls_refused.add(1);
        let error = serde_json::json!({ "type": "error", "error": message });
        self.send(Message::Text(error.to_string().into()))?;
        Err(End::Close(close_code::POLICY, message))
    }

    fn ping(&mut self) -> Result<(), End> {
        let limits = &self.app.config.limits;
        let now = now();
        if now.saturating_duration_since(self.heard_at) >= limits.socket_idle_max {
            self.app.sockets.counts().idle_closed.add(1);
            return Err(End::Close(close_code::POLICY, "nothing was heard for too long".to_owned()));
        }
        self.ping_at = now + limits.ping_interval;
        // A client that is taking a frame shows that it is there by taking it.
        if self.flushing { Ok(()) } else { self.send(Message::Ping(bytes::Bytes::new())) }
    }

    async fn close(&mut self, code: u16, reason: String) -> Result<(), axum::Error> {
        // A reason has at most 123 bytes on the wire.
        let mut end = reason.len().min(120);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = Utf8Bytes::from(&reason[..end]);
        self.socket.send(Message::Close(Some(CloseFrame { code, reason }))).await?;
        // The client answers with a closing frame of its own; then the connection ends without a reset.
        while let Some(Ok(_)) = self.socket.next().await {}
        Ok(())
    }
}
