import { expect, test } from "vitest";
import { isBusy, noteMoves } from "./motion";

test("more than twelve moves within a second are too many to follow", () => {
  noteMoves(12, 10_000);
  noteMoves(0, 10_100);
  expect(isBusy(10_100)).toBe(false);
  noteMoves(1, 10_500);
  expect(isBusy(10_999)).toBe(true);
  expect(isBusy(11_000)).toBe(false);
  noteMoves(12, 11_400);
  expect(isBusy(11_499)).toBe(true);
  expect(isBusy(11_500)).toBe(false);
});
