import { expect, test } from "vitest";
import { ByDriver, countUntil } from "../src/lib/asof";
import { random } from "./random";

test("counts values at or before a moment, and the last of equal ones holds", () => {
  const times = [1, 2, 2, 5];
  expect([0, 1, 1.5, 2, 4.9, 5, 9].map((t) => countUntil(times, t))).toEqual([0, 1, 1, 3, 3, 4, 4]);
  expect(countUntil([], 3)).toBe(0);
});

test("equals a plain search from the end, for random logs", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed);
    const rows = Math.floor(next() * 60);
    const t = Array.from({ length: rows }, () => Math.floor(next() * 20)).sort((a, b) => a - b);
    const driver = t.map(() => Math.floor(next() * 4));
    const log = new ByDriver(t, driver, (row) => row % 7 !== 3);
    for (let now = -1; now <= 21; now++) {
      for (let who = 0; who < 5; who++) {
        const rowsOf = t
          .map((_, row) => row)
          .filter((row) => row % 7 !== 3 && driver[row] === who && (t[row] as number) <= now);
        expect(log.at(who, now), `seed ${seed}`).toBe(rowsOf.at(-1) ?? -1);
        expect(log.until(who, now), `seed ${seed}`).toEqual(rowsOf);
      }
    }
  }
});
