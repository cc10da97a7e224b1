// Fetches and decodes chunks away from the page's thread; the arrays are transferred, not copied.

import { decodeChunk, type Chunk } from "./chunk";

/** Asks for a chunk, or takes the question back. */
export type ChunkRequest = { n: number; url: string; originNs: string } | { n: number; cancel: true };

/** The answer. */
export type ChunkAnswer = { n: number; chunk: Chunk; decodeMs: number } | { n: number; error: string };

const running = new Map<number, AbortController>();
const post = (answer: ChunkAnswer, transfer: Transferable[] = []): void => self.postMessage(answer, { transfer });

self.addEventListener("message", (event: MessageEvent<ChunkRequest>) => {
  const request = event.data;
  if ("cancel" in request) running.get(request.n)?.abort();
  else void answer(request);
});

async function answer(request: { n: number; url: string; originNs: string }): Promise<void> {
  const { n, url, originNs } = request;
  const abort = new AbortController();
  running.set(n, abort);
  try {
    // The browser undoes the gzip.
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const began = performance.now();
    const chunk = decodeChunk(bytes, BigInt(originNs));
    if (chunk.n !== n) throw new Error(`holds chunk ${chunk.n}`);
    post({ n, chunk, decodeMs: performance.now() - began }, buffersOf(chunk));
  } catch (error) {
    post({ n, error: `chunk ${n}: ${error instanceof Error ? error.message : String(error)}` });
  } finally {
    running.delete(n);
  }
}

function buffersOf(chunk: Chunk): ArrayBuffer[] {
  const arrays = [...chunk.car, ...chunk.position].flatMap((one) =>
    Object.values(one).filter((value): value is Int32Array<ArrayBuffer> => ArrayBuffer.isView(value)),
  );
  return arrays.map((array) => array.buffer);
}
