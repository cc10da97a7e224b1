// The part of the address that restores a moment and what was chosen: `#t=4312.5&drivers=NOR,PIA&tab=compare&…`.

/** What the page below the player shows. */
export const TABS = ["telemetry", "compare", "strategy", "positions", "gaps", "laps", "qualifying", "control"] as const;
export type Tab = (typeof TABS)[number];

/** What a link holds; what it leaves out stays as it is by default. */
export interface Moment {
  /** Session time, s. */
  t?: number;
  speed?: number;
  /** Codes. */
  drivers?: string[];
  follow?: string;
  tab?: Tab;
  /** Laps compared, `NOR:21`, the reference first. */
  laps?: string[];
  /** Lap driven again on the map: `NOR:21`, or `NOR:best` for the best so far. */
  ghost?: string;
  /** Rotation of the map, °. */
  rotation?: number;
  /** How far the broadcast is behind, s. */
  offset?: number;
}

const list = (text: string): string[] => text.split(",").filter((part) => /^[\w:-]{1,12}$/.test(part));

/** Reads `location.hash`; whatever cannot be understood is left out. */
export function parseLink(hash: string): Moment {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const moment: Moment = {};
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    return Number.isFinite(value) ? value : undefined;
  };
  const [t, speed, rotation, offset] = [number("t"), number("speed"), number("rotation"), number("offset")];
  if (t !== undefined) moment.t = t;
  if (speed !== undefined && speed > 0 && speed <= 100) moment.speed = speed;
  if (rotation !== undefined) moment.rotation = ((rotation % 360) + 360) % 360;
  if (offset !== undefined && Math.abs(offset) <= 3600) moment.offset = offset;
  const drivers = query.get("drivers");
  if (drivers !== null) moment.drivers = list(drivers);
  const follow = query.get("follow");
  if (follow) moment.follow = follow;
  const laps = query.get("laps");
  if (laps) moment.laps = list(laps).filter((lap) => /^\w+:\d+$/.test(lap));
  const ghost = query.get("ghost");
  if (ghost && /^\w{1,8}:(\d{1,3}|best)$/.test(ghost)) moment.ghost = ghost;
  const tab = TABS.find((one) => one === query.get("tab"));
  if (tab) moment.tab = tab;
  return moment;
}

/** Writes a hash, with its `#`. */
export function formatLink(moment: Moment): string {
  const parts: string[] = [];
  const put = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== "") parts.push(`${name}=${value}`);
  };
  put("t", moment.t === undefined ? undefined : Number(moment.t.toFixed(3)));
  put("speed", moment.speed === 1 ? undefined : moment.speed);
  put("drivers", moment.drivers?.join(","));
  put("follow", moment.follow);
  put("tab", moment.tab);
  put("laps", moment.laps?.join(","));
  put("ghost", moment.ghost);
  put("rotation", moment.rotation || undefined);
  put("offset", moment.offset || undefined);
  return `#${parts.join("&")}`;
}
