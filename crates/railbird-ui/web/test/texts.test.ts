import { describe, expect, test } from "vitest";
import { nanoseconds } from "../src/lib/time";
import { cutAfter, partShown } from "../src/f1/qualifying";
import { formatLink, parseLink } from "../src/f1/link";
import { contrast, readable } from "../src/lib/colour";
import { duration, gap, lapTime, offsetMs } from "../src/lib/format";

test("times read as on a timing screen", () => {
  expect(lapTime(83_456)).toBe("1:23.456");
  expect(lapTime(23_006)).toBe("23.006");
  expect(lapTime(null)).toBe("");
  expect(duration(3661.9)).toBe("1:01:01");
  expect(duration(-61)).toBe("−1:01");
  expect(gap(1.26)).toBe("+1.3");
  expect(gap(59.97)).toBe("+1:00.0");
  expect(gap(119.98)).toBe("+2:00.0");
  expect(gap(75.25)).toBe("+1:15.3");
  expect(gap(null)).toBe("");
  expect(offsetMs("-03:30:00")).toBe(-12_600_000);
  expect(offsetMs("11:00:00")).toBe(39_600_000);
});

test("UTC is read to the nanosecond", () => {
  expect(nanoseconds("2025-03-16T03:07:22.785Z")).toBe(1_742_094_442_785_000_000n);
  expect(nanoseconds("1970-01-01T00:00:00.123456789Z")).toBe(123_456_789n);
  expect(nanoseconds("1970-01-01T00:00:01Z")).toBe(1_000_000_000n);
  expect(() => nanoseconds("yesterday")).toThrow();
});

describe("a link", () => {
  test("restores what it was made from", () => {
    const moment = {
      t: 4312.5,
      speed: 8,
      drivers: ["NOR", "PIA"],
      follow: "NOR",
      tab: "compare" as const,
      laps: ["NOR:21", "PIA:21"],
      rotation: 45,
      offset: -2.5,
    };
    expect(parseLink(formatLink(moment))).toEqual(moment);
  });
  test("with nonsense in it gives what can be understood", () => {
    expect(parseLink("#t=abc&speed=-1&tab=nothing&laps=x,NOR:3&rotation=-90&offset=99999&drivers=<b>,VER&t2")).toEqual({
      laps: ["NOR:3"],
      rotation: 270,
      drivers: ["VER"],
    });
    expect(parseLink("")).toEqual({});
  });
});

test("team colours can be read on either ground, and stay as they are where they could", () => {
  for (const colour of ["FF8000", "F5F5F5", "000000", "3671C6", "B6BABD", "nonsense"]) {
    for (const ground of ["#ffffff", "#14181e"]) {
      for (const least of [3, 4.5])
        expect(contrast(readable(colour, ground, least), ground)).toBeGreaterThanOrEqual(least);
    }
  }
  expect(readable("3671C6", "#ffffff", 3)).toBe("#3671c6");
  expect(readable("3671C6", "#fff", 3)).toBe("#3671c6");
});

test("the elimination line leaves ten for the last part", () => {
  expect([1, 2, 3].map((part) => cutAfter(part, 20))).toEqual([15, 10, 0]);
  expect([1, 2, 3].map((part) => cutAfter(part, 22))).toEqual([16, 10, 0]);
  expect(cutAfter(1, 8)).toBe(0);
});

test("what the source tells of the parts of qualifying holds against the rule", () => {
  expect([0, 1, 2, 3].map((part) => cutAfter(part, 20, [20, 14, 9]))).toEqual([cutAfter(0, 20), 14, 9, 0]);
  expect(cutAfter(1, 20, [20, 0, 0])).toBe(15);
  expect(cutAfter(1, 20, [20, 20, 10])).toBe(0);
  expect(partShown(3, 12, 20, [20, 12, 10])).toBe(2);
  expect(partShown(3, 13, 20, [20, 12, 10])).toBe(1);
});

test("those who left qualifying are shown with the part in which they did", () => {
  expect([5, 12, 17].map((position) => partShown(3, position, 20))).toEqual([3, 2, 1]);
  expect([5, 12, 17].map((position) => partShown(2, position, 20))).toEqual([2, 2, 1]);
  expect(partShown(1, 20, 20)).toBe(1);
  expect(partShown(0, 1, 20)).toBe(0);
});
