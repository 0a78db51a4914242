/** The board's columns: more of them where there is room, in head and rows alike. */
import type { RowShape } from "../../utils/rowShape";

const GRID =
  "grid items-center gap-x-3 px-3 @xl:gap-x-4 @xl:px-4 grid-cols-[var(--rank-width)_minmax(0,1fr)_auto]";
const ROOMY =
  "in-data-medium:grid-cols-[var(--rank-width)_minmax(0,1fr)_3.5rem_4.5rem_var(--score-width)] in-data-wide:grid-cols-[var(--rank-width)_minmax(0,1fr)_3.5rem_4.5rem_6.5rem_var(--score-width)]";

/** Where a long score leaves no room beside it, the name stands above it. See utils/rowShape. */
const STACKED =
  "in-data-stacked:grid-cols-[var(--rank-width)_minmax(0,1fr)] in-data-stacked:grid-rows-2 in-data-stacked:gap-y-0";

export const rowGrid = `${GRID} ${ROOMY} ${STACKED}`;

/** Columns that only a board with room shows. */
export const fromMedium = "hidden in-data-medium:block";
export const fromWide = "hidden in-data-wide:block";

/** What a list says of its shape, for the classes above. */
export const shapeOf = ({ stacked, medium, wide }: RowShape) => ({
  "data-stacked": stacked || undefined,
  "data-medium": medium || undefined,
  "data-wide": wide || undefined,
});
