/** Which rows the board shows. */
export type Filter = "all" | "top10" | "top50" | "around";

export const FILTERS: Record<Filter, { most: number }> = {
  all: { most: Number.POSITIVE_INFINITY },
  top10: { most: 10 },
  top50: { most: 50 },
  around: { most: 0 },
};

export const isFilter = (value: string | null): value is Filter =>
  value !== null && Object.hasOwn(FILTERS, value);
