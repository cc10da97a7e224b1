// How the frames of the page went, for the browser tests and for `window.__railbird`.

const KEPT = 4096;

/** The last few thousand frames, and how long seeks took to be shown. */
export class FrameStats {
  /** Time between frames and work in them, ms. */
  readonly intervalsMs: number[] = [];
  readonly workMs: number[] = [];
  /** From the seek to the end of the first frame that shows it whole, ms. */
  readonly seeksMs: number[] = [];
  private last = NaN;

  add(wallMs: number, workMs: number): void {
    if (!Number.isNaN(this.last)) push(this.intervalsMs, wallMs - this.last);
    this.last = wallMs;
    push(this.workMs, workMs);
  }

  addSeek(ms: number): void {
    push(this.seeksMs, ms);
  }

  reset(): void {
    this.intervalsMs.length = 0;
    this.workMs.length = 0;
    this.seeksMs.length = 0;
    this.last = NaN;
  }
}

function push(values: number[], value: number): void {
  if (values.length >= KEPT) values.shift();
  values.push(value);
}

/** The value below which `share` of `values` lie; NaN of none. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
