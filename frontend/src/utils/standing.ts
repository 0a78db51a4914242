/** Arithmetic of ranks, the same as the service's. */

export interface TierCut {
  name: string;
  percentile: number;
}

/** Share of the players that this rank is at or above, in percent with 2 decimals. */
export function percentileOf(rank: number, total: number): number {
  const exact = (100 * (total - rank + 1)) / total;
  // As Python's round: by the double's exact value, and in the very middle, where only odd eighths
  // are, to the even one. `toFixed` does the first, but goes up from the middle.
  return (exact * 8) % 2 === 1 ? Math.round(exact * 50) / 50 : Number(exact.toFixed(2));
}

/** Which tier a percentile reaches: its place among `tiers` (best first) and its name. */
export function tierAt<T extends TierCut>(
  percentile: number,
  tiers: readonly T[],
): { at: number; tier: T } | null {
  const at = tiers.findIndex((each) => percentile >= each.percentile);
  const tier = tiers[at];
  return tier === undefined ? null : { at, tier };
}

/** How far from one score to the next, 0 to 1; 1 where there is no way to go. */
export function progress(from: number, to: number, at: number): number {
  if (from === to) return 1;
  return Math.min(1, Math.max(0, (at - from) / (to - from)));
}
