// The way to a hub: TCP connections that can be cut, held and refused.

import { once } from "node:events";
import net from "node:net";

export class Link {
  url;
  #server;
  #port;
  #pairs = new Set();
  #refuses = false;

  /** One that leads to `address`, such as `127.0.0.1:3000`. */
  static async open(address) {
    const link = new Link();
    const [host, port] = address.split(":");
    link.#server = net.createServer((near) => {
      if (link.#refuses) {
        near.resetAndDestroy();
        return;
      }
      const far = net.connect(Number(port), host);
      const pair = { near, far };
      link.#pairs.add(pair);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ]) {
        from.on("data", (bytes) => {
          // Whatever the connection was used for before.
          if (from === near) pair.streams = bytes.includes("GET /events");
          if (!pair.held && !to.destroyed) to.write(bytes);
        });
        from.on("error", () => {});
        from.on("close", () => {
          link.#pairs.delete(pair);
          // A peer that vanishes says nothing.
          if (!pair.held || from === near) to.destroy();
        });
      }
    });
    link.#server.listen(0, "127.0.0.1");
    link.#server.unref();
    await once(link.#server, "listening");
    link.#port = link.#server.address().port;
    link.url = `http://127.0.0.1:${link.#port}`;
    return link;
  }

  /** All connections break. */
  cut() {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  /** All connections break, and none can be made. */
  break() {
    this.#refuses = true;
    this.cut();
  }

  mend() {
    this.#refuses = false;
  }

  /** Streams that there are stay, and nothing comes through any more. */
  hold() {
    for (const pair of this.#pairs) pair.held = pair.streams;
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
