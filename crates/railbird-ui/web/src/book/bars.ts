// Bars of a day as the server packs them, and what was known of them at a moment. Start at `decodeBars`.
//
// `RBB1`, u32 LE length of a JSON header, the header, zeros up to a multiple of 8, then the columns, each at its offset
// from there: `f64` and `f32` hold NaN where a value is missing; `i32` holds ticks above `base`, -2^31 where missing.

import { countUntil } from "../lib/asof";

interface ColumnHeader {
  name: string;
  type: "f64" | "f32" | "i32";
  offset: number;
  base?: number;
  scale?: number;
}

/** Levels on each side of the book. */
export const DEPTH = 10;
const MISSING = -(2 ** 31);

/** Price in ticks above a base, as a column. */
export interface Ticks {
  ticks: Int32Array;
  base: number;
  scale: number;
}

/** Price of row `row`, or null. */
export function priceAt(column: Ticks, row: number): number | null {
  const tick = column.ticks[row];
  return tick === undefined || tick === MISSING ? null : column.base + tick * column.scale;
}

/** Whether row `row` has a price. */
export function hasPrice(column: Ticks, row: number): boolean {
  return (column.ticks[row] ?? MISSING) !== MISSING;
}

/** Bars, oldest first. */
export class Bars {
  readonly rows: number;
  private readonly columns = new Map<string, Float64Array | Float32Array | Ticks>();

  constructor(buffer: ArrayBuffer) {
    const view = new DataView(buffer);
    const magic = buffer.byteLength >= 8 ? String.fromCharCode(...new Uint8Array(buffer, 0, 4)) : "";
    if (magic !== "RBB1") throw new Error("bars: not a pack of bars");
    const length = view.getUint32(4, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as {
      rows: number;
      columns: ColumnHeader[];
    };
    const from = Math.ceil((8 + length) / 8) * 8;
    this.rows = header.rows;
    for (const { name, type, offset, base = 0, scale = 1 } of header.columns) {
      const at = from + offset;
      if (type === "f64") this.columns.set(name, new Float64Array(buffer, at, this.rows));
      else if (type === "f32") this.columns.set(name, new Float32Array(buffer, at, this.rows));
      else this.columns.set(name, { ticks: new Int32Array(buffer, at, this.rows), base, scale });
    }
  }

  /** A column of numbers. */
  numbers(name: string): Float64Array | Float32Array {
    const column = this.columns.get(name);
    if (!column || "ticks" in column) throw new Error(`bars: no column of numbers ${name}`);
    return column;
  }

  /** A column of prices. */
  prices(name: string): Ticks {
    const column = this.columns.get(name);
    if (!column || !("ticks" in column)) throw new Error(`bars: no column of prices ${name}`);
    return column;
  }

  /** Number of bars known at `ms`. */
  knownAt(ms: number): number {
    return countUntil(this.numbers("known_at"), ms);
  }

  /** First bar that ends after `ms`. */
  firstAfter(ms: number): number {
    return countUntil(this.numbers("bar_end"), ms);
  }
}

/** Reads a pack of bars. */
export function decodeBars(buffer: ArrayBuffer): Bars {
  return new Bars(buffer);
}
