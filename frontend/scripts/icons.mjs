// Draws the pictures in public/ that can't be SVG, from the one mark that is. Run after changing it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { CHROMIUM_ARGS, findChromium } from "./chromium.mjs";

const GROUND = "#080b12";
const root = new URL("../", import.meta.url);
const mark = readFileSync(new URL("public/favicon.svg", root), "utf8");
const font = readFileSync(
  new URL(
    "node_modules/@fontsource-variable/archivo/files/archivo-latin-standard-normal.woff2",
    root,
  ),
).toString("base64");

/** The mark alone, `share` of the picture wide: launchers crop maskable icons to their middle. */
const icon = (/** @type {number} */ share) => `
  <body style="margin:0;background:${share < 1 ? GROUND : "transparent"}">
    <style>svg { position:absolute; inset:${(1 - share) * 50}%; width:${share * 100}% }</style>
    ${mark}
  </body>`;

const social = `
  <style>
    @font-face { font-family: Archivo; src: url(data:font/woff2;base64,${font});
      font-weight: 100 900; font-stretch: 62% 125% }
    body { margin: 0; height: 630px; box-sizing: border-box; padding: 0 100px; display: flex;
      align-items: center; gap: 72px; color: #e6edf7; font-family: Archivo;
      background: radial-gradient(900px 600px at 22% 50%, #0f2233, ${GROUND}) }
    svg { width: 300px; flex: none; filter: drop-shadow(0 0 60px #12b8d840) }
    h1 { margin: 0 0 20px; font-size: 92px; font-weight: 700; font-stretch: 112%;
      letter-spacing: -0.02em; line-height: 1 }
    p { margin: 0; font-size: 36px; line-height: 1.35; color: #9fb0c8 }
  </style>
  <body>${mark}<div>
    <h1>Leaderboard</h1>
    <p>Every score the moment it counts,<br />and where you stand right now.</p>
  </div></body>`;

/** @type {[file: string, width: number, height: number, page: string][]} */
const pictures = [
  ["icons/192.png", 192, 192, icon(1)],
  ["icons/512.png", 512, 512, icon(1)],
  ["icons/maskable-512.png", 512, 512, icon(0.72)],
  ["icons/apple-touch.png", 180, 180, icon(0.86)],
  ["social.png", 1200, 630, social],
];

const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_ARGS });
try {
  const page = await browser.newPage();
  for (const [file, width, height, content] of pictures) {
    await page.setViewportSize({ width, height });
    await page.setContent(content);
    await page.evaluate("document.fonts.ready");
    const path = fileURLToPath(new URL(`public/${file}`, root));
    await page.screenshot({ path, omitBackground: true });
    console.log(path);
  }
} finally {
  await browser.close();
}
