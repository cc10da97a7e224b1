// A walk-forward study as the server or the report file gives it. Times are ms since 1970, UTC; returns are shares.

import { get } from "../lib/ask";

/** One study in the list. */
export interface RunCard {
  id: string;
  symbols: string[];
  strategies: string[];
  model: string;
  sims: number;
  from_ms: number;
  to_ms: number;
}

/** A figure with its interval, where it has one. */
export interface Figure {
  value: number | null;
  low?: number;
  high?: number;
}

/** A day that was scored, with what was chosen from the days before it. */
export interface Fold {
  t_ms: number;
  m_high: number | null;
  m_low: number | null;
  policy: string | null;
  side: string;
  /** What the choice earned on the days that it was chosen from. */
  trained: number | null;
  scored: number;
  reason: string | null;
}

export interface Series {
  equity: number[];
  drawdown: number[];
  returns: number[];
  metrics: Record<string, Figure>;
}

export interface StrategyRun extends Series {
  strategy: string;
  fills: string;
  tuned: boolean;
  folds: Fold[];
}

/** The objective over the levels on one day's training window. */
export interface Heat {
  strategy: string;
  t_ms: number;
  policy: string;
  /** Multiplier of the exit, m_high, ascending; of the entry, m_low, ascending. */
  highs: number[];
  lows: number[];
  /** Sum of the training days' pay, a row for each of `lows`. */
  values: number[];
  chosen: [number, number];
  best: number;
}

export interface Forecasts {
  model: string;
  low_level: number;
  high_level: number;
  median: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  actual: (number | null)[];
  metrics: Record<string, Figure>;
}

export interface SymbolRun {
  symbol: string;
  days_a_year: number;
  /** Days that were scored. */
  t_ms: number[];
  buy_hold: Series;
  runs: StrategyRun[];
  forecasts: Forecasts | null;
  heat: Heat | null;
}

export interface Run {
  id: string;
  model: string;
  sims: number;
  horizon: number;
  settings: Record<string, string | number | boolean>;
  /** What each figure means, in the order in which they are shown. */
  figures: { key: string; name: string; kind: "share" | "part" | "number" | "days"; meaning: string }[];
  symbols: SymbolRun[];
  refused: { symbol: string; reason: string }[];
}

const ROOT = "/api/market/runs";

export const api = {
  runs: (): Promise<{ runs: RunCard[] }> => get(ROOT),
  run: (id: string): Promise<Run> => get(`${ROOT}/${encodeURIComponent(id)}`),
};

/** The study that a report file carries within itself, if this document is one. */
export function embedded(): Run | null {
  const text = document.getElementById("railbird-report")?.textContent;
  return text ? (JSON.parse(text) as Run) : null;
}
