// A lap driven again beside a live car, both aligned at the line. Start at `Ghost.place`.
//
// Places and times along the lap, and the time lost between the two, are the engine's comparison; here they are looked up.

import { countUntil } from "../lib/asof";
import { api, type Comparison, type LapView } from "./api";
import type { GhostCar } from "./map";
import type { Player } from "./player.svelte";

/** Columns of one lap of a comparison where every value is known, by time since the line. */
export interface Trace {
  timeS: number[];
  x: number[];
  y: number[];
  /** Time lost to the reference, s. */
  deltaS: number[];
}

/** The places of a compared lap that have a time. */
export function traceOf(lap: Comparison["laps"][number] | undefined): Trace {
  const trace: Trace = { timeS: [], x: [], y: [], deltaS: [] };
  lap?.time_s.forEach((time, k) => {
    const [x, y, delta] = [lap.x[k], lap.y[k], lap.delta_s[k]];
    // A car that stands is at one place for a while: the first moment there counts.
    if (typeof time !== "number" || time <= (trace.timeS.at(-1) ?? -Infinity)) return;
    trace.timeS.push(time);
    trace.x.push(typeof x === "number" ? x : NaN);
    trace.y.push(typeof y === "number" ? y : NaN);
    trace.deltaS.push(typeof delta === "number" ? delta : NaN);
  });
  return trace;
}

/** Value of a column at `timeS`, linear between places; NaN outside the lap. */
export function valueAt(trace: Trace, column: number[], timeS: number): number {
  const after = countUntil(trace.timeS, timeS);
  const last = trace.timeS.length - 1;
  if (after === 0 || last < 0 || timeS > (trace.timeS[last] as number)) return NaN;
  const [a, b] = [after - 1, Math.min(after, last)];
  const [from, to] = [trace.timeS[a] as number, trace.timeS[b] as number];
  const share = to > from ? (timeS - from) / (to - from) : 0;
  return (column[a] as number) + ((column[b] as number) - (column[a] as number)) * share;
}

/** The lap that is on at `t`, or null: the last one that began. */
export function lapOn(laps: LapView[], t: number): LapView | null {
  const lap = laps.findLast((one) => one.LapStartTime !== null && one.LapStartTime <= t);
  return lap && (lap.Time === null || t < lap.Time) ? lap : null;
}

export class Ghost {
  /** What is drawn; changed in place from frame to frame. */
  readonly car: GhostCar = { x: 0, y: 0, shown: false, colour: "", label: "" };
  private readonly laps = new Map<string, LapView[]>();
  private readonly asked = new Set<string>();
  /** Laps of the comparison that is here: the ghost's, and the live one's. */
  private ghost = "";
  private live = "";
  private ghostTrace: Trace = traceOf(undefined);
  private liveTrace: Trace = traceOf(undefined);
  private wanted = "";
  private stop = new AbortController();
  private deltaS = NaN;
  private problem = "";

  constructor(private readonly player: Player) {}

  /** Puts the ghost where it was as long after the line as the live car is at `t`. */
  place(t: number): void {
    const { player, car } = this;
    car.shown = false;
    this.deltaS = NaN;
    const [code = "", lap = ""] = player.ghost.split(":");
    if (code === "") return;
    const driver = player.driverOf(code);
    // Beside whom: the car that is followed, or chosen first, or the ghost's own.
    const live = player.code(player.follow ?? player.chosen[0] ?? driver);
    const laps = this.lapsOf(live);
    const on = laps && lapOn(laps, t);
    if (!on || on.LapStartTime === null) return;
    const began = on.LapStartTime;
    const number = lap === "best" ? player.session.best.bestLap(driver, began) : Number(lap);
    this.problem = number === null ? `no lap of ${code} yet` : this.problem;
    if (number === null) return;
    this.want(`${code}:${number}`, `${live}:${on.LapNumber}`);
    if (this.ghost !== `${code}:${number}`) return;
    const since = t - began;
    car.x = valueAt(this.ghostTrace, this.ghostTrace.x, since);
    car.y = valueAt(this.ghostTrace, this.ghostTrace.y, since);
    car.shown = Number.isFinite(car.x) && Number.isFinite(car.y);
    car.colour = player.colour(driver);
    car.label = `${code} ${number}`;
    if (this.live === `${live}:${on.LapNumber}`) {
      this.deltaS = valueAt(this.liveTrace, this.liveTrace.deltaS, since);
    }
  }

  /** The ghost and the live car's time lost to it, in words; empty where there is no ghost. */
  words(): string {
    if (this.player.ghost === "") return "";
    if (this.car.label === "" || (!this.car.shown && this.problem)) return this.problem;
    const delta = Number.isFinite(this.deltaS)
      ? ` · ${this.live.replace(":", " lap ")} ${this.deltaS < 0 ? "−" : "+"}${Math.abs(this.deltaS).toFixed(3)} s`
      : "";
    return `Ghost ${this.car.label.replace(" ", " lap ")}${delta}`;
  }

  close(): void {
    this.stop.abort();
  }

  private lapsOf(code: string): LapView[] | undefined {
    if (!this.asked.has(code)) {
      this.asked.add(code);
      api.laps(this.player.manifest.version, code).then(
        (laps) => this.laps.set(code, laps),
        (reason: unknown) => {
          this.asked.delete(code);
          this.problem = reason instanceof Error ? reason.message : String(reason);
        },
      );
    }
    return this.laps.get(code);
  }

  /** Asks for the comparison of the two, once; the last one stays until it is here. */
  private want(ghost: string, live: string): void {
    const wanted = `${ghost} ${live}`;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    const { version } = this.player.manifest;
    const take = (answer: Comparison, compared: string): void => {
      this.ghostTrace = traceOf(answer.laps[0]);
      this.liveTrace = traceOf(answer.laps.at(-1));
      [this.ghost, this.live, this.problem] = [ghost, compared, ""];
    };
    const laps = ghost === live ? [ghost] : [ghost, live];
    api.compare(version, laps, signal).then(
      (answer) => take(answer, live),
      // A lap that cannot be compared, on the way to the grid say: the ghost drives alone.
      () =>
        signal.aborted
          ? undefined
          : api.compare(version, [ghost], signal).then(
              (answer) => take(answer, ""),
              (reason: unknown) => {
                if (!signal.aborted) this.problem = reason instanceof Error ? reason.message : String(reason);
              },
            ),
    );
  }
}
