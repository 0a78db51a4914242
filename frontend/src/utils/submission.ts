/** A score being typed: what is wrong with it, by the service's own bounds, and what is sent. */
import type { Limits, ScoreSubmission } from "./api/types";
import { formatDuration, formatNumber } from "./format";
import { text } from "./text";
import { toAscii } from "./typed";

export interface Draft {
  score: string;
  mode: string;
  /** Minutes and seconds, such as 1:33; empty: not said. */
  duration: string;
  result: "won" | "lost" | "none";
  /** A JSON object; empty: none. */
  metadata: string;
}

export const EMPTY_DRAFT: Draft = {
  score: "",
  mode: "ranked",
  duration: "",
  result: "none",
  metadata: "",
};

export type DraftErrors = Partial<Record<keyof Draft, string>>;

/** A game as the form knows it. Metadata is JSON as it was typed: a double would round numbers. */
export type Game = Omit<ScoreSubmission, "user_id" | "metadata"> & { metadata?: string };

export type Checked = { ok: true; game: Game } | { ok: false; errors: DraftErrors };

/** What is sent: JSON. */
export function writeBody(userId: number, { metadata, ...fields }: Game): string {
  const body = JSON.stringify({ user_id: userId, ...fields });
  return metadata === undefined ? body : `${body.slice(0, -1)},"metadata":${metadata}}`;
}

/** The service's fields, by ours: its problems are shown where they belong. */
export const FIELD_OF: Readonly<Record<string, keyof Draft>> = {
  score: "score",
  game_mode: "mode",
  duration_ms: "duration",
  won: "result",
  metadata: "metadata",
};

const WHOLE = /^[+-]?\d+$/;
const TIME = /^(?:(?:(\d+):)?(\d+):)?(\d+)(?:\.(\d{1,3}))?$/;

export function checkDraft(draft: Draft, limits: Limits): Checked {
  const score = checkScore(draft.score, limits);
  const mode = checkMode(draft.mode, limits);
  const duration = checkDuration(draft.duration, limits);
  const metadata = checkMetadata(draft.metadata, limits);
  const errors: DraftErrors = {
    ...(score instanceof Wrong && { score: score.says }),
    ...(mode instanceof Wrong && { mode: mode.says }),
    ...(duration instanceof Wrong && { duration: duration.says }),
    ...(metadata instanceof Wrong && { metadata: metadata.says }),
  };
  if (
    score instanceof Wrong ||
    mode instanceof Wrong ||
    duration instanceof Wrong ||
    metadata instanceof Wrong
  ) {
    return { ok: false, errors };
  }
  return {
    ok: true,
    game: {
      score,
      game_mode: mode,
      ...(duration !== null && { duration_ms: duration }),
      ...(draft.result !== "none" && { won: draft.result === "won" }),
      ...(metadata !== null && { metadata }),
    },
  };
}

class Wrong {
  readonly says: string;

  constructor(says: string) {
    this.says = says;
  }
}

function checkMode(typed: string, limits: Limits): string | Wrong {
  const mode = typed.trim();
  return new RegExp(limits.game_mode_pattern).test(mode) ? mode : new Wrong(text.submit.modeShape);
}

function checkScore(typed: string, limits: Limits): number | Wrong {
  const digits = toAscii(typed);
  if (!WHOLE.test(digits)) return new Wrong(text.submit.whole);
  // As big integers, because a double would round what is out of range back into it.
  const value = BigInt(digits.replace("+", ""));
  if (value < BigInt(limits.min_score)) {
    return new Wrong(text.submit.least(formatNumber(limits.min_score)));
  }
  if (value > BigInt(limits.max_score)) {
    return new Wrong(text.submit.most(formatNumber(limits.max_score)));
  }
  return Number(value);
}

/** ms; null if nothing was typed. */
function checkDuration(typed: string, limits: Limits): number | null | Wrong {
  const time = toAscii(typed);
  if (time === "") return null;
  const parts = TIME.exec(time);
  if (parts === null || isOver(parts)) return new Wrong(text.submit.time);
  const [, hours = "0", minutes = "0", seconds = "0", fraction = ""] = parts;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  const ms = whole * 1_000 + Number(fraction.padEnd(3, "0"));
  if (ms <= limits.max_duration_ms) return ms;
  return new Wrong(text.submit.most(formatDuration(limits.max_duration_ms)));
}

/** 1:75 is a slip, not two minutes and a quarter; 75 alone is seconds. */
const isOver = ([, hours, minutes, seconds]: RegExpExecArray): boolean =>
  (minutes !== undefined && Number(seconds) > 59) || (hours !== undefined && Number(minutes) > 59);

function checkMetadata(typed: string, limits: Limits): string | null | Wrong {
  const metadata = typed.trim();
  if (metadata === "") return null;
  if (!isObject(metadata)) return new Wrong(text.submit.object);
  const bytes = new TextEncoder().encode(compact(metadata)).length;
  const most = limits.max_metadata_bytes;
  return bytes <= most ? metadata : new Wrong(text.submit.metadataSize(most));
}

function isObject(typed: string): boolean {
  try {
    const value: unknown = JSON.parse(typed);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The JSON as the service measures it: no spaces, no needless escapes, the numbers as they are. */
const compact = (json: string): string =>
  json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, quoted?: string) =>
    quoted === undefined ? "" : JSON.stringify(JSON.parse(quoted)),
  );
