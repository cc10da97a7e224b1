// Pictures of the pages, for people to look at: desktop and phone, light and dark.

import { open, ready } from "./browser.mjs";

const SIZES = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844, phone: true },
};

export async function takePictures({ browser, root, session, t, drivers, folder }) {
  const [one, two] = drivers.map((driver) => driver.code);
  const replay = (tab) => `/f1/${session}#t=${t}&drivers=${one},${two}&tab=${tab}`;
  const pages = {
    sessions: "/",
    telemetry: replay("telemetry"),
    compare: replay("compare"),
    tyres: replay("strategy"),
    positions: replay("positions"),
    trace: replay("gaps"),
    follow: `${replay("laps")}&follow=${one}`,
    ghost: `${replay("telemetry")}&ghost=${two}:best`,
    import: "/",
  };
  for (const [size, options] of Object.entries(SIZES)) {
    for (const dark of [false, true]) {
      for (const [name, path] of Object.entries(pages)) {
        const { page, context } = await open(browser, { ...options, dark });
        await page.goto(root + path);
        if (path === "/") await page.getByRole("heading", { name: "Sessions" }).waitFor();
        else await ready(page);
        if (name === "import") await page.getByRole("button", { name: "Import…" }).click();
        await page.waitForTimeout(900);
        const file = `${folder}/${name}-${size}-${dark ? "dark" : "light"}`;
        await page.screenshot({ path: `${file}.png` });
        if (size === "phone" && path !== "/") {
          await page.getByRole("tabpanel").evaluate((panel) => panel.scrollIntoView({ block: "end" }));
          await page.evaluate(() => window.scrollBy(0, 140));
          await page.waitForTimeout(100);
          await page.screenshot({ path: `${file}-below.png` });
        }
        await context.close();
      }
    }
  }
}
