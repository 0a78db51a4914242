/** How long to wait before the next attempt. */

const FIRST_MS = 500;
const MOST_MS = 15_000;

/**
 * Exponential with jitter: between half of the step and all of it, so that a thousand browsers
 * that lost the same server don't come back in the same moment, and nobody waits for nothing.
 *
 * @param attempt how many attempts have failed in a row, from 1
 * @param random a number from 0 to 1
 * @returns milliseconds
 */
export function backoff(attempt: number, random: number): number {
  const step = Math.min(MOST_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.round(step * (0.5 + random / 2));
}
