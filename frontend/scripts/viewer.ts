import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** What the page at /docs loads (backend/app/api/docs.py), and under which licence it may. */
const FILES = {
  "swagger-ui-bundle.js": "swagger-ui-bundle.js",
  "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
  "swagger-ui.css": "swagger-ui.css",
  LICENSE: "LICENSE.txt",
  NOTICE: "NOTICE.txt",
};

/** Puts the viewer of the API's documentation beside the app: no page of ours needs a CDN. */
export function viewer(): Plugin {
  const folder = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  return {
    name: "viewer",
    apply: "build",
    async generateBundle() {
      for (const [name, as] of Object.entries(FILES)) {
        const source = await readFile(join(folder, name));
        this.emitFile({ type: "asset", fileName: `viewer/${as}`, source });
      }
    },
  };
}
