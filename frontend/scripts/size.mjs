// What a browser must load before the app runs: the entry and all that it imports statically.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 170_000;
const dist = new URL("../dist/", import.meta.url);

/** @type {Record<string, { file: string, isEntry?: boolean, imports?: string[] }>} */
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));

const first = new Set(Object.keys(manifest).filter((name) => manifest[name]?.isEntry));
// A set's iteration goes on to what is added meanwhile.
for (const name of first) for (const each of manifest[name]?.imports ?? []) first.add(each);

let total = 0;
for (const name of first) {
  const file = manifest[name]?.file ?? "";
  const bytes = gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
  total += bytes;
  console.log(`${String(bytes).padStart(8)} ${file}`);
}
const verdict = total > 0 && total <= BUDGET ? "within" : "OVER";
console.log(`size: ${total} bytes of JavaScript at first load, gzipped: ${verdict} ${BUDGET}`);
if (verdict === "OVER") process.exitCode = 1;
