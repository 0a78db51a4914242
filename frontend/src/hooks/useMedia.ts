import { useSyncExternalStore } from "react";

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(query).matches,
  );
}

/** Whether there is little height: a phone on its side, or a page at 400 %. */
export const useIsLow = (): boolean => useMedia("(max-height: 30rem)");

/** Heights in pixels of a board's rows and of its table's head, which has none where room is dear. */
export function useRowSizes(): { row: number; tableHead: number } {
  return useIsLow() ? { row: 44, tableHead: 0 } : { row: 56, tableHead: 36 };
}

/** Whether there is room for the column beside the board. */
export const useIsWide = (): boolean => useMedia("(min-width: 64rem)");
