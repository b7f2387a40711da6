// Real browsers, each with a profile of its own.

import puppeteer from "puppeteer-core";

/** Both, or the one that `WEB_BROWSER` names. */
export const BROWSERS = ["chromium", "firefox"].filter((it) => [undefined, it].includes(process.env.WEB_BROWSER));

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
      args: FLAGS,
      protocolTimeout: 60000,
      // Tabs that are put away are to be kept, as they are for people.
      ignoreDefaultArgs: ["--disable-back-forward-cache", "--headless"],
    });
  }
  return puppeteer.launch({
    ...options,
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    headless: true,
    protocolTimeout: 60000,
  });
}

/** Long enough for two busy cores; what takes longer never comes. */
const DEADLINE = 15000;

/** Waits until `holds` gives something, and returns that. */
export async function until(what, holds, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  let found;
  for (;;) {
    found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
