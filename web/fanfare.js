// @ts-self-types="./fanfare.d.ts"
/**
 * Events of a Fanfare hub, over one connection for all tabs of an origin.
 *
 * Pages import this file, and a shared worker runs it. Read from the bottom of the road to its top: `Decoder` turns
 * text into entries, `Stream` keeps one place in the hub's order over any number of connections, `Owner` shares a
 * stream among members, `WorkerLink` and `LeaderLink` carry what owner and tabs say to each other, and `Fanfare` is
 * what a page holds.
 *
 * An entry is `[type, data, id]`, where `id` is the last event id at its end. What is said between owner and tabs is
 * an object whose `t` names its kind; `docs/decisions/0030-one-connection-for-all-tabs.md` says why it is exact.
 */

/** Owners and tabs of different versions never meet: it is a part of every key. */
const VERSION = 2;
const BEAT = 2000;
/** Beats without an answer before a tab counts as asleep. */
const BEATS_MAX = 5;
/** Half of it passes before a tab asks a silent owner, all of it before the owner is replaced. */
const SILENT_TICKS_MAX = 6;
const HELLO_TIMEOUT = 3000;
const TOKEN_TIMEOUT = 10000;
/** Until the first byte of an answer: a hub sends some at once. */
const FIRST_BYTE_TIMEOUT = 5000;
/** Connections in a row without one before answers are asked for in pieces. */
const HELD_BACK_MAX = 2;
/** An `EventSource` that has not come back by itself by then is replaced. */
const REPLACED_AFTER = 30000;
/** Until a heartbeat says how often they come. */
const SILENCE = 45000;
const STABLE_AFTER = 10000;
const TIMER_MAX = 2 ** 31 - 1;
const LOG_ENTRIES_MAX = 512;
const LOG_CHARACTERS_MAX = 1 << 18;
const EVENT_STREAM = "text/event-stream";
/** Why a connection was broken off. */
const SILENT = "silent";
/** What a source tells on its own account. */
const OWN_TYPES = ["open", "error", "gap", "live", "end"];
const EVENTS_WAITING_MAX = 100000;
const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

const random = (max) => Math.random() * max;
/** A name that no other has; it is no secret. */
const uniqueName = () => Array.from({ length: 2 }, () => Math.random().toString(36).slice(2)).join("");

/** Reads `text/event-stream` (HTML §9.2.6); whoever feeds it has decoded UTF-8 and dropped the byte order mark. */
class Decoder {
  /** In ms, once the stream said it. */
  retry;
  #line = "";
  #afterCr = false;
  #type = "";
  #data = "";
  #nextId;

  constructor(id) {
    this.id = this.#nextId = id;
  }

  /** The entries that `text` completes. */
  feed(text) {
    const entries = [];
    // The second half of a CRLF whose first half ended the line already: nothing waits for it.
    let from = this.#afterCr && text[0] === "\n" ? 1 : 0;
    if (text) this.#afterCr = false;
    const ends = /[\r\n]/g;
    for (;;) {
      ends.lastIndex = from;
      const end = ends.exec(text)?.index;
      if (end === undefined) break;
      this.#take(this.#line + text.slice(from, end), entries);
      this.#line = "";
      from = end + 1;
      if (text[end] === "\r") {
        if (text[from] === "\n") from += 1;
        else this.#afterCr = from === text.length;
      }
    }
    this.#line += text.slice(from);
    return entries;
  }

  #take(line, entries) {
    if (line === "") return this.#dispatch(entries);
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data += value + "\n";
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#nextId = value;
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Math.min(+value, TIMER_MAX);
  }

  #dispatch(entries) {
    const moved = this.id !== this.#nextId;
    this.id = this.#nextId;
    if (this.#data) entries.push([this.#type || "message", this.#data.slice(0, -1), this.id]);
    else if (moved) entries.push(["", null, this.id]);
    this.#type = this.#data = "";
  }
}

/**
 * One place in the hub's order, kept over one connection after another.
 *
 * Tells `on`: `open()`, `batch(entries)`, `lost({ status, retryIn })`, `end({ status, reason })` once and last, and asks
 * it for a `token()`.
 */
class Stream {
  state = CONNECTING;
  #spec;
  #on;
  #retry;
  /** Connections in a row that were not good. */
  #failures = 0;
  #refusals = 0;
  /** Connections in a row that brought nothing in time: something holds answers back until they are whole. */
  #heldBack = 0;
  #token;
  #offline = false;
  /** Whether the next connection is made at once, in silence. */
  #again = false;
  /** Of the connection that there is: what ends it, since when it is open, and whether it brought anything. */
  #abort;
  #openedAt;
  #brought;
  #skipWait;
  #heardAt = 0;
  #silence = SILENCE;
  #watchdog;
  #renewal;
  /** An `EventSource` shows no types but these. */
  #types = new Set(["message", "fanfare-gap", "fanfare-heartbeat", "fanfare-live"]);
  #source;

  constructor(spec, cursor, on) {
    this.#spec = spec;
    this.cursor = cursor;
    this.#on = on;
    this.#run();
  }

  get transport() {
    return this.#heldBack < HELD_BACK_MAX ? this.#spec.transport : "poll";
  }

  close() {
    this.state = CLOSED;
    clearTimeout(this.#renewal);
    this.#abort?.abort();
    this.#skipWait?.();
  }

  /** Events of `types` are wanted, too. */
  listen(types) {
    for (const type of types) {
      this.#types.add(type);
      this.#source?.addEventListener(type, this.#hand);
    }
  }

  /** The network or the page is back, or the network is gone. */
  wake(why) {
    if (why === "offline") {
      this.#offline = true;
      return;
    }
    const changed = this.#offline && why === "online";
    if (why === "online") this.#offline = false;
    const silent = Date.now() - this.#heardAt > this.#silence;
    if (this.#skipWait) {
      this.#failures = 0;
      this.#skipWait();
    } else if (changed || (silent && this.state === OPEN)) {
      this.#restart();
    }
  }

  /** Reads on over a new connection; what the old one still brings is ignored. */
  #restart() {
    this.#again = true;
    this.#abort?.abort();
  }

  async #run() {
    while (this.state !== CLOSED) {
      const ended = await this.#connect();
      if (this.state === CLOSED) return;
      if (this.#again) continue;
      if (ended.reason) {
        this.close();
        return this.#on.end(ended);
      }
      const retryIn = this.#wait(ended);
      if (!ended.isPiece) this.#lose({ status: ended.status, retryIn });
      await new Promise((resolve) => {
        this.#skipWait = resolve;
        setTimeout(resolve, retryIn);
      });
      this.#skipWait = undefined;
    }
  }

  /** How long until the next try: what the server said, and full jitter above it after failures. */
  #wait({ after, silent }) {
    const { min, max } = this.#spec.retry;
    const server = this.#retry ?? min;
    if (silent && this.#failures === 0) return 0;
    if (after !== undefined) return Math.min(after, 3600000) * (1 + random(0.1));
    if (this.#failures === 0) return server + random(Math.min(server / 10, 200));
    const ceiling = Math.min(max, Math.max(server, 500) * 2 ** Math.min(this.#failures - 1, 20));
    return (this.#offline ? Math.max(server, max) : server) + random(ceiling);
  }

  /** One connection from its begin to its end; says how it ended. */
  async #connect() {
    this.#again = false;
    this.#openedAt = undefined;
    this.#brought = { bytes: false, events: false };
    const { signal } = (this.#abort = new AbortController());
    try {
      if (this.#spec.token && !(await this.#authorize())) return { status: 401, reason: "unauthorized" };
      signal.throwIfAborted();
      this.#hear(this.transport === "poll" ? SILENCE : FIRST_BYTE_TIMEOUT);
      const ended = await (this.#spec.transport === "fetch" ? this.#read(signal) : this.#listen(signal));
      if (ended) return ended;
    } catch {
      // Why the network failed is never told to a page.
    } finally {
      clearTimeout(this.#watchdog);
      this.#abort.abort();
      this.#judgeConnection();
    }
    return { silent: signal.reason === SILENT && this.#openedAt !== undefined };
  }

  #judgeConnection() {
    const { bytes, events } = this.#brought;
    const lasted = this.#openedAt === undefined ? -1 : Date.now() - this.#openedAt;
    const good = lasted >= STABLE_AFTER || (events && (lasted >= 1000 || !(this.#retry < 500)));
    if (good) this.#failures = 0;
    else if (!this.#again) this.#failures += 1;
    if (this.transport === "poll") return;
    this.#heldBack = !bytes && this.#abort.signal.reason === SILENT ? this.#heldBack + 1 : 0;
  }

  /** Something came; the next must within `limit`. */
  #hear(limit) {
    this.#heardAt = Date.now();
    clearTimeout(this.#watchdog);
    const abort = this.#abort;
    if (this.#spec.heartbeat && limit <= TIMER_MAX) this.#watchdog = setTimeout(() => abort.abort(SILENT), limit);
  }

  #open() {
    this.#openedAt = Date.now();
    this.#refusals = 0;
    this.state = OPEN;
    this.#on.open();
  }

  #lose(why) {
    this.state = CONNECTING;
    this.#on.lost(why);
  }

  #take(entries) {
    if (entries.length === 0) return;
    this.#brought.events = true;
    this.cursor = entries.at(-1)[2];
    this.#learnSilence(entries);
    this.#on.batch(entries);
  }

  #learnSilence(entries) {
    for (const [type, data] of entries) {
      if (type !== "fanfare-heartbeat") continue;
      const { interval } = parsed(data);
      // Zero: the hub sends none, and silence says nothing.
      if (interval >= 0) this.#silence = 2.5 * interval || Infinity;
    }
  }

  #ask(how) {
    return fetch(this.#target(), {
      ...how,
      headers: { Accept: EVENT_STREAM, ...how.headers },
      credentials: this.#spec.withCredentials ? "include" : "same-origin",
      cache: "no-store",
    });
  }

  async #read(signal) {
    const response = await this.#ask({ signal, headers: this.#token && { Authorization: `Bearer ${this.#token}` } });
    const refusal = this.#judge(response);
    if (refusal) return refusal;
    this.cursor ||= response.headers.get("last-event-id") ?? "";
    this.#open();
    const decoder = new Decoder(this.cursor);
    const utf8 = new TextDecoder();
    const body = response.body.getReader();
    for (;;) {
      const { value, done } = await body.read();
      if (signal.aborted) return undefined;
      if (done) return { isPiece: this.transport === "poll" };
      this.#brought.bytes = true;
      this.#hear(this.#silence);
      const entries = decoder.feed(utf8.decode(value, { stream: true }));
      this.#retry = decoder.retry ?? this.#retry;
      this.#take(entries);
    }
  }

  /** The browser's own way: it comes back by itself, and where it does not, it never says why. */
  async #listen(signal) {
    const source = (this.#source = new EventSource(this.#target(), { withCredentials: this.#spec.withCredentials }));
    this.listen(this.#types);
    const ended = new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve());
      // A server's events of these two types come the same way; they have data.
      source.onopen = ({ data }) => {
        if (data !== undefined) return;
        this.#brought.bytes = true;
        this.#hear(this.#silence);
        this.#open();
      };
      source.onerror = ({ data }) => {
        if (data !== undefined) return;
        this.#hear(REPLACED_AFTER);
        if (source.readyState === CLOSED) resolve(this.#whyClosed());
        else if (this.transport !== "poll") this.#lose({});
      };
    });
    return ended.finally(() => source.close());
  }

  #hand = ({ type, data, lastEventId }) => {
    this.#hear(this.#silence);
    this.#take([[type, data, lastEventId]]);
  };

  async #whyClosed() {
    const response = await this.#ask({ method: "HEAD", signal: AbortSignal.timeout(FIRST_BYTE_TIMEOUT) });
    return this.#judge(response) ?? { silent: true };
  }

  #target() {
    const url = new URL(this.#spec.url);
    if (this.cursor) url.searchParams.set(cursorName(url), this.cursor);
    if (this.transport === "poll") url.searchParams.set("poll", "1");
    if (this.#token && this.#spec.transport !== "fetch") url.searchParams.set("authorization", this.#token);
    return url.href;
  }

  /** What an answer means, unless it is the stream. */
  #judge(response) {
    const { status } = response;
    const type = (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
    if (status === 200 && type === EVENT_STREAM) return undefined;
    if (status === 204) return { status, reason: "closed" };
    if (status >= 500 || [408, 425, 429].includes(status)) {
      const field = response.headers.get("retry-after");
      const seconds = /^[0-9]+$/.test(field ?? "") ? +field : (Date.parse(field) - Date.now()) / 1000;
      return seconds > 0 ? { status, after: seconds * 1000 } : { status };
    }
    if (status !== 401 && status !== 403) return { status, reason: "refused" };
    this.#refusals += 1;
    this.#again = this.#spec.token && this.#refusals === 1;
    return { status, reason: "unauthorized" };
  }

  /** Gets a token for this connection; false if it is the one that was just refused. */
  async #authorize() {
    const token = await this.#on.token();
    if (this.#refusals > 0 && token === this.#token) return false;
    this.#token = token;
    clearTimeout(this.#renewal);
    const life = expiry(token) - Date.now();
    // At four fifths of its life; a token that is over anyway is the hub's to refuse.
    if (life > 0) this.#renewal = setTimeout(() => this.#renew(), Math.min(life * 0.8, TIMER_MAX));
    return true;
  }

  #renew() {
    if (this.state === OPEN) this.#restart();
  }
}

/** The script that this is, if it is still by itself: a bundle would run the whole page in the worker. */
const ownScript = () => (/\/fanfare\.js([?#]|$)/.test(import.meta.url) ? import.meta.url : undefined);

const parsed = (json) => {
  try {
    return JSON.parse(json) ?? {};
  } catch {
    return {};
  }
};

/** When a JSON Web Token ends, in ms; NaN if it does not say. */
const expiry = (token) => {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return parsed(atob(claims)).exp * 1000;
  } catch {
    return NaN;
  }
};

/** The query parameter that names the place to go on from, in the protocol that `url` speaks. */
const cursorName = (url) =>
  [...url.searchParams.keys()].some((name) => name.startsWith("match")) ? "last_event_id" : "lastEventId";

/**
 * Shares streams among members; a member is one stay of a tab.
 *
 * The main stream serves whoever is at its place. A member that joins from another place reads from a stream of its
 * own until that has come to a place that the main stream's log still knows.
 */
class Owner {
  epoch = uniqueName();
  #spec;
  #say;
  #main;
  #sides = new Set();
  /** Beats that each member left without an answer. */
  #members = new Map();
  /** The main stream's newest entries, and the place before them. */
  #log = [];
  #logSize = 0;
  #logStart = "";
  #asked = new Map();
  #types = new Set();
  #beats;

  /** `say` takes what tabs shall hear; what has `to` is for these members alone. */
  constructor(say) {
    this.#say = say;
    this.#beats = setInterval(() => this.#beat(), BEAT);
    this.ping();
  }

  ping() {
    this.#say({ t: "ping", epoch: this.epoch });
  }

  close() {
    clearInterval(this.#beats);
    for (const reader of this.#readers()) reader.stream.close();
    this.#main = undefined;
    this.#sides.clear();
    this.#members.clear();
    this.#say({ t: "bye", epoch: this.epoch });
  }

  hear(said) {
    const known = this.#members.has(said.member);
    this.#listen(said.types ?? []);
    if (said.t === "who") this.ping();
    else if (said.t === "join" && said.epoch === this.epoch) this.#join(said);
    else if (said.t === "leave") this.#leave(said.member);
    else if (said.t === "wake" && known) for (const { stream } of this.#readers()) stream.wake(said.why);
    else if (said.t === "token") this.#asked.get(said.question)?.(said.token);
    else if (said.t === "pong" && said.epoch === this.epoch) {
      if (known) this.#members.set(said.member, 0);
      // It slept, and what it has not taken is not kept for it: it knows its place.
      else this.#say({ t: "rejoin", to: [said.member] });
    }
  }

  #listen(types) {
    for (const type of types) this.#types.add(type);
    for (const { stream } of this.#readers()) stream.listen(types);
  }

  #readers() {
    return this.#main ? [this.#main, ...this.#sides] : [];
  }

  #beat() {
    for (const [member, beats] of this.#members) {
      if (beats >= BEATS_MAX) this.#leave(member);
      else this.#members.set(member, beats + 1);
    }
    this.ping();
  }

  #join({ member, was, cursor, spec }) {
    this.#leave(was);
    this.#spec = spec;
    this.#members.set(member, 0);
    if (!this.#main) {
      this.#main = this.#read(member, cursor);
      this.#clearLog(cursor);
    }
    const main = this.#main;
    // Without a place of its own it begins where the others are.
    const at = cursor === "" ? this.#log.length : this.#find(cursor);
    if (at >= 0) {
      main.members.add(member);
      this.#tellState([member], main);
      this.#tell([member], { t: "entries", entries: this.#log.slice(at) });
      this.#tellLive([member], main);
      return;
    }
    let side = [...this.#sides].find((it) => it.stream.cursor === cursor);
    if (!side) this.#sides.add((side = this.#read(member, cursor)));
    side.members.add(member);
    this.#tellState([member], side);
  }

  #leave(member) {
    this.#members.delete(member);
    for (const reader of this.#readers()) {
      if (!reader.members.delete(member) || reader.members.size > 0) continue;
      reader.stream.close();
      this.#sides.delete(reader);
      if (reader === this.#main) this.#promote();
    }
  }

  /** The main stream has nobody left: any other will do. */
  #promote() {
    [this.#main] = this.#sides;
    this.#sides.delete(this.#main);
    this.#clearLog(this.#main?.stream.cursor ?? "");
    this.#merge();
  }

  #read(member, cursor) {
    const reader = { members: new Set([member]), isLive: false };
    reader.stream = new Stream(this.#spec, cursor, {
      open: () => {
        if (reader === this.#main && this.#log.length === 0) this.#logStart = reader.stream.cursor;
        this.#tellState(reader.members, reader);
      },
      batch: (entries) => this.#deliver(reader, entries),
      lost: (why) => {
        reader.isLive = false;
        this.#tell(reader.members, { t: "lost", ...why });
      },
      end: (why) => this.#end(why),
      token: () => this.#token(reader),
    });
    reader.stream.listen(this.#types);
    return reader;
  }

  #deliver(reader, entries) {
    // That a stream is live is a state, which is told to whoever joins it later.
    const events = entries.filter(([type]) => type !== "fanfare-live");
    this.#tell(reader.members, { t: "entries", entries: events });
    if (events.length < entries.length) {
      reader.isLive = true;
      this.#tellLive(reader.members, reader);
    }
    if (reader === this.#main) for (const entry of events) this.#keep(entry);
    this.#merge();
  }

  #tellState(members, { stream: { state, cursor, transport } }) {
    this.#tell(members, { t: "state", state, cursor, transport });
  }

  #tellLive(members, reader) {
    if (reader.isLive) this.#tell(members, { t: "live" });
  }

  #keep(entry) {
    const size = (it) => it[0].length + it[2].length + (it[1]?.length ?? 0);
    this.#log.push(entry);
    this.#logSize += size(entry);
    while (this.#log.length > LOG_ENTRIES_MAX || this.#logSize > LOG_CHARACTERS_MAX) {
      const oldest = this.#log.shift();
      this.#logSize -= size(oldest);
      this.#logStart = oldest[2];
    }
  }

  #clearLog(start) {
    this.#log = [];
    this.#logSize = 0;
    this.#logStart = start;
  }

  /** How much of the log lies before the place `cursor`; -1 if the log does not know it. */
  #find(cursor) {
    if (cursor === "") return -1;
    // An id that was used twice is taken for the earlier place, as the hub does: rather twice than never.
    return cursor === this.#logStart ? 0 : this.#log.findIndex((it) => it[2] === cursor) + 1 || -1;
  }

  /** Who has come to a place that the log knows reads on from there, with the others. */
  #merge() {
    for (const side of this.#sides) {
      const at = this.#find(side.stream.cursor);
      if (at < 0) continue;
      side.stream.close();
      this.#sides.delete(side);
      this.#tell(side.members, { t: "entries", entries: this.#log.slice(at) });
      for (const member of side.members) this.#main.members.add(member);
      this.#tellState(side.members, this.#main);
      this.#tellLive(side.members, this.#main);
    }
  }

  #end(why) {
    const members = [...this.#members.keys()];
    for (const { stream } of this.#readers()) stream.close();
    this.#main = undefined;
    this.#sides.clear();
    this.#members.clear();
    this.#tell(members, { t: "end", ...why });
  }

  /** Asks one tab after the other, for a tab may sleep. */
  async #token(reader) {
    for (const member of reader.members) {
      const question = uniqueName();
      const answer = new Promise((resolve) => {
        this.#asked.set(question, resolve);
        setTimeout(resolve, TOKEN_TIMEOUT);
      });
      this.#tell([member], { t: "ask", question });
      const token = await answer;
      this.#asked.delete(question);
      if (token) return token;
    }
    throw new Error("no tab has a token");
  }

  #tell(members, said) {
    if (said.entries?.length === 0) return;
    const to = [...members];
    if (to.length > 0) this.#say({ ...said, to });
  }
}

/** A tab's way to an owner in a shared worker. */
class WorkerLink {
  role = "worker";
  #port;
  #open;

  /** Throws where shared workers are not allowed; calls `fail` where that shows later. */
  constructor(script, key, hear, fail) {
    this.#open = () => {
      const worker = new SharedWorker(script, { type: "module", name: `fanfare:${key}` });
      worker.onerror = fail;
      this.#port = worker.port;
      this.#port.onmessage = ({ data }) => hear(data, this);
    };
    this.#open();
  }

  say(said) {
    this.#port.postMessage(said);
  }

  /** The owner does not answer: the worker is gone, and asking for it makes another. */
  revive() {
    this.close();
    this.#open();
  }

  close(member) {
    this.say({ t: "leave", member });
    this.#port.close();
  }
}

/**
 * A tab's way to an owner in the tab that leads: the one that holds a lock, and broadcasts. Without a `key`, each tab
 * leads itself.
 */
class LeaderLink {
  role;
  #key;
  #hear;
  #radio;
  #owner;
  #release;
  #candidacy;
  #closed = false;

  constructor(key, hear) {
    this.#key = key;
    this.#hear = hear;
    this.role = key === undefined ? "direct" : "follower";
    if (key === undefined) {
      this.#lead();
      return;
    }
    this.#radio = new BroadcastChannel(`fanfare:${key}`);
    this.#radio.onmessage = ({ data }) => {
      this.#owner?.hear(data);
      hear(data, this);
    };
    this.#stand();
    this.say({ t: "who" });
  }

  say(said) {
    this.#radio?.postMessage(said);
    queueMicrotask(() => this.#owner?.hear(said));
  }

  /** The leader does not answer: it may be frozen, and a frozen tab keeps its lock. */
  revive() {
    if (this.role === "follower") this.#stand({ steal: true });
  }

  close(member) {
    this.#closed = true;
    this.say({ t: "leave", member });
    this.#candidacy?.abort();
    this.#resign();
    this.#release?.();
    this.#radio?.close();
  }

  async #stand(options) {
    this.#candidacy?.abort();
    const candidacy = (this.#candidacy = new AbortController());
    try {
      await navigator.locks.request(`fanfare:leader:${this.#key}`, options ?? { signal: candidacy.signal }, () => {
        // A theft cannot be called off, so it may succeed too late.
        if (this.#closed || candidacy.signal.aborted) return undefined;
        this.role = "leader";
        this.#lead();
        return new Promise((resolve) => (this.#release = resolve));
      });
    } catch {
      // Robbed, or called off.
    }
    if (this.#closed || candidacy.signal.aborted) return;
    this.#resign();
    this.role = "follower";
    this.#stand();
  }

  #lead() {
    this.#owner = new Owner((said) => {
      this.#radio?.postMessage(said);
      queueMicrotask(() => this.#hear(said, this));
    });
  }

  #resign() {
    this.#owner?.close();
    this.#owner = undefined;
  }
}

/** What a page holds: an `EventTarget` like `EventSource`, whose connection is shared. */
export class Fanfare extends EventTarget {
  static CONNECTING = CONNECTING;
  static OPEN = OPEN;
  static CLOSED = CLOSED;
  CONNECTING = CONNECTING;
  OPEN = OPEN;
  CLOSED = CLOSED;
  #options;
  #url;
  #spec;
  #key;
  #state = CONNECTING;
  #cursor;
  #link;
  /** A way that did not answer in time, and may only be slow. */
  #late;
  #hello;
  /** The owner that it has joined, and the name of its stay there. */
  #epoch;
  #member;
  #silentTicks = 0;
  #lateTicks = 0;
  #ticks;
  #onProperty = new Map();
  #transport;
  #types = new Set();
  /** What takes every event, besides the listeners of its type. */
  #takers = new Set();
  #listening = new AbortController();

  constructor(url, options = {}) {
    super();
    this.#options = options;
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    try {
      this.#url = new URL(url, base);
    } catch {
      throw new DOMException(`"${url}" is no URL`, "SyntaxError");
    }
    const inQuery = cursorName(this.#url);
    const given = options.lastEventId || this.#url.searchParams.get(inQuery) || "";
    this.#url.searchParams.delete(inQuery);
    if (options.topics) this.#setTopics(options.topics);
    this.#address();
    this.#cursor = this.#saved() || given;
    this.#listen();
    this.#join();
  }

  get url() {
    return this.#url.href;
  }
  get withCredentials() {
    return Boolean(this.#options.withCredentials);
  }
  get readyState() {
    return this.#state;
  }
  get lastEventId() {
    return this.#cursor;
  }
  get role() {
    return this.#link?.role ?? "none";
  }
  get transport() {
    return this.#transport ?? this.#spec.transport;
  }

  addEventListener(type, ...how) {
    super.addEventListener(type, ...how);
    if (OWN_TYPES.includes(type) || this.#types.has(type)) return;
    this.#types.add(type);
    if (this.#spec?.transport === "eventsource") this.#link?.say({ t: "types", types: [type] });
  }

  /** Every event and every gap from the first turn on, in their order; until it is closed, or `signal` says so. */
  async *events({ signal } = {}) {
    const waiting = [];
    let wake;
    const take = (event) => {
      if (event) waiting.push(event);
      wake?.();
    };
    this.#takers.add(take);
    const stop = () => take();
    signal?.addEventListener("abort", stop);
    try {
      while (!signal?.aborted) {
        if (waiting.length > EVENTS_WAITING_MAX) throw new DOMException("too many events wait", "QuotaExceededError");
        if (waiting.length > 0) yield waiting.shift();
        else if (this.#state === CLOSED) return;
        else await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      this.#takers.delete(take);
      signal?.removeEventListener("abort", stop);
    }
  }

  close() {
    if (this.#state === CLOSED) return;
    this.#part();
    this.#state = CLOSED;
    clearInterval(this.#ticks);
    this.#listening.abort();
    for (const take of this.#takers) take();
  }

  /** From the place that this tab has come to, reads `topics` instead; settles once it does, or never will. */
  async setTopics(topics) {
    if (this.#state === CLOSED) throw new DOMException("it is closed", "InvalidStateError");
    this.#part();
    this.#setTopics(topics);
    this.#address();
    this.#state = CONNECTING;
    this.#join();
    await new Promise((resolve) => {
      for (const type of ["open", "end"]) this.addEventListener(type, resolve, { once: true });
    });
  }

  #setTopics(topics) {
    this.#url.searchParams.delete("topic");
    for (const topic of [...new Set(topics)].sort()) this.#url.searchParams.append("topic", topic);
  }

  /** What is asked of the hub, and the key that only tabs which may share have in common. */
  #address() {
    const { identity = "", token, heartbeat = true, retry, transport = "fetch" } = this.#options;
    const url = new URL(this.#url);
    url.hash = "";
    url.searchParams.set("gap", "1");
    url.searchParams.set("live", "1");
    if (heartbeat) url.searchParams.set("heartbeat", "1");
    const withCredentials = this.withCredentials;
    this.#spec = {
      url: url.href,
      withCredentials,
      heartbeat,
      token: Boolean(token),
      retry: { min: 1000, max: 30000, ...retry },
      transport,
    };
    this.#key = JSON.stringify([VERSION, url.href, withCredentials, identity, Boolean(token), transport]);
  }

  /** The ways to share, best first. A token without an identity could be anybody's. */
  #ways() {
    const { share = "auto", token, identity, worker = ownScript() } = this.#options;
    const hear = (said, link) => this.#hear(said, link);
    const ways = {
      worker: () => worker && new WorkerLink(worker, this.#key, hear, () => this.#fail({ isShut: true })),
      leader: () => navigator.locks && new LeaderLink(this.#key, hear),
      none: () => new LeaderLink(undefined, hear),
    };
    if (share === "none" || (token && !identity)) return [ways.none];
    return share === "auto" ? Object.values(ways) : [ways[share], ways.none];
  }

  /** Takes the first way that is open. */
  #join(ways = this.#ways()) {
    this.#silentTicks = 0;
    this.#link = undefined;
    while (!this.#link) {
      try {
        this.#link = ways.shift()();
      } catch {
        // Not here: a policy forbids it, or the browser does not have it.
      }
    }
    // Of all ways only a worker can turn out to be shut later.
    const { role } = this.#link;
    this.#hello = role === "worker" ? { ways, timer: setTimeout(() => this.#fail(), HELLO_TIMEOUT) } : undefined;
  }

  /** The worker cannot be had, or does not answer yet: the next way is taken, perhaps until it does. */
  #fail({ isShut } = {}) {
    if (!this.#hello) return;
    const { ways, timer } = this.#hello;
    clearTimeout(timer);
    if (isShut) this.#link.close();
    else this.#late = this.#link;
    this.#join(ways);
  }

  /** Leaves the owner and all ways to one. */
  #part() {
    clearTimeout(this.#hello?.timer);
    this.#link?.close(this.#member);
    this.#late?.close();
    this.#link = this.#late = this.#hello = this.#epoch = this.#member = undefined;
  }

  #hear(said, link) {
    if (link === this.#late && said.t === "ping") {
      // It was slow, not shut. All tabs shall meet on the same way.
      this.#link.close(this.#member);
      this.#link = link;
      this.#late = undefined;
    }
    if (link !== this.#link) return;
    if (said.t === "ping") this.#meet(said.epoch);
    else if (said.t === "bye" && said.epoch === this.#epoch) {
      this.#epoch = undefined;
      this.#link.say({ t: "who" });
    } else if (said.to?.includes(this.#member)) this.#take(said);
  }

  #meet(epoch) {
    this.#silentTicks = 0;
    clearTimeout(this.#hello?.timer);
    this.#hello = undefined;
    if (epoch === this.#epoch) this.#link.say({ t: "pong", epoch, member: this.#member });
    else this.#enter(epoch);
  }

  /** A stay has a name of its own: what was said to an earlier one, and is still on its way, is not for it. */
  #enter(epoch) {
    const was = this.#member;
    this.#epoch = epoch;
    this.#member = uniqueName();
    const types = this.#spec.transport === "eventsource" ? [...this.#types] : [];
    this.#link.say({ t: "join", epoch, member: this.#member, was, cursor: this.#cursor, spec: this.#spec, types });
  }

  #take(said) {
    if (said.t === "entries") this.#hand(said.entries);
    else if (said.t === "state") {
      this.#cursor ||= said.cursor;
      this.#transport = said.transport;
      if (said.state === OPEN && this.#state === CONNECTING) {
        this.#state = OPEN;
        this.#fire(new Event("open"));
      }
    } else if (said.t === "live") this.#fire(new Event("live"));
    else if (said.t === "lost") {
      this.#state = CONNECTING;
      this.#fire(new CustomEvent("error", { detail: { status: said.status, retryIn: said.retryIn } }));
    } else if (said.t === "end") {
      this.close();
      const detail = { reason: said.reason, status: said.status };
      this.#fire(new CustomEvent("end", { detail }));
      this.#fire(new CustomEvent("error", { detail: { status: said.status } }));
    } else if (said.t === "rejoin") this.#enter(this.#epoch);
    else if (said.t === "ask") this.#answer(said.question);
  }

  /** Hands entries to the page. A listener may close or move this source: then the rest is not for it. */
  #hand(entries) {
    const member = this.#member;
    for (const [type, data, id] of entries) {
      if (this.#member !== member) return;
      this.#cursor = id;
      let event;
      if (type === "fanfare-gap") event = new CustomEvent("gap", { detail: parsed(data) });
      else if (data !== null && type !== "fanfare-heartbeat") {
        event = new MessageEvent(type, { data, lastEventId: id, origin: this.#url.origin });
      }
      if (!event) continue;
      for (const take of this.#takers) take(event);
      this.#fire(event);
    }
    this.#save();
  }

  #fire(event) {
    this.dispatchEvent(event);
  }

  async #answer(question) {
    let token;
    try {
      token = await this.#options.token();
    } catch {
      // Another tab may have one.
    }
    this.#link?.say({ t: "token", question, token });
  }

  #saved() {
    try {
      return this.#options.persist?.getItem(`fanfare:${this.#key}`) ?? "";
    } catch {
      return "";
    }
  }

  #save() {
    try {
      this.#options.persist?.setItem(`fanfare:${this.#key}`, this.#cursor);
    } catch {
      // Full or forbidden: then it begins anew after a reload.
    }
  }

  #listen() {
    const { signal } = this.#listening;
    const on = (target, type, then) => target?.addEventListener?.(type, then, { signal });
    const { document } = globalThis;
    // A tab that is put away gives up all it holds, or it could not be kept; on its return it goes on from its place.
    const leave = () => this.#part();
    const back = () => this.#link ?? this.#join();
    on(globalThis, "pagehide", leave);
    on(document, "freeze", leave);
    on(globalThis, "pageshow", back);
    on(document, "resume", back);
    const wake = (why) => this.#link?.say({ t: "wake", why, member: this.#member });
    for (const why of ["online", "offline"]) on(globalThis, why, () => wake(why));
    let pause;
    on(document, "visibilitychange", () => {
      clearTimeout(pause);
      const { pauseWhenHidden } = this.#options;
      if (document.visibilityState !== "visible") {
        if (pauseWhenHidden !== undefined) pause = setTimeout(leave, pauseWhenHidden);
        return;
      }
      back();
      wake("visible");
      this.#silentTicks = Math.max(this.#silentTicks, SILENT_TICKS_MAX / 2 - 1);
    });
    this.#ticks = setInterval(() => this.#tick(), BEAT);
  }

  /** Counts time by turns of its own: a tab that slept must not take its sleep for the owner's silence. */
  #tick() {
    this.#lateTicks = (this.#lateTicks + 1) % SILENT_TICKS_MAX;
    // What did not answer may be gone, and another in its place.
    if (this.#lateTicks === 0) this.#late?.revive();
    if (!this.#link || this.#link.role === "direct") return;
    this.#silentTicks += 1;
    if (this.#silentTicks < SILENT_TICKS_MAX / 2) return;
    if (this.#silentTicks < SILENT_TICKS_MAX) {
      this.#link.say({ t: "who" });
      return;
    }
    this.#silentTicks = 0;
    this.#link.revive();
  }

  /** @param {string} type */
  #on(type) {
    return this.#onProperty.get(type) ?? null;
  }

  #setOn(type, listener) {
    const before = this.#onProperty.get(type);
    if (before) this.removeEventListener(type, before);
    this.#onProperty.delete(type);
    if (typeof listener !== "function") return;
    this.#onProperty.set(type, listener);
    this.addEventListener(type, listener);
  }

  static {
    for (const type of ["message", ...OWN_TYPES]) {
      Object.defineProperty(this.prototype, `on${type}`, {
        get() {
          return this.#on(type);
        },
        set(listener) {
          this.#setOn(type, listener);
        },
      });
    }
  }
}

/** This file as a shared worker: an owner whose tabs come by port. */
function work() {
  /** Beats that each port left without an answer: one that sleeps is not sent more and more of them. */
  const ports = new Map();
  const portOf = new Map();
  const owner = new Owner((said) => {
    for (const member of said.to ?? []) portOf.get(member)?.postMessage({ ...said, to: [member] });
    if (said.to) return;
    for (const [port, beats] of ports) {
      if (beats > BEATS_MAX) continue;
      ports.set(port, beats + 1);
      port.postMessage(said);
    }
  });
  addEventListener("connect", ({ ports: [port] }) => {
    port.onmessage = ({ data }) => {
      ports.set(port, 0);
      portOf.delete(data.was);
      if (data.member) portOf.set(data.member, port);
      owner.hear(data);
      if (data.t !== "leave") return;
      portOf.delete(data.member);
      ports.delete(port);
    };
    ports.set(port, 0);
    port.postMessage({ t: "ping", epoch: owner.epoch });
  });
}

const { SharedWorkerGlobalScope } = globalThis;
if (SharedWorkerGlobalScope && globalThis instanceof SharedWorkerGlobalScope && name.startsWith("fanfare:")) work();
