// A person logs in, gives a verdict under the account, is logged out by the server while working, and goes on; then changes the password.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, verdicts, wants, visible, hidden, shots }) => {
  page.setDefaultTimeout(20_000);
  const password = "correct horse battery";
  const logIn = async (name, secret) => {
    await page.fill("#login-name", name);
    await page.fill("#login-password", secret);
    await page.keyboard.press("Enter");
  };
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(url);
  await visible("#login");
  assert.equal(await page.evaluate(() => document.activeElement.id), "login-name");
  // Before anybody is known, nothing else is asked of the server.
  assert.deepEqual(asked.filter((path) => path.startsWith("/api/") && path !== "/api/v1/session" && path !== "/api/v1/session/ways"), []);
  assert.equal(await page.locator("#login-provider").isVisible(), false, "there is no provider");
  await page.keyboard.press("Escape");
  await visible("#login");
  await shots("login");
  await logIn("anna", "not the password");
  await visible("#login-error");
  assert.match(await page.innerText("#login-error"), /name or password is wrong/);
  assert.equal(await page.inputValue("#login-password"), "", "a password stays in the field");

  await logIn("anna", password);
  await hidden("#login");
  await visible('#connection[data-state="live"]');
  assert.equal(await page.innerText(".account"), "anna");
  assert.equal(await page.locator("#operator").isVisible(), false, "an account still types a name");
  assert.equal(await page.locator("#local").isVisible(), false);
  wants("first");
  await visible("#alerts li[aria-selected=true]");
  await visible('#picture:not([data-state="loading"])');
  // As long as reading takes: a verdict before that is refused.
  await page.waitForTimeout(2_000);
  await page.locator("button[data-verdict=confirmed]").click();
  await visible("button[data-verdict=confirmed][aria-pressed=true]");
  assert.equal(verdicts.at(-1).by, null, "a name left the page");
  await visible(".said");
  assert.match(await page.innerText(".said"), /by anna/);
  await shots("logged-in");

  // The server ends the session: the page asks again, and what was on it is still there.
  wants("end of the session");
  await visible("#login");
  assert.match(await page.innerText("#login-error"), /session is over/);
  await logIn("anna", password);
  await hidden("#login");
  await visible('#connection[data-state="live"]');
  await visible("button[data-verdict=confirmed][aria-pressed=true]");

  await page.click("#change-password");
  await page.fill("#password-old", password);
  await page.fill("#password-new", "a bridge over nine rivers");
  await page.click('#password button[value="change"]');
  await visible("#login");
  await logIn("anna", "a bridge over nine rivers");
  await hidden("#login");
  await visible("#log-out");
  await page.click("#log-out");
  await visible("#login");
  // A refused request is a line in the browser's console, which is all that it may complain of.
  assert.deepEqual(wrong.filter((text) => !/status of (400|401)/.test(text)), []);
});
