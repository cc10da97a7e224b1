// Tyre compounds by the letter that is painted on the screen for them.

const LETTERS: Record<string, string> = {
  SOFT: "S",
  MEDIUM: "M",
  HARD: "H",
  INTERMEDIATE: "I",
  WET: "W",
  SUPERSOFT: "SS",
  ULTRASOFT: "US",
  HYPERSOFT: "HS",
  SUPERHARD: "SH",
};

/** Letter of a compound; `?` where the source does not know it; empty where it says nothing. */
export function tyreLetter(compound: string): string {
  if (compound === "") return "";
  return LETTERS[compound.toUpperCase()] ?? "?";
}

/** `Medium`, from `MEDIUM`. */
export function tyreName(compound: string): string {
  if (compound === "") return "Not known";
  return compound.charAt(0).toUpperCase() + compound.slice(1).toLowerCase();
}
