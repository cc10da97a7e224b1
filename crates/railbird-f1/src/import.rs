//! Input bytes to a stored session, and a stored session to one that can be read. Start at [`import`] and [`open`].
//!
//! Pure: the caller reads the input and writes the files. The same input gives the same bytes on any number of threads.

use std::collections::BTreeMap;

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use railbird_timeline::{Clock, Ts};
use rayon::prelude::*;

use crate::codec::{
    About, CHUNK_NS, ChunkIndex, Counts, Events, FORMAT, FileHash, Gaps, Geometry, Manifest, StaleSamples, chunks,
    decode_chunk, encode_chunk,
};
use crate::columns::Columns;
use crate::decode::{Decoded, Rejected, archive_stream, recording};
use crate::earlier::EarlierLine;
use crate::event::{DriverId, Event, SessionInfo, SessionTime, Stamped};
use crate::geometry::Centreline;
use crate::session::Session;
use crate::source::{STREAMS, Stream};
use crate::state::{Ended, Samples, State};

/// Name of the pack.
pub const PACK: &str = "chunks.pack";
/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the logs.
pub const EVENTS: &str = "events.json.gz";
/// Name of the log of gaps.
pub const GAPS: &str = "gaps.json.gz";

/// Largest log after decompression, bytes.
const LOG_BYTES_MAX: usize = 256 << 20;
/// Largest chunk after decompression, bytes: 30 s of 64 cars take about 0.3 MB.
const CHUNK_BYTES_MAX: usize = 16 << 20;
/// The pack's compression: the size of every level was measured on a whole race, see `docs/f1.md`.
const PACK_LEVEL: i32 = 7;
/// Most chunks: 48 hours.
const CHUNKS_MAX: u64 = 48 * 120;

/// What a session is made from.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name of the folder, file or URL: names the session where the source does not.
    pub name: String,
    /// Streams of an archive, or one recording of the live feed.
    pub files: Vec<InputFile>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// Name without folder, as in `CarData.z.jsonStream`.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// An imported session.
#[derive(Debug)]
pub struct Import {
    /// The session.
    pub session: Session,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its files: `(name, content)`, the manifest last.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What was left out, with places.
    pub rejected: Rejected,
    /// Streams that the input does not have.
    pub missing: Vec<&'static str>,
    /// Streams of which no record could be used.
    pub unusable: Vec<&'static str>,
    /// Seconds of each stage, in order.
    pub stages: Vec<(&'static str, f64)>,
}

/// Why an input cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing that is known by name.
    #[error(
        "{name}: no stream found; expected files like TimingData.jsonStream or one recording of the live feed (.txt)"
    )]
    NoStream {
        /// Of the input.
        name: String,
    },
    /// No usable record.
    #[error("{name}: none of {records} records can be used; first: {first}; expected live-timing records")]
    NoRecord {
        /// Of the input.
        name: String,
        /// How many were read.
        records: u64,
        /// The first refusal.
        first: String,
    },
    /// Records, but no driver.
    #[error("{name}: no driver in {records} records; expected DriverList or TimingData among the streams")]
    NoDriver {
        /// Of the input.
        name: String,
        /// How many were read.
        records: u64,
    },
    /// Longer than any session.
    #[error("{name}: records span {hours} hours; expected at most 48")]
    TooLong {
        /// Of the input.
        name: String,
        /// Length.
        hours: i64,
    },
    /// A result that cannot be written.
    #[error("{name}: session could not be written as JSON: {source}")]
    Json {
        /// Of the input.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// Imports a session.
///
/// Decoding and encoding use the threads of the current rayon pool. `clock` measures the stages and nothing else.
///
/// # Errors
/// Where there is nothing to make a session from. Single bad records are counted and do not fail.
pub fn import(input: &Input, clock: &dyn Clock) -> Result<Import, ImportError> {
    import_after(input, &|_| None, clock)
}

/// Imports a session onto the centreline of an earlier one, where `earlier` knows such a session: it is asked once, with the
/// first word of the source on what this session is.
///
/// The result depends on the line and names its origin: another line gives another version.
///
/// # Errors
/// As [`import`].
pub fn import_after(
    input: &Input,
    earlier: &dyn Fn(&SessionInfo) -> Option<EarlierLine>,
    clock: &dyn Clock,
) -> Result<Import, ImportError> {
    let mut stages = Stages { clock, last: clock.monotonic(), stages: Vec::new() };
    let Parts { events, rejected: mut refused, records, origin, missing, unusable } = decode(input)?;
    stages.end("decode");
    if events.is_empty() {
        let first =
            refused.reasons().find_map(|(reason, entry)| Some(format!("{reason} at {}", entry.places.first()?)));
        return Err(ImportError::NoRecord {
            name: input.name.clone(),
            records,
            first: first.unwrap_or_else(|| "the input is empty".to_owned()),
        });
    }

    let about = events.iter().find_map(|stamped| match &stamped.event {
        Event::SessionInfo(info) => Some(&**info),
        _ => None,
    });
    let (line, line_origin) = about.and_then(earlier).map(|earlier| (earlier.line, earlier.origin)).unzip();
    let mut state = State::after(line);
    for event in &events {
        state.apply(event);
    }
    drop(events);
    let ended = state.end();
    stages.end("fold");
    if ended.drivers.is_empty() {
        return Err(ImportError::NoDriver { name: input.name.clone(), records });
    }
    let count = chunks(&ended.samples);
    if count > CHUNKS_MAX || ended.end.0 > CHUNKS_MAX as i64 * CHUNK_NS {
        return Err(ImportError::TooLong { name: input.name.clone(), hours: ended.end.0 / 3_600_000_000_000 });
    }

    let (pack, (logs, hashes)) = rayon::join(
        || pack(&ended.samples, count),
        || {
            let hashes = input.files.par_iter().map(|file| FileHash::new(&file.name, &file.bytes)).collect::<Vec<_>>();
            (write_logs(&ended), hashes)
        },
    );
    let (pack, index) = pack;
    let json = |source| ImportError::Json { name: input.name.clone(), source };
    let (events, gaps, rows) = logs.map_err(json)?;
    stages.end("encode");

    refused.merge(ended.rejected.clone());
    let stale_samples = stale_samples(&ended.samples);
    let session = session(ended, origin);
    let mut manifest = describe(input, &session, &refused, index, records, rows);
    manifest.stale_samples = stale_samples;
    if let Some(geometry) = &mut manifest.geometry {
        geometry.origin = line_origin;
    }
    manifest.inputs = hashes;
    manifest.inputs.sort_by(|a, b| a.name.cmp(&b.name));
    manifest.files = vec![FileHash::new(PACK, &pack), FileHash::new(EVENTS, &events), FileHash::new(GAPS, &gaps)];
    manifest.seal().map_err(json)?;
    let text = serde_json::to_vec(&manifest).map_err(json)?;
    stages.end("manifest");
    Ok(Import {
        session,
        manifest,
        files: vec![(PACK, pack), (EVENTS, events), (GAPS, gaps), (MANIFEST, text)],
        rejected: refused,
        missing,
        unusable,
        stages: stages.stages,
    })
}

/// Seconds of each stage: they follow one another without a hole.
struct Stages<'a> {
    clock: &'a dyn Clock,
    last: std::time::Duration,
    stages: Vec<(&'static str, f64)>,
}

impl Stages<'_> {
    fn end(&mut self, stage: &'static str) {
        let now = self.clock.monotonic();
        self.stages.push((stage, (now - self.last).as_secs_f64()));
        self.last = now;
    }
}

/// The decoded input.
struct Parts {
    events: Vec<Stamped>,
    rejected: Rejected,
    records: u64,
    /// UTC of session time zero, where the input says it.
    origin: Option<Ts>,
    missing: Vec<&'static str>,
    unusable: Vec<&'static str>,
}

fn decode(input: &Input) -> Result<Parts, ImportError> {
    let of = |stream: Stream| input.files.iter().find(|file| file.name == stream.file_name());
    let missing: Vec<_> = STREAMS.into_iter().filter(|stream| of(*stream).is_none()).map(Stream::topic).collect();
    if missing.len() < STREAMS.len() {
        let streams: Vec<Decoded> = STREAMS
            .into_par_iter()
            .map(|stream| {
                of(stream).map_or_else(Decoded::default, |file| archive_stream(stream, &file.name, &file.bytes))
            })
            .collect();
        let (mut rejected, mut records) = (Rejected::default(), 0);
        let mut events = Vec::with_capacity(streams.len());
        let mut unusable = Vec::new();
        for (of, stream) in STREAMS.into_iter().zip(streams) {
            if stream.events.is_empty() && stream.rejected.total() > 0 {
                unusable.push(of.topic());
            }
            rejected.merge(stream.rejected);
            records += stream.records;
            events.push(stream.events);
        }
        return Ok(Parts { events: merge(events), rejected, records, origin: None, missing, unusable });
    }
    let [file] = input.files.as_slice() else {
        return Err(ImportError::NoStream { name: input.name.clone() });
    };
    let (decoded, origin) = recording(&file.name, &file.bytes);
    let Decoded { events, rejected, records } = decoded;
    Ok(Parts { events, rejected, records, origin, missing: Vec::new(), unusable: Vec::new() })
}

/// Streams, each in order, as one; of equal stamps the earlier stream comes first.
fn merge(streams: Vec<Vec<Stamped>>) -> Vec<Stamped> {
    let mut merged = Vec::with_capacity(streams.iter().map(Vec::len).sum());
    let mut streams: Vec<_> = streams.into_iter().map(|events| events.into_iter().peekable()).collect();
    // Eleven streams: a scan of their heads is as fast as a heap.
    while let Some((_, first)) =
        streams.iter_mut().enumerate().filter_map(|(index, events)| Some((events.peek()?.known_at, index))).min()
    {
        merged.extend(streams[first].next());
    }
    merged
}

fn pack(samples: &Samples, count: u64) -> (Vec<u8>, Vec<ChunkIndex>) {
    let level = CompressionLvl::new(PACK_LEVEL).unwrap_or_default();
    let encoded: Vec<_> = (0..count)
        .into_par_iter()
        .map_init(
            || Compressor::new(level),
            |compressor, n| {
                let (plain, counts) = encode_chunk(samples, n);
                (if plain.is_empty() { plain } else { gzip(compressor, &plain) }, counts)
            },
        )
        .collect();
    let mut pack = Vec::with_capacity(encoded.iter().map(|(bytes, _)| bytes.len()).sum());
    let index = encoded
        .into_iter()
        .enumerate()
        .map(|(n, (bytes, [car_samples, position_samples]))| {
            let chunk = ChunkIndex {
                n: n as u64,
                offset: pack.len() as u64,
                bytes: bytes.len() as u64,
                blake3: blake3::hash(&bytes).to_hex().to_string(),
                car_samples,
                position_samples,
            };
            pack.extend_from_slice(&bytes);
            chunk
        })
        .collect();
    (pack, index)
}

fn gzip(compressor: &mut Compressor, plain: &[u8]) -> Vec<u8> {
    let mut packed = vec![0; compressor.gzip_compress_bound(plain.len())];
    let length = compressor.gzip_compress(plain, &mut packed).expect("the bound is the compressor's own");
    packed.truncate(length);
    packed
}

/// Compresses one body at the usual level.
pub(crate) fn gzip_once(plain: &[u8]) -> Vec<u8> {
    gzip(&mut Compressor::new(CompressionLvl::default()), plain)
}

type WrittenLogs = (Vec<u8>, Vec<u8>, [u64; 2]);

fn write_logs(ended: &Ended) -> Result<WrittenLogs, serde_json::Error> {
    let write = |json: Vec<u8>| gzip_once(&json);
    let (events, gaps) = rayon::join(
        || {
            let events = Events::new(&ended.logs);
            serde_json::to_vec(&events).map(|json| (write(json), events.rows() as u64))
        },
        || {
            let gaps = Gaps::of(&ended.logs);
            serde_json::to_vec(&gaps).map(|json| (write(json), gaps.len() as u64))
        },
    );
    let ((events, rows), (gaps, gap_rows)) = (events?, gaps?);
    Ok((events, gaps, [rows, gap_rows]))
}

fn session(ended: Ended, origin: Option<Ts>) -> Session {
    // The smallest delay between sample and record is the best estimate of where the two clocks meet; the archives'
    // stamps are whole milliseconds, so it is rounded to one.
    let car = ended.samples.car_moments.iter();
    let latest = car.chain(&ended.samples.position_moments).map(|moment| moment.utc.0 - moment.known_at.0).max();
    let round = |ns: i64| (ns + 500_000).div_euclid(1_000_000) * 1_000_000;
    let estimated = latest.or(ended.control_origin_ns).map_or(Ts(0), |ns| Ts(round(ns)));
    let centreline = ended.order.centreline().map(|(known_at, line)| (known_at, line.clone()));
    Session {
        info: ended.info,
        origin: origin.unwrap_or(estimated),
        drivers: ended.drivers,
        columns: ended.samples.columns,
        logs: ended.logs,
        centreline,
        end: ended.end,
    }
}

fn describe(
    input: &Input,
    session: &Session,
    rejected: &Rejected,
    chunks: Vec<ChunkIndex>,
    records: u64,
    [events, gaps]: [u64; 2],
) -> Manifest {
    let samples = |pick: fn(&Columns) -> (Option<&Ts>, Option<&Ts>)| {
        let ends: Vec<_> = session.columns.iter().map(pick).collect();
        (
            ends.iter().filter_map(|(first, _)| *first).min().copied(),
            ends.iter().filter_map(|(_, last)| *last).max().copied(),
        )
    };
    let car = samples(|columns| (columns.car.utc.first(), columns.car.utc.last()));
    let position = samples(|columns| (columns.position.utc.first(), columns.position.utc.last()));
    let seconds = |utc: Option<Ts>| utc.map(|utc| session.time_of(utc).seconds());
    let status =
        |name: &str| session.logs.session.iter().find(|row| row.status == name).map(|row| row.known_at.seconds());
    let total = session.logs.lap_count.iter().rev().find_map(|row| row.count.total);
    Manifest {
        format: FORMAT,
        id: identify(session, &input.name),
        version: String::new(),
        session: About::new(&session.info),
        origin_utc: session.origin.to_string(),
        end_s: session.end.seconds(),
        first_sample_s: seconds(car.0.into_iter().chain(position.0).min()),
        last_sample_s: seconds(car.1.into_iter().chain(position.1).max()),
        lights_out_s: status("Started"),
        chequered_s: session
            .logs
            .session
            .iter()
            .rev()
            .find(|row| row.status == "Finished")
            .map(|row| row.known_at.seconds()),
        total_laps: total,
        drivers: session.drivers.clone(),
        chunk_s: (CHUNK_NS / 1_000_000_000) as u32,
        counts: Counts {
            records,
            car_samples: session.columns.iter().map(|columns| columns.car.len() as u64).sum(),
            position_samples: session.columns.iter().map(|columns| columns.position.len() as u64).sum(),
            laps: crate::laps::laps(session, None).laps.len() as u64,
            crossings: session.logs.crossings.len() as u64,
            events,
            gaps,
        },
        chunks,
        geometry: session.centreline.as_ref().map(|(known_at, line)| Geometry {
            known_at_s: known_at.seconds(),
            length_m: line.length_m(),
            points: line.points().iter().map(|(x, y)| [*x, *y]).collect(),
            corners: Vec::new(),
            rotation_deg: 0.0,
            origin: None,
        }),
        rejected: rejected.reasons().map(|(reason, entry)| (reason.to_owned(), entry.count)).collect(),
        stale_samples: Vec::new(),
        inputs: Vec::new(),
        files: Vec::new(),
    }
}

fn stale_samples(samples: &Samples) -> Vec<StaleSamples> {
    let row = |(&(driver, lap), stale): (&(DriverId, u16), &crate::state::Stale)| {
        let [car_equal, car_backward, position_equal, position_backward] = stale.counts;
        StaleSamples { driver: driver.0, lap, car_equal, car_backward, position_equal, position_backward }
    };
    samples.stale.iter().map(row).collect()
}

/// Date, meeting and name of the session, or what the input is called: lower case, words joined by hyphens.
fn identify(session: &Session, input: &str) -> String {
    let info = &session.info;
    let words = match info.start_local.get(..10) {
        Some(date) if !info.meeting.is_empty() => format!("{date} {} {}", info.meeting, info.name),
        _ => {
            let last = input.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(input);
            last.split('.').next().unwrap_or(last).to_owned()
        }
    };
    let mut id = String::new();
    for char in words.chars() {
        if char.is_ascii_alphanumeric() {
            id.push(char.to_ascii_lowercase());
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_matches('-');
    if id.is_empty() { "session".to_owned() } else { id.chars().take(100).collect() }
}

/// Why a stored session cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file is not there.
    #[error("{file}: missing from the stored session; import the session again")]
    Missing {
        /// Which.
        file: &'static str,
    },
    /// A file is not what was written.
    #[error("{file}: {what}; the stored session is damaged: import it again")]
    Damaged {
        /// Which.
        file: String,
        /// What was found.
        what: String,
    },
    /// Written by another version.
    #[error("manifest.json: format {found}, expected {FORMAT}; import the session again")]
    Format {
        /// Found.
        found: u32,
    },
}

impl OpenError {
    fn damaged(file: impl Into<String>, what: impl ToString) -> Self {
        Self::Damaged { file: file.into(), what: what.to_string() }
    }
}

/// Reads a manifest and checks that it is one.
///
/// # Errors
/// Where it is not JSON of the expected form and format, or its version is not its hash.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, OpenError> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| OpenError::damaged(MANIFEST, error))?;
    if manifest.format != FORMAT {
        return Err(OpenError::Format { found: manifest.format });
    }
    let mut sealed = manifest.clone();
    sealed.seal().map_err(|error| OpenError::damaged(MANIFEST, error))?;
    if sealed.version == manifest.version {
        Ok(manifest)
    } else {
        Err(OpenError::damaged(MANIFEST, format!("version {} is not its hash {}", manifest.version, sealed.version)))
    }
}

/// Opens a stored session: checks every hash and decodes everything.
///
/// `files` holds the other files by name.
///
/// # Errors
/// Where a file is missing, damaged, or of another format.
pub fn open(manifest: &Manifest, files: &BTreeMap<&str, &[u8]>) -> Result<Session, OpenError> {
    let file = |name: &'static str| -> Result<&[u8], OpenError> {
        let bytes = *files.get(name).ok_or(OpenError::Missing { file: name })?;
        let entry = manifest.files.iter().find(|entry| entry.name == name).ok_or(OpenError::Missing { file: name })?;
        if FileHash::new(name, bytes) == *entry {
            Ok(bytes)
        } else {
            Err(OpenError::damaged(name, format!("expected {} bytes of BLAKE3 {}", entry.bytes, entry.blake3)))
        }
    };
    let (pack, (events, gaps)) = rayon::join(
        || file(PACK).and_then(|pack| open_pack(manifest, pack)),
        || {
            rayon::join(
                || file(EVENTS).and_then(|bytes| read_log::<Events>(EVENTS, bytes)),
                || file(GAPS).and_then(|bytes| read_log::<Gaps>(GAPS, bytes)),
            )
        },
    );
    let columns = pack?;
    let logs = events?.logs(&gaps?).ok_or_else(|| OpenError::damaged(EVENTS, "columns do not fit together"))?;
    let centreline = match &manifest.geometry {
        Some(geometry) => {
            let points = geometry.points.iter().map(|[x, y]| (*x, *y)).collect();
            let line = Centreline::from_parts(geometry.length_m, points)
                .map_err(|error| OpenError::damaged(MANIFEST, error))?;
            Some((SessionTime((geometry.known_at_s * 1e9).round() as i64), line))
        }
        None => None,
    };
    Ok(Session {
        info: manifest.session.info(),
        origin: Ts::parse(manifest.origin_utc.as_bytes()).map_err(|error| OpenError::damaged(MANIFEST, error))?,
        drivers: manifest.drivers.clone(),
        columns,
        logs,
        centreline,
        end: SessionTime((manifest.end_s * 1e9).round() as i64),
    })
}

fn open_pack(manifest: &Manifest, pack: &[u8]) -> Result<Vec<Columns>, OpenError> {
    let chunks: Vec<_> = manifest
        .chunks
        .par_iter()
        .filter(|chunk| chunk.bytes > 0)
        .map(|chunk| {
            let name = || format!("{PACK}: chunk {}", chunk.n);
            let range = usize::try_from(chunk.offset).ok().zip(usize::try_from(chunk.bytes).ok());
            let bytes = range
                .and_then(|(offset, bytes)| pack.get(offset..offset.checked_add(bytes)?))
                .ok_or_else(|| OpenError::damaged(name(), "lies outside the pack"))?;
            let plain = gunzip(bytes, CHUNK_BYTES_MAX).ok_or_else(|| OpenError::damaged(name(), "not gzip"))?;
            decode_chunk(&plain).map_err(|error| OpenError::damaged(name(), error))
        })
        .collect::<Result<_, _>>()?;
    let mut columns = vec![Columns::default(); manifest.drivers.len()];
    for chunk in chunks {
        for (driver, mut more) in chunk.car {
            let Some(all) = columns.get_mut(driver as usize) else { continue };
            let all = &mut all.car;
            all.utc.append(&mut more.utc);
            all.known_at.append(&mut more.known_at);
            all.rpm.append(&mut more.rpm);
            all.speed.append(&mut more.speed);
            all.gear.append(&mut more.gear);
            all.throttle.append(&mut more.throttle);
            all.brake.append(&mut more.brake);
            all.drs.append(&mut more.drs);
        }
        for (driver, mut more) in chunk.position {
            let Some(all) = columns.get_mut(driver as usize) else { continue };
            let all = &mut all.position;
            all.utc.append(&mut more.utc);
            all.known_at.append(&mut more.known_at);
            all.x.append(&mut more.x);
            all.y.append(&mut more.y);
            all.z.append(&mut more.z);
            all.on_track.append(&mut more.on_track);
        }
    }
    Ok(columns)
}

fn read_log<T: serde::de::DeserializeOwned>(name: &'static str, bytes: &[u8]) -> Result<T, OpenError> {
    let json = gunzip(bytes, LOG_BYTES_MAX).ok_or_else(|| OpenError::damaged(name, "not gzip"))?;
    serde_json::from_slice(&json).map_err(|error| OpenError::damaged(name, error))
}

/// Decompresses, into at most `bytes_max`.
pub(crate) fn gunzip(packed: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    // The last four bytes of gzip say the length modulo 2³².
    let tail = packed.len().checked_sub(4)?;
    let length = u32::from_le_bytes(packed[tail..].try_into().ok()?) as usize;
    if length > bytes_max {
        return None;
    }
    let mut plain = vec![0; length];
    let found = Decompressor::new().gzip_decompress(packed, &mut plain).ok()?;
    (found == length).then_some(plain)
}
