// Programs of `examples/` on free ports, and the servers that some of them need; killed with their test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { until } from "./browsers.js";

const ROOT = new URL("../../../", import.meta.url);

const running = new Set();
process.once("exit", () => {
  for (const it of running) it.kill("SIGKILL");
});
process.once("SIGTERM", () => process.exit(1));

/** A child process that does not outlive the tests. */
class Child {
  #process;

  start(program, options, settings) {
    const stdio = ["ignore", "pipe", process.env.WEB_LOG ? "inherit" : "ignore"];
    this.#process = spawn(program, options, { stdio, ...settings });
    running.add(this.#process);
    this.#process.once("exit", () => running.delete(this.#process));
    return this.#process;
  }

  async stop(signal = "SIGTERM") {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill(signal);
    await gone;
  }
}

export class Example extends Child {
  url;
  lines = [];

  static async start(name, ...options) {
    const example = new Example();
    const program = fileURLToPath(new URL(`target/debug/${name}`, ROOT));
    const started = example.start(program, options, { env: { ...process.env, PORT: "0" } });
    createInterface({ input: started.stdout }).on("line", (line) => example.lines.push(line));
    const line = await example.says("http://");
    example.url = line.slice(line.indexOf("http://"), -1);
    return example;
  }

  get address() {
    return this.url.replace("http://", "");
  }

  /** The line of its output that holds `part`, once it is there. */
  says(part) {
    return until(`a line with ${part}`, () => this.lines.find((line) => line.includes(part)));
  }
}

/** A server of somebody else that listens on `port`. */
class Outsider extends Child {
  port;
  #folder = mkdtempSync(join(tmpdir(), "fanfare-web-"));

  static async start(program, port, options) {
    const outsider = new Outsider();
    outsider.port = port;
    outsider.start(program, options(outsider.#folder), { cwd: outsider.#folder }).stdout.resume();
    await until(`${program} listens`, () => listens(port));
    return outsider;
  }

  async stop() {
    await super.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function redis() {
  const port = await freePort();
  return Outsider.start("redis-server", port, () => ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""]);
}

/** nginx as the example has it, in front of two `servers`. */
export async function nginx(servers) {
  const port = await freePort();
  let text = readFileSync(new URL("examples/notifications/nginx.conf", ROOT), "utf8");
  for (const [documented, used] of [
    ["127.0.0.1:3200", `127.0.0.1:${port}`],
    ["127.0.0.1:3201", servers[0].address],
    ["127.0.0.1:3202", servers[1].address],
  ]) {
    text = text.replace(documented, used);
  }
  return Outsider.start("nginx", port, (folder) => {
    const file = join(folder, "nginx.conf");
    writeFileSync(file, text);
    return ["-p", folder, "-c", file];
  });
}

/** Says `payload` on the Redis channel that the examples listen on. */
export async function publish(redis, payload) {
  const said = spawn("redis-cli", ["-p", `${redis.port}`, "PUBLISH", "sse-channel", payload], { stdio: "ignore" });
  const [code] = await once(said, "exit");
  if (code !== 0) throw new Error(`redis-cli ended with ${code}`);
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });
}
