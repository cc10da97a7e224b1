// A session as the page reads it: the engine's logs, looked up as of a moment. Start at `Session`.
//
// Nothing is computed from distances here: positions, gaps, tyres and status are rows of the engine's logs, and a row
// counts from the moment at which it became known.

import { ByDriver, countUntil } from "../lib/asof";
import { lapTime } from "../lib/format";
import type { Events, Gaps, Manifest } from "./api";
import { BestLaps } from "./best";
import { cutAfter, partShown } from "./qualifying";

/** A row of the leaderboard. Null: not known. */
export interface BoardRow {
  driver: number;
  position: number | null;
  /** To the leader and to the car ahead, s, on the road. */
  gapS: number | null;
  intervalS: number | null;
  lapsDown: number;
  /** The same as printed by the source. */
  officialGap: string;
  officialInterval: string;
  compound: string;
  tyreAge: number | null;
  tyreNew: boolean | null;
  stint: number;
  /** `grid`, `on_track`, `pit_lane`, `stopped`, `retired`, `finished`, or empty. */
  status: string;
  /** Last lap, ms. */
  lastLapMs: number | null;
  /** Best lap of the session, or of the part of qualifying that is on, ms. */
  bestLapMs: number | null;
  /** Laps completed. */
  laps: number;
}

/** What the stewards have ruled on a driver, as it holds at a moment. */
export interface Ruling {
  kind: "penalty" | "deleted_lap";
  state: "given" | "served" | "taken_back";
  seconds: number | null;
  lap: number | null;
  words: string;
  reason: string;
}

/** A moment that can be jumped to. */
export interface Mark {
  t: number;
  kind: "start" | "finish" | "flag" | "control" | "pit" | "part";
  label: string;
}

/** A span of one track status. */
export interface FlagSpan {
  from: number;
  to: number;
  code: number;
}

/** The start of a lap of the leader. */
export interface LapMark {
  lap: number;
  t: number;
}

/** One stint of one driver, as far as it is known. */
export interface Stint {
  stint: number;
  compound: string;
  isNew: boolean | null;
  /** First lap on the set, and laps on it (earlier use not counted). */
  firstLap: number;
  laps: number;
}

/** Words for the codes of track status. */
export const FLAG_NAMES: Record<number, string> = {
  1: "Track clear",
  2: "Yellow flag",
  4: "Safety car",
  5: "Red flag",
  6: "Virtual safety car",
  7: "VSC ending",
};

/** A session that is open. */
export class Session {
  readonly laps: LapMark[];
  readonly flags: FlagSpan[];
  readonly marks: Mark[];
  readonly best: BestLaps;
  /** Where the scrub bar begins and ends, s. */
  readonly startS: number;
  readonly endS: number;
  readonly isRace: boolean;
  readonly isQualifying: boolean;
  /** Whether there are positions, and speeds and the like. */
  readonly hasSamples: boolean;
  readonly hasCarData: boolean;
  private readonly order: ByDriver;
  private readonly gapRows: ByDriver;
  private readonly officialRows: ByDriver;
  private readonly statusRows: ByDriver;
  private readonly tyreRows: ByDriver;
  private readonly crossingRows: ByDriver;
  private readonly stintRows: ByDriver;
  private readonly rulingRows: ByDriver;

  constructor(
    readonly manifest: Manifest,
    readonly events: Events,
    readonly gaps: Gaps,
  ) {
    const kind = manifest.session.type;
    this.isRace = kind === "Race" || manifest.total_laps !== null;
    this.isQualifying = !this.isRace && /quali|shootout/i.test(`${kind} ${manifest.session.name}`);
    this.hasSamples = manifest.chunks.some((entry) => entry.position_samples > 0);
    this.hasCarData = manifest.chunks.some((entry) => entry.car_samples > 0);
    this.order = new ByDriver(events.order.t, events.order.driver);
    this.gapRows = new ByDriver(gaps.t, gaps.driver);
    this.officialRows = new ByDriver(events.official_gaps.t, events.official_gaps.driver);
    this.statusRows = new ByDriver(events.status.t, events.status.driver);
    this.tyreRows = new ByDriver(events.tyres.t, events.tyres.driver);
    this.crossingRows = new ByDriver(events.crossings.t, events.crossings.driver);
    this.stintRows = new ByDriver(events.laps.t, events.laps.driver, (row) => events.laps.field[row] === "Stint");
    this.rulingRows = new ByDriver(events.rulings.t, events.rulings.driver);
    this.best = new BestLaps(events, manifest.drivers.length);
    this.endS = manifest.end_s;
    this.startS = 0;
    this.laps = this.isRace ? lapMarks(manifest, events) : [];
    this.flags = flagSpans(events, this.endS);
    this.marks = marksOf(manifest, events);
  }

  /** Where a replay begins: just before the lights go out, or the session starts. */
  opening(): number {
    const { session } = this.events;
    const started = session.t[session.status.findIndex((status) => status === "Started")];
    const from = this.manifest.lights_out_s ?? started ?? this.manifest.first_sample_s ?? 0;
    return Math.max(this.startS, from - 5);
  }

  /** Position of `driver` as of `t`, or null. */
  positionAt(driver: number, t: number): number | null {
    const row = this.order.at(driver, t);
    return row < 0 ? null : (this.events.order.position[row] as number);
  }

  /** Status of the car of `driver` as of `t`. */
  statusAt(driver: number, t: number): string {
    const row = this.statusRows.at(driver, t);
    return row < 0 ? "" : (this.events.status.status[row] as string);
  }

  /** The leaderboard as of `t`, first first; cars without a position last. */
  board(t: number): BoardRow[] {
    const rows = this.manifest.drivers.map((_, driver) => this.row(driver, t));
    const last = 1000;
    return rows.sort((a, b) => (a.position ?? last) - (b.position ?? last) || a.driver - b.driver);
  }

  private row(driver: number, t: number): BoardRow {
    const { crossings, official_gaps: official, tyres } = this.events;
    const gap = this.gapRows.at(driver, t);
    const printed = this.officialRows.at(driver, t);
    const tyre = this.tyreRows.at(driver, t);
    const crossed = this.crossingRows.at(driver, t);
    return {
      driver,
      position: this.positionAt(driver, t),
      gapS: gap < 0 ? null : (this.gaps.gap_s[gap] ?? null),
      intervalS: gap < 0 ? null : (this.gaps.interval_s[gap] ?? null),
      lapsDown: gap < 0 ? 0 : (this.gaps.laps_down[gap] ?? 0),
      officialGap: official.gap[printed] ?? "",
      officialInterval: official.interval[printed] ?? "",
      compound: tyres.compound[tyre] ?? "",
      tyreAge: tyres.age_laps[tyre] ?? null,
      tyreNew: tyres.new[tyre] ?? null,
      stint: tyres.stint[tyre] ?? 0,
      status: this.statusAt(driver, t),
      lastLapMs: this.best.last(driver, t),
      bestLapMs: this.best.best(driver, t, this.partShown(driver, t)),
      laps: crossed < 0 ? 0 : (crossings.lap[crossed] as number),
    };
  }

  /** Part of qualifying as of `t`: 1 to 3; 0 before the first and elsewhere. */
  partAt(t: number): number {
    const { session } = this.events;
    if (!this.isQualifying) return 0;
    return session.part[countUntil(session.t, t) - 1] ?? 0;
  }

  /** Place after which cars leave at the end of the part that is on at `t`; 0 where nobody leaves. */
  cutAt(t: number): number {
    return this.isQualifying ? cutAfter(this.partAt(t), this.manifest.drivers.length, this.entriesAt(t)) : 0;
  }

  /** Laps that `driver` has completed at `t`, at least `least` of them, with their times: a list to choose from. */
  lapChoices(driver: number, t: number, least = 0): { lap: number; text: string }[] {
    const done = Math.max(least, this.lapOf(driver, t) - 1);
    const best = this.best.bestLap(driver, t);
    return Array.from({ length: done }, (_, k) => {
      const time = this.best.timeOf(driver, k + 1);
      const words = [`${k + 1}`, time === null ? "" : lapTime(time), k + 1 === best ? "best" : ""];
      return { lap: k + 1, text: words.filter(Boolean).join(" · ") };
    });
  }

  /** Part whose best lap counts for `driver` at `t`: the one that is on, or the last in which they took part. */
  private partShown(driver: number, t: number): number {
    return partShown(
      this.partAt(t),
      this.positionAt(driver, t) ?? 0,
      this.manifest.drivers.length,
      this.entriesAt(t),
    );
  }

  /** Code of the track status as of `t`; 1 before anything is said. */
  flagAt(t: number): number {
    const { track } = this.events;
    return track.code[countUntil(track.t, t) - 1] ?? 1;
  }

  /** Words of the session status as of `t`. */
  sessionStatusAt(t: number): string {
    const { session } = this.events;
    return session.status[countUntil(session.t, t) - 1] ?? "";
  }

  /** The leader's lap as of `t`, 1 first, and the laps of the race. */
  lapAt(t: number): { current: number | null; total: number | null } {
    const { lap_count: count } = this.events;
    const rows = countUntil(count.t, t);
    let current: number | null = null;
    let total: number | null = null;
    for (let row = rows - 1; row >= 0 && (current === null || total === null); row--) {
      current ??= count.current[row] ?? null;
      total ??= count.total[row] ?? null;
    }
    if (current === null) {
      const started = countUntil(this.lapTimes, t);
      current = started > 0 ? (this.laps[started - 1] as LapMark).lap : null;
    }
    return { current, total: total ?? this.manifest.total_laps };
  }

  private lapTimesCache: number[] | null = null;
  private get lapTimes(): number[] {
    return (this.lapTimesCache ??= this.laps.map((mark) => mark.t));
  }

  /** Row of the weather as of `t`, or -1. */
  weatherAt(t: number): number {
    return countUntil(this.events.weather.t, t) - 1;
  }

  /** Stints of `driver` as far as they are known at `t`: the engine says of every lap in which stint it was driven. */
  stints(driver: number, t: number): Stint[] {
    const { tyres, laps } = this.events;
    const byLap = new Map<number, number>();
    for (const row of this.stintRows.until(driver, t)) {
      const stint = laps.value[row];
      if (typeof stint === "number") byLap.set(laps.lap[row] as number, stint);
    }
    const done = this.lapOf(driver, t) - 1;
    const stints = new Map<number, Stint>();
    for (const [lap, stint] of [...byLap].sort(([one], [other]) => one - other)) {
      const known = stints.get(stint) ?? { stint, compound: "", isNew: null, firstLap: lap, laps: 0 };
      if (lap <= done) known.laps = lap - known.firstLap + 1;
      stints.set(stint, known);
    }
    for (const row of this.tyreRows.until(driver, t)) {
      const stint = stints.get(tyres.stint[row] as number);
      if (!stint) continue;
      stint.compound = tyres.compound[row] || stint.compound;
      stint.isNew = tyres.new[row] ?? stint.isNew;
    }
    return [...stints.values()].filter((stint) => stint.laps > 0 || stint.firstLap > done);
  }

  /** Penalties and deleted laps of `driver` that hold at `t`, oldest first. */
  rulings(driver: number, t: number): Ruling[] {
    const { rulings } = this.events;
    const last = new Map<number, number>();
    for (const row of this.rulingRows.until(driver, t)) last.set(rulings.number[row] as number, row);
    return [...last.values()]
      .filter((row) => rulings.state[row] !== "taken_back")
      .map((row) => ({
        kind: rulings.kind[row] ?? "penalty",
        state: rulings.state[row] ?? "given",
        seconds: rulings.seconds[row] ?? null,
        lap: rulings.lap[row] ?? null,
        words: rulings.words[row] ?? "",
        reason: rulings.reason[row] ?? "",
      }));
  }

  /** Cars that take part in each part of qualifying as of `t`, as the source tells; 0 where it does not. */
  entriesAt(t: number): number[] {
    const { entries } = this.events;
    const cars = [0, 0, 0];
    const rows = countUntil(entries.t, t);
    for (let row = 0; row < rows; row++) cars[(entries.part[row] as number) - 1] = entries.cars[row] as number;
    return cars;
  }

  /** Line crossings of `driver` known at `t`: lap, position, gap to the leader at the line; later rows correct. */
  crossingsOf(driver: number, t: number): Map<number, { position: number; gapS: number | null }> {
    const { crossings } = this.events;
    const byLap = new Map<number, { position: number; gapS: number | null }>();
    for (const row of this.crossingRows.until(driver, t)) {
      byLap.set(crossings.lap[row] as number, {
        position: crossings.position[row] as number,
        gapS: crossings.gap_s[row] ?? null,
      });
    }
    return byLap;
  }

  /** Lap of `driver` that is on at `t`, 1 first. */
  lapOf(driver: number, t: number): number {
    const row = this.crossingRows.at(driver, t);
    return row < 0 ? 1 : (this.events.crossings.lap[row] as number) + 1;
  }
}

function lapMarks(manifest: Manifest, events: Events): LapMark[] {
  const first = new Map<number, number>();
  if (manifest.lights_out_s !== null) first.set(1, manifest.lights_out_s);
  const { crossings } = events;
  crossings.lap.forEach((lap, row) => {
    const at = crossings.at[row] as number;
    const known = first.get(lap + 1);
    if (known === undefined || at < known) first.set(lap + 1, at);
  });
  const last = Math.max(0, ...crossings.lap);
  return [...first]
    .filter(([lap]) => lap <= last)
    .sort(([a], [b]) => a - b)
    .map(([lap, t]) => ({ lap, t }));
}

function flagSpans(events: Events, endS: number): FlagSpan[] {
  const { track } = events;
  return track.t
    .map((from, row) => ({ from, to: track.t[row + 1] ?? endS, code: track.code[row] as number }))
    .filter((span) => span.code !== 1 && span.to > span.from);
}

function marksOf(manifest: Manifest, events: Events): Mark[] {
  const marks: Mark[] = [];
  if (manifest.lights_out_s !== null) marks.push({ t: manifest.lights_out_s, kind: "start", label: "Lights out" });
  if (manifest.chequered_s !== null) marks.push({ t: manifest.chequered_s, kind: "finish", label: "Chequered flag" });
  const { track, race_control: control, session } = events;
  let before = 1;
  track.t.forEach((t, row) => {
    const code = track.code[row] as number;
    if (code !== before && code !== 1) marks.push({ t, kind: "flag", label: FLAG_NAMES[code] ?? "Track status" });
    before = code;
  });
  let part = 0;
  session.t.forEach((t, row) => {
    const now = session.part[row] ?? 0;
    if (now > part) marks.push({ t, kind: "part", label: `Part ${now} begins` });
    part = Math.max(part, now);
  });
  control.t.forEach((t, row) => {
    const message = control.message[row] ?? "";
    if (/PENALTY|INCIDENT|RED FLAG|COLLISION|BLACK AND WHITE/i.test(message)) {
      marks.push({ t, kind: "control", label: message });
    }
  });
  return marks.sort((a, b) => a.t - b.t);
}
