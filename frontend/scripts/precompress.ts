import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const COMPRESSIBLE = new Set([".html", ".js", ".css", ".svg", ".json", ".webmanifest", ".txt"]);
/** Below this a variant saves less than its header costs. */
const LEAST_BYTES = 512;

const asGzip = promisify(gzip);
const asBrotli = promisify(brotliCompress);

/** Writes `.gz` and `.br` beside each text file of a build, so that no server has to compress. */
export function precompress(): Plugin {
  let folder = "";
  return {
    name: "precompress",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    // Not closeBundle, which is called after a build that failed, too.
    async writeBundle() {
      const names = await readdir(folder, { recursive: true });
      await Promise.all(
        names
          // Folders with a dot (vite's manifest) are not served.
          .filter((name) => COMPRESSIBLE.has(extname(name)) && !name.startsWith("."))
          .map((name) => compress(join(folder, name))),
      );
    },
  };
}

async function compress(path: string): Promise<void> {
  if ((await stat(path)).size < LEAST_BYTES) return;
  const content = await readFile(path);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  await Promise.all([
    asGzip(content, { level: 9 }).then((made) => writeFile(`${path}.gz`, made)),
    asBrotli(content, quality).then((made) => writeFile(`${path}.br`, made)),
  ]);
}
