// Team colours on light and dark ground: kept as they are where they can be read, moved towards black or white where not.

/** Contrast of text that must be read (WCAG AA), and of marks that must be seen. */
export const CONTRAST_TEXT = 4.5;
export const CONTRAST_MARK = 3;

type Rgb = [number, number, number];

/** Parses six hexadecimal digits, or three as builders shorten them; grey where they are not. */
export function rgb(hex: string): Rgb {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(hex.trim());
  if (short) return [1, 2, 3].map((k) => parseInt((short[k] as string).repeat(2), 16)) as Rgb;
  const match = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex.trim());
  if (!match) return [128, 128, 128];
  return [1, 2, 3].map((k) => parseInt(match[k] as string, 16)) as Rgb;
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast of two colours, 1 to 21 (WCAG 2). */
export function contrast(a: string, b: string): number {
  const [x, y] = [luminance(rgb(a)), luminance(rgb(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const text = (colour: Rgb): string =>
  `#${colour.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

/** `colour`, moved no further than needed to reach `least` contrast on `ground`. */
export function readable(colour: string, ground: string, least: number): string {
  const from = rgb(colour);
  const target = luminance(rgb(ground)) > 0.18 ? 0 : 255;
  for (let step = 0; step <= 20; step++) {
    const mixed = from.map((value) => value + ((target - value) * step) / 20) as Rgb;
    if (contrast(text(mixed), ground) >= least) return text(mixed);
  }
  return target === 0 ? "#000000" : "#ffffff";
}

/** Black or white, whichever reads better on `ground`. */
export function inkOn(ground: string): string {
  return contrast("#000000", ground) >= contrast("#ffffff", ground) ? "#000000" : "#ffffff";
}
