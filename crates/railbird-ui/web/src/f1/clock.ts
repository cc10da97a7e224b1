// The clock of a replay: session time as a function of wall time. Nothing is accumulated frame by frame, so a slow frame
// or a sleeping tab never makes it late.

/** Speeds that the page offers, session seconds a wall second. */
export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16, 25, 50] as const;

/** Session time over wall time. */
export class Clock {
  private anchorWallMs: number;
  private anchorS: number;
  private rate = 1;
  private running = false;

  /** `wallMs` reads the wall, ms; session time stays within `startS..=endS`. */
  constructor(
    private readonly wallMs: () => number,
    private readonly startS: number,
    private readonly endS: number,
    at: number = startS,
  ) {
    this.anchorWallMs = wallMs();
    this.anchorS = this.bounded(at);
  }

  /** Session time now, s. */
  now(): number {
    if (!this.running) return this.anchorS;
    return this.bounded(this.anchorS + ((this.wallMs() - this.anchorWallMs) / 1000) * this.rate);
  }

  /** Session seconds a wall second. */
  get speed(): number {
    return this.rate;
  }

  /** Whether it runs; at the end of the session it stands. */
  get playing(): boolean {
    return this.running && this.now() < this.endS;
  }

  play(): void {
    this.anchor();
    this.running = true;
  }

  pause(): void {
    this.anchor();
    this.running = false;
  }

  /** To session time `t`, s. */
  seek(t: number): void {
    this.anchorWallMs = this.wallMs();
    this.anchorS = this.bounded(t);
  }

  setSpeed(speed: number): void {
    if (!(speed > 0)) return;
    this.anchor();
    this.rate = speed;
  }

  private anchor(): void {
    const now = this.now();
    this.anchorWallMs = this.wallMs();
    this.anchorS = now;
  }

  private bounded(t: number): number {
    return Number.isFinite(t) ? Math.min(this.endS, Math.max(this.startS, t)) : this.startS;
  }
}

/** The speed `steps` places faster (or slower) than `speed`. */
export function fasterSpeed(speed: number, steps: number): number {
  const index = SPEEDS.findIndex((one) => one >= speed);
  const next = Math.min(SPEEDS.length - 1, Math.max(0, (index < 0 ? SPEEDS.length - 1 : index) + steps));
  return SPEEDS[next] as number;
}
