// Several files as one body: a tar file, put together without reading them.

const BLOCK = 512;

/** A tar file of `files`, by their names without folders. Names are cut at 100 bytes. */
export function tar(files: { name: string; size: number; body: BlobPart }[]): Blob {
  const parts: BlobPart[] = [];
  for (const { name, size, body } of files) {
    parts.push(header(name, size), body, new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

function header(name: string, size: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => block.set(new TextEncoder().encode(text), at);
  block.set(new TextEncoder().encode(name).slice(0, 100));
  put(100, "0000644\0");
  put(124, `${size.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\x0000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
