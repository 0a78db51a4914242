/** How busy a board is: its version counts events, so two versions and their times say it. */

export interface Sample {
  at: number;
  version: number;
}

const WINDOW_MS = 60_000;
/** Before there is a whole minute to look at, a few seconds must do. */
const LEAST_MS = 5_000;

/** The samples with one more, as many as the last minute needs. */
export function addSample(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const kept = samples.filter((each) => each.version <= next.version);
  const recent = kept.filter((each) => next.at - each.at <= WINDOW_MS);
  // One from before the window stays, so that a slow board has something to be compared with.
  const before = kept.at(-recent.length - 1);
  return [...(before === undefined ? [] : [before]), ...recent, next];
}

/** Events a minute, rounded; null while it is too early to say. */
export function perMinute(samples: readonly Sample[], now: number): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || now - first.at < LEAST_MS) return null;
  const span = Math.min(WINDOW_MS, now - first.at);
  const start = samples.findLast((each) => each.at <= now - span) ?? first;
  return Math.round(((last.version - start.version) * WINDOW_MS) / span);
}
