// Following the newest alert ends with whatever a person does at the page, and with nothing else.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, wants, visible }) => {
  const newest = () => page.evaluate(() => document.querySelector("#alerts li").dataset.id);
  const shown = () => page.evaluate(() => location.hash.slice(1));
  let rows = 0;
  const next = async () => {
    wants("next");
    rows += 1;
    await page.waitForFunction((count) => document.querySelectorAll("#alerts li").length === count, rows);
  };
  const hint = page.locator("#follow-hint");

  await page.clock.install();
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  // From here on the page's time passes when the script says so.
  await page.clock.pauseAt(Date.now() + 60_000);
  assert.equal(await page.isChecked("#follow"), true);
  await next();
  await next();
  assert.equal(await shown(), await newest(), "nobody is there: the newest alert is in front");
  assert.match(await hint.innerText(), /^Pauses at the first/);

  // The hand that resumes, by key or pointer, is still moving for a moment.
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await page.mouse.move(700, 300);
  assert.equal(await page.isChecked("#follow"), true);
  await page.clock.runFor(2100);
  // A mouse trembles on a table that somebody passes.
  for (const x of [700, 702, 700, 699, 701]) await page.mouse.move(x, 300);
  assert.equal(await page.isChecked("#follow"), true);

  for (const [what, act] of [
    ["moves", () => page.mouse.move(760, 340)],
    ["turns the wheel", () => page.mouse.wheel(0, 40)],
    ["presses a key", () => page.keyboard.press("Shift")],
    ["scrolls by key", () => page.keyboard.press("PageDown")],
    ["clicks where nothing is", () => page.locator(".facts .card h3").first().click()],
    ["touches the map", () => page.locator("#map").click({ position: { x: 20, y: 200 } })],
    ["chooses a row", () => page.locator("#alerts li").nth(1).click()],
    ["opens a filter", () => page.locator("select[name=status]").focus()],
    ["writes a note", () => page.locator("#note").pressSequentially("n")],
    ["moves on", () => page.keyboard.press("j")],
  ]) {
    await page.evaluate(() => document.activeElement?.blur());
    if (!(await page.isChecked("#follow"))) await page.keyboard.press("n");
    assert.equal(await page.isChecked("#follow"), true, `N resumes before somebody ${what}`);
    assert.equal(await shown(), await newest(), "and brings the newest");
    if (what === "moves") {
      await page.clock.runFor(2100);
      await page.mouse.move(750, 330);
    }
    await act();
    // A wheel is heard a little later.
    const paused = page.waitForFunction(() => !document.querySelector("#follow").checked, null, { timeout: 5000 });
    await paused.catch(() => assert.fail(`it goes on though somebody ${what}`));
    assert.equal(await hint.innerText(), "Paused. Tick the box or press N to resume.");
    const before = await shown();
    await next();
    assert.equal(await shown(), before, `the alert was taken from somebody who ${what}`);
  }

  // The box resumes, and the hand may leave it.
  await page.click("#follow");
  assert.equal(await page.isChecked("#follow"), true);
  await page.mouse.move(300, 500, { steps: 5 });
  assert.equal(await page.isChecked("#follow"), true, "the hand that left the box paused it");
  // Focus that the page itself gives back is nobody's: the new alert has the same units.
  await next();
  assert.equal(await shown(), await newest());
  await page.click("#follow");
  assert.equal(await page.isChecked("#follow"), false, "the box is a box");
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  assert.equal(await page.isChecked("#follow"), false, "N twice is as before");
  assert.deepEqual(wrong, []);
});
