// Tokens, and what the module makes of each answer.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { BROWSERS, launch, until } from "./browsers.js";
import { STREAM, fixtures } from "./fixtures.js";
import { Hub } from "./hub.js";
import { Tab, allSee, pages } from "./pages.js";

const answers = {
  "/empty": (_, answer) => answer.writeHead(204).end(),
  "/forbidden": (_, answer) => answer.writeHead(403).end(),
  "/html": (_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end("data: x\n\n"),
  "/later": (_, answer, url, visit) => {
    if (visit <= 2) answer.writeHead(502).end();
    else answer.writeHead(200, STREAM).write("id: 1\ndata: at last\n\n");
  },
  "/after": (_, answer, url, visit) => {
    if (visit === 1) answer.writeHead(503, { "Retry-After": "1", "Access-Control-Expose-Headers": "retry-after" }).end();
    else answer.writeHead(200, STREAM).write("data: at last\n\n");
  },
  /** Ends inside a block, whose id must not count. */
  "/cut": (_, answer, url, visit) => {
    answer.writeHead(200, STREAM);
    if (visit === 1) answer.end("retry: 100\nid: 1\ndata: one\n\nid: 2\ndata: tw");
    else if (visit === 2) answer.end("data: o");
    else answer.write(`id: 2\ndata: ${url.searchParams.get("lastEventId")}\n\n`);
  },
};

for (const name of BROWSERS) {
  describe(name, () => {
    let program;
    let browser;
    let origin;
    let server;

    before(async () => {
      program = await launch(name);
      origin = await pages();
      server = await fixtures(answers);
    });
    after(async () => {
      await program.close();
      origin.close();
      server.close();
    });
    beforeEach(async () => {
      browser = await program.createBrowserContext();
    });
    afterEach(() => browser.close());

    const at = (path) => ({ stream: `${server.url}${path}${path.includes("?") ? "&" : "?"}origin=*` });
    const told = (tab, type) => tab.evaluate(`other.filter(([type]) => type === "${type}").map(([, detail]) => detail)`);

    for (const [path, status, reason] of [
      ["/empty", 204, "closed"],
      ["/forbidden", 403, "unauthorized"],
      ["/missing", 404, "refused"],
      ["/html", 200, "refused"],
    ]) {
      test(`rc_16 ${path} ends it for good, in all tabs`, async () => {
        const token = `${path}-${name}`;
        const first = await Tab.open(browser, origin.url, {}, at(`${path}?token=${token}`));
        await until("closed", () => first.evaluate("source.readyState === 2"));
        assert.deepEqual(await told(first, "end"), [{ reason, status }]);
        assert.equal(await first.role(), "none");
        assert.equal(server.visits(token).length, 1);
        // The next tab asks anew.
        const second = await Tab.open(browser, origin.url, {}, at(`${path}?token=${token}`));
        await until("closed", () => second.evaluate("source.readyState === 2"));
        assert.equal(server.visits(token).length, 2);
      });
    }

    test("bm_57 a proxy without its hub is asked again until it is back", async () => {
      const how = at(`/later?token=later-${name}`);
      const tab = await Tab.open(browser, origin.url, { retry: { min: 50, max: 100 } }, how);
      assert.deepEqual(await allSee([tab], "at last"), [["at last"]]);
      assert.deepEqual((await told(tab, "error")).map((it) => it.status), [502, 502]);
    });

    test("rc_23 Retry-After is heeded", async () => {
      const token = `after-${name}`;
      const tab = await Tab.open(browser, origin.url, { retry: { min: 50 } }, at(`/after?token=${token}`));
      await allSee([tab], "at last");
      const [first, second] = server.visits(token);
      assert.ok(second.at - first.at >= 1000, `${second.at - first.at} ms`);
    });

    test("sse_19 rc_10 a block that is cut off does not count, and the cursor survives connections that bring nothing", async () => {
      const tab = await Tab.open(browser, origin.url, { retry: { min: 50, max: 50 } }, at(`/cut?token=cut-${name}`));
      assert.deepEqual(await allSee([tab], "1"), [["one", "1"]]);
    });

    test("bm_35 bm_62 tokens are renewed before they end, and private events come all the same", async () => {
      const hub = await Hub.guarded("--cors-origin", origin.url, "--heartbeat", "1s", "--retry-hint=false");
      const how = { stream: `${hub.url}/events` };
      const tabs = [];
      let made = 0;
      for (let count = 0; count < 2; count += 1) {
        const tab = await Tab.open(browser, origin.url, {}, how);
        await tab.evaluate("source.close()");
        await tab.page.exposeFunction("newToken", () => {
          made += 1;
          // A fifth of it is left when the next is asked for: enough on a busy machine.
          return Hub.token({ subscribe: ["*"], seconds: 8, jti: `${made}` });
        });
        await tab.listen({ topics: ["t"], token: true, identity: "alice" }, how);
        tabs.push(await tab.ready());
      }
      await until("one subscriber", async () => (await hub.subscribers()) === 1);
      const sent = [];
      while (made < 3) {
        sent.push(`${sent.length}`);
        await hub.publish(sent.at(-1), { topic: "t", private: true });
      }
      sent.push("end");
      await hub.publish("end", { topic: "t", private: true });
      for (const seen of await allSee(tabs, "end")) assert.deepEqual(seen, sent);
      // It was the module that came with a new one, not the hub that ended the stream.
      for (const tab of tabs) assert.deepEqual(await told(tab, "error"), []);
      assert.equal(await hub.figure('fanfare_ended_total{reason="expired"}'), 0);
      await hub.crash();
    });

    test("rc_16 a token that is refused is asked for once more; the same again ends it", async () => {
      const hub = await Hub.guarded("--cors-origin", origin.url);
      const how = { stream: `${hub.url}/events` };
      for (const [tokens, end] of [
        [["bad", "bad"], [{ reason: "unauthorized", status: 401 }]],
        [["bad", "worse", "worst"], [{ reason: "unauthorized", status: 401 }]],
        [["bad", Hub.token({ subscribe: ["*"] })], []],
      ]) {
        const tab = await Tab.open(browser, origin.url, { share: "none" }, { stream: `${server.url}/empty?origin=*` });
        const left = [...tokens];
        await tab.page.exposeFunction("newToken", () => left.shift());
        await tab.listen({ topics: ["t"], token: true }, how);
        await until("open or closed", () => tab.evaluate("source.readyState > 0"));
        assert.deepEqual(await told(tab, "end"), end);
        assert.equal(left.length, tokens.length - 2);
        await tab.close();
      }
      await hub.crash();
    });

    test("bm_01 with a token and no identity, tabs do not share", async () => {
      const tabs = [];
      for (let count = 0; count < 2; count += 1) {
        const tab = await Tab.open(browser, origin.url, {}, at("/empty"));
        await tab.page.exposeFunction("newToken", () => Hub.token({ subscribe: ["*"] }));
        tabs.push(tab);
      }
      const guarded = await Hub.guarded("--cors-origin", origin.url);
      for (const tab of tabs) await tab.listen({ token: true }, { stream: `${guarded.url}/events` });
      for (const tab of tabs) await tab.ready();
      await until("two subscribers", async () => (await guarded.subscribers()) === 2);
      await guarded.crash();
    });
  });
}
