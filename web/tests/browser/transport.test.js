// How the module reads: by `fetch`, by the browser's own EventSource, or in pieces; and how a page takes what it read.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { BROWSERS, launch, until } from "./browsers.js";
import { STREAM, fixtures } from "./fixtures.js";
import { Hub } from "./hub.js";
import { Link } from "./link.js";
import { Tab, allSee, open, pages } from "./pages.js";

const topics = ["t"];
const topic = "t";
const retry = { min: 50, max: 200 };

const answers = {
  "/forbidden": (_, answer) => answer.writeHead(403).end(),
  "/gone": (_, answer) => answer.writeHead(204).end(),
  /** Fails twice, for whoever asks; and the browser asks by GET, the module by HEAD. */
  "/later": (request, answer, url, visit) => {
    if (visit <= 2) answer.writeHead(502).end();
    else if (request.method === "HEAD") answer.writeHead(200, STREAM).end();
    else answer.writeHead(200, STREAM).write("id: 1\ndata: at last\n\n");
  },
};

/** A proxy that passes an answer on when it has all of it. */
async function holdingBack(hub) {
  const server = http.createServer((request, answer) => {
    const passed = http.request(hub.url + request.url, { method: request.method, headers: request.headers }, (given) => {
      const parts = [];
      given.on("data", (part) => parts.push(part));
      given.on("end", () => answer.writeHead(given.statusCode, given.headers).end(Buffer.concat(parts)));
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    request.pipe(passed);
  });
  server.listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

for (const name of BROWSERS) {
  describe(name, () => {
    let program;
    let browser;
    let elsewhere;
    let hub;
    let how;
    let server;

    before(async () => {
      program = await launch(name);
      elsewhere = await pages();
      server = await fixtures(answers);
      hub = await Hub.open("--cors-origin", elsewhere.url, "--heartbeat", "1s", "--retry-hint=false");
      how = { stream: `${hub.url}/events` };
    });
    after(async () => {
      await program.close();
      elsewhere.close();
      server.close();
      await hub.crash();
    });
    beforeEach(async () => {
      browser = await program.createBrowserContext();
    });
    afterEach(async () => {
      await browser.close();
      await subscribers(0);
    });

    const subscribers = (count) => until(`${count} subscribers`, async () => (await hub.subscribers()) === count);
    const told = (tab, type) => tab.evaluate(`other.filter(([type]) => type === "${type}").map(([, detail]) => detail)`);

    for (const share of ["worker", "leader"]) {
      test(`bm_54 ${share}, by EventSource: the owner's tab is closed while events flow`, async () => {
        const tabs = await open(3, browser, elsewhere.url, { topics, share, transport: "eventsource" }, how);
        await subscribers(1);
        const sent = [];
        const store = async (count) => {
          for (let stored = 0; stored < count; stored += 1) {
            sent.push(`${sent.length}`);
            await hub.publish(sent.at(-1), { topic });
          }
        };
        await store(20);
        // Before its first event such a source has no place to go on from.
        await allSee(tabs, "19");
        const flowing = store(200);
        const roles = () => Promise.all(tabs.map((tab) => tab.role()));
        const leads = share === "worker" ? 0 : await until("one leads", async () => (await roles()).indexOf("leader") + 1) - 1;
        await tabs.splice(leads, 1)[0].close();
        await flowing;
        for (const seen of await allSee(tabs, "219")) assert.deepEqual(seen, sent);
        await subscribers(1);
        for (const tab of tabs) assert.equal(await tab.evaluate("source.transport"), "eventsource");
      });
    }

    test("bm_08 by EventSource, a tab sees the types that it listens to, also those of later listeners", async () => {
      const tabs = await open(2, browser, elsewhere.url, { topics, transport: "eventsource" }, how);
      const listen = (tab, type) =>
        tab.evaluate(`source.addEventListener("${type}", ({ type, data }) => seen.push(type + " " + data))`);
      await listen(tabs[0], "price");
      await listen(tabs[1], "news");
      // Once these have come, what was said before is known to the owner.
      for (const event of ["price", "news"]) {
        const came = () => tabs[event === "price" ? 0 : 1].evaluate(`seen.some((it) => it.startsWith("${event}"))`);
        await until(`${event} comes`, async () => {
          await hub.publish("x", { topic, event });
          return came();
        });
      }
      await hub.publish("end", { topic });
      const [first, second] = await allSee(tabs, "end");
      assert.ok(first.every((it) => it === "end" || it === "price x"), `${first}`);
      assert.ok(second.every((it) => it === "end" || it === "news x"), `${second}`);
    });

    test("bm_30 bm_31 by EventSource, what closed it is asked for by HEAD", async () => {
      const tab = await Tab.open(browser, elsewhere.url, { transport: "eventsource", retry }, {
        stream: `${server.url}/later?origin=*&token=later-${name}`,
      });
      assert.deepEqual(await allSee([tab], "at last"), [["at last"]]);
      assert.deepEqual((await told(tab, "error"))[0], { status: 502, retryIn: (await told(tab, "error"))[0].retryIn });
      const methods = server.visits(`later-${name}`).map((visit) => visit.method);
      assert.deepEqual(methods.slice(0, 2), ["GET", "HEAD"]);
      for (const [path, status, reason] of [
        ["/gone", 204, "closed"],
        ["/forbidden", 403, "unauthorized"],
      ]) {
        await tab.evaluate("source.close()");
        await tab.listen({ transport: "eventsource", retry }, { stream: `${server.url}${path}?origin=*&token=${path}-${name}` });
        await until("closed", () => tab.evaluate("source.readyState === 2"));
        assert.deepEqual(await told(tab, "end"), [{ reason, status }]);
      }
    });

    test("bm_30 bm_32 by EventSource, a connection that is cut, refused or silent is made anew", async () => {
      const link = await Link.open(hub.address);
      const through = { stream: `${link.url}/events` };
      const tabs = await open(2, browser, elsewhere.url, { topics, retry, transport: "eventsource" }, through);
      await hub.publish("before", { topic });
      await allSee(tabs, "before");
      link.break();
      await subscribers(0);
      await hub.publish("meanwhile", { topic });
      link.mend();
      await allSee(tabs, "meanwhile");
      link.hold();
      await hub.publish("into the void", { topic });
      for (const seen of await allSee(tabs, "into the void")) assert.deepEqual(seen, ["before", "meanwhile", "into the void"]);
      for (const tab of tabs) await tab.close();
      link.close();
    });

    test("bm_09 srv_26 behind a proxy that holds answers back, they come in pieces", async () => {
      const proxy = await holdingBack(hub);
      const through = { stream: `${proxy.url}/events` };
      const tabs = [
        await Tab.open(browser, elsewhere.url, { topics, retry }, through),
        await Tab.open(browser, elsewhere.url, { topics, retry, transport: "eventsource" }, through),
      ];
      // An event ends a piece. Before its first a reader behind such a proxy has no place to go on from.
      await until("all poll", async () => {
        await hub.publish("early", { topic });
        const polls = tabs.map((tab) => tab.evaluate("source.transport === 'poll' && seen.includes('early')"));
        return (await Promise.all(polls)).every(Boolean);
      });
      const sent = [];
      for (let number = 0; number < 5; number += 1) {
        sent.push(`${number}`);
        await hub.publish(`${number}`, { topic });
        for (const seen of await allSee(tabs, `${number}`)) assert.deepEqual(seen.filter((it) => it !== "early"), sent);
      }
      // Ends of pieces are no losses.
      const errors = await Promise.all(tabs.map(async (tab) => (await told(tab, "error")).length));
      await hub.publish("end", { topic });
      await allSee(tabs, "end");
      assert.deepEqual(await Promise.all(tabs.map(async (tab) => (await told(tab, "error")).length)), errors);
      for (const tab of tabs) await tab.close();
      proxy.close();
    });

    test("srv_15 live is told to each tab, once all that it missed has come", async () => {
      const before = await hub.publish("before", { topic });
      await hub.publish("missed", { topic });
      const watch = async (options) => {
        const tab = new Tab(await browser.newPage());
        await tab.page.goto(elsewhere.url);
        await tab.page.evaluate(
          async (stream, options) => {
            const { Fanfare } = await import("/fanfare.js");
            globalThis.seen = [];
            globalThis.source = new Fanfare(stream, options);
            source.onmessage = ({ data }) => seen.push(data);
            source.onlive = () => seen.push("LIVE");
          },
          how.stream,
          { topics, ...options },
        );
        return tab;
      };
      const tabs = [await watch({ lastEventId: before }), await watch({}), await watch({ lastEventId: before })];
      await allSee(tabs, "LIVE");
      await hub.publish("new", { topic });
      const seen = await allSee(tabs, "new");
      assert.deepEqual(seen, [
        ["missed", "LIVE", "new"],
        ["LIVE", "new"],
        ["missed", "LIVE", "new"],
      ]);
    });

    test("bm_12 events() has every type and every gap, in order, until it is told to stop", async () => {
      const tab = await Tab.open(browser, elsewhere.url, { topics }, how);
      // Made where it is iterated: a gap that came before the first turn would not be among its events.
      await tab.evaluate(`{
        source.close();
        globalThis.source = new source.constructor("${how.stream}", { topics: ["t"], lastEventId: "lost" });
        globalThis.stop = new AbortController();
        globalThis.taken = [];
        (async () => {
          for await (const { type, data, detail } of source.events({ signal: stop.signal })) taken.push([type, data ?? detail.reason]);
          taken.push(["stopped", ""]);
        })();
        undefined;
      }`);
      await tab.ready();
      await hub.publish("1", { topic });
      await hub.publish("2", { topic, event: "price" });
      await hub.publish("3", { topic });
      await until("three came", () => tab.evaluate("taken.length === 4"));
      await tab.evaluate("stop.abort()");
      await until("it stops", () => tab.evaluate("taken.length === 5"));
      const all = [["gap", "unknown"], ["message", "1"], ["price", "2"], ["message", "3"], ["stopped", ""]];
      assert.deepEqual(await tab.evaluate("taken"), all);
      // Closing ends it too, after what waits.
      await tab.evaluate(`{
        globalThis.rest = [];
        (async () => {
          for await (const { data } of source.events()) rest.push(data);
          rest.push("closed");
        })();
        undefined;
      }`);
      await hub.publish("4", { topic });
      await until("it came", () => tab.evaluate("rest.length === 1"));
      await tab.evaluate("source.close()");
      await until("it ends", () => tab.evaluate("rest.length === 2"));
      assert.deepEqual(await tab.evaluate("rest"), ["4", "closed"]);
    });

    test("bm_33 a tab that is hidden for long gives its connection up, and goes on from its place", async () => {
      const [tab] = await open(1, browser, elsewhere.url, { topics, pauseWhenHidden: 100 }, how);
      await hub.publish("before", { topic });
      await allSee([tab], "before");
      const show = (state) =>
        tab.evaluate(`Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
          document.dispatchEvent(new Event("visibilitychange"))`);
      await show("hidden");
      await subscribers(0);
      await hub.publish("meanwhile", { topic });
      assert.equal(await tab.role(), "none");
      await show("visible");
      assert.deepEqual(await allSee([tab], "meanwhile"), [["before", "meanwhile"]]);
    });
  });
}
