// One graph: a figure, its course as lines, and both in words for who does not see it.

import { drawn, element } from "./element.js";
import { SAMPLES_MAX } from "./figures.js";

const [WIDTH, HEIGHT] = [SAMPLES_MAX - 1, 40];

export class Chart {
  /** `lines`: one or two of `{ name, key }`; the first is the figure. */
  constructor({ title, format, lines }) {
    this.title = title;
    this.format = format;
    this.lines = lines;
    this.figure = element("span", { class: "figure", text: "–" });
    this.beside = element("span", { class: "beside" });
    this.top = element("span", { class: "top", "aria-hidden": "true" });
    this.area = drawn("path", { class: "area" });
    this.paths = lines.map((_, nth) => drawn("path", { class: `line line-${nth}` }));
    this.svg = drawn(
      "svg",
      { viewBox: `0 -1 ${WIDTH} ${HEIGHT + 2}`, preserveAspectRatio: "none", role: "img" },
      this.area,
      ...this.paths.toReversed(),
    );
    this.element = element(
      "li",
      { class: "chart" },
      element("div", { class: "name" }, element("h3", { text: title }), this.top),
      element("p", {}, this.figure, this.beside),
      this.svg,
    );
  }

  draw(samples) {
    const columns = this.lines.map(({ key }) => samples.map((sample) => sample[key]));
    const known = columns.flat().filter((value) => value !== undefined);
    const top = Math.max(...known, 0);
    this.paths.forEach((path, nth) => path.setAttribute("d", course(columns[nth], top || 1)));
    this.area.setAttribute("d", ground(columns[0], top || 1));
    this.top.textContent = known.length ? `≤ ${this.format(top)}` : "";

    const now = columns.map((column) => this.#said(column.at(-1)));
    this.figure.textContent = now[0];
    this.beside.textContent = this.lines.length > 1 ? `${now[1]} ${this.lines[1].name}` : "";
    const range = this.range(samples, this.lines[0].key);
    this.svg.setAttribute("aria-label", `${this.title}: now ${now[0]}, in two minutes ${range.low} to ${range.high}`);
  }

  /** The least and the most of `key`, in words. */
  range(samples, key) {
    const known = samples.map((sample) => sample[key]).filter((value) => value !== undefined);
    if (!known.length) return { low: "–", high: "–" };
    return { low: this.format(Math.min(...known)), high: this.format(Math.max(...known)) };
  }

  #said(value) {
    return value === undefined ? "–" : this.format(value);
  }
}

/** Where the values stand, the newest at the right edge. */
function places(values, top) {
  const left = SAMPLES_MAX - values.length;
  return values.map((value, nth) => value !== undefined && [left + nth, HEIGHT - (value / top) * HEIGHT]);
}

const point = ([x, y]) => `${x} ${y.toFixed(1)}`;

/** A line through `values`, with a gap where one is not known. */
function course(values, top) {
  let isDown = false;
  const steps = places(values, top).map((place) => {
    if (!place) {
      isDown = false;
      return "";
    }
    const step = `${isDown ? "L" : "M"}${point(place)}`;
    // A lone value is a dot.
    const dot = isDown ? "" : `h0.01`;
    isDown = true;
    return step + dot;
  });
  return steps.join("");
}

/** The ground under the line. */
function ground(values, top) {
  const known = places(values, top).filter(Boolean);
  if (known.length < 2) return "";
  return `M${known[0][0]} ${HEIGHT}L${known.map(point).join("L")}L${known.at(-1)[0]} ${HEIGHT}Z`;
}
