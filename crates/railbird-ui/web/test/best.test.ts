import { expect, test } from "vitest";
import type { Events } from "../src/f1/api";
import { BestLaps } from "../src/f1/best";

type Row = [t: number, driver: number, lap: number, field: string, value: number | null];

function events(rows: Row[], parts: [number, number][] = []): Events {
  return {
    laps: {
      t: rows.map((row) => row[0]),
      driver: rows.map((row) => row[1]),
      lap: rows.map((row) => row[2]),
      field: rows.map((row) => row[3]),
      value: rows.map((row) => row[4]),
    },
    session: { t: parts.map(([t]) => t), status: parts.map(() => "Started"), part: parts.map(([, part]) => part) },
  } as unknown as Events;
}

test("the best lap is the best known at the moment, without deleted laps and laps of the pits", () => {
  const best = new BestLaps(
    events([
      [10, 0, 1, "PitOutTime", 5000],
      [100, 0, 1, "LapTime", 60_000],
      [200, 0, 2, "LapTime", 90_000],
      [300, 0, 3, "LapTime", 88_000],
      [310, 0, 3, "Deleted", 1],
      [400, 0, 4, "LapTime", 89_000],
      [410, 0, 4, "LapTime", 89_500],
    ]),
    2,
  );
  expect([99, 100, 200, 300, 310, 400, 410].map((t) => best.best(0, t))).toEqual([
    null,
    null,
    90_000,
    88_000,
    90_000,
    89_000,
    89_500,
  ]);
  expect(best.bestLap(0, 305)).toBe(3);
  expect(best.last(0, 150)).toBe(60_000);
  expect(best.last(0, 410)).toBe(89_500);
  expect(best.best(1, 999)).toBeNull();
});

test("a lap counts for the part of qualifying in which its time became known", () => {
  const best = new BestLaps(
    events(
      [
        [100, 0, 1, "LapTime", 80_000],
        [600, 0, 2, "LapTime", 79_000],
      ],
      [
        [0, 1],
        [500, 2],
      ],
    ),
    1,
  );
  expect([0, 1, 2].map((part) => best.best(0, 700, part))).toEqual([79_000, 80_000, 79_000]);
});
