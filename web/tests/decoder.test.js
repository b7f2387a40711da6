// The decoder against the vectors of the format, at every chunking (BM-50).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { load } from "./module.js";

const { Decoder } = load({ EventTarget });
const file = new URL("../../crates/fanfare-wire/tests/vectors/sse-vectors.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, "utf8"));

/** What comes of `chunks`, and after how many bytes each event came. */
function read(chunks, start) {
  const utf8 = new TextDecoder();
  const decoder = new Decoder(start);
  const events = [];
  const readyAt = [];
  let taken = 0;
  for (const chunk of chunks) {
    taken += chunk.length;
    for (const [type, data, id] of decoder.feed(utf8.decode(chunk, { stream: true }))) {
      if (data === null) continue;
      events.push({ type, data, id });
      readyAt.push(taken);
    }
  }
  return { events, readyAt, retry: decoder.retry ?? null, id: decoder.id };
}

function pieces(bytes, size) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

function chunkings(bytes) {
  const cuts = [];
  const far = Math.min(bytes.length, 64);
  for (let at = 0; at <= far; at += 1) cuts.push(at, bytes.length - at);
  const halves = cuts.map((at) => [bytes.subarray(0, at), bytes.subarray(at)]);
  return [[bytes], ...[1, 2, 3, 5, 7].map((size) => pieces(bytes, size)), ...halves];
}

for (const vector of vectors) {
  test(`bm_50 vector ${vector.name}`, () => {
    const bytes = Buffer.from(vector.input_b64, "base64");
    // What does not fit is lowered to what timers can do.
    const retry = vector.retry === null ? null : Math.min(vector.retry, 2 ** 31 - 1);
    for (const chunks of chunkings(bytes)) {
      const found = read(chunks, vector.start_last_event_id);
      assert.deepEqual(found.events, vector.events);
      assert.deepEqual([found.id, found.retry], [vector.last_event_id, retry]);
    }
    assert.deepEqual(read(pieces(bytes, 1), vector.start_last_event_id).readyAt, vector.ready_at);
  });
}

test("sse_16 a block without data moves the cursor, and says so", () => {
  const decoder = new Decoder("1");
  assert.deepEqual(JSON.parse(JSON.stringify(decoder.feed("id: 2\n\nid: 2\n\n"))), [["", null, "2"]]);
});

test("sse_23 a line that comes in pieces is not read again from its start", () => {
  const decoder = new Decoder("");
  const piece = "x".repeat(1460);
  decoder.feed("data: ");
  for (let sent = 0; sent < 8 << 20; sent += piece.length) decoder.feed(piece);
  const [[, data]] = decoder.feed("\n\n");
  assert.ok(data.length >= 8 << 20);
});
