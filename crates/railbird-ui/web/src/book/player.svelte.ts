// What is playing of a day. The clock is read, never stored in state: nothing reactive changes with a frame.

import { Clock, fasterSpeed } from "../f1/clock";
import { Loop } from "../lib/loop";
import type { Bars } from "./bars";
import type { DayInfo, Episode, Level } from "./api";

/** Stretches of time that the charts can show, s. */
export const SPANS_S = [300, 900, 3600, 4 * 3600, 24 * 3600] as const;
/** Share of the charts that lies before the clock. */
const BEFORE = 0.86;

/** Plays one day: seconds since its first bar. */
export class Player {
  readonly clock: Clock;
  readonly loop = new Loop();
  readonly lengthS: number;
  playing = $state(false);
  speed = $state(25);
  spanS = $state<number>(3600);
  /** Episode whose neighbours are shown; null: the last one before the clock. */
  chosen = $state<string | null>(null);
  /** Episodes that began before the clock; changes when one begins or ends, not with a frame. */
  begun = $state.raw<Episode[]>([]);

  constructor(
    readonly day: DayInfo,
    readonly bars: Bars,
    readonly levels: Level[],
    readonly episodes: Episode[],
  ) {
    this.lengthS = (day.end_ms - day.start_ms) / 1000;
    this.clock = new Clock(() => performance.now(), 0, this.lengthS, 0);
    this.clock.setSpeed(this.speed);
    this.loop.add(() => this.keepUp(), 100);
    this.loop.add(() => this.saveLink(), 5000);
    this.restore(location.hash);
  }

  /** Moment shown, ms since 1970. */
  get nowMs(): number {
    return this.day.start_ms + this.clock.now() * 1000;
  }

  /** What the charts show, ms. */
  window(): { from: number; to: number } {
    const spanMs = this.spanS * 1000;
    const now = this.nowMs;
    const from = Math.max(this.day.start_ms, Math.min(now - spanMs * BEFORE, this.day.end_ms - spanMs));
    return { from, to: from + spanMs };
  }

  toggle(): void {
    if (this.playing) this.pause();
    else if (this.clock.now() < this.lengthS) {
      this.clock.play();
      this.playing = true;
    }
  }

  pause(): void {
    this.clock.pause();
    this.playing = false;
    this.saveLink();
  }

  /** To `ms` since 1970. */
  seek(ms: number): void {
    this.clock.seek((ms - this.day.start_ms) / 1000);
    this.loop.hurry();
    this.saveLink();
  }

  step(seconds: number): void {
    this.seek(this.nowMs + seconds * 1000);
  }

  setSpeed(speed: number): void {
    this.clock.setSpeed(speed);
    this.speed = this.clock.speed;
  }

  changeSpeed(steps: number): void {
    this.setSpeed(fasterSpeed(this.speed, steps));
  }

  setSpan(seconds: number): void {
    this.spanS = seconds;
    this.loop.hurry();
    this.saveLink();
  }

  /** To the next or the previous trigger. */
  stepEpisode(by: number): void {
    const now = this.nowMs;
    const target =
      by > 0
        ? this.episodes.find((one) => one.known_at_ms > now + 1)
        : this.episodes.findLast((one) => one.known_at_ms < now - 1);
    if (!target) return;
    this.chosen = target.id;
    this.seek(target.known_at_ms);
  }

  close(): void {
    clearTimeout(this.saving);
    this.loop.stop();
  }

  private keepUp(): void {
    const now = this.nowMs;
    if (this.playing && this.clock.now() >= this.lengthS) this.pause();
    const begun = this.episodes.filter((one) => one.known_at_ms <= now);
    const known = (list: Episode[], at: number): number =>
      list.filter((one) => one.outcome_known_at_ms !== null && one.outcome_known_at_ms <= at).length;
    const state = `${begun.length} ${known(begun, now)}`;
    if (state !== this.state) this.begun = begun;
    this.state = state;
  }
  private state = "";

  /** Puts the moment into the address bar, a little later: browsers refuse more than a few changes a second. */
  saveLink(): void {
    if (this.saving) return;
    this.saving = setTimeout(() => {
      this.saving = undefined;
      const parts = [`t=${Number(this.clock.now().toFixed(2))}`, `span=${this.spanS}`];
      if (this.chosen) parts.push(`episode=${encodeURIComponent(this.chosen)}`);
      history.replaceState(null, "", `#${parts.join("&")}`);
    }, 250);
  }
  private saving: ReturnType<typeof setTimeout> | undefined;

  /** Takes up what a link holds; whatever cannot be understood is left out. */
  restore(hash: string): void {
    const query = new URLSearchParams(hash.replace(/^#/, ""));
    const span = SPANS_S.find((one) => String(one) === query.get("span"));
    if (span) this.spanS = span;
    const chosen = this.episodes.find((one) => one.id === query.get("episode"));
    this.chosen = chosen?.id ?? null;
    const text = query.get("t");
    const t = text === null ? NaN : Number(text);
    if (Number.isFinite(t)) this.clock.seek(t);
    else {
      // Where there is something to see: the episode of the link, or a met level with the whole window before it.
      const from = this.day.start_ms + this.spanS * 1000;
      const first = chosen ?? this.episodes.find((one) => one.known_at_ms >= from) ?? this.episodes.at(-1);
      this.clock.seek(first ? (first.known_at_ms - this.day.start_ms) / 1000 : Math.min(3600, this.lengthS / 2));
    }
  }
}
