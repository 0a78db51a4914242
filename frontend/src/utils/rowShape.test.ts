import { expect, test } from "vitest";
import { podiumSize, shapeRows } from "./rowShape";

const MOST = "9,007,199,254,740,991";

test("numbers that leave no room for a name stand below it", () => {
  expect(shapeRows(320, "24", "1,204").stacked).toBe(false);
  expect(shapeRows(320, "24", MOST).stacked).toBe(true);
  expect(shapeRows(360, "100,000", "12,345,678,901").stacked).toBe(true);
  expect(shapeRows(1_000, "100,000", MOST).stacked).toBe(false);
  // Nothing is known before the first measure.
  expect(shapeRows(0, "24", MOST).stacked).toBe(false);
});

test("a podium's scores step down in size, and it goes where they do not fit", () => {
  expect(podiumSize(1_000, "1,204")).toBe("text-lg");
  expect(podiumSize(390, "1,204")).toBe("text-base");
  expect(podiumSize(320, "12,345,678")).toBe("text-sm");
  expect(podiumSize(320, MOST)).toBeNull();
  expect(podiumSize(760, MOST)).toBe("text-base");
});
