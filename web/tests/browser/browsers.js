// Real browsers, each with a profile of its own.

import { describe } from "node:test";

import puppeteer from "puppeteer-core";

/** Both, or the one that `WEB_BROWSER` names. */
export const BROWSERS = ["chromium", "firefox"].filter((it) => [undefined, it].includes(process.env.WEB_BROWSER));

/** The same tests in each browser, side by side: they wait far more than they work. */
export function inEach(what, tests) {
  describe(what, { concurrency: BROWSERS.length }, () => {
    for (const name of BROWSERS) describe(name, { concurrency: 1 }, () => tests(name));
  });
}

/** A name of this machine that browsers take for another machine's: plain HTTP there is no secure context. */
export const FAR_NAME = "hub.test";

const FLAGS = [
  "--headless=new",
  // Inside a container there is no user namespace for its sandbox.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Starts `name` with an empty profile; `options` are puppeteer's. */
export function launch(name, options = {}) {
  if (name === "chromium") {
    return puppeteer.launch({
      ...options,
      browser: "chrome",
      executablePath: "/usr/bin/chromium",
      args: [...FLAGS, `--host-resolver-rules=MAP ${FAR_NAME} 127.0.0.1`],
      protocolTimeout: 90000,
      // Tabs that are put away are to be kept, as they are for people.
      ignoreDefaultArgs: ["--disable-back-forward-cache", "--headless"],
    });
  }
  return puppeteer.launch({
    ...options,
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    headless: true,
    extraPrefsFirefox: { "network.dns.localDomains": FAR_NAME, "dom.security.https_first": false },
    protocolTimeout: 90000,
  });
}

/** No measure of anything: what takes longer, on however busy a machine, never comes. */
const DEADLINE = 60000;

/** Waits until `holds` gives something, and returns that. */
export async function until(what, holds, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  let found;
  for (;;) {
    found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
