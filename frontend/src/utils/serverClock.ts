/**
 * The service's clock, told from the `Date` of its answers (Cristian's algorithm). A device whose
 * own clock is wrong still shows right ages.
 */

/** Bounds of what to add to the device's clock, in ms. */
let least = Number.NEGATIVE_INFINITY;
let most = Number.POSITIVE_INFINITY;

/**
 * Takes the time that an answer names, to the second.
 *
 * @param sentAt when the request was sent, ms since 1970 by the device's clock
 * @param heardAt when its answer came
 */
export function noteServerTime(date: unknown, sentAt: number, heardAt: number): void {
  const told = typeof date === "string" ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(told) || heardAt < sentAt) return;
  const from = told - heardAt;
  const to = told + 1_000 - sentAt;
  const fits = from <= most && to >= least;
  // What contradicts the answers before it comes after a change of the device's clock.
  least = fits ? Math.max(least, from) : from;
  most = fits ? Math.min(most, to) : to;
}

/** A moment of the device's clock by the service's clock: the smallest change that its answers allow. */
export const toServerTime = (deviceMs: number): number =>
  deviceMs + Math.min(Math.max(0, least), most);

export const serverNow = (): number => toServerTime(Date.now());
