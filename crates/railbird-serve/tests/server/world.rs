//! A server with a small field of its own, and the ways to ask it.

use std::{
    collections::HashMap,
    io::Write as _,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use railbird_publish::{
    BodyRule, Call, Cost, FrameFormat, FrameRoute, FrameSource, In, Method, Offer, Parameter, Refusal, RefusalKind,
    Reply, Route,
};
use railbird_serve::{Limits, Page, Pages, ServeConfig, ServeError, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};
use tungstenite::client::IntoClientRequest as _;

/// Far longer than anything here takes; only a broken server lets a test reach it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// What `/api/t/things/{thing}` sends, before compression.
pub(crate) fn thing(name: &str) -> String {
    format!("{{\"thing\":\"{name}\",\"padding\":\"{}\"}}", "x".repeat(10_000))
}

pub(crate) fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap().into()
}

/// Holds calls back until it is opened.
#[derive(Default)]
pub(crate) struct Turnstile {
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Turnstile {
    pub(crate) fn open(&self) {
        self.state.lock().unwrap().0 = true;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        while !state.0 {
            state = self.changed.wait(state).unwrap();
        }
    }

    /// Calls that have come so far.
    pub(crate) fn came(&self) -> usize {
        self.state.lock().unwrap().1
    }
}

/// Frames that count how often each was encoded.
pub(crate) struct Film {
    pub(crate) frames: u64,
    pub(crate) frame_bytes: usize,
    pub(crate) encodings: Mutex<HashMap<(u32, FrameFormat, u64), u64>>,
}

impl Film {
    pub(crate) fn new(frames: u64, frame_bytes: usize) -> Arc<Self> {
        Arc::new(Self { frames, frame_bytes, encodings: Mutex::default() })
    }

    /// What frame `n` holds.
    pub(crate) fn frame(&self, rate: u32, n: u64) -> serde_json::Value {
        serde_json::json!({ "n": n, "t": self.start_s() + n as f64 / f64::from(rate), "pad": "y".repeat(self.frame_bytes) })
    }
}

impl FrameSource for Film {
    fn version(&self) -> &str {
        "f11a"
    }

    fn start_s(&self) -> f64 {
        100.0
    }

    fn frames(&self, _rate: u32) -> u64 {
        self.frames
    }

    fn encode(&self, rate: u32, format: FrameFormat, n: u64) -> Result<Bytes, Refusal> {
        if n >= self.frames {
            return Err(Refusal { kind: RefusalKind::NotFound, message: format!("frame {n}: past the end") });
        }
        *self.encodings.lock().unwrap().entry((rate, format, n)).or_default() += 1;
        let frame = self.frame(rate, n);
        Ok(match format {
            FrameFormat::Json => frame.to_string().into(),
            FrameFormat::Msgpack => rmp_serde::to_vec_named(&frame).unwrap().into(),
        })
    }
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) turnstile: Arc<Turnstile>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: Option<JoinHandle<Result<(), ServeError>>>,
}

/// Starts a server of the test field.
pub(crate) async fn world(change: impl FnOnce(&mut ServeConfig)) -> World {
    world_of(Film::new(1_000_000, 10), change).await
}

pub(crate) async fn world_of(film: Arc<Film>, change: impl FnOnce(&mut ServeConfig)) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = ServeConfig { limits: limits(), ..ServeConfig::default() };
    change(&mut config);
    let turnstile = Arc::new(Turnstile::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let offers = vec![offer(&turnstile, film)];
    let served = tokio::spawn(serve(listener, config, offers, pages(), async move {
        let _ = stopped.await;
    }));
    World { address, turnstile, stop: Some(stop), served: Some(served) }
}

pub(crate) fn limits() -> Limits {
    Limits { grace: Duration::from_secs(5), ..Limits::default() }
}

fn parameter(name: &'static str, place: In) -> Parameter {
    Parameter { name, place, required: place == In::Path, description: "for tests" }
}

fn route(method: Method, path: &'static str, cost: Cost, answer: fn(Call) -> Result<Reply, Refusal>) -> Route {
    let parameters = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    Route {
        method,
        path,
        summary: "for tests",
        parameters: parameters.map(|name| parameter(name, In::Path)).collect(),
        body: None,
        media_type: "application/json",
        schema: None,
        cost,
        warm: None,
        answer: Arc::new(answer),
    }
}

pub(crate) fn offer(turnstile: &Arc<Turnstile>, film: Arc<Film>) -> Offer {
    let thing_answer = |call: Call| {
        let name = call.get("thing").unwrap_or("");
        if name == "nothing" {
            return Err(Refusal { kind: RefusalKind::NotFound, message: "thing nothing: is not there".to_owned() });
        }
        let body = gzip(thing(name).as_bytes());
        let etag = Some(format!("tag-{name}"));
        Ok(Reply { gzip: true, immutable: true, etag, body, ..Reply::bytes("application/json") })
    };
    let mut things = route(Method::Get, "/api/t/things/{thing}", Cost::Quick, thing_answer);
    things.parameters.push(parameter("size", In::Query));
    things.parameters.push(parameter("colour", In::Query));
    let mut make = route(Method::Post, "/api/t/things", Cost::Blocking, |call| {
        Ok(Reply { status: 202, ..Reply::json(&serde_json::json!({ "bytes": call.body.len() }))? })
    });
    make.body = Some(BodyRule { media_type: "application/json", bytes_max: 1000 });
    let mut wait = route(Method::Get, "/api/t/wait", Cost::Blocking, |_| Reply::json(&"late"));
    let gate = Arc::clone(turnstile);
    wait.answer = Arc::new(move |_| {
        gate.pass();
        Reply::json(&"late")
    });
    // In memory for one name only; its `answer` would wait.
    let mut warm = route(Method::Get, "/api/t/warm/{thing}", Cost::Blocking, |_| Reply::json(&"late"));
    warm.answer = Arc::clone(&wait.answer);
    warm.warm = Some(Arc::new(|call| (call.get("thing") == Some("hot")).then(|| Reply::json(&"warm").ok()).flatten()));
    let routes = vec![
        things,
        make,
        wait,
        warm,
        route(Method::Get, "/api/t/moved/{thing}", Cost::Quick, |call| {
            let location = Some(format!("/api/t/things/{}", call.get("thing").unwrap_or("")));
            Ok(Reply { status: 307, location, ..Reply::bytes("application/json") })
        }),
        route(Method::Get, "/api/t/file", Cost::Quick, |_| {
            Ok(Reply { file_name: Some("a \"b\".csv".to_owned()), body: "1,2\n".into(), ..Reply::bytes("text/csv") })
        }),
        route(Method::Get, "/api/t/bomb", Cost::Quick, |_| {
            Ok(Reply { gzip: true, body: gzip(&vec![0; 4 << 20]), ..Reply::bytes("text/plain") })
        }),
        route(Method::Get, "/api/t/panic/quick", Cost::Quick, |_| panic!("planted")),
        route(Method::Get, "/api/t/panic/blocking", Cost::Blocking, |_| panic!("planted")),
    ];
    let open = Arc::new(move |call: Call| match call.get("thing") {
        Some("film") => Ok(Arc::clone(&film) as Arc<dyn FrameSource>),
        other => Err(Refusal { kind: RefusalKind::NotFound, message: format!("{other:?}: no such film") }),
    });
    let path = "/api/t/things/{thing}/frames";
    Offer { routes, streams: vec![FrameRoute { path, summary: "for tests", rates: &[1, 25, 50], open }] }
}

pub(crate) fn pages() -> Pages {
    let page = |path: &'static str, text: &'static str, immutable| Page {
        path: path.into(),
        media_type: "text/html; charset=utf-8".into(),
        etag: format!("page-{}", text.len()).into(),
        plain: None,
        gzip: Some(gzip(text.as_bytes())),
        brotli: Some(Bytes::from_static(b"not really brotli")),
        immutable,
    };
    Pages { files: vec![page("/index.html", "<p>index", false), page("/assets/app-1a2b.js", "'app'", true)] }
}

impl Drop for World {
    /// A call that is held back would hold back the end of a failed test as well.
    fn drop(&mut self) {
        self.turnstile.open();
    }
}

impl World {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.unwrap()
    }

    /// Sends bytes as they are; returns all that comes back until the server closes.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = self.tcp().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A GET with the right `Host`, closed after it.
    pub(crate) async fn raw_get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)).await
    }

    pub(crate) async fn socket(&self, query: &str) -> Socket {
        self.try_socket(query, &[]).await.unwrap()
    }

    /// A WebSocket, or the status that it was refused with.
    pub(crate) async fn try_socket(&self, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let url = format!("ws://{}/api/t/things/film/frames{query}", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// A counter or gauge of `/metrics`, by all that stands before its value.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
    }

    /// Asks until it holds.
    pub(crate) async fn until(&self, series: &str, holds: impl Fn(f64) -> bool) {
        let asked = async {
            while !holds(self.metric(series).await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{series} never came"));
    }
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Neither decodes nor follows: what the server sends is what a test sees.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_gzip()
        .no_proxy()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Status of a raw answer.
#[track_caller]
pub(crate) fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
