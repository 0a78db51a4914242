import { expect, test } from "vitest";
import { addSample, perMinute, type Sample } from "./rate";

const SECOND = 1_000;
const collect = (...samples: [seconds: number, version: number][]): readonly Sample[] =>
  samples.reduce<readonly Sample[]>(
    (known, [seconds, version]) => addSample(known, { at: seconds * SECOND, version }),
    [],
  );

/** One event a second, from 0 to `seconds`. */
const steady = (seconds: number) =>
  collect(...Array.from({ length: seconds + 1 }, (_, at): [number, number] => [at, 500 + at]));

test("it is too early to say anything", () => {
  expect(perMinute([], 0)).toBeNull();
  expect(perMinute(collect([0, 10], [4, 20]), 4.9 * SECOND)).toBeNull();
  expect(perMinute(collect([0, 10], [4, 20]), 5 * SECOND)).toBe(120);
});

test("a steady board has its rate at once and later", () => {
  for (const seconds of [6, 30, 60, 61, 300]) {
    expect(perMinute(steady(seconds), seconds * SECOND)).toBe(60);
  }
});

test("only what the last minute needs is kept", () => {
  const samples = steady(1_000);
  expect(samples.at(-1)).toEqual({ at: 1_000 * SECOND, version: 1_500 });
  expect(samples.length).toBeLessThanOrEqual(63);
});

test("a board that falls silent sinks to 0 and stays there", () => {
  const samples = steady(120);
  const later = [0, 15, 30, 59, 61, 600].map((wait) => perMinute(samples, (120 + wait) * SECOND));
  expect(later).toEqual([60, 45, 30, 1, 0, 0]);
});

test("a burst after a long pause is counted whole, and the pause not", () => {
  const samples = collect([0, 100], [1, 110], [600, 150], [602, 190]);
  expect(perMinute(samples, 602 * SECOND)).toBe(80);
});

test("a version that falls back begins anew", () => {
  const samples = collect([0, 900], [30, 950], [40, 5]);
  expect(samples).toEqual([{ at: 40 * SECOND, version: 5 }]);
});
