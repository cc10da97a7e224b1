// The system's Chromium, started fresh: nothing is downloaded, nothing of the user's is touched.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PATHS = [process.env.RAILBIRD_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
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

/** Path of the browser, or null. */
export function browserPath() {
  return PATHS.find((path) => path && existsSync(path)) ?? null;
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
