// The hub: the real program, on a free port, killed with its test.

import { spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { until } from "./browsers.js";

const PROGRAM = process.env.WEB_HUB ?? fileURLToPath(new URL("../../../target/debug/fanfare", import.meta.url));
const READY = "fanfare is ready on ";
const KEY = "a key for tests, with enough bytes for HMAC";

export class Hub {
  url;
  #program;
  #options;
  #folder;
  #head = { "Content-Type": "application/json" };

  /** One that everybody may publish to. */
  static open(...options) {
    return Hub.#start(["--dev", ...options]);
  }

  /** One that wants tokens, such as `token` makes. */
  static async guarded(...options) {
    const hub = await Hub.#start(["--publisher-jwt-key", KEY, "--subscriber-jwt-key", KEY, ...options]);
    hub.#head.Authorization = `Bearer ${Hub.token({ publish: ["*"] })}`;
    return hub;
  }

  static async #start(options) {
    const hub = new Hub();
    hub.#options = options;
    // It keeps its history where it runs, and no other hub may.
    hub.#folder = mkdtempSync(join(tmpdir(), "fanfare-web-"));
    process.once("exit", () => {
      hub.#program.kill("SIGKILL");
      rmSync(hub.#folder, { recursive: true, force: true });
    });
    process.once("SIGTERM", () => process.exit(1));
    await hub.#run(options.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"]);
    return hub;
  }

  async #run(listen) {
    const stdio = ["ignore", "pipe", process.env.WEB_LOG ? "inherit" : "ignore"];
    const program = spawn(PROGRAM, ["serve", ...this.#options, ...listen], { cwd: this.#folder, stdio });
    this.#program = program;
    for await (const line of createInterface({ input: program.stdout })) {
      if (!line.startsWith(READY)) continue;
      this.url = line.slice(READY.length).trim();
      program.stdout.resume();
      // One that a failed test leaves behind must not keep the run from its end.
      program.unref();
      program.stdout.unref();
      return;
    }
    throw new Error("the hub does not start");
  }

  /** A token whose claims end in `seconds`. */
  static token({ publish = [], subscribe = [], seconds = 3600, ...claims }) {
    const coded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.ceil(Date.now() / 1000 + seconds);
    const body = [{ alg: "HS256", typ: "JWT" }, { mercure: { publish, subscribe }, exp, ...claims }].map(coded).join(".");
    return `${body}.${createHmac("sha256", KEY).update(body).digest("base64url")}`;
  }

  get address() {
    return this.url.replace("http://", "");
  }

  /** Publishes `data` and returns the event's id. */
  async publish(data, about = {}) {
    const answer = await fetch(`${this.url}/broadcast`, {
      method: "POST",
      headers: this.#head,
      body: JSON.stringify({ data, ...about }),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()).id;
  }

  /** Publishes `data` again and again until the hub says that it is stored; it is stored once (O3). */
  async store(data, about = {}) {
    const idempotencyKey = randomUUID();
    return until(`${data} is stored`, () => this.publish(data, { ...about, idempotencyKey }).catch(() => undefined));
  }

  /** One of its figures. */
  async figure(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n").find((it) => it.startsWith(`${name} `));
    return line === undefined ? 0 : Number(line.slice(name.length));
  }

  subscribers() {
    return this.figure("fanfare_subscribers");
  }

  /** Ends it as a crash would, or by `signal`, and starts it where it was, with the history that it left. */
  async restart(signal = "SIGKILL") {
    await this.#end(signal);
    await this.#run(["--listen", this.address]);
  }

  /** Ends it as a crash would. */
  crash() {
    return this.#end("SIGKILL");
  }

  async #end(signal) {
    if (this.#program.exitCode !== null || this.#program.signalCode !== null) return;
    this.#program.ref();
    const gone = once(this.#program, "exit");
    this.#program.kill(signal);
    await gone;
  }
}
