//! What a field serves, described without HTTP: routes that answer calls, and streams of frames.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

/// Everything that one field serves.
#[derive(Clone, Default)]
pub struct Offer {
    /// Routes.
    pub routes: Vec<Route>,
    /// Streams of frames.
    pub streams: Vec<FrameRoute>,
}

/// Whether a route reads or changes state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes state: the server checks its origin.
    Post,
}

/// Where an answer is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Microseconds, no file: on the async worker itself.
    Quick,
    /// May read a file or compute: on a bounded pool of blocking threads.
    Blocking,
}

/// One route.
#[derive(Clone)]
pub struct Route {
    /// Reads or changes.
    pub method: Method,
    /// Path with names in braces: `/api/f1/sessions/{session}/laps`.
    pub path: &'static str,
    /// One line for the API description.
    pub summary: &'static str,
    /// Parameters in the path and the query; a name that is not listed is refused.
    pub parameters: Vec<Parameter>,
    /// Body that is accepted, for [`Method::Post`].
    pub body: Option<BodyRule>,
    /// Media type of a good answer.
    pub media_type: &'static str,
    /// JSON schema of a good answer, where it is JSON.
    pub schema: Option<serde_json::Value>,
    /// Where the answer is computed.
    pub cost: Cost,
    /// Answers from memory alone, if it can: the server asks this first, on the async worker, before it spends a
    /// blocking thread on `answer`. `None` for a route that has nothing in memory.
    pub warm: Option<Warm>,
    /// Computes it.
    pub answer: Answer,
}

/// Answers from memory in microseconds, without a file, a lock that is held long, or compression; `None` where it cannot.
pub type Warm = Arc<dyn Fn(&Call) -> Option<Reply> + Send + Sync>;

/// Computes an answer.
pub type Answer = Arc<dyn Fn(Call) -> Result<Reply, Refusal> + Send + Sync>;

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum In {
    /// In the path.
    Path,
    /// In the query.
    Query,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// Where it stands.
    pub place: In,
    /// Whether it must be given.
    pub required: bool,
    /// Meaning, unit and form.
    pub description: &'static str,
}

/// A body that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRule {
    /// Media type.
    pub media_type: &'static str,
    /// Largest size accepted, bytes.
    pub bytes_max: usize,
}

/// A call of a route. Parameters are percent-decoded.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// Parameters by name; of a name given twice, the last.
    pub parameters: BTreeMap<String, String>,
    /// Body.
    pub body: Bytes,
    /// Whether the client accepts gzip.
    pub accepts_gzip: bool,
}

impl Call {
    /// Value of a parameter; `None` where it was not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A good answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status, 200 in most cases.
    pub status: u16,
    /// Media type.
    pub media_type: &'static str,
    /// Whether `body` is gzip already: sent as it is to clients that accept it, decoded for others.
    pub gzip: bool,
    /// Strong entity tag, without quotes.
    pub etag: Option<String>,
    /// Whether it can never change.
    pub immutable: bool,
    /// Where to go instead, with a status of 3xx.
    pub location: Option<String>,
    /// File name, for a download.
    pub file_name: Option<String>,
    /// Body; shared, never copied.
    pub body: Bytes,
}

impl Reply {
    /// JSON of `value`.
    ///
    /// # Errors
    /// A [`Refusal`] of kind [`RefusalKind::Broken`] where the value cannot be written as JSON.
    pub fn json<T: serde::Serialize>(value: &T) -> Result<Self, Refusal> {
        let body = serde_json::to_vec(value).map_err(|error| Refusal {
            kind: RefusalKind::Broken,
            message: format!("answer could not be written as JSON: {error}"),
        })?;
        Ok(Self { body: body.into(), ..Self::bytes("application/json") })
    }

    /// An empty answer of one media type, to be filled in.
    pub fn bytes(media_type: &'static str) -> Self {
        Self {
            status: 200,
            media_type,
            gzip: false,
            etag: None,
            immutable: false,
            location: None,
            file_name: None,
            body: Bytes::new(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Kind, which gives the HTTP status.
    pub kind: RefusalKind,
    /// What was wrong, what was expected and what to do.
    pub message: String,
}

/// Kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The call is wrong: 400.
    BadCall,
    /// Not allowed by the configuration: 403.
    Forbidden,
    /// No such thing: 404.
    NotFound,
    /// Input that cannot be used: 422.
    BadInput,
    /// Too much at once: 429.
    Busy,
    /// Our own fault, or a damaged store: 500.
    Broken,
}

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameFormat {
    /// JSON, a text message.
    Json,
    /// MessagePack, a binary message.
    Msgpack,
}

/// A route that streams frames over a WebSocket, each client with a clock of its own.
#[derive(Clone)]
pub struct FrameRoute {
    /// Path with names in braces: `/api/f1/sessions/{session}/frames`.
    pub path: &'static str,
    /// One line for the API description.
    pub summary: &'static str,
    /// Frame rates that may be asked for, frames a second of the contest.
    pub rates: &'static [u32],
    /// Opens the source that the path and query name. Called on a blocking thread.
    pub open: OpenFrames,
}

/// Opens a source of frames.
pub type OpenFrames = Arc<dyn Fn(Call) -> Result<Arc<dyn FrameSource>, Refusal> + Send + Sync>;

/// Frames of one version of one contest.
pub trait FrameSource: Send + Sync {
    /// Names the version: with rate, format and index it is the key of an encoded frame.
    fn version(&self) -> &str;
    /// Moment of frame 0, seconds on the clock that viewers seek on.
    fn start_s(&self) -> f64 {
        0.0
    }
    /// Number of frames at `rate`; frame `n` shows the moment `start_s + n / rate`.
    fn frames(&self, rate: u32) -> u64;
    /// Encodes frame `n`: a pure function of version, rate, format and index.
    ///
    /// # Errors
    /// Where `n` is past the end.
    fn encode(&self, rate: u32, format: FrameFormat, n: u64) -> Result<Bytes, Refusal>;
}
