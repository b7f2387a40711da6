// Pages: tabs of a browser with a source each, and a server for pages of another origin.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { until } from "./browsers.js";

/** A tab whose `source` hears a topic, and keeps all that it hears. */
export class Tab {
  constructor(page) {
    this.page = page;
  }

  /** Opens `at`, imports the module from there or from `module`, and listens. */
  static async open(browser, at, options = {}, { stream = "/events", module = "/fanfare.js" } = {}) {
    const tab = new Tab(await browser.newPage());
    await tab.page.goto(at);
    await tab.listen(options, { stream, module });
    return tab;
  }

  async listen(options = {}, { stream = "/events", module = "/fanfare.js" } = {}) {
    await this.page.evaluate(
      async (module, stream, { token, persist, ...options }) => {
        const { Fanfare } = await import(module);
        const seen = (globalThis.seen = []);
        const other = (globalThis.other = []);
        if (token) options.token = () => globalThis.newToken();
        if (persist) options.persist = globalThis[persist];
        const source = (globalThis.source = new Fanfare(stream, options));
        source.onmessage = (event) => seen.push(event.data);
        for (const type of ["open", "error", "gap", "end"]) {
          source.addEventListener(type, (event) => other.push([type, event.detail]));
        }
      },
      module,
      stream,
      options,
    );
  }

  /** Opened, and told so. */
  async ready() {
    await until("open", () => this.evaluate("source.readyState === 1"));
    return this;
  }

  evaluate(expression) {
    return this.page.evaluate(expression);
  }

  seen() {
    return this.evaluate("seen");
  }

  role() {
    return this.evaluate("source.role");
  }

  /** Types of what it heard besides events. */
  async told() {
    return (await this.evaluate("other.map(([type]) => type)")).filter((it) => it !== "open");
  }

  close() {
    return this.page.close();
  }
}

/** Opens `count` tabs, one after the other. */
export async function open(count, ...how) {
  const tabs = [];
  for (let made = 0; made < count; made += 1) tabs.push(await (await Tab.open(...how)).ready());
  return tabs;
}

/** Waits until each of `tabs` has seen `last`, and returns what each has seen. */
export async function allSee(tabs, last) {
  return Promise.all(
    tabs.map(async (tab) => {
      await until(`${last} is seen`, () => tab.evaluate(`seen.includes(${JSON.stringify(last)})`)).catch(async (error) => {
        throw new Error(`${error.message}; ${JSON.stringify((await tab.seen()).slice(-5))} of ${await tab.role()}`);
      });
      return tab.seen();
    }),
  );
}

/** A server of an origin of its own, with an empty page at `/` and a copy of the module. */
export async function pages(head = {}) {
  const module = readFileSync(new URL("../../fanfare.js", import.meta.url));
  const server = createServer((request, answer) => {
    const isModule = request.url === "/fanfare.js";
    answer.writeHead(200, { "Content-Type": isModule ? "text/javascript" : "text/html", ...head });
    answer.end(isModule ? module : "<!doctype html><title>page</title>");
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
