// The page: puts its parts together, and says how the hub is.

import { Detail } from "./detail.js";
import { at, element } from "./element.js";
import { Events } from "./events.js";
import { Figures } from "./figures.js";
import { count, span } from "./format.js";
import { Graphs } from "./graphs.js";
import { Hub } from "./hub.js";
import { Publish } from "./publish.js";
import { SignIn } from "./sign_in.js";
import { Subscribers } from "./subscribers.js";
import { Tokens } from "./tokens.js";

const hub = new Hub();
const figures = new Figures(hub);
const events = new Events(hub, new Detail());
const publish = new Publish(hub);
const subscribers = new Subscribers(hub);
const tokens = new Tokens(hub);
const signIn = new SignIn(hub, () => figures.start());
new Graphs(figures);

let isOpen = false;

figures.addEventListener("sample", ({ detail: { status } }) => {
  health(status);
  at("subscribers-count").textContent = count(status.now.subscribers);
  totals(status);
  if (isOpen) return;
  isOpen = true;
  publish.about(status);
  tokens.about(status);
  signIn.about();
  at("private-choice").hidden = !status.anonymous || !hub.token;
  events.open();
  subscribers.start();
});

figures.addEventListener("away", () => {
  at("health").dataset.state = "failed";
  at("health").textContent = "no answer";
});

function health({ state, why, version, uptime_ms: uptime, broker, may_be_lost: lost, development }) {
  at("health").dataset.state = state;
  at("health").textContent = why ? `${state}: ${why}` : state;
  at("uptime").textContent = span(uptime);
  at("version").textContent = version;
  at("broker").textContent = broker;
  at("broker").title = `May be lost: ${lost ?? "nothing that the disk keeps"}`;
  at("development").hidden = !development;
}

/** Ends and gaps since the start, those that there were. */
function totals({ ended, gaps, totals: all }) {
  const told = [
    ["Published", all.published],
    ["Delivered", all.deliveries],
    ["Subscribers ever", all.subscribers],
    ...Object.entries(ended).map(([reason, number]) => [`Ended: ${reason.replace("_", " ")}`, number]),
    ...Object.entries(gaps).map(([reason, number]) => [`Gaps: ${reason}`, number]),
  ];
  const shown = told.filter(([, number], nth) => nth < 3 || number > 0);
  at("totals").replaceChildren(
    ...shown.map(([name, number]) =>
      element("div", {}, element("dt", { text: name }), element("dd", { text: count(number) })),
    ),
  );
}

figures.start();
