//! A server that speaks enough of S3 for a lake: objects in memory, conditional puts, ranges, listings in pages, multipart uploads, bulk
//! deletion. It does not check signatures, only that requests bear one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use railbird_lake::LakeOptions;
use railbird_timeline::SystemClock;
use tokio::sync::oneshot;

const BUCKET: &str = "bucket";
/// Few, so that listings come in several pages.
const KEYS_A_PAGE: usize = 7;
const BODY_BYTES_MAX: usize = 64 << 20;

/// A store that lives as long as this.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    objects: Objects,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

type Objects = Arc<Mutex<Store>>;

#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    writes: u64,
}

struct Object {
    bytes: Bytes,
    tag: String,
    modified: SystemTime,
}

/// How a lake finds the server.
pub(crate) fn options(endpoint: &str, lease: Duration) -> LakeOptions {
    let mut options = LakeOptions::new(Arc::new(SystemClock::new()));
    options.lease = lease;
    let set = [
        ("aws_endpoint", endpoint),
        ("aws_allow_http", "true"),
        ("aws_region", "nowhere"),
        ("aws_access_key_id", "test"),
        ("aws_secret_access_key", "test"),
    ];
    options.store = set.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    options
}

impl Server {
    pub(crate) fn start() -> Self {
        let objects = Objects::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let state = Arc::clone(&objects);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let router =
                    Router::new().fallback(answer).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(state);
                let serve = axum::serve(listener, router).into_future();
                tokio::select! { _ = serve => (), _ = stopped => () }
            });
        });
        let endpoint = format!("http://{}", told.recv().unwrap());
        Self { endpoint, objects, stop: Some(stop), thread: Some(thread) }
    }

    /// Objects below a prefix but claims, by the rest of their keys, with the hashes of their content.
    pub(crate) fn objects(&self, prefix: &str) -> BTreeMap<String, String> {
        let store = self.objects.lock().unwrap();
        assert!(store.uploads.is_empty(), "no upload was left open");
        let below = store.objects.iter().filter_map(|(key, object)| Some((key.strip_prefix(prefix)?, object)));
        let kept = below.filter(|(key, _)| !key.starts_with("claims/"));
        kept.map(|(key, object)| (key.to_owned(), railbird_store::ContentHash::of(&object.bytes).to_string())).collect()
    }

    pub(crate) fn claims(&self, prefix: &str) -> usize {
        let claims = format!("{prefix}claims/");
        self.objects.lock().unwrap().objects.keys().filter(|key| key.starts_with(&claims)).count()
    }

    /// Changes a byte of an object.
    pub(crate) fn damage(&self, key: &str) {
        let mut store = self.objects.lock().unwrap();
        let object = store.objects.get_mut(key).expect("the object is there");
        let mut bytes = object.bytes.to_vec();
        bytes[10] ^= 1;
        object.bytes = bytes.into();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().expect("dropped once").send(());
        let _ = self.thread.take().expect("dropped once").join();
    }
}

impl Store {
    fn put(&mut self, key: String, bytes: Bytes) -> String {
        // As S3 does, by content: two puts of the same bytes have one tag.
        let tag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..32]);
        self.writes += 1;
        self.objects.insert(key, Object { bytes, tag: tag.clone(), modified: SystemTime::now() });
        tag
    }
}

async fn answer(
    State(objects): State<Objects>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        return refuse(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let path = percent_decode(parts.uri.path());
    let Some((bucket, key)) = path.trim_start_matches('/').split_once('/').or(Some((path.trim_matches('/'), "")))
    else {
        return refuse(StatusCode::BAD_REQUEST, "InvalidURI");
    };
    if bucket != BUCKET {
        return refuse(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let mut store = objects.lock().unwrap();
    let has = |name: &str| query.contains_key(name);
    match (parts.method, key) {
        (Method::GET, "") => list(&store, &query),
        (Method::POST, "") if has("delete") => delete_many(&mut store, &body),
        (Method::GET, _) => get(&store, key, &parts.headers, true),
        (Method::HEAD, _) => get(&store, key, &parts.headers, false),
        (Method::DELETE, _) if has("uploadId") => {
            store.uploads.remove(&query["uploadId"]);
            reply(StatusCode::NO_CONTENT)
        }
        (Method::DELETE, _) => {
            store.objects.remove(key);
            reply(StatusCode::NO_CONTENT)
        }
        (Method::PUT, _) if has("uploadId") => {
            let number = query["partNumber"].parse().unwrap();
            let Some(upload) = store.uploads.get_mut(&query["uploadId"]) else {
                return refuse(StatusCode::NOT_FOUND, "NoSuchUpload");
            };
            upload.insert(number, body);
            tagged(StatusCode::OK, &format!("\"part-{number}\""))
        }
        (Method::PUT, _) => put(&mut store, key, &parts.headers, body),
        (Method::POST, _) if has("uploads") => {
            store.writes += 1;
            let id = format!("upload-{}", store.writes);
            store.uploads.insert(id.clone(), BTreeMap::new());
            xml(&format!(
                "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key>\
                 <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        (Method::POST, _) if has("uploadId") => {
            let Some(parts) = store.uploads.remove(&query["uploadId"]) else {
                return refuse(StatusCode::NOT_FOUND, "NoSuchUpload");
            };
            let bytes: Vec<u8> = parts.into_values().flatten().collect();
            let tag = store.put(key.to_owned(), bytes.into());
            xml(&format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"))
        }
        _ => refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

fn put(store: &mut Store, key: &str, headers: &HeaderMap, body: Bytes) -> Response {
    let there = store.objects.get(key).map(|object| object.tag.as_str());
    if let Some(wanted) = headers.get(header::IF_MATCH) {
        match there {
            None => return refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
            Some(tag) if wanted != tag => return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
            Some(_) => {}
        }
    }
    if headers.get(header::IF_NONE_MATCH).is_some_and(|wanted| wanted == "*") && there.is_some() {
        return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    let tag = store.put(key.to_owned(), body);
    tagged(StatusCode::OK, &tag)
}

fn get(store: &Store, key: &str, headers: &HeaderMap, with_body: bool) -> Response {
    let Some(object) = store.objects.get(key) else { return refuse(StatusCode::NOT_FOUND, "NoSuchKey") };
    let size = object.bytes.len();
    let mut response = Response::builder()
        .header(header::ETAG, &object.tag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::LAST_MODIFIED, httpdate::fmt_http_date(object.modified));
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let bytes = match range.and_then(|range| range.split_once('-')) {
        None => object.bytes.clone(),
        Some((first, last)) => {
            let (first, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
                (Ok(first), Ok(last)) => (first, (last + 1).min(size)),
                (Ok(first), Err(_)) => (first, size),
                (Err(_), Ok(length)) => (size.saturating_sub(length), size),
                _ => return refuse(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
            };
            if first >= end {
                return refuse(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
            }
            response = response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_RANGE, format!("bytes {first}-{}/{size}", end - 1));
            object.bytes.slice(first..end)
        }
    };
    response = response.header(header::CONTENT_LENGTH, bytes.len());
    response.body(if with_body { Body::from(bytes) } else { Body::empty() }).unwrap()
}

fn list(store: &Store, query: &BTreeMap<String, String>) -> Response {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("continuation-token").or(query.get("start-after")).map_or("", String::as_str);
    let mut found = store.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    let mut body = String::from("<ListBucketResult>");
    let mut last = "";
    for (key, object) in found.by_ref().take(KEYS_A_PAGE) {
        let modified = jiff::Timestamp::try_from(object.modified).unwrap();
        body.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            object.tag.replace('"', "&quot;"),
            object.bytes.len()
        ));
        last = key;
    }
    if found.next().is_some() {
        body.push_str(&format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"));
    }
    xml(&(body + "</ListBucketResult>"))
}

fn delete_many(store: &mut Store, body: &[u8]) -> Response {
    let text = std::str::from_utf8(body).unwrap();
    let mut answer = String::from("<DeleteResult>");
    for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
        store.objects.remove(key);
        answer.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
    }
    xml(&(answer + "</DeleteResult>"))
}

fn reply(status: StatusCode) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn tagged(status: StatusCode, tag: &str) -> Response {
    Response::builder().status(status).header(header::ETAG, tag).body(Body::empty()).unwrap()
}

fn xml(body: &str) -> Response {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}");
    Response::builder().header(header::CONTENT_TYPE, "application/xml").body(Body::from(text)).unwrap()
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let mut response = xml(&format!("<Error><Code>{code}</Code></Error>"));
    *response.status_mut() = status;
    response
}

fn percent_decode(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned()
}
