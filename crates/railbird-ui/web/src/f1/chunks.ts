// Keeps decoded chunks around the clock: asks the worker for those ahead, forgets those far away. Start at `want`.

import { nanoseconds } from "../lib/time";
import { api, type Manifest } from "./api";
import type { CarSamples, Chunk, PositionSamples } from "./chunk";
import type { ChunkAnswer, ChunkRequest } from "./worker";

/** Decoded chunks that are kept; one is about half a megabyte. */
const KEPT_MAX = 72;
/** Requests at once. */
const RUNNING_MAX = 6;
/** How far ahead of the clock chunks are wanted, wall seconds of play, and at least and at most in chunks. */
const AHEAD_WALL_S = 12;
const AHEAD_MIN = 3;
const AHEAD_MAX = 48;
/** A chunk that failed is asked for again after this long. */
const RETRY_MS = 3000;

/** A chunk whose samples can be looked up by driver. */
export interface Held {
  n: number;
  car: (CarSamples | undefined)[];
  position: (PositionSamples | undefined)[];
  carSamples: number;
  positionSamples: number;
}

/** The chunks of one session. */
export class ChunkStore {
  private readonly held = new Map<number, Held>();
  private readonly running = new Set<number>();
  private readonly failed = new Map<number, number>();
  private readonly worker: Worker;
  private readonly stored: Uint8Array;
  private readonly originNs: string;
  private closed = false;
  /** Called with every chunk that arrives. */
  onChunk: (held: Held) => void = () => {};
  /** The last error, for the page to show. */
  lastError: string | null = null;
  /** Counts since the page was opened. */
  readonly stats = { fetched: 0, evicted: 0, decodeMs: [] as number[] };

  constructor(private readonly manifest: Manifest) {
    this.stored = new Uint8Array(Math.max(0, ...manifest.chunks.map((entry) => entry.n + 1)));
    for (const entry of manifest.chunks) this.stored[entry.n] = entry.bytes > 0 ? 1 : 0;
    this.originNs = nanoseconds(manifest.origin_utc).toString();
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", (event: MessageEvent<ChunkAnswer>) => this.receive(event.data));
  }

  /** Number of the chunk that holds what was received at `t`, s. */
  indexAt(t: number): number {
    return Math.floor(t / this.manifest.chunk_s);
  }

  /** The chunk, if it is decoded. */
  get(n: number): Held | undefined {
    return this.held.get(n);
  }

  /** Whether everything that is drawn at `t` is here: samples are received up to seconds after they were taken. */
  ready(t: number): boolean {
    const n = this.indexAt(t);
    return this.has(n) && this.has(n + 1);
  }

  /** Asks for what is drawn at `t` and soon after, nearest first; `speed`: session seconds a wall second, 0 paused. */
  want(t: number, speed: number): void {
    const now = this.indexAt(t);
    const span = Math.ceil((AHEAD_WALL_S * speed) / this.manifest.chunk_s);
    const ahead = Math.min(AHEAD_MAX, Math.max(AHEAD_MIN, span));
    const wanted = [now, now + 1, now - 1];
    for (let k = 2; k <= ahead; k++) wanted.push(now + k);
    for (const n of this.running) {
      if (!wanted.includes(n)) this.send({ n, cancel: true });
    }
    for (const n of wanted) {
      if (this.running.size >= RUNNING_MAX) break;
      this.ask(n);
    }
    this.evict(now);
  }

  /** The chunk, fetched if need be. */
  async load(n: number): Promise<Held> {
    for (;;) {
      if (this.closed) throw new Error("the page was left");
      const held = this.held.get(n);
      if (held) return held;
      if (!this.stored[n]) return { n, car: [], position: [], carSamples: 0, positionSamples: 0 };
      this.ask(n);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  close(): void {
    this.closed = true;
    this.worker.terminate();
    this.held.clear();
  }

  private has(n: number): boolean {
    return !this.stored[n] || this.held.has(n);
  }

  private ask(n: number): void {
    if (this.has(n) || this.running.has(n)) return;
    const again = this.failed.get(n);
    if (again !== undefined && performance.now() < again) return;
    this.running.add(n);
    this.send({ n, url: api.chunkUrl(this.manifest.version, n), originNs: this.originNs });
  }

  private send(request: ChunkRequest): void {
    this.worker.postMessage(request);
  }

  private receive(answer: ChunkAnswer): void {
    this.running.delete(answer.n);
    if ("error" in answer) {
      if (!answer.error.includes("abort")) {
        this.failed.set(answer.n, performance.now() + RETRY_MS);
        this.lastError = answer.error;
      }
      return;
    }
    this.lastError = null;
    this.failed.delete(answer.n);
    this.stats.fetched++;
    this.stats.decodeMs.push(answer.decodeMs);
    if (this.stats.decodeMs.length > 512) this.stats.decodeMs.shift();
    const held = byDriver(answer.chunk);
    this.held.set(held.n, held);
    this.onChunk(held);
  }

  private evict(now: number): void {
    while (this.held.size > KEPT_MAX) {
      let far = now;
      for (const n of this.held.keys()) {
        // What lies behind is less likely to be needed than what lies ahead.
        const distance = (k: number): number => (k < now ? (now - k) * 2 : k - now);
        if (distance(n) > distance(far)) far = n;
      }
      if (far === now) return;
      this.held.delete(far);
      this.stats.evicted++;
    }
  }
}

function byDriver(chunk: Chunk): Held {
  const held: Held = { n: chunk.n, car: [], position: [], carSamples: 0, positionSamples: 0 };
  for (const one of chunk.car) {
    held.car[one.driver] = one;
    held.carSamples += one.t.length;
  }
  for (const one of chunk.position) {
    held.position[one.driver] = one;
    held.positionSamples += one.t.length;
  }
  return held;
}
