// A camera without signal is on the page with its reason in both languages until it is back; its marker says what its calibration is worth.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, wants, visible, shots }) => {
  // The page's clock goes on until something holds, with time in between for requests and answers.
  const until = async (holds) => {
    for (let tries = 0; !(await holds()); tries++) {
      assert.ok(tries < 300, `${holds} does not hold after ${tries} seconds of the page`);
      await page.clock.runFor(1000);
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  const list = () => page.locator("#offline-list").innerText();
  const shown = () => page.locator("#offline").isVisible();
  const tip = async (camera) => {
    await page.locator("path.camera").nth(camera).dispatchEvent("mouseover", { bubbles: true });
    const text = await page.locator(".camera-tip").innerText();
    await page.locator("path.camera").nth(camera).dispatchEvent("mouseout", { bubbles: true });
    await page.locator(".camera-tip").waitFor({ state: "detached" });
    return text;
  };

  await page.clock.install();
  await page.goto(url);
  await visible('#connection[data-state="live"]');
  await page.locator("path.camera").nth(1).waitFor();
  assert.equal(await shown(), false);
  assert.equal(await tip(0), "East gate (gate-1)");

  wants("loss");
  await until(shown);
  assert.equal(await page.locator("#offline-count").innerText(), "1 camera without signal");
  assert.match(await list(), /^East gate \(gate-1\)\s+since .*: the camera is connected but sends nothing; check its encoder, or restart it\s+摄像机已连接但不发送数据/);
  assert.match(await page.locator('#offline-list [lang="zh-Hans"]').innerText(), /重启摄像机$/);
  assert.match(await tip(0), /sends nothing[^]*不发送数据/);
  assert.equal(await page.locator("path.camera.lost").count(), 1);
  await shots("offline", "#offline");
  wants("other reason");
  await until(async () => (await list()).includes("refuses the credentials"));
  assert.ok(!(await list()).includes("sends nothing"));

  // The alert says it too.
  wants("alert");
  await page.locator("#alerts li").waitFor();
  await until(async () => (await page.locator("#facts").innerText()).includes("the camera refuses the credentials; check user and password"));
  assert.equal(await page.locator('#facts [lang="zh-Hans"]', { hasText: "摄像机拒绝登录" }).count(), 1);

  // What the calibrations are worth.
  wants("calibrations");
  await until(async () => (await tip(1)).includes("odd"));
  assert.match(await tip(0), /control points agree within 0\.4 m$/);
  assert.match(await tip(1), /points\[3\] is odd, check it; most of the picture has no place on the ground/);

  // However many they are, the list stays readable.
  wants("all");
  await until(async () => (await page.locator("#offline-count").innerText()) === "61 cameras without signal");
  assert.equal(await page.locator("#offline-list li").count(), 51);
  assert.equal(await page.locator("#offline-list li").last().innerText(), "and 11 more");

  wants("back");
  await until(async () => !(await shown()));
  assert.equal(await page.locator("path.camera.lost").count(), 0);
  assert.deepEqual(wrong, []);
});
