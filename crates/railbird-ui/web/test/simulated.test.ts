// The decoder on bytes that the engine wrote: every chunk of the sessions under RAILBIRD_SESSION_DIR, a data folder of
// railbird, which `cargo xtask test` fills with a simulated race.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Manifest } from "../src/f1/api";
import { ChunkError, decodeChunk, decodeRaw } from "../src/f1/chunk";
import { nanoseconds } from "../src/lib/time";
import { random } from "./random";

const folder = process.env["RAILBIRD_SESSION_DIR"];
const sessions = folder === undefined ? "" : join(folder, "f1/sessions");
const there = sessions !== "" && existsSync(sessions);
if (!there) {
  const words = "RAILBIRD_SESSION_DIR names no data folder: the decoder was not tried on bytes of the engine";
  if (process.env["CI"] === "true") throw new Error(words);
  console.warn(`SKIPPED: ${words}`);
}

describe.skipIf(!there)("chunks that the engine wrote", () => {
  for (const version of there ? readdirSync(sessions) : []) {
    const manifest = JSON.parse(readFileSync(join(sessions, version, "manifest.json"), "utf8")) as Manifest;
    const pack = existsSync(join(sessions, version, "chunks.pack"))
      ? readFileSync(join(sessions, version, "chunks.pack"))
      : new Uint8Array();
    const origin = nanoseconds(manifest.origin_utc);
    const stored = manifest.chunks.filter((entry) => entry.bytes > 0);
    const bytesOf = (entry: { offset: number; bytes: number }): Uint8Array =>
      new Uint8Array(gunzipSync(pack.subarray(entry.offset, entry.offset + entry.bytes)));

    test(`${manifest.id}: hold what the manifest counts, in the time that they are for`, () => {
      for (const entry of stored) {
        const bytes = bytesOf(entry);
        const chunk = decodeChunk(bytes, origin);
        const sum = (streams: { t: Float64Array }[]): number => streams.reduce((all, one) => all + one.t.length, 0);
        expect([chunk.n, sum(chunk.car), sum(chunk.position)], `chunk ${entry.n}`).toEqual([
          entry.n,
          entry.car_samples,
          entry.position_samples,
        ]);
        const raw = decodeRaw(bytes, origin);
        for (const stream of [raw.car, raw.position]) {
          stream.knownAt.forEach((known, moment) => {
            expect(Math.floor(known / manifest.chunk_s), `chunk ${entry.n}`).toBe(entry.n);
            // No sample is known before it was taken; the origin is rounded to what a double of seconds holds.
            expect(stream.t[moment]).toBeLessThanOrEqual(known + 1e-6);
          });
        }
        for (const one of [...chunk.car, ...chunk.position]) expect(one.driver).toBeLessThan(manifest.drivers.length);
      }
    });

    test(`${manifest.id}: are refused or decoded when bytes are changed, and never break the reader`, () => {
      const next = random(1);
      for (const entry of stored.slice(0, 40)) {
        const bytes = bytesOf(entry);
        for (let change = 0; change < 5; change++) {
          const mutated = Uint8Array.from(bytes);
          mutated[Math.floor(next() * mutated.length)] = Math.floor(next() * 256);
          try {
            decodeChunk(mutated, origin);
          } catch (error) {
            expect(error).toBeInstanceOf(ChunkError);
          }
        }
      }
    });
  }
});
