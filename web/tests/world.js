// A browser and a hub in virtual time: tabs, workers, locks and broadcasts whose order a seed decides.

import { load } from "./module.js";

/** Node has it since version 19. */
const CustomEvent =
  globalThis.CustomEvent ??
  class extends Event {
    constructor(type, { detail } = {}) {
      super(type);
      this.detail = detail;
    }
  };

/** Numbers from a seed (mulberry32). */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Virtual time, and what is due in it. */
export class World {
  now = 0;
  /** What listeners threw; the next turn throws it on. */
  faults = [];
  #tasks = [];
  #count = 0;
  #radios = new Set();
  #held = new Map();
  #waiting = [];
  #workers = new Map();

  constructor(seed, hub) {
    this.random = dice(seed);
    this.hub = hub;
    hub.world = this;
  }

  /** Up to `max` ms. */
  delay(max) {
    return this.random() * max;
  }

  /** Runs `work` in `realm` after `wait` ms, once that is awake; never if it is gone. */
  later(wait, work, realm) {
    const task = { at: this.now + wait, count: (this.#count += 1), work, realm };
    this.#tasks.push(task);
    return task;
  }

  cancel(task) {
    const at = this.#tasks.indexOf(task);
    if (at >= 0) this.#tasks.splice(at, 1);
  }

  /** Lets `ms` pass. */
  async run(ms) {
    const end = this.now + ms;
    for (;;) {
      let next;
      for (const task of this.#tasks) {
        if (task.at > end || task.realm?.frozen) continue;
        if (!next || task.at < next.at || (task.at === next.at && task.count < next.count)) next = task;
      }
      if (!next) break;
      this.cancel(next);
      this.now = Math.max(this.now, next.at);
      if (next.realm?.dead) continue;
      next.work();
      // All promises that this has settled.
      await new Promise(setImmediate);
      if (this.faults.length > 0) throw this.faults[0];
    }
    this.now = end;
  }

  /** A way from one realm to another that keeps its order. */
  pipe(realm) {
    let last = 0;
    return (work) => {
      last = Math.max(last, this.now + this.delay(8));
      this.later(last - this.now, work, realm);
    };
  }

  broadcast(from, data) {
    for (const radio of this.#radios) {
      if (radio === from || radio.name !== from.name) continue;
      const pipe = from.pipes.get(radio) ?? this.pipe(radio.realm);
      from.pipes.set(radio, pipe);
      const copy = structuredClone(data);
      pipe(() => radio.open && radio.onmessage?.({ data: copy }));
    }
  }

  radio(realm, name) {
    const radio = {
      realm,
      name,
      open: true,
      pipes: new Map(),
      postMessage: (data) => this.broadcast(radio, data),
      close: () => {
        radio.open = false;
        this.#radios.delete(radio);
      },
    };
    this.#radios.add(radio);
    return radio;
  }

  lock(realm, name, { signal, steal } = {}, work) {
    return new Promise((resolve, reject) => {
      const request = { realm, name, work, resolve, reject };
      const robbed = () => reject(new DOMException("robbed", "AbortError"));
      signal?.addEventListener("abort", () => {
        const at = this.#waiting.indexOf(request);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        robbed();
      });
      const holder = this.#held.get(name);
      if (steal && holder) {
        this.#held.delete(name);
        this.later(this.delay(8), () => holder.reject(new DOMException("robbed", "AbortError")), holder.realm);
      }
      if (steal) this.#waiting.unshift(request);
      else this.#waiting.push(request);
      this.#grant();
    });
  }

  #grant() {
    for (const request of [...this.#waiting]) {
      if (this.#held.has(request.name)) continue;
      this.#waiting.splice(this.#waiting.indexOf(request), 1);
      this.#held.set(request.name, request);
      const release = () => {
        if (this.#held.get(request.name) !== request) return;
        this.#held.delete(request.name);
        this.#grant();
      };
      const granted = async () => {
        await request.work();
        release();
        request.resolve();
      };
      this.later(this.delay(8), granted, request.realm);
    }
  }

  #freeLocks(realm) {
    this.#waiting = this.#waiting.filter((it) => it.realm !== realm);
    for (const [name, request] of this.#held) if (request.realm === realm) this.#held.delete(name);
    this.#grant();
  }

  worker(realm, name) {
    let worker = this.#workers.get(name);
    if (!worker || worker.realm.dead) {
      worker = { realm: this.realm({ name, isWorker: true }), clients: new Set() };
      this.#workers.set(name, worker);
    }
    worker.clients.add(realm);
    const near = {};
    const far = {};
    const toNear = this.pipe(realm);
    const toFar = this.pipe(worker.realm);
    let open = true;
    near.postMessage = (data) => {
      const copy = structuredClone(data);
      if (open) toFar(() => far.onmessage?.({ data: copy }));
    };
    far.postMessage = (data) => {
      const copy = structuredClone(data);
      toNear(() => open && near.onmessage?.({ data: copy }));
    };
    near.close = () => (open = false);
    toFar(() => worker.realm.fire("connect", { ports: [far] }));
    return { port: near };
  }

  workers() {
    return [...this.#workers.values()].map((it) => it.realm).filter((it) => !it.dead);
  }

  /** A tab, or with `isWorker` a shared worker, in which the module runs. */
  realm({ name = "", isWorker = false, without = [] } = {}) {
    const realm = new Realm(this, name, isWorker, without);
    return realm;
  }

  end(realm) {
    realm.dead = true;
    this.hub.hangUp(realm);
    for (const radio of [...this.#radios]) if (radio.realm === realm) radio.close();
    this.#freeLocks(realm);
    for (const worker of this.#workers.values()) {
      worker.clients.delete(realm);
      if (worker.clients.size === 0 && !worker.realm.dead) this.end(worker.realm);
    }
  }
}

class Realm {
  frozen = false;
  dead = false;
  #listeners = new Map();

  constructor(world, name, isWorker, without) {
    this.world = world;
    const timer = (work, wait) => world.later(Math.max(wait || 0, 1), work, this);
    const every = (work, wait) => {
      const handle = {};
      const turn = () => {
        handle.task = timer(turn, wait);
        work();
      };
      handle.task = timer(turn, wait);
      return handle;
    };
    const listen = (type, work, { signal } = {}) => {
      const all = this.#listeners.get(type) ?? new Set();
      this.#listeners.set(type, all.add(work));
      signal?.addEventListener("abort", () => all.delete(work));
    };
    const globals = {
      AbortController,
      CustomEvent,
      DOMException,
      Event,
      EventTarget,
      MessageEvent,
      TextDecoder,
      URL,
      atob,
      name,
      queueMicrotask,
      setTimeout: timer,
      clearTimeout: (task) => world.cancel(task),
      setInterval: every,
      clearInterval: (handle) => world.cancel(handle?.task),
      fetch: (url, options) => world.hub.fetch(this, url, options),
      addEventListener: listen,
      location: { href: "https://app.example/page" },
      chance: () => world.random(),
      time: () => world.now,
    };
    if (isWorker) {
      globals.SharedWorkerGlobalScope = class {
        static [Symbol.hasInstance]() {
          return true;
        }
      };
    } else {
      globals.document = { baseURI: "https://app.example/page", addEventListener: listen, visibilityState: "visible" };
      globals.BroadcastChannel = function (name) {
        return world.radio(realm, name);
      };
      globals.SharedWorker = function (_, { name }) {
        return world.worker(realm, name);
      };
      globals.navigator = {
        locks: {
          request: (name, options, work) => world.lock(this, name, options, work),
        },
      };
    }
    const realm = this;
    for (const it of without) delete globals[it];
    Object.assign(this, load(globals));
  }

  fire(type, event = {}) {
    for (const work of [...(this.#listeners.get(type) ?? [])]) work(event);
  }
}

/** A hub whose events have the ids 1, 2, 3 …, and topics. */
export class Hub {
  log = [];
  connections = new Set();
  /** Requests fail while it is down. */
  down = false;
  /** What comes before this id is gone. */
  first = 1;
  opened = 0;

  publish(topic) {
    this.log.push({ id: this.log.length + 1, topic });
    for (const connection of this.connections) this.#pump(connection);
  }

  /** Every connection breaks. */
  cut() {
    for (const connection of [...this.connections]) connection.fail();
  }

  /** From now on nothing comes, and nobody is told. */
  mute() {
    for (const connection of this.connections) connection.mute = true;
  }

  hangUp(realm) {
    for (const connection of [...this.connections]) {
      if (connection.realm === realm) this.connections.delete(connection);
    }
  }

  fetch(realm, url, { signal }) {
    const { world } = this;
    return new Promise((resolve, reject) => {
      const fail = () => reject(new TypeError("network"));
      signal.addEventListener("abort", fail);
      world.later(
        world.delay(60),
        () => {
          if (signal.aborted) return;
          if (this.down) fail();
          else resolve(this.#open(realm, new URL(url), signal));
        },
        realm,
      );
    });
  }

  #open(realm, url, signal) {
    const { world } = this;
    const presented = url.searchParams.get("lastEventId");
    const place = presented === null || presented === "earliest" ? 0 : Number(presented);
    const topics = url.searchParams.getAll("topic");
    const connection = { realm, topics, next: this.log.length + 1, text: "", pipe: world.pipe(realm) };
    const head = { "content-type": "text/event-stream" };
    const chunks = [];
    let wake;
    let failed = false;
    connection.fail = () => {
      this.connections.delete(connection);
      failed = true;
      wake?.();
    };
    connection.give = (bytes) => {
      chunks.push(bytes);
      wake?.();
    };
    // What is on its way may still come out after an abort.
    signal.addEventListener("abort", () => world.later(world.delay(8), connection.fail, realm));
    connection.text = ": hello\nretry: 1000\n\n";
    if (presented === null) {
      head["last-event-id"] = this.log.length === 0 ? "earliest" : String(this.log.length);
    } else if (place + 1 < this.first) {
      connection.next = this.first;
      const data = JSON.stringify({ from: presented, to: String(this.first - 1), reason: "trimmed" });
      connection.text += `event: fanfare-gap\nid: ${this.first - 1}\ndata: ${data}\n\n`;
    } else {
      connection.next = place + 1;
    }
    this.opened += 1;
    this.connections.add(connection);
    this.#pump(connection);
    const read = async () => {
      while (chunks.length === 0 && !failed) await new Promise((resolve) => (wake = resolve));
      if (chunks.length > 0) return { value: chunks.shift(), done: false };
      throw new TypeError("network");
    };
    return {
      status: 200,
      headers: { get: (name) => head[name] ?? null },
      body: { getReader: () => ({ read }) },
    };
  }

  /** Sends what waits, cut wherever the dice fall. */
  #pump(connection) {
    for (; connection.next <= this.log.length; connection.next += 1) {
      const { id, topic } = this.log[connection.next - 1];
      if (connection.topics.includes(topic)) connection.text += `id: ${id}\ndata: ${topic}\n\n`;
    }
    if (connection.mute) return;
    const bytes = new TextEncoder().encode(connection.text);
    connection.text = "";
    const cut = Math.floor(this.world.random() * bytes.length);
    for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (part.length > 0) connection.pipe(() => this.connections.has(connection) && connection.give(part));
    }
  }
}
