//! What the server is told, and every bound that it keeps. Start at [`ServeConfig`].

use std::{net::SocketAddr, time::Duration};

use crate::{metrics::MetricSource, token::Token};

/// How the server is set up.
#[derive(Clone, Default)]
pub struct ServeConfig {
    /// Who may ask.
    pub access: Access,
    /// Names accepted in `Host` beside the loopback names and the bound address: `name` for any port, `name:port` for one.
    pub hosts: Vec<String>,
    /// Origins accepted on WebSockets and state-changing requests beside the page's own, such as `https://rail.example`.
    pub origins: Vec<String>,
    /// Bounds.
    pub limits: Limits,
    /// Counters of others (stores, imports), read whenever `/metrics` is asked for.
    pub metrics: Vec<MetricSource>,
}

impl ServeConfig {
    /// Whether this set-up may listen on `address`.
    ///
    /// # Errors
    /// [`ServeError::Open`] where the address can be reached from elsewhere and there is neither a token nor an explicit
    /// choice to do without, [`ServeError::Limit`] where a bound is zero.
    pub fn check(&self, address: SocketAddr) -> Result<(), ServeError> {
        if matches!(self.access, Access::Loopback) && !address.ip().to_canonical().is_loopback() {
            return Err(ServeError::Open { address });
        }
        self.limits.check()
    }
}

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub enum Access {
    /// Whoever is on this machine: no token, and no other address than loopback.
    #[default]
    Loopback,
    /// Whoever holds the token.
    Token(Token),
    /// Anyone who reaches the address: chosen explicitly.
    Anyone,
}

/// Every bound of the server. What a bound turns away is counted in `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// HTTP connections open at once; a further one is answered 503.
    pub connections_max: usize,
    /// Refused connections that are told so at once; a further one is closed unanswered.
    pub refusals_max: usize,
    /// WebSockets open at once; a further one is answered 503.
    pub sockets_max: usize,
    /// Request line and headers together, bytes.
    pub header_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// Time for a client to send its headers, and to stay idle between requests.
    pub header_deadline: Duration,
    /// Time for a request from its headers to its answer.
    pub request_deadline: Duration,
    /// Time that a connection may refuse to take bytes before it is closed.
    pub write_stall_max: Duration,
    /// Bytes of a connection that the system holds before it has sent them (on Linux). A viewer that takes frames too
    /// slowly is at most so far behind: what would queue in the system is skipped instead.
    pub unsent_bytes_max: u32,
    /// Time for open requests and sockets to finish at shutdown.
    pub grace: Duration,
    /// Calls computed at once on blocking threads.
    pub blocking_threads: usize,
    /// Calls waiting for a blocking thread; a further one is answered 503.
    pub blocking_queue_max: usize,
    /// Frames encoded at once.
    pub encode_threads: usize,
    /// Frames waiting to be encoded; a further one is skipped.
    pub encode_queue_max: usize,
    /// Encoded frames kept, bytes, with what keeping them costs.
    pub frame_cache_bytes_max: usize,
    /// One encoded frame, bytes.
    pub frame_bytes_max: usize,
    /// A stored gzip body decoded for a client that does not take gzip, bytes.
    pub inflate_bytes_max: usize,
    /// Requests whose body may be larger than a megabyte, at once; a further one is answered 429 before it is read.
    pub large_bodies_max: usize,
    /// Length of a parameter's value, bytes.
    pub parameter_bytes_max: usize,
    /// Read buffer of a WebSocket, bytes; allocated for each.
    pub socket_read_buffer_bytes: usize,
    /// A message from a WebSocket client, bytes.
    pub socket_message_bytes_max: usize,
    /// Control messages of one client in a second; one more closes its socket.
    pub controls_per_second_max: u32,
    /// Between two pings to a client.
    pub ping_interval: Duration,
    /// A WebSocket from which nothing came for so long, not even a pong, is closed.
    pub socket_idle_max: Duration,
    /// Between two ticks of the task that watches the executor.
    pub watch_interval: Duration,
    /// A tick later than this counts as a stall.
    pub stall_min: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            refusals_max: 64,
            sockets_max: 2048,
            header_bytes_max: 16 << 10,
            headers_max: 64,
            header_deadline: Duration::from_secs(30),
            request_deadline: Duration::from_secs(60),
            write_stall_max: Duration::from_secs(30),
            unsent_bytes_max: 64 << 10,
            grace: Duration::from_secs(10),
            blocking_threads: 4,
            blocking_queue_max: 256,
            encode_threads: 2,
            encode_queue_max: 4096,
            frame_cache_bytes_max: 64 << 20,
            frame_bytes_max: 1 << 20,
            inflate_bytes_max: 256 << 20,
            large_bodies_max: 2,
            parameter_bytes_max: 1024,
            socket_read_buffer_bytes: 4 << 10,
            socket_message_bytes_max: 4 << 10,
            controls_per_second_max: 100,
            ping_interval: Duration::from_secs(20),
            socket_idle_max: Duration::from_secs(60),
            watch_interval: Duration::from_millis(10),
            stall_min: Duration::from_millis(20),
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), ServeError> {
        let bounds = [
            ("connections_max", self.connections_max),
            ("sockets_max", self.sockets_max),
            ("unsent_bytes_max", self.unsent_bytes_max as usize),
            ("headers_max", self.headers_max),
            ("blocking_threads", self.blocking_threads),
            ("encode_threads", self.encode_threads),
            ("encode_queue_max", self.encode_queue_max),
            ("frame_cache_bytes_max", self.frame_cache_bytes_max),
            ("frame_bytes_max", self.frame_bytes_max),
            ("socket_message_bytes_max", self.socket_message_bytes_max),
            ("controls_per_second_max", self.controls_per_second_max as usize),
            ("watch_interval", self.watch_interval.as_micros() as usize),
            ("ping_interval", self.ping_interval.as_micros() as usize),
        ];
        match bounds.into_iter().find(|(_, bound)| *bound == 0) {
            Some((name, _)) => Err(ServeError::Limit { name }),
            None => Ok(()),
        }
    }
}

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can be reached from elsewhere, by anyone.
    #[error(
        "{address}: refused without a token, as other machines reach this address; give --token-file, or --no-auth to let anyone in"
    )]
    Open {
        /// Address asked for.
        address: SocketAddr,
    },
    /// A bound is zero.
    #[error("limit {name}: must be greater than zero")]
    Limit {
        /// Which one.
        name: &'static str,
    },
    /// A token that could be guessed.
    #[error("token: {bytes} characters, of at least {min}")]
    Token {
        /// Length found, bytes.
        bytes: usize,
        /// Length needed, bytes.
        min: usize,
    },
    /// An offer that cannot be served.
    #[error("route {path}: {reason}")]
    Route {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A page that cannot be served.
    #[error("page {path}: {reason}")]
    Page {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The listening socket.
    #[error("listening socket: {0}")]
    Listen(#[from] std::io::Error),
}
