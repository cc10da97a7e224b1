import { expect, test } from "vitest";
import { figure, histogram, interval, percent } from "../src/market/text";

test("shares and figures are written as people read them", () => {
  expect([0.0412, -0.12, 0, null, NaN].map((one) => percent(one))).toEqual(["+4.1 %", "−12.0 %", "0.0 %", "–", "–"]);
  expect(figure("number", -1.234)).toBe("−1.23");
  expect(figure("days", 12.4)).toBe("12");
  expect(figure("part", 0.4)).toBe("40.0 %");
  expect(figure("share", undefined)).toBe("–");
});

test("an interval is shown only where both ends are known", () => {
  expect(interval("share", { value: 0, low: -0.1, high: 0.2 })).toBe("−10.0 % to +20.0 %");
  expect(interval("share", { value: 0 })).toBe("");
});

test("a histogram counts every finite value once, those outside at the ends", () => {
  const counts = histogram([-9, -1, -0.01, 0, 0.99, 1, 9, NaN], -1, 1, 4);
  expect(counts).toEqual([2, 1, 1, 3]);
});
