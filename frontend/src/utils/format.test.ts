import { expect, test } from "vitest";
import {
  formatAgo,
  formatDuration,
  formatFine,
  formatNumber,
  formatScore,
  formatShare,
  formatTicks,
} from "./format";

const MOST = Number.MAX_SAFE_INTEGER;

test("numbers", () => {
  expect(formatNumber(MOST)).toBe("9,007,199,254,740,991");
  expect([0, 0.506, 1].map(formatShare)).toEqual(["0%", "51%", "100%"]);
  expect([99.994, 50, 0.1].map(formatFine)).toEqual(["99.99", "50", "0.1"]);
});

test.each([
  [1_234, {}, "1,234"],
  [0, {}, "0"],
  [83_456, { decimals: 2 }, "834.56"],
  [5, { decimals: 2 }, "0.05"],
  [-5, { decimals: 2 }, "-0.05"],
  [-123_400, { decimals: 2 }, "-1,234.00"],
  [0, { decimals: 3 }, "0.000"],
  [MOST, { decimals: 0 }, "9,007,199,254,740,991"],
  [MOST, { decimals: 1 }, "900,719,925,474,099.1"],
  [MOST, { decimals: 2 }, "90,071,992,547,409.91"],
  [-MOST, { decimals: 6 }, "-9,007,199,254.740991"],
  [1_250, { unit: "pts" }, "1,250 pts"],
  [1_250, { decimals: 1, unit: "m" }, "125.0 m"],
  [MOST, { decimals: 3, unit: "pts" }, "9,007,199,254,740.991 pts"],
  [83_456, { unit: "ms" }, "1:23.456"],
  [3_600_007, { unit: "ms" }, "1:00:00.007"],
  [999, { unit: "ms" }, "0:00.999"],
  [-1_500, { unit: "ms" }, "-0:01.500"],
  [MOST, { unit: "ms" }, "2501999792:59:00.991"],
])("the score %i of a board with %j is %s", (score, style, shown) => {
  expect(formatScore(score, { decimals: 0, ...style })).toBe(shown);
});

test("durations round to seconds, and carry", () => {
  const shown = [0, 499, 93_000, 59_500, 3_599_600, 3_723_000].map(formatDuration);
  expect(shown).toEqual(["0:00", "0:00", "1:33", "1:00", "1:00:00", "1:02:03"]);
});

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [-500, /^now$/],
  [59.9, /^now$/],
  [MINUTE, /^1 min\.? ago$/],
  [HOUR - 1, /^59 min\.? ago$/],
  [HOUR, /^1 hr\.? ago$/],
  [DAY - 1, /^23 hr\.? ago$/],
  [DAY, /^yesterday$/],
  [29.9 * DAY, /^29 days ago$/],
  [65 * DAY, /^2 mo\.? ago$/],
  [364 * DAY, /^12 mo\.? ago$/],
  [800 * DAY, /^2 yr\.? ago$/],
])("%d seconds ago", (seconds, shown) => {
  const now = new Date("2026-03-01T12:00:00Z");
  expect(formatAgo(new Date(now.getTime() - seconds * 1_000), now)).toMatch(shown);
});

test.each([
  [
    [1, 50, 100],
    ["1", "50", "100"],
  ],
  [
    [1_000_000, 1_200_000, 1_400_000],
    ["1M", "1.2M", "1.4M"],
  ],
  [
    [9_007_199_254_740_000, 9_007_199_254_740_991],
    ["9,007,199,254,740,000", "9,007,199,254,740,991"],
  ],
])("the values %j have labels of their own", (values, labels) => {
  expect(formatTicks(values)).toEqual(labels);
});
