// The programs of `examples/` and their pages, as people meet them.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { BROWSERS, launch, until } from "./browsers.js";
import { Example, nginx, publish, redis } from "./example.js";
import { Link } from "./link.js";
import { pages } from "./pages.js";

for (const name of BROWSERS) {
  describe(name, () => {
    let program;
    let browser;
    let started = [];

    before(async () => {
      program = await launch(name);
    });
    after(() => program.close());
    beforeEach(async () => {
      browser = await program.createBrowserContext();
    });
    afterEach(async () => {
      await browser.close();
      for (const it of started.splice(0)) await it.stop();
    });

    const start = async (...example) => {
      const it = await Example.start(...example);
      started.push(it);
      return it;
    };
    const open = async (url) => {
      const page = await browser.newPage();
      await page.goto(url);
      return page;
    };
    /** The lines of a page's list. */
    const lines = (page) => page.evaluate(() => Array.from(document.querySelectorAll("#events li"), (it) => it.textContent));
    const has = (page, line) => until(line, async () => (await lines(page)).includes(line));
    const text = (page, id) => page.evaluate((id) => document.getElementById(id).textContent, id);
    const shows = (page, id, wanted) => until(`${wanted} in #${id}`, async () => (await text(page, id)) === wanted);

    test("random-number shows the greeting and the numbers, and logs them", async () => {
      const example = await start("random-number", "--every-ms", "50");
      const page = await browser.newPage();
      const logged = [];
      page.on("console", (line) => logged.push(line.text()));
      await page.goto(example.url);
      const shown = await until("five numbers", async () => {
        const shown = await lines(page);
        return shown.length > 5 && shown;
      });
      assert.equal(shown[0], "Hello, client! This is a test message.");
      for (const number of shown.slice(1)) assert.match(number, /^Random number: \d{1,2}$/);
      await until("as many are logged", () => logged.length >= shown.length);
      assert.deepEqual(logged.slice(0, shown.length), shown);
      await page.close();
      await example.says("client 1 left, and its timer is gone");
    });

    test("server-time goes on where a lost connection left it", async () => {
      const example = await start("server-time", "--every-ms", "50");
      const link = await Link.open(example.address);
      const page = await open(`${link.url}/`);
      await page.evaluate(() => {
        globalThis.ids = [];
        globalThis.opened = 0;
        const source = new EventSource("/events");
        source.onopen = () => (opened += 1);
        source.onmessage = ({ data, lastEventId }) => ids.push(data.startsWith("Server time: ") && lastEventId);
      });
      await until("three", () => page.evaluate("ids.length >= 3"));
      link.cut();
      await until("it is back", () => page.evaluate("opened === 2"));
      // Of the time before, between and after; none is lost or doubled.
      const ids = await until("more than could come at once", () => page.evaluate("ids.length > 40 && ids"));
      const offsets = ids.map((id) => parseInt(id.slice(id.lastIndexOf("-") + 1), 36));
      assert.deepEqual(offsets, offsets.map((_, index) => offsets[0] + index));
      link.close();
    });

    test("hello-stream is read by a page of another origin, if it may", async () => {
      const origin = await pages();
      const page = await open(origin.url);
      const listen = (url) =>
        page.evaluate((url) => {
          globalThis.seen = [];
          globalThis.source = new EventSource(`${url}/stream`);
          source.onmessage = ({ data }) => seen.push(data);
        }, url);
      for (const allowed of ["*", origin.url]) {
        const example = await start("hello-stream", "--every-ms", "20", "--allow-origin", allowed);
        await listen(example.url);
        const seen = await until("three", () => page.evaluate("seen.length >= 3 && seen"));
        assert.deepEqual(seen.slice(0, 3), [0, 1, 2].map((count) => `hello from server sent events ---- [${count}]`));
        await page.evaluate("source.close()");
      }
      const example = await start("hello-stream", "--every-ms", "20", "--allow-origin", "http://other.test");
      await listen(example.url);
      await until("refused for good", () => page.evaluate("source.readyState === 2"));
      assert.deepEqual(await page.evaluate("seen"), []);
      origin.close();
    });

    test("notifications reach all devices of a user over two servers, which may fail", async () => {
      const database = await redis();
      started.push(database);
      const options = ["--redis", `redis://127.0.0.1:${database.port}`];
      const servers = [await start("notifications", ...options), await start("notifications", ...options)];
      for (const server of servers) await server.says("joined");
      const front = await nginx(servers);
      started.push(front);
      const visit = async (user) => {
        const page = await open(`http://127.0.0.1:${front.port}/?userId=${user}`);
        await shows(page, "state", "connected");
        await has(page, `Welcome: Welcome, ${user}`);
        return page;
      };
      const alice = [await visit("alice"), await visit("alice")];
      const bob = await visit("bob");

      await publish(database, JSON.stringify({ userId: "alice", data: "from redis-cli" }));
      for (const page of alice) await has(page, "message: from redis-cli");
      await bob.type("#broadcast input", "to all");
      await bob.click("#broadcast button");
      for (const page of [...alice, bob]) await has(page, 'update: {"text":"to all"}');
      assert.deepEqual(await lines(bob), ["Welcome: Welcome, bob", 'update: {"text":"to all"}']);

      // Whoever was on it comes back, on the other.
      await servers[0].stop("SIGINT");
      const at = (page) => page.evaluate("source.readyState === 1");
      await until("all are on the other server", async () => {
        await publish(database, JSON.stringify({ data: "anybody there?" }));
        const heard = await Promise.all([...alice, bob].map(async (page) => (await at(page)) && (await lines(page)).at(-1).endsWith("there?")));
        return heard.every(Boolean);
      });
    });

    test("notifications say when the connection is lost", async () => {
      const example = await start("notifications");
      const page = await open(example.url);
      await has(page, "Welcome: Welcome, anonymous");
      await example.stop("SIGKILL");
      await shows(page, "state", "connecting again");
    });

    test("llm-tokens: a reload, a lost connection and a late viewer lose and double nothing", async () => {
      const example = await start("llm-tokens", "--every-ms", "30");
      const link = await Link.open(example.address);
      const page = await open(`${link.url}/`);
      await page.click("#ask button");
      const grown = (page, length) => until(`${length} letters`, async () => (await text(page, "answer")).length > length);
      await grown(page, 40);
      await page.reload();
      await grown(page, 80);
      const late = await open(page.url().replace(link.url, example.url));
      await grown(late, 0);
      for (const viewer of [page, late]) assert.equal(await text(viewer, "state"), "writing");
      link.cut();

      for (const viewer of [page, late]) await shows(viewer, "state", "complete");
      const id = new URL(page.url()).hash.slice(1);
      const expected = await whole(`${example.url}/answers/${id}`);
      assert.match(expected, /^You asked: Why do answers get lost\?\n\n1\. /);
      for (const viewer of [page, late]) assert.equal(await text(viewer, "answer"), expected);
      link.close();
    });

    test("dashboard-feed: eight widgets and a chart share one connection, fifty quotes a second", async () => {
      const example = await start("dashboard-feed");
      const page = await browser.newPage();
      let feeds = 0;
      page.on("request", (request) => (feeds += request.url().endsWith("/feed")));
      await page.goto(example.url);
      await page.evaluate(() => {
        globalThis.heard = [];
        for (const symbol of SYMBOLS) source.addEventListener(symbol, ({ data }) => heard.push(JSON.parse(data)));
      });
      const heard = await until("a hundred", () => page.evaluate("heard.length >= 100 && heard"));
      const [first, last] = [heard[0], heard.at(-1)];
      assert.deepEqual(heard.map(({ number }) => number), heard.map((_, index) => first.number + index));
      // By the clock of the market: how many came, in how much of its time.
      assert.equal((last.number - first.number) / ((last.at - first.at) / 1000), 50);

      const { updates, sum } = await page.evaluate(() => ({ updates: widgets.map((it) => it.updates), sum: quotes }));
      assert.equal(updates.reduce((one, other) => one + other), sum);
      assert.ok(Math.max(...updates) - Math.min(...updates) <= 1, `${updates}`);
      assert.equal(feeds, 1);
      // The chosen share's line is drawn.
      await page.click(".widget:nth-child(3)");
      await shows(page, "name", "CRUX");
      const drawn = () => {
        const chart = document.getElementById("chart");
        const { data } = chart.getContext("2d").getImageData(0, 0, chart.width, chart.height);
        return data.some((value) => value > 0);
      };
      await until("a line", () => page.evaluate(drawn));
    });
  });
}

/** The text of a whole answer, read without a browser. */
async function whole(url) {
  let stream = "";
  for await (const bytes of (await fetch(url)).body.pipeThrough(new TextDecoderStream())) {
    stream += bytes;
    if (stream.includes("event: done\n")) break;
  }
  const tokens = stream.split("\n\n").filter((block) => block.includes("data: ") && !block.startsWith("event:"));
  return tokens.map((block) => block.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n")).join("");
}
