/** What fits: numbers are shown whole, so the rest of a row makes room for them. */

const REM = 16;
/** Widths of the font's digits and of what stands between them, as shares of its size. */
const DIGIT = 0.66;
const MARK = 0.32;

/** Pixels that a number takes at a size of the font, a little more than it does. */
export function numberWidth(written: string, size: number): number {
  const marks = written.replace(/[\p{Nd}\p{L}]/gu, "").length;
  return ((written.length - marks) * DIGIT + marks * MARK) * size;
}

/** Padding, gaps and the avatar of a row, and the least that is left for a name. */
const ROW_REST = 24 + 24 + 46;
const LEAST_NAME = 76;

export interface RowShape {
  /** Widths of the columns, for all rows and their head alike. */
  widths: Record<string, string>;
  /** Name and score stand one above the other. */
  stacked: boolean;
}

export function shapeRows(width: number, lastRank: string, longestScore: string): RowShape {
  const rank = Math.max(2.25, 0.25 + (numberWidth(lastRank, REM) / REM) * 0.95);
  const score = Math.max(5, 0.5 + numberWidth(longestScore, 1.25));
  const needed = ROW_REST + LEAST_NAME + rank * REM + numberWidth(longestScore, REM);
  return {
    widths: { "--rank-width": `${rank.toFixed(3)}rem`, "--score-width": `${score.toFixed(3)}rem` },
    stacked: width > 0 && width < needed,
  };
}

/** Sizes of a score on the podium, the largest first: class and pixels. */
const PODIUM_SIZES = [
  ["text-lg", 20],
  ["text-base", 16],
  ["text-sm", 14],
  ["text-xs", 12],
] as const;

/** The size at which three scores fit side by side; null: there is no room for a podium. */
export function podiumSize(width: number, longestScore: string): string | null {
  const room = width / 3 - 12;
  const from = width < 640 ? 1 : 0;
  const found = PODIUM_SIZES.slice(from).find(
    ([, size]) => numberWidth(longestScore, size) <= room,
  );
  return found?.[0] ?? null;
}
