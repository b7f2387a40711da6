// What npm publishes: its contents, its types, and that it can be imported where there is no page (BM-64).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = path.join(root, "node_modules", "typescript", "bin", "tsc");
/** A project that has installed the package. */
let project;
let packed;

before(() => {
  project = mkdtempSync(path.join(tmpdir(), "fanfare-package-"));
  const said = execFileSync("npm", ["pack", "--json", "--pack-destination", project], { cwd: root, encoding: "utf8" });
  [packed] = Object.values(JSON.parse(said));
  const home = path.join(project, "node_modules", packed.name);
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", path.join(project, packed.filename), "--strip-components=1", "-C", home]);
  writeFileSync(path.join(project, "package.json"), '{"type":"module"}');
});
after(() => rmSync(project, { recursive: true }));

function run(program, ...options) {
  try {
    return execFileSync(program, options, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    return `${error.stdout}${error.stderr}`;
  }
}

test("bm_64 the package has the module, its types and its licence, and nothing else", () => {
  const files = packed.files.map((file) => file.path).sort();
  assert.deepEqual(files, ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "fanfare.d.ts", "fanfare.js", "package.json"]);
  assert.ok(packed.size < 32000, `${packed.size} bytes`);
});

test("bm_64 it can be imported without a page", () => {
  writeFileSync(
    path.join(project, "main.js"),
    `import { Fanfare } from "${packed.name}";
     const source = new Fanfare("http://127.0.0.1:9/events", { topics: ["b", "a", "b"] });
     console.log(source.url, source.readyState, source.role);
     source.close();
     console.log(source.readyState);
     try { new Fanfare("/events"); } catch (error) { console.log(error.name); }`,
  );
  const said = run(process.execPath, "main.js");
  assert.equal(said, "http://127.0.0.1:9/events?topic=a&topic=b 0 direct\n2\nSyntaxError\n");
});

test("bm_64 its types are strict, and refuse what is wrong", () => {
  writeFileSync(
    path.join(project, "right.ts"),
    `import { Fanfare, type Gap } from "${packed.name}";
     const source = new Fanfare("https://hub.example/events", {
       topics: ["a"], token: async () => "t", identity: "alice", persist: localStorage, retry: { max: 5000 },
     });
     source.onmessage = (event) => event.data.toUpperCase();
     source.addEventListener("price", (event) => JSON.parse(event.data));
     source.addEventListener("gap", ({ detail }) => { const gap: Gap = detail; return gap.reason === "trimmed"; });
     source.onerror = ({ detail }) => detail.retryIn?.toFixed();
     const plain: Pick<EventSource, "readyState" | "url" | "withCredentials" | "close"> = source;
     await source.setTopics(["b"]);
     for await (const event of source.events({ signal: AbortSignal.timeout(1) })) {
       if (event instanceof MessageEvent) event.data.toUpperCase(); else event.detail.reason;
     }
     export { plain };`,
  );
  writeFileSync(
    path.join(project, "wrong.ts"),
    `import { Fanfare } from "${packed.name}";
     const source = new Fanfare("/events", { share: "sometimes" });
     source.lastEventId = "1";
     source.setTopics("a");`,
  );
  const check = (file) =>
    run(process.execPath, tsc, "--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", file);
  assert.equal(check("right.ts"), "");
  const wrong = check("wrong.ts").match(/wrong\.ts\((\d+)/g);
  assert.deepEqual(wrong, ["wrong.ts(2", "wrong.ts(3", "wrong.ts(4"]);
});
