// What the server says about days of an order book, typed. Times are ms since 1970, UTC; prices are as quoted.

import { get } from "../lib/ask";

/** One day of one symbol in the list. */
export interface DayCard {
  id: string;
  symbol: string;
  date: string;
  bars: number;
  episodes: number;
  start_ms: number;
  end_ms: number;
}

/** A day: what its bars, levels and situations are measured in. */
export interface DayInfo extends DayCard {
  version: string;
  /** Width of a bar, s; null where bars are not cut by time. */
  bar_s: number | null;
  point: number;
  tick: number;
  time_zone: string;
}

export interface Level {
  kind: string;
  price: number;
  known_at_ms: number;
}

/** An episode: the price met a level. Its outcome is known later, and is shown no sooner. */
export interface Episode {
  id: string;
  level: string;
  price: number;
  /** 1: it came from below; -1: from above. */
  direction: number;
  start_ms: number;
  trigger_ms: number;
  known_at_ms: number;
  outcome: string | null;
  outcome_known_at_ms: number | null;
  end_ms: number | null;
}

export interface Neighbour {
  symbol: string;
  date: string;
  level: string;
  trigger_ms: number;
  distance: number;
  similarity: number;
  outcome: string;
}

export interface Share {
  outcome: string;
  share: number;
  low: number;
  high: number;
  /** Share among all situations known by then. */
  base: number;
}

/** What came of situations like one. */
export interface Situation {
  episode: string;
  known_at_ms: number;
  searched: number;
  neighbours: Neighbour[];
  shares: Share[];
}

const ROOT = "/api/book/days";
const part = encodeURIComponent;

export const api = {
  days: (): Promise<{ days: DayCard[] }> => get(ROOT),
  day: (id: string): Promise<DayInfo> => get(`${ROOT}/${part(id)}`),
  barsUrl: (id: string): string => `${ROOT}/${part(id)}/bars`,
  levels: (id: string): Promise<{ levels: Level[] }> => get(`${ROOT}/${part(id)}/levels`),
  episodes: (id: string): Promise<{ episodes: Episode[] }> => get(`${ROOT}/${part(id)}/episodes`),
  situation: (id: string, episode: string, signal?: AbortSignal): Promise<Situation> =>
    get(`${ROOT}/${part(id)}/situation?episode=${part(episode)}`, signal),
};
