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

/** The score that takes the most room: not always the first, since scores may be below zero. */
export function longestOf(scores: readonly number[], format: (score: number) => string): string {
  const widths = scores.map(format).map((written) => ({ written, size: numberWidth(written, 1) }));
  return widths.reduce((most, each) => (each.size > most.size ? each : most), {
    written: format(0),
    size: 0,
  }).written;
}

/** Padding, gaps and the avatar of a row, and the least that is left for a name. */
const ROW_REST = 24 + 24 + 46;
const LEAST_NAME = 76;

/** Where more columns begin: the least width of the list, and what they take of it. */
const MEDIUM = { from: 672, takes: 24 + 3 * 16 + 56 + 72 };
const WIDE = { from: 768, takes: MEDIUM.takes + 16 + 104 };
/** What they leave for a name at least. */
const ROOMY_NAME = 140;
const SCORE_SIZE = 20;

export interface RowShape {
  /** Widths of the columns, for all rows and their head alike. */
  widths: Record<string, string>;
  /** Name and score stand one above the other. */
  stacked: boolean;
  /** Games and win rate have room; with `wide`, the time too. */
  medium: boolean;
  wide: boolean;
}

export function shapeRows(width: number, lastRank: string, longestScore: string): RowShape {
  const rank = Math.max(2.25, 0.25 + (numberWidth(lastRank, REM) / REM) * 0.95);
  const score = Math.max(5, 0.5 + numberWidth(longestScore, SCORE_SIZE / REM));
  const needed = ROW_REST + LEAST_NAME + rank * REM + numberWidth(longestScore, REM);
  const rest = width - ROW_REST - ROOMY_NAME - (rank + score) * REM;
  const hasRoomFor = (columns: typeof MEDIUM) => width >= columns.from && rest >= columns.takes;
  return {
    widths: { "--rank-width": `${rank.toFixed(3)}rem`, "--score-width": `${score.toFixed(3)}rem` },
    stacked: width > 0 && width < needed,
    medium: hasRoomFor(MEDIUM),
    wide: hasRoomFor(WIDE),
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
