import { expect, test } from "vitest";
import { backoff } from "./backoff";

test("the wait doubles up to a cap, however often it failed", () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 1_000, 5_000].map((attempt) => backoff(attempt, 1));
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 15_000]);
});

test("chance spreads it between half and all of it", () => {
  expect([0, 0.5, 1].map((random) => backoff(3, random))).toEqual([1_000, 1_500, 2_000]);
});
