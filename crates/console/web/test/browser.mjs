// Opens the page in headless Chromium for a script that acts as a person. The script says on stdout what it wants to be fed.
// Usage: node SCRIPT URL ADDRESS; VEDETTE_CHROMIUM names the browser, VEDETTE_PAGE_SHOTS a folder for pictures.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const [url, address] = process.argv.slice(2);
const executablePath = process.env.VEDETTE_CHROMIUM ?? "/usr/bin/chromium";

/** Runs `play` with a page that is not opened yet, and what scripts need; `more` are further arguments of the browser. */
export async function inBrowser(play, viewport = { width: 1440, height: 900 }, more = []) {
  if (!existsSync(executablePath)) {
    console.error(`${executablePath} is missing: install Chromium, or name one in VEDETTE_CHROMIUM`);
    process.exit(2);
  }
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", ...more,
    ],
  });
  try {
    const context = await browser.newContext({ viewport, locale: "en-GB", timezoneId: "Asia/Shanghai" });
    const page = await context.newPage();
    // Maps are drawn by the processor here, which other tests use too.
    page.setDefaultTimeout(120_000);
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && wrong.push(`console: ${message.text()}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url())) wrong.push(`left the server: ${request.url()}`);
    });
    /** The verdicts that left the page. */
    const verdicts = [];
    page.on("request", (request) => request.url().endsWith("/verdict") && verdicts.push(request.postDataJSON()));
    const folder = process.env.VEDETTE_PAGE_SHOTS;
    const said = (error) => {
      throw wrong.length ? new Error(`${error.message}\nthe browser complained: ${wrong.join("; ")}`, { cause: error }) : error;
    };
    const picture = (name) => page.screenshot({ path: `${folder}/${name}.png` });
    await play({
      page, url, address, wrong, verdicts,
      wants: (what) => console.log(`wants: ${what}`),
      visible: (selector) => page.locator(selector).waitFor({ state: "visible" }),
      hidden: (selector) => page.locator(selector).waitFor({ state: "hidden" }),
      shot: async (name) => folder && picture(name),
      /** A picture at a desk and one on a phone, there with `selector` in sight. */
      shots: async (name, selector) => {
        if (!folder) return;
        await picture(`${name}-1440x900`);
        await page.setViewportSize({ width: 390, height: 844 });
        if (selector) await page.locator(selector).evaluate((node) => node.scrollIntoView({ block: "center" }));
        await picture(`${name}-390x844`);
        await page.setViewportSize(viewport);
      },
    }).catch(said);
    console.log("done");
  } finally {
    await browser.close();
  }
}
