// The system's Chromium, started fresh: nothing is downloaded, nothing of the user's is touched.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Path of the browser, or null. RAILBIRD_CHROMIUM is a path or a name on PATH. */
export function browserPath() {
  const named = process.env.RAILBIRD_CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = (named ? [named] : NAMES).flatMap((name) => [
    name,
    ...folders.map((folder) => join(folder, name)),
  ]);
  return candidates.find((path) => path.includes("/") && existsSync(path)) ?? null;
}

/** A browser with a profile of its own, removed when it is closed. */
export function launch() {
  return chromium.launch({ executablePath: browserPath(), args: ARGUMENTS });
}

/** A page on which nothing may go wrong unseen; `problems` fills with errors and refusals of the content policy. */
export async function open(browser, { width = 1440, height = 900, dark = false, phone = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    deviceScaleFactor: phone ? 2 : 1,
    hasTouch: phone,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  return { page, context, problems };
}

/** Waits until a session is open and what it shows is decoded. */
export async function ready(page) {
  await page.waitForFunction(() => window.__railbird?.ready(), null, { timeout: 20_000 });
}

/** Waits until two frames have been drawn. */
export function twoFrames(page) {
  return page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))),
  );
}
