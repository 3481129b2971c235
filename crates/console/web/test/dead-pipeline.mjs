// A pipeline that is dead, ill, silent or without its store shows, and so does one that works again.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, wants, visible, hidden, shots }) => {
  // What the chip showed from the first moment on.
  await page.addInitScript(() => {
    window.states = [];
    new MutationObserver(() => {
      const state = document.querySelector("#connection")?.dataset.state;
      if (state && state !== window.states.at(-1)) window.states.push(state);
    }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] });
  });
  const chip = (state) => visible(`#connection[data-state="${state}"]`);
  const says = (selector, pattern) =>
    page.waitForFunction(([at, source]) => new RegExp(source).test(document.querySelector(at)?.innerText ?? ""), [selector, pattern.source]);
  const headline = page.locator("#banner-headline");
  const listIsSeen = async () => {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      await page.setViewportSize({ width, height });
      const row = await page.locator("#alerts li").first().boundingBox();
      assert.ok(row && row.y + row.height < height, `at ${width}x${height} the first row is at ${row?.y}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, `the page is wider than ${width}`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  };

  await page.goto(url);
  wants("alerts");
  await chip("live");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 8);
  await visible('#picture[data-state="loaded"]');
  assert.equal(await page.locator("#banner").isVisible(), false);
  await shots("healthy");

  wants("dead");
  await chip("down");
  assert.equal(await page.locator("#connection").innerText(), "Not working");
  await visible("#banner[data-level=down]");
  assert.equal(await headline.getAttribute("role"), "alert");
  assert.equal(await headline.innerText(), "Not working: Frames. Alerts may be missing until this is fixed.");
  assert.match(
    await page.locator("#banner-faults").innerText(),
    /^Frames failed since 01 Mar (2026 )?16:00:00: no frame of any camera has been analysed since 12:03:04 \(52 s\)$/,
  );
  assert.equal(await page.locator("#banner button").count(), 0, "nobody can put it away");
  const back = await page.locator("#banner").evaluate((banner) => getComputedStyle(banner).backgroundColor);
  const [red, green, blue] = back.match(/\d+/g).map(Number);
  assert.ok(red > 2 * green && red > 2 * blue, `${back} is not red`);
  await listIsSeen();
  await shots("red-banner");
  // The detail goes on counting; the headline, which is spoken, stays as it is.
  await headline.evaluate((node) => (node.firstChild.kept = true));
  wants("later");
  await says("#banner-faults", /57 s/);
  assert.ok(await headline.evaluate((node) => node.firstChild.kept), "it is not spoken again");

  // A page that is opened now is never green.
  await page.reload();
  await chip("down");
  assert.equal((await page.evaluate(() => window.states)).includes("live"), false, "it was green for a moment");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 8);

  wants("more faults");
  await says("#banner-headline", /Not working: Alert database, Detection, Frames, new_stage\./);
  await says("#banner-faults", /Detection starting since 01 Mar (2026 )?16:00:00\n/);
  await listIsSeen();
  await shots("red-banner-long");

  wants("degraded");
  await visible("#banner[data-level=degraded]");
  await chip("live");
  assert.equal(await headline.innerText(), "Working, but with a fault: Message bus");
  assert.match(await page.locator("#banner-faults").innerText(), /^Message bus degraded since .*: 127\.0\.0\.1:9092: no broker answers/);
  await listIsSeen();
  await shots("amber-banner");

  wants("named");
  await says("#banner-headline", /^Working, but with a fault: Message bus, Deletion of old alerts, Delivery to police$/);

  wants("well");
  await hidden("#banner");
  await chip("live");

  wants("broken store");
  await says("#banner-headline", /^Not working: the server answers with an error \(500\)/);
  await chip("down");
  await says("#banner-faults", /^Server failing since .*: reading or writing the alert store failed; the server's log says why; ask again/);
  await shots("broken-store");
  wants("store");
  await hidden("#banner");
  await chip("live");

  wants("silence");
  await says("#banner-faults", /^Server silent since .*: no response within 4 s; retried every 5 s$/);
  await chip("down");
  wants("word");
  await hidden("#banner");
  await chip("live");
  assert.deepEqual(wrong.filter((text) => !text.includes("500 (Internal Server Error)")), []);
});
