// The dashboard, as people use it: with a mouse, a keyboard, a phone, a screen reader, and strangers' events.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, describe, test } from "node:test";

import axe from "axe-core";

import { BROWSERS, launch, until } from "./browsers.js";
import { Hub } from "./hub.js";

const ADMIN = "an admin token that nobody can guess";

/** A tab with the dashboard, which notes what it should never do. */
class Dashboard {
  #asked = [];

  static async open(browser, url, { width = 1280, height = 900, ready = true } = {}) {
    const dashboard = new Dashboard();
    const page = (dashboard.page = await browser.newPage());
    page.on("request", (request) => dashboard.#asked.push(request.url()));
    await page.evaluateOnNewDocument(() => {
      globalThis.faults = [];
      addEventListener("securitypolicyviolation", ({ violatedDirective }) => faults.push(violatedDirective));
      addEventListener("error", ({ message }) => faults.push(message));
      addEventListener("unhandledrejection", ({ reason }) => faults.push(String(reason)));
    });
    await page.setViewport({ width, height });
    await page.goto(`${url}/`);
    if (ready) await dashboard.says("#state", "connected");
    return dashboard;
  }

  evaluate(...what) {
    return this.page.evaluate(...what);
  }

  text(selector) {
    return this.evaluate((selector) => document.querySelector(selector)?.textContent, selector);
  }

  texts(selector) {
    return this.evaluate((selector) => [...document.querySelectorAll(selector)].map((it) => it.textContent), selector);
  }

  says(selector, text) {
    return until(`${selector} says ${text}`, async () => (await this.text(selector))?.includes(text));
  }

  async fill(selector, text) {
    await this.evaluate((selector) => (document.querySelector(selector).value = ""), selector);
    await this.page.type(selector, text);
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** The id of what has the focus. */
  focused() {
    return this.evaluate(() => document.activeElement?.id);
  }

  /** Whatever the events were: nothing forbidden was tried, and nobody else was asked. */
  async check(origin) {
    assert.deepEqual(await this.evaluate("faults"), []);
    const elsewhere = this.#asked.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith("data:"));
    assert.deepEqual(elsewhere, []);
  }
}

/** What axe-core objects to, in short. */
async function objections(dashboard) {
  await dashboard.evaluate(axe.source);
  const { violations } = await dashboard.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

// Each browser has a hub of its own, and waits most of the time.
describe("the dashboard", { concurrency: BROWSERS.length }, () => {
  for (const name of BROWSERS) {
    describe(name, { concurrency: 1 }, () => {
      let browser;
      let hub;

      before(async () => {
        [browser, hub] = await Promise.all([launch(name), Hub.open("--broker", "memory")]);
      });
      after(async () => {
        await browser.close();
        await hub.crash();
      });

      const withDashboard = (work, options) => async () => {
        const dashboard = await Dashboard.open(browser, hub.url, options);
        try {
          await work(dashboard);
          await dashboard.check(hub.url);
        } finally {
          await dashboard.page.close();
        }
      };

      test(
        "events appear with type and topic, also those of types that nobody knew before",
        withDashboard(async (dashboard) => {
          await hub.publish("first", { topic: "news" });
          await hub.publish({ price: 7 }, { topic: "prices/7", event: "quote" });
          await until("both are shown", async () => (await dashboard.texts("#events .data")).length === 2);
          assert.deepEqual(await dashboard.texts("#events .data"), ['{"price":7}', "first"]);
          assert.deepEqual(await dashboard.texts("#events .type"), ["quote", "message"]);
          await until("topics are known", async () => (await dashboard.texts("#events .topic"))[0] === "prices/7");
          assert.equal(await dashboard.text("#count"), "2 events");
        }),
      );

      test(
        "a filter by topic lets through what it matches",
        withDashboard(async (dashboard) => {
          await dashboard.fill("#selectors", "prices/{id}");
          await dashboard.press("Enter");
          await until("it listens anew", async () => (await hub.subscribers()) === 1);
          await dashboard.says("#state", "connected");
          await hub.publish("not wanted", { topic: "news" });
          await hub.publish("wanted", { topic: "prices/1" });
          await dashboard.says("#events .data", "wanted");
          assert.deepEqual(await dashboard.texts("#events .data"), ["wanted"]);
        }),
      );

      test(
        "a pause holds the list, counts on, and loses nothing",
        withDashboard(async (dashboard) => {
          await dashboard.page.click("#pause");
          for (const data of ["one", "two", "three"]) await hub.publish(data, { topic: "t" });
          await dashboard.says("#pause", "Go on (3 new)");
          assert.deepEqual(await dashboard.texts("#events .data"), []);
          assert.equal(await dashboard.text("#count"), "3 events");
          await dashboard.page.click("#pause");
          assert.deepEqual(await dashboard.texts("#events .data"), ["three", "two", "one"]);
        }),
      );

      test(
        "the list keeps the newest 500",
        withDashboard(async (dashboard) => {
          const lines = Array.from({ length: 600 }, (_, data) => JSON.stringify({ topic: "many", data: `${data}` }));
          const answer = await fetch(`${hub.url}/publish`, {
            method: "POST",
            headers: { "Content-Type": "application/x-ndjson" },
            body: lines.join("\n"),
          });
          assert.equal(answer.status, 200, await answer.text());
          await dashboard.says("#count", "600 events");
          await dashboard.says("#events .data", "599");
          assert.equal(await dashboard.evaluate("document.querySelectorAll('#events li').length"), 500);
        }),
      );

      test(
        "one event is shown with all its fields, and JSON in lines",
        withDashboard(async (dashboard) => {
          const id = await hub.publish({ nested: { answer: 42 } }, { topic: ["a/1", "b/1"], event: "deep" });
          await dashboard.says("#events .topic", "+1");
          await dashboard.page.click("#events button");
          assert.equal(await dashboard.text("#detail-data"), '{\n  "nested": {\n    "answer": 42\n  }\n}');
          const fields = await dashboard.texts("#detail-fields dd");
          assert.deepEqual([fields[0], fields[1]], ["deep", id]);
          assert.ok(fields.includes("a/1\nb/1") && fields.includes("public"), fields.join());
          await dashboard.press("Escape");
          assert.equal(await dashboard.evaluate("document.querySelector('#detail').open"), false);
        }),
      );

      test(
        "private events come when they are asked for",
        withDashboard(async (dashboard) => {
          await hub.publish("hidden", { topic: "t", private: true });
          await hub.publish("seen", { topic: "t" });
          await dashboard.says("#events .data", "seen");
          assert.deepEqual(await dashboard.texts("#events .data"), ["seen"]);
          await dashboard.page.click("#private");
          await dashboard.says("#state", "connected");
          await until("it is there", async () => {
            await hub.publish("shown", { topic: "t", private: true });
            return (await dashboard.texts("#events .data")).includes("shown");
          });
          await until("it is called private", () => dashboard.evaluate("Boolean(document.querySelector('.event.private'))"));
        }),
      );

      test(
        "markup in an event, a topic, a type or a subscription is text everywhere",
        withDashboard(async (dashboard) => {
          const markup = `<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>`;
          const other = new AbortController();
          const topic = `t/${markup}`;
          const subscribed = await fetch(`${hub.url}/events?topic=${encodeURIComponent(topic)}`, { signal: other.signal });
          assert.equal(subscribed.status, 200);
          await hub.publish(markup, { topic, event: markup });
          await until("its topic is known", async () => (await dashboard.text("#events .topic")) === topic);
          assert.equal(await dashboard.text("#events .data"), markup);
          assert.equal(await dashboard.text("#events .type"), markup);
          await dashboard.page.click("#events button");
          assert.equal(await dashboard.text("#detail-data"), markup);
          await dashboard.press("Escape");
          await dashboard.evaluate("document.querySelector('#subscribers').scrollIntoView()");
          await until("the subscriber is listed", async () => (await dashboard.texts("#subscribers code")).includes(topic));
          assert.equal(await dashboard.evaluate("document.images.length + document.querySelectorAll('body script').length"), 0);
          assert.equal(await dashboard.evaluate("globalThis.hacked"), undefined);
          other.abort();
        }),
      );

      test(
        "what is no JSON is not published, and is said to be none",
        withDashboard(async (dashboard) => {
          await dashboard.fill("#data", '{"open": ');
          assert.match(await dashboard.text("#json"), /^Not JSON/);
          assert.equal(await dashboard.evaluate("document.querySelector('#data').getAttribute('aria-invalid')"), "true");
          await dashboard.page.click("#publish .main");
          assert.match(await dashboard.text("#outcome"), /^Not published/);
          assert.equal(await dashboard.focused(), "data");
          await dashboard.fill("#data", '{"open":[1]}');
          await dashboard.page.click("#pretty");
          assert.equal(await dashboard.evaluate("document.querySelector('#data').value"), '{\n  "open": [\n    1\n  ]\n}');
          await dashboard.fill("#topic", "form");
          await dashboard.page.click("#publish .main");
          await dashboard.says("#outcome", "Sent to 1 subscriber, id urn:ff:");
          await dashboard.page.click("#as-json");
          await dashboard.fill("#data", "just text");
          await dashboard.fill("#type", "greeting");
          await dashboard.page.click("#publish .main");
          await dashboard.says("#events .data", "just text");
          assert.deepEqual(await dashboard.texts("#events .type"), ["greeting", "message"]);
          await dashboard.fill("#type", "error");
          await dashboard.page.click("#publish .main");
          await dashboard.says("#outcome", "Not published: ");
        }),
      );

      test(
        "a subscriber that does not read is listed as lagging, with its topics and address",
        withDashboard(async (dashboard) => {
          const [host, port] = hub.address.split(":");
          const deaf = net.connect({ host, port: Number(port) });
          deaf.write(`GET /events?topic=heavy HTTP/1.1\r\nHost: ${hub.address}\r\n\r\n`);
          await once(deaf, "readable");
          await dashboard.evaluate("document.querySelector('#subscribers').scrollIntoView()");
          const behind = () => dashboard.texts("#subscriber-rows .behind");
          await until("it lags", async () => {
            await hub.publish("x".repeat(500000), { topic: "heavy" });
            return (await behind()).some((text) => text.includes("waits for its reader"));
          });
          const row = await dashboard.texts("#subscriber-rows tr:first-child td");
          assert.equal(row[0], "heavy");
          assert.equal(row[3], `127.0.0.1:${deaf.localPort}`);
          await dashboard.says("#charts .beside", "1 lagging");
          deaf.destroy();
          await until("it is gone", async () => (await behind()).length === 0);
        }),
      );

      test(
        "graphs draw what happens, and say it in words",
        withDashboard(async (dashboard) => {
          await until("rates are known", async () => {
            await hub.publish("x", { topic: "t" });
            const figures = await dashboard.texts("#charts .figure");
            const isKnown = figures.length === 6 && figures.every((text) => text !== "–" && text !== "0/s");
            return isKnown && dashboard.evaluate(() => [...document.querySelectorAll(".line-0")].every((it) => it.getAttribute("d").includes("L")));
          });
          const [subscribers, , delivered] = await dashboard.evaluate(() =>
            [...document.querySelectorAll("#charts svg")].map((it) => it.getAttribute("aria-label")),
          );
          assert.match(subscribers, /^Subscribers: now 1, in two minutes/);
          assert.match(delivered, /^Delivered: now .*\/s/);
          await dashboard.page.click("#figures summary");
          await until("the table is filled", async () => (await dashboard.texts("#figures-rows th")).length === 11);
          await dashboard.says("#totals", "Published");
        }),
      );

      test(
        "a made token is one that the hub takes for what it says",
        withDashboard(async (dashboard) => {
          await dashboard.fill("#may-publish", "orders/{id}");
          await dashboard.page.click("#mint .main");
          await dashboard.says("#token-outcome", "Made");
          const token = await dashboard.text("#token");
          const publish = (topic) =>
            fetch(`${hub.url}/.well-known/mercure`, {
              method: "POST",
              headers: { Authorization: `Bearer ${token}` },
              body: new URLSearchParams({ topic, data: "x" }),
            });
          assert.equal((await publish("orders/1")).status, 200);
          assert.equal((await publish("other")).status, 401);
          const commands = await dashboard.text("#token-curl");
          assert.ok(commands.includes(`Bearer ${token}`) && commands.includes(`${hub.url}/.well-known/mercure`), commands);
          await dashboard.fill("#may-publish", " ");
          await dashboard.fill("#may-subscribe", " ");
          await dashboard.page.click("#mint .main");
          await dashboard.says("#token-outcome", "Not made");
        }),
      );

      test("a hub that wants its admin token gets it, keeps it for the tab, and shows nothing before", async () => {
        const guarded = await Hub.guarded("--broker", "memory", "--admin-token", ADMIN);
        const dashboard = await Dashboard.open(browser, guarded.url, { ready: false });
        await until("it asks", () => dashboard.evaluate("document.querySelector('#sign-in').open"));
        assert.equal(await dashboard.focused(), "admin-token");
        // Put away, it can be had again.
        await dashboard.press("Escape");
        await dashboard.page.click("#sign-in-open");
        await dashboard.fill("#admin-token", "a guess");
        await dashboard.press("Enter");
        await dashboard.says("#sign-in-fault", "does not take");
        assert.equal(await dashboard.text("#uptime"), "–");
        await dashboard.fill("#admin-token", ADMIN);
        await dashboard.fill("#hub-token", Hub.token({ publish: ["*"], subscribe: ["*"] }));
        await dashboard.press("Enter");
        await dashboard.says("#state", "connected");
        assert.equal(await dashboard.evaluate("document.querySelector('#tokens').hidden"), true);
        await dashboard.page.click("#publish .main");
        await dashboard.says("#outcome", "Sent to 1 subscriber");
        await dashboard.says("#events .data", "hello");
        await dashboard.page.reload();
        await dashboard.says("#state", "connected");
        await dashboard.page.click("#sign-out");
        await until("it asks again", () => dashboard.evaluate("document.querySelector('#sign-in').open").catch(() => false));
        await dashboard.check(guarded.url);
        await dashboard.page.close();
        await guarded.crash();
      });

      test("a hub that is away is said to be, and is shown again when it is back, with the gap", async () => {
        const first = await Hub.open("--broker", "memory");
        const dashboard = await Dashboard.open(browser, first.url);
        await first.publish("before", { topic: "t" });
        await dashboard.says("#events .data", "before");
        await first.crash();
        await dashboard.says("#health", "no answer");
        await dashboard.says("#state", "reconnecting");
        const second = await Hub.open("--broker", "memory", "--listen", first.address);
        await dashboard.says("#state", "connected");
        await dashboard.says("#health", "ready");
        await second.publish("after", { topic: "t" });
        await dashboard.says("#events .data", "after");
        assert.deepEqual(await dashboard.texts("#events .type"), ["message", "fanfare-gap", "message"]);
        await dashboard.check(first.url);
        await dashboard.page.close();
        await second.crash();
      });

      test(
        "everything can be done with the keyboard alone",
        withDashboard(async (dashboard) => {
          await hub.publish("older", { topic: "keys" });
          await hub.publish("newer", { topic: "keys" });
          await until("both are shown", async () => (await dashboard.texts("#events .data")).length === 2);
          const seen = [];
          const walkTo = async (id) => {
            for (let steps = 0; steps < 40; steps += 1) {
              await dashboard.press("Tab");
              seen.push(await dashboard.focused());
              if (seen.at(-1) === id) return;
            }
            throw new Error(`the tabulator does not come to ${id}: ${seen}`);
          };
          await walkTo("theme");
          await walkTo("selectors");
          await walkTo("pause");
          await dashboard.press(" ");
          assert.equal(await dashboard.evaluate("document.activeElement.getAttribute('aria-pressed')"), "true");
          await dashboard.press(" ");
          await walkTo("clear");
          // The whole list is one stop.
          await until("an event", async () => {
            await dashboard.press("Tab");
            return dashboard.evaluate("document.activeElement.classList.contains('event')");
          });
          await dashboard.press("ArrowDown", "Enter");
          assert.equal(await dashboard.text("#detail-data"), "older");
          await dashboard.press("Escape");
          assert.equal(await dashboard.evaluate("document.activeElement.querySelector('.data')?.textContent"), "older");
          await dashboard.press("Home", "Enter");
          assert.equal(await dashboard.text("#detail-data"), "newer");
          await dashboard.press("Escape");
          await walkTo("topic");
          await walkTo("data");
          await dashboard.page.keyboard.down("Control");
          await dashboard.press("Enter");
          await dashboard.page.keyboard.up("Control");
          await dashboard.says("#outcome", "Sent to 1 subscriber");
          await walkTo("may-publish");
          await walkTo("token-subject");
          await dashboard.press("Enter");
          await dashboard.says("#token-outcome", "Made");
        }),
      );

      test(
        "on a phone nothing is wider than the screen, and everything is large enough to touch",
        withDashboard(
          async (dashboard) => {
            await hub.publish("x".repeat(300), { topic: `wide/${"y".repeat(200)}`, event: "z".repeat(100) });
            await dashboard.says("#events .topic", "wide/");
            await dashboard.page.click("#figures summary");
            await dashboard.page.click("#mint .main");
            await dashboard.says("#token-outcome", "Made");
            await dashboard.evaluate("document.querySelector('#subscribers').scrollIntoView()");
            await until("subscribers are listed", async () => (await dashboard.texts("#subscriber-rows tr")).length > 0);
            const width = await dashboard.evaluate("document.documentElement.scrollWidth");
            assert.ok(width <= 360, `${width}`);
            const small = await dashboard.evaluate(() =>
              [...document.querySelectorAll("button, input:not([type=checkbox]), select, .choice, summary")]
                .filter((it) => it.checkVisibility())
                .map((it) => [it.id || it.className || it.textContent, it.getBoundingClientRect()])
                .filter(([, { height }]) => height < 44)
                .map(([what, { height }]) => `${what}: ${height}`),
            );
            assert.deepEqual(small, []);
            await dashboard.page.click("#events button");
            const dialog = await dashboard.evaluate(() => {
              const { left, right } = document.querySelector("#detail").getBoundingClientRect();
              const { clientWidth, scrollWidth } = document.documentElement;
              return { left, isWhole: right === clientWidth, isWide: scrollWidth > clientWidth };
            });
            assert.deepEqual(dialog, { left: 0, isWhole: true, isWide: false });
            await dashboard.press("Escape");
          },
          { width: 360, height: 740 },
        ),
      );

      test(
        "the theme is what somebody chose, also after a reload",
        withDashboard(async (dashboard) => {
          const paper = () => dashboard.evaluate("getComputedStyle(document.body).backgroundColor");
          await dashboard.page.click("#theme");
          const light = await paper();
          await dashboard.page.click("#theme");
          assert.equal(await dashboard.text("#theme"), "Theme: dark");
          const dark = await paper();
          assert.notEqual(dark, light);
          await dashboard.page.reload();
          await dashboard.says("#theme", "Theme: dark");
          assert.equal(await paper(), dark);
          await dashboard.page.click("#theme");
          assert.equal(await dashboard.text("#theme"), "Theme: auto");
        }),
      );

      test(
        "axe-core objects to nothing, light or dark, with everything open",
        withDashboard(async (dashboard) => {
          await hub.publish({ a: 1 }, { topic: "t" });
          await dashboard.page.click("#figures summary");
          await dashboard.page.click("#mint .main");
          await dashboard.says("#token-outcome", "Made");
          await dashboard.says("#events .topic", "t");
          for (const theme of ["light", "dark"]) {
            await dashboard.page.click("#theme");
            await dashboard.says("#theme", theme);
            assert.deepEqual(await objections(dashboard), [], theme);
            await dashboard.page.click("#events button");
            assert.deepEqual(await objections(dashboard), [], `${theme}, detail`);
            await dashboard.press("Escape");
          }
          await dashboard.page.click("#theme");
        }),
      );
    });
  }
});
