// While there are no accounts, whoever sits at the machine makes the first one, and is asked for its password from then on.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, visible, hidden, shots }) => {
  page.setDefaultTimeout(20_000);
  await page.goto(url);
  await visible("#accounts-open");
  await visible("#local");
  await shots("accounts-none");
  await page.click("#accounts-open");
  await page.locator("#admin-count", { hasText: "There are no accounts yet" }).waitFor();
  await page.click("#admin-add");
  await page.fill("#admin-name", "root");
  await page.fill("#admin-password", "correct horse battery");
  await page.fill("#admin-grants", "viewer");
  await page.click("#accounts .question button[type=submit]");
  await page.locator("#admin-grants-error", { hasText: "make an administrator first" }).waitFor();
  await page.fill("#admin-grants", "administrator");
  await page.click("#accounts .question button[type=submit]");
  await visible("#login");
  await hidden("#accounts");
  await page.waitForFunction(() => document.activeElement.id === "login-name");
  await page.fill("#login-name", "root");
  await page.fill("#login-password", "correct horse battery");
  await page.keyboard.press("Enter");
  await visible(".account");
  assert.equal(await page.innerText(".account"), "root");
  assert.equal(await page.locator("#local").isVisible(), false);

  // The own password: a wrong one is said beside its field, and nothing typed stays.
  await page.click("#change-password");
  await page.fill("#password-old", "not the password");
  await page.fill("#password-new", "a bridge over nine rivers");
  await page.keyboard.press("Enter");
  await page.locator("label:has(#password-old) + #password-error", { hasText: "the password is wrong" }).waitFor();
  await shots("password-refused");
  await page.keyboard.press("Escape");
  await hidden("#password");
  assert.deepEqual(await page.locator("#password input").evaluateAll((all) => all.map((it) => it.value)), ["", "", ""]);
  assert.deepEqual(wrong.filter((it) => !/status of (400|401)/.test(it)), []);
});
