// Lookups "as of": the last row at or before a moment. Times ascend; equal times keep their order, the last one holds.

/** Number of values at or before `t`. O(log n). */
export function countUntil(times: ArrayLike<number>, t: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Rows of one log by driver. */
export class ByDriver {
  private readonly rows: number[][] = [];
  private readonly times: number[][] = [];

  /** `t`: ascending, s. `driver`: index, one a row. `keep`: rows to leave out give false. */
  constructor(t: ArrayLike<number>, driver: ArrayLike<number>, keep: (row: number) => boolean = () => true) {
    for (let row = 0; row < t.length; row++) {
      const who = driver[row];
      if (who === undefined || !keep(row)) continue;
      (this.rows[who] ??= []).push(row);
      (this.times[who] ??= []).push(t[row] as number);
    }
  }

  /** Row that holds for `driver` at `t`, or -1. */
  at(driver: number, t: number): number {
    const times = this.times[driver];
    if (!times) return -1;
    const count = countUntil(times, t);
    return count === 0 ? -1 : ((this.rows[driver] as number[])[count - 1] as number);
  }

  /** All rows of `driver` until `t`, oldest first. */
  until(driver: number, t: number): number[] {
    const times = this.times[driver];
    return times ? (this.rows[driver] as number[]).slice(0, countUntil(times, t)) : [];
  }
}
