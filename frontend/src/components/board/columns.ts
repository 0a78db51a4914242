/** The board's columns: more of them where there is room, in head and rows alike. */

const GRID =
  "grid items-center gap-x-3 px-3 @xl:gap-x-4 @xl:px-4 grid-cols-[var(--rank-width)_minmax(0,1fr)_auto]";
const ROOMY =
  "@2xl:grid-cols-[var(--rank-width)_minmax(0,1fr)_3.5rem_4.5rem_var(--score-width)] @3xl:grid-cols-[var(--rank-width)_minmax(0,1fr)_3.5rem_4.5rem_6.5rem_var(--score-width)]";

export const rowGrid = `${GRID} ${ROOMY}`;

/** Columns that only a board with room shows. */
export const fromMedium = "hidden @2xl:block";
export const fromWide = "hidden @3xl:block";

/** Every row is a grid of its own, so widths are set for all: by the widest there is. */
export function columnWidths(lastRank: string, bestScore: string): Record<string, string> {
  return {
    "--rank-width": `${Math.max(2.25, 0.25 + lastRank.length * 0.6)}rem`,
    "--score-width": `${Math.max(5, 0.5 + bestScore.length * 0.8)}rem`,
  };
}
