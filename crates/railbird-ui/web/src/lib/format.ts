// Numbers as people read them on a timing screen.

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

/** `1:23:45` or `3:45`; negative times keep their sign. */
export function duration(seconds: number): string {
  const whole = Math.floor(Math.abs(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const sign = seconds < 0 && whole > 0 ? "−" : "";
  return h > 0 ? `${sign}${h}:${pad(m)}:${pad(s)}` : `${sign}${m}:${pad(s)}`;
}

/** `2 h 57 min`. */
export function longDuration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1:23.456`, from milliseconds. */
export function lapTime(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "";
  const whole = Math.round(ms);
  const minutes = Math.floor(whole / 60000);
  const rest = `${Math.floor((whole % 60000) / 1000)}`;
  return minutes > 0
    ? `${minutes}:${rest.padStart(2, "0")}.${pad(whole % 1000, 3)}`
    : `${rest}.${pad(whole % 1000, 3)}`;
}

/** `+1.2` or `+1:15.3`, from seconds. */
export function gap(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "";
  const tenths = Math.round(Math.abs(seconds) * 10);
  const sign = seconds < 0 && tenths > 0 ? "−" : "+";
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1);
  return minutes > 0 ? `${sign}${minutes}:${rest.padStart(4, "0")}` : `${sign}${rest}`;
}

/** Wall time at the track or in UTC: `14:03:17`. */
export function timeOfDay(utcMs: number, offsetMs: number): string {
  const date = new Date(utcMs + offsetMs);
  return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
}

/** Milliseconds of `[-]HH:MM[:SS]`. */
export function offsetMs(text: string | null): number {
  const match = /^([+-]?)(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text ?? "");
  if (!match) return 0;
  const ms = (Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0)) * 1000;
  return match[1] === "-" ? -ms : ms;
}

/** `16 March 2025`. */
export function date(iso: string | null): string {
  const time = Date.parse(iso ?? "");
  if (Number.isNaN(time)) return "";
  return new Date(time).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
}
