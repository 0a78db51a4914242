import { beforeEach, expect, test, vi } from "vitest";

let clock: typeof import("./serverClock");
beforeEach(async () => {
  vi.resetModules();
  clock = await import("./serverClock");
});

const T = Date.UTC(2026, 2, 1, 12);
const HOUR = 3_600_000;
const told = (ms: number) => new Date(ms).toUTCString();

test("before any answer, and beside a right clock, the device's clock is taken as it is", () => {
  expect(clock.toServerTime(T)).toBe(T);
  clock.noteServerTime(told(T), T + 300, T + 400);
  expect(clock.toServerTime(T)).toBe(T);
});

test.each([-HOUR, HOUR, 7 * HOUR])(
  "a clock that is %i ms off is set right to the second",
  (off) => {
    clock.noteServerTime(told(T), T + off + 200, T + off + 260);
    expect(Math.abs(clock.toServerTime(T + off) - T)).toBeLessThanOrEqual(1_000);
    // Answers at other parts of a second narrow it down.
    clock.noteServerTime(told(T + 1_000), T + off + 1_950, T + off + 1_990);
    clock.noteServerTime(told(T + 2_000), T + off + 2_000, T + off + 2_040);
    expect(Math.abs(clock.toServerTime(T + off) - T)).toBeLessThanOrEqual(100);
  },
);

test("a clock that is set while the page is open is followed", () => {
  clock.noteServerTime(told(T), T + HOUR, T + HOUR + 50);
  clock.noteServerTime(told(T + 5_000), T + 5_000, T + 5_050);
  expect(clock.toServerTime(T + 6_000)).toBe(T + 6_000);
});

test("an answer without a date, or one that came before it was asked for, says nothing", () => {
  for (const date of [undefined, "", "soon", 7]) clock.noteServerTime(date, T, T + 1);
  clock.noteServerTime(told(T + HOUR), T, T - 10);
  expect(clock.toServerTime(T)).toBe(T);
});
