// Prints the Content-Security-Policy of the built page as Nginx takes it: the page's own origin
// and, by their hashes, the scripts and styles that stand in it. The backend has the same rule
// (page_policy in backend/app/api/answer_headers.py; a test compares).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const html = readFileSync(new URL("../dist/index.html", import.meta.url), "utf8");
const inline = /<(script|style)(?![^>]*\bsrc=)[^>]*>(.*?)<\/\1>/gis;

/** @param {string} tag */
function sources(tag) {
  const hashes = [...html.matchAll(inline)]
    .filter(([, name]) => name?.toLowerCase() === tag)
    .map(([, , text = ""]) => createHash("sha256").update(text).digest("base64"));
  return ["'self'", ...hashes.map((hash) => `'sha256-${hash}'`)].join(" ");
}

const policy = [
  "default-src 'none'",
  `script-src ${sources("script")}`,
  `style-src ${sources("style")}`,
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
console.log(`add_header Content-Security-Policy "${policy}" always;`);
