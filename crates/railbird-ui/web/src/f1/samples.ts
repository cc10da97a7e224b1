// Looks samples up at a moment: positions between two samples, categories held. Categories are never interpolated.

import { countUntil } from "../lib/asof";
import type { CarSamples, PositionSamples } from "./chunk";
import type { ChunkStore, Held } from "./chunks";

/** Positions further apart than this are not joined by a line, s. */
const JOIN_MAX_S = 4;
/** A position older than this is no longer shown as where the car is, s. */
const STALE_S = 6;
/** Chunks searched around that of the moment: a sample is received after it was taken, never before. */
const LATER = 2;
const EARLIER = 1;

/** Where a car is, 1/10 m; `stale` where its last sample is old. Reused from call to call. */
export interface Spot {
  x: number;
  y: number;
  stale: boolean;
}

/** Puts the place of `driver` at session time `t` into `spot`; false where none is known. */
export function locate(store: ChunkStore, driver: number, t: number, spot: Spot): boolean {
  const middle = store.indexAt(t);
  for (let n = middle + LATER; n >= middle - EARLIER; n--) {
    const samples = store.get(n)?.position[driver];
    if (!samples) continue;
    const index = countUntil(samples.t, t) - 1;
    if (index < 0) continue;
    const x = samples.x[index] as number;
    const y = samples.y[index] as number;
    if (x === 0 && y === 0 && samples.z[index] === 0) return false;
    const from = samples.t[index] as number;
    spot.x = x;
    spot.y = y;
    spot.stale = t - from > STALE_S;
    const next = following(store, n, samples, driver, index);
    if (!next) return true;
    const [after, at] = next;
    const to = after.t[at] as number;
    const x2 = after.x[at] as number;
    const y2 = after.y[at] as number;
    const known = x2 !== 0 || y2 !== 0 || after.z[at] !== 0;
    if (!known || to <= from || to - from > JOIN_MAX_S) return true;
    const share = (t - from) / (to - from);
    spot.x = x + (x2 - x) * share;
    spot.y = y + (y2 - y) * share;
    return true;
  }
  return false;
}

function following(
  store: ChunkStore,
  n: number,
  samples: PositionSamples,
  driver: number,
  index: number,
): [PositionSamples, number] | null {
  if (index + 1 < samples.t.length) return [samples, index + 1];
  for (let later = n + 1; later <= n + LATER; later++) {
    const after = store.get(later)?.position[driver];
    if (after && after.t.length > 0) return [after, 0];
  }
  return null;
}

/** The last car sample of `driver` at or before `t`, or null. */
export function carAt(store: ChunkStore, driver: number, t: number): { samples: CarSamples; index: number } | null {
  const middle = store.indexAt(t);
  for (let n = middle + LATER; n >= middle - EARLIER; n--) {
    const samples = store.get(n)?.car[driver];
    if (!samples) continue;
    const index = countUntil(samples.t, t) - 1;
    if (index >= 0) return { samples, index };
  }
  return null;
}

/** Channels of a car over time. */
export interface Trace {
  t: number[];
  speed: number[];
  throttle: (number | null)[];
  brake: (number | null)[];
  gear: (number | null)[];
  rpm: number[];
}

/** Highest gear of any car; sources now and then send noise above it. */
export const GEAR_MAX = 8;

/** Car samples of `driver` in `from..=to`, as far as they are decoded. */
export function traceOf(store: ChunkStore, driver: number, from: number, to: number): Trace {
  const trace: Trace = { t: [], speed: [], throttle: [], brake: [], gear: [], rpm: [] };
  for (let n = store.indexAt(from); n <= store.indexAt(to) + LATER; n++) {
    const held: Held | undefined = store.get(n);
    const samples = held?.car[driver];
    if (!samples) continue;
    const end = countUntil(samples.t, to);
    for (let k = Math.max(0, countUntil(samples.t, from) - 1); k < end; k++) {
      const t = samples.t[k] as number;
      if (t < from || t <= (trace.t.at(-1) ?? -Infinity)) continue;
      const throttle = samples.throttle[k] as number;
      const brake = samples.brake[k] as number;
      trace.t.push(t);
      trace.speed.push(samples.speed[k] as number);
      trace.throttle.push(throttle > 100 ? null : throttle);
      trace.brake.push(brake > 100 ? null : brake);
      const gear = samples.gear[k] as number;
      trace.gear.push(gear > GEAR_MAX ? null : gear);
      trace.rpm.push(samples.rpm[k] as number);
    }
  }
  return trace;
}
