/** What comes over the socket, as the README of the service describes it. */
import type { Entry } from "../api/types";

/** The player's own entry, with where that is. */
export interface OwnEntry extends Entry {
  percentile: number;
  tier: string;
}

export interface SnapshotFrame {
  type: "snapshot";
  seq: number;
  epoch: string;
  live: boolean;
  board: string;
  season: number;
  total_players: number;
  version: number;
  entries: Entry[];
  me: OwnEntry | null;
}

export interface UpdateFrame {
  type: "update";
  seq: number;
  /** What changed after this number is in here. */
  prev: number;
  total_players: number;
  version: number;
  entries: Entry[];
  /** Rows of which only the rank changed. */
  moved: [userId: number, rank: number][];
  left: number[];
}

export interface RankFrame {
  type: "rank";
  seq: number;
  rank: number | null;
  /** Places climbed; less than 0: fallen. */
  rank_change: number;
  total_players: number;
  score: number | null;
}

export interface StatusFrame {
  type: "status";
  seq: number;
  live: boolean;
}

export interface PongFrame {
  type: "pong";
  seq: number;
}

export type Frame = SnapshotFrame | UpdateFrame | RankFrame | StatusFrame | PongFrame;

const KNOWN = new Set(["snapshot", "update", "rank", "status", "pong"]);

/** A frame, or null for what is none that this app knows: a newer service may say more. */
export function parseFrame(data: unknown): Frame | null {
  if (typeof data !== "string") return null;
  try {
    const found: unknown = JSON.parse(data);
    const known =
      typeof found === "object" &&
      found !== null &&
      "type" in found &&
      typeof found.type === "string" &&
      KNOWN.has(found.type);
    return known ? (found as Frame) : null;
  } catch {
    return null;
  }
}
