// Sixty streams of one origin: six over HTTP/1.1, all of them over HTTP/2, on one connection.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { BROWSERS, launch, until } from "./browsers.js";
import { Hub } from "./hub.js";

const COUNT = 60;

for (const name of BROWSERS) {
  describe(name, () => {
    let program;

    before(async () => {
      program = await launch(name, { acceptInsecureCerts: true });
    });
    after(() => program.close());

    /** A page of the hub with `COUNT` sources; `opened()` and `seen()` say what has come to them. */
    const page = async (hub) => {
      const page = await program.newPage();
      await page.goto(`${hub.url}/healthz`);
      await page.evaluate((count) => {
        globalThis.seen = [];
        globalThis.sources = Array.from({ length: count }, (_, number) => {
          const source = new EventSource(`/events?topic=t&number=${number}`);
          source.onmessage = ({ data }) => seen.push(`${number}: ${data}`);
          return source;
        });
        globalThis.opened = () => sources.filter((source) => source.readyState === 1).length;
      }, COUNT);
      return page;
    };
    const publish = (page, data) =>
      page.evaluate((data) => fetch("/broadcast", { method: "POST", body: JSON.stringify({ topic: "t", data }) }).then((it) => it.json()), data);
    const figures = (page) => page.evaluate(() => fetch("/metrics").then((it) => it.text()));
    const figure = async (page, name) => {
      const line = (await figures(page)).split("\n").find((it) => it.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length));
    };

    test("srv_21 over HTTP/2 one connection carries all of them, and each gets every event", async () => {
      const hub = await Hub.open("--tls", "--broker", "memory");
      const tab = await page(hub);
      await until("all are open", async () => (await tab.evaluate("opened()")) === COUNT);
      // The page, the streams and these requests share it.
      assert.equal(await figure(tab, "fanfare_connections"), 1);
      assert.equal(await figure(tab, "fanfare_streams"), COUNT);
      assert.equal(await figure(tab, 'fanfare_handshakes_total{protocol="http/1.1"}'), 0);
      const events = ["one", "two", "three"];
      for (const data of events) assert.equal((await publish(tab, data)).clients, COUNT);
      await until("all came", async () => (await tab.evaluate("seen.length")) === COUNT * events.length);
      const expected = Array.from({ length: COUNT }, (_, number) => events.map((data) => `${number}: ${data}`)).flat();
      assert.deepEqual((await tab.evaluate("seen")).sort(), expected.sort());
      assert.equal(await figure(tab, "fanfare_connections"), 1);
      await tab.close();
      await hub.crash();
    });

    test("srv_21 over HTTP/1.1 six are open, and one more for each that is closed", async () => {
      const hub = await Hub.open("--broker", "memory");
      const tab = await page(hub);
      for (let closed = 0; closed < 3; closed += 1) {
        await until("six are open", async () => (await tab.evaluate("opened()")) === 6);
        // From elsewhere: the page itself has no connection left to ask with.
        assert.equal(await hub.subscribers(), 6);
        await hub.publish(`${closed}`, { topic: "t" });
        const came = `seen.filter((it) => it.endsWith(": ${closed}")).length`;
        await until("six hear it", async () => (await tab.evaluate(came)) === 6);
        await tab.evaluate("sources.find((source) => source.readyState === 1).close()");
      }
      await tab.close();
      await hub.crash();
    });
  });
}
