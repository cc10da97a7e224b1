// Qualifying goes in three parts: after the first two the slowest leave, so that ten are left for the last.

import type { BoardRow } from "./session";

/** Cars in the last part. */
const LAST_PART = 10;

/**
 * Place after which cars leave at the end of `part`, of `cars` that took part; 0 where nobody leaves. `entries`: cars in
 * each part as the source tells, which holds where it is not 0.
 */
export function cutAfter(part: number, cars: number, entries: number[] = []): number {
  const told = part >= 1 && part <= 2 ? (entries[part] ?? 0) : 0;
  if (told > 0) return told < cars ? told : 0;
  if (cars <= LAST_PART || part > 2) return 0;
  // Those who leave are shared evenly between the first two parts: 20 cars 15 and 10, 22 cars 16 and 10.
  return part === 2 ? LAST_PART : LAST_PART + Math.ceil((cars - LAST_PART) / 2);
}

/** Part whose lap decides `position` while `part` is on: those who left are ranked by the part in which they did. */
export function partShown(part: number, position: number, cars: number, entries: number[] = []): number {
  for (let left = 1; left < part; left++) {
    const cut = cutAfter(left, cars, entries);
    if (cut > 0 && position > cut) return left;
  }
  return part;
}

/** A driver's line in the table of parts. */
export interface PartRow {
  driver: number;
  position: number | null;
  /** Best lap of parts 1 to 3, ms. */
  bestMs: (number | null)[];
}

/** The table of parts, in the order of the leaderboard. */
export function partTable(board: BoardRow[], best: (driver: number, part: number) => number | null): PartRow[] {
  return board.map(({ driver, position }) => ({
    driver,
    position,
    bestMs: [1, 2, 3].map((part) => best(driver, part)),
  }));
}
