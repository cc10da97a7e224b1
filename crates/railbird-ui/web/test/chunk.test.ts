import { describe, expect, test } from "vitest";
import { ChunkError, decodeChunk, decodeRaw } from "../src/f1/chunk";
import { encodeChunk, Writer, type Predictor, type ChunkIn, type DriverSamples, type StreamIn } from "./encode";
import { random } from "./random";

const ORIGIN = 1_742_094_442_785_000_000n;
const SEEDS = process.env["RAILBIRD_TEST_ALL"] === "1" ? 2000 : 200;

/** One driver, two car samples, one position: written out byte by byte, as the format page says. */
function byHand(): Uint8Array {
  return new Writer()
    .raw(0x52, 0x42, 0x43, 0x31) // RBC1
    .raw(0x02) // n
    .int64(ORIGIN + 60_000_000_000n) // base
    .signed(60_000_000_000n) // start
    .raw(0x02) // two moments
    .raw(0xc0, 0x84, 0x3d) // unit: 1,000,000 ns
    .raw(0x01, 0x00, 0xe0, 0x03) // utc: 0, +240
    .raw(0x01, 0x14, 0xe0, 0x03) // known at: 10, +240
    .raw(0x01, 0x03, 0x00) // one driver: 3, no runs
    .raw(0x01, 0xc0, 0xbb, 0x01, 0x13) // rpm 12000, -10
    .raw(0x01, 0xd8, 0x04, 0x02) // speed 300, +1
    .raw(0x00, 0x10, 0x0e) // gear 8, 7
    .raw(0x00, 0xc8, 0x01, 0xd0, 0x01) // throttle 100, 104
    .raw(0x00, 0x00, 0xc8, 0x01) // brake 0, 100
    .raw(0x00, 0x18, 0xfe, 0x03) // drs 12, 255
    .raw(0x02) // two moments of positions
    .raw(0xc0, 0x84, 0x3d)
    .raw(0x01, 0x00, 0xe0, 0x03)
    .raw(0x01, 0x00, 0xe0, 0x03)
    .raw(0x01, 0x03, 0x03, 0x00, 0x01, 0x01) // one driver: 3, three runs: with 0, without 1, with 1
    .raw(0x00, 0x02) // on track
    .raw(0x02, 0xcf, 0x0f) // x -1000
    .raw(0x02, 0xd0, 0x0f) // y 1000
    .raw(0x01, 0x04) // z 2
    .done();
}

describe("a chunk written by hand", () => {
  test("is decoded as the format page says", () => {
    const chunk = decodeChunk(byHand(), ORIGIN);
    expect(chunk.n).toBe(2);
    const [car] = chunk.car;
    expect(car?.driver).toBe(3);
    expect([...(car?.t ?? [])]).toEqual([60, 60.24]);
    expect([...(car?.rpm ?? [])]).toEqual([12000, 11990]);
    expect([...(car?.speed ?? [])]).toEqual([300, 301]);
    expect([...(car?.gear ?? [])]).toEqual([8, 7]);
    expect([...(car?.throttle ?? [])]).toEqual([100, 104]);
    expect([...(car?.brake ?? [])]).toEqual([0, 100]);
    expect([...(car?.drs ?? [])]).toEqual([12, 255]);
    const [position] = chunk.position;
    expect([...(position?.t ?? [])]).toEqual([60.24]);
    expect([position?.onTrack[0], position?.x[0], position?.y[0], position?.z[0]]).toEqual([1, -1000, 1000, 2]);
    expect([...decodeRaw(byHand(), ORIGIN).car.knownAt]).toEqual([60.01, 60.25]);
  });
});

interface Range {
  min: number;
  max: number;
}
const I32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const CAR: Range[] = [65535, 65535, 255, 255, 255, 255].map((max) => ({ min: 0, max }));
const POSITION: Range[] = [{ min: 0, max: 1 }, I32, I32, I32];

function streamOf(next: () => number, channels: Range[], n: number): StreamIn {
  const whole = (max: number): number => Math.floor(next() * (max + 1));
  const unitNs = [1_000_000n, 1_000n, 100n, 1n][whole(3)] as bigint;
  const entries = whole(next() < 0.2 ? 0 : 40);
  let ms = 0;
  const moments = Array.from({ length: entries }, () => {
    ms += whole(400);
    const utcNs = ORIGIN + BigInt(n) * 30_000_000_000n + BigInt(ms) * 1_000_000n;
    return { utcNs, knownNs: BigInt(n) * 30_000_000_000n + BigInt(ms + whole(900)) * 1_000_000n };
  });
  const drivers = [...Array(whole(5)).keys()].map((driver): DriverSamples => {
    const share = next() < 0.4 ? 1 : next();
    const mine = [...moments.keys()].filter(() => next() < share);
    return {
      driver: driver * 3,
      moments: mine,
      channels: channels.map(({ min, max }) => {
        const walk = next() < 0.5;
        let value = Math.floor(min + next() * (max - min));
        return mine.map(() => {
          if (next() < 0.05) return next() < 0.5 ? min : max;
          value = walk ? value + whole(40) - 20 : Math.floor(min + next() * (max - min));
          value = Math.min(max, Math.max(min, value));
          return value;
        });
      }),
    };
  });
  return { unitNs, moments, drivers };
}

function chunkOf(seed: number): { input: ChunkIn; bytes: Uint8Array } {
  const next = random(seed);
  const n = Math.floor(next() * 400);
  const input = {
    n,
    baseNs: ORIGIN + BigInt(n) * 30_000_000_000n - 7_000_000_000n,
    startNs: BigInt(n) * 30_000_000_000n,
    car: streamOf(next, CAR, n),
    position: streamOf(next, POSITION, n),
  };
  return { input, bytes: encodeChunk(input, () => Math.floor(next() * 4) as Predictor) };
}

describe("what was encoded", () => {
  test("comes back, whatever the predictors, the drivers that miss samples and the extremes", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { input, bytes } = chunkOf(seed);
      const raw = decodeRaw(bytes, ORIGIN);
      expect(raw.n, `seed ${seed}`).toBe(input.n);
      for (const name of ["car", "position"] as const) {
        const [got, want] = [raw[name], input[name]];
        expect([...got.t], `seed ${seed} ${name}`).toEqual(want.moments.map((one) => Number(one.utcNs - ORIGIN) / 1e9));
        expect([...got.knownAt], `seed ${seed}`).toEqual(want.moments.map((one) => Number(one.knownNs) / 1e9));
        expect(
          got.drivers.map((one) => ({ ...one, moments: [...one.moments], channels: one.channels.map((c) => [...c]) })),
          `seed ${seed} ${name}`,
        ).toEqual(want.drivers);
      }
    }
  });

  test("keeps moments that do not fit a double, in 64-bit arithmetic", () => {
    const { input } = chunkOf(7);
    const far = -(2n ** 62n);
    const car = { unitNs: 1n, moments: [{ utcNs: far, knownNs: 5n }], drivers: [] };
    const bytes = encodeChunk({ ...input, baseNs: 0n, startNs: 0n, car });
    expect(decodeRaw(bytes, ORIGIN).car.t[0]).toBeCloseTo(Number(far - ORIGIN) / 1e9, -3);
  });

  test("is put in order of time where a source steps back", () => {
    const moments = [3, 1, 2].map((s) => ({ utcNs: ORIGIN + BigInt(s) * 1_000_000_000n, knownNs: 0n }));
    const channels = [
      [1, 1, 1],
      [30, 10, 20],
      [3, 1, 2],
      [0, 0, 0],
    ];
    const position = { unitNs: 1_000_000n, moments, drivers: [{ driver: 0, moments: [0, 1, 2], channels }] };
    const car = { unitNs: 1n, moments: [], drivers: [] };
    const chunk = decodeChunk(encodeChunk({ n: 0, baseNs: ORIGIN, startNs: 0n, car, position }), ORIGIN);
    expect([...(chunk.position[0]?.t ?? [])]).toEqual([1, 2, 3]);
    expect([...(chunk.position[0]?.x ?? [])]).toEqual([10, 20, 30]);
  });
});

describe("malformed bytes", () => {
  const head = (): Writer => new Writer().raw(0x52, 0x42, 0x43, 0x31, 0x00).int64(ORIGIN).signed(0);
  const refused = (bytes: Uint8Array, words: RegExp): void => {
    expect(() => decodeChunk(bytes, ORIGIN)).toThrow(ChunkError);
    expect(() => decodeChunk(bytes, ORIGIN)).toThrow(words);
  };

  test("another magic", () => refused(new Writer().raw(0x52, 0x42, 0x43, 0x32).done(), /RBC1/));
  test("nothing at all", () => refused(new Uint8Array(), /the chunk ends/));
  test("more entries than bytes", () =>
    refused(
      head()
        .unsigned(10 ** 12)
        .raw(1, 0, 0)
        .done(),
      /car entries/,
    ));
  test("a varint without an end", () =>
    refused(
      head()
        .raw(...Array(11).fill(0xff))
        .done(),
      /more than 10 bytes/,
    ));
  test("a varint of more than 64 bits", () =>
    refused(head().raw(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f).done(), /64 bits/));
  test("a predictor that is not known", () => refused(head().raw(1, 1, 3, 0, 0).done(), /predictor 3/));
  test("a predictor of channels that is not known", () =>
    refused(
      head()
        .raw(1, 1, 0, 0, 0, 0, 1, 0, 0, 4)
        .raw(...Array(20).fill(0))
        .done(),
      /rpm: predictor 4/,
    ));
  test("a unit of no time", () =>
    refused(
      head()
        .raw(0, 0)
        .raw(...Array(20).fill(0))
        .done(),
      /car unit/,
    ));
  test("more drivers than bytes", () => refused(head().raw(0, 1, 0, 0).unsigned(200).raw(0, 0).done(), /car drivers/));
  test("a driver twice", () =>
    refused(
      head()
        .raw(0, 1, 0, 0, 2, 5, 0, 5, 0)
        .raw(...Array(40).fill(0))
        .done(),
      /twice/,
    ));
  test("runs that do not add up", () =>
    refused(
      head()
        .raw(2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 2, 1, 0)
        .raw(...Array(30).fill(0))
        .done(),
      /add up to 1/,
    ));
  test("a run longer than the stream", () =>
    refused(
      head()
        .raw(1, 1, 0, 0, 0, 0, 1, 0, 1, 9)
        .raw(...Array(30).fill(0))
        .done(),
      /car run/,
    ));
  test("samples that cannot fit", () =>
    refused(head().raw(2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0).done(), /cannot fit/));
  test("a value out of its range", () => {
    const bytes = head().raw(1, 1, 0, 0, 0, 0, 1, 0, 0);
    refused(
      bytes
        .raw(0)
        .signed(-1)
        .raw(...Array(20).fill(0))
        .done(),
      /car rpm: -1/,
    );
  });
  test("bytes that follow", () => {
    const bytes = head().raw(0, 1, 0, 0, 0).raw(0, 1, 0, 0, 0).raw(9);
    refused(bytes.done(), /follow/);
  });

  test("every truncation is refused", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { bytes } = chunkOf(seed);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeRaw(bytes.subarray(0, length), ORIGIN), `seed ${seed} length ${length}`).toThrow(ChunkError);
      }
    }
  });

  test("mutations give samples or a ChunkError, never anything else, and soon", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const next = random(seed + 90_000);
      const { bytes } = chunkOf(seed);
      for (let change = 0; change < 10; change++) {
        const mutated = Uint8Array.from(bytes);
        for (let k = 0; k < 1 + next() * 3; k++)
          mutated[Math.floor(next() * mutated.length)] = Math.floor(next() * 256);
        try {
          const raw = decodeRaw(mutated, ORIGIN);
          expect(raw.car.t.length + raw.position.t.length).toBeLessThanOrEqual(mutated.length);
        } catch (error) {
          expect(error, `seed ${seed}`).toBeInstanceOf(ChunkError);
        }
      }
    }
  });
});
