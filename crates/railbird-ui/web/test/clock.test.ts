import { expect, test } from "vitest";
import { Clock, fasterSpeed, SPEEDS } from "../src/f1/clock";

function made(): { clock: Clock; wall: { ms: number } } {
  const wall = { ms: 1000 };
  return { clock: new Clock(() => wall.ms, 0, 100, 10), wall };
}

test("stands until it plays, then follows the wall at its speed", () => {
  const { clock, wall } = made();
  wall.ms += 5000;
  expect(clock.now()).toBe(10);
  for (const speed of SPEEDS) {
    clock.seek(10);
    clock.setSpeed(speed);
    clock.play();
    wall.ms += 1000;
    expect(clock.now()).toBeCloseTo(10 + speed, 9);
    clock.pause();
    wall.ms += 1000;
    expect(clock.now()).toBeCloseTo(10 + speed, 9);
  }
});

test("does not care how often it is read", () => {
  const { clock, wall } = made();
  clock.setSpeed(0.25);
  clock.play();
  for (let k = 0; k < 100_000; k++) {
    wall.ms += 0.1;
    clock.now();
  }
  expect(clock.now()).toBeCloseTo(12.5, 6);
});

test("a change of speed or a seek in motion leaves no jump behind", () => {
  const { clock, wall } = made();
  clock.play();
  wall.ms += 2000;
  clock.setSpeed(8);
  expect(clock.now()).toBeCloseTo(12, 9);
  wall.ms += 500;
  expect(clock.now()).toBeCloseTo(16, 9);
  clock.seek(50);
  wall.ms += 250;
  expect(clock.now()).toBeCloseTo(52, 9);
});

test("stays within the session and stands at its end", () => {
  const { clock, wall } = made();
  clock.seek(-5);
  expect(clock.now()).toBe(0);
  clock.seek(Number.NaN);
  expect(clock.now()).toBe(0);
  clock.play();
  wall.ms += 500_000;
  expect(clock.now()).toBe(100);
  expect(clock.playing).toBe(false);
  clock.seek(20);
  wall.ms += 1000;
  expect(clock.now()).toBe(21);
});

test("speeds go up and down the list and no further", () => {
  expect(fasterSpeed(1, 1)).toBe(2);
  expect(fasterSpeed(0.25, -1)).toBe(0.25);
  expect(fasterSpeed(50, 1)).toBe(50);
});
