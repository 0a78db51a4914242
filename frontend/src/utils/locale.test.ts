import { afterEach, expect, test, vi } from "vitest";
import { chooseLocale } from "./locale";

test.each([
  [["C"], "en"],
  [["en-US@posix"], "en"],
  [[], "en"],
  [undefined, "en"],
  [[""], "en"],
  [[null, 7, "x"], "en"],
  [["C", "en-GB"], "en-GB"],
  [["de-DE", "en-AU", "en"], "en-AU"],
  [["ar-EG"], "en"],
  [["en-US-u-nu-arab"], "en-US"],
  [["en-Latn-IN"], "en-IN"],
])("a browser that asks for %j reads %s", (languages, chosen) => {
  expect(chooseLocale(languages)).toBe(chosen);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

test.each([[["C"]], [["en-US@posix"]], [[]], [["ar-EG-u-nu-arab"]], [undefined]])(
  "with the languages %j every format works, in English digits",
  async (languages) => {
    vi.stubGlobal("navigator", { languages });
    vi.resetModules();
    const format = await import("./format");
    const at = new Date("2026-03-01T12:00:00Z");
    expect(format.formatNumber(1_234)).toBe("1,234");
    expect(format.formatScore(1_234, { decimals: 2 })).toBe("12.34");
    expect(format.formatMoment(at)).toContain("2026");
    expect(format.formatAgo(new Date(at.getTime() - 90_000), at)).toMatch(/^1 min/);
  },
);
