/**
 * Scrolling through more rows than a browser can make an element high (some stop at 17 million
 * pixels). Up to a bound the scroll bar's pixels are the board's. Beyond, the bar is a scaled
 * picture of the board: a drag goes to its share of the way, while wheel, touch and keys move the
 * rows pixel by pixel from where they are, and when the hand rests the bar is set to match. Near
 * both ends the bar's pixels stay the board's, or the way to an end would be too short for the hand
 * and the last rows, less than a pixel of the bar, out of reach.
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

const lastTop = ({ content, viewport }: Extent): number => Math.max(0, content - viewport);
const lastBar = (extent: Extent): number => Math.max(0, barHeight(extent) - extent.viewport);

/** The bar's position for a pixel of the board. */
export function barFor(top: number, extent: Extent): number {
  return scale(clampTop(top, extent), lastTop(extent), lastBar(extent), extent);
}

/** A place on a way of `from` pixels on one of `to`: alike near the ends, scaled in between. */
function scale(at: number, from: number, to: number, { viewport }: Extent): number {
  const near = Math.min(JUMP_SCREENS * viewport, from / 2, to / 2);
  if (at <= near) return at;
  if (at >= from - near) return to - (from - at);
  return near + (at - near) * ((to - 2 * near) / (from - 2 * near));
}

/** What a scroll event means. */
export function moveTo(bar: number, before: ScrollPlace, extent: Extent): ScrollPlace {
  if (extent.content <= MAX_HEIGHT) return { bar, top: bar };
  const distance = bar - before.bar;
  const jumps = Math.abs(distance) > JUMP_SCREENS * extent.viewport;
  const top = jumps ? scale(bar, lastBar(extent), lastTop(extent), extent) : before.top + distance;
  return { bar, top: clampTop(top, extent) };
}

/** Whether the bar has to be set anew before the hand can go on: it is at an end and the board
 * is not. */
export function isStuck({ bar, top }: ScrollPlace, extent: Extent): boolean {
  return (bar <= 0 && top > 0) || (bar >= lastBar(extent) && top < lastTop(extent));
}

const clampTop = (top: number, extent: Extent): number =>
  Math.min(Math.max(0, top), lastTop(extent));

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
