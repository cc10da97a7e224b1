// Draws the charts of a day on canvases: price over the depth of the book, flow of orders, imbalance. One horizontal
// axis, time; nothing after the clock is drawn, since nothing after it was known. Start at `drawPrice`.

import { token } from "../lib/theme.svelte";
import type { DayInfo, Episode, Level } from "./api";
import { hasPrice, priceAt, type Bars } from "./bars";
import type { HeatMap } from "./heat";

/** Width of the price scale at the right, px. */
const SCALE_PX = 64;
const TOP_PX = 18;

/** What is drawn of a day. */
export interface Scene {
  day: DayInfo;
  bars: Bars;
  levels: Level[];
  episodes: Episode[];
  chosen: string | null;
  fromMs: number;
  toMs: number;
  nowMs: number;
}

/** Names of outcomes as they are read. */
export const OUTCOMES: Record<string, string> = {
  strong_break: "Strong break",
  weak_break: "Weak break",
  chop: "Chop",
  weak_bounce: "Weak bounce",
  strong_bounce: "Strong bounce",
};

/** Colour of an outcome. */
export function outcomeColour(outcome: string | null): string {
  if (outcome === null) return token("--ink-3");
  if (outcome.includes("break")) return token("--purple");
  if (outcome.includes("bounce")) return token("--green");
  return token("--ink-3");
}

interface Frame {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
  xOf: (ms: number) => number;
  from: number;
  to: number;
  known: number;
}

/** Clears a canvas for one drawing; null where it has no size. */
function begin(canvas: HTMLCanvasElement, scene: Scene): Frame | null {
  const ratio = Math.min(2, window.devicePixelRatio);
  const { clientWidth, clientHeight } = canvas;
  if (clientWidth < SCALE_PX + 10 || clientHeight < 10) return null;
  const [wide, tall] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
  if (canvas.width !== wide || canvas.height !== tall) [canvas.width, canvas.height] = [wide, tall];
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, clientWidth, clientHeight);
  const width = clientWidth - SCALE_PX;
  const { bars, fromMs, toMs, nowMs } = scene;
  const xOf = (ms: number): number => ((ms - fromMs) / (toMs - fromMs)) * width;
  const known = bars.knownAt(nowMs);
  return {
    context,
    width,
    height: clientHeight,
    xOf,
    from: bars.firstAfter(fromMs),
    to: Math.min(known, bars.firstAfter(toMs) + 1),
    known,
  };
}

/** Steps of a scale: about `count` of 1, 2, 2.5 or 5 times a power of ten between `low` and `high`. */
export function scaleSteps(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  const steps: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) steps.push(k * step);
  return steps;
}

/** Decimals that a price of this tick needs. */
export function decimalsOf(tick: number): number {
  for (let digits = 0; digits < 9; digits++) {
    if (Math.abs(tick * 10 ** digits - Math.round(tick * 10 ** digits)) < 1e-6) return digits;
  }
  return 9;
}

function title({ context, width: most }: Frame, text: string): void {
  context.font = "600 11px system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  const width = Math.min(most - 12, context.measureText(text).width);
  context.globalAlpha = 0.82;
  context.fillStyle = token("--panel");
  context.fillRect(2, 2, width + 10, 16);
  context.globalAlpha = 1;
  context.fillStyle = token("--ink-2");
  context.fillText(text, 6, 14, width);
}

function grid(
  { context, width }: Frame,
  steps: number[],
  yOf: (value: number) => number,
  text: (value: number) => string,
): void {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  for (const value of steps) {
    const y = Math.round(yOf(value)) + 0.5;
    context.strokeStyle = token("--line");
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
    context.fillStyle = token("--ink-3");
    context.fillText(text(value), width + 8, y);
  }
}

/** The line of the clock, and the time to come left grey. */
function clockLine({ context, xOf, width, height }: Frame, nowMs: number): void {
  const x = Math.min(width, xOf(nowMs));
  context.globalAlpha = 0.55;
  context.fillStyle = token("--raised");
  context.fillRect(x, 0, width - x, height);
  context.globalAlpha = 1;
  context.fillStyle = token("--accent");
  context.fillRect(x - 0.75, 0, 1.5, height);
}

/** Price bars over the depth of the book, with levels and episodes. */
export function drawPrice(canvas: HTMLCanvasElement, scene: Scene, heat: HeatMap | null): void {
  const frame = begin(canvas, scene);
  if (!frame) return;
  const { context, width, height, xOf, from, to, known } = frame;
  const { bars, day, levels, nowMs } = scene;
  const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => bars.prices(`trade_${name}`)) as [
    ReturnType<Bars["prices"]>,
    ReturnType<Bars["prices"]>,
    ReturnType<Bars["prices"]>,
    ReturnType<Bars["prices"]>,
  ];
  const mid = bars.numbers("mid_eob");
  let [bottom, top] = [Infinity, -Infinity];
  const reach = heat ? [bars.prices("px_bid_l4_eob"), bars.prices("px_ask_l4_eob")] : [];
  for (let row = from; row < to; row++) {
    for (const value of [mid[row] as number, priceAt(high, row), priceAt(low, row), ...reach.map((one) => priceAt(one, row))]) {
      if (value === null || Number.isNaN(value)) continue;
      if (value < bottom) bottom = value;
      if (value > top) top = value;
    }
  }
  if (!(top >= bottom)) {
    title(frame, "Price: no bar yet");
    return;
  }
  const margin = Math.max((top - bottom) * 0.08, day.tick * 2);
  [bottom, top] = [bottom - margin, top + margin];
  const yOf = (price: number): number => TOP_PX + ((top - price) / (top - bottom)) * (height - TOP_PX - 4);
  const decimals = decimalsOf(day.tick);
  grid(frame, scaleSteps(bottom, top, height / 48), yOf, (value) => value.toFixed(decimals));

  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  const starts = bars.numbers("bar_start");
  const ends = bars.numbers("bar_end");
  const last = ends[Math.max(0, known - 1)] ?? scene.nowMs;
  const startOf = (bar: number): number => xOf(bar < bars.rows ? (starts[bar] as number) : last);
  heat?.draw(context, { from, to: Math.max(from, to), known }, startOf, yOf);
  drawEpisodes(frame, scene, yOf);
  drawLevels(frame, { levels, nowMs }, yOf, decimals);

  const barPx = to > from ? (xOf(ends[to - 1] as number) - xOf(starts[from] as number)) / (to - from) : 1;
  context.strokeStyle = token("--ink");
  context.lineWidth = 1.4;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  for (let row = from; row < to; row++) {
    const value = mid[row] as number;
    if (Number.isNaN(value)) {
      drawing = false;
      continue;
    }
    const x = xOf(ends[row] as number);
    if (drawing) context.lineTo(x, yOf(value));
    else context.moveTo(x, yOf(value));
    drawing = true;
  }
  context.stroke();
  if (barPx >= 3) {
    const body = Math.min(9, Math.max(1, barPx - 1));
    for (let row = from; row < to; row++) {
      if (!hasPrice(close, row)) continue;
      const [o, h, l, c] = [open, high, low, close].map((one) => priceAt(one, row) as number) as [
        number,
        number,
        number,
        number,
      ];
      const x = (xOf(starts[row] as number) + xOf(ends[row] as number)) / 2;
      const colour = token(c >= o ? "--green" : "--red");
      context.strokeStyle = colour;
      context.fillStyle = colour;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, yOf(h));
      context.lineTo(x, yOf(l));
      context.stroke();
      const y = yOf(Math.max(o, c));
      context.fillRect(x - body / 2, y, body, Math.max(1, yOf(Math.min(o, c)) - y));
    }
  }
  clockLine(frame, nowMs);
  context.restore();
  title(frame, heat ? "Price, over the size shown at ten levels a side" : "Price");
}

function drawLevels(
  { context, xOf, width }: Frame,
  { levels, nowMs }: { levels: Level[]; nowMs: number },
  yOf: (price: number) => number,
  decimals: number,
): void {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  for (const level of levels) {
    if (level.known_at_ms > nowMs) continue;
    const y = Math.round(yOf(level.price)) + 0.5;
    const x = Math.max(0, xOf(level.known_at_ms));
    context.setLineDash([5, 4]);
    context.strokeStyle = token("--yellow");
    context.lineWidth = 1.2;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(width, y);
    context.stroke();
    context.setLineDash([]);
    const text = `${level.kind.replaceAll("_", " ")} ${level.price.toFixed(decimals)}`;
    const wide = context.measureText(text).width;
    context.globalAlpha = 0.85;
    context.fillStyle = token("--panel");
    context.fillRect(Math.max(x, 0) + 4, y - 15, wide + 6, 14);
    context.globalAlpha = 1;
    context.fillStyle = token("--ink-2");
    context.fillText(text, Math.max(x, 0) + 7, y - 2);
  }
}

function drawEpisodes(
  { context, xOf, height }: Frame,
  { episodes, nowMs, chosen }: Scene,
  yOf: (price: number) => number,
): void {
  for (const episode of episodes) {
    if (episode.known_at_ms > nowMs) continue;
    const known = episode.outcome_known_at_ms !== null && episode.outcome_known_at_ms <= nowMs;
    const end = known && episode.end_ms !== null ? episode.end_ms : nowMs;
    const [left, trigger, right] = [xOf(episode.start_ms), xOf(episode.trigger_ms), xOf(Math.min(end, nowMs))];
    const colour = outcomeColour(known ? episode.outcome : null);
    context.fillStyle = colour;
    context.globalAlpha = episode.id === chosen ? 0.16 : 0.07;
    context.fillRect(left, TOP_PX, Math.max(1, right - left), height - TOP_PX);
    context.globalAlpha = 1;
    const y = yOf(episode.price);
    context.beginPath();
    const up = episode.direction > 0 ? 1 : -1;
    context.moveTo(trigger, y + up * 3);
    context.lineTo(trigger - 5, y + up * 12);
    context.lineTo(trigger + 5, y + up * 12);
    context.closePath();
    context.fill();
    context.strokeStyle = token("--panel");
    context.lineWidth = 1;
    context.stroke();
    if (episode.id === chosen) {
      context.strokeStyle = colour;
      context.lineWidth = 1.5;
      context.strokeRect(left, TOP_PX + 0.5, Math.max(1, right - left), height - TOP_PX - 1);
    }
  }
}

/** Bars up and down from zero: order-flow imbalance, and the volume of buyers less that of sellers. */
export function drawFlow(canvas: HTMLCanvasElement, scene: Scene): void {
  const frame = begin(canvas, scene);
  if (!frame) return;
  const { context, height, width, xOf } = frame;
  const { bars } = scene;
  const ofi = bars.numbers("ofi_1_sum");
  const signed = bars.numbers("trade_signed_sum");
  const buckets = bucketsOf(frame, scene);
  let most = 0;
  const sums = buckets.map(([first, end]) => {
    let [flow, trades] = [0, 0];
    for (let row = first; row < end; row++) {
      flow += ofi[row] || 0;
      trades += signed[row] || 0;
    }
    most = Math.max(most, Math.abs(flow), Math.abs(trades));
    return { first, end, flow, trades };
  });
  if (most === 0) most = 1;
  const middle = TOP_PX + (height - TOP_PX) / 2;
  const reach = (height - TOP_PX) / 2 - 4;
  const yOf = (value: number): number => middle - (value / most) * reach;
  const [starts, ends] = [bars.numbers("bar_start"), bars.numbers("bar_end")];
  grid(frame, scaleSteps(-most, most, 3), yOf, short);
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  for (const { first, end, flow, trades } of sums) {
    const x = xOf(starts[first] as number);
    const wide = Math.max(1, xOf(ends[end - 1] as number) - x - 0.5);
    context.fillStyle = token("--accent");
    context.globalAlpha = 0.45;
    context.fillRect(x, Math.min(middle, yOf(flow)), wide, Math.abs(yOf(flow) - middle));
    context.globalAlpha = 1;
    context.fillStyle = token(trades >= 0 ? "--green" : "--red");
    context.fillRect(x + wide / 4, Math.min(middle, yOf(trades)), wide / 2, Math.abs(yOf(trades) - middle));
  }
  clockLine(frame, scene.nowMs);
  context.restore();
  title(frame, "Order flow: imbalance (blue), signed volume (green, red)");
}

/** Imbalance of the book, -1 to 1: at the best level and over ten. */
export function drawImbalance(canvas: HTMLCanvasElement, scene: Scene): void {
  const frame = begin(canvas, scene);
  if (!frame) return;
  const { context, height, width, xOf } = frame;
  const { bars } = scene;
  const yOf = (value: number): number => TOP_PX + ((1 - value) / 2) * (height - TOP_PX - 4);
  grid(frame, [-1, -0.5, 0, 0.5, 1], yOf, (value) => (value > 0 ? `+${value}` : String(value).replace("-", "−")));
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  const ends = bars.numbers("bar_end");
  for (const [name, colour, wide] of [
    ["imb_1_twa", "--line-strong", 1],
    ["imb_10_twa", "--accent", 1.6],
  ] as const) {
    const column = bars.numbers(name);
    context.strokeStyle = token(colour);
    context.lineWidth = wide;
    context.beginPath();
    let drawing = false;
    for (const [first, end] of bucketsOf(frame, scene)) {
      let [sum, n] = [0, 0];
      for (let row = first; row < end; row++) {
        const value = column[row] as number;
        if (Number.isNaN(value)) continue;
        sum += value;
        n++;
      }
      if (n === 0) {
        drawing = false;
        continue;
      }
      const x = xOf(ends[end - 1] as number);
      if (drawing) context.lineTo(x, yOf(sum / n));
      else context.moveTo(x, yOf(sum / n));
      drawing = true;
    }
    context.stroke();
  }
  clockLine(frame, scene.nowMs);
  context.restore();
  title(frame, "Imbalance of size: best level (grey), ten levels (blue)");
}

/** Rows drawn as one mark, `[first, end)`: as many as make a mark two pixels wide. */
function bucketsOf({ from, to, xOf }: Frame, { bars }: Scene): [number, number][] {
  if (to <= from) return [];
  const wide = xOf(bars.numbers("bar_end")[to - 1] as number) - xOf(bars.numbers("bar_start")[from] as number);
  const every = Math.max(1, Math.round((2 * (to - from)) / Math.max(1, wide)));
  const buckets: [number, number][] = [];
  // Counted from the day's first bar, so that marks stand still while the window moves.
  for (let first = Math.floor(from / every) * every; first < to; first += every) {
    buckets.push([Math.max(first, from), Math.min(to, first + every)]);
  }
  return buckets;
}

/** `12.5k`. */
export function short(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size >= 1e6) return `${sign}${trim(size / 1e6)}M`;
  if (size >= 1e3) return `${sign}${trim(size / 1e3)}k`;
  return `${sign}${trim(size)}`;
}

const trim = (value: number): string => String(Number(value.toPrecision(3)));
