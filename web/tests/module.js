// The module's source as a script: run in a context of its own, its classes can be reached and its surroundings chosen.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const file = new URL("../fanfare.js", import.meta.url);
const source = readFileSync(file, "utf8")
  .replace(/^export /gm, "")
  .replaceAll("import.meta.url", '"https://app.example/fanfare.js"');
// Time and chance are the world's, where it has them.
const prelude = "if (globalThis.chance) { Math.random = chance; Date.now = time; }\n";
const script = new vm.Script(`${prelude}${source}\n({ Decoder, Fanfare });`, { filename: file.pathname });

/** Runs the module where `globals` are all there is besides the language. */
export function load(globals) {
  return script.runInContext(vm.createContext(globals));
}
