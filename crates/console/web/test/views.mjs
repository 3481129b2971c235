// An event of several cameras: a verdict is about the picture that is shown, and what is being written stays.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, verdicts, wants, visible }) => {
  /** The picture is there, or there is none. */
  const there = () => visible('#picture:not([data-state="loading"])');
  const pressed = (decision) => visible(`button[data-verdict=${decision}][aria-pressed=true]`);
  const caption = (camera) => page.waitForFunction((it) => document.querySelector("#picture figcaption")?.textContent.startsWith(it), camera);
  const about = page.locator(".about");
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  await page.fill("#operator", "operator 7");
  await page.evaluate(() => document.activeElement.blur());

  wants("event");
  await visible("#alerts li .chip.views");
  await page.keyboard.press("k");
  await visible("#views");
  assert.match(await about.innerText(), /^About the picture of gate-1, .*16:00:00$/);

  // While the picture of the other camera is on its way, a verdict is about neither.
  let let_go;
  const gate = new Promise((resolve) => (let_go = resolve));
  const isView = /\/api\/v1\/alerts\/[0-9a-f-]+$/;
  await page.route(isView, async (route) => {
    await gate;
    await route.continue();
  });
  await page.focus(".view:nth-child(2)");
  await page.keyboard.press("Enter");
  await there();
  await page.keyboard.press("c");
  await visible("#verdict-error");
  assert.match(await page.locator("#verdict-error").innerText(), /still being loaded/);
  assert.deepEqual(verdicts, [], "a verdict left for the picture that was being left");
  let_go();
  await caption("gate-2");
  await page.unroute(isView);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.view), await page.locator(".view").nth(1).getAttribute("data-view"), "the focus is lost");
  assert.match(await about.innerText(), /^About the picture of gate-2, /);

  // The alert ends while a note is being written: half a word, the place in it and the field itself stay.
  await page.locator("#note").pressSequentially("half ote");
  for (let steps = 0; steps < 3; steps++) await page.keyboard.press("ArrowLeft");
  await page.locator("#note").evaluate((note) => (note.kept = true));
  await page.locator("#alerts li").evaluate((row) => (row.old = true));
  wants("end");
  await page.waitForFunction(() => !document.querySelector("#alerts li").old);
  await page.keyboard.type("a n");
  await caption("gate-2");
  assert.equal(await page.inputValue("#note"), "half a note");
  assert.equal(await page.locator("#note").evaluate((note) => note.kept && document.activeElement === note), true, "it is another field now");

  // The verdict is about the picture that is shown, and what is said names it.
  await page.evaluate(() => document.activeElement.blur());
  await there();
  await page.keyboard.press("c");
  await pressed("confirmed");
  assert.match(await page.locator(".said").innerText(), /Confirmed by operator 7 about gate-2, .*: half a note/);
  await page.click(".view:nth-child(1)");
  await caption("gate-1");
  await visible("button[data-verdict=confirmed][aria-pressed=false]");

  // An alert that turns out to be a view of another: picture, note and verdict are still those of the one that was read.
  wants("alone");
  await visible("#alerts li:nth-child(2)");
  await page.keyboard.press("k");
  await caption("gate-2");
  await page.locator("#note").pressSequentially("still the same");
  await page.evaluate(() => document.activeElement.blur());
  wants("lead");
  await visible("#alerts li:first-child .chip.views");
  await visible("#views");
  await caption("gate-2");
  assert.equal(await page.inputValue("#note"), "still the same");
  assert.match(await about.innerText(), /^About the picture of gate-2, .*16:01:00$/);
  await there();
  await page.keyboard.press("f");
  await pressed("false_alarm");
  assert.deepEqual(verdicts.map((it) => [it.verdict, it.revision]), [["confirmed", 1], ["false_alarm", 1]]);
  assert.deepEqual(wrong, []);
});
