// Who is connected, a page at a time, asked for while somebody looks.

import { at, element } from "./element.js";
import { bytes, count, many, span } from "./format.js";

const PERIOD = 2000;
const PAGE = 50;

export class Subscribers {
  #hub;
  /** Where the pages before this one, and this one, begin; the first at nothing. */
  #places = [undefined];
  #next;
  #seen = false;
  #timer;

  constructor(hub) {
    this.#hub = hub;
    at("next-page").addEventListener("click", () => this.#turn([...this.#places, this.#next]));
    at("last-page").addEventListener("click", () => this.#turn(this.#places.slice(0, -1)));
    document.addEventListener("visibilitychange", () => this.#ask());
    new IntersectionObserver((entries) => {
      this.#seen = entries.at(-1).isIntersecting;
      this.#ask();
    }).observe(at("subscribers"));
  }

  #turn(places) {
    this.#places = places;
    this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    if (!this.#seen || document.visibilityState !== "visible" || !this.#hub.about) return;
    const place = this.#places.at(-1);
    try {
      const page = await this.#hub.subscribers(PAGE, place);
      if (place === this.#places.at(-1)) this.#show(page);
    } catch {
      // The state of the hub is told elsewhere.
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), PERIOD);
  }

  /** The hub's tokens are known now. */
  start() {
    this.#ask();
  }

  #show({ subscribers, next }) {
    this.#next = next;
    const slowestFirst = subscribers.toSorted((one, other) => (other.lag?.events ?? -1) - (one.lag?.events ?? -1));
    at("subscriber-rows").replaceChildren(...slowestFirst.map(row));
    at("nobody").hidden = subscribers.length > 0;
    const pages = this.#places.length;
    at("next-page").disabled = !next;
    at("last-page").disabled = pages === 1;
    at("pages").hidden = !next && pages === 1;
    at("page").textContent = `Page ${pages}`;
  }
}

function row({ topics, topics_count, private: seesPrivate, subject, subscriber, age_ms, address, lane, dialect, lag }) {
  const more = topics_count - topics.length;
  const listed = topics.map((topic) => element("code", { text: topic }));
  const private_ = seesPrivate ? [element("span", { class: "badge", text: "private too" })] : [];
  const cells = [
    ["Topics", ...listed, ...(more ? [`and ${more} more`] : []), ...private_],
    ["Who", subject ?? (subscriber ? subscriber.slice(0, 8) : "–")],
    ["Since", span(age_ms)],
    ["Address", address ?? "–"],
    ["Way", lane === "socket" ? "HTTP/1.1" : "stream", ...(dialect ? [` · ${dialect}`] : [])],
    ["Lag", lagging(lag)],
  ];
  return element(
    "tr",
    { class: lag ? "lags" : undefined },
    ...cells.map(([label, ...children]) => element("td", { "data-label": label }, ...children)),
  );
}

function lagging(lag) {
  if (!lag) return element("span", { class: "live", text: "live" });
  const { events, held_bytes: held, stuck_ms: stuck, waits_for: waits } = lag;
  const said = `${many(events, "event")}, waits for ${WAITS[waits] ?? waits} ${span(stuck)}`;
  return element("span", { class: "behind", text: said, title: `${count(events)} events and ${bytes(held)} behind` });
}

const WAITS = { turn: "its turn", sink: "its reader", history: "history", tail: "the broker" };
