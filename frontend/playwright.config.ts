import { defineConfig } from "@playwright/test";
import { CHROMIUM_ARGS, findChromium } from "./scripts/chromium.mjs";

const { CI } = process.env;

export default defineConfig({
  testDir: "e2e",
  outputDir: "e2e/.results",
  reporter: "list",
  // All share a machine with a database and a service: one at a time, and what fails has failed.
  workers: 1,
  retries: 0,
  forbidOnly: Boolean(CI),
  // Long enough for a slow and busy machine. A test that passes waits for nothing.
  timeout: 120_000,
  expect: { timeout: 15_000 },
  use: {
    browserName: "chromium",
    viewport: { width: 1440, height: 900 },
    launchOptions: { executablePath: findChromium(), args: CHROMIUM_ARGS },
    trace: "retain-on-failure",
  },
});
