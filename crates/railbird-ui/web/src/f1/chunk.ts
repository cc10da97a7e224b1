// Decodes one chunk of samples, as docs/formats/f1-chunks.md lays it out. Start at `decodeChunk`.
//
// Pure: bytes in, typed arrays out; malformed bytes give a `ChunkError`, never a hang and never an allocation that the
// bytes do not pay for: every count is held against the bytes that are left before anything is made from it.

/** Why a chunk was refused, and at which byte. */
export class ChunkError extends Error {
  override name = "ChunkError";
}

/** Car samples of one driver, oldest first. */
export interface CarSamples {
  /** Index into the drivers of the manifest. */
  driver: number;
  /** When each was taken, session time, s. */
  t: Float64Array;
  /** 1/min. */
  rpm: Uint16Array;
  /** km/h. */
  speed: Uint16Array;
  /** 0 neutral. */
  gear: Uint8Array;
  /** %; above 100 no reading. */
  throttle: Uint8Array;
  /** 0 or 100; above 100 no reading. */
  brake: Uint8Array;
  /** Code of the source; 10, 12, 14 open; 255 none. */
  drs: Uint8Array;
}

/** Position samples of one driver, oldest first. All of x, y and z zero: no position yet. */
export interface PositionSamples {
  driver: number;
  /** When each was taken, session time, s. */
  t: Float64Array;
  /** 1 where the source says `OnTrack`. */
  onTrack: Uint8Array;
  /** 1/10 m. */
  x: Int32Array;
  y: Int32Array;
  z: Int32Array;
}

/** A decoded chunk. */
export interface Chunk {
  n: number;
  car: CarSamples[];
  position: PositionSamples[];
}

/** One stream as it lies in the bytes. */
export interface RawStream {
  /** Session time at which the sample was taken, s, one a moment. */
  t: Float64Array;
  /** Session time at which the record was received, s, one a moment. */
  knownAt: Float64Array;
  drivers: RawDriver[];
}

/** The moments of a stream as its columns hold them. */
interface Moments {
  t: Float64Array;
  /** In units of the stream since its base: exact up to 2^53, beyond that `wide` is. */
  units: Float64Array;
  wide: BigInt64Array | null;
}

/** Samples of one driver as they lie in the bytes. */
export interface RawDriver {
  driver: number;
  /** Index of the moment of each sample. */
  moments: Uint32Array;
  /** Channel by channel, one value a sample. */
  channels: Int32Array[];
}

interface Channel {
  name: string;
  min: number;
  max: number;
}

/** Predictor of channels that goes on along the line through the last two values, by their times. */
const IN_TIME = 3;
const UNIT_MAX_NS = 1_000_000_000n;
const U16 = 65535;
const CAR: Channel[] = [
  { name: "rpm", min: 0, max: U16 },
  { name: "speed", min: 0, max: U16 },
  { name: "gear", min: 0, max: 255 },
  { name: "throttle", min: 0, max: 255 },
  { name: "brake", min: 0, max: 255 },
  { name: "drs", min: 0, max: 255 },
];
const I32_MIN = -(2 ** 31);
const I32_MAX = 2 ** 31 - 1;
const POSITION: Channel[] = [
  { name: "on_track", min: 0, max: 1 },
  { name: "x", min: I32_MIN, max: I32_MAX },
  { name: "y", min: I32_MIN, max: I32_MAX },
  { name: "z", min: I32_MIN, max: I32_MAX },
];

/** Decodes a chunk. `originNs`: UTC of session time zero, ns. */
export function decodeChunk(bytes: Uint8Array, originNs: bigint): Chunk {
  const raw = decodeRaw(bytes, originNs);
  return {
    n: raw.n,
    car: raw.car.drivers.map((one) => {
      const order = chronological(raw.car.t, one);
      return {
        driver: one.driver,
        t: times(raw.car.t, one, order),
        rpm: Uint16Array.from(pick(one, 0, order)),
        speed: Uint16Array.from(pick(one, 1, order)),
        gear: Uint8Array.from(pick(one, 2, order)),
        throttle: Uint8Array.from(pick(one, 3, order)),
        brake: Uint8Array.from(pick(one, 4, order)),
        drs: Uint8Array.from(pick(one, 5, order)),
      };
    }),
    position: raw.position.drivers.map((one) => {
      const order = chronological(raw.position.t, one);
      return {
        driver: one.driver,
        t: times(raw.position.t, one, order),
        onTrack: Uint8Array.from(pick(one, 0, order)),
        x: pick(one, 1, order),
        y: pick(one, 2, order),
        z: pick(one, 3, order),
      };
    }),
  };
}

/** Decodes a chunk without taking it apart by driver and channel type. */
export function decodeRaw(bytes: Uint8Array, originNs: bigint): { n: number; car: RawStream; position: RawStream } {
  const reader = new Reader(bytes);
  for (const byte of [0x52, 0x42, 0x43, 0x31]) {
    if (reader.byte("magic") !== byte) throw new ChunkError("chunk does not begin with RBC1");
  }
  const n = reader.count("number of the chunk", Number.MAX_SAFE_INTEGER);
  const base = reader.int64("base") - originNs;
  const start = reader.signed("start");
  const car = stream(reader, "car", CAR, base, start);
  const position = stream(reader, "position", POSITION, base, start);
  if (reader.left() > 0) throw reader.error(`${reader.left()} bytes follow the position stream`);
  return { n, car, position };
}

function stream(reader: Reader, name: string, channels: Channel[], base: bigint, start: bigint): RawStream {
  // A moment takes at least a byte in each of the two columns.
  const entries = reader.count(`${name} entries`, reader.left() >> 1);
  const unit = reader.unsigned(`${name} unit`);
  if (unit < 1n || unit > UNIT_MAX_NS) throw reader.error(`${name} unit: ${unit} ns is not within 1 ns to 1 s`);
  const utc = reader.timeColumn(`${name} utc`, entries, unit, base);
  const { t } = utc;
  const { t: knownAt } = reader.timeColumn(`${name} known_at`, entries, unit, start);
  const count = reader.count(`${name} drivers`, reader.left() >> 1);
  const drivers: RawDriver[] = [];
  let samples = 0;
  const seen = new Set<number>();
  for (let k = 0; k < count; k++) {
    const driver = reader.count(`${name} driver`, 255);
    if (seen.has(driver)) throw reader.error(`${name}: driver ${driver} is given twice`);
    seen.add(driver);
    const moments = momentsOf(reader, name, entries);
    samples += moments.length;
    // Every sample takes at least a byte a channel.
    if (samples * channels.length > reader.left()) {
      throw reader.error(`${name}: ${samples} samples of ${channels.length} channels cannot fit`);
    }
    drivers.push({ driver, moments, channels: [] });
  }
  for (const channel of channels) {
    for (const one of drivers) {
      const what = `${name} ${channel.name}`;
      one.channels.push(reader.column(what, one.moments, utc, channel.min, channel.max));
    }
  }
  return { t, knownAt, drivers };
}

/** Indices of the moments at which a driver has a sample, from runs of moments with, without, with, … one. */
function momentsOf(reader: Reader, name: string, entries: number): Uint32Array {
  const runs = reader.count(`${name} runs`, reader.left());
  if (runs === 0) return Uint32Array.from({ length: entries }, (_, index) => index);
  const lengths: number[] = [];
  let sum = 0;
  let present = 0;
  for (let run = 0; run < runs; run++) {
    const length = reader.count(`${name} run`, entries);
    lengths.push(length);
    sum += length;
    if (run % 2 === 0) present += length;
  }
  if (sum !== entries) throw reader.error(`${name}: run lengths add up to ${sum}, not to the ${entries} entries`);
  const moments = new Uint32Array(present);
  let moment = 0;
  let next = 0;
  lengths.forEach((length, run) => {
    for (let k = 0; k < length; k++, moment++) if (run % 2 === 0) moments[next++] = moment;
  });
  return moments;
}

/** A permutation that puts the samples in order of time, or null where they are: a source may step back. */
function chronological(t: Float64Array, one: RawDriver): Uint32Array | null {
  const { moments } = one;
  let previous = -Infinity;
  for (const moment of moments) {
    const now = t[moment] as number;
    if (now < previous) {
      const order = Uint32Array.from(moments, (_, index) => index);
      const at = (index: number): number => t[moments[index] as number] as number;
      return order.sort((a, b) => at(a) - at(b) || a - b);
    }
    previous = now;
  }
  return null;
}

function times(t: Float64Array, one: RawDriver, order: Uint32Array | null): Float64Array {
  const { moments } = one;
  const out = new Float64Array(moments.length);
  for (let k = 0; k < out.length; k++) out[k] = t[moments[order ? (order[k] as number) : k] as number] as number;
  return out;
}

function pick(one: RawDriver, channel: number, order: Uint32Array | null): Int32Array {
  const values = one.channels[channel] as Int32Array;
  return order ? Int32Array.from(order, (index) => values[index] as number) : values;
}

/** How far a value goes on along the line through the last two, from sample `k - 1` to `k`. */
function rise(step: number, moments: Uint32Array, utc: Moments, k: number): number {
  const [a, b, c] = [moments[k - 2] as number, moments[k - 1] as number, moments[k] as number];
  if (utc.wide) {
    const [ta, tb, tc] = [utc.wide[a] as bigint, utc.wide[b] as bigint, utc.wide[c] as bigint];
    return tb === ta ? 0 : Number((BigInt(step) * BigInt.asIntN(64, tc - tb)) / BigInt.asIntN(64, tb - ta));
  }
  const [ta, tb, tc] = [utc.units[a] as number, utc.units[b] as number, utc.units[c] as number];
  if (tb === ta) return 0;
  const product = step * (tc - tb);
  // Beyond 2^53 a double would round.
  if (!Number.isSafeInteger(product)) return Number((BigInt(step) * BigInt(tc - tb)) / BigInt(tb - ta));
  return Math.trunc(product / (tb - ta));
}

/** Walks over the bytes; every read is checked. */
class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  left(): number {
    return this.bytes.length - this.at;
  }

  error(message: string): ChunkError {
    return new ChunkError(`byte ${this.at}: ${message}`);
  }

  byte(what: string): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw this.error(`${what}: the chunk ends`);
    this.at++;
    return byte;
  }

  /** 8 bytes, little-endian, two's complement. */
  int64(what: string): bigint {
    let value = 0n;
    for (let k = 0n; k < 64n; k += 8n) value |= BigInt(this.byte(what)) << k;
    return BigInt.asIntN(64, value);
  }

  /** Unsigned LEB128 of at most 10 bytes and 64 bits. */
  unsigned(what: string): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte(what);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value >> 64n) throw this.error(`${what}: more than 64 bits`);
        return value;
      }
    }
    throw this.error(`${what}: a number of more than 10 bytes`);
  }

  /** Zig-zag. */
  signed(what: string): bigint {
    const value = this.unsigned(what);
    return (value >> 1n) ^ -(value & 1n);
  }

  /** A count of at most `max`. */
  count(what: string, max: number): number {
    const value = this.unsigned(what);
    if (value > BigInt(max)) throw this.error(`${what}: ${value} is more than ${max}`);
    return Number(value);
  }

  /** Zig-zag as a number, exact up to 2^53; null, at the same place, where it is larger. */
  private residual(what: string): number | null {
    const { bytes } = this;
    const from = this.at;
    const first = bytes[from];
    if (first !== undefined && first < 0x80) {
      this.at = from + 1;
      return (first >>> 1) ^ -(first & 1);
    }
    let value = 0;
    let scale = 1;
    // Seven bytes are 49 bits: exact in a double.
    for (let k = 0; k < 7; k++) {
      const byte = this.byte(what);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    this.at = from;
    return null;
  }

  /** A column of a value a sample, each within `min..=max`; `moments` are those of the samples. */
  column(what: string, moments: Uint32Array, utc: Moments, min: number, max: number): Int32Array {
    const predictor = this.predictor(what, IN_TIME);
    const { length } = moments;
    if (length > this.left()) throw this.error(`${what}: ${length} values cannot fit`);
    const out = new Int32Array(length);
    let last = 0;
    let before = 0;
    for (let k = 0; k < length; k++) {
      const residual = this.residual(what);
      if (residual === null) throw this.error(`${what}: a value out of range`);
      let value = residual;
      if (predictor === 1) value += last;
      else if (predictor === 2) value += 2 * last - before;
      else if (predictor === IN_TIME) value += last + (k < 2 ? 0 : rise(last - before, moments, utc, k));
      if (value < min || value > max) throw this.error(`${what}: ${value} is not within ${min} to ${max}`);
      before = last;
      last = value;
      out[k] = value;
    }
    return out;
  }

  /** A column of moments: `offset` and `length` values of `unit` ns, as seconds. */
  timeColumn(what: string, length: number, unit: bigint, offset: bigint): Moments {
    const predictor = this.predictor(what, 2);
    if (length > this.left()) throw this.error(`${what}: ${length} values cannot fit`);
    const from = this.at;
    const out: Moments = { t: new Float64Array(length), units: new Float64Array(length), wide: null };
    const unitNs = Number(unit);
    const offsetNs = Number(offset);
    let last = 0;
    let before = 0;
    for (let k = 0; k < length; k++) {
      const residual = this.residual(what);
      const guess = predictor === 0 ? 0 : predictor === 1 ? last : 2 * last - before;
      const value = residual === null ? NaN : guess + residual;
      const ns = offsetNs + value * unitNs;
      if (!Number.isSafeInteger(ns) || !Number.isSafeInteger(value)) {
        this.at = from;
        return this.wideTimeColumn(what, predictor, unit, offset, out);
      }
      before = last;
      last = value;
      out.t[k] = ns / 1e9;
      out.units[k] = value;
    }
    return out;
  }

  /** The same in 64-bit arithmetic, for the rare column with a moment far from the session. */
  private wideTimeColumn(what: string, predictor: number, unit: bigint, offset: bigint, out: Moments): Moments {
    const wide = new BigInt64Array(out.t.length);
    out.wide = wide;
    let last = 0n;
    let before = 0n;
    for (let k = 0; k < wide.length; k++) {
      const guess = predictor === 0 ? 0n : predictor === 1 ? last : 2n * last - before;
      const value = BigInt.asIntN(64, guess + this.signed(what));
      before = last;
      last = value;
      wide[k] = value;
      out.t[k] = Number(BigInt.asIntN(64, offset + value * unit)) / 1e9;
    }
    return out;
  }

  private predictor(what: string, max: number): number {
    const predictor = this.byte(what);
    if (predictor > max) throw this.error(`${what}: predictor ${predictor} is not known`);
    return predictor;
  }
}
