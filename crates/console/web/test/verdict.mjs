// A verdict lands on the alert that somebody has read, once, and under a name.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, address, wrong, verdicts, wants, visible, shots }) => {
  /** The picture is there, or there is none. */
  const there = () => visible('#picture:not([data-state="loading"])');
  const shown = () => page.evaluate(() => location.hash.slice(1));
  const chosen = (row) => visible(`#alerts li:nth-child(${row})[aria-selected="true"]`);
  const pressed = (decision) => visible(`button[data-verdict=${decision}][aria-pressed=true]`);
  const error = page.locator("#verdict-error");
  /** As long as reading takes. */
  const read = () => page.clock.runFor(1600);
  await page.clock.install();
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  // From here on the page's time passes when the script says so.
  await page.clock.pauseAt(Date.now() + 60_000);

  // A verdict without a name: the key is no letter of the name.
  wants("first");
  await chosen(1);
  await read();
  await there();
  await page.keyboard.press("c");
  await visible("#operator-error");
  assert.equal(await page.inputValue("#operator"), "", "the key went into the name");
  assert.equal(await page.evaluate(() => document.activeElement.id), "operator");
  await page.keyboard.type("operator 7");
  assert.equal(await page.locator("#operator-error").isVisible(), false);
  await page.evaluate(() => document.activeElement.blur());
  assert.deepEqual(verdicts, []);

  // Somebody reads the first; the second comes; they press. Nothing lands on what they have not read.
  await page.keyboard.press("n");
  await read();
  wants("second");
  await visible("#alerts li:nth-child(2)");
  await chosen(1);
  await there();
  await page.keyboard.press("f");
  await visible("#verdict-error");
  assert.deepEqual(verdicts, [], "a verdict left for an alert that nobody has read");
  const refusal = await error.innerText();
  for (const words of [/Not stored\./, /just now: Loitering, gate-2, .*16:01:00, /, /Before it was Intrusion, gate-1, .*16:00:00, /, /press again/]) assert.match(refusal, words);
  assert.equal(refusal.split(address).length, 3, "both places are named");
  assert.equal(await page.isChecked("#follow"), false, "following goes on");
  await shots("verdict-refused", "#verdict-error");
  // Twice in a hurry is no answer to it.
  await there();
  await page.keyboard.press("f");
  assert.deepEqual(verdicts, []);
  // The one before is a press away.
  await page.click(".back");
  await chosen(2);
  await page.keyboard.press("k");
  await chosen(1);
  await there();
  await page.keyboard.press("f");
  await pressed("false_alarm");
  assert.equal(verdicts.length, 1);
  assert.deepEqual(verdicts[0], { verdict: "false_alarm", by: "operator 7", note: "", revision: 1 });
  await visible("#alerts li:nth-child(1).dismissed");

  // Sitting still and reading is enough, once the alert has been there long enough.
  await page.keyboard.press("n");
  wants("third");
  await visible("#alerts li:nth-child(3)");
  await chosen(1);
  await read();
  // A key that is held down decides once.
  await there();
  await page.keyboard.down("c");
  for (let times = 0; times < 5; times++) await page.keyboard.down("c");
  await page.keyboard.up("c");
  await pressed("confirmed");
  await page.locator("button[data-verdict=confirmed]").focus();
  await page.keyboard.down("Enter");
  for (let times = 0; times < 5; times++) await page.keyboard.down("Enter");
  await page.keyboard.up("Enter");
  await page.waitForFunction(() => document.querySelector(".verdict").getAttribute("aria-busy") === "false");
  assert.equal(verdicts.length, 3, "a key that is held down decided more than once");
  for (const key of ["Control+f", "Alt+f", "Meta+f"]) await page.keyboard.press(key);
  await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "f", bubbles: true, modifierAltGraph: true })));
  assert.equal(verdicts.length, 3, "a key with a modifier decided");

  // Pressed twice in a hurry it is one verdict; another one waits until the first is stored, and is the one that stays.
  let let_go;
  const gate = new Promise((resolve) => (let_go = resolve));
  await page.route("**/verdict", async (route) => {
    await gate;
    await route.continue();
  });
  await page.fill("#note", "a cat");
  await page.evaluate(() => document.activeElement.blur());
  await there();
  for (const key of ["c", "c", "f", "f"]) await page.keyboard.press(key);
  // A note that is being written is not lost to a verdict under way.
  await page.focus("#note");
  await page.keyboard.press("End");
  await page.keyboard.type(", or two");
  let_go();
  await pressed("false_alarm");
  await page.waitForFunction(() => document.querySelector(".verdict").getAttribute("aria-busy") === "false");
  assert.deepEqual(verdicts.slice(3).map((it) => [it.verdict, it.note]), [["confirmed", "a cat"], ["false_alarm", "a cat"]]);
  assert.equal(await page.inputValue("#note"), "a cat, or two");
  assert.equal(await page.evaluate(() => document.activeElement.id), "note", "the focus is lost");
  await page.unroute("**/verdict");
  await page.evaluate(() => document.activeElement.blur());

  // A verdict that is lost is not overlooked by somebody who has moved on: it says what it was about, and stays.
  wants("more");
  await visible("#alerts li:nth-child(8)");
  for (let row = 1; row < 6; row++) await page.keyboard.press("k");
  await chosen(1);
  for (let row = 1; row < 5; row++) await page.keyboard.press("j");
  await chosen(5);
  await page.route("**/verdict", (route) => route.abort());
  await there();
  await page.keyboard.press("c");
  await page.keyboard.press("k");
  await visible("#verdict-lost");
  await page.keyboard.press("k");
  await chosen(3);
  assert.match(
    await page.locator("#verdict-lost p").innerText(),
    /^The verdict about Crowd, gate-2, .*16:03:00, .* may not be stored: the server cannot be reached\.$/,
  );
  await shots("verdict-lost", "#verdict-lost");
  await page.click(".quit");
  assert.equal(await page.locator("#verdict-lost").isVisible(), false);
  await page.keyboard.press("j");
  await page.unroute("**/verdict");

  // Moved and decided in one go is deliberate; where the row leaves the list, moving goes on from there.
  await page.selectOption("select[name=verdict]", "none");
  await page.waitForFunction(() => document.querySelectorAll("#alerts li").length === 6);
  await page.evaluate(() => document.activeElement.blur());
  await chosen(4);
  const fourth = await shown();
  await there();
  await page.keyboard.press("f");
  await page.waitForFunction((id) => !document.querySelector(`#alerts li[data-id="${id}"]`), fourth);
  const below = await page.locator("#alerts li").nth(3).getAttribute("data-id");
  await page.keyboard.press("j");
  await chosen(4);
  assert.equal(await shown(), below, "the next is the one below");

  // Rows that slid under the pointer: the one that was hit is not the one that was aimed at.
  const before = verdicts.length;
  wants("late");
  await visible("#alerts li:nth-child(6)");
  await page.evaluate(() => document.querySelector("#alerts li:nth-child(2)").click());
  await there();
  await page.keyboard.press("f");
  await visible("#verdict-error");
  assert.equal(verdicts.length, before);

  // Nobody decides about a picture that is not there yet.
  let show_it;
  const darkroom = new Promise((resolve) => (show_it = resolve));
  await page.route("**/snapshot*", async (route) => {
    await darkroom;
    await route.continue();
  });
  await page.keyboard.press("j");
  await visible('#picture[data-state="loading"]');
  await read();
  await page.keyboard.press("f");
  await visible("#verdict-error");
  assert.match(await error.innerText(), /picture is still being loaded/);
  assert.equal(verdicts.length, before);
  show_it();
  await there();

  // What came to the front while nobody looked at the page was read by nobody.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.keyboard.press("f");
  await visible("#verdict-error");
  assert.match(await error.innerText(), /just now/);
  assert.equal(verdicts.length, before);
  await read();
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.querySelector(".verdict").getAttribute("aria-busy") !== "true");
  assert.equal(verdicts.length, before + 1);
  assert.deepEqual(wrong.filter((text) => !text.includes("net::ERR_FAILED")), []);
});
