import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { tween } from "./tween";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("counts ever slower, never past the end, and ends in the number itself", () => {
  const shown: number[] = [];
  tween(100, 0.1 + 0.2, 400, (value) => shown.push(value));
  vi.advanceTimersByTime(2_000);
  expect(shown.length).toBeGreaterThan(20);
  expect(shown[0]).toBe(100);
  expect(shown.at(-1)).toBe(0.1 + 0.2);
  const steps = shown.slice(1).map((value, at) => (shown[at] ?? 0) - value);
  expect(steps.every((step) => step >= 0)).toBe(true);
  expect(steps.toSorted((a, b) => b - a)).toEqual(steps);
  expect(vi.getTimerCount()).toBe(0);
});

test("stops where it is", () => {
  const show = vi.fn();
  const stop = tween(0, 10, 400, show);
  vi.advanceTimersByTime(100);
  stop();
  const calls = show.mock.calls.length;
  vi.advanceTimersByTime(2_000);
  expect(show).toHaveBeenCalledTimes(calls);
  expect(calls).toBeGreaterThan(2);
});
