//! What an archive looks like in numbers, real or simulated. Start at [`statistics`].
//!
//! The reader in here is its own: it must not share a mistake with the decoders, and it only looks for what it counts.

use std::{collections::BTreeMap, fmt::Write, io::Read};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most bytes that one record is inflated to.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Numbers of an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Every stream, by name.
    pub streams: BTreeMap<String, StreamStatistics>,
    /// The two sample streams, by name.
    pub samples: BTreeMap<String, SampleStatistics>,
    /// The timing stream, where there is one.
    pub timing: Option<TimingStatistics>,
}

/// Numbers of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamStatistics {
    /// Bytes of the file.
    pub bytes: u64,
    /// Records with a stamp.
    pub records: u64,
    /// Lines without one.
    pub unstamped: u64,
    /// Records a second from the first to the last stamp.
    pub records_per_s: f64,
}

/// Numbers of a sample stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleStatistics {
    /// Moments in decodable records.
    pub moments: u64,
    /// Records that cannot be opened.
    pub undecodable: u64,
    /// Time between moments, s.
    pub interval_s: Spread,
    /// Moments a record.
    pub batch: Spread,
    /// Time from a record's last moment to its stamp, above the least of the archive, s.
    pub latency_s: Spread,
    /// Moments not after the one before.
    pub not_forward: u64,
}

/// Numbers of the timing stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimingStatistics {
    /// Completed laps that it counts.
    pub laps: u64,
    /// Lap times.
    pub lap_times: u64,
    /// Of the records that count a lap, those that give its time too.
    pub laps_with_time: u64,
    /// Of the records that count a lap, those that give the position too.
    pub laps_with_position: u64,
    /// Positions.
    pub positions: u64,
    /// Gaps to the leader.
    pub gaps: u64,
    /// Sector times.
    pub sectors: u64,
    /// Difference of the stamps of two crossings less the lap time, s.
    pub crossing_error_s: Spread,
}

/// Spread of a quantity; NaN (null in JSON) where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Least.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// 95 of 100 are not above.
    pub p95: f64,
    /// Greatest.
    pub max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            values
                .get(((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1)))
                .copied()
                .unwrap_or(f64::NAN)
        };
        Self { min: at(0.0), median: at(0.5), p95: at(0.95), max: at(1.0) }
    }
}

/// Numbers of an archive: file names (with or without folders before them) and bytes. Files that are no streams are
/// left out; what cannot be read is counted.
pub fn statistics(files: &[(String, Vec<u8>)]) -> Statistics {
    let mut all = Statistics { streams: BTreeMap::new(), samples: BTreeMap::new(), timing: None };
    for (path, bytes) in files {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some(stream) = name.strip_suffix(".jsonStream") else { continue };
        let records = read(bytes);
        let stamps: Vec<f64> = records.iter().filter_map(|(stamp, _)| *stamp).collect();
        let duration = stamps.last().unwrap_or(&0.0) - stamps.first().unwrap_or(&0.0);
        let numbers = StreamStatistics {
            bytes: bytes.len() as u64,
            records: stamps.len() as u64,
            unstamped: (records.len() - stamps.len()) as u64,
            records_per_s: if duration > 0.0 { stamps.len() as f64 / duration } else { 0.0 },
        };
        all.streams.insert(stream.to_owned(), numbers);
        match stream {
            "CarData.z" | "Position.z" => {
                all.samples.insert(stream.to_owned(), sample_statistics(&records));
            }
            "TimingData" => all.timing = Some(timing_statistics(&records)),
            _ => {}
        }
    }
    all
}

/// Archives side by side, as text: one column each.
pub fn statistics_table(archives: &[(&str, &Statistics)]) -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let mut row = |label: &str, cells: Vec<String>| {
        if cells.iter().any(|cell| cell != "–") {
            rows.push((label.to_owned(), cells));
        }
    };
    for stream in ["CarData.z", "Position.z"] {
        let of = |read: &dyn Fn(&SampleStatistics) -> String| {
            archives
                .iter()
                .map(|(_, numbers)| numbers.samples.get(stream).map_or("–".to_owned(), read))
                .collect::<Vec<_>>()
        };
        row(&format!("{stream} moments"), of(&|s| s.moments.to_string()));
        row(&format!("{stream} interval median/p95/max, ms"), of(&|s| spread(&s.interval_s, 1e3, 0)));
        row(&format!("{stream} moments a record, median/p95/max"), of(&|s| spread(&s.batch, 1.0, 0)));
        row(&format!("{stream} latency median/p95/max, ms"), of(&|s| spread(&s.latency_s, 1e3, 0)));
        row(&format!("{stream} not decodable, not forward"), of(&|s| format!("{}, {}", s.undecodable, s.not_forward)));
    }
    let timing = |read: &dyn Fn(&TimingStatistics) -> String| {
        archives.iter().map(|(_, numbers)| numbers.timing.as_ref().map_or("–".to_owned(), read)).collect::<Vec<_>>()
    };
    row("TimingData laps, lap times, sectors", timing(&|t| format!("{}, {}, {}", t.laps, t.lap_times, t.sectors)));
    row("TimingData positions, gaps", timing(&|t| format!("{}, {}", t.positions, t.gaps)));
    row("TimingData laps counted with their time", timing(&|t| t.laps_with_time.to_string()));
    row("TimingData laps counted with the position", timing(&|t| t.laps_with_position.to_string()));
    row(
        "TimingData crossing stamps less lap time min/median/max, ms",
        timing(&|t| {
            let error = t.crossing_error_s;
            format!("{:.0}/{:.0}/{:.0}", error.min * 1e3, error.median * 1e3, error.max * 1e3)
        }),
    );
    let mut names: Vec<&String> = archives.iter().flat_map(|(_, numbers)| numbers.streams.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let cell = |numbers: &Statistics| match numbers.streams.get(name) {
            Some(s) => format!("{} B, {}, {:.3}/s", s.bytes, s.records, s.records_per_s),
            None => "–".to_owned(),
        };
        row(&format!("{name} bytes, records"), archives.iter().map(|(_, numbers)| cell(numbers)).collect());
    }
    layout(archives, &rows)
}

fn layout(archives: &[(&str, &Statistics)], rows: &[(String, Vec<String>)]) -> String {
    let width = |text: &str| text.chars().count();
    let first = rows.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
    let columns: Vec<usize> = (0..archives.len())
        .map(|at| rows.iter().map(|(_, cells)| width(&cells[at])).chain([width(archives[at].0)]).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    let mut line = |label: &str, cells: &[&str]| {
        let _ = write!(text, "{label:first$}");
        for (cell, column) in cells.iter().zip(&columns) {
            let _ = write!(text, "  {cell:>column$}");
        }
        text.push('\n');
    };
    line("", &archives.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (label, cells) in rows {
        line(label, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

fn spread(spread: &Spread, scale: f64, digits: usize) -> String {
    format!("{:.digits$}/{:.digits$}/{:.digits$}", spread.median * scale, spread.p95 * scale, spread.max * scale)
}

/// Lines of a file: stamp in seconds, where there is one, and the rest.
fn read(bytes: &[u8]) -> Vec<(Option<f64>, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .map(|line| match line.get(..12).and_then(stamp_s) {
            Some(stamp) => (Some(stamp), &line[12..]),
            None => (None, line),
        })
        .collect()
}

fn stamp_s(text: &[u8]) -> Option<f64> {
    let digits = |from: usize, to: usize| std::str::from_utf8(text.get(from..to)?).ok()?.parse::<u32>().ok();
    let marked = text.get(2) == Some(&b':') && text.get(5) == Some(&b':') && text.get(8) == Some(&b'.');
    let seconds =
        f64::from(digits(0, 2)? * 3600 + digits(3, 5)? * 60 + digits(6, 8)?) + f64::from(digits(9, 12)?) / 1e3;
    marked.then_some(seconds)
}

fn sample_statistics(records: &[(Option<f64>, &[u8])]) -> SampleStatistics {
    let (mut undecodable, mut not_forward) = (0, 0);
    let (mut times, mut batch, mut lags) = (Vec::new(), Vec::new(), Vec::new());
    for (stamp, body) in records {
        let Some(json) = inflate(body) else {
            undecodable += 1;
            continue;
        };
        let moments = sample_times(&json);
        if let (Some(stamp), Some(last)) = (stamp, moments.last()) {
            lags.push(stamp - last);
        }
        batch.push(moments.len() as f64);
        times.extend(moments);
    }
    let mut intervals = Vec::new();
    for pair in times.windows(2) {
        if pair[1] > pair[0] { intervals.push(pair[1] - pair[0]) } else { not_forward += 1 }
    }
    let least = lags.iter().copied().fold(f64::INFINITY, f64::min);
    SampleStatistics {
        moments: times.len() as u64,
        undecodable,
        interval_s: Spread::of(intervals),
        batch: Spread::of(batch),
        latency_s: Spread::of(lags.iter().map(|lag| lag - least).collect()),
        not_forward,
    }
}

fn inflate(body: &[u8]) -> Option<Vec<u8>> {
    let text = body.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let packed = base64_simd::STANDARD.decode_to_vec(text).ok()?;
    let mut json = Vec::new();
    let mut reader = flate2::read::DeflateDecoder::new(packed.as_slice()).take(RECORD_BYTES_MAX);
    reader.read_to_end(&mut json).ok()?;
    json.ends_with(b"}").then_some(json)
}

/// Times of a record's moments, s from an arbitrary zero.
fn sample_times(json: &[u8]) -> Vec<f64> {
    let text = String::from_utf8_lossy(json);
    let mut times = Vec::new();
    for key in ["\"Utc\":\"", "\"Timestamp\":\""] {
        times.extend(text.split(key).skip(1).filter_map(|rest| utc_s(rest.split('"').next()?)));
    }
    times
}

/// Seconds of `2024-10-26T17:15:48.4738945Z` since the first day of its month; recordings do not last over its end.
fn utc_s(text: &str) -> Option<f64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let whole = ((number(8, 10)? * 24 + number(11, 13)?) * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    let fraction = text.get(19..)?.trim_end_matches('Z');
    let fraction = if fraction.is_empty() { 0.0 } else { format!("0{fraction}").parse::<f64>().ok()? };
    Some(f64::from(whole) + fraction)
}

fn timing_statistics(records: &[(Option<f64>, &[u8])]) -> TimingStatistics {
    let mut numbers = TimingStatistics {
        laps: 0,
        lap_times: 0,
        laps_with_time: 0,
        laps_with_position: 0,
        positions: 0,
        gaps: 0,
        sectors: 0,
        crossing_error_s: Spread::of(Vec::new()),
    };
    let mut crossings: BTreeMap<(String, u64), f64> = BTreeMap::new();
    let mut errors = Vec::new();
    for (stamp, body) in records {
        let Ok(record) = serde_json::from_slice::<Value>(body) else { continue };
        let Some(lines) = record.get("Lines").and_then(Value::as_object) else { continue };
        for (number, line) in lines {
            let value = |key: &str| {
                line.get(key)
                    .and_then(|inner| inner.get("Value"))
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty())
            };
            let position = line.get("Position").is_some();
            numbers.positions += u64::from(position);
            numbers.gaps += u64::from(line.get("GapToLeader").is_some());
            let time = value("LastLapTime").and_then(lap_s);
            numbers.lap_times += u64::from(time.is_some());
            if let Some(Value::Object(sectors)) = line.get("Sectors") {
                let filled =
                    |sector: &&Value| sector.get("Value").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                numbers.sectors += sectors.values().filter(filled).count() as u64;
            }
            let (Some(lap), Some(stamp)) =
                (line.get("NumberOfLaps").and_then(Value::as_u64).filter(|lap| *lap > 0), stamp)
            else {
                continue;
            };
            numbers.laps += 1;
            numbers.laps_with_position += u64::from(position);
            if let Some(time) = time {
                numbers.laps_with_time += 1;
                if let Some(before) = crossings.get(&(number.clone(), lap - 1)) {
                    errors.push(stamp - before - time);
                }
            }
            crossings.insert((number.clone(), lap), *stamp);
        }
    }
    numbers.crossing_error_s = Spread::of(errors);
    numbers
}

/// Seconds of `1:27.403`.
fn lap_s(text: &str) -> Option<f64> {
    match text.split_once(':') {
        Some((minutes, seconds)) => Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?),
        None => text.parse().ok(),
    }
}
