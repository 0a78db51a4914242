import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import {
  barFor,
  barHeight,
  type Extent,
  isStuck,
  MAX_HEIGHT,
  moveTo,
  rowsIn,
  type ScrollPlace,
} from "../utils/longScroll";

const SPARE_ROWS = 6;
const REST_MS = 150;
const SETTLE_MS = 70;
/** Farther than so many screens nobody can follow a glide: go there at once. */
const GLIDE_SCREENS = 3;

interface Rows {
  count: number;
  /** Pixels a row. */
  height: number;
  /** Pixels above the first row. */
  head: number;
  /** Pixels at the top of the scrolled element that cover it, such as a sticky head. */
  covered: number;
}

export interface LongScroll {
  /** Rows to draw, from 0, both included. */
  first: number;
  last: number;
  /** The same range once the hand is slow enough to load what it shows. */
  settled: { first: number; last: number };
  /** What to add to a row's place on the board to get its place in the scrolled element. */
  shift: number;
  /** The board's pixel at the top of what is seen. */
  top: number;
  viewport: number;
  barHeight: number;
  /** The rows that are in sight, from 0, both included, as far as they are drawn. */
  visible: { first: number; last: number };
  /** Glides there, if it is near, and shows the row in the middle. */
  scrollToRow: (index: number) => void;
  /** Shows the row at the top, at once. */
  goToRow: (index: number) => void;
  /** Moves no farther than it takes to see the row. */
  revealRow: (index: number) => void;
  /** The row at the top now. */
  rowAtTop: () => number;
}

interface View {
  top: number;
  shift: number;
  first: number;
  last: number;
  viewport: number;
}

/** Windowing of `rows` in a scrolled element, however many there are. See utils/longScroll. */
export function useLongScroll(scrolled: HTMLElement | null, rows: Rows): LongScroll {
  const { count, height, head, covered } = rows;
  const place = useRef<ScrollPlace>({ bar: 0, top: 0 });
  const [view, setView] = useState<View>({ top: 0, shift: 0, first: 0, last: 0, viewport: 0 });

  const extentOf = useCallback(
    (element: HTMLElement): Extent => ({
      content: head + count * height,
      viewport: Math.max(0, element.clientHeight - covered),
    }),
    [count, height, head, covered],
  );

  const look = useCallback(() => {
    if (scrolled === null) return;
    const { viewport } = extentOf(scrolled);
    const { bar, top } = place.current;
    const { first, last } = rowsIn(top, viewport, { count, height, from: head }, SPARE_ROWS);
    const next: View = { top: Math.round(top), shift: bar - top, first, last, viewport };
    setView((known) => (isSame(known, next, head) ? known : next));
  }, [scrolled, extentOf, count, height, head]);

  const setPlace = useCallback(
    (top: number) => {
      if (scrolled === null) return;
      scrolled.scrollTop = barFor(top, extentOf(scrolled));
      // Browsers round: what they made of it is what the next event is compared with.
      place.current = { bar: scrolled.scrollTop, top };
      look();
    },
    [scrolled, extentOf, look],
  );

  useEffect(() => {
    if (scrolled === null) return;
    let frame = 0;
    let rest: ReturnType<typeof setTimeout> | undefined;
    const onScroll = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        const extent = extentOf(scrolled);
        place.current = moveTo(scrolled.scrollTop, place.current, extent);
        if (extent.content > MAX_HEIGHT) {
          clearTimeout(rest);
          if (isStuck(place.current, extent)) setPlace(place.current.top);
          else rest = setTimeout(() => setPlace(place.current.top), REST_MS);
        }
        look();
      });
    };
    const resized = new ResizeObserver(look);
    resized.observe(scrolled);
    scrolled.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(rest);
      resized.disconnect();
      scrolled.removeEventListener("scroll", onScroll);
    };
  }, [scrolled, extentOf, look, setPlace]);

  // More or fewer rows: the same place means another range.
  useLayoutEffect(look, [look]);

  const scrollToRow = useCallback(
    (index: number) => {
      if (scrolled === null) return;
      const extent = extentOf(scrolled);
      const middle = head + index * height - (extent.viewport - height) / 2;
      const target = Math.min(Math.max(0, middle), Math.max(0, extent.content - extent.viewport));
      const near = Math.abs(target - place.current.top) < GLIDE_SCREENS * extent.viewport;
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (near && !still) {
        scrolled.scrollBy({ top: target - place.current.top, behavior: "smooth" });
      } else setPlace(target);
    },
    [scrolled, extentOf, head, height, setPlace],
  );

  const goToRow = useCallback(
    (index: number) => setPlace(index === 0 ? 0 : head + index * height),
    [setPlace, head, height],
  );

  const revealRow = useCallback(
    (index: number) => {
      if (scrolled === null) return;
      const { viewport } = extentOf(scrolled);
      const from = head + index * height;
      const { top } = place.current;
      if (from < top) setPlace(index === 0 ? 0 : from);
      else if (from + height > top + viewport) setPlace(from + height - viewport);
    },
    [scrolled, extentOf, head, height, setPlace],
  );

  const rowAtTop = useCallback(
    () => Math.max(0, Math.round((place.current.top - head) / height)),
    [head, height],
  );

  const settled = useSettled(view.first, view.last);
  return {
    ...view,
    settled,
    visible: {
      first: view.first === 0 ? 0 : view.first + SPARE_ROWS,
      last: view.last === count - 1 ? view.last : Math.max(view.first, view.last - SPARE_ROWS),
    },
    goToRow,
    revealRow,
    rowAtTop,
    barHeight: barHeight({ content: head + count * height, viewport: view.viewport }),
    scrollToRow,
  };
}

/** Only near the top does every pixel matter: there the podium folds. */
function isSame(known: View, next: View, head: number): boolean {
  const nearTop = Math.min(known.top, next.top) <= head;
  return (
    known.first === next.first &&
    known.last === next.last &&
    known.shift === next.shift &&
    known.viewport === next.viewport &&
    (!nearTop || known.top === next.top)
  );
}

/** The range after a moment of rest; small steps count at once. */
function useSettled(first: number, last: number): { first: number; last: number } {
  const [settled, setSettled] = useState({ first, last });
  const isNear = Math.abs(first - settled.first) <= last - first;
  useEffect(() => {
    const timer = setTimeout(() => setSettled({ first, last }), isNear ? 0 : SETTLE_MS);
    return () => clearTimeout(timer);
  }, [first, last, isNear]);
  return settled;
}
