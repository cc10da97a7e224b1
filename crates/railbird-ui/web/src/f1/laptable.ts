// The laps of one driver as of a moment: the last value of every field of every lap.

import { countUntil } from "../lib/asof";
import type { Events } from "./api";

/** A lap; times in ms, null where not known. */
export interface LapLine {
  lap: number;
  timeMs: number | null;
  sectorsMs: (number | null)[];
  /** Fastest trap, km/h. */
  trapKmh: number | null;
  compound: string;
  tyreAge: number | null;
  pitIn: boolean;
  pitOut: boolean;
  deleted: boolean;
}

/** Laps of `driver` as known at `t`, first first. */
export function lapTable(events: Events, driver: number, t: number): LapLine[] {
  const { laps, tyres, crossings } = events;
  const lines = new Map<number, LapLine>();
  const line = (lap: number): LapLine => {
    let one = lines.get(lap);
    if (!one) {
      one = {
        lap,
        timeMs: null,
        sectorsMs: [null, null, null],
        trapKmh: null,
        compound: "",
        tyreAge: null,
        pitIn: false,
        pitOut: false,
        deleted: false,
      };
      lines.set(lap, one);
    }
    return one;
  };
  const rows = countUntil(laps.t, t);
  for (let row = 0; row < rows; row++) {
    if (laps.driver[row] === driver)
      put(line(laps.lap[row] as number), laps.field[row] as string, laps.value[row] ?? null);
  }
  // The set that was on when the lap was completed.
  const crossed = countUntil(crossings.t, t);
  let tyre = -1;
  let next = 0;
  for (let row = 0; row < crossed; row++) {
    if (crossings.driver[row] !== driver) continue;
    for (; next < tyres.t.length && (tyres.t[next] as number) <= (crossings.t[row] as number); next++) {
      if (tyres.driver[next] === driver) tyre = next;
    }
    const one = lines.get(crossings.lap[row] as number);
    if (!one || tyre < 0) continue;
    one.compound = tyres.compound[tyre] ?? "";
    one.tyreAge = tyres.age_laps[tyre] ?? null;
  }
  return [...lines.values()].sort((a, b) => a.lap - b.lap);
}

function put(line: LapLine, field: string, value: number | null): void {
  const sector = /^Sector([123])Time$/.exec(field);
  if (sector) line.sectorsMs[Number(sector[1]) - 1] = value;
  else if (field === "LapTime") line.timeMs = value;
  else if (field === "Deleted") line.deleted = value === 1;
  else if (field === "PitInTime") line.pitIn = value !== null;
  else if (field === "PitOutTime") line.pitOut = value !== null;
  else if (field.startsWith("Speed") && value !== null) line.trapKmh = Math.max(line.trapKmh ?? 0, value);
}
