import { expect, test } from "vitest";
import { type ChartPoint, layOut, nearest } from "./chart";

const FRAME = { width: 640, height: 240, side: 50, below: 24 };
const BOTTOM = FRAME.height - FRAME.below;
const RANKS = false;
const SCORES = true;

const hourly = (...values: number[]): ChartPoint[] =>
  values.map((value, hour) => ({ at: new Date(Date.UTC(2026, 0, 1, hour)), value }));

const heights = (chart: ReturnType<typeof layOut>) => chart.points.map((each) => each.y);

test("greater scores stand higher, better ranks too", () => {
  const [low = 0, high = 0] = heights(layOut(hourly(100, 900), FRAME, SCORES));
  expect(high).toBeLessThan(low);
  const [poor = 0, good = 0] = heights(layOut(hourly(900, 100), FRAME, RANKS));
  expect(good).toBeLessThan(poor);
});

test("time goes evenly from edge to edge, and everything is within the frame", () => {
  for (const style of [RANKS, SCORES]) {
    const { points, times, values } = layOut(hourly(3, 70, 12, 1, 45), FRAME, style);
    const xs = points.map((each) => each.x);
    expect(xs.map((x) => Math.round(x))).toEqual([4, 151, 297, 444, 590]);
    for (const { y } of [...points, ...values]) {
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThanOrEqual(BOTTOM);
    }
    expect(times.length).toBeGreaterThan(1);
    for (const { x } of times) expect(x > 0 && x < FRAME.width).toBe(true);
  }
});

test("no label of a time is cut at the edge, however long it is", () => {
  for (let seconds = 0; seconds < 5; seconds++) {
    const points = [0, 53_000].map((ms) => ({
      at: new Date(Date.UTC(2026, 0, 1, 7, 23, 57 + seconds) + ms),
      value: 3,
    }));
    const { times } = layOut(points, { ...FRAME, width: 930 }, RANKS);
    expect(times.length).toBeGreaterThan(5);
    for (const { x, label } of times) expect(x).toBeGreaterThanOrEqual(label.length * 3.5);
  }
});

test.each([
  ["two ranks side by side", hourly(1, 2), RANKS, [2, 1]],
  ["always first", hourly(1, 1, 1), RANKS, [2, 1]],
  ["a small score", hourly(0, 1, 3), SCORES, [0, 1, 2, 3]],
])("an axis has whole numbers alone: %s", (_, points, style, shown) => {
  expect(layOut(points, FRAME, style).values.map((each) => each.value)).toEqual(shown);
});

test("no axis says rank 0, and rank 1 may touch the top", () => {
  const { values, points } = layOut(hourly(1, 4_000), FRAME, RANKS);
  expect(Math.min(...values.map((each) => each.value))).toBeGreaterThanOrEqual(1);
  expect(points[0]?.y).toBe(12);
});

test.each([
  ["one point", hourly(42)],
  ["the same value again and again", hourly(7, 7, 7)],
  ["nothing but 0", hourly(0, 0)],
  ["the greatest score", hourly(Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER)],
  ["no time between", [...hourly(4), ...hourly(9)]],
])("%s is drawn with real numbers", (_, points) => {
  for (const style of [RANKS, SCORES]) {
    const chart = layOut(points, FRAME, style);
    expect(chart.points).toHaveLength(points.length);
    expect(chart.path).toMatch(/^M/);
    expect(`${chart.path}${chart.area}`).not.toMatch(/NaN|Infinity/);
    const all = [...chart.points, ...chart.values, ...chart.times].flatMap((each) =>
      Object.values(each).filter((value) => typeof value === "number"),
    );
    expect(all.every(Number.isFinite)).toBe(true);
  }
});

test("nothing to draw is an empty line", () => {
  expect(layOut([], FRAME, SCORES)).toMatchObject({ path: "", area: "", points: [] });
});

test("the area is the line, closed along the bottom", () => {
  const { path, area } = layOut(hourly(5, 9), FRAME, SCORES);
  expect(area).toBe(`${path}L590 ${BOTTOM}L4 ${BOTTOM}Z`);
});

test("the nearest point, from either side and beyond the ends", () => {
  const points = [{ x: 10 }, { x: 20 }, { x: 40 }];
  const found = [-5, 14, 16, 29, 31, 900].map((x) => nearest(points, x)?.x);
  expect(found).toEqual([10, 10, 20, 20, 40, 40]);
  expect(nearest([], 5)).toBeUndefined();
});

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
test.each([
  ["two minutes", 120 * SECOND],
  ["four minutes", 240 * SECOND],
  ["an hour", HOUR],
  ["two days", 48 * HOUR],
  ["a week", 168 * HOUR],
  ["a year", 365 * 24 * HOUR],
  ["six years", 6 * 365 * 24 * HOUR],
])("over %s no two labels of an axis are the same", (_, span) => {
  const start = Date.UTC(2026, 9, 23);
  const points = [0, 0.3, 1].map((share, value) => ({ at: new Date(start + span * share), value }));
  const { times } = layOut(points, FRAME, SCORES);
  expect(times.length).toBeGreaterThan(1);
  expect(new Set(times.map(({ label }) => label)).size).toBe(times.length);
});
