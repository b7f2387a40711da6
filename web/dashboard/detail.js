// One event with everything that is known of it.

import { at, copyButton, element } from "./element.js";
import { bytes, clock, pretty } from "./format.js";

export class Detail {
  #shown;

  constructor() {
    const close = () => at("detail").close();
    at("detail-close").addEventListener("click", close);
    // A click beside it closes it too.
    at("detail").addEventListener("click", (event) => event.target === at("detail") && close());
    const data = copyButton("Copy data", () => this.#shown.data);
    const id = copyButton("Copy id", () => this.#shown.id);
    at("detail-copy").append(data, id);
  }

  show(event) {
    this.#shown = event;
    at("detail-fields").replaceChildren(...fields(event).flatMap(([name, text]) => field(name, text)));
    const json = pretty(event.data);
    at("detail-kind").textContent = json === undefined ? "text" : "JSON";
    at("detail-data").textContent = json ?? event.data;
    if (!at("detail").open) at("detail").showModal();
  }

  /** More has become known of `event`. */
  update(event) {
    if (at("detail").open && this.#shown === event) this.show(event);
  }
}

function fields({ type, id, at: time, data, known }) {
  const size = new TextEncoder().encode(data).length;
  const rows = [
    ["Type", type],
    ["Id", id],
    ["Received", clock(time)],
    ["Data", bytes(size)],
  ];
  if (!known) return rows;
  const more = known.topics_count - known.topics.length;
  rows.push(["Topics", [...known.topics, ...(more ? [`and ${more} more`] : [])].join("\n")]);
  rows.push(["Audience", known.private ? "private" : "public"]);
  rows.push(["Place in the order", String(known.offset)]);
  rows.push(["On the wire", bytes(known.bytes)]);
  if (known.expires_ms) rows.push(["Expires", new Date(known.expires_ms).toISOString()]);
  return rows;
}

const field = (name, text) => [element("dt", { text: name }), element("dd", { text })];
