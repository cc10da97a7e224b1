//! Records to the bytes of the archive's files. Start at [`files`].

use base64_simd::STANDARD;
use libdeflater::{CompressionLvl, Compressor};

use super::{
    records::{Record, Records, stream},
    samples::{Batch, CHANNELS, CarValues, PlaceValues, Samples},
    text::{stamp, utc},
};

/// Mark with which every file begins.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line of a file.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its stamp, ms.
    pub(super) stamp_ms: i64,
    /// Whether the stamp is written.
    pub(super) stamped: bool,
    /// What follows the stamp.
    pub(super) body: String,
    /// Whether the line ends.
    pub(super) whole: bool,
}

/// Lines of every stream, in the order of the archive.
pub(super) fn lines(records: Records, samples: &Samples) -> Vec<(&'static str, Vec<Line>)> {
    let mut packer = Packer::new();
    let cars = samples.cars.iter().map(|batch| packer.pack(batch.stamp_ms, |out| car_json(out, batch))).collect();
    let places = samples.places.iter().map(|batch| packer.pack(batch.stamp_ms, |out| place_json(out, batch))).collect();
    let line = |record: Record| Line { stamp_ms: record.stamp_ms, stamped: true, body: record.json, whole: true };
    let mut all: Vec<(&'static str, Vec<Line>)> = records
        .streams
        .into_iter()
        .map(|(stream, records)| (stream, records.into_iter().map(line).collect()))
        .collect();
    all.push((stream::CAR_DATA, cars));
    all.push((stream::POSITION, places));
    all
}

/// Bytes of a file.
pub(super) fn file(lines: &[Line]) -> Vec<u8> {
    let size = lines.iter().map(|line| line.body.len() + 14).sum::<usize>();
    let mut bytes = Vec::with_capacity(size + BYTE_ORDER_MARK.len());
    bytes.extend_from_slice(BYTE_ORDER_MARK);
    for line in lines {
        if line.stamped {
            bytes.extend_from_slice(stamp(line.stamp_ms).as_bytes());
        }
        bytes.extend_from_slice(line.body.as_bytes());
        if line.whole {
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes
}

/// Compresses records one after the other.
pub(super) struct Packer {
    compressor: Compressor,
    json: Vec<u8>,
    packed: Vec<u8>,
}

impl Packer {
    /// A packer at the level that the source seems to use.
    pub(super) fn new() -> Self {
        Self { compressor: Compressor::new(CompressionLvl::default()), json: Vec::new(), packed: Vec::new() }
    }

    /// A quoted base64 string of raw deflate of what `write` writes.
    pub(super) fn pack(&mut self, stamp_ms: i64, write: impl FnOnce(&mut Vec<u8>)) -> Line {
        self.json.clear();
        write(&mut self.json);
        let bound = self.compressor.deflate_compress_bound(self.json.len());
        self.packed.resize(bound, 0);
        // The buffer is as long as the bound, so that compression cannot run out of room.
        let size = self.compressor.deflate_compress(&self.json, &mut self.packed).unwrap_or(0);
        let mut body = String::with_capacity(size * 4 / 3 + 6);
        body.push('"');
        STANDARD.encode_append(&self.packed[..size], &mut body);
        body.push('"');
        Line { stamp_ms, stamped: true, body, whole: true }
    }
}

fn car_json(out: &mut Vec<u8>, batch: &Batch<CarValues>) {
    out.extend_from_slice(b"{\"Entries\":[");
    for (index, moment) in batch.moments.iter().enumerate() {
        separate(out, index);
        out.extend_from_slice(b"{\"Utc\":\"");
        out.extend_from_slice(utc(moment.utc_ns).as_bytes());
        out.extend_from_slice(b"\",\"Cars\":{");
        for (index, (number, values)) in moment.cars.iter().enumerate() {
            separate(out, index);
            out.push(b'"');
            integer(out, (*number).into());
            out.extend_from_slice(b"\":{\"Channels\":{");
            for (index, (channel, value)) in CHANNELS.iter().zip(values.channels).enumerate() {
                separate(out, index);
                out.push(b'"');
                integer(out, (*channel).into());
                out.extend_from_slice(b"\":");
                integer(out, value);
            }
            if values.extra {
                out.extend_from_slice(b",\"77\":1");
            }
            out.extend_from_slice(b"}}");
        }
        out.extend_from_slice(b"}}");
    }
    out.extend_from_slice(b"]}");
}

fn place_json(out: &mut Vec<u8>, batch: &Batch<PlaceValues>) {
    out.extend_from_slice(b"{\"Position\":[");
    for (index, moment) in batch.moments.iter().enumerate() {
        separate(out, index);
        out.extend_from_slice(b"{\"Timestamp\":\"");
        out.extend_from_slice(utc(moment.utc_ns).as_bytes());
        out.extend_from_slice(b"\",\"Entries\":{");
        for (index, (number, values)) in moment.cars.iter().enumerate() {
            separate(out, index);
            out.push(b'"');
            integer(out, (*number).into());
            out.extend_from_slice(b"\":{\"Status\":\"");
            out.extend_from_slice(if values.on_track { b"OnTrack" } else { b"OffTrack" });
            for (name, value) in [&b"\",\"X\":"[..], b",\"Y\":", b",\"Z\":"].into_iter().zip(values.xyz) {
                out.extend_from_slice(name);
                integer(out, value);
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"}}");
    }
    out.extend_from_slice(b"]}");
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
