// One connection for all tabs, in real browsers and against the real hub.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { FAR_NAME, inEach, launch, until } from "./browsers.js";
import { Hub } from "./hub.js";
import { Link } from "./link.js";
import { Tab, allSee, open, pages } from "./pages.js";

const topics = ["t"];
const topic = "t";

inEach("sharing", (name) => {
  let program;
  let hub;
  // Each test has an empty profile and a way to the hub of its own.
  let browser;
  let link;
  /** Where pages are that use the link: any page of the hub is of its origin. */
  let at;

  before(async () => {
    program = await launch(name, { acceptInsecureCerts: true });
    hub = await Hub.open("--heartbeat", "1s", "--retry-hint=false");
  });
  after(async () => {
    await program.close();
    await hub.crash();
  });
  beforeEach(async () => {
    browser = await program.createBrowserContext();
    link = await Link.open(hub.address);
    at = `${link.url}/healthz`;
  });
  afterEach(async () => {
    on = false;
    await browser.close();
    link.close();
    await subscribers(0);
  });

  /** Whether events flow. */
  let on = false;
  // Who finds no worker yet has a connection of its own until that speaks: so these are waited for.
  const subscribers = (count, at = hub) => until(`${count} subscribers`, async () => (await at.subscribers()) === count);
  const roles = (tabs, expected) =>
    until(`roles ${expected}`, async () => `${(await Promise.all(tabs.map((tab) => tab.role()))).sort()}` === `${expected}`);
  const leader = async (tabs) =>
    (await until("one leads", async () => (await Promise.all(tabs.map((tab) => tab.role()))).indexOf("leader") + 1)) - 1;

  /** Publishes numbers on and on; the end of it returns them all. */
  function flow() {
    const sent = [];
    on = true;
    const done = (async () => {
      while (on) {
        sent.push(`${sent.length}`);
        await hub.publish(sent.at(-1), { topic });
        // Some 200 a second.
        await setTimeout(4);
      }
      sent.push("end");
      await hub.publish("end", { topic });
      return sent;
    })();
    return {
      sent,
      /** Waits until `count` more were sent. */
      more: (count, from = sent.length) => until(`${count} more`, () => sent.length >= from + count),
      end: () => {
        on = false;
        return done;
      },
    };
  }

  for (const share of ["worker", "leader"]) {

    test(`bm_53 ${share}: eight tabs over HTTP/1.1 hold one connection`, async () => {
      const tabs = await open(8, browser, at, { topics, share });
      await roles(tabs, share === "worker" ? Array(8).fill("worker") : [...Array(7).fill("follower"), "leader"]);
      await subscribers(1);
      const sent = [];
      for (let number = 0; number < 20; number += 1) sent.push(`${number}`);
      for (const data of sent) await hub.publish(data, { topic });
      for (const seen of await allSee(tabs, "19")) assert.deepEqual(seen, sent);
      await subscribers(1);
    });

    test(`bm_54 ${share}: the owner's tab is closed while events flow`, async () => {
      const tabs = await open(4, browser, at, { topics, share });
      const flowing = flow();
      await flowing.more(50);
      for (let round = 0; round < 2; round += 1) {
        const leads = share === "worker" ? 0 : await leader(tabs);
        const [closed] = tabs.splice(leads, 1);
        await closed.close();
        await flowing.more(50);
      }
      const sent = await flowing.end();
      for (const seen of await allSee(tabs, "end")) assert.deepEqual(seen, sent);
      await subscribers(1);
    });

    test(`p2 ${share}: the connection is cut again and again while events flow`, async () => {
      const tabs = await open(3, browser, at, { topics, share });
      const flowing = flow();
      for (let round = 0; round < 3; round += 1) {
        await flowing.more(20);
        for (const tab of tabs) await tab.ready();
        link.cut();
        for (const tab of tabs) await until("all hear of it", async () => (await tab.told()).length > round);
      }
      const sent = await flowing.end();
      for (const seen of await allSee(tabs, "end")) assert.deepEqual(seen, sent);
    });

    test(`bm_61 ${share}: a peer that says nothing any more is noticed by its heartbeats`, async () => {
      const tabs = await open(2, browser, at, { topics, share });
      link.hold();
      await hub.publish("into the void", { topic });
      for (const seen of await allSee(tabs, "into the void")) assert.deepEqual(seen, ["into the void"]);
    });

    test(`bm_57 ${share}: offline and online`, async () => {
      const tabs = await open(2, browser, at, { topics, share });
      await hub.publish("before", { topic });
      await allSee(tabs, "before");
      const fire = (why) => Promise.all(tabs.map((tab) => tab.evaluate(`dispatchEvent(new Event("${why}"))`)));
      link.break();
      await fire("offline");
      await subscribers(0);
      await hub.publish("meanwhile", { topic });
      link.mend();
      await fire("online");
      for (const seen of await allSee(tabs, "meanwhile")) assert.deepEqual(seen, ["before", "meanwhile"]);
      await subscribers(1);
    });

    test(`bm_62 ${share}: topics change while events flow`, async () => {
      const tabs = await open(3, browser, at, { topics, share });
      const flowing = flow();
      await flowing.more(20);
      await tabs[1].evaluate(`source.setTopics(["t", "u"])`);
      await subscribers(2);
      await hub.publish("to u", { topic: "u" });
      await flowing.more(20);
      await tabs[1].evaluate(`source.setTopics(["t"])`);
      await subscribers(1);
      const sent = await flowing.end();
      const [first, changed, last] = await allSee(tabs, "end");
      assert.deepEqual([first, last], [sent, sent]);
      assert.ok(changed.includes("to u"));
      assert.deepEqual(changed.filter((it) => it !== "to u"), sent);
    });

    test(`bm_58 ${share}: a page that is left and returned to goes on from its place`, async (t) => {
      const [tab] = await open(1, browser, at, { topics, share, persist: "sessionStorage" });
      await hub.publish("before", { topic });
      await allSee([tab], "before");
      await tab.evaluate("globalThis.kept = true");
      await tab.page.goto(`${link.url}/readyz`);
      await subscribers(0);
      await hub.publish("meanwhile", { topic });
      await tab.evaluate("setTimeout(() => history.back())");
      const back = () => tab.evaluate("location.pathname === '/healthz' && document.readyState === 'complete'");
      // In between there is no page to ask.
      await until("back", () => back().catch(() => false));
      const kept = await tab.evaluate("globalThis.kept === true");
      t.diagnostic(`kept by the back/forward cache: ${kept}`);
      if (!kept) await tab.listen({ topics, share, persist: "sessionStorage" });
      const [seen] = await allSee([tab], "meanwhile");
      assert.deepEqual(seen, kept ? ["before", "meanwhile"] : ["meanwhile"]);
      await subscribers(1);
    });
  }

  test("bm_56 the hub is restarted with an empty memory: each tab is told the gap once", async () => {
    const hubs = [await Hub.open("--retry-hint=false")];
    const tabs = await open(3, browser, `${hubs[0].url}/healthz`, { topics });
    await hubs[0].publish("before", { topic });
    await allSee(tabs, "before");
    await hubs[0].crash();
    hubs.push(await Hub.open("--retry-hint=false", "--listen", hubs[0].address));
    await until("one is back", async () => (await hubs[1].subscribers()) === 1);
    await hubs[1].publish("after", { topic });
    for (const seen of await allSee(tabs, "after")) assert.deepEqual(seen, ["before", "after"]);
    for (const tab of tabs) {
      const gaps = await tab.evaluate("other.filter(([type]) => type === 'gap').map(([, detail]) => detail.reason)");
      assert.deepEqual(gaps, ["unknown"]);
    }
    await hubs[1].crash();
  });

  test("bm_60 tabs with other topics and identities have connections of their own", async () => {
    const tabs = [
      ...(await open(2, browser, at, { topics })),
      ...(await open(1, browser, at, { topics: ["t", "u"] })),
      ...(await open(1, browser, at, { topics, identity: "alice" })),
    ];
    await subscribers(3);
    await hub.publish("to u", { topic: "u" });
    await hub.publish("to t", { topic });
    const seen = await allSee(tabs, "to t");
    assert.deepEqual(seen, [["to t"], ["to t"], ["to u", "to t"], ["to t"]]);
  });

  test("bm_59 a page of another origin shares by leader, or by a worker of its own", async () => {
    const other = await pages();
    const far = await Hub.open("--cors-origin", other.url);
    const how = { stream: `${far.url}/events`, module: `${far.url}/fanfare.js` };
    const led = await open(2, browser, other.url, { topics }, how);
    await roles(led, ["follower", "leader"]);
    await subscribers(1, far);
    for (const tab of led) await tab.close();
    await subscribers(0, far);

    const worker = await open(2, browser, other.url, { topics, worker: "/fanfare.js" }, how);
    await roles(worker, ["worker", "worker"]);
    await subscribers(1, far);
    await far.publish("far", { topic });
    for (const seen of await allSee(worker, "far")) assert.deepEqual(seen, ["far"]);
    other.close();
    await far.crash();
  });

  test("bm_59 where a policy forbids workers, a tab leads", async () => {
    const other = await pages({ "Content-Security-Policy": "worker-src 'none'" });
    const far = await Hub.open("--cors-origin", other.url);
    const how = { stream: `${far.url}/events` };
    const tabs = await open(2, browser, other.url, { topics }, how);
    await roles(tabs, ["follower", "leader"]);
    other.close();
    await far.crash();
  });

  test("bm_59 without shared workers a tab leads, without locks each has its own, and all get everything", async () => {
    const without = async (...lacks) => {
      const tab = new Tab(await browser.newPage());
      await tab.page.goto(at);
      for (const lack of lacks) await tab.evaluate(`Object.defineProperty(${lack}, { value: undefined }); undefined`);
      await tab.listen({ topics });
      return tab.ready();
    };
    const worker = "globalThis, 'SharedWorker'";
    const tabs = [await without(worker), await without(worker), await without(worker, "navigator, 'locks'")];
    await roles(tabs, ["direct", "follower", "leader"]);
    await subscribers(2);
    await hub.publish("all", { topic });
    for (const seen of await allSee(tabs, "all")) assert.deepEqual(seen, ["all"]);
  });

  test("bm_59 plain HTTP on a name has no locks: tabs share by a worker, or not at all", async () => {
    const named = link.url.replace("127.0.0.1", FAR_NAME);
    const tabs = await open(2, browser, `${named}/healthz`, { topics });
    assert.equal(await tabs[0].evaluate("isSecureContext"), false);
    await roles(tabs, ["worker", "worker"]);
    await subscribers(1);
    tabs.push(...(await open(2, browser, `${named}/healthz`, { topics, share: "leader" })));
    await roles(tabs, ["direct", "direct", "worker", "worker"]);
    await hub.publish("all", { topic });
    for (const seen of await allSee(tabs, "all")) assert.deepEqual(seen, ["all"]);
  });

  test("bm_53 over HTTP/2 and TLS, tabs hold one connection", async () => {
    const secure = await Hub.open("--tls", "--broker", "memory");
    const tabs = await open(3, browser, `${secure.url}/healthz`, { topics, share: "leader" });
    await roles(tabs, ["follower", "follower", "leader"]);
    const publish = (data) => fetch("/broadcast", { method: "POST", body: JSON.stringify({ topic: "t", data }) }).then((it) => it.json());
    await until("one subscriber", async () => (await tabs[0].page.evaluate(publish, "x")).clients === 1);
    await tabs[0].page.evaluate(publish, "end");
    for (const seen of await allSee(tabs, "end")) assert.ok(seen.every((it) => ["x", "end"].includes(it)));
    const metrics = await tabs[0].page.evaluate(() => fetch("/metrics").then((it) => it.text()));
    assert.match(metrics, /^fanfare_connections 1$/m);
    assert.match(metrics, /^fanfare_streams 1$/m);
    for (const tab of tabs) await tab.close();
    await secure.crash();
  });
});
