import { expect, test } from "vitest";
import { decodeBars, hasPrice, priceAt } from "../src/book/bars";

/** A pack of three bars, written as the format says. */
function pack(): ArrayBuffer {
  const columns = [
    { name: "known_at", type: "f64", offset: 0 },
    { name: "bar_end", type: "f64", offset: 24 },
    { name: "sz", type: "f32", offset: 48 },
    { name: "px", type: "i32", offset: 64, base: 100, scale: 0.25 },
  ];
  const header = new TextEncoder().encode(JSON.stringify({ rows: 3, columns }));
  const from = Math.ceil((8 + header.length) / 8) * 8;
  const buffer = new ArrayBuffer(from + 80);
  new Uint8Array(buffer).set(new TextEncoder().encode("RBB1"));
  new DataView(buffer).setUint32(4, header.length, true);
  new Uint8Array(buffer).set(header, 8);
  new Float64Array(buffer, from, 3).set([5000, 10500, 15000]);
  new Float64Array(buffer, from + 24, 3).set([5000, 10000, 15000]);
  new Float32Array(buffer, from + 48, 3).set([1, NaN, 3]);
  new Int32Array(buffer, from + 64, 3).set([-2, -(2 ** 31), 7]);
  return buffer;
}

test("a pack of bars gives its columns; missing stays missing", () => {
  const bars = decodeBars(pack());
  expect(bars.rows).toBe(3);
  expect([...bars.numbers("sz")]).toEqual([1, NaN, 3]);
  const px = bars.prices("px");
  expect([0, 1, 2, 3].map((row) => priceAt(px, row))).toEqual([99.5, null, 101.75, null]);
  expect([0, 1].map((row) => hasPrice(px, row))).toEqual([true, false]);
});

test("a bar is known when it says so, not when it ends", () => {
  const bars = decodeBars(pack());
  expect([4999, 5000, 10000, 10499, 10500, 99999].map((ms) => bars.knownAt(ms))).toEqual([0, 1, 1, 1, 2, 3]);
  expect([0, 5000, 12000].map((ms) => bars.firstAfter(ms))).toEqual([0, 1, 2]);
});

test("what is no pack is refused, and so is a column of another kind", () => {
  expect(() => decodeBars(new ArrayBuffer(4))).toThrow("not a pack");
  expect(() => decodeBars(new TextEncoder().encode("RBC1....").buffer as ArrayBuffer)).toThrow("not a pack");
  const bars = decodeBars(pack());
  expect(() => bars.numbers("px")).toThrow("px");
  expect(() => bars.prices("sz")).toThrow("sz");
});
