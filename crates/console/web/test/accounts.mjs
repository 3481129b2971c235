// An administrator keeps accounts, sessions and tokens in the dialog, with the keyboard where it says so; another one reads it in Chinese.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

const password = "correct horse battery";

/** What the parts of the play use. */
function hands({ page, url, ...given }) {
  const context = page.context();
  const said = async (words) => page.locator("#accounts-said", { hasText: words }).waitFor();
  const text = (selector) => page.locator(selector).innerText();
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.act || document.activeElement.tagName);
  const button = (of, act) => `#accounts [data-of="${of}"][data-act="${act}"]`;
  const submit = () => page.click("#accounts .question button[type=submit]");
  /** Another person, in a browser of their own. */
  const other = async (name, secret, locale = "en-GB") => {
    const its = await (await context.browser().newContext({ locale })).newPage();
    its.setDefaultTimeout(20_000);
    await its.goto(url);
    await its.fill("#login-name", name);
    await its.fill("#login-password", secret);
    await its.keyboard.press("Enter");
    await its.locator("#log-out").waitFor();
    return its;
  };
  /** Presses Tab until something has the focus. */
  const tabTo = async (name) => {
    for (let press = 0; press < 40; press++) {
      if ((await focused()) === name) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not lead to ${name}`);
  };
  const spoken = [];
  page.on("console", (message) => spoken.push(message.text()));
  return { page, url, context, said, text, focused, button, submit, other, tabTo, spoken, ...given };
}

async function enter({ page, url, wants, visible }) {
  await page.goto(url);
  await page.fill("#login-name", "root");
  await page.fill("#login-password", password);
  await page.keyboard.press("Enter");
  await visible("#accounts-open");
  wants("first");
  await visible("#alerts li[aria-selected=true]");
}

/** With the keyboard only: open, add an account, close. */
async function keyboard({ page, verdicts, visible, hidden, shots, said, text, focused, button, tabTo }) {
  await page.locator("#accounts-open").focus();
  await page.keyboard.press("Enter");
  await visible(button("root", "roles"));
  assert.equal(await page.locator(button("root", "roles")).getAttribute("aria-label"), "Roles: root");
  await page.waitForTimeout(2_000);
  await page.keyboard.press("c");
  await tabTo("admin-add");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "admin-name");
  await page.keyboard.type("berta");
  await page.keyboard.press("Tab");
  await page.keyboard.type("too short");
  await page.keyboard.press("Tab");
  await page.keyboard.type("operator@group:east gate, group:gates\nviewer");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await visible("#admin-password-error");
  assert.match(await text("#admin-password-error"), /^the password has fewer than 12 characters; give a longer one/);
  assert.equal(await focused(), "admin-password", "the field at fault has no focus");
  assert.equal(await page.getAttribute("#admin-password", "aria-invalid"), "true");
  await shots("accounts-refused");
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("a bridge over nine rivers");
  await page.keyboard.press("Enter");
  await said("The account berta is added.");
  assert.equal(await focused(), "admin-add", "the focus does not come back");
  await visible(button("berta", "roles"));
  assert.deepEqual(await page.locator('tr[data-key="berta"] .roles li').allInnerTexts(), ["viewer", "operator@group:east gate,group:gates"]);
  await page.keyboard.press("Escape");
  await hidden("#accounts");
  assert.equal(await focused(), "accounts-open");
  assert.deepEqual(verdicts, [], "a key for the page beneath got through");
}

/** What is refused is said where it is wrong. */
async function refusals({ page, visible, shots, focused, submit }) {
  await page.click("#accounts-open");
  await shots("accounts");
  await page.click("#admin-add");
  const refused = async (name, roles, error, words) => {
    await page.fill("#admin-name", name);
    await page.fill("#admin-password", password);
    await page.fill("#admin-grants", roles);
    await submit();
    await page.locator(error, { hasText: words }).waitFor();
    assert.equal(await page.locator("#accounts .question .error:visible").count(), 1, "one thing is wrong");
  };
  await refused("carla", "viewer\nchief", "#admin-grants-error", /^“chief” is no role: write viewer, /);
  await refused("carla", "viewer\noperator@unit:7", "#admin-grants-error", /^“operator@unit:7” has no such area: /);
  await refused("carla", "auditor@group:gates", "#admin-grants-error", /always for the whole site; leave its areas out/);
  await refused("carla", " ", "#admin-grants-error", /there is no role; give at least one/);
  await refused("<img src=x onerror=alert(1)>", "viewer", "#admin-name-error", /a name has 1 to 64 letters/);
  await refused("berta", "viewer", "#accounts form > .error", /^there is already the account `berta`; give another name/);
  await page.keyboard.press("Escape");
  await visible("#accounts");
  assert.equal(await page.locator("#accounts form").count(), 0, "what was typed is still there");
  assert.equal(await focused(), "admin-add");
}

/** Roles and password of another person, who is logged in. */
async function changes({ page, visible, said, text, focused, button, submit, other }) {
  const berta = await other("berta", "a bridge over nine rivers");
  assert.equal(await berta.locator("#accounts-open").isVisible(), false, "an operator is offered accounts");
  await page.click(button("berta", "roles"));
  assert.equal(await page.inputValue("#admin-grants"), "viewer\noperator@group:east gate,group:gates");
  await page.fill("#admin-grants", "evidence");
  await submit();
  await said("The roles of berta are changed.");
  assert.equal(await focused(), "roles");
  await page.locator('tr[data-key="berta"] .roles li', { hasText: /^evidence$/ }).waitFor();
  await page.click(button("berta", "enabled"));
  await said("berta is disabled; its sessions have ended.");
  await berta.locator("#login").waitFor();
  await page.locator(button("berta", "enabled"), { hasText: "Enable" }).click();
  await said("berta is enabled.");
  await page.click(button("berta", "password"));
  await page.fill("#admin-password", "nine rivers and a bridge");
  await submit();
  await said("berta has another password");
  await (await other("berta", "nine rivers and a bridge")).context().close();
  await page.click(button("root", "enabled"));
  await visible("#accounts-error");
  assert.match(await text("#accounts-error"), /no administrator would be left/);
}

/** Removing asks first, and Escape is no. */
async function removal({ page, hidden, shots, said, text, focused, button, submit }) {
  await page.click(button("berta", "remove"));
  assert.match(await text("#accounts .question"), /Remove the account berta\?/);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "remove");
  await page.keyboard.press("Enter");
  await shots("accounts-remove");
  await submit();
  await said("The account berta is removed.");
  await hidden(button("berta", "remove"));
  await page.waitForFunction(() => document.activeElement.id === "admin-filter");
}

/** A token: its secret is shown once, and works until it is revoked. */
async function token({ page, url, context, visible, hidden, shots, said, focused, button, submit, spoken }) {
  await page.click('[data-part="tokens"]');
  await page.locator("#admin-count", { hasText: "There are no tokens." }).waitFor();
  await page.click("#admin-add");
  await page.fill("#admin-name", "prometheus");
  await page.fill("#admin-grants", "monitor");
  await page.fill("#admin-days", "400");
  await submit();
  await page.locator("#admin-days-error", { hasText: "a token lives 1 to 366 days" }).waitFor();
  // The form is left before the answer is there.
  await page.fill("#admin-days", "7");
  await page.route("**/api/v1/tokens", async (route) => {
    if (route.request().method() === "POST") await page.keyboard.press("Escape");
    await route.continue();
  });
  await page.keyboard.press("Enter");
  await said("The token prometheus is made, but nobody has seen its secret: revoke it.");
  assert.equal(await page.locator("#admin-secret").count(), 0);
  await page.unroute("**/api/v1/tokens");
  await page.click(button("prometheus", "revoke"));
  await submit();
  await said("The token prometheus is revoked.");
  await page.click("#admin-add");
  await page.fill("#admin-name", "prometheus");
  await page.fill("#admin-grants", "monitor");
  await page.fill("#admin-days", "7");
  await page.keyboard.press("Enter");
  await said("The token prometheus is made.");
  assert.equal(await focused(), "admin-secret");
  const secret = await page.inputValue("#admin-secret");
  assert.match(secret, /^vdt_/);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("#admin-copy");
  await page.locator(".secret", { hasText: "Copied." }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await visible(button("prometheus", "revoke"));
  await shots("accounts-token");
  const asked = () => fetch(`${url}/api/v1/session`, { headers: { authorization: `Bearer ${secret}` } });
  assert.equal((await (await asked()).json()).who, "token:prometheus");
  await page.click("#accounts-close");
  await hidden("#accounts");
  const left = await page.evaluate(() => [
    document.documentElement.outerHTML, location.href, JSON.stringify({ ...localStorage, ...sessionStorage }), ...[...document.querySelectorAll("input, textarea")].map((it) => it.value),
  ]);
  assert.ok(![...left, ...spoken].some((it) => it.includes(secret)), "the secret is still there");
  await page.click("#accounts-open");
  await page.click('[data-part="tokens"]');
  await page.click(button("prometheus", "revoke"));
  await submit();
  await said("The token prometheus is revoked.");
  assert.equal((await asked()).status, 401);
}

/** A session of another person ends. */
async function session({ page, shots, said, button, other }) {
  const anna = await other("anna", password);
  await page.click('[data-part="sessions"]');
  const its = page.locator("#accounts tbody tr", { hasText: "anna" });
  await its.first().waitFor();
  await shots("accounts-sessions");
  await its.locator("button").click();
  await said("A session of anna has ended.");
  await anna.locator("#login").waitFor();
}

/** Many accounts, one with what would be markup, and one of the provider. */
async function many({ page, shots, text, button }) {
  const accounts = Array.from({ length: 450 }, (_, number) => ({
    name: `person-${number}`, login: "password", grants: [{ role: "viewer" }], enabled: true, made: "2026-03-01T08:00:00Z", changed: "2026-03-01T08:00:00Z",
  }));
  accounts[0].grants = [{ role: "<img src=x onerror=document.title='inside'>", areas: ["group:<b>gates</b>"] }];
  accounts[1].login = "https://id.example/realms/site";
  await page.route("**/api/v1/accounts", (route) => route.fulfill({ json: accounts }));
  await page.click('[data-part="accounts"]');
  await page.locator("#admin-count", { hasText: "250 more: type in the filter to find them." }).waitFor();
  assert.equal(await page.locator("#accounts tbody tr").count(), 200);
  assert.equal(await page.locator("#accounts tbody :is(img, b)").count(), 0, "a role became markup");
  assert.match(await text('tr[data-key="person-0"] .roles'), /<img src=x .*@group:<b>gates<\/b>/);
  assert.equal(await page.title(), "Vedette");
  assert.equal(await page.locator(button("person-1", "password")).count(), 0, "a provider's account has a password here");
  await shots("accounts-many");
  await page.fill("#admin-filter", "person-44");
  assert.equal(await page.locator("#accounts tbody tr").count(), 11);
  await page.unroute("**/api/v1/accounts");
}

/** In Chinese, as the browser asks. */
async function chinese({ page, said, button, submit, other }) {
  await page.fill("#admin-filter", "");
  await page.click('[data-part="accounts"]');
  await page.click(button("anna", "roles"));
  await page.fill("#admin-grants", "administrator");
  await submit();
  await said("The roles of anna are changed.");
  const reader = await other("anna", password, "zh-CN");
  await reader.click("#accounts-open");
  await reader.locator(button("root", "roles"), { hasText: "角色" }).waitFor();
  assert.equal(await reader.getAttribute("#accounts", "lang"), "zh-Hans");
  assert.equal(await reader.innerText("#admin-add"), "添加账户");
  await reader.click("#admin-add");
  await reader.fill("#admin-name", "dora");
  await reader.fill("#admin-password", "short");
  await reader.fill("#admin-grants", "viewer");
  await reader.click("#accounts .question button[type=submit]");
  await reader.locator("#admin-password-error", { hasText: "密码少于 12 个字符" }).waitFor();
  const folder = process.env.VEDETTE_PAGE_SHOTS;
  if (folder) await reader.screenshot({ path: `${folder}/accounts-zh.png` });
  return reader;
}

/** Whoever loses the permission, or the session, loses the dialog. */
async function losses({ page, wants, hidden, shots, button, submit }, reader) {
  await page.click(button("root", "roles"));
  await page.fill("#admin-grants", "viewer");
  await submit();
  await hidden("#accounts");
  await page.locator("#notice", { hasText: "You may no longer administer accounts." }).waitFor();
  await shots("accounts-lost");
  await page.click("#notice button");
  await hidden("#notice");
  assert.equal(await page.locator("#accounts-open").isVisible(), false);
  wants("end of the session");
  await reader.locator("#login").waitFor();
  await reader.locator("#accounts").waitFor({ state: "hidden" });
  await reader.waitForFunction(() => document.activeElement.id === "login-name");
}

await inBrowser(async (given) => {
  given.page.setDefaultTimeout(20_000);
  const all = hands(given);
  await enter(all);
  for (const part of [keyboard, refusals, changes, removal, token, session, many]) await part(all);
  await losses(all, await chinese(all));
  assert.deepEqual(given.wrong.filter((it) => !/status of (400|401|403|409)/.test(it)), []);
});
