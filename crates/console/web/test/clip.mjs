// The clip of an alert plays beneath its picture, muted and in a loop; without one the page says why.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, wants, visible, shots }) => {
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  // While it is being made the page says so, and shows it as soon as it is there.
  wants("alert");
  await visible('#clip[data-state="pending"]');
  assert.match(await page.locator("#clip").innerText(), /being made/);
  wants("clip");
  await visible('#clip[data-state="loaded"] video');
  const video = page.locator("#clip video");
  const seen = await video.evaluate((it) => ({ muted: it.muted, loop: it.loop, controls: it.controls, width: it.videoWidth, height: it.videoHeight }));
  assert.deepEqual(seen, { muted: true, loop: true, controls: true, width: 320, height: 240 });
  const duration = await video.evaluate((it) => it.duration);
  assert.ok(Math.abs(duration - 2.4) < 0.05, `${duration}`);
  // It plays by itself, from its end on again, and can be moved in.
  await page.waitForFunction(() => document.querySelector("#clip video").currentTime > 0.3);
  await video.evaluate((it) => new Promise((done) => (it.addEventListener("seeked", done, { once: true }), (it.currentTime = 2.3))));
  await page.waitForFunction(() => document.querySelector("#clip video").currentTime < 2);
  const shown = await video.evaluate((it) => {
    it.pause();
    const canvas = Object.assign(document.createElement("canvas"), { width: it.videoWidth, height: it.videoHeight });
    const draw = canvas.getContext("2d");
    draw.drawImage(it, 0, 0);
    return draw.getImageData(0, 0, canvas.width, canvas.height).data.reduce((most, value, at) => (at % 4 < 3 ? Math.max(most, value) : most), 0);
  });
  assert.ok(shown > 200, `the pictures are dark: ${shown}`);
  await shots("clip", "#clip");

  // Another alert, without one.
  wants("other");
  await visible('#clip[data-state="none"]');
  await page.waitForFunction(() => document.querySelector("#clip").innerText.includes("cannot be decoded"));
  assert.equal(await page.locator("#clip video").count(), 0);
  // Back to the first.
  await page.keyboard.press("j");
  await visible('#clip[data-state="loaded"] video');
  assert.deepEqual(wrong, []);
});
