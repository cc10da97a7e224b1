// Depth of the book over time as pictures: one pixel a bar and price step, drawn once for each stretch of bars and then
// only stretched. Start at `HeatMap`.

import { DEPTH, hasPrice, type Bars, type Ticks } from "./bars";

/** Bars in one picture. */
const TILE_BARS = 1024;
/** Most price steps in one picture. */
const STEPS_MAX = 2048;
/** Pictures kept. */
const TILES_MAX = 48;

/** Colours at no and at full strength, `[r, g, b]`. */
export interface HeatColours {
  bid: [number, number, number];
  ask: [number, number, number];
}

interface Tile {
  canvas: HTMLCanvasElement;
  /** Lowest and highest price step, in ticks. */
  low: number;
  high: number;
  /** Bars of it that were known when it was drawn. */
  bars: number;
}

interface Side {
  price: Ticks;
  size: Float32Array | Float64Array;
  bid: boolean;
}

/** Maps a price to a pixel, upwards. */
export type PriceToY = (price: number) => number;

export class HeatMap {
  private readonly sides: Side[] = [];
  private readonly tiles = new Map<number, Tile>();
  private readonly full: number;

  constructor(
    private readonly bars: Bars,
    private colours: HeatColours,
  ) {
    for (const side of ["bid", "ask"] as const) {
      for (let level = 0; level < DEPTH; level++) {
        this.sides.push({
          price: bars.prices(`px_${side}_l${level}_eob`),
          size: bars.numbers(`sz_${side}_l${level}_eob`),
          bid: side === "bid",
        });
      }
    }
    this.full = fullStrength(this.sides, bars.rows);
  }

  /** Takes up other colours; every picture is drawn anew. */
  recolour(colours: HeatColours): void {
    this.colours = colours;
    this.tiles.clear();
  }

  /** Draws bars `from..to`, of which the first `known` are known, where `xOf` and `yOf` say. */
  draw(
    context: CanvasRenderingContext2D,
    { from, to, known }: { from: number; to: number; known: number },
    xOf: (bar: number) => number,
    yOf: PriceToY,
  ): void {
    context.imageSmoothingEnabled = false;
    const end = Math.min(to, known);
    for (let tile = Math.floor(from / TILE_BARS); tile * TILE_BARS < end; tile++) {
      const first = tile * TILE_BARS;
      const picture = this.tile(tile, Math.min(this.bars.rows, first + TILE_BARS, known));
      if (!picture) continue;
      const [left, right] = [Math.max(from, first), Math.min(end, first + picture.canvas.width)];
      if (right <= left) continue;
      const { base, scale } = (this.sides[0] as Side).price;
      const top = yOf(base + (picture.high + 0.5) * scale);
      const bottom = yOf(base + (picture.low - 0.5) * scale);
      const x = xOf(left);
      context.drawImage(
        picture.canvas,
        left - first,
        0,
        right - left,
        picture.canvas.height,
        x,
        top,
        xOf(right) - x,
        bottom - top,
      );
    }
  }

  private tile(tile: number, until: number): Tile | null {
    const first = tile * TILE_BARS;
    const bars = until - first;
    const have = this.tiles.get(tile);
    if (have && have.bars >= bars) return have;
    const made = this.paint(first, until);
    if (!made) return null;
    this.tiles.delete(tile);
    this.tiles.set(tile, made);
    if (this.tiles.size > TILES_MAX) {
      const oldest = this.tiles.keys().next();
      if (!oldest.done) this.tiles.delete(oldest.value);
    }
    return made;
  }

  private paint(first: number, until: number): Tile | null {
    let [low, high] = [Infinity, -Infinity];
    for (const { price } of this.sides) {
      for (let row = first; row < until; row++) {
        if (!hasPrice(price, row)) continue;
        const tick = price.ticks[row] as number;
        if (tick < low) low = tick;
        if (tick > high) high = tick;
      }
    }
    if (!(high >= low)) return null;
    const step = Math.ceil((high - low + 1) / STEPS_MAX);
    const height = Math.ceil((high - low + 1) / step);
    const width = until - first;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    if (!context) return null;
    const image = context.createImageData(width, height);
    for (const { price, size, bid } of this.sides) {
      const [r, g, b] = bid ? this.colours.bid : this.colours.ask;
      for (let row = first; row < until; row++) {
        if (!hasPrice(price, row)) continue;
        const y = height - 1 - Math.floor(((price.ticks[row] as number) - low) / step);
        const at = (y * width + (row - first)) * 4;
        const strength = Math.min(1, Math.log1p(size[row] as number) / this.full);
        const alpha = Math.round(255 * strength ** 1.6);
        if (alpha < (image.data[at + 3] as number)) continue;
        image.data[at] = r;
        image.data[at + 1] = g;
        image.data[at + 2] = b;
        image.data[at + 3] = alpha;
      }
    }
    context.putImageData(image, 0, 0);
    return { canvas, low, high: low + height * step - 1, bars: width };
  }
}

/** ln(1 + size) that is drawn at full strength: that of the largest size but one in two hundred. */
function fullStrength(sides: Side[], rows: number): number {
  const every = Math.max(1, Math.floor(rows / 400));
  const sizes: number[] = [];
  for (const { size } of sides) {
    for (let row = 0; row < rows; row += every) {
      const value = size[row] as number;
      if (value > 0) sizes.push(value);
    }
  }
  sizes.sort((a, b) => a - b);
  return Math.log1p(sizes[Math.floor(sizes.length * 0.995)] ?? 1) || 1;
}
