import { chromium } from "@playwright/test";
import { CHROMIUM_ARGS, findChromium } from "./scripts/chromium.mjs";
import { readFileSync } from "node:fs";
const [out, width, ...files] = process.argv.slice(2);
const b = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_ARGS });
const p = await b.newPage({ viewport: { width: Number(width), height: 100 } });
await p.setContent(`<body style="margin:0;background:#555;display:flex;flex-wrap:wrap;gap:6px;align-items:flex-start;font:11px sans-serif;color:#fff">` + files.map(f => `<div>${f.split("/").at(-1)}<br><img src="data:image/png;base64,${readFileSync(f).toString("base64")}"></div>`).join(""));
await p.waitForTimeout(300); await p.screenshot({ path: out, fullPage: true }); await b.close();
