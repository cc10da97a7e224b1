//! What the field serves. Start at [`offer()`].
//!
//! The caller brings a [`Library`] (stored sessions, from memory where it can) and an [`Imports`] (imports that run
//! beside the server); both do I/O, nothing here does.

mod kept;
mod views;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use railbird_publish::{
    BodyRule, Call, Cost, FrameRoute, FrameSource, In, Method, Offer, Parameter, Refusal, RefusalKind, Reply, Route,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::kept::Kept;
use crate::codec::{Events, KINDS, Manifest};
use crate::drs::{DrsZoneRow, drs_zones};
use crate::frame::{FRAME_RATES, Frames};
use crate::import::{Input, gunzip};
use crate::laps::{LapTable, laps};
use crate::sectors::Sectors;
use crate::session::Session;
use crate::upload::read_upload;

/// Largest body of an import request, bytes: a path or a URL.
const IMPORT_BYTES_MAX: usize = 8 << 10;
/// Largest log after decompression, bytes.
const LOG_BYTES_MAX: usize = 256 << 20;

/// Stored sessions.
pub trait Library: Send + Sync {
    /// The newest version of every session, in order of their names.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn sessions(&self) -> Result<Vec<Arc<Manifest>>, Refusal>;

    /// The version that a name stands for now.
    ///
    /// # Errors
    /// Where there is none, or the store cannot be read.
    fn version_of(&self, id: &str) -> Result<String, Refusal>;

    /// A version's files as they are stored, read once and kept within a bound.
    ///
    /// # Errors
    /// Where there is no such version, or a file is damaged.
    fn stored(&self, version: &str) -> Result<Arc<Stored>, Refusal>;

    /// The same, where it is in memory.
    fn stored_in_memory(&self, version: &str) -> Option<Arc<Stored>>;

    /// A version opened, once however many ask at a time, and kept within a bound.
    ///
    /// # Errors
    /// As [`Self::stored`].
    fn opened(&self, version: &str) -> Result<Arc<Opened>, Refusal>;

    /// The same, where it is open.
    fn opened_in_memory(&self, version: &str) -> Option<Arc<Opened>>;
}

/// A version's files.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The manifest.
    pub manifest: Arc<Manifest>,
    /// The manifest as it is stored.
    pub manifest_json: Bytes,
    /// The pack.
    pub pack: Bytes,
    /// The logs but gaps, gzip.
    pub events: Bytes,
    /// Gaps, gzip.
    pub gaps: Bytes,
}

impl Stored {
    /// Bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.pack.len() + self.events.len() + self.gaps.len() + 4 * self.manifest_json.len()
    }

    /// Opens the session: checks every hash and decodes everything.
    ///
    /// # Errors
    /// As [`crate::open`].
    pub fn open(&self) -> Result<Opened, crate::import::OpenError> {
        let files = [
            (crate::import::PACK, &self.pack[..]),
            (crate::import::EVENTS, &self.events[..]),
            (crate::import::GAPS, &self.gaps[..]),
        ];
        let session = Arc::new(crate::import::open(&self.manifest, &files.into_iter().collect())?);
        let frames = Arc::new(Frames::new(&self.manifest.version, Arc::clone(&session)));
        Ok(Opened {
            manifest: Arc::clone(&self.manifest),
            session,
            frames,
            laps: OnceLock::new(),
            sectors: OnceLock::new(),
            drs_zones: OnceLock::new(),
            laps_answer: Kept::default(),
            sectors_answer: Kept::default(),
        })
    }
}

/// An opened session.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// The session.
    pub session: Arc<Session>,
    /// Its frames.
    pub frames: Arc<Frames>,
    /// Its laps as they are known at the end, once somebody has asked for any.
    laps: OnceLock<Arc<LapTable>>,
    /// Its sectors, once somebody has asked for all of them: they take a walk over the telemetry of every lap.
    sectors: OnceLock<Arc<Sectors>>,
    drs_zones: OnceLock<Arc<[DrsZoneRow]>>,
    laps_answer: Kept,
    sectors_answer: Kept,
}

impl Opened {
    /// Its sectors as they are known at the end, computed once.
    pub(crate) fn sectors(&self) -> Arc<Sectors> {
        Arc::clone(self.sectors.get_or_init(|| Arc::new(Sectors::of(&self.session, None))))
    }

    /// Its laps as they are known at the end, computed once.
    pub(crate) fn laps(&self) -> Arc<LapTable> {
        Arc::clone(self.laps.get_or_init(|| Arc::new(laps(&self.session, None))))
    }

    /// Its DRS zones as they became known, computed once.
    pub(crate) fn drs_zones(&self) -> &[DrsZoneRow] {
        self.drs_zones.get_or_init(|| drs_zones(&self.session, None).into())
    }

    /// Bytes that it takes in memory, about: samples and progress along the track, the rows of the logs, and the laps and
    /// sectors with their answers.
    pub fn bytes(&self) -> usize {
        let counts = &self.manifest.counts;
        (counts.car_samples * 24
            + counts.position_samples * 37
            + counts.events * 64
            + counts.gaps * 80
            + counts.laps * 4_000) as usize
    }
}

/// What to import.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ImportRequest {
    /// A folder or recording below the configured import root.
    Path(String),
    /// An archive's URL root.
    Url(String),
}

/// What may be imported over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportRules {
    /// Whether there is an import root, so that a path may be given.
    pub paths: bool,
    /// Hosts whose URLs may be given.
    pub hosts: Vec<String>,
    /// Largest upload, bytes; 0 where none is taken.
    pub upload_bytes_max: usize,
}

/// How an import stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportStatus {
    /// `queued`, `running`, `done` or `failed`.
    pub state: &'static str,
    /// What it does now.
    pub stage: String,
    /// Share done, 0 to 1.
    pub fraction: f64,
    /// Name of the session, when done.
    pub session: Option<String>,
    /// Version of the session, when done.
    pub version: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Imports that run beside the server.
pub trait Imports: Send + Sync {
    /// Queues an import and names it.
    ///
    /// # Errors
    /// Where the request is not allowed, or too many wait.
    fn start(&self, request: ImportRequest) -> Result<String, Refusal>;

    /// Queues the import of what was sent, and names it.
    ///
    /// # Errors
    /// Where uploads are not allowed, or too many wait.
    fn start_upload(&self, input: Input) -> Result<String, Refusal>;

    /// What may be imported.
    fn rules(&self) -> ImportRules;

    /// How an import stands; `None` for a name that was never given or is long gone.
    fn status(&self, import: &str) -> Option<ImportStatus>;
}

/// Everything that the field serves.
pub fn offer(library: Arc<dyn Library>, imports: Arc<dyn Imports>) -> Offer {
    let mut routes = stored_routes(&library);
    routes.extend(views::routes(&library));
    routes.extend(import_routes(imports));
    let open = Arc::clone(&library);
    let frames = FrameRoute {
        path: "/api/f1/sessions/{session}/frames",
        summary: "Frames of the whole race, each client with a clock of its own",
        rates: FRAME_RATES,
        open: Arc::new(move |call| {
            let opened = open_call(&*open, &call)?;
            Ok(Arc::clone(&opened.frames) as Arc<dyn FrameSource>)
        }),
    };
    Offer { routes, streams: vec![frames] }
}

fn stored_routes(library: &Arc<dyn Library>) -> Vec<Route> {
    vec![
        Route {
            parameters: vec![
                query("year", "Season, as in 2025"),
                query("round", "Number of the meeting in its season"),
                query("type", "Type or name of the session, in any case: Race, Sprint, Qualifying, Practice 3"),
            ],
            schema: Some(json!({"type": "object", "properties": {"sessions": {"type": "array"}}})),
            ..blocking("/api/f1/sessions", "Stored sessions, newest version of each", library, sessions)
        },
        Route {
            parameters: vec![session_parameter()],
            schema: Some(json!({"type": "object"})),
            ..blocking(
                "/api/f1/sessions/{session}",
                "Manifest of a session; a name redirects to its version",
                library,
                |library, call| {
                    let name = session_name(call)?;
                    if is_version(name) {
                        let stored = library.stored(name)?;
                        return Ok(Reply {
                            etag: Some(name.to_owned()),
                            immutable: true,
                            body: stored.manifest_json.clone(),
                            ..Reply::bytes("application/json")
                        });
                    }
                    let version = library.version_of(name)?;
                    Ok(Reply {
                        status: 307,
                        location: Some(format!("/api/f1/sessions/{version}")),
                        ..Reply::bytes("application/json")
                    })
                },
            )
        },
        Route {
            parameters: vec![session_parameter(), path("n", "Number of the chunk, 0 first; one holds 30 s")],
            media_type: "application/octet-stream",
            warm: Some({
                let library = Arc::clone(library);
                Arc::new(move |call| {
                    let stored = library.stored_in_memory(call.get("session")?)?;
                    chunk(&stored, call).ok()
                })
            }),
            ..blocking(
                "/api/f1/sessions/{session}/chunks/{n}",
                "Samples of 30 s, as docs/formats/f1-chunks.md says",
                library,
                |library, call| Ok(named(call, chunk(&*stored(library, call)?, call)?)),
            )
        },
        Route {
            parameters: vec![session_parameter(), query("kinds", "Tables, separated by commas; all where not given")],
            schema: Some(json!({"type": "object"})),
            ..blocking(
                "/api/f1/sessions/{session}/events",
                "The logs, as tables of columns",
                library,
                |library, call| {
                    let stored = stored(library, call)?;
                    match call.get("kinds") {
                        None => Ok(named(call, log(&stored, "events", stored.events.clone()))),
                        Some(kinds) => some_events(&stored, kinds),
                    }
                },
            )
        },
        Route {
            parameters: vec![session_parameter()],
            schema: Some(json!({"type": "object"})),
            ..blocking(
                "/api/f1/sessions/{session}/gaps",
                "Gaps and intervals on the road, a row a driver and second where they changed",
                library,
                |library, call| {
                    let stored = stored(library, call)?;
                    Ok(named(call, log(&stored, "gaps", stored.gaps.clone())))
                },
            )
        },
        Route {
            parameters: vec![session_parameter()],
            schema: Some(json!({"type": "object"})),
            ..blocking(
                "/api/f1/sessions/{session}/weather",
                "Weather, as a table of columns",
                library,
                |library, call| Reply::json(&events(&*stored(library, call)?)?.weather),
            )
        },
    ]
}

fn import_routes(imports: Arc<dyn Imports>) -> Vec<Route> {
    let (watch, rules, uploads) = (Arc::clone(&imports), Arc::clone(&imports), Arc::clone(&imports));
    let upload_bytes_max = imports.rules().upload_bytes_max;
    let schema = Some(json!({"type": "object"}));
    let start: railbird_publish::Answer = Arc::new(move |call| {
        let request = serde_json::from_slice(&call.body).map_err(|error| Refusal {
            kind: RefusalKind::BadCall,
            message: format!("body: {error}; expected {{\"path\": \"…\"}} or {{\"url\": \"…\"}}"),
        })?;
        started(imports.start(request)?)
    });
    let upload: railbird_publish::Answer = Arc::new(move |call| {
        let input = read_upload(call.get("name").unwrap_or("upload"), &call.body)
            .map_err(|error| refusal(RefusalKind::BadInput, error.to_string()))?;
        started(uploads.start_upload(input)?)
    });
    vec![
        Route {
            method: Method::Post,
            path: "/api/f1/sessions",
            summary: "Imports a session from a path below the import root or from an allowed host",
            parameters: Vec::new(),
            body: Some(BodyRule { media_type: "application/json", bytes_max: IMPORT_BYTES_MAX }),
            media_type: "application/json",
            schema: schema.clone(),
            cost: Cost::Blocking,
            warm: None,
            answer: start,
        },
        Route {
            method: Method::Post,
            path: "/api/f1/uploads",
            summary: "Imports a session that is sent as a tar file of its streams, or of one recording",
            parameters: vec![query("name", "What to call the session where its source does not name it")],
            body: Some(BodyRule { media_type: "application/x-tar", bytes_max: upload_bytes_max }),
            media_type: "application/json",
            schema: schema.clone(),
            cost: Cost::Blocking,
            warm: None,
            answer: upload,
        },
        Route {
            method: Method::Get,
            path: "/api/f1/imports",
            summary: "What may be imported: paths below an import root, URLs of which hosts, uploads of which size",
            parameters: Vec::new(),
            body: None,
            media_type: "application/json",
            schema: schema.clone(),
            cost: Cost::Quick,
            warm: None,
            answer: Arc::new(move |_| Reply::json(&rules.rules())),
        },
        Route {
            method: Method::Get,
            path: "/api/f1/imports/{import}",
            summary: "How an import stands",
            parameters: vec![path("import", "Name of the import, as its start gave it")],
            body: None,
            media_type: "application/json",
            schema,
            cost: Cost::Quick,
            warm: None,
            answer: Arc::new(move |call| {
                let import = call.get("import").unwrap_or_default();
                let status = watch.status(import).ok_or_else(|| not_found(format!("import {import}: not known")))?;
                Reply::json(&status)
            }),
        },
    ]
}

fn started(import: String) -> Result<Reply, Refusal> {
    Ok(Reply { status: 202, ..Reply::json(&json!({ "import": import }))? })
}

/// A route that reads the library on a blocking thread and answers with JSON.
fn blocking(
    path: &'static str,
    summary: &'static str,
    library: &Arc<dyn Library>,
    answer: fn(&dyn Library, &Call) -> Result<Reply, Refusal>,
) -> Route {
    let library = Arc::clone(library);
    Route {
        method: Method::Get,
        path,
        summary,
        parameters: Vec::new(),
        body: None,
        media_type: "application/json",
        schema: None,
        cost: Cost::Blocking,
        warm: None,
        answer: Arc::new(move |call| answer(&*library, &call)),
    }
}

fn session_parameter() -> Parameter {
    path("session", "Name of a session, or a version of it")
}

fn path(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: In::Path, required: true, description }
}

fn query(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: In::Query, required: false, description }
}

fn refusal(kind: RefusalKind, message: impl Into<String>) -> Refusal {
    Refusal { kind, message: message.into() }
}

fn not_found(message: impl Into<String>) -> Refusal {
    refusal(RefusalKind::NotFound, message)
}

fn bad_call(message: impl Into<String>) -> Refusal {
    refusal(RefusalKind::BadCall, message)
}

fn session_name(call: &Call) -> Result<&str, Refusal> {
    call.get("session").ok_or_else(|| bad_call("session: not given"))
}

/// Whether a name is a version: 20 hexadecimal digits.
pub fn is_version(name: &str) -> bool {
    name.len() == 20 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn version(library: &dyn Library, call: &Call) -> Result<String, Refusal> {
    let name = session_name(call)?;
    if is_version(name) { Ok(name.to_owned()) } else { library.version_of(name) }
}

fn stored(library: &dyn Library, call: &Call) -> Result<Arc<Stored>, Refusal> {
    library.stored(&version(library, call)?)
}

fn open_call(library: &dyn Library, call: &Call) -> Result<Arc<Opened>, Refusal> {
    library.opened(&version(library, call)?)
}

fn sessions(library: &dyn Library, call: &Call) -> Result<Reply, Refusal> {
    let number = |name: &str| match call.get(name) {
        None => Ok(None),
        Some(text) => {
            text.parse::<u16>().map(Some).map_err(|_| bad_call(format!("{name}: expected a number, got {text:?}")))
        }
    };
    let (year, round, kind) = (number("year")?, number("round")?, call.get("type"));
    let wanted = |manifest: &&Arc<Manifest>| {
        let about = &manifest.session;
        year.is_none_or(|year| about.year == Some(year))
            && round.is_none_or(|round| about.round == Some(round))
            && kind.is_none_or(|kind| about.kind.eq_ignore_ascii_case(kind) || about.name.eq_ignore_ascii_case(kind))
    };
    let sessions = library.sessions()?;
    let rows: Vec<_> = sessions.iter().filter(wanted).map(|manifest| summary(manifest)).collect();
    Reply::json(&json!({ "sessions": rows }))
}

/// A session in a line.
pub fn summary(manifest: &Manifest) -> serde_json::Value {
    let about = &manifest.session;
    json!({
        "id": manifest.id,
        "version": manifest.version,
        "year": about.year,
        "round": about.round,
        "meeting": about.meeting,
        "circuit": about.circuit,
        "location": about.location,
        "country": about.country,
        "type": about.kind,
        "name": about.name,
        "start_utc": about.start_utc,
        "drivers": manifest.drivers.len(),
        "laps": manifest.counts.laps,
        "total_laps": manifest.total_laps,
        "car_samples": manifest.counts.car_samples,
        "position_samples": manifest.counts.position_samples,
        "duration_s": manifest.end_s,
    })
}

fn chunk(stored: &Stored, call: &Call) -> Result<Reply, Refusal> {
    let text = call.get("n").unwrap_or_default();
    let n: usize = text.parse().map_err(|_| bad_call(format!("n: expected the number of a chunk, got {text:?}")))?;
    let chunks = &stored.manifest.chunks;
    let index = chunks.get(n).filter(|index| index.bytes > 0).ok_or_else(|| {
        not_found(format!("chunk {n}: no samples; the session's index lists those of {}", chunks.len()))
    })?;
    let (start, end) = (index.offset as usize, (index.offset + index.bytes) as usize);
    if end > stored.pack.len() {
        return Err(refusal(
            RefusalKind::Broken,
            format!("chunk {n}: lies outside the pack; import the session again"),
        ));
    }
    Ok(Reply {
        gzip: true,
        etag: Some(index.blake3.clone()),
        immutable: true,
        body: stored.pack.slice(start..end),
        ..Reply::bytes("application/octet-stream")
    })
}

fn log(stored: &Stored, name: &str, body: Bytes) -> Reply {
    Reply {
        gzip: true,
        etag: Some(format!("{}-{name}", stored.manifest.version)),
        immutable: true,
        body,
        ..Reply::bytes("application/json")
    }
}

/// What is asked for by a name can change; by a version it cannot.
fn named(call: &Call, reply: Reply) -> Reply {
    Reply { immutable: call.get("session").is_some_and(is_version), ..reply }
}

fn log_json(packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    gunzip(packed, LOG_BYTES_MAX)
        .ok_or_else(|| refusal(RefusalKind::Broken, "events: the stored log is damaged; import the session again"))
}

fn events(stored: &Stored) -> Result<Events, Refusal> {
    serde_json::from_slice(&log_json(&stored.events)?)
        .map_err(|error| refusal(RefusalKind::Broken, format!("events: {error}; import the session again")))
}

fn some_events(stored: &Stored, kinds: &str) -> Result<Reply, Refusal> {
    let kinds: Vec<&str> = kinds.split(',').collect();
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
        return Err(bad_call(format!("kinds: unknown table {unknown:?}; expected some of {}", KINDS.join(","))));
    }
    // Tables are passed on as they are written, unread.
    let json = log_json(&stored.events)?;
    let tables: std::collections::BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_slice(&json)
        .map_err(|error| refusal(RefusalKind::Broken, format!("events: {error}; import the session again")))?;
    let chosen: std::collections::BTreeMap<_, _> =
        kinds.into_iter().filter_map(|kind| Some((kind, *tables.get(kind)?))).collect();
    Reply::json(&chosen)
}
