// The page below a path: it loads, goes live, shows pictures and stores a verdict, and asks nothing outside that path.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, address, wrong, wants, visible }) => {
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  await page.waitForFunction(() => Number(document.querySelector("#map").dataset.footprints) > 20);
  wants("first");
  await visible('#picture[data-state="loaded"]');
  assert.equal(await page.locator("#address").innerText(), address);
  const before = await page.evaluate(() => location.hash);
  wants("second");
  // The newest alert is shown by itself.
  await page.waitForFunction((before) => location.hash !== before, before);
  await visible('#picture[data-state="loaded"]');
  await page.fill("#operator", "operator 7");
  // An alert takes no verdict before it could be read.
  await page.waitForTimeout(2_000);
  await page.click('button[data-verdict="confirmed"]');
  await visible('button[data-verdict="confirmed"][aria-pressed="true"]');
  assert.deepEqual(wrong, []);
});
