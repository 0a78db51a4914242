/** What just happened, newest first. */
import { create } from "zustand";

export type Tone = "passed" | "climbed" | "news";

export interface Notice {
  id: number;
  text: string;
  tone: Tone;
  /** Whether it is about this device's player. */
  own: boolean;
  /** ms since 1970. */
  at: number;
}

const KEPT = 24;

interface Notices {
  notices: readonly Notice[];
  add: (notice: Omit<Notice, "id" | "at">) => void;
  clear: () => void;
}

let count = 0;

export const useNotices = create<Notices>()((set) => ({
  notices: [],
  add: (notice) =>
    set(({ notices }) => {
      count += 1;
      return { notices: [{ ...notice, id: count, at: Date.now() }, ...notices].slice(0, KEPT) };
    }),
  clear: () => set({ notices: [] }),
}));
