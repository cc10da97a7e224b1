// Draws the ground of the scrub bar: laps or time above, track status on the bar, events below. Start at `drawScrub`.

import { duration } from "../lib/format";
import { token } from "../lib/theme.svelte";
import type { Session } from "./session";

/** The part of the session on the bar, and where its time is counted from, s. */
export interface Span {
  from: number;
  to: number;
  zero: number;
}

interface Tick {
  t: number;
  label: string;
}

/** Draws the bar of `session` over the whole canvas. */
export function drawScrub(canvas: HTMLCanvasElement, session: Session, span: Span): void {
  const { from, to } = span;
  const share = shareOf(span);
  const ratio = Math.min(2, window.devicePixelRatio);
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.max(1, width * ratio);
  canvas.height = Math.max(1, height * ratio);
  const context = canvas.getContext("2d");
  if (!context || width === 0) return;
  context.scale(ratio, ratio);
  const [top, tall] = [16, 12];
  context.fillStyle = token("--raised");
  context.fillRect(0, top, width, tall);
  for (const flag of session.flags) {
    const [left, right] = [share(flag.from) * width, share(flag.to) * width];
    if (right <= 0 || left >= width || right - left <= 0) continue;
    context.fillStyle = token(flag.code === 5 ? "--red" : "--yellow");
    context.globalAlpha = flag.code === 2 ? 0.55 : 0.95;
    context.fillRect(left, top, Math.max(1.5, right - left), tall);
  }
  context.globalAlpha = 1;
  context.strokeStyle = token("--line-strong");
  context.strokeRect(0.5, top + 0.5, width - 1, tall - 1);
  drawTicks(context, session, span, { width, top, tall });
  for (const mark of session.marks) {
    if (mark.t < from || mark.t > to || mark.kind === "flag") continue;
    const x = share(mark.t) * width;
    context.fillStyle = token(mark.kind === "control" ? "--accent" : "--ink");
    context.beginPath();
    context.moveTo(x - 3.5, top + tall + 8);
    context.lineTo(x + 3.5, top + tall + 8);
    context.lineTo(x, top + tall + 2);
    context.fill();
  }
}

function shareOf({ from, to }: Span): (t: number) => number {
  return (t) => Math.min(1, Math.max(0, (t - from) / (to - from)));
}

function drawTicks(
  context: CanvasRenderingContext2D,
  session: Session,
  span: Span,
  { width, top, tall }: { width: number; top: number; tall: number },
): void {
  const { from, to } = span;
  const share = shareOf(span);
  context.font = "10px system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  const ticks = session.laps.length > 0 ? lapTicks(session, width) : timeTicks(span, width);
  let free = 0;
  for (const { t, label: wanted } of ticks) {
    if (t < from || t > to) continue;
    // A label that would touch the one before is left out.
    const half = wanted ? context.measureText(wanted).width / 2 : 0;
    const left = Math.min(width - 2 * half, Math.max(0, share(t) * width - half));
    const label = left >= free ? wanted : "";
    if (label) free = left + 2 * half + 6;
    const x = Math.round(share(t) * width) + 0.5;
    context.strokeStyle = token("--line-strong");
    context.beginPath();
    context.moveTo(x, label ? top - 4 : top + tall - 4);
    context.lineTo(x, top + tall);
    context.stroke();
    if (!label) continue;
    context.fillStyle = token("--ink-3");
    context.fillText(label, left, top - 5);
  }
}

function lapTicks(session: Session, width: number): Tick[] {
  const every = [1, 2, 5, 10, 20].find((step) => (width / Math.max(1, session.laps.length)) * step > 34) ?? 25;
  return session.laps.map(({ lap, t }) => ({ t, label: lap === 1 ? "Lap 1" : lap % every === 0 ? String(lap) : "" }));
}

function timeTicks({ from, to, zero }: Span, width: number): Tick[] {
  const step = [60, 120, 300, 600, 900, 1800, 3600].find((s) => (width * s) / (to - from) > 56) ?? 7200;
  const first = Math.ceil((from - zero) / step);
  return Array.from({ length: Math.max(0, Math.floor((to - zero) / step) - first + 1) }, (_, k) => ({
    t: zero + (first + k) * step,
    label: duration((first + k) * step),
  }));
}
