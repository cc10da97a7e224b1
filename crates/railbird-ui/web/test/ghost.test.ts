import { expect, test } from "vitest";
import type { Comparison, LapView } from "../src/f1/api";
import { lapOn, traceOf, valueAt } from "../src/f1/ghost";
import { formatLink, parseLink } from "../src/f1/link";

const compared = (time_s: (number | null)[]): Comparison["laps"][number] => ({
  driver: "NOR",
  lap: 3,
  lap_time_s: 3,
  time_s,
  delta_s: time_s.map((time) => (time === null ? null : time / 10)),
  x: time_s.map((_, k) => k * 100),
  y: time_s.map((_, k) => -k * 100),
  speed: [],
  throttle: [],
  brake: [],
  gear: [],
});

test("a lap is looked up by the time since the line, and is nowhere outside it", () => {
  const trace = traceOf(compared([0, 1, null, 2, 2, 3]));
  expect(trace.timeS).toEqual([0, 1, 2, 3]);
  expect(valueAt(trace, trace.x, 0)).toBe(0);
  expect(valueAt(trace, trace.x, 1.5)).toBe(200);
  expect(valueAt(trace, trace.deltaS, 2.5)).toBeCloseTo(0.25, 12);
  expect(valueAt(trace, trace.x, 3)).toBe(500);
  expect(valueAt(trace, trace.x, -0.1)).toBeNaN();
  expect(valueAt(trace, trace.x, 3.1)).toBeNaN();
  expect(valueAt(traceOf(undefined), [], 1)).toBeNaN();
});

test("the lap that is on is the last one that began and has not ended", () => {
  const lap = (LapNumber: number, LapStartTime: number | null, Time: number | null): LapView =>
    ({ Driver: "NOR", LapNumber, LapStartTime, Time }) as LapView;
  const laps = [lap(1, 100, 190), lap(2, 190, 280), lap(3, 300, null), lap(4, null, null)];
  expect([50, 100, 189.9, 190, 290, 300, 9000].map((t) => lapOn(laps, t)?.LapNumber ?? null)).toEqual([
    null,
    1,
    1,
    2,
    null,
    3,
    3,
  ]);
});

test("a link holds the ghost", () => {
  for (const ghost of ["NOR:21", "NOR:best"]) expect(parseLink(formatLink({ ghost })).ghost).toBe(ghost);
  for (const bad of ["NOR", "NOR:", "NOR:x", "<b>:1", ""]) {
    expect(parseLink(`#ghost=${encodeURIComponent(bad)}`).ghost).toBeUndefined();
  }
});
