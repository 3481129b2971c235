// Titles, units and the filter's choices come from the server; without them the page goes on by names and asks again.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, wants, visible, shots }) => {
  const told = await (await fetch(`${url}/api/v1/rule-kinds`)).json();
  // A kind that the page has never heard of, between two that it may have.
  const juggling = {
    ...told[0],
    name: "juggling",
    title: { en: "Juggling with <clubs>", zh: "杂耍" },
    measures: [{ quantity: "clubs", unit: { en: "clubs in the air", zh: "根" }, at_most: true }],
  };
  told.splice(1, 0, juggling);
  let asked = 0;
  let answers = false;
  await page.route("**/api/v1/rule-kinds", (route) => {
    asked++;
    return answers ? route.fulfill({ json: told }) : route.fulfill({ status: 500, json: { detail: "not now" } });
  });
  const kinds = () => page.locator("#alerts li .row-head strong").allInnerTexts();
  const options = () => page.locator("select[name=kind] option").evaluateAll((them) => them.map((it) => [it.value, it.text]));
  const measured = () => page.locator("#facts").innerText();
  const rows = (count) => page.waitForFunction((it) => document.querySelectorAll("#alerts li").length === it, count);

  // No answer: kinds by their names, and everything else as ever.
  await page.clock.install();
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  assert.equal(asked, 1);
  wants("alerts");
  await rows(6);
  assert.deepEqual(await kinds(), ["juggling", "brawl", "count", "line_crossing", "dwell", "presence"]);
  assert.deepEqual(await options(), [["", "All kinds"]]);
  await visible('#picture[data-state="loaded"]');
  assert.match(await measured(), /clubs 6, threshold 5\n/);
  await page.fill("#operator", "operator 7");
  await page.evaluate(() => document.activeElement.blur());
  await page.click("#alerts li:first-child");
  await visible('#alerts li:first-child[aria-selected="true"]');
  await page.clock.runFor(1600);
  await page.keyboard.press("c");
  await visible("button[data-verdict=confirmed][aria-pressed=true]");
  await page.selectOption("select[name=verdict]", "none");
  await rows(5);
  await page.selectOption("select[name=verdict]", "");
  await rows(6);
  await shots("kinds-unknown");

  // It asks again until they come. What is on screen then has titles, and the note that is being written stays.
  await page.locator("#note").pressSequentially("half a no");
  // Its clock goes on until something holds, with time in between for requests and answers.
  const until = async (holds) => {
    for (let tries = 0; !(await holds()); tries++) {
      assert.ok(tries < 300, `${holds} does not hold after ${tries} seconds of the page`);
      await page.clock.runFor(1000);
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  await until(() => asked >= 2);
  assert.equal((await kinds())[0], "juggling");
  answers = true;
  await until(async () => (await kinds())[0] !== "juggling");
  assert.ok(asked >= 3, `asked ${asked} times`);
  assert.deepEqual(await kinds(), ["Juggling with <clubs>", "brawl", "Crowd", "Line crossing", "Loitering", "Intrusion"]);
  assert.equal(await page.locator(".heading .eyebrow strong").innerText(), "Juggling with <clubs>");
  assert.match(await measured(), /6 clubs in the air, threshold 5 or less\n/);
  await page.keyboard.type("te");
  assert.equal(await page.inputValue("#note"), "half a note");
  assert.deepEqual(await options(), [["", "All kinds"], ...told.map((kind) => [kind.name, kind.title.en])]);
  await shots("kinds-known");

  // The facts of each say number, unit and threshold as the server has them.
  await page.evaluate(() => document.activeElement.blur());
  for (const words of [/clubs 6, threshold 5\n/, /6 objects at once, threshold 5 or more\n/, /An object crosses the line\n/, /held 6\.0 s, threshold 5\.0 s or more\n/]) {
    await page.keyboard.press("j");
    await page.waitForFunction((source) => new RegExp(source).test(document.querySelector("#facts").innerText), words.source);
  }
  await page.selectOption("select[name=kind]", { label: "Loitering" });
  await rows(1);
  assert.deepEqual(await kinds(), ["Loitering"]);

  // An answer that never comes holds nothing up for long, nor does one that makes no sense.
  for (const answer of [(route) => route.fulfill({ json: {} }), (route) => route.fulfill({ body: "<html>" }), () => {}]) {
    await page.unroute("**/api/v1/rule-kinds");
    await page.route("**/api/v1/rule-kinds", answer);
    await page.goto("about:blank");
    await page.goto(url);
    await visible('#connection[data-state="live"]');
    await rows(6);
  }
  assert.deepEqual(wrong.filter((text) => !text.includes("500 (Internal Server Error)")), []);
});
