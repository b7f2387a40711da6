// Makes tokens to try out with; the hub signs them, in development only.

import { at, copyButton } from "./element.js";

export class Tokens {
  #hub;
  #path = "";

  constructor(hub) {
    this.#hub = hub;
    at("mint").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make();
    });
    at("token-copy").append(copyButton("Copy token", () => at("token").textContent));
    at("token-copy").append(copyButton("Copy command", () => at("token-curl").textContent));
  }

  about({ development, hub_path: path }) {
    at("tokens").hidden = !development;
    this.#path = path;
  }

  async #make() {
    const words = (id) => at(id).value.split(/\s+/).filter(Boolean);
    const order = { publish: words("may-publish"), subscribe: words("may-subscribe") };
    const seconds = Number(at("lasts").value);
    const sub = at("token-subject").value.trim();
    if (seconds) order.seconds = seconds;
    if (sub) order.sub = sub;
    try {
      const { token } = await this.#hub.mint(order);
      this.#show(token, order);
      say("good", "Made. It is shown below.");
    } catch (error) {
      at("made").hidden = true;
      say("bad", `Not made: ${error.message}`);
    }
  }

  #show(token, { publish, subscribe }) {
    const url = new URL(this.#path.replace(/^\//, ""), location.href).href;
    const bearer = `-H 'Authorization: Bearer ${token}'`;
    const topic = ([first]) => (first === "*" ? "demo" : first).replaceAll("'", String.raw`'\''`);
    const commands = [];
    if (subscribe.length) commands.push(`curl -N ${bearer} -G --data-urlencode 'topic=${topic(subscribe)}' ${url}`);
    if (publish.length) commands.push(`curl ${bearer} --data-urlencode 'topic=${topic(publish)}' -d data=hello ${url}`);
    at("token").textContent = token;
    at("token-curl").textContent = commands.join("\n\n");
    at("made").hidden = false;
  }
}

function say(state, text) {
  at("token-outcome").dataset.state = state;
  at("token-outcome").textContent = text;
}
