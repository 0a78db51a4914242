// Which browser tests and scripts drive. Run by itself, prints it; exit code 1 if there is none.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/** Quiet, without a screen, also as root and inside containers. */
export const CHROMIUM_ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * The browser that CHROMIUM names, else the first in PATH, else the one that
 * `npx playwright install` has brought. Throws if there is none.
 *
 * @returns {string}
 */
export function findChromium() {
  const { CHROMIUM: given, PATH: path = "" } = env;
  if (given) return given;
  const folders = path.split(delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
    .concat(chromium.executablePath())
    .find(isExecutable);
  if (found === undefined) {
    throw new Error(`no Chromium found (set CHROMIUM, or have ${NAMES.join(" or ")} in PATH)`);
  }
  return found;
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(findChromium());
  } catch {
    process.exitCode = 1;
  }
}
