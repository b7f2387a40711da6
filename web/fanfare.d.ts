/** Events of a Fanfare hub, over one connection for all tabs of an origin. */

/** Where a cursor is kept between two lives of a page: `localStorage`, `sessionStorage`, or the like. */
export interface CursorKeeper {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export interface FanfareOptions {
  /** Topics to listen to. Default: those that the URL names. */
  topics?: readonly string[];
  /** Sends cookies to a hub of another origin. Default: false. */
  withCredentials?: boolean;
  /**
   * Makes a token; it is called before each connection, and when four fifths of a JSON Web Token's life are over.
   * The token is sent as `Authorization: Bearer …`.
   */
  token?: () => string | Promise<string>;
  /**
   * Who the user is. Only tabs of the same identity share; with `token` and without an identity none do.
   * Default: the empty text.
   */
  identity?: string;
  /** Where to begin: the id of the last event that is known, or `earliest`. Default: with the next event. */
  lastEventId?: string;
  /** Keeps the last event id of this stream for the next life of the page. Default: nowhere. */
  persist?: CursorKeeper;
  /**
   * How tabs share: by a shared worker, by a tab that leads, or not at all. `auto` takes the first of them that works.
   * Default: `auto`.
   */
  share?: "auto" | "worker" | "leader" | "none";
  /**
   * URL of this module as a script of the page's own origin, for the shared worker. Default: the module's own URL, if
   * it is still a file called `fanfare.js`.
   */
  worker?: string | URL;
  /**
   * Asks for heartbeats as events, and makes a connection anew when they stay away. `false`: silence says nothing.
   * Default: true.
   */
  heartbeat?: boolean;
  /**
   * What reads the stream: `fetch` sees answers and every type of event, and can send a token in a header;
   * `eventsource` is the browser's own, which sees only types that have a listener, begins with the next event until it
   * has seen one, and sends a token in the URL. Default: `fetch`.
   */
  transport?: "fetch" | "eventsource";
  /** After how many ms hidden a tab gives up its connection; visible again, it goes on from its place. Default: never. */
  pauseWhenHidden?: number;
  /**
   * How long to wait after a lost connection, in ms: `min` until the hub has said something else, and up to `max`
   * more, at random, after failures. Default: 1,000 and 30,000.
   */
  retry?: { min?: number; max?: number };
}

/** A stretch of history that is gone. The page should load its state anew. */
export interface Gap {
  from: string;
  to: string;
  reason: "trimmed" | "diverged" | "unknown" | "damaged";
}

/** Why the connection is lost, and in how many ms it is made anew; without `retryIn` never. */
export interface Lost {
  status?: number;
  retryIn?: number;
}

/** Why the stream has ended for good: the hub closed it (204), wants another token, or does not serve it. */
export interface End {
  reason: "closed" | "unauthorized" | "refused";
  status?: number;
}

export interface FanfareEventMap {
  open: Event;
  message: MessageEvent<string>;
  error: CustomEvent<Lost>;
  gap: CustomEvent<Gap>;
  /** All that was missed has come, and what comes from here on is new. Told anew after a connection was lost. */
  live: Event;
  end: CustomEvent<End>;
}

/**
 * An event stream like `EventSource`, whose connection is shared by all tabs.
 *
 * Every event comes once, in the hub's order, whatever happens to the connection, the tab that holds it, or the
 * worker; or a `gap` says what is missing. Events with a type of their own go to the listeners of that type.
 */
export class Fanfare extends EventTarget {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSED: 2;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSED: 2;

  /** @throws {DOMException} `SyntaxError`: `url` is no URL */
  constructor(url: string | URL, options?: FanfareOptions);

  /** What is asked of the hub, without the place to go on from. */
  readonly url: string;
  readonly withCredentials: boolean;
  readonly readyState: 0 | 1 | 2;
  /** The id of the last event that this tab was given, or where it began. */
  readonly lastEventId: string;
  /** How this tab gets its events now; `none` while it is put away or closed. */
  readonly role: "worker" | "leader" | "follower" | "direct" | "none";
  /** What reads the stream now; `poll` where something on the way holds answers back until they are whole. */
  readonly transport: "fetch" | "eventsource" | "poll";

  /** No event comes from here on. The connection ends with the last tab that uses it. */
  close(): void;
  /**
   * Listens to `topics` instead, from the place that this tab has come to: no event is lost or doubled. Topics that
   * are new begin at that place. Fulfilled once they are listened to.
   */
  setTopics(topics: readonly string[]): Promise<void>;
  /**
   * Every event of any type, and every gap, in their order, from the first turn on; until the source is closed or
   * `signal` is aborted.
   *
   * @throws {DOMException} `QuotaExceededError`: more than 100,000 events wait to be taken
   */
  events(options?: { signal?: AbortSignal }): AsyncGenerator<MessageEvent<string> | CustomEvent<Gap>, void, void>;

  onopen: ((this: this, event: Event) => unknown) | null;
  onmessage: ((this: this, event: MessageEvent<string>) => unknown) | null;
  onerror: ((this: this, event: CustomEvent<Lost>) => unknown) | null;
  ongap: ((this: this, event: CustomEvent<Gap>) => unknown) | null;
  onlive: ((this: this, event: Event) => unknown) | null;
  onend: ((this: this, event: CustomEvent<End>) => unknown) | null;

  addEventListener<K extends keyof FanfareEventMap>(
    type: K,
    listener: (this: this, event: FanfareEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: (this: this, event: MessageEvent<string>) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
