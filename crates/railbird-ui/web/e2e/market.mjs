// Browser tests of the market's page against studies that the server holds, and of a report as a file.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { open } from "./browser.mjs";

const SIZES = [{}, { dark: true }, { width: 390, height: 844, phone: true }];

export async function marketTests({ test, browser, root, get, pictures }) {
  const { runs } = await get("/api/market/runs");
  assert.ok(runs.length > 0, "the server holds a study");
  const [chosen] = runs;
  const study = await get(`/api/market/runs/${encodeURIComponent(chosen.id)}`);
  const address = `${root}/market/${encodeURIComponent(chosen.id)}`;

  const percent = (share) => {
    if (share === null) return "–";
    const text = `${(share * 100).toFixed(1)} %`;
    return (share > 0 ? `+${text}` : text).replace("-", "−");
  };
  const write = (kind, value) =>
    value === null || value === undefined
      ? "–"
      : kind === "share"
        ? percent(value)
        : kind === "part"
          ? `${(value * 100).toFixed(1)} %`
          : kind === "days"
          ? String(Math.round(value))
          : value.toFixed(2).replace("-", "−");

  /** Every figure in the table, against the document. */
  async function compare(page, symbol) {
    const rows = await page.locator(".table tbody tr").evaluateAll((list) =>
      list.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.firstChild?.textContent ?? "")),
    );
    const wanted = [symbol.buy_hold, ...symbol.runs].map((one) =>
      study.figures.map(({ key, kind }) => write(kind, one.metrics[key]?.value)),
    );
    assert.deepEqual(rows, wanted, symbol.symbol);
    return rows.length * study.figures.length;
  }

  test("market: every figure shown is the engine's, for every symbol", async () => {
    const { page, problems } = await open(browser);
    let figures = 0;
    for (const symbol of study.symbols) {
      await page.goto(`${address}#symbol=${encodeURIComponent(symbol.symbol)}`);
      await page.reload();
      await page.getByRole("heading", { name: symbol.symbol, exact: true }).waitFor();
      figures += await compare(page, symbol);
    }
    console.log(`    ${figures} figures of ${study.symbols.length} symbols equal`);
    assert.deepEqual(problems, []);
  });

  test("market: a strategy is chosen, and its days and curve are shown", async () => {
    const { page, problems } = await open(browser);
    await page.goto(address);
    const [symbol] = study.symbols;
    const run = symbol.runs.at(-1);
    await page.locator(".table tbody th button").last().click();
    const first = page.locator(".folds tbody tr").first().locator("td");
    assert.equal((await first.last().textContent())?.trim(), write2(run.folds.at(-1).scored));
    assert.equal(await page.locator(".uplot").count(), symbol.forecasts ? 3 : 2);
    assert.match(page.url(), /run=/);
    assert.deepEqual(problems, []);
  });
  const write2 = (share) => {
    const text = `${(share * 100).toFixed(2)} %`;
    return (share > 0 ? `+${text}` : text).replace("-", "−");
  };

  test("market: the list and a study, in both colours and on a phone, without an error or a sideways scroll", async () => {
    for (const options of SIZES) {
      const name = `${options.phone ? "phone" : "desktop"}-${options.dark ? "dark" : "light"}`;
      const { page, problems, context } = await open(browser, options);
      await page.goto(`${root}/market`);
      await page.locator("a.card").first().waitFor();
      await page.screenshot({ path: `${pictures}/market-runs-${name}.png` });
      await page.goto(address);
      await page.locator(".uplot").first().waitFor();
      await page.waitForTimeout(300);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(over <= 0, `${name}: ${over} px too wide`);
      await page.screenshot({ path: `${pictures}/market-study-${name}.png`, fullPage: true });
      assert.deepEqual(problems, []);
      await context.close();
    }
  });

  const folder = process.env.RAILBIRD_SESSION_DIR;
  const file = folder ? join(folder, "market", chosen.id, "report.html") : "";
  test("market: the report is one file that shows the same and asks for nothing", async () => {
    assert.ok(existsSync(file), `${file}: no report`);
    const { page, context, problems } = await open(browser);
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    await page.locator(".uplot").first().waitFor();
    await compare(page, study.symbols[0]);
    assert.deepEqual(asked, [url]);
    assert.deepEqual(problems, []);
    await context.close();
  });
}
