// The form that publishes, and says before whether the data is JSON.

import { at } from "./element.js";
import { many, pretty } from "./format.js";

export class Publish {
  #hub;

  constructor(hub) {
    this.#hub = hub;
    at("publish").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#publish();
    });
    at("publish").addEventListener("input", () => this.#check());
    at("data").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("publish").requestSubmit();
    });
    at("pretty").addEventListener("click", () => {
      at("data").value = pretty(at("data").value) ?? at("data").value;
      this.#check();
    });
    this.#check();
  }

  /** Says what the hub is, which may have to do with who may publish. */
  about({ publishers }) {
    at("publish-fields").disabled = !publishers;
    at("no-publishers").hidden = publishers;
    this.#check();
  }

  /** Whether the data is what it is said to be. */
  #check() {
    const fault = at("as-json").checked ? jsonFault(at("data").value) : undefined;
    at("data").setAttribute("aria-invalid", String(Boolean(fault)));
    at("json").dataset.state = fault ? "bad" : "good";
    at("json").textContent = fault ?? (at("as-json").checked ? "Valid JSON" : "Sent as it is");
    at("pretty").disabled = Boolean(fault) || !at("as-json").checked;
    at("publish-curl").textContent = this.#curl();
    return !fault;
  }

  async #publish() {
    const outcome = at("outcome");
    if (!this.#check()) {
      outcome.dataset.state = "bad";
      outcome.textContent = "Not published: the data is not JSON.";
      at("data").focus();
      return;
    }
    try {
      const { clients, id } = await this.#hub.publish(publication());
      outcome.dataset.state = "good";
      outcome.textContent = `Sent to ${many(clients, "subscriber")}, id ${id}`;
    } catch (error) {
      outcome.dataset.state = "bad";
      outcome.textContent = error.status ? `Not published: ${error.message}` : `No answer: ${error.message}`;
    }
  }

  #curl() {
    const token = this.#hub.about?.development ? "" : ` -H "Authorization: Bearer $TOKEN"`;
    const body = JSON.stringify(publication()).replaceAll("'", String.raw`'\''`);
    return `curl${token} -H 'Content-Type: application/json' -d '${body}' ${new URL("broadcast", location.href)}`;
  }
}

/** What stands in the form. The data goes as text, so that it arrives as it was written. */
function publication() {
  const topics = at("topic").value.split(/\s+/).filter(Boolean);
  const type = at("type").value.trim();
  const id = at("id").value.trim();
  return {
    topic: topics.length === 1 ? topics[0] : topics,
    data: at("data").value,
    ...(type && type !== "message" && { event: type }),
    ...(id && { id }),
    ...(at("secret").checked && { private: true }),
  };
}

function jsonFault(text) {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `Not JSON: ${error.message}`;
  }
}
