// What is playing and what was chosen. The clock is read, never stored in state: nothing reactive changes with a frame.

import { CONTRAST_MARK, CONTRAST_TEXT, readable } from "../lib/colour";
import { Loop } from "../lib/loop";
import { theme, token } from "../lib/theme.svelte";
import type { DrsZone, Manifest } from "./api";
import { ChunkStore } from "./chunks";
import { Clock, fasterSpeed } from "./clock";
import { Ghost } from "./ghost";
import { formatLink, type Moment, type Tab } from "./link";
import type { Session } from "./session";

/** Drivers that can be chosen at once. */
export const CHOSEN_MAX = 4;
/** How often the leaderboard and other texts are looked at, ms. */
export const TEXT_EVERY_MS = 100;

/** Plays one session. */
export class Player {
  readonly clock: Clock;
  readonly loop = new Loop();
  readonly store: ChunkStore;
  readonly manifest: Manifest;
  playing = $state(false);
  speed = $state(1);
  /** Indices of the drivers chosen, in the order of choice. */
  chosen = $state<number[]>([]);
  /** Driver whom the map follows. */
  follow = $state<number | null>(null);
  tab = $state<Tab>("telemetry");
  /** Laps compared: `NOR:21`. */
  compared = $state<string[]>([]);
  /** Lap driven again on the map: `NOR:21`, `NOR:best`, or empty. */
  ghost = $state("");
  /** Rotation of the map by the reader, °. */
  rotation = $state(0);
  /** How far the broadcast is behind, s. */
  offsetS = $state(0);
  /** Whether gaps are those on the road or those printed by the source. */
  officialGaps = $state(false);
  /** Whether the dialog of keys is open. */
  help = $state(false);
  /** The lap driven again on the map. */
  readonly ghostLap = new Ghost(this);
  /** DRS zones on the map. */
  drsZones: DrsZone[] = [];
  private seekBeganMs: number | null = null;

  constructor(readonly session: Session) {
    this.manifest = session.manifest;
    this.clock = new Clock(() => performance.now(), session.startS, session.endS, session.opening());
    this.store = new ChunkStore(session.manifest);
    this.store.want(this.clock.now(), 0);
    this.loop.add(() => this.keepUp(), 50);
    this.loop.add(() => this.saveLink(), 5000);
  }

  /** Session time shown, s. */
  get now(): number {
    return this.clock.now();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    if (this.now >= this.session.endS) return;
    this.clock.play();
    this.playing = true;
  }

  pause(): void {
    this.clock.pause();
    this.playing = false;
    this.saveLink();
  }

  /** To session time `t`, s; shown in the next frame for which the samples are here. */
  seek(t: number): void {
    this.seekBeganMs = performance.now();
    this.clock.seek(t);
    this.store.want(this.now, this.playing ? this.speed : 0);
    this.loop.hurry();
    if (!this.playing) this.saveLink();
  }

  /** By `seconds`, forwards or back. */
  step(seconds: number): void {
    this.seek(this.now + seconds);
  }

  setSpeed(speed: number): void {
    this.clock.setSpeed(speed);
    this.speed = this.clock.speed;
  }

  changeSpeed(steps: number): void {
    this.setSpeed(fasterSpeed(this.speed, steps));
  }

  /** To the start of the lap `by` laps on; back first goes to the start of this one. */
  stepLap(by: number): void {
    const { laps } = this.session;
    const now = this.now;
    const target = by > 0 ? laps.find((mark) => mark.t > now + 0.05) : laps.findLast((mark) => mark.t < now - 2);
    if (target) this.seek(target.t);
  }

  /** To the next or the previous event. */
  stepMark(by: number): void {
    const { marks } = this.session;
    const now = this.now;
    const target = by > 0 ? marks.find((mark) => mark.t > now + 0.05) : marks.findLast((mark) => mark.t < now - 2);
    if (target) this.seek(target.t);
  }

  /** Sets how far the broadcast is behind: what is shown moves with it. */
  setOffset(seconds: number): void {
    const next = Math.round(Math.min(3600, Math.max(-3600, seconds)) * 10) / 10;
    const change = next - this.offsetS;
    this.offsetS = next;
    if (change !== 0) this.seek(this.now - change);
  }

  /** Chooses `driver`, or lets go of them. */
  choose(driver: number): void {
    const at = this.chosen.indexOf(driver);
    if (at >= 0) this.chosen = this.chosen.filter((one) => one !== driver);
    else this.chosen = [...this.chosen, driver].slice(-CHOSEN_MAX);
    this.saveLink();
  }

  setFollow(driver: number | null): void {
    this.follow = driver;
    this.saveLink();
  }

  setGhost(ghost: string): void {
    this.ghost = ghost;
    this.saveLink();
  }

  setTab(tab: Tab): void {
    this.tab = tab;
    this.saveLink();
  }

  rotate(degrees: number): void {
    this.rotation = (((this.rotation + degrees) % 360) + 360) % 360;
    this.saveLink();
  }

  /** Code of a driver. */
  code(driver: number): string {
    return this.manifest.drivers[driver]?.code ?? "?";
  }

  /** Index of the driver of that code, or -1. */
  driverOf(code: string): number {
    return this.manifest.drivers.findIndex((one) => one.code.toUpperCase() === code.toUpperCase());
  }

  /** Colour of a driver's team, readable on a panel: as a mark, or as text. */
  colour(driver: number, asText = false): string {
    const key = `${theme.dark}${asText}${driver}`;
    let colour = this.colours.get(key);
    if (colour === undefined) {
      const least = asText ? CONTRAST_TEXT : CONTRAST_MARK;
      colour = readable(this.manifest.drivers[driver]?.colour ?? "", token("--panel"), least);
      this.colours.set(key, colour);
    }
    return colour;
  }
  private readonly colours = new Map<string, string>();

  /** Whether `driver` is the second car of its team: told apart by a dashed line or a hollow mark. */
  isSecond(driver: number): boolean {
    const { drivers } = this.manifest;
    const team = drivers[driver]?.team;
    return team !== "" && drivers.findIndex((one) => one.team === team) < driver;
  }

  /** What a link to this moment holds. */
  moment(): Moment {
    return {
      t: this.now,
      speed: this.speed,
      drivers: this.chosen.map((driver) => this.code(driver)),
      ...(this.follow === null ? {} : { follow: this.code(this.follow) }),
      tab: this.tab,
      ...(this.tab === "compare" ? { laps: this.compared } : {}),
      ...(this.ghost ? { ghost: this.ghost } : {}),
      rotation: this.rotation,
      offset: this.offsetS,
    };
  }

  /** Takes up what a link holds. */
  restore(moment: Moment): void {
    if (moment.speed !== undefined) this.setSpeed(moment.speed);
    if (moment.rotation !== undefined) this.rotation = moment.rotation;
    if (moment.offset !== undefined) this.offsetS = moment.offset;
    const known = (moment.drivers ?? []).map((code) => this.driverOf(code)).filter((driver) => driver >= 0);
    if (moment.drivers) this.chosen = known.slice(0, CHOSEN_MAX);
    if (moment.follow) {
      const driver = this.driverOf(moment.follow);
      this.follow = driver < 0 ? null : driver;
    }
    if (moment.ghost !== undefined) {
      this.ghost = this.driverOf(moment.ghost.split(":")[0] ?? "") < 0 ? "" : moment.ghost;
    }
    if (moment.tab) this.tab = moment.tab;
    if (moment.laps) this.compared = moment.laps.slice(0, CHOSEN_MAX);
    if (moment.t !== undefined) this.seek(moment.t);
  }

  /** Puts the moment into the address bar, a little later: browsers refuse more than a few changes a second. */
  saveLink(): void {
    if (this.saving) return;
    this.saving = setTimeout(() => {
      this.saving = undefined;
      history.replaceState(null, "", formatLink(this.moment()));
    }, 250);
  }
  private saving: ReturnType<typeof setTimeout> | undefined;

  /** The address that restores this moment. */
  link(): string {
    return new URL(formatLink(this.moment()), location.href).href;
  }

  /** Called at the end of a frame in which the map was drawn. */
  drawn(): void {
    if (this.seekBeganMs === null || !this.store.ready(this.now)) return;
    this.loop.stats.addSeek(performance.now() - this.seekBeganMs);
    this.seekBeganMs = null;
  }

  close(): void {
    clearTimeout(this.saving);
    this.ghostLap.close();
    this.loop.stop();
    this.store.close();
  }

  private keepUp(): void {
    const now = this.now;
    this.store.want(now, this.playing ? this.speed : 0);
    if (this.playing && now >= this.session.endS) this.pause();
  }
}
