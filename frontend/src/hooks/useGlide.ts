import { type RefObject, useLayoutEffect, useRef } from "react";
import { isBusy, noteMoves } from "../utils/motion";

const GLIDE: KeyframeAnimationOptions = {
  duration: 220,
  easing: "cubic-bezier(0.16, 0.84, 0.3, 1)",
};
const FADE: KeyframeAnimationOptions = { duration: 180, easing: "ease-out" };

/** A row that is drawn: who is in it, and at which place (from 0). */
export interface Placed {
  id: number;
  index: number;
}

interface Seen {
  rows: ReadonlyMap<number, number>;
  first: number;
  last: number;
}

interface Gliding {
  animation: Animation;
  from: number;
}

/**
 * Lets rows that changed their place on screen glide there over the others: by transform alone, so
 * the compositor does it. While too much moves to be followed, or motion is not wanted, a row shows
 * by a short light where it is now.
 *
 * @param scrolledBy pixels that the list was scrolled by in the same pass because its rows changed.
 *   They are taken up here, so that a row which the list follows stands still on screen.
 */
export function useGlide(
  elements: RefObject<ReadonlyMap<number, HTMLElement>>,
  rows: readonly Placed[],
  height: number,
  scrolledBy?: RefObject<number>,
): void {
  const seen = useRef<Seen | null>(null);
  const moving = useRef(new Map<number, Gliding>());

  useLayoutEffect(() => {
    const before = seen.current;
    const now = look(rows);
    seen.current = now;
    const scrolled = takeUp(scrolledBy);
    if (before === null) return;
    const moved = rows.filter(({ id, index }) => (before.rows.get(id) ?? index) !== index);
    const calm = noteMoved(moved.length);
    const known = rows.filter(({ id }) => before.rows.has(id));
    for (const { id, index } of calm || scrolled === 0 ? moved : known) {
      const distance = ((before.rows.get(id) ?? index) - index) * height + scrolled;
      glide(moving.current, id, elements.current.get(id), distance, calm);
    }
    for (const { id } of arrivals(before, now)) {
      elements.current.get(id)?.animate([{ opacity: 0 }, {}], FADE);
    }
  });
}

function takeUp(scrolledBy: RefObject<number> | undefined): number {
  if (scrolledBy === undefined) return 0;
  const pixels = scrolledBy.current;
  scrolledBy.current = 0;
  return pixels;
}

/** Whether so much moves, or so little is wanted to, that rows had better not travel. */
function noteMoved(count: number): boolean {
  noteMoves(count, performance.now());
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return still || isBusy(performance.now());
}

/** Who came into rows that were on screen already, and so did not come by scrolling. */
function arrivals(before: Seen, now: Seen): Placed[] {
  if (now.first !== before.first || now.last !== before.last) return [];
  return [...now.rows].flatMap(([id, index]) => (before.rows.has(id) ? [] : [{ id, index }]));
}

function look(rows: readonly Placed[]): Seen {
  return {
    rows: new Map(rows.map(({ id, index }) => [id, index])),
    first: rows[0]?.index ?? 0,
    last: rows.at(-1)?.index ?? 0,
  };
}

function glide(
  moving: Map<number, Gliding>,
  id: number,
  element: HTMLElement | undefined,
  distance: number,
  calm: boolean,
): void {
  if (element === undefined) return;
  const running = moving.get(id);
  // From where it is seen now, if it was still on its way.
  const left = running === undefined ? 0 : running.from * (1 - progressOf(running.animation));
  running?.animation.cancel();
  if (calm) {
    moving.delete(id);
    element.animate([{ opacity: 0.35 }, {}], FADE);
    return;
  }
  const from = distance + left;
  if (from === 0) {
    moving.delete(id);
    return;
  }
  const rest = element.style.transform;
  const animation = element.animate(
    [
      { transform: `${rest} translateY(${from}px)`, zIndex: 1 },
      { transform: rest, zIndex: 1 },
    ],
    GLIDE,
  );
  moving.set(id, { animation, from });
  animation.onfinish = () => {
    if (moving.get(id)?.animation === animation) moving.delete(id);
  };
}

/** How much of the way is done, easing included; asks for no layout. */
function progressOf(animation: Animation): number {
  return animation.effect?.getComputedTiming().progress ?? 1;
}
