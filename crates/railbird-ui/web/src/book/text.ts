// Words and numbers of a day as they are read.

import type { DayInfo } from "./api";
import { decimalsOf } from "./draw";

const formats = new Map<string, Intl.DateTimeFormat>();

/** Time of day on the exchange's clock, `09:31:05`. */
export function clockText(day: DayInfo, ms: number): string {
  let format = formats.get(day.time_zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hour12: false,
      timeZone: day.time_zone,
    });
    formats.set(day.time_zone, format);
  }
  return format.format(ms);
}

const dates = new Map<string, Intl.DateTimeFormat>();

/** Date on the exchange's clock, `2026-03-06`. */
export function dayText(day: DayInfo, ms: number): string {
  let format = dates.get(day.time_zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", { dateStyle: "short", timeZone: day.time_zone });
    dates.set(day.time_zone, format);
  }
  return format.format(ms);
}

/** Decimals of a price of that day. */
export function decimalsFor(day: DayInfo): number {
  return decimalsOf(day.tick);
}

/** `Opening-range high` of `opening_range_high`. */
export function levelName(kind: string): string {
  const text = kind.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
