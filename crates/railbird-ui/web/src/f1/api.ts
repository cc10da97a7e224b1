// What the server says, typed, and how it is asked. The pages hold no logic that the engine owns.

import { ApiError, get, json } from "../lib/ask";

/** One session in the list. */
export interface SessionCard {
  id: string;
  version: string;
  /** Null where the source does not say. */
  year: number | null;
  round: number | null;
  meeting: string;
  circuit: string;
  location: string;
  country: string;
  type: string;
  name: string;
  start_utc: string | null;
  drivers: number;
  /** Laps of the race; null elsewhere. */
  total_laps: number | null;
  position_samples: number;
  duration_s: number | null;
}

/** A driver of the manifest. */
export interface Driver {
  number: number;
  code: string;
  first_name: string;
  last_name: string;
  broadcast_name: string;
  team: string;
  /** Six hexadecimal digits. */
  colour: string;
  country: string;
  grid: number | null;
}

export interface Corner {
  number: number;
  letter: string;
  x: number;
  y: number;
}

export interface Geometry {
  known_at_s: number;
  length_m: number;
  /** Closed centreline from the line on, 1/10 m. */
  points: [number, number][];
  corners: Corner[];
  rotation_deg: number;
}

export interface ChunkEntry {
  n: number;
  offset: number;
  bytes: number;
  blake3: string;
  car_samples: number;
  position_samples: number;
}

export interface Manifest {
  format: number;
  id: string;
  version: string;
  session: {
    year: number | null;
    round: number | null;
    meeting: string;
    official_name: string;
    location: string;
    country: string;
    circuit: string;
    circuit_key: number | null;
    type: string;
    name: string;
    start_local: string | null;
    gmt_offset: string | null;
    start_utc: string | null;
  };
  origin_utc: string;
  end_s: number;
  first_sample_s: number | null;
  lights_out_s: number | null;
  chequered_s: number | null;
  total_laps: number | null;
  drivers: Driver[];
  chunk_s: number;
  chunks: ChunkEntry[];
  geometry: Geometry | null;
}

type Maybe = number | null;

/** Logs as columns, oldest first; `t`: session time at which a row became known, s; `driver`: index. */
export interface Events {
  order: { t: number[]; driver: number[]; position: number[] };
  crossings: {
    t: number[];
    driver: number[];
    lap: number[];
    position: number[];
    /** Moment of the crossing, s. */
    at: number[];
    gap_s: Maybe[];
    interval_s: Maybe[];
    disputed: boolean[];
  };
  official_gaps: { t: number[]; driver: number[]; gap: string[]; interval: string[] };
  status: { t: number[]; driver: number[]; status: string[] };
  tyres: {
    t: number[];
    driver: number[];
    stint: number[];
    compound: string[];
    new: (boolean | null)[];
    age_laps: number[];
  };
  /** Times in ms. */
  laps: { t: number[]; driver: number[]; lap: number[]; field: string[]; value: Maybe[] };
  track: { t: number[]; code: number[]; message: string[] };
  session: { t: number[]; status: string[]; part: number[] };
  race_control: {
    t: number[];
    utc: (string | null)[];
    lap: Maybe[];
    category: string[];
    flag: string[];
    scope: string[];
    sector: Maybe[];
    driver: Maybe[];
    status: string[];
    message: string[];
  };
  /** Penalties and deleted laps: of each driver and number the last row until a moment holds. */
  rulings: {
    t: number[];
    driver: number[];
    number: number[];
    kind: ("penalty" | "deleted_lap")[];
    state: ("given" | "served" | "taken_back")[];
    /** Length of a penalty of time, s. */
    seconds: Maybe[];
    lap: Maybe[];
    words: string[];
    reason: string[];
  };
  /** Cars that take part in the parts of qualifying, as the source tells. */
  entries: { t: number[]; part: number[]; cars: number[] };
  weather: {
    t: number[];
    /** °C */
    air_temp: Maybe[];
    /** °C */
    track_temp: Maybe[];
    /** % */
    humidity: Maybe[];
    /** mbar */
    pressure: Maybe[];
    rainfall: (boolean | number | null)[];
    /** Where it comes from, ° from north. */
    wind_direction: Maybe[];
    /** m/s */
    wind_speed: Maybe[];
  };
  lap_count: { t: number[]; current: Maybe[]; total: Maybe[] };
}

/** Gaps on the road; a row holds until the next of its driver. */
export interface Gaps {
  t: number[];
  driver: number[];
  gap_s: Maybe[];
  interval_s: Maybe[];
  laps_down: number[];
}

export interface TelemetryLap {
  driver: string;
  lap: number;
  columns: Record<string, (number | string | null)[]>;
}

export interface Comparison {
  reference: string;
  distance_m: number[];
  laps: {
    driver: string;
    lap: number;
    lap_time_s: Maybe;
    delta_s: Maybe[];
    /** Since the line, s. */
    time_s: Maybe[];
    speed: Maybe[];
    throttle: Maybe[];
    brake: Maybe[];
    gear: Maybe[];
    x: Maybe[];
    y: Maybe[];
  }[];
  mini_sectors: { from_m: number; to_m: number; fastest: string | null }[];
  ideal_lap_s: Maybe;
}

/** A lap under FastF1's column names; times in s. */
export interface LapView {
  Driver: string;
  LapNumber: number;
  LapTime: Maybe;
  Stint: Maybe;
  Compound: string | null;
  TyreLife: Maybe;
  Deleted: boolean | null;
  /** Session time, s. */
  LapStartTime: Maybe;
  Time: Maybe;
  [column: string]: unknown;
}

/** A DRS zone from a moment on; a later row of the same zone corrects an earlier one. */
export interface DrsZone {
  known_at_s: number;
  zone: number;
  /** Metres since the finish line; less at the end than at the start where the zone crosses the line. */
  from_m: number;
  to_m: number;
  passes: number;
}

/** What may be imported. */
export interface ImportRules {
  paths: boolean;
  hosts: string[];
  upload_bytes_max: number;
}

/** How an import stands. */
export interface ImportStatus {
  state: "queued" | "running" | "done" | "failed";
  stage: string;
  fraction: number;
  session: string | null;
  version: string | null;
  error: string | null;
}

const ROOT = "/api/f1/sessions";

const part = encodeURIComponent;

export const api = {
  sessions: (): Promise<{ sessions: SessionCard[] }> => get(ROOT),
  /** `session`: an id or a version. */
  manifest: (session: string): Promise<Manifest> => get(`${ROOT}/${part(session)}`),
  events: (version: string): Promise<Events> => get(`${ROOT}/${part(version)}/events`),
  gaps: (version: string): Promise<Gaps> => get(`${ROOT}/${part(version)}/gaps`),
  chunkUrl: (version: string, n: number): string => `${ROOT}/${part(version)}/chunks/${n}`,
  telemetry: (version: string, driver: string, lap: number, signal?: AbortSignal): Promise<TelemetryLap> =>
    get<{ telemetry: TelemetryLap[] }>(
      `${ROOT}/${part(version)}/telemetry?driver=${part(driver)}&lap=${lap}`,
      signal,
    ).then((answer) => {
      const [first] = answer.telemetry;
      if (!first) throw new ApiError(`no telemetry of ${driver} in lap ${lap}`, 404);
      return first;
    }),
  /** Laps of one driver as they are known at the end. */
  laps: (version: string, driver: string, signal?: AbortSignal): Promise<LapView[]> =>
    get<{ laps: LapView[] }>(`${ROOT}/${part(version)}/laps?drivers=${part(driver)}`, signal).then(({ laps }) => laps),
  drs: (version: string): Promise<DrsZone[]> =>
    get<{ zones: DrsZone[] }>(`${ROOT}/${part(version)}/drs`).then(({ zones }) => zones),
  importRules: (): Promise<ImportRules> => get("/api/f1/imports"),
  importStatus: (name: string): Promise<ImportStatus> => get(`/api/f1/imports/${part(name)}`),
  /** Starts an import; its name. */
  startImport: (what: { path: string } | { url: string }): Promise<string> =>
    json<{ import: string }>(ROOT, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(what),
    }).then((started) => started.import),
  /** `tar`: the files of a session, or one recording. */
  upload: (name: string, tar: Blob): Promise<string> =>
    json<{ import: string }>(`/api/f1/uploads?name=${part(name)}`, {
      method: "POST",
      headers: { "content-type": "application/x-tar" },
      body: tar,
    }).then((started) => started.import),
  /** `laps`: `NOR:21`, the reference first. */
  compare: (version: string, laps: string[], signal?: AbortSignal): Promise<Comparison> =>
    get(`${ROOT}/${part(version)}/compare?laps=${laps.map(part).join(",")}`, signal),
};
