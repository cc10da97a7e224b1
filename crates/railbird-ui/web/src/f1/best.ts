// Lap times as of a moment: the last and the best lap of each driver, by part of qualifying. Deleted laps and
// laps from or to the pits do not count as best.

import { countUntil } from "../lib/asof";
import type { Events } from "./api";

interface LapState {
  timeMs: number | null;
  deleted: boolean;
  /** Began or ended in the pits: no lap to be compared. */
  pit: boolean;
  part: number;
}

interface Step {
  t: number;
  lastMs: number | null;
  /** Best lap of each part, ms; index 0 holds the best of all. */
  bestMs: (number | null)[];
  bestLap: (number | null)[];
}

/** Lap times of every driver over the session. */
export class BestLaps {
  private readonly steps: Step[][];
  private readonly times: number[][];
  private readonly final: Map<number, LapState>[];

  constructor(events: Events, drivers: number) {
    const { laps, session } = events;
    const known = Array.from({ length: drivers }, () => new Map<number, LapState>());
    this.final = known;
    this.steps = known.map(() => []);
    this.times = known.map(() => []);
    laps.t.forEach((t, row) => {
      const field = laps.field[row];
      const mine = known[laps.driver[row] ?? -1];
      const pit = field === "PitInTime" || field === "PitOutTime";
      if (!mine || (field !== "LapTime" && field !== "Deleted" && !pit)) return;
      const lap = laps.lap[row] as number;
      const part = session.part[countUntil(session.t, t) - 1] ?? 0;
      const state = mine.get(lap) ?? { timeMs: null, deleted: false, pit: false, part };
      const value = laps.value[row] ?? null;
      if (field === "LapTime") [state.timeMs, state.part] = [value, part];
      else if (field === "Deleted") state.deleted = value === 1;
      else state.pit ||= value !== null;
      mine.set(lap, state);
      const driver = laps.driver[row] as number;
      (this.steps[driver] as Step[]).push(stepOf(t, mine));
      (this.times[driver] as number[]).push(t);
    });
  }

  /** The last lap of `driver` as of `t`, ms. */
  last(driver: number, t: number): number | null {
    return this.step(driver, t)?.lastMs ?? null;
  }

  /** The best lap of `driver` in `part` (0: of all) as of `t`, ms. */
  best(driver: number, t: number, part = 0): number | null {
    return this.step(driver, t)?.bestMs[part] ?? null;
  }

  /** The time of one lap as it stands at the end of the session, ms. */
  timeOf(driver: number, lap: number): number | null {
    return this.final[driver]?.get(lap)?.timeMs ?? null;
  }

  /** The lap of the best time as of `t`, or null. */
  bestLap(driver: number, t: number, part = 0): number | null {
    return this.step(driver, t)?.bestLap[part] ?? null;
  }

  private step(driver: number, t: number): Step | undefined {
    return this.steps[driver]?.[countUntil(this.times[driver] ?? [], t) - 1];
  }
}

function stepOf(t: number, laps: Map<number, LapState>): Step {
  const step: Step = { t, lastMs: null, bestMs: [null, null, null, null], bestLap: [null, null, null, null] };
  let lastLap = -1;
  for (const [lap, { timeMs, deleted, pit, part }] of laps) {
    if (timeMs === null) continue;
    if (lap > lastLap) [lastLap, step.lastMs] = [lap, timeMs];
    if (deleted || pit) continue;
    for (const index of part === 0 ? [0] : [0, part]) {
      const best = step.bestMs[index] ?? null;
      if (best !== null && timeMs >= best) continue;
      step.bestMs[index] = timeMs;
      step.bestLap[index] = lap;
    }
  }
  return step;
}
