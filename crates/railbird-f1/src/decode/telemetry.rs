//! `CarData.z` and `Position.z`: base64, raw deflate, JSON, samples.

use libdeflater::{DecompressionError, Decompressor};
use railbird_timeline::Ts;

use super::scan::{Malformed, Scan};
use crate::event::{CarEntry, CarSample, PositionEntry, PositionSample, RacingNumber};

/// Largest JSON text of one record; real ones take up to about 60 kB.
const RECORD_BYTES_MAX: usize = 4 << 20;
/// Most moments of one record; real ones hold up to about ten.
const ENTRIES_MAX: usize = 4096;
/// Most cars of one moment.
const CARS_MAX: usize = 256;

/// Opens compressed records; keeps its buffers from one to the next.
pub(crate) struct Inflate {
    decompressor: Decompressor,
    packed: Vec<u8>,
    text: Vec<u8>,
}

/// Why a compressed record could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    Base64,
    Deflate,
    TooLarge,
}

impl Unopened {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Base64 => "bad_base64",
            Self::Deflate => "bad_deflate",
            Self::TooLarge => "record_too_large",
        }
    }
}

impl Inflate {
    pub(crate) fn new() -> Self {
        Self { decompressor: Decompressor::new(), packed: Vec::new(), text: vec![0; 64 << 10] }
    }

    /// JSON text of a base64 text (without quotes) of raw deflate.
    pub(crate) fn open(&mut self, base64: &[u8]) -> Result<&[u8], Unopened> {
        self.packed.resize(base64_simd::STANDARD.estimated_decoded_length(base64.len()), 0);
        let packed = base64_simd::STANDARD
            .decode(base64, base64_simd::Out::from_slice(&mut self.packed))
            .map_err(|_| Unopened::Base64)?;
        loop {
            match self.decompressor.deflate_decompress(packed, &mut self.text) {
                Ok(bytes) => return Ok(&self.text[..bytes]),
                Err(DecompressionError::BadData) => return Err(Unopened::Deflate),
                Err(DecompressionError::InsufficientSpace) if self.text.len() >= RECORD_BYTES_MAX => {
                    return Err(Unopened::TooLarge);
                }
                Err(DecompressionError::InsufficientSpace) => self.text.resize(self.text.len() * 2, 0),
            }
        }
    }
}

/// Samples that a record held but that could not be used, by reason.
#[derive(Debug, Default)]
pub(crate) struct BadSamples(pub(crate) Vec<(&'static str, u32)>);

impl BadSamples {
    fn count(&mut self, reason: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.0.push((reason, 1)),
        }
    }
}

/// Parses a `CarData` record.
pub(crate) fn cars(text: &[u8], bad: &mut BadSamples) -> Result<Vec<CarEntry>, Malformed> {
    let names = Names { moments: b"Entries", time: b"Utc", cars: b"Cars" };
    moments(text, &names, bad, car, |utc, cars| CarEntry { utc, cars })
}

/// What the parts of a record of samples are called.
struct Names {
    moments: &'static [u8],
    time: &'static [u8],
    cars: &'static [u8],
}

/// The moments of a record, each with what `sample` reads of every car.
fn moments<S, M>(
    text: &[u8],
    names: &Names,
    bad: &mut BadSamples,
    sample: impl Fn(&mut Scan<'_>, &mut BadSamples) -> Result<Option<S>, Malformed>,
    moment: impl Fn(Ts, Vec<(RacingNumber, S)>) -> M,
) -> Result<Vec<M>, Malformed> {
    let mut moments = Vec::with_capacity(8);
    let mut scan = Scan::new(text);
    scan.object(|scan, key| {
        if key != names.moments {
            return scan.skip();
        }
        scan.array(|scan| {
            let mut utc = None;
            let mut cars = Vec::with_capacity(20);
            scan.object(|scan, key| {
                if key == names.time {
                    utc = Ts::parse(scan.string()?).ok();
                    return Ok(());
                }
                if key != names.cars {
                    return scan.skip();
                }
                scan.object(|scan, number| {
                    let found = sample(scan, bad)?;
                    if let Some(number) = racing_number(number) {
                        cars.extend(found.map(|found| (number, found)));
                    } else {
                        bad.count("bad_racing_number");
                    }
                    if cars.len() > CARS_MAX { Err(Malformed) } else { Ok(()) }
                })
            })?;
            match utc {
                Some(utc) => moments.push(moment(utc, cars)),
                None => bad.count("bad_sample_time"),
            }
            if moments.len() > ENTRIES_MAX { Err(Malformed) } else { Ok(()) }
        })
    })?;
    scan.end()?;
    Ok(moments)
}

fn car(scan: &mut Scan<'_>, bad: &mut BadSamples) -> Result<Option<CarSample>, Malformed> {
    let mut channels = [None::<i64>; 6];
    if let Some(found) = scan.attempt(channels_as_written) {
        return Ok(car_sample(found.map(Some), bad));
    }
    scan.object(|scan, key| {
        if key != b"Channels" {
            return scan.skip();
        }
        scan.object(|scan, channel| {
            let slot = match channel {
                b"0" => 0,
                b"2" => 1,
                b"3" => 2,
                b"4" => 3,
                b"5" => 4,
                b"45" => 5,
                _ => {
                    bad.count("unknown_channel");
                    return scan.skip();
                }
            };
            channels[slot] = scan.integer()?;
            Ok(())
        })
    })?;
    Ok(car_sample(channels, bad))
}

/// The channels in the one form in which the source has written them for years: half the time of the general scan.
fn channels_as_written(scan: &mut Scan<'_>) -> Option<[i64; 6]> {
    let mut channels = [0; 6];
    let keys: [&[u8]; 6] = [b"{\"Channels\":{\"0\":", b",\"2\":", b",\"3\":", b",\"4\":", b",\"5\":", b",\"45\":"];
    for (channel, key) in channels.iter_mut().zip(keys) {
        if !scan.literal(key) {
            return None;
        }
        *channel = scan.short_integer()?;
    }
    scan.literal(b"}}").then_some(channels)
}

/// A sample of channels that are all there and in range.
fn car_sample(channels: [Option<i64>; 6], bad: &mut BadSamples) -> Option<CarSample> {
    let [Some(rpm), Some(speed), Some(gear), Some(throttle), Some(brake), drs] = channels else {
        bad.count("channel_missing");
        return None;
    };
    // 104 in throttle and brake is the source's own "no reading", and gears up to 128 are glitches that real sessions hold:
    // a sample is kept as it came unless a value cannot be one at all.
    let in_range = (0..=25_000).contains(&rpm)
        && (0..=500).contains(&speed)
        && (0..=255).contains(&gear)
        && (0..=255).contains(&throttle)
        && (0..=255).contains(&brake)
        && (0..=254).contains(&drs.unwrap_or(0));
    if !in_range {
        bad.count("car_value_out_of_range");
        return None;
    }
    Some(CarSample {
        rpm: rpm as u16,
        speed: speed as u16,
        gear: gear as u8,
        throttle: throttle as u8,
        brake: brake as u8,
        drs: drs.map(|drs| drs as u8),
    })
}

/// Parses a `Position` record.
pub(crate) fn positions(text: &[u8], bad: &mut BadSamples) -> Result<Vec<PositionEntry>, Malformed> {
    let names = Names { moments: b"Position", time: b"Timestamp", cars: b"Entries" };
    moments(text, &names, bad, position, |utc, cars| PositionEntry { utc, cars })
}

fn position(scan: &mut Scan<'_>, bad: &mut BadSamples) -> Result<Option<PositionSample>, Malformed> {
    if let Some((place, on_track)) = scan.attempt(position_as_written) {
        return Ok(position_sample(place.map(Some), on_track, bad));
    }
    let (mut place, mut on_track) = ([None::<i64>; 3], false);
    scan.object(|scan, key| {
        let slot = match key {
            b"X" => 0,
            b"Y" => 1,
            b"Z" => 2,
            b"Status" => {
                on_track = scan.string()? == b"OnTrack";
                return Ok(());
            }
            _ => return scan.skip(),
        };
        place[slot] = scan.integer()?;
        Ok(())
    })?;
    Ok(position_sample(place, on_track, bad))
}

/// A position in the one form in which the source has written it for years.
fn position_as_written(scan: &mut Scan<'_>) -> Option<([i64; 3], bool)> {
    let on_track = scan.literal(b"{\"Status\":\"OnTrack\"");
    if !on_track && !scan.literal(b"{\"Status\":\"OffTrack\"") {
        return None;
    }
    let mut place = [0; 3];
    let keys: [&[u8]; 3] = [b",\"X\":", b",\"Y\":", b",\"Z\":"];
    for (coordinate, key) in place.iter_mut().zip(keys) {
        if !scan.literal(key) {
            return None;
        }
        *coordinate = scan.short_integer()?;
    }
    scan.literal(b"}").then_some((place, on_track))
}

/// A position whose coordinates are all there and in range.
fn position_sample(place: [Option<i64>; 3], on_track: bool, bad: &mut BadSamples) -> Option<PositionSample> {
    let [Some(x), Some(y), Some(z)] = place else {
        bad.count("coordinate_missing");
        return None;
    };
    // 100 km: no circuit is larger, and sums of squares stay exact.
    if [x, y, z].iter().any(|value| value.abs() > 1_000_000) {
        bad.count("position_out_of_range");
        return None;
    }
    Some(PositionSample { x: x as i32, y: y as i32, z: z as i32, on_track })
}

fn racing_number(text: &[u8]) -> Option<RacingNumber> {
    let number: u16 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (1..=999).contains(&number).then_some(RacingNumber(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain reading, against which the fast form is checked.
    fn spaced(text: &str) -> String {
        text.replace(':', ": ").replace("2025-03-16T05: 29: 54", "2025-03-16T05:29:54")
    }

    #[track_caller]
    fn check_cars(text: &str, want: &str) {
        for text in [text.to_owned(), spaced(text)] {
            let mut bad = BadSamples::default();
            let entries = cars(text.as_bytes(), &mut bad).map(|entries| {
                entries
                    .iter()
                    .map(|entry| {
                        format!(
                            "{:?}",
                            entry
                                .cars
                                .iter()
                                .map(|(number, car)| {
                                    (
                                        number.0,
                                        [
                                            i64::from(car.rpm),
                                            i64::from(car.speed),
                                            i64::from(car.gear),
                                            i64::from(car.drs.unwrap_or(255)),
                                        ],
                                    )
                                })
                                .collect::<Vec<_>>()
                        )
                    })
                    .collect::<String>()
            });
            assert_eq!(format!("{entries:?} {:?}", bad.0), want, "{text}");
        }
    }

    #[test]
    fn reads_both_forms_alike_and_counts_what_cannot_be_used() {
        let record =
            |car: &str| format!(r#"{{"Entries":[{{"Utc":"2025-03-16T05:29:54.287Z","Cars":{{"23":{car}}}}}]}}"#);
        check_cars(
            &record(r#"{"Channels":{"0":9346,"2":107,"3":2,"4":38,"5":0,"45":0}}"#),
            r#"Ok("[(23, [9346, 107, 2, 0])]") []"#,
        );
        check_cars(
            &record(r#"{"Channels":{"0":9346,"2":107,"3":2,"4":38,"5":0}}"#),
            r#"Ok("[(23, [9346, 107, 2, 255])]") []"#,
        );
        check_cars(
            &record(r#"{"Channels":{"0":9346,"2":107,"3":2,"4":38,"5":0,"45":0,"99":1}}"#),
            r#"Ok("[(23, [9346, 107, 2, 0])]") [("unknown_channel", 1)]"#,
        );
        check_cars(&record(r#"{"Channels":{"0":9346}}"#), r#"Ok("[]") [("channel_missing", 1)]"#);
        check_cars(
            &record(r#"{"Channels":{"0":-1,"2":107,"3":2,"4":38,"5":0,"45":0}}"#),
            r#"Ok("[]") [("car_value_out_of_range", 1)]"#,
        );
        check_cars(&record("{"), r#"Err(Malformed) [("channel_missing", 1)]"#);
        check_cars(r#"{"Entries":[{"Utc":"yesterday","Cars":{}}]}"#, r#"Ok("") [("bad_sample_time", 1)]"#);
    }

    #[test]
    fn a_deflate_bomb_is_refused_at_the_bound() {
        let plain = vec![b' '; RECORD_BYTES_MAX * 8];
        let mut packed = vec![0; 1 << 20];
        let length = libdeflater::Compressor::new(libdeflater::CompressionLvl::best())
            .deflate_compress(&plain, &mut packed)
            .expect("zeros are small");
        let base64 = base64_simd::STANDARD.encode_to_string(&packed[..length]);
        assert_eq!(Inflate::new().open(base64.as_bytes()).err(), Some(Unopened::TooLarge));
        assert_eq!(Inflate::new().open(b"***").err(), Some(Unopened::Base64));
        assert_eq!(Inflate::new().open(b"AAAA").err(), Some(Unopened::Deflate));
    }
}
