/** What is half typed. It stays when the page's shape changes, as it does when a tablet turns. */
import { create } from "zustand";
import { type Draft, EMPTY_DRAFT } from "../utils/submission";

interface Drafts {
  /** null: nothing was typed yet. */
  score: Draft | null;
  touched: ReadonlySet<keyof Draft>;
  name: string;
}

export const useDrafts = create<Drafts>()(() => ({ score: null, touched: new Set(), name: "" }));

export function editDraft(now: Draft, name: keyof Draft, value: string): void {
  useDrafts.setState(({ touched }) => ({
    score: { ...now, [name]: value },
    touched: new Set(touched).add(name),
  }));
}

/** The form as it is after a score was taken: the game stays, the score goes. */
export function clearDraft({ mode, result }: Draft): void {
  useDrafts.setState({ score: { ...EMPTY_DRAFT, mode, result }, touched: new Set() });
}
