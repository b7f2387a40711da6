// A server that answers what the hub rightly cannot be made to: any bytes, any status, anything cut anywhere.

import { once } from "node:events";
import http from "node:http";

/** Starts one. `answers` says by path what is done with a request: `(request, answer, url, visit) => …`. */
export async function fixtures(answers) {
  /** How often each path with its token was asked for, and with which fields. */
  const visits = new Map();
  const server = http.createServer((request, answer) => {
    const url = new URL(request.url, "http://x");
    const token = url.searchParams.get("token") ?? request.url;
    const before = visits.get(token) ?? [];
    visits.set(token, [...before, { ...request.headers, method: request.method, at: Date.now(), url: request.url }]);
    const origin = url.searchParams.get("origin");
    if (origin) answer.setHeader("Access-Control-Allow-Origin", origin);
    if (url.searchParams.has("credentials")) answer.setHeader("Access-Control-Allow-Credentials", "true");
    const work = answers[url.pathname] ?? (() => answer.writeHead(404).end());
    work(request, answer, url, before.length + 1);
  });
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    visits: (token) => visits.get(token) ?? [],
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const STREAM = { "Content-Type": "text/event-stream" };
