// Tabs that are frozen, as a browser freezes those in the background (Chromium can be told to).

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { BROWSERS, launch, until } from "./browsers.js";
import { Hub } from "./hub.js";
import { allSee, open } from "./pages.js";

const topics = ["t"];
const topic = "t";

describe("chromium", { skip: !BROWSERS.includes("chromium") }, () => {
  let program;
  let hub;
  let browser;
  let at;

  before(async () => {
    program = await launch("chromium");
    hub = await Hub.open("--retry-hint=false");
    at = `${hub.url}/healthz`;
  });
  after(async () => {
    await program.close();
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
  const set = async (tab, state) => {
    const protocol = await tab.page.createCDPSession();
    await protocol.send("Page.setWebLifecycleState", { state });
  };

  for (const share of ["worker", "leader"]) {
    test(`bm_55 ${share}: the owner's tab is frozen and resumed`, async () => {
      const tabs = await open(3, browser, at, { topics, share });
      const [owner, ...others] = tabs;
      await hub.publish("before", { topic });
      await allSee(tabs, "before");
      await set(owner, "frozen");
      await hub.publish("meanwhile", { topic });
      for (const seen of await allSee(others, "meanwhile")) assert.deepEqual(seen, ["before", "meanwhile"]);
      await subscribers(1);
      await set(owner, "active");
      await hub.publish("after", { topic });
      for (const seen of await allSee(tabs, "after")) assert.deepEqual(seen, ["before", "meanwhile", "after"]);
      await subscribers(1);
      if (share === "worker") return;
      const roles = async () => (await Promise.all(tabs.map((tab) => tab.role()))).sort();
      await until("one leads", async () => `${await roles()}` === "follower,follower,leader");
    });

    test(`bm_55 ${share}: all tabs are frozen, and one after the other resumed`, async () => {
      const tabs = await open(2, browser, at, { topics, share });
      for (const tab of tabs) await set(tab, "frozen");
      await subscribers(0);
      await hub.publish("meanwhile", { topic });
      for (const tab of tabs) {
        await set(tab, "active");
        assert.deepEqual(await allSee([tab], "meanwhile"), [["meanwhile"]]);
      }
      await subscribers(1);
    });
  }

  test("bm_22 a leader that stops without a word is robbed, and follows when it goes on", async () => {
    const tabs = await open(3, browser, at, { topics, share: "leader" });
    const [leader, ...others] = tabs;
    // It does nothing else until the others have noticed, however long that takes them.
    const busy = leader.page.evaluate(() => {
      let request;
      do {
        request = new XMLHttpRequest();
        request.open("GET", "/events?topic=release&poll=1", false);
        request.send();
      } while (!request.responseText.includes("data"));
    });
    await subscribers(2);
    await hub.publish("meanwhile", { topic });
    for (const seen of await allSee(others, "meanwhile")) assert.deepEqual(seen, ["meanwhile"]);
    let released = false;
    busy.finally(() => (released = true));
    await until("it goes on", async () => {
      await hub.publish("now", { topic: "release" });
      return released;
    });
    await hub.publish("after", { topic });
    for (const seen of await allSee(tabs, "after")) assert.deepEqual(seen, ["meanwhile", "after"]);
    await subscribers(1);
    const roles = async () => Promise.all(tabs.map((tab) => tab.role()));
    await until("another leads", async () => {
      const [robbed, ...rest] = await roles();
      return robbed === "follower" && `${rest.sort()}` === "follower,leader";
    });
  });
});
