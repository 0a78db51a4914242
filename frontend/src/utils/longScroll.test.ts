import { describe, expect, test } from "vitest";
import {
  barFor,
  barHeight,
  isStuck,
  MAX_HEIGHT,
  moveTo,
  rowsIn,
  type ScrollPlace,
} from "./longScroll";
import { seeded } from "./testing/board";

const ROW = 56;
const VIEWPORT = 700;
const extentOf = (rows: number) => ({ content: rows * ROW, viewport: VIEWPORT });

const small = extentOf(5_000);
const million = extentOf(1_000_000);
const END = MAX_HEIGHT - VIEWPORT;
const LAST = million.content - VIEWPORT;

test("below the bound the bar is the board", () => {
  expect(barHeight(small)).toBe(small.content);
  expect(barFor(123_456.5, small)).toBe(123_456.5);
  expect(moveTo(200_000, { bar: 3, top: 3 }, small)).toEqual({ bar: 200_000, top: 200_000 });
  expect(barFor(9e9, small)).toBe(small.content - VIEWPORT);
  expect(barFor(500, { content: 300, viewport: 700 })).toBe(0);
});

describe("a million rows", () => {
  const start: ScrollPlace = { bar: 0, top: 0 };

  test("the bar has its bound, and its ends are the board's", () => {
    expect(barHeight(million)).toBe(MAX_HEIGHT);
    expect(moveTo(END, start, million).top).toBe(LAST);
    expect(moveTo(0, { bar: END, top: LAST }, million).top).toBe(0);
    expect([barFor(0, million), barFor(LAST, million), barFor(2 * LAST, million)]).toEqual([
      0,
      END,
      END,
    ]);
  });

  test.each([0.01, 0.25, 0.5, 0.9])(
    "a jump to %d of the bar goes to that share of the rows",
    (share) => {
      const { top } = moveTo(share * END, start, million);
      expect(Math.abs(top / LAST - share)).toBeLessThan(0.001);
    },
  );

  test("up to four screens are the hand's movement, wherever the bar stands", () => {
    expect(moveTo(6_002_800, { bar: 6_000_000, top: 1_000 }, million).top).toBe(3_800);
    expect(moveTo(6_002_801, { bar: 6_000_000, top: 1_000 }, million).top).toBeGreaterThan(
      LAST / 2,
    );
    expect(moveTo(6_000_150, { bar: 6_000_000, top: 1_000 }, million).top).toBe(1_150);
    expect(moveTo(5_999_850, { bar: 6_000_000, top: 1_000 }, million).top).toBe(850);
    expect(moveTo(5_999_000, { bar: 6_000_000, top: 600 }, million).top).toBe(0);
    expect(moveTo(6_001_000, { bar: 6_000_000, top: LAST - 4 }, million).top).toBe(LAST);
  });

  test("the bar's place for a row leads back to the row, and later rows stand further down", () => {
    const random = seeded(1);
    const tops = [1, 20, 3_000, ...Array.from({ length: 500 }, () => random() * LAST), LAST - 1];
    let before = -1;
    for (const top of tops.sort((a, b) => a - b)) {
      const bar = barFor(top, million);
      expect(bar).toBeGreaterThan(before);
      const far = { bar: bar < END / 2 ? END : 0, top: 0 };
      expect(moveTo(bar, far, million).top).toBeCloseTo(top, 3);
      before = bar;
    }
  });

  test("the bar is stuck at its end while the board goes on", () => {
    expect(isStuck({ bar: 0, top: 9_000 }, million)).toBe(true);
    expect(isStuck({ bar: END, top: 9_000 }, million)).toBe(true);
    expect(isStuck({ bar: 6_000, top: 9_000 }, million)).toBe(false);
    expect(isStuck({ bar: 0, top: 0 }, million)).toBe(false);
    expect(isStuck({ bar: END, top: LAST }, million)).toBe(false);
  });
});

/** What the hook does to an element that, like a browser's, has whole pixels and two ends. */
function wheel(place: ScrollPlace, by: number): ScrollPlace {
  const bar = Math.min(Math.max(0, Math.round(place.bar + by)), END);
  if (bar === place.bar) return place;
  const moved = moveTo(bar, place, million);
  return isStuck(moved, million) ? settle(moved) : moved;
}

const settle = ({ top }: ScrollPlace): ScrollPlace => ({
  bar: Math.round(barFor(top, million)),
  top,
});

test.each([
  ["a mouse that never rests", 120, 0],
  ["a mouse that rests often", 120, 0.01],
  ["a screen at a time", 650, 0.2],
])("a sweep through a million rows and back: %s", (_, step, rests) => {
  const random = seeded(2);
  const rows = { count: 1_000_000, height: ROW, from: 0 };
  const sweep = (from: ScrollPlace, by: number, goal: number) => {
    let place = from;
    let uneven = 0;
    let gaps = 0;
    let events = 0;
    for (; place.top !== goal && events < 600_000; events += 1) {
      const before = place;
      place = wheel(place, by);
      if (place.top !== before.top + by && place.top !== goal) uneven += 1;
      const seen = rowsIn(place.top, VIEWPORT, rows, 0);
      const were = rowsIn(before.top, VIEWPORT, rows, 0);
      if (seen.first > were.last + 1 || seen.last < were.first - 1) gaps += 1;
      if (random() < rests) place = settle(place);
    }
    expect({ top: place.top, gaps }).toEqual({ top: goal, gaps: 0 });
    // Where the bar hits its end before the board does, one movement is cut short.
    expect(uneven).toBeLessThan(50);
    expect(events - LAST / step).toBeLessThan(50);
    return place;
  };
  const down = sweep({ bar: 0, top: 0 }, step, LAST);
  expect(rowsIn(down.top, VIEWPORT, rows, 0).last).toBe(999_999);
  sweep(down, -step, 0);
});

test("the rows that are seen, to the pixel, with some to spare and none that isn't there", () => {
  const rows = { count: 100, height: 50, from: 200 };
  expect(rowsIn(200, 500, rows, 0)).toEqual({ first: 0, last: 9 });
  expect(rowsIn(249, 500, rows, 0)).toEqual({ first: 0, last: 10 });
  expect(rowsIn(250, 500, rows, 0)).toEqual({ first: 1, last: 10 });
  expect(rowsIn(2_200, 500, rows, 3)).toEqual({ first: 37, last: 52 });
  expect(rowsIn(0, 500, rows, 3)).toEqual({ first: 0, last: 8 });
  expect(rowsIn(4_700, 500, rows, 3)).toEqual({ first: 87, last: 99 });
});
