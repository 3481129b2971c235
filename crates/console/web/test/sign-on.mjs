// A person logs in at the provider of single sign-on, which is of another site than the page, and logs out there too.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

await inBrowser(async ({ page, url, wrong, visible, wants, shots }) => {
  page.setDefaultTimeout(20_000);
  // Under another site's name than the provider.
  const here = url.replace("127.0.0.1", "localhost");
  await page.goto(`${here}/#from-a-link`);
  await visible("#login");
  await visible("#log-in-at-provider");
  assert.match(await page.innerText("#log-in-at-provider"), /^Log in with Site\s+使用 Site 登录$/);
  await shots("sign-on");
  await page.click("#log-in-at-provider");
  await visible('#connection[data-state="live"]');
  assert.equal(page.url(), `${here}/#from-a-link`);
  assert.equal(await page.innerText(".account"), "anna");
  await page.reload();
  await visible(".account");

  await page.click("#log-out");
  await visible("#login");
  wants("logged out there");

  // Without a role, the person reads why.
  wants("no role");
  await page.click("#log-in-at-provider");
  await visible(".refused");
  assert.match(await page.innerText(".refused"), /anna has no role here/);
  await shots("sign-on-refused");
  await page.click(".refused a");
  await visible("#login");
  const expected = /status of (400|401|403)|left the server/;
  assert.deepEqual(wrong.filter((text) => !expected.test(text)), []);
});
