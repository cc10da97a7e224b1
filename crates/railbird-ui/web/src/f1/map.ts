// Draws the track and the cars. Two canvases: the track is drawn again only when the view of it changes, the cars every
// frame. Start at `TrackView.draw`.

import type { Geometry } from "./api";

/** Colours of the ground, taken from the page. */
export interface MapColours {
  ground: string;
  ink: string;
  inkSoft: string;
  track: string;
  edge: string;
  accent: string;
  drs: string;
}

/** A car as it is to be drawn; reused from frame to frame. */
export interface MapCar {
  driver: number;
  code: string;
  colour: string;
  second: boolean;
  x: number;
  y: number;
  shown: boolean;
  /** Out of the race or in the pits. */
  out: boolean;
  /** `out`, or with old samples. */
  faint: boolean;
  chosen: boolean;
  /** 1 first; decides whose label gives way. */
  position: number;
}

/** A lap driven again: where its car is, 1/10 m. */
export interface GhostCar {
  x: number;
  y: number;
  shown: boolean;
  colour: string;
  label: string;
}

/** A part of the track, metres since the finish line. */
export interface Stretch {
  from_m: number;
  to_m: number;
}

interface Camera {
  /** Middle of the view, 1/10 m. */
  x: number;
  y: number;
  /** Pixels for 1/10 m. */
  scale: number;
}

/** Width of the view when a car is followed, 1/10 m. */
const FOLLOW_WIDTH = 7000;
/** Width of the road, 1/10 m, and its least width in pixels. */
const ROAD_WIDTH = 140;
const ROAD_PX_MIN = 7;
/** Time from the whole track to a followed car, ms. */
const BLEND_MS = 350;
const PADDING_PX = 38;
const NARROW_PX = 520;
const CONTROLS_PX = 40;
/** Points kept of what samples show of a track without geometry. */
const TRAIL_MAX = 6000;

export class TrackView {
  rotationDeg = 0;
  followed: { x: number; y: number } | null = null;
  reducedMotion = false;
  /** Drawn translucent, beside the car that it is compared with. */
  ghost: GhostCar | null = null;
  /** Where DRS is used. */
  zones: Stretch[] = [];
  /** Colour of the road where the track status has one. */
  flagColour: string | null = null;
  colours: MapColours = { ground: "#fff", ink: "#000", inkSoft: "#666", track: "#ccc", edge: "#999", accent: "#06c", drs: "#0a0" };
  private width = 0;
  private height = 0;
  private ratio = 1;
  private drawn = "";
  private blend = 0;
  private lastMs = 0;
  private readonly camera: Camera = { x: 0, y: 0, scale: 0 };
  private readonly whole: Camera = { x: 0, y: 0, scale: 0 };
  private points: [number, number][] = [];
  private path: Path2D | null = null;
  private readonly trail: number[] = [];
  private readonly trailCells = new Set<string>();
  private fitted = "";
  private boxes: number[] = [];
  private readonly sides = new Map<number, number>();
  private readonly screen: [number, number] = [0, 0];
  private cos = 1;
  private sin = 0;
  private readonly track: CanvasRenderingContext2D;
  private readonly top: CanvasRenderingContext2D;

  constructor(
    private readonly trackCanvas: HTMLCanvasElement,
    private readonly carCanvas: HTMLCanvasElement,
    private readonly geometry: Geometry | null,
  ) {
    this.track = trackCanvas.getContext("2d") as CanvasRenderingContext2D;
    this.top = carCanvas.getContext("2d") as CanvasRenderingContext2D;
    if (geometry) this.setPoints(geometry.points);
  }

  /** Size in CSS pixels and device pixels for one of them. */
  resize(width: number, height: number, ratio: number): void {
    this.width = width;
    this.height = height;
    this.ratio = Math.min(ratio, 2);
    for (const canvas of [this.trackCanvas, this.carCanvas]) {
      canvas.width = Math.max(1, Math.round(width * this.ratio));
      canvas.height = Math.max(1, Math.round(height * this.ratio));
    }
    this.drawn = "";
    this.fitted = "";
  }

  /** Draws everything again in the next frame. */
  invalidate(): void {
    this.drawn = "";
    this.fitted = "";
  }

  /** Where a track has no geometry: a sample of a moving car, to learn its shape and size from. */
  learn(x: number, y: number): void {
    if (this.geometry || (x === 0 && y === 0) || this.trail.length >= 2 * TRAIL_MAX) return;
    const cell = `${Math.round(x / 120)},${Math.round(y / 120)}`;
    if (this.trailCells.has(cell)) return;
    this.trailCells.add(cell);
    this.trail.push(x, y);
    this.fitted = "";
  }

  /** Whether there is anything to show. */
  get empty(): boolean {
    return this.points.length === 0 && this.trail.length === 0;
  }

  /** Draws a frame. */
  draw(cars: MapCar[], wallMs: number): void {
    if (this.width === 0 || this.empty) return;
    this.fit();
    this.aim(wallMs);
    this.drawTrack();
    this.drawCars(cars);
  }

  /** The car nearest to a place on the canvas, CSS pixels, within reach; or null. */
  carAt(cars: MapCar[], px: number, py: number): MapCar | null {
    let best: MapCar | null = null;
    let bestDistance = 22 ** 2;
    for (const car of cars) {
      if (!car.shown) continue;
      const [x, y] = this.toScreen(car.x, car.y);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < bestDistance) [best, bestDistance] = [car, distance];
    }
    return best;
  }

  private setPoints(points: [number, number][]): void {
    this.points = smoothed(points);
    const path = new Path2D();
    this.points.forEach(([x, y], index) => (index === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
    path.closePath();
    this.path = path;
  }

  private turn(): void {
    const angle = (this.rotationDeg * Math.PI) / 180;
    this.cos = Math.cos(angle);
    this.sin = Math.sin(angle);
  }

  /** Camera for the whole track. */
  private fit(): void {
    const key = `${this.width},${this.height},${this.rotationDeg},${this.trail.length}`;
    if (key === this.fitted) return;
    this.fitted = key;
    this.turn();
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    const see = (x: number, y: number): void => {
      const u = x * this.cos - y * this.sin;
      const v = x * this.sin + y * this.cos;
      left = Math.min(left, u);
      right = Math.max(right, u);
      low = Math.min(low, v);
      high = Math.max(high, v);
    };
    for (const [x, y] of this.points) see(x, y);
    for (let k = 0; k < this.trail.length; k += 2) see(this.trail[k] as number, this.trail[k + 1] as number);
    const [u, v] = [(left + right) / 2, (low + high) / 2];
    this.whole.x = u * this.cos + v * this.sin;
    this.whole.y = -u * this.sin + v * this.cos;
    const padding = Math.min(PADDING_PX, this.width / 8);
    // On a narrow map the controls lie above the track, not beside it.
    const above = this.width < NARROW_PX ? CONTROLS_PX : 0;
    this.whole.scale = Math.min(
      (this.width - 2 * padding) / Math.max(1000, right - left),
      (this.height - above - 2 * padding) / Math.max(1000, high - low),
    );
    const up = above / 2 / this.whole.scale;
    this.whole.x += up * this.sin;
    this.whole.y += up * this.cos;
  }

  /** Moves the camera between the whole track and the followed car. */
  private aim(wallMs: number): void {
    const step = this.reducedMotion ? 1 : Math.min(100, wallMs - this.lastMs) / BLEND_MS;
    this.lastMs = wallMs;
    this.blend = Math.min(1, Math.max(0, this.blend + (this.followed ? step : -step)));
    const share = this.blend * this.blend * (3 - 2 * this.blend);
    if (this.followed) {
      this.target.x = this.followed.x;
      this.target.y = this.followed.y;
    }
    const near = Math.max(this.whole.scale, Math.min(this.width, this.height * 1.6) / FOLLOW_WIDTH);
    this.camera.x = this.whole.x + (this.target.x - this.whole.x) * share;
    this.camera.y = this.whole.y + (this.target.y - this.whole.y) * share;
    this.camera.scale = this.whole.scale * (near / this.whole.scale) ** share;
  }
  private readonly target = { x: 0, y: 0 };

  private toScreen(x: number, y: number): [number, number] {
    const dx = x - this.camera.x;
    const dy = y - this.camera.y;
    this.screen[0] = this.width / 2 + (dx * this.cos - dy * this.sin) * this.camera.scale;
    this.screen[1] = this.height / 2 - (dx * this.sin + dy * this.cos) * this.camera.scale;
    return this.screen;
  }

  private drawTrack(): void {
    const { camera, track: context, colours, ratio } = this;
    const key = `${camera.x.toFixed(1)},${camera.y.toFixed(1)},${camera.scale},${this.rotationDeg},${this.flagColour},${this.trail.length}`;
    if (key === this.drawn) return;
    this.drawn = key;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.trackCanvas.width, this.trackCanvas.height);
    const scale = camera.scale * ratio;
    if (this.path) {
      const [a, b] = [this.cos * scale, this.sin * scale];
      const e = (this.width / 2) * ratio - camera.x * a + camera.y * b;
      const f = (this.height / 2) * ratio + camera.x * b + camera.y * a;
      context.setTransform(a, -b, -b, -a, e, f);
      context.lineJoin = "round";
      const road = Math.max(ROAD_WIDTH, ROAD_PX_MIN / camera.scale);
      context.lineWidth = road + 2.5 / camera.scale;
      context.strokeStyle = this.flagColour ?? colours.edge;
      context.stroke(this.path);
      context.lineWidth = road;
      context.strokeStyle = colours.track;
      context.stroke(this.path);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours.edge;
    for (let k = 0; k < this.trail.length; k += 2) {
      const [x, y] = this.toScreen(this.trail[k] as number, this.trail[k + 1] as number);
      context.fillRect(x - 1.5, y - 1.5, 3, 3);
    }
    this.drawZones();
    this.drawLine();
    this.drawCorners();
  }

  /** A band along each DRS zone, and its name outside. */
  private drawZones(): void {
    const { track: context, colours, geometry, points } = this;
    if (!geometry || points.length === 0) return;
    const step = geometry.length_m / points.length;
    context.strokeStyle = colours.drs;
    context.fillStyle = colours.drs;
    context.lineCap = "butt";
    context.lineWidth = Math.max(3, ROAD_WIDTH * this.camera.scale * 0.4);
    context.font = "700 9px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { from_m, to_m } of this.zones) {
      const way = to_m >= from_m ? to_m - from_m : to_m - from_m + geometry.length_m;
      const [first, count] = [Math.round(from_m / step), Math.round(way / step)];
      context.beginPath();
      for (let k = first; k <= first + count; k++) {
        context.lineTo(...this.toScreen(...(points[k % points.length] as [number, number])));
      }
      context.stroke();
      const middle = points[(first + (count >> 1)) % points.length] as [number, number];
      const [nx, ny] = this.outward(...middle);
      const [x, y] = this.toScreen(...middle);
      const away = Math.max(15, (ROAD_WIDTH * this.camera.scale) / 2 + 11);
      context.fillText("DRS", x + nx * away, y + ny * away);
    }
  }

  /** The finish line, and which way the cars go. */
  private drawLine(): void {
    const [first, second] = [this.points[0], this.points[2]];
    if (!first || !second) return;
    const { track: context, colours } = this;
    const [x, y] = [...this.toScreen(...first)];
    const [x2, y2] = [...this.toScreen(...second)];
    const length = Math.hypot(x2 - x, y2 - y) || 1;
    const [dx, dy] = [(x2 - x) / length, (y2 - y) / length];
    const half = Math.max(10, (ROAD_WIDTH * this.camera.scale) / 2 + 4);
    context.strokeStyle = colours.ink;
    context.lineWidth = 2.5;
    context.beginPath();
    context.moveTo(x - dy * half, y + dx * half);
    context.lineTo(x + dy * half, y - dx * half);
    context.stroke();
    const [ax, ay] = [x - dy * (half + 7), y + dx * (half + 7)];
    context.fillStyle = colours.inkSoft;
    context.beginPath();
    context.moveTo(ax + dx * 9, ay + dy * 9);
    context.lineTo(ax - dx * 2 - dy * 4, ay - dy * 2 + dx * 4);
    context.lineTo(ax - dx * 2 + dy * 4, ay - dy * 2 - dx * 4);
    context.fill();
  }

  private drawCorners(): void {
    const { track: context, colours, geometry } = this;
    if (!geometry || geometry.corners.length === 0) return;
    context.font = "600 10px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const away = Math.max(15, (ROAD_WIDTH * this.camera.scale) / 2 + 11);
    for (const corner of geometry.corners) {
      const [nx, ny] = this.outward(corner.x, corner.y);
      const [x, y] = this.toScreen(corner.x, corner.y);
      context.fillStyle = colours.inkSoft;
      context.fillText(`${corner.number}${corner.letter ?? ""}`, x + nx * away, y + ny * away);
    }
  }

  /** Direction on the screen from the track towards the outside at a place, length 1. */
  private outward(x: number, y: number): [number, number] {
    let best = 0;
    let bestDistance = Infinity;
    this.points.forEach(([px, py], index) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < bestDistance) [best, bestDistance] = [index, distance];
    });
    const count = this.points.length;
    const [ax, ay] = [...this.toScreen(...(this.points[(best + count - 6) % count] as [number, number]))];
    const [bx, by] = [...this.toScreen(...(this.points[(best + 6) % count] as [number, number]))];
    const [mx, my] = [...this.toScreen(...(this.points[best] as [number, number]))];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [nx, ny] = [(by - ay) / length, -(bx - ax) / length];
    // The outside of the bend: away from the middle of its chord.
    const side = (mx - (ax + bx) / 2) * nx + (my - (ay + by) / 2) * ny < 0 ? -1 : 1;
    return [nx * side, ny * side];
  }

  private drawCars(cars: MapCar[]): void {
    const { top: context, ratio } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.carCanvas.width, this.carCanvas.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    // Last first, so that those in front and those chosen lie on top.
    for (let pass = 0; pass < 2; pass++) {
      for (let k = cars.length - 1; k >= 0; k--) {
        const car = cars[k] as MapCar;
        if (car.shown && car.chosen === (pass === 1)) this.drawCar(car);
      }
    }
    this.drawGhost();
    this.boxes.length = 0;
    context.font = "600 11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (const chosen of [true, false]) {
      for (const car of cars) if (car.shown && car.chosen === chosen) this.drawLabel(car);
    }
    context.globalAlpha = 1;
  }

  private drawGhost(): void {
    const { top: context, colours, ghost } = this;
    if (!ghost?.shown) return;
    const [x, y] = this.toScreen(ghost.x, ghost.y);
    context.globalAlpha = 0.45;
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.fillStyle = ghost.colour;
    context.fill();
    context.globalAlpha = 0.8;
    context.setLineDash([3, 2]);
    context.lineWidth = 1.5;
    context.strokeStyle = colours.ink;
    context.stroke();
    context.setLineDash([]);
    context.font = "600 10px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = colours.ink;
    context.fillText(ghost.label, x, y + 17);
    context.globalAlpha = 1;
  }

  private drawCar(car: MapCar): void {
    const { top: context, colours } = this;
    const [x, y] = this.toScreen(car.x, car.y);
    if (x < -20 || y < -20 || x > this.width + 20 || y > this.height + 20) return;
    const radius = (car.chosen ? 7 : 5.5) + (this.blend > 0.5 ? 1.5 : 0) - (car.faint ? 1.5 : 0);
    context.globalAlpha = car.faint && !car.chosen ? 0.6 : 1;
    context.beginPath();
    context.arc(x, y, radius + (car.chosen ? 2.5 : 1.2), 0, 2 * Math.PI);
    context.fillStyle = car.chosen ? colours.ink : colours.ground;
    context.fill();
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = car.colour;
    context.fill();
    if (car.second) {
      context.beginPath();
      context.arc(x, y, radius * 0.4, 0, 2 * Math.PI);
      context.fillStyle = colours.ground;
      context.fill();
    }
  }

  /** The code beside the car, on the first side that is free; a label that finds none is left out. */
  private drawLabel(car: MapCar): void {
    const { top: context, colours } = this;
    const [x, y] = this.toScreen(car.x, car.y);
    if (x < -20 || y < -20 || x > this.width + 20 || y > this.height + 20) return;
    const [width, height] = [car.code.length * 8 + 5, 14];
    const before = this.sides.get(car.driver) ?? 0;
    // The side of the frame before comes first, so that labels do not flicker; a chosen car is named in any case.
    for (let k = 0; k < (car.chosen ? 5 : 4); k++) {
      const side = (before + k) % 4;
      const left = side === 0 ? x + 10 : side === 1 ? x - 10 - width : x - width / 2;
      const above = side === 2 ? y - 12 - height : side === 3 ? y + 12 : y - height / 2;
      if (k < 4 && !this.isFree(left, above, width, height)) continue;
      this.sides.set(car.driver, side);
      this.boxes.push(left, above, left + width, above + height);
      context.globalAlpha = 0.82;
      context.fillStyle = colours.ground;
      context.fillRect(left, above, width, height);
      context.globalAlpha = car.faint ? 0.75 : 1;
      context.fillStyle = car.chosen ? colours.ink : colours.inkSoft;
      context.fillText(car.code, left + 2.5, above + height / 2 + 0.5);
      return;
    }
  }

  private isFree(left: number, above: number, width: number, height: number): boolean {
    const { boxes } = this;
    if (left < 0 || left + width > this.width || above < 0 || above + height > this.height) return false;
    for (let k = 0; k < boxes.length; k += 4) {
      const apart =
        left > (boxes[k + 2] as number) ||
        left + width < (boxes[k] as number) ||
        above > (boxes[k + 3] as number) ||
        above + height < (boxes[k + 1] as number);
      if (!apart) return false;
    }
    return true;
  }
}

/** Mean of each point and its neighbours: at 5 m a point the bends stay, the noise of the samples goes. For looks only. */
function smoothed(points: [number, number][]): [number, number][] {
  const reach = 3;
  const count = points.length;
  if (count < 20 * reach) return points;
  return points.map((_, index) => {
    let [x, y] = [0, 0];
    for (let k = -reach; k <= reach; k++) {
      const point = points[(index + k + count) % count] as [number, number];
      x += point[0];
      y += point[1];
    }
    return [x / (2 * reach + 1), y / (2 * reach + 1)];
  });
}
