// A hub that is killed and comes back with the history that it keeps on its disk: nothing lost, nothing doubled.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { BROWSERS, launch, until } from "./browsers.js";
import { Hub } from "./hub.js";
import { allSee, open, pages } from "./pages.js";

const topics = ["t"];
const topic = "t";

for (const name of BROWSERS) {
  describe(name, () => {
    let program;
    let browser;
    let elsewhere;
    let hub;

    before(async () => {
      program = await launch(name);
      elsewhere = await pages();
    });
    after(async () => {
      await program.close();
      elsewhere.close();
    });
    beforeEach(async () => {
      browser = await program.createBrowserContext();
      hub = await Hub.open("--cors-origin", elsewhere.url, "--retry-hint=false", "--drain", "2s");
    });
    afterEach(async () => {
      await browser.close();
      await hub.crash();
    });

    test("bm_56 a hub that is killed twice while events flow, for tabs of its own and of another origin", async () => {
      const at = { own: `${hub.url}/healthz`, other: elsewhere.url };
      const how = { stream: `${hub.url}/events` };
      const retry = { min: 50, max: 500 };
      const groups = await Promise.all([
        open(2, browser, at.own, { topics, retry, share: "worker" }, how),
        open(2, browser, at.own, { topics, retry, share: "leader" }, how),
        open(2, browser, at.other, { topics, retry, share: "worker" }, how),
        open(2, browser, at.other, { topics, retry, share: "leader" }, how),
      ]);
      const tabs = groups.flat();
      const sent = [];
      const store = async (count) => {
        for (let stored = 0; stored < count; stored += 1) {
          sent.push(`${sent.length}`);
          await hub.store(sent.at(-1), { topic });
        }
      };
      for (let round = 0; round < 2; round += 1) {
        await store(30);
        // Some of it is on its way, and some of it not yet published.
        const flowing = store(30);
        await until("half of it is sent", () => sent.length >= 60 * round + 45);
        await hub.restart();
        await flowing;
      }
      for (const seen of await allSee(tabs, sent.at(-1))) assert.deepEqual(seen, sent);
      for (const tab of tabs) assert.ok(!(await tab.told()).includes("gap"));
    });

    test("wb_50 a plain EventSource of the hub's own origin resumes over a kill", async () => {
      const page = await browser.newPage();
      await page.goto(`${hub.url}/healthz`);
      await listen(page, 1);
      await hub.store("before", { topic });
      await until("it came", () => page.evaluate("seen.includes('0 before')"));
      await hub.crash();
      await hub.restart();
      await hub.store("after", { topic });
      await until("it came", () => page.evaluate("seen.includes('0 after')"));
      assert.deepEqual(await page.evaluate("seen"), ["0 before", "0 after"]);
    });

    test("wb_63 a hub that drains and starts anew: each source gets each event once", async () => {
      const page = await browser.newPage();
      await page.goto(`${hub.url}/healthz`);
      // More there cannot be over HTTP/1.1.
      const count = 6;
      await listen(page, count);
      const sent = [];
      const store = async (data) => {
        await hub.store(data, { topic });
        sent.push(data);
      };
      for (let number = 0; number < 20; number += 1) await store(`${number}`);
      await hub.restart("SIGTERM");
      await store("end");
      const all = Array.from({ length: count }, (_, source) => sent.map((data) => `${source} ${data}`)).flat();
      await until("all came", async () => (await page.evaluate("seen.length")) >= all.length);
      assert.deepEqual((await page.evaluate("seen")).sort(), all.sort());
      assert.ok(await page.evaluate("errors.every((state) => state === 0)"));
    });

    /** Makes `count` plain sources, whose events are kept in `seen`. */
    async function listen(page, count) {
      await page.evaluate((count) => {
        globalThis.seen = [];
        globalThis.errors = [];
        globalThis.sources = Array.from({ length: count }, (_, number) => {
          const source = new EventSource("/events?topic=t");
          source.onmessage = ({ data }) => seen.push(`${number} ${data}`);
          source.onerror = () => errors.push(source.readyState);
          return source;
        });
      }, count);
      await until("all are open", () => page.evaluate("sources.every((it) => it.readyState === 1)"));
    }
  });
}
