//! The manifest of a stored session. The form is `docs/formats/f1-chunks.md`.

use std::collections::BTreeMap;

use railbird_timeline::Ts;
use serde::{Deserialize, Serialize};

use crate::event::SessionInfo;
use crate::session::Driver;

/// Version of the form of the store: another form, another version of every session.
pub(crate) const FORMAT: u32 = 2;

/// Who drove, where everything lies, and what it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form.
    pub format: u32,
    /// Name of the session, the same for every version of it.
    pub id: String,
    /// First 20 hexadecimal digits of the BLAKE3 hash of the manifest without this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What the source says of the session.
    pub session: About,
    /// UTC of session time zero.
    pub origin_utc: String,
    /// Session time of the last record, s.
    pub end_s: f64,
    /// Session time of the first sample of any car, s.
    pub first_sample_s: Option<f64>,
    /// Session time of the last sample of any car, s.
    pub last_sample_s: Option<f64>,
    /// Session time of the first start, s.
    pub lights_out_s: Option<f64>,
    /// Session time of the chequered flag, s.
    pub chequered_s: Option<f64>,
    /// Laps of the race.
    pub total_laps: Option<u16>,
    /// Drivers; elsewhere a driver is an index into these.
    pub drivers: Vec<Driver>,
    /// Session time of a chunk, s.
    pub chunk_s: u32,
    /// Index of the pack.
    pub chunks: Vec<ChunkIndex>,
    /// Centreline, where one could be fitted.
    pub geometry: Option<Geometry>,
    /// How much there is of everything.
    pub counts: Counts,
    /// What was left out, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Samples that were left out for their time, by driver and lap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale_samples: Vec<StaleSamples>,
    /// What the session was made from.
    pub inputs: Vec<FileHash>,
    /// The other files of the session.
    pub files: Vec<FileHash>,
}

/// What the source says of the session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    /// Season.
    pub year: Option<u16>,
    /// Number of the meeting in its season.
    pub round: Option<u16>,
    /// Name of the meeting.
    pub meeting: String,
    /// Its full name.
    pub official_name: String,
    /// City or place.
    pub location: String,
    /// Three-letter code of the country.
    pub country: String,
    /// Key of the circuit at the source.
    pub circuit_key: Option<i64>,
    /// Short name of the circuit.
    pub circuit: String,
    /// Key of the session at the source.
    pub key: Option<i64>,
    /// `Race`, `Qualifying`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `Race`, `Sprint`, …
    pub name: String,
    /// Scheduled start, local.
    pub start_local: String,
    /// Local time less UTC.
    pub gmt_offset: String,
    /// Scheduled start, UTC.
    pub start_utc: Option<String>,
    /// Path of the archive folder.
    pub path: String,
}

/// Where a chunk lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkIndex {
    /// Number of the chunk.
    pub n: u64,
    /// Offset in the pack, bytes.
    pub offset: u64,
    /// Length in the pack, bytes; 0 where the chunk has no samples.
    pub bytes: u64,
    /// BLAKE3 hash of these bytes.
    pub blake3: String,
    /// Car samples.
    pub car_samples: u64,
    /// Positions.
    pub position_samples: u64,
}

/// The centreline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Session time from which on it counts, s: when it was fitted, or when the source said what the session is and an earlier
    /// one's could be taken.
    pub known_at_s: f64,
    /// Length of a lap, m.
    pub length_m: f64,
    /// Points from the finish line on in the direction of travel, 1/10 m; the last one joins the first.
    pub points: Vec<[f64; 2]>,
    /// Corners, where known.
    pub corners: Vec<Corner>,
    /// Rotation for a broadcast-like view, degrees, where known.
    pub rotation_deg: f64,
    /// The earlier session in which it was fitted; none where this one's own laps gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<LineOrigin>,
}

/// The session in which a centreline was fitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineOrigin {
    /// Its name.
    pub session: String,
    /// Its version.
    pub version: String,
}

/// Samples of one driver and lap that were left out because they were not later than the last one of the same car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleSamples {
    /// Index of the driver.
    pub driver: u8,
    /// Lap under way when they came, 1 first.
    pub lap: u16,
    /// Car samples of the same time.
    pub car_equal: u32,
    /// Car samples of an earlier time.
    pub car_backward: u32,
    /// Positions of the same time.
    pub position_equal: u32,
    /// Positions of an earlier time.
    pub position_backward: u32,
}

/// A corner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Corner {
    /// Number.
    pub number: u16,
    /// Letter behind the number, as in `4A`; empty in most cases.
    pub letter: String,
    /// 1/10 m.
    pub x: f64,
    /// 1/10 m.
    pub y: f64,
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records read, good and bad.
    pub records: u64,
    /// Car samples.
    pub car_samples: u64,
    /// Positions.
    pub position_samples: u64,
    /// Laps in the lap table.
    pub laps: u64,
    /// Line crossings.
    pub crossings: u64,
    /// Rows of all logs but gaps.
    pub events: u64,
    /// Rows of gaps.
    pub gaps: u64,
}

/// A file and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// Name.
    pub name: String,
    /// Length, bytes.
    pub bytes: u64,
    /// BLAKE3 hash.
    pub blake3: String,
}

impl FileHash {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }
}

impl Manifest {
    /// Fills in the version.
    pub(crate) fn seal(&mut self) -> Result<(), serde_json::Error> {
        self.version.clear();
        let hash = blake3::hash(&serde_json::to_vec(self)?);
        self.version = hash.to_hex()[..20].to_owned();
        Ok(())
    }
}

impl About {
    pub(crate) fn new(info: &SessionInfo) -> Self {
        let start = Ts::parse(info.start_local.as_bytes()).ok();
        let offset_ns = offset_ns(&info.gmt_offset);
        Self {
            year: info.start_local.get(..4).and_then(|year| year.parse().ok()),
            round: info.round,
            meeting: info.meeting.clone(),
            official_name: info.official_name.clone(),
            location: info.location.clone(),
            country: info.country.clone(),
            circuit_key: info.circuit_key,
            circuit: info.circuit.clone(),
            key: info.key,
            kind: info.kind.clone(),
            name: info.name.clone(),
            start_local: info.start_local.clone(),
            gmt_offset: info.gmt_offset.clone(),
            start_utc: start.zip(offset_ns).map(|(start, offset)| Ts(start.0 - offset).to_string()),
            path: info.path.clone(),
        }
    }

    pub(crate) fn info(&self) -> SessionInfo {
        SessionInfo {
            key: self.key,
            meeting: self.meeting.clone(),
            official_name: self.official_name.clone(),
            round: self.round,
            location: self.location.clone(),
            country: self.country.clone(),
            circuit_key: self.circuit_key,
            circuit: self.circuit.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            start_local: self.start_local.clone(),
            gmt_offset: self.gmt_offset.clone(),
            path: self.path.clone(),
        }
    }
}

/// `[-]HH:MM:SS` in nanoseconds.
fn offset_ns(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut parts = digits.split(':').map(|part| part.parse::<i64>().ok().filter(|value| (0..60).contains(value)));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    Some(sign * ((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000)
}
