/** Geometry of a line over time: points in, an SVG path and its axes out. */
import { scaleLinear, scaleTime } from "d3-scale";
import { curveStepAfter, line } from "d3-shape";
import { formatTimes } from "./format";

export interface ChartPoint {
  at: Date;
  value: number;
}

export interface Frame {
  width: number;
  height: number;
  /** Room for the axes, in pixels: at the values' side and below. */
  side: number;
  below: number;
}

export interface Chart {
  path: string;
  /** The same, closed along the bottom. */
  area: string;
  points: readonly { x: number; y: number; point: ChartPoint }[];
  values: readonly { y: number; value: number }[];
  times: readonly { x: number; at: Date; label: string }[];
}

const TOP = 12;
/** Half of what a character of a label takes, in pixels. */
const HALF_CHARACTER = 3.5;

/**
 * What holds until it changes is drawn in steps: between two samples nothing is made up.
 *
 * @param upward whether greater values stand higher; ranks are better the smaller they are
 */
export function layOut(
  points: readonly ChartPoint[],
  { width, height, side, below }: Frame,
  upward: boolean,
): Chart {
  const values = points.map((each) => each.value);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const spare = Math.max((high - low) * 0.08, low === high ? Math.max(1, Math.abs(low) * 0.1) : 0);
  const bottom = height - below;
  // A rank is never better than 1, and its axis says so.
  const domain = upward ? [low - spare, high + spare] : [high + spare, Math.max(1, low - spare)];
  const y = scaleLinear().domain(domain).range([bottom, TOP]);
  const first = points[0]?.at ?? new Date(0);
  const last = points.at(-1)?.at ?? first;
  const x = scaleTime()
    .domain([first, last])
    .range([4, width - side]);
  const placed = points.map((point) => ({ x: x(point.at), y: y(point.value), point }));
  const draw = line<{ x: number; y: number }>()
    .x((each) => each.x)
    .y((each) => each.y)
    .curve(curveStepAfter);
  const path = draw(placed) ?? "";
  const start = placed[0];
  const end = placed.at(-1);
  const closed = start && end ? `${path}L${end.x} ${bottom}L${start.x} ${bottom}Z` : "";
  return {
    path,
    area: closed,
    points: placed,
    values: y
      .ticks(4)
      .filter((value) => Number.isInteger(value) && (upward || value >= 1))
      .map((value) => ({ y: y(value), value })),
    times: labelTimes(x.ticks(Math.max(2, Math.floor(width / 120))))
      .map(({ at, label }) => ({ x: x(at), at, label }))
      // A label at the very edge would be cut.
      .filter(({ x: middle, label }) => {
        const half = label.length * HALF_CHARACTER;
        return middle >= half && middle <= width - half;
      }),
  };
}

/** Where an hour comes twice, on a day when clocks are set back, its labels come once. */
function labelTimes(times: readonly Date[]): { at: Date; label: string }[] {
  const labels = formatTimes(times);
  return times
    .map((at, index) => ({ at, label: labels[index] ?? "" }))
    .filter(({ label }, index) => labels.indexOf(label) === index);
}

/** The point nearest to a place from the left edge. */
export function nearest<T extends { x: number }>(points: readonly T[], x: number): T | undefined {
  let best: T | undefined;
  for (const each of points) {
    if (best === undefined || Math.abs(each.x - x) < Math.abs(best.x - x)) best = each;
  }
  return best;
}
