// The graphs, and the same as a table.

import { Chart } from "./chart.js";
import { at, element } from "./element.js";
import { bytes, count, micros, rate } from "./format.js";

const CHARTS = [
  {
    title: "Subscribers",
    format: count,
    lines: [
      { name: "subscribers", key: "subscribers" },
      { name: "lagging", key: "lagging" },
    ],
  },
  { title: "Published", format: rate, lines: [{ name: "published", key: "published" }] },
  { title: "Delivered", format: rate, lines: [{ name: "delivered", key: "deliveries" }] },
  {
    title: "Fan-out p99",
    format: micros,
    lines: [
      { name: "p99", key: "written" },
      { name: "p50", key: "writtenHalf" },
    ],
  },
  {
    title: "Publish p99",
    format: micros,
    lines: [
      { name: "p99", key: "stored" },
      { name: "p50", key: "storedHalf" },
    ],
  },
  { title: "Memory", format: bytes, lines: [{ name: "memory", key: "memory" }] },
];

/** What the table has beyond the graphs. */
const MORE = [
  { title: "Connections", format: count, key: "connections" },
  { title: "Written", format: (number) => `${bytes(number)}/s`, key: "bytes" },
];

export class Graphs {
  constructor(figures) {
    this.charts = CHARTS.map((about) => new Chart(about));
    at("charts").append(...this.charts.map((chart) => chart.element));
    figures.addEventListener("sample", () => this.#draw(figures.samples));
    at("figures").addEventListener("toggle", () => this.#fill(figures.samples));
  }

  #draw(samples) {
    for (const chart of this.charts) chart.draw(samples);
    this.#fill(samples);
  }

  /** The table is written while it is open only: a screen reader in it must not lose its place for nothing. */
  #fill(samples) {
    if (!at("figures").open) return;
    const rows = this.charts.flatMap((chart) =>
      chart.lines.map(({ name, key }, nth) => ({
        title: nth === 0 ? chart.title : `${chart.title.replace(" p99", "")} ${name}`,
        format: chart.format,
        key,
      })),
    );
    at("figures-rows").replaceChildren(...[...rows, ...MORE].map((row) => line(row, samples)));
  }
}

function line({ title, format, key }, samples) {
  const known = samples.map((sample) => sample[key]).filter((value) => value !== undefined);
  const now = samples.at(-1)?.[key];
  const cells = [now, known.length ? Math.min(...known) : undefined, known.length ? Math.max(...known) : undefined];
  const said = (value) => (value === undefined ? "–" : format(value));
  return element(
    "tr",
    {},
    element("th", { scope: "row", text: title }),
    ...cells.map((value) => element("td", { text: said(value) })),
  );
}
