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
  const before = await page.locator("#alerts li").count();
  wants("second");
  // A verdict is for the alert that is shown, which changes when one comes.
  await page.waitForFunction((before) => document.querySelectorAll("#alerts li").length > before, before);
  await page.locator("#alerts li").first().click();
  await visible('#picture[data-state="loaded"]');
  await page.fill("#operator", "operator 7");
  await page.click('button[data-verdict="confirmed"]');
  await visible('button[data-verdict="confirmed"][aria-pressed="true"]');
  assert.deepEqual(wrong, []);
});
