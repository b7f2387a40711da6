// What the page asks of the hub, and with which tokens.

import { Fanfare } from "../fanfare.js";

/** The hub said no. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** A stream that hands out events of all types: `any` has them, and no type of a publisher's can pass for ours. */
class Stream extends Fanfare {
  dispatchEvent(event) {
    if (!(event instanceof MessageEvent)) return super.dispatchEvent(event);
    return super.dispatchEvent(new CustomEvent("any", { detail: event }));
  }
}

const ADMIN = "fanfare-admin-token";
const HUB = "fanfare-hub-token";

/** Fires `locked` when it wants an admin token. */
export class Hub extends EventTarget {
  /** What it said of itself last. */
  about;
  #admin = sessionStorage.getItem(ADMIN) ?? "";
  #token = sessionStorage.getItem(HUB) ?? "";

  /** The token for publishing, and for seeing private events; in development the hub gives one. */
  get token() {
    return this.#token || this.about?.token || "";
  }

  get isSignedIn() {
    return this.#admin !== "";
  }

  /** Keeps the tokens for as long as the tab lives. */
  signIn(admin, token) {
    this.#admin = admin;
    this.#token = token;
    sessionStorage.setItem(ADMIN, admin);
    sessionStorage.setItem(HUB, token);
  }

  signOut() {
    sessionStorage.removeItem(ADMIN);
    sessionStorage.removeItem(HUB);
  }

  async status() {
    this.about = await this.#look("admin/status");
    return this.about;
  }

  subscribers(limit, after) {
    const query = new URLSearchParams({ limit, ...(after && { after }) });
    return this.#look(`admin/subscribers?${query}`);
  }

  /** What the stream does not tell of the newest events. */
  async recent(limit) {
    return (await this.#look(`admin/events?limit=${limit}`)).events;
  }

  mint(order) {
    return this.#look("admin/token", { method: "POST", body: JSON.stringify(order) });
  }

  publish(publication) {
    return ask("broadcast", this.token, { method: "POST", body: JSON.stringify(publication) });
  }

  /** Opens a stream of `topics`; of private events too, if `withPrivate`. */
  stream(topics, withPrivate) {
    const token = withPrivate && this.token && (() => this.token);
    // A dashboard is looked at by itself: there is nothing to share a connection with.
    return new Stream("events", { topics, share: "none", token: token || undefined });
  }

  async #look(path, options) {
    try {
      return await ask(path, this.#admin, options);
    } catch (error) {
      if (error.status === 401) this.dispatchEvent(new CustomEvent("locked", { detail: error }));
      throw error;
    }
  }
}

async function ask(path, token, options = {}) {
  const headers = { ...(token && { Authorization: `Bearer ${token}` }) };
  if (options.body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.detail ?? `the hub answers ${answer.status}`);
  return body;
}
