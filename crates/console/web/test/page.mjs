// What a person sees of alerts, map, verdicts, views and filters.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, address, wrong, wants, visible, shot }) => {
  /** The picture is there, or there is none. */
  const there = () => visible('#picture:not([data-state="loading"])');
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  await visible("#empty");
  await page.waitForFunction(() => Number(document.querySelector("#map").dataset.footprints) > 20);
  assert.ok(await page.locator("#map").evaluate((map) => Number(map.dataset.grids) > 0 && Number(map.dataset.roads) > 0), "grids and roads are drawn");
  await shot("empty");

  await visible("#frames");
  const counts = await page.locator("#frames dd").evaluateAll((nodes) => nodes.map((node) => Number(node.textContent.replace(/,/g, ""))));
  assert.deepEqual(counts, [51234, 50000, 1000, 234], "frames are analysed, left out or lost");
  assert.match((await page.locator("#frames-lost").locator("..").getAttribute("title")) ?? "", /234 shed while the machine was behind/);

  wants("first");
  await visible("#alerts li");
  assert.equal(await page.locator("#alerts li .address").innerText(), address);
  assert.equal(await page.locator("#address").innerText(), address, "the newest alert is shown by itself");
  assert.equal(await page.locator(".where .chip.warn", { hasText: "one of 2" }).count(), 1, "it says that it is ambiguous");
  await visible('#picture[data-state="loaded"]');
  assert.equal(await page.locator("#picture img").evaluate((image) => image.naturalWidth), 1280);
  assert.equal(await page.locator("#picture rect.object").count(), 2);
  assert.equal(await page.locator("#map path.error-circle").count(), 1, "the error is drawn");
  assert.equal(await page.locator("#map path.camera").count(), 2, "the cameras are drawn");
  await page.locator("#map path.named-ground").waitFor({ state: "attached" });
  assert.equal(await page.locator("#map path.named-ground").count(), 1, "the ground that the address names is drawn");
  assert.deepEqual(await page.locator(".unit").evaluateAll((units) => units.map((unit) => unit.dataset.unit)), ["fire:F-07", "police:P-0703"]);
  const facts = await page.locator("#facts").innerText();
  for (const words of ["高新南一道, 4.6 m", "高新南一道42号, 3.2 m", "合成派出所三组"]) assert.ok(facts.includes(words), `${words} is not in ${facts}`);
  assert.match(await page.locator("#base").innerText(), /^test-2026-03, no longer current: test-2026-04 is in force$/);
  const drawn = await page.locator("#map canvas").first().evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 0) painted++;
    return painted / (data.length / 4);
  });
  assert.ok(drawn > 0.05, `buildings cover ${drawn} of the map`);
  const time = page.locator("#alerts li time");
  assert.match(await time.innerText(), /16:00:00$/, "time in the browser's zone");
  assert.match(await time.getAttribute("title"), /^2026-03-01 08:00:00 UTC$/);

  // A verdict needs a name, and an alert that came by itself the time to read it; choosing it is reading it.
  await page.keyboard.press("k");
  await there();
  await page.click('button[data-verdict="confirmed"]');
  await visible("#operator-error");
  await page.fill("#operator", "operator 7");
  await page.fill("#note", "guard sent");
  await there();
  await page.click('button[data-verdict="confirmed"]');
  await visible('button[data-verdict="confirmed"][aria-pressed="true"]');
  assert.match(await page.locator(".said").innerText(), /Confirmed by operator 7/);

  // Whoever decides is there, so following has ended; it goes on when they say so.
  await page.focus("#alerts");
  await page.keyboard.press("n");
  wants("more");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 8);
  await visible('#alerts li:first-child[aria-selected="true"]');
  await visible('#picture[data-state="loaded"]');
  await shot("live");

  // Another camera saw the same: one entry with two views.
  wants("view");
  await visible("#alerts li:first-child .chip.views");
  assert.equal(await page.locator("#alerts li").count(), 8, "it is no entry of its own");
  assert.equal(await page.locator("#alerts li:first-child .chip.views").innerText(), "2 cameras");
  await visible("#views");
  assert.deepEqual(await page.locator(".view").evaluateAll((views) => views.map((view) => view.textContent.split(" ")[0])), ["gate-2", "gate-1"]);
  assert.match(await page.locator("#picture figcaption").innerText(), /gate-2/);
  await page.click(".view:nth-child(2)");
  await visible('.view:nth-child(2)[aria-pressed="true"]');
  await page.waitForFunction(() => document.querySelector("#picture figcaption")?.textContent.startsWith("gate-1"));
  await visible('#picture[data-state="loaded"]');
  assert.match(await page.locator("#facts").innerText(), /gate-1/, "facts are those of the view");
  assert.equal(await page.locator("#map path.alert-point").count(), 1, "one event, one mark");
  await shot("views");

  wants("end");
  await page.waitForFunction(() => document.querySelector("#tally-open").textContent === "7");

  // Keyboard: two rows down, and following stops.
  await page.focus("#alerts");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await visible('#alerts li:nth-child(3)[aria-selected="true"]');
  assert.equal(await page.isChecked("#follow"), false);
  await there();
  await page.keyboard.press("f");
  await visible("#alerts li:nth-child(3).dismissed");

  // Filters; a refusal is shown in the server's words.
  await page.selectOption("select[name=kind]", "count");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 2);
  await page.selectOption("select[name=kind]", "");
  await page.fill("input[name=address]", "44030a");
  await visible("#filter-error");
  await page.fill("input[name=address]", "440999");
  await visible("#empty");
  await page.fill("input[name=address]", "");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 8);

  // A unit lists its alerts.
  await page.click('.unit[data-unit="police:P-0703"]');
  assert.equal(await page.inputValue("input[name=responsible]"), "police:P-0703");
  await page.fill("input[name=responsible]", "fire:F-08");
  await visible("#empty");
  await page.fill("input[name=responsible]", "F-07");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 8);
  await page.fill("input[name=responsible]", "");

  await page.setViewportSize({ width: 420, height: 900 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 420, `a narrow page is ${wide} px wide`);
  await shot("narrow");

  // The one refusal above is the browser's only complaint.
  assert.deepEqual(wrong.filter((text) => !text.includes("400 (Bad Request)")), []);
}, { width: 1600, height: 980 });
