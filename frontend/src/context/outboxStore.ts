/**
 * Scores that have no answer yet. They are kept with their idempotency keys until the service has
 * answered, whatever becomes of the page, so that each counts exactly once.
 */
import { create } from "zustand";
import { uniqueKey } from "../utils/uniqueKey";

export interface Waiting {
  key: string;
  userId: number;
  score: number;
  /** The submission as JSON, sent as it is. */
  body: string;
  /** ms since 1970, by the service's clock. */
  at: number;
}

const KEY = "leaderboard.outbox";
/** The service knows a key for a day. What is older might count twice. */
const SAFE_MS = 23 * 3_600_000;

export const isSafe = ({ at }: Waiting, now: number): boolean => now - at < SAFE_MS;

export const useOutbox = create<{ waiting: readonly Waiting[] }>()(() => ({
  waiting: read() ?? [],
}));

/** Keeps a score, and says under which key. */
export function keep(score: Omit<Waiting, "key">): Waiting {
  const waiting = { ...score, key: uniqueKey() };
  change((all) => [...all, waiting]);
  return waiting;
}

/** Forgets a score, because it was answered or its owner says so. */
export const drop = (key: string): void => change((all) => all.filter((each) => each.key !== key));

/** Other tabs write too: what is there now is changed, and not what was there at the start. */
function change(apply: (all: readonly Waiting[]) => readonly Waiting[]): void {
  const waiting = apply(read() ?? useOutbox.getState().waiting);
  useOutbox.setState({ waiting });
  try {
    localStorage.setItem(KEY, JSON.stringify(waiting));
  } catch {
    // Without storage it is kept for as long as the page is there.
  }
}

function read(): Waiting[] | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return Array.isArray(found) ? found.filter(isWaiting) : null;
  } catch {
    return null;
  }
}

function isWaiting(value: unknown): value is Waiting {
  const { key, userId, score, body, at } = (value ?? {}) as Record<string, unknown>;
  const numbers = [userId, score, at].every(Number.isSafeInteger);
  return numbers && typeof key === "string" && typeof body === "string";
}

addEventListener("storage", (event) => {
  if (event.key === KEY) useOutbox.setState({ waiting: read() ?? [] });
});
