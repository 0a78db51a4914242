import { expect, test } from "vitest";
import { percentileOf, progress, tierAt } from "./standing";

const TIERS = [
  { name: "Diamond", percentile: 99 },
  { name: "Gold", percentile: 90 },
  { name: "Silver", percentile: 50 },
  { name: "Bronze", percentile: 0 },
];

// 100 * (total - rank + 1) / total with 2 decimals. In the middle between two of them the service
// (Python) takes the even one, and where a double only looks like the middle, what it really is.
test.each([
  [1, 1, 100],
  [1, 3, 100],
  [2, 3, 66.67],
  [3, 3, 33.33],
  [1_000_000, 1_000_000, 0],
  [2, 1_000_000, 100],
  [70, 1_000_000, 99.99],
  [800, 800, 0.12],
  [798, 800, 0.38],
  [4, 32, 90.62],
  [10_002, 20_000, 49.99],
  [202, 20_000, 99],
])("rank %i of %i is at %d percent, as the service says it", (rank, total, percentile) => {
  expect(percentileOf(rank, total)).toBe(percentile);
});

test("a tier begins at its cut", () => {
  expect(tierAt(100, TIERS)).toEqual({ at: 0, tier: TIERS[0] });
  expect(tierAt(99, TIERS)?.tier.name).toBe("Diamond");
  expect(tierAt(98.99, TIERS)).toEqual({ at: 1, tier: TIERS[1] });
  expect(tierAt(0, TIERS)?.tier.name).toBe("Bronze");
  expect(tierAt(10, TIERS.slice(0, 2))).toBeNull();
  expect(tierAt(10, [])).toBeNull();
});

test("progress is a share of the way, up or down, and stays within it", () => {
  const shares = [100, 125, 150, 90, 999].map((at) => progress(100, 150, at));
  expect(shares).toEqual([0, 0.5, 1, 0, 1]);
  expect(progress(90_000, 80_000, 87_500)).toBe(0.25);
  expect(progress(-10, 10, 0)).toBe(0.5);
  expect(progress(7, 7, 7)).toBe(1);
});
