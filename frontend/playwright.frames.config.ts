import { defineConfig } from "@playwright/test";
import base from "./playwright.config";

/** `npm run frames`: a measurement, not a test. It prints what it saw and judges nothing. */
export default defineConfig(base, {
  testMatch: "*.bench.ts",
  timeout: 180_000,
  use: { trace: "off" },
});
