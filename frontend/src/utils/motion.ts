/** How much moves on screen: beyond a bound nobody can follow it, and the board calms down. */

const MOVES_PER_SECOND = 12;
const WINDOW_MS = 1_000;

let moves: { at: number; count: number }[] = [];

/** Tells of rows that changed their place on screen. `now` in ms, of any clock. */
export function noteMoves(count: number, now: number): void {
  moves = moves.filter(({ at }) => now - at < WINDOW_MS);
  if (count > 0) moves.push({ at: now, count });
}

/** Whether more has moved in the last second than can be followed. */
export function isBusy(now: number): boolean {
  const recent = moves.filter(({ at }) => now - at < WINDOW_MS);
  return recent.reduce((sum, { count }) => sum + count, 0) > MOVES_PER_SECOND;
}
