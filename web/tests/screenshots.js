// Pictures of the dashboard for the documentation: `npm run screenshots`.

import { once } from "node:events";
import { mkdirSync } from "node:fs";
import net from "node:net";
import { fileURLToPath } from "node:url";

import { launch, until } from "./browser/browsers.js";
import { Hub } from "./browser/hub.js";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
/** So that there are curves to see. */
const SECONDS = Number(process.env.SECONDS ?? 90);

const PICTURES = [
  { name: "dashboard-light", theme: "light", width: 1280, height: 960 },
  { name: "dashboard-dark", theme: "dark", width: 1280, height: 960 },
  { name: "dashboard-event", theme: "dark", width: 1280, height: 560, detail: true },
  { name: "dashboard-phone", theme: "light", width: 390, height: 844, scale: 1.5 },
];

const hub = await Hub.open("--broker", "memory");
const browser = await launch("chromium");
const listeners = [];

/** A subscriber that reads, or one that does not. */
async function listen(topics, reads = true) {
  const [host, port] = hub.address.split(":");
  const socket = net.connect({ host, port: Number(port) });
  listeners.push(socket);
  const query = new URLSearchParams(topics.map((topic) => ["topic", topic]));
  socket.write(`GET /events?${query} HTTP/1.1\r\nHost: ${hub.address}\r\n\r\n`);
  await once(socket, "readable");
  if (reads) socket.resume();
}

for (let nth = 0; nth < 24; nth += 1) await listen([`orders/${4000 + nth}`, "announcements"]);
for (let nth = 0; nth < 12; nth += 1) await listen(["prices/{symbol}"]);

const SYMBOLS = ["ACME", "BOLT", "CIRQ", "DUNE"];
const NEWS = [
  () => [{ symbol: SYMBOLS[turn % 4], price: (90 + 30 * Math.abs(Math.sin(turn / 9))).toFixed(2) }, { topic: `prices/${SYMBOLS[turn % 4]}`, event: "quote" }],
  () => [{ order: 4000 + (turn % 24), state: ["paid", "packed", "sent"][turn % 3] }, { topic: `orders/${4000 + (turn % 24)}`, event: "order" }],
  () => ["Maintenance on Sunday at 06:00 UTC", { topic: "announcements" }],
];
let turn = 0;
async function traffic() {
  const kind = turn % 29 === 0 ? 2 : turn % 3 === 0 ? 1 : 0;
  await hub.publish(...NEWS[kind]());
  turn += 1;
}

const page = await browser.newPage();
await page.setViewport({ width: 1280, height: 960 });
await page.goto(`${hub.url}/`);
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
(async () => {
  for (;;) {
    await traffic();
    await later(20 + 60 * Math.abs(Math.sin(turn / 90)));
  }
})().catch(() => {});
await later(SECONDS * 1000 - 8000);
await listen(["log"], false);
for (let sent = 0; sent < 12; sent += 1) await hub.publish("x".repeat(900000), { topic: "log", event: "lines" });
await page.evaluate(() => document.getElementById("subscribers").scrollIntoView());
await later(8000);
await page.evaluate(() => scrollTo(0, 0));

mkdirSync(FOLDER, { recursive: true });
for (const { name, theme, width, height, scale = 1, detail = false } of PICTURES) {
  await page.setViewport({ width, height, deviceScaleFactor: scale });
  await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
  await page.evaluate(() => (document.getElementById("theme").textContent = "Theme: auto"));
  const known = () => [...document.querySelectorAll(".topic")].slice(0, 20).every((it) => it.textContent !== "…");
  await until("topics are known", () => page.evaluate(known));
  if (detail) await page.evaluate(() => [...document.querySelectorAll(".event")].find((it) => it.textContent.includes("quote")).click());
  // Colours fade from one theme to the other.
  await page.evaluate(() => Promise.all(document.getAnimations().map((it) => it.finished)));
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  if (detail) await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
}
for (const socket of listeners) socket.destroy();
await browser.close();
await hub.crash();
process.exit(0);
