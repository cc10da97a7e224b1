//! Bytes to events: archive streams and raw recordings. Start at [`archive_stream`] and [`recording`].
//!
//! Never fails on content: what cannot be used is counted in [`Rejected`] with its place. Invariant: `known_at` never
//! falls within a stream; a record stamped earlier than one before it is counted and known when that one was.

mod keyed;
mod raw;
mod reject;
mod scan;
mod telemetry;

use memchr::memchr_iter;
use rayon::prelude::*;

pub use self::raw::recording;
pub use self::reject::{Reason, Rejected};
use self::telemetry::{BadSamples, Inflate};
use crate::event::{Event, SessionTime, Stamped};
use crate::source::Stream;

/// Longest record that is read, bytes. Real ones reach about 60 kB.
pub const RECORD_BYTES_MAX: usize = 4 << 20;
/// Latest stamp that is accepted: a session's recording lasts hours, not days.
const STAMP_HOURS_MAX: i64 = 48;

/// A decoded stream.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Events in the order of the file.
    pub events: Vec<Stamped>,
    /// What was left out.
    pub rejected: Rejected,
    /// Records read, good and bad.
    pub records: u64,
}

/// Decodes one archive file: a BOM, then records `HH:MM:SS.mmm` and JSON, ended by CRLF.
///
/// `file` names it in the places of rejected records. Uses the threads of the current rayon pool; the result does not
/// depend on their number.
pub fn archive_stream(stream: Stream, file: &str, bytes: &[u8]) -> Decoded {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = lines(body);
    let last = lines.len().saturating_sub(1);
    let ended = body.ends_with(b"\n");
    let results: Vec<Record> = lines
        .par_iter()
        .with_min_len(64)
        .map_init(Inflate::new, |inflate, line| archive_record(stream, line, inflate))
        .collect();
    let mut decoded = Decoded { records: results.len() as u64, ..Decoded::default() };
    decoded.events.reserve(results.len());
    let mut latest = SessionTime(0);
    for (index, result) in results.into_iter().enumerate() {
        let place = || format!("{file}: record {}", index + 1);
        for (reason, count) in result.bad.0 {
            (0..count).for_each(|_| decoded.rejected.count(reason, place));
        }
        match result.event {
            Ok(mut stamped) => {
                if stamped.known_at < latest {
                    decoded.rejected.count("stamp_backward", place);
                }
                latest = latest.max(stamped.known_at);
                stamped.known_at = latest;
                decoded.events.push(stamped);
            }
            Err(_) if index == last && !ended => decoded.rejected.count("truncated_record", place),
            Err(reason) => decoded.rejected.count(reason, place),
        }
    }
    decoded
}

/// One record, decoded or refused, and its samples that could not be used.
struct Record {
    event: Result<Stamped, &'static str>,
    bad: BadSamples,
}

fn archive_record(stream: Stream, line: &[u8], inflate: &mut Inflate) -> Record {
    let mut bad = BadSamples::default();
    let event = (|| {
        let (stamp, json) = line.split_at_checked(12).ok_or("record_too_short")?;
        let known_at = parse_stamp(stamp).ok_or("bad_stamp")?;
        let event = if stream.is_compressed() {
            let base64 =
                json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or("not_a_quoted_string")?;
            compressed(stream, base64, inflate, &mut bad)?
        } else {
            let value = serde_json::from_slice(json).map_err(|_| "bad_json")?;
            keyed::event(stream, &value).ok_or("unexpected_form")?
        };
        Ok(Stamped { known_at, event })
    })();
    Record { event, bad }
}

fn compressed(
    stream: Stream,
    base64: &[u8],
    inflate: &mut Inflate,
    bad: &mut BadSamples,
) -> Result<Event, &'static str> {
    let text = inflate.open(base64).map_err(telemetry::Unopened::reason)?;
    match stream {
        Stream::CarData => telemetry::cars(text, bad).map(Event::Cars),
        _ => telemetry::positions(text, bad).map(Event::Positions),
    }
    .map_err(|_| "bad_json")
}

/// `HH:MM:SS.mmm`.
fn parse_stamp(text: &[u8]) -> Option<SessionTime> {
    let digits = |range: std::ops::Range<usize>| {
        text[range]
            .iter()
            .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    };
    if text.len() != 12 || text[2] != b':' || text[5] != b':' || text[8] != b'.' {
        return None;
    }
    let (hours, minutes, seconds, ms) = (digits(0..2)?, digits(3..5)?, digits(6..8)?, digits(9..12)?);
    (hours < STAMP_HOURS_MAX && minutes < 60 && seconds < 60)
        .then(|| SessionTime::from_ms(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms))
}

/// Non-empty lines without their ends.
fn lines(body: &[u8]) -> Vec<&[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', body)
        .chain(std::iter::once(body.len()))
        .map(|end| {
            let line = &body[start.min(end)..end];
            start = end + 1;
            line.strip_suffix(b"\r").unwrap_or(line)
        })
        .filter(|line| !line.is_empty())
        .map(|line| &line[..line.len().min(RECORD_BYTES_MAX)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want_events: usize, want_rejected: &[(&str, u64)]) {
        let decoded = archive_stream(Stream::TrackStatus, "TrackStatus.jsonStream", text.as_bytes());
        assert_eq!(decoded.events.len(), want_events, "{text:?}: {:?}", decoded.rejected);
        let found: Vec<_> = decoded.rejected.reasons().map(|(reason, entry)| (reason, entry.count)).collect();
        assert_eq!(found, want_rejected, "{text:?}");
    }

    #[test]
    fn reads_records_and_counts_what_it_cannot() {
        let good = r#"{"Status":"1","Message":"AllClear"}"#;
        check("", 0, &[]);
        check(&format!("\u{feff}00:00:01.000{good}\r\n00:00:02.000{good}\r\n"), 2, &[]);
        check(&format!("00:00:01.000{good}"), 1, &[]);
        check("00:00:01.000{\"Sta", 0, &[("truncated_record", 1)]);
        check("00:00:01.000{\"Sta\r\n", 0, &[("bad_json", 1)]);
        check("00:00:01.000{}\r\n00:00", 0, &[("truncated_record", 1), ("unexpected_form", 1)]);
        check(&format!("0x:00:01.000{good}\r\n99:00:00.000{good}\r\n"), 0, &[("bad_stamp", 2)]);
    }

    #[test]
    fn a_stamp_that_runs_backwards_is_counted_and_known_no_earlier_than_the_one_before() {
        let text = "00:00:05.000{\"Status\":\"2\"}\r\n00:00:01.000{\"Status\":\"1\"}\r\n";
        let decoded = archive_stream(Stream::TrackStatus, "f", text.as_bytes());
        let stamps: Vec<_> = decoded.events.iter().map(|event| event.known_at.ms()).collect();
        assert_eq!(stamps, [5000, 5000]);
        assert_eq!(decoded.rejected.count_of("stamp_backward"), 1);
    }
}
