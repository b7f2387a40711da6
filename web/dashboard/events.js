// Live events: a bounded list that can be paused, without missing what comes meanwhile.

import { at, element } from "./element.js";
import { clock, count, many } from "./format.js";

const SHOWN_MAX = 500;
/** How often the hub is asked for what the stream does not tell. */
const ASK_PERIOD = 1000;

export class Events {
  #hub;
  #detail;
  #stream;
  #paused = false;
  /** What came since the last frame, or since the pause; the newest last. */
  #waiting = [];
  #drawing = false;
  #count = 0;
  #missed = 0;
  /** Rows of events of which topics are not known yet. */
  #unknown = new Map();
  #asked = 0;
  #events = new WeakMap();

  constructor(hub, detail) {
    this.#hub = hub;
    this.#detail = detail;
    at("filter").addEventListener("submit", (event) => {
      event.preventDefault();
      this.open();
    });
    at("private").addEventListener("change", () => this.open());
    at("pause").addEventListener("click", () => this.#pause(!this.#paused));
    at("clear").addEventListener("click", () => this.#clear());
    at("events").addEventListener("click", (event) => this.#show(event.target.closest("button")));
    at("events").addEventListener("keydown", (event) => this.#move(event));
  }

  /** Listens to the topics that stand in the form. */
  open() {
    this.#stream?.close();
    const topics = at("selectors").value.split(/\s+/).filter(Boolean);
    at("selectors").value = topics.join(" ") || "*";
    const { about } = this.#hub;
    if (!about.subscribers) return say("closed", "no subscribers here");
    const withPrivate = at("private").checked || !about.anonymous;
    say("connecting");
    const stream = this.#hub.stream(topics.length ? topics : ["*"], withPrivate);
    this.#stream = stream;
    stream.addEventListener("open", () => say("open", "connected"));
    stream.addEventListener("error", () => stream.readyState === 2 || say("connecting", "reconnecting"));
    stream.addEventListener("end", ({ detail }) => say("closed", ended(detail)));
    stream.addEventListener("gap", ({ detail }) => this.#take(gap(detail)));
    stream.addEventListener("any", ({ detail }) => this.#take(received(detail)));
  }

  #take(event) {
    this.#count += 1;
    this.#waiting.push(event);
    if (this.#waiting.length > SHOWN_MAX) this.#waiting.shift();
    if (this.#paused) this.#missed += 1;
    if (!this.#drawing) {
      this.#drawing = true;
      requestAnimationFrame(() => this.#draw());
    }
  }

  #draw() {
    this.#drawing = false;
    at("count").textContent = many(this.#count, "event");
    const newest = this.#waiting.at(-1);
    if (newest) at("last-id").textContent = newest.id;
    if (this.#paused) {
      at("pause").textContent = `Go on (${count(this.#missed)} new)`;
      return;
    }
    const rows = this.#waiting.map((event) => this.#row(event));
    this.#waiting = [];
    if (!rows.length) return;
    const list = at("events");
    list.prepend(...rows.toReversed());
    while (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
    if (!list.querySelector("[tabindex='0']")) list.querySelector("button").tabIndex = 0;
    at("none").hidden = true;
    this.#ask();
  }

  #row(event) {
    const button = element(
      "button",
      { type: "button", class: event.gap ? "event gap" : "event", tabindex: "-1" },
      element("span", { class: "time", text: clock(event.at) }),
      element("span", { class: "type", text: event.type }),
      element("span", { class: "topic", text: "…" }),
      element("span", { class: "data", text: event.data.slice(0, 400) }),
    );
    this.#events.set(button, event);
    if (event.gap) button.querySelector(".topic").textContent = "";
    else if (event.id) this.#unknown.set(event.id, [...(this.#unknown.get(event.id) ?? []), button]);
    return element("li", {}, button);
  }

  /** Asks for the topics of what is shown, once a second at most. */
  async #ask() {
    if (this.#asked || !this.#unknown.size) return;
    this.#asked = setTimeout(() => {
      this.#asked = 0;
      this.#ask();
    }, ASK_PERIOD);
    const asked = this.#unknown;
    this.#unknown = new Map();
    const known = await this.#hub.recent(SHOWN_MAX).catch(() => []);
    const byId = new Map(known.map((it) => [it.id, it]));
    for (const [id, buttons] of asked) {
      for (const button of buttons) this.#learn(button, byId.get(id));
    }
  }

  /** What the hub does not keep at hand any more stays unknown. */
  #learn(button, known) {
    const event = this.#events.get(button);
    const topic = button.querySelector(".topic");
    topic.textContent = known?.topics[0] ?? "";
    if (!known) return;
    event.known = known;
    if (known.topics_count > 1) topic.textContent += ` +${known.topics_count - 1}`;
    if (known.private) button.classList.add("private");
    this.#detail.update(event);
  }

  #show(button) {
    if (!button) return;
    this.#focus(button);
    this.#detail.show(this.#events.get(button));
  }

  /** The list is one stop of the tabulator; arrows move in it. */
  #move(event) {
    const item = event.target.closest("li");
    const to = {
      ArrowDown: item?.nextElementSibling,
      ArrowUp: item?.previousElementSibling,
      Home: at("events").firstElementChild,
      End: at("events").lastElementChild,
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.#focus(to.querySelector("button"));
  }

  #focus(button) {
    for (const other of at("events").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    button.tabIndex = 0;
    button.focus();
  }

  #pause(paused) {
    this.#paused = paused;
    this.#missed = 0;
    at("pause").setAttribute("aria-pressed", String(paused));
    at("pause").textContent = paused ? "Go on" : "Pause";
    this.#draw();
  }

  #clear() {
    at("events").replaceChildren();
    this.#waiting = [];
    this.#unknown.clear();
    at("none").hidden = false;
  }
}

const received = ({ type, data, lastEventId }) => ({ type, data, id: lastEventId, at: new Date() });

const gap = (detail) => ({
  type: "fanfare-gap",
  data: JSON.stringify(detail),
  id: detail?.to ?? "",
  at: new Date(),
  gap: true,
});

function ended({ reason, status }) {
  if (reason === "unauthorized") return "needs a token";
  return reason === "refused" ? `refused (${status})` : "closed by the hub";
}

function say(state, text = state) {
  at("state").dataset.state = state;
  at("state").textContent = text;
}
