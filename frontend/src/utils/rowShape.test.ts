import { expect, test } from "vitest";
import { formatNumber } from "./format";
import { longestOf, podiumSize, shapeRows } from "./rowShape";

const MOST = "9,007,199,254,740,991";

test("numbers that leave no room for a name stand below it", () => {
  expect(shapeRows(320, "24", "1,204").stacked).toBe(false);
  expect(shapeRows(320, "24", MOST).stacked).toBe(true);
  expect(shapeRows(360, "100,000", "12,345,678,901").stacked).toBe(true);
  expect(shapeRows(1_000, "100,000", MOST).stacked).toBe(false);
  // Nothing is known before the first measure.
  expect(shapeRows(0, "24", MOST).stacked).toBe(false);
});

test("more columns come only where they leave room for a name", () => {
  expect(shapeRows(671, "24", "1,204")).toMatchObject({ medium: false, wide: false });
  expect(shapeRows(700, "24", "1,204")).toMatchObject({ medium: true, wide: false });
  expect(shapeRows(800, "24", "1,204")).toMatchObject({ medium: true, wide: true });
  expect(shapeRows(700, "24", MOST)).toMatchObject({ medium: false, wide: false });
  expect(shapeRows(800, "20,000", MOST)).toMatchObject({ medium: true, wide: false });
  expect(shapeRows(1_000, "20,000", MOST)).toMatchObject({ medium: true, wide: true });
});

test("the longest score need not be the first", () => {
  expect(longestOf([300, 20, -1_000], formatNumber)).toBe("-1,000");
  expect(longestOf([111, 1_000, 999], formatNumber)).toBe("1,000");
  expect(longestOf([], formatNumber)).toBe("0");
});

test("a podium's scores step down in size, and it goes where they do not fit", () => {
  expect(podiumSize(1_000, "1,204")).toBe("text-lg");
  expect(podiumSize(390, "1,204")).toBe("text-base");
  expect(podiumSize(320, "12,345,678")).toBe("text-sm");
  expect(podiumSize(320, MOST)).toBeNull();
  expect(podiumSize(760, MOST)).toBe("text-base");
});
