//! Chunks: 30 s of samples as columns. The form is `docs/formats/f1-chunks.md`.
//!
//! Start at [`encode`] and [`decode`]. Never compresses: `pack` wraps what this writes in gzip.

use railbird_timeline::varint::{Reader, write_i64, write_u64};
use railbird_timeline::{Predictor, Ts, decode_column, encode_column};

use crate::columns::{CarColumns, PositionColumns};
use crate::event::SessionTime;
use crate::state::{Moment, Samples};

/// Session time of a chunk, ns.
pub(crate) const CHUNK_NS: i64 = 30_000_000_000;

const MAGIC: &[u8; 4] = b"RBC1";
/// Units of time columns, largest first.
const UNITS_NS: [i64; 4] = [1_000_000, 1_000, 100, 1];

/// What is wrong with a chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not a chunk at all.
    #[error("byte 0: expected the magic RBC1, found {0:02x?}")]
    Magic([u8; 4]),
    /// A column or a count that cannot be read.
    #[error("{0}")]
    Column(#[from] railbird_timeline::Error),
    /// Counts that do not fit together.
    #[error("byte {at}: {what}")]
    Inconsistent {
        /// Where.
        at: usize,
        /// What was expected.
        what: &'static str,
    },
}

/// A decoded chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chunk {
    /// Number of the chunk.
    pub n: u64,
    /// Car samples: `(index of the driver, columns)`.
    pub car: Vec<(u8, CarColumns)>,
    /// Positions: `(index of the driver, columns)`.
    pub position: Vec<(u8, PositionColumns)>,
}

/// Rows of one driver that fall into a chunk, and their moments.
struct Rows {
    driver: u8,
    rows: std::ops::Range<usize>,
}

/// Number of chunks that hold every moment of `samples`.
pub(crate) fn chunks(samples: &Samples) -> u64 {
    let last = [samples.car_moments.last(), samples.position_moments.last()];
    last.into_iter().flatten().map(|moment| moment.known_at.0 / CHUNK_NS + 1).max().unwrap_or(0) as u64
}

/// Encodes chunk `n`; the second value is the number of car samples and of positions. Empty where there is none.
pub(crate) fn encode(samples: &Samples, n: u64) -> (Vec<u8>, [u64; 2]) {
    let car = Slice::new(&samples.car_moments, &samples.car_rows, n);
    let position = Slice::new(&samples.position_moments, &samples.position_rows, n);
    let counts = [car.samples(), position.samples()];
    if counts == [0, 0] {
        return (Vec::new(), counts);
    }
    let first = car.moments.first().or(position.moments.first());
    let base = first.map_or(Ts(0), |moment| Ts(moment.utc.0.div_euclid(1_000_000_000) * 1_000_000_000));
    let start = n as i64 * CHUNK_NS;
    let mut out = Vec::with_capacity(64 << 10);
    let mut column = Vec::new();
    out.extend_from_slice(MAGIC);
    write_u64(&mut out, n);
    out.extend_from_slice(&base.0.to_le_bytes());
    write_i64(&mut out, start);

    let mut unit = car.head(base, start, &mut column, &mut out);
    macro_rules! channel {
        ($slice:ident.$field:ident, $encode:expr) => {
            for rows in &$slice.drivers {
                column.clear();
                let columns = &samples.columns[rows.driver as usize].$slice;
                column.extend(columns.$field[rows.rows.clone()].iter().map(|value| i64::from(*value)));
                $encode(&columns.utc[rows.rows.clone()], unit, &column, &mut out);
            }
        };
    }
    let zero = |_: &[Ts], _, column: &[i64], out: &mut _| encode_column(column, Predictor::Zero, out);
    let last = |_: &[Ts], _, column: &[i64], out: &mut _| encode_column(column, Predictor::Last, out);
    channel!(car.rpm, last);
    channel!(car.speed, encode_in_time);
    channel!(car.gear, zero);
    channel!(car.throttle, last);
    channel!(car.brake, zero);
    channel!(car.drs, zero);
    unit = position.head(base, start, &mut column, &mut out);
    channel!(position.on_track, zero);
    channel!(position.x, encode_in_time);
    channel!(position.y, encode_in_time);
    channel!(position.z, last);
    (out, counts)
}

/// Code of the predictor that goes on along the line through the last two values, by their times.
const IN_TIME: u8 = 3;

fn encode_in_time(times: &[Ts], unit: i64, values: &[i64], out: &mut Vec<u8>) {
    out.push(IN_TIME);
    for (row, value) in values.iter().enumerate() {
        write_i64(out, value.wrapping_sub(predict_in_time(&times[..=row], unit, &values[..row])));
    }
}

/// Value of the row whose time is the last of `times`, from those before it.
///
/// Samples come at uneven times, so the step before says less than the speed before: on a race it saves 4 % of the pack.
fn predict_in_time(times: &[Ts], unit: i64, before: &[i64]) -> i64 {
    let (&[.., a, b], [.., ta, tb, t]) = (before, times) else { return before.last().copied().unwrap_or(0) };
    let (step, step_before) = (t.0.wrapping_sub(tb.0) / unit, tb.0.wrapping_sub(ta.0) / unit);
    if step_before == 0 {
        return b;
    }
    let rise = i128::from(b.wrapping_sub(a)) * i128::from(step) / i128::from(step_before);
    b.wrapping_add(rise as i64)
}

/// One stream's share of a chunk.
struct Slice<'a> {
    moments: &'a [Moment],
    /// Moments of every sample, by driver.
    of_rows: &'a [Vec<u32>],
    first: u32,
    drivers: Vec<Rows>,
}

impl<'a> Slice<'a> {
    fn new(moments: &'a [Moment], of_rows: &'a [Vec<u32>], n: u64) -> Self {
        let before = |chunk: u64| moments.partition_point(|moment| moment.known_at.0 < chunk as i64 * CHUNK_NS);
        let (first, end) = (before(n), before(n + 1));
        let drivers = of_rows
            .iter()
            .enumerate()
            .map(|(driver, rows)| {
                let row = |moment| rows.partition_point(|row| (*row as usize) < moment);
                Rows { driver: driver as u8, rows: row(first)..row(end) }
            })
            .filter(|rows| !rows.rows.is_empty())
            .collect();
        Self { moments: &moments[first..end], of_rows, first: first as u32, drivers }
    }

    fn samples(&self) -> u64 {
        self.drivers.iter().map(|rows| rows.rows.len() as u64).sum()
    }

    /// Writes everything up to the channels; returns the unit of the times, ns.
    fn head(&self, base: Ts, start: i64, column: &mut Vec<i64>, out: &mut Vec<u8>) -> i64 {
        write_u64(out, self.moments.len() as u64);
        let utc = |moment: &Moment| moment.utc.0 - base.0;
        let known = |moment: &Moment| moment.known_at.0 - start;
        let fits = |unit: &i64| self.moments.iter().all(|m| utc(m) % unit == 0 && known(m) % unit == 0);
        let unit = UNITS_NS.into_iter().find(fits).unwrap_or(1);
        write_u64(out, unit as u64);
        let mut write = |value: &dyn Fn(&Moment) -> i64| {
            column.clear();
            column.extend(self.moments.iter().map(|moment| value(moment) / unit));
            encode_column(column, Predictor::Last, out);
        };
        write(&utc);
        write(&known);
        write_u64(out, self.drivers.len() as u64);
        for rows in &self.drivers {
            write_u64(out, u64::from(rows.driver));
            let runs = self.runs(rows);
            write_u64(out, runs.len() as u64);
            runs.into_iter().for_each(|run| write_u64(out, run));
        }
        unit
    }

    /// Lengths of runs of moments with, without, with … a sample; none where there is one at every moment.
    fn runs(&self, rows: &Rows) -> Vec<u64> {
        let entries = self.moments.len() as u64;
        if rows.rows.len() as u64 == entries {
            return Vec::new();
        }
        let mut runs = Vec::new();
        let (mut present, mut run, mut next) = (true, 0, 0u64);
        let mut extend = |with: bool, length: u64, runs: &mut Vec<u64>| {
            if length == 0 {
                return;
            }
            if with == present {
                run += length;
            } else {
                runs.push(run);
                (present, run) = (with, length);
            }
        };
        for moment in &self.of_rows[rows.driver as usize][rows.rows.clone()] {
            let moment = u64::from(moment - self.first);
            extend(false, moment - next, &mut runs);
            extend(true, 1, &mut runs);
            next = moment + 1;
        }
        extend(false, entries - next, &mut runs);
        runs.push(run);
        runs
    }
}

/// Decodes a chunk, checking every count against the bytes that are left.
///
/// # Errors
/// What was found where, and what was expected; nothing is decoded in part.
pub fn decode(bytes: &[u8]) -> Result<Chunk, ChunkError> {
    let mut reader = Reader::new(bytes);
    let magic = reader.array()?;
    if magic != *MAGIC {
        return Err(ChunkError::Magic(magic));
    }
    let n = reader.u64()?;
    let base = i64::from_le_bytes(reader.array()?);
    let start = reader.i64()?;
    let mut chunk = Chunk { n, ..Chunk::default() };

    let mut head = Head::read(&mut reader, base, start)?;
    macro_rules! channel {
        ($columns:expr, $field:ident, $type:ty) => {
            for (_, columns) in &mut $columns {
                let at = reader.position();
                columns.$field = read_channel(&mut reader, &columns.utc, head.unit)?
                    .into_iter()
                    .map(|value| <$type>::try_from(value))
                    .collect::<Result<_, _>>()
                    .map_err(|_| ChunkError::Inconsistent { at, what: "expected values that fit the channel" })?;
            }
        };
    }
    chunk.car = head.drivers(|utc, known_at| CarColumns { utc, known_at, ..CarColumns::default() });
    channel!(chunk.car, rpm, u16);
    channel!(chunk.car, speed, u16);
    channel!(chunk.car, gear, u8);
    channel!(chunk.car, throttle, u8);
    channel!(chunk.car, brake, u8);
    channel!(chunk.car, drs, u8);

    head = Head::read(&mut reader, base, start)?;
    chunk.position = head.drivers(|utc, known_at| PositionColumns { utc, known_at, ..PositionColumns::default() });
    for (_, columns) in &mut chunk.position {
        let values = read_channel(&mut reader, &columns.utc, head.unit)?;
        columns.on_track = values.into_iter().map(|value| value == 1).collect();
    }
    channel!(chunk.position, x, i32);
    channel!(chunk.position, y, i32);
    channel!(chunk.position, z, i32);
    if reader.is_empty() {
        Ok(chunk)
    } else {
        Err(ChunkError::Inconsistent { at: reader.position(), what: "expected the end" })
    }
}

/// One channel of one driver, a value a time.
fn read_channel(reader: &mut Reader<'_>, times: &[Ts], unit: i64) -> Result<Vec<i64>, ChunkError> {
    if reader.clone().u8()? != IN_TIME {
        return Ok(decode_column(reader, times.len())?);
    }
    reader.u8()?;
    // The head has bounded the number of samples by the bytes that are left.
    let mut values = Vec::with_capacity(times.len());
    for row in 0..times.len() {
        let predicted = predict_in_time(&times[..=row], unit, &values);
        values.push(predicted.wrapping_add(reader.i64()?));
    }
    Ok(values)
}

/// What stands before the channels of a stream.
struct Head {
    unit: i64,
    moments: Vec<Moment>,
    /// Index of a driver and its runs.
    runs: Vec<(u8, Vec<u64>)>,
}

impl Head {
    fn read(reader: &mut Reader<'_>, base: i64, start: i64) -> Result<Self, ChunkError> {
        let entries = reader.count(2)?;
        let at = reader.position();
        let unit = i64::try_from(reader.u64()?)
            .ok()
            .filter(|unit| (1..=1_000_000_000).contains(unit))
            .ok_or(ChunkError::Inconsistent { at, what: "expected a unit of 1 ns to 1 s" })?;
        let utc = decode_column(reader, entries)?;
        let known = decode_column(reader, entries)?;
        let moments = utc
            .into_iter()
            .zip(known)
            .map(|(utc, known)| Moment {
                utc: Ts(utc.wrapping_mul(unit).wrapping_add(base)),
                known_at: SessionTime(known.wrapping_mul(unit).wrapping_add(start)),
            })
            .collect();
        let mut runs = Vec::new();
        for _ in 0..reader.count(2)? {
            let at = reader.position();
            let driver = u8::try_from(reader.u64()?)
                .map_err(|_| ChunkError::Inconsistent { at, what: "expected the index of a driver" })?;
            let lengths = (0..reader.count(1)?).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
            let sum = lengths.iter().try_fold(0u64, |sum, run| sum.checked_add(*run));
            if !lengths.is_empty() && sum != Some(entries as u64) {
                return Err(ChunkError::Inconsistent { at, what: "expected runs that add up to the moments" });
            }
            runs.push((driver, lengths));
        }
        // Each sample takes a byte a channel at least, so that moments times drivers is bounded by what is left.
        let samples: u64 = runs.iter().map(|(_, runs)| present(runs, entries as u64)).sum();
        if samples > reader.remaining() as u64 {
            return Err(ChunkError::Inconsistent { at, what: "expected as many bytes as samples" });
        }
        Ok(Self { unit, moments, runs })
    }

    fn drivers<C>(&self, columns: impl Fn(Vec<Ts>, Vec<SessionTime>) -> C) -> Vec<(u8, C)> {
        self.runs
            .iter()
            .map(|(driver, runs)| {
                let count = present(runs, self.moments.len() as u64) as usize;
                let (mut utc, mut known_at) = (Vec::with_capacity(count), Vec::with_capacity(count));
                let mut push = |moments: &[Moment]| {
                    utc.extend(moments.iter().map(|moment| moment.utc));
                    known_at.extend(moments.iter().map(|moment| moment.known_at));
                };
                if runs.is_empty() {
                    push(&self.moments);
                }
                let mut next = 0;
                for (index, run) in runs.iter().enumerate() {
                    let end = next + *run as usize;
                    if index % 2 == 0 {
                        push(&self.moments[next..end]);
                    }
                    next = end;
                }
                (*driver, columns(utc, known_at))
            })
            .collect()
    }
}

/// Number of moments with a sample.
fn present(runs: &[u64], entries: u64) -> u64 {
    if runs.is_empty() { entries } else { runs.iter().step_by(2).sum() }
}
