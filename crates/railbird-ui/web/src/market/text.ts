// Names and numbers of a study as they are read.

import type { Figure, Run, StrategyRun } from "./api";

const minus = (text: string): string => text.replace("-", "−");

/** `+4.1 %` or `−12 %`. */
export function percent(share: number | null, digits = 1): string {
  if (share === null || !Number.isFinite(share)) return "–";
  const text = `${(share * 100).toFixed(digits)} %`;
  return minus(share > 0 ? `+${text}` : text);
}

/** A figure as its kind wants it. */
export function figure(kind: Run["figures"][number]["kind"], value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (kind === "share") return percent(value);
  if (kind === "part") return `${(value * 100).toFixed(1)} %`;
  return minus(kind === "days" ? String(Math.round(value)) : value.toFixed(2));
}

/** `[low, high]`, or nothing. */
export function interval(kind: Run["figures"][number]["kind"], one: Figure | undefined): string {
  if (one?.low === undefined || one.high === undefined) return "";
  return `${figure(kind, one.low)} to ${figure(kind, one.high)}`;
}

/** `maxdiff, pessimistic fills`. */
export function runName(run: StrategyRun): string {
  return `${run.strategy.replaceAll("_", " ")} · ${run.fills}${run.tuned ? "" : " · untuned"}`;
}

/** What a run is called in a link. */
export function runKey(run: StrategyRun): string {
  return `${run.strategy}.${run.fills}.${run.tuned ? "tuned" : "untuned"}`;
}

/** `3 May 2024`. */
export function day(ms: number): string {
  return new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

/** Counts of `values` in `bins` equal steps between `low` and `high`; what lies outside is in the first or last. */
export function histogram(values: number[], low: number, high: number, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const at = Math.floor(((value - low) / (high - low)) * bins);
    const bin = Math.min(bins - 1, Math.max(0, at));
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts;
}
