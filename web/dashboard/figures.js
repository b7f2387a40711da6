// The hub's figures over the last two minutes, asked for once a second while somebody looks.

const PERIOD = 1000;
export const SAMPLES_MAX = 120;

/** Fires `sample` with each new one, and `away` when the hub does not answer. */
export class Figures extends EventTarget {
  samples = [];
  #hub;
  #before;
  #timer;
  #asking = false;

  constructor(hub) {
    super();
    this.#hub = hub;
    document.addEventListener("visibilitychange", () => this.#wait());
  }

  start() {
    this.stop();
    this.#ask();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#take(await this.#hub.status(), performance.now());
      this.#wait();
    } catch (error) {
      // Without a token it makes no sense to ask on.
      if (error.status !== 401) {
        this.dispatchEvent(new CustomEvent("away", { detail: error }));
        this.#wait();
      }
    } finally {
      this.#asking = false;
    }
  }

  #wait() {
    this.stop();
    if (document.visibilityState === "visible") this.#timer = setTimeout(() => this.#ask(), PERIOD);
  }

  #take(status, at) {
    const before = this.#before;
    this.#before = { status, at };
    // A hub that has been there for less time than before is another one: its counts began anew.
    const isSame = before && status.uptime_ms > before.status.uptime_ms;
    const sample = isSame ? between(before, { status, at }) : gauges(status);
    this.samples.push(sample);
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
    this.dispatchEvent(new CustomEvent("sample", { detail: { status, sample } }));
  }
}

function gauges({ now }) {
  const { subscribers, lagging, connections, memory_bytes: memory } = now;
  return { subscribers, lagging, connections, memory: memory ?? undefined };
}

/** The gauges of `after`, and the rates since `before`. */
function between(before, after) {
  const seconds = after.status.uptime_ms / 1000 - before.status.uptime_ms / 1000;
  const [was, is] = [before.status.totals, after.status.totals];
  const rate = (name) => (is[name] - was[name]) / seconds;
  const took = (name) => grown(before.status.latency[name], after.status.latency[name]);
  const [stored, written] = [took("stored"), took("written")];
  return {
    ...gauges(after.status),
    published: rate("published"),
    deliveries: rate("deliveries"),
    bytes: rate("written_bytes"),
    storedHalf: quantile(stored, 0.5),
    stored: quantile(stored, 0.99),
    writtenHalf: quantile(written, 0.5),
    written: quantile(written, 0.99),
  };
}

/** What came to each bucket. */
function grown(before, after) {
  const had = new Map(before);
  return after.map(([bound, count]) => [bound, count - (had.get(bound) ?? 0)]);
}

/** The bound that `part` of them are below; `undefined` of nothing. */
export function quantile(buckets, part) {
  const all = buckets.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bound, count] of buckets) {
    seen += count;
    if (count > 0 && seen >= all * part) return bound;
  }
  return undefined;
}
