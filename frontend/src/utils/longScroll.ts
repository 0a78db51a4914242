/**
 * Scrolling through more rows than a browser can make an element high (some stop at 17 million
 * pixels). Up to a bound the scroll bar's pixels are the board's. Beyond, the bar is a scaled
 * picture of the board: a drag goes to its share of the way, while wheel, touch and keys move the
 * rows pixel by pixel from where they are, and when the hand rests the bar is set to match.
 */

export const MAX_HEIGHT = 12_000_000;

/** A movement of more than so many screens in one event is a jump to a place, not a movement. */
const JUMP_SCREENS = 4;

export interface Extent {
  /** Height of all there is, in the board's pixels. */
  content: number;
  /** Height of what is seen. */
  viewport: number;
}

/** The bar's position, and what it means: the board's pixel at the top of what is seen. */
export interface ScrollPlace {
  bar: number;
  top: number;
}

/** How high the scrolled element is made. */
export const barHeight = ({ content }: Extent): number => Math.min(content, MAX_HEIGHT);

const travel = (height: number, viewport: number): number => Math.max(0, height - viewport);

/** The bar's position for a pixel of the board. */
export function barFor(top: number, extent: Extent): number {
  const way = travel(extent.content, extent.viewport);
  if (way === 0) return 0;
  return (clampTop(top, extent) / way) * travel(barHeight(extent), extent.viewport);
}

/** What a scroll event means. */
export function moveTo(bar: number, before: ScrollPlace, extent: Extent): ScrollPlace {
  if (extent.content <= MAX_HEIGHT) return { bar, top: bar };
  const distance = bar - before.bar;
  const end = travel(barHeight(extent), extent.viewport);
  const jumps = Math.abs(distance) > JUMP_SCREENS * extent.viewport;
  if (jumps || end === 0) {
    return { bar, top: (bar / end) * travel(extent.content, extent.viewport) };
  }
  return { bar, top: clampTop(before.top + distance, extent) };
}

/** Whether the bar has to be set anew before the hand can go on: it is at an end and the board
 * is not. */
export function isStuck({ bar, top }: ScrollPlace, extent: Extent): boolean {
  const end = travel(barHeight(extent), extent.viewport);
  const last = travel(extent.content, extent.viewport);
  return (bar <= 0 && top > 0) || (bar >= end && top < last);
}

function clampTop(top: number, { content, viewport }: Extent): number {
  return Math.min(Math.max(0, top), travel(content, viewport));
}

/** The first and last row (from 0, both included) that are seen, with some to spare. */
export function rowsIn(
  top: number,
  viewport: number,
  rows: { count: number; height: number; from: number },
  spare: number,
): { first: number; last: number } {
  const first = Math.floor((top - rows.from) / rows.height) - spare;
  const last = Math.ceil((top + viewport - rows.from) / rows.height) - 1 + spare;
  return { first: Math.max(0, first), last: Math.min(rows.count - 1, last) };
}
