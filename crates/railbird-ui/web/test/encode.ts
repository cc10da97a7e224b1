// A small encoder of chunks, for tests only. Writes any predictor, so that the decoder sees all of them.

export interface Moment {
  utcNs: bigint;
  knownNs: bigint;
}

export interface DriverSamples {
  driver: number;
  /** Indices of the moments. */
  moments: number[];
  /** Channel by channel. */
  channels: number[][];
}

export interface StreamIn {
  unitNs: bigint;
  moments: Moment[];
  drivers: DriverSamples[];
}

export interface ChunkIn {
  n: number;
  baseNs: bigint;
  startNs: bigint;
  car: StreamIn;
  position: StreamIn;
}

export type Predictor = 0 | 1 | 2 | 3;

export class Writer {
  readonly bytes: number[] = [];

  unsigned(value: bigint | number): this {
    let left = BigInt.asUintN(64, BigInt(value));
    while (left >= 0x80n) {
      this.bytes.push(Number(left & 0x7fn) | 0x80);
      left >>= 7n;
    }
    this.bytes.push(Number(left));
    return this;
  }

  signed(value: bigint | number): this {
    const v = BigInt(value);
    return this.unsigned((v << 1n) ^ (v < 0n ? -1n : 0n));
  }

  raw(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  int64(value: bigint): this {
    for (let k = 0n; k < 64n; k += 8n) this.bytes.push(Number((BigInt.asUintN(64, value) >> k) & 0xffn));
    return this;
  }

  /** `units`: times of the values, for predictor 3. */
  column(values: (number | bigint)[], predictor: Predictor, units: bigint[] = []): this {
    this.raw(predictor);
    let [last, before] = [0n, 0n];
    values.forEach((one, k) => {
      const value = BigInt(one);
      const [ta = 0n, tb = 0n, tc = 0n] = [units[k - 2], units[k - 1], units[k]];
      const rise = k < 2 || tb === ta ? 0n : ((last - before) * (tc - tb)) / (tb - ta);
      const guess = [0n, last, 2n * last - before, last + rise][predictor] as bigint;
      this.signed(BigInt.asIntN(64, value - guess));
      [before, last] = [last, value];
    });
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

/** Run lengths of moments with, without, with, … a sample; none where there is one at every moment. */
export function runsOf(moments: number[], entries: number): number[] {
  if (moments.length === entries) return [];
  const has = new Set(moments);
  const runs: number[] = [];
  let present = true;
  let length = 0;
  for (let moment = 0; moment < entries; moment++) {
    if (has.has(moment) === present) length++;
    else {
      runs.push(length);
      [present, length] = [!present, 1];
    }
  }
  runs.push(length);
  return runs;
}

export function encodeChunk(chunk: ChunkIn, predictor: (channel: number) => Predictor = () => 1): Uint8Array {
  const out = new Writer().raw(0x52, 0x42, 0x43, 0x31).unsigned(chunk.n).int64(chunk.baseNs).signed(chunk.startNs);
  for (const stream of [chunk.car, chunk.position]) {
    out.unsigned(stream.moments.length).unsigned(stream.unitNs);
    out.column(
      stream.moments.map((moment) => (moment.utcNs - chunk.baseNs) / stream.unitNs),
      timePredictor(predictor(0)),
    );
    out.column(
      stream.moments.map((moment) => (moment.knownNs - chunk.startNs) / stream.unitNs),
      timePredictor(predictor(1)),
    );
    out.unsigned(stream.drivers.length);
    for (const one of stream.drivers) {
      const runs = runsOf(one.moments, stream.moments.length);
      out.unsigned(one.driver).unsigned(runs.length);
      for (const run of runs) out.unsigned(run);
    }
    const channels = stream === chunk.car ? 6 : 4;
    for (let channel = 0; channel < channels; channel++) {
      for (const one of stream.drivers) {
        const units = one.moments.map((k) => ((stream.moments[k] as Moment).utcNs - chunk.baseNs) / stream.unitNs);
        out.column(one.channels[channel] ?? [], predictor(channel), units);
      }
    }
  }
  return out.done();
}

const timePredictor = (predictor: Predictor): Predictor => (predictor === 3 ? 1 : predictor);
