// A page of another site whose name leads to this machine, as a rebinding name server makes it: it reads nothing and decides nothing.
import assert from "node:assert/strict";
import { inBrowser } from "./browser.mjs";

const [, , own, , id] = process.argv;
const attacker = own.replace("127.0.0.1", "attacker.example");

/** What the page can do at `at`: the statuses of its requests, or `blocked`. */
const attempts = (page, at) =>
  page.evaluate(
    async ([at, id]) => {
      const path = (rest) => `${at}/api/v1/alerts${rest}`;
      const verdict = JSON.stringify({ verdict: "false_alarm", by: "operator 7" });
      const ask = (address, init) => fetch(address, init).then((answer) => answer.status, () => "blocked");
      const stream = new Promise((done) => {
        const source = new EventSource(path("/stream"));
        const end = (what) => () => (source.close(), done(what));
        source.addEventListener("ready", end("open"));
        source.addEventListener("error", end("blocked"));
      });
      return {
        list: await ask(path("")),
        snapshot: await ask(path(`/${id}/snapshot?by=operator%207`)),
        opaque: await ask(path(`/${id}/snapshot?by=operator%207`), { mode: "no-cors" }),
        verdict: await ask(path(`/${id}/verdict`), { method: "POST", headers: { "content-type": "application/json" }, body: verdict }),
        simple: await ask(path(`/${id}/verdict`), { method: "POST", mode: "no-cors", body: verdict }),
        stream: await stream,
      };
    },
    [at, id],
  );

await inBrowser(
  async ({ page }) => {
    // An answer of the console, even a refusal, is a document of the attacker's origin.
    const first = await page.goto(`${attacker}/readyz`);
    assert.equal(first.status(), 421);
    assert.equal(await page.evaluate(() => location.origin), attacker);
    const rebound = await attempts(page, attacker);
    const { opaque, simple, stream, ...readable } = rebound;
    assert.deepEqual(readable, { list: 421, snapshot: 421, verdict: 421 });
    assert.deepEqual([opaque, simple, stream], [421, 421, "blocked"]);
    // The same page, without rebinding. What it may send without asking has an answer that it cannot read.
    const across = await attempts(page, own);
    for (const name of ["list", "snapshot", "verdict", "stream"]) assert.equal(across[name], "blocked", name);
    for (const name of ["opaque", "simple"]) assert.ok([0, "blocked"].includes(across[name]), name);
    // The console's own names serve the page.
    for (const name of ["127.0.0.1", "localhost"]) {
      const answer = await page.goto(own.replace("127.0.0.1", name));
      assert.equal(answer.status(), 200, name);
      await page.locator('#connection[data-state="live"]').waitFor({ state: "visible" });
    }
  },
  undefined,
  ["--host-resolver-rules=MAP attacker.example 127.0.0.1"],
);
