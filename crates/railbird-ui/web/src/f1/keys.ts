// What keys do anywhere on the page. Fields and lists keep theirs.

import { theme } from "../lib/theme.svelte";
import type { Player } from "./player.svelte";

/** Elements that use keys themselves. */
function takesKeys(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog")) return true;
  if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  // Space and Enter press a button that has the focus.
  return (
    (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement) && (key === " " || key === "Enter")
  );
}

/** Handles a key; true where it did something. */
export function handleKey(player: Player, event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target, event.key)) return false;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey;
  if (/^[0-9]$/.test(key)) {
    const { startS, endS } = span(player);
    player.seek(startS + ((endS - startS) * Number(key)) / 10);
    return true;
  }
  const actions: Record<string, () => void> = {
    " ": () => player.toggle(),
    ArrowLeft: () => player.step(shift ? -30 : -5),
    ArrowRight: () => player.step(shift ? 30 : 5),
    ",": () => player.step(-0.2),
    ".": () => player.step(0.2),
    "[": () => player.changeSpeed(-1),
    "]": () => player.changeSpeed(1),
    n: () => player.stepLap(1),
    p: () => player.stepLap(-1),
    e: () => player.stepMark(shift ? -1 : 1),
    f: () => player.setFollow(player.follow === null ? (player.chosen.at(-1) ?? null) : null),
    r: () => player.rotate(shift ? -15 : 15),
    c: () => void navigator.clipboard?.writeText(player.link()).catch(() => {}),
    t: () => theme.next(),
    "?": () => (player.help = true),
    Escape: () => {
      player.chosen = [];
      player.setFollow(null);
    },
  };
  const action = actions[key];
  action?.();
  return action !== undefined;
}

/** What the digits divide: the race, or the whole recording. */
function span(player: Player): { startS: number; endS: number } {
  const { lights_out_s: from, chequered_s: to } = player.manifest;
  if (from !== null && to !== null && to > from) return { startS: from, endS: to };
  return player.session;
}
