import { expect, test } from "vitest";
import { tar } from "../src/lib/tar";

test("files lie in blocks behind headers whose sums are right", async () => {
  const files = [
    { name: "TimingData.jsonStream", size: 5, body: "hello" },
    { name: "é.txt", size: 512, body: "x".repeat(512) },
    { name: "empty.txt", size: 0, body: "" },
  ];
  const bytes = new Uint8Array(await tar(files).arrayBuffer());
  expect(bytes.length).toBe(512 * (2 + 2 + 1 + 2));
  const text = (from: number, length: number): string =>
    new TextDecoder().decode(bytes.slice(from, from + length)).replace(/\0.*$/s, "");
  let at = 0;
  for (const { name, size, body } of files) {
    expect(text(at, 100)).toBe(name);
    expect(parseInt(text(at + 124, 12), 8)).toBe(size);
    const header = bytes.slice(at, at + 512).fill(32, 148, 156);
    expect(parseInt(text(at + 148, 8), 8)).toBe(header.reduce((sum, byte) => sum + byte, 0));
    expect(new TextDecoder().decode(bytes.slice(at + 512, at + 512 + size))).toBe(body);
    at += 512 * (1 + Math.ceil(size / 512));
  }
  expect(bytes.slice(at).every((byte) => byte === 0)).toBe(true);
});
