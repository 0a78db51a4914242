/** Boards for tests. */
import type { Entry } from "../api/types";
import type { SnapshotFrame, UpdateFrame } from "../realtime/frames";
import { applyFrame, GAP, type LiveState, NO_STATE } from "../realtime/liveState";

/** Numbers from 0 to 1, the same for the same seed (mulberry32, Tommy Ettinger). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const entryOf = (userId: number, rank: number, more: Partial<Entry> = {}): Entry => ({
  rank,
  user_id: userId,
  username: `player ${userId}`,
  total_score: 1_000 - rank,
  games_played: 1,
  win_rate: null,
  achieved_at: "2026-01-01T00:00:00Z",
  ...more,
});

export const snapshotOf = (entries: Entry[], more: Partial<SnapshotFrame> = {}): SnapshotFrame => ({
  type: "snapshot",
  seq: 10,
  epoch: "e1",
  live: true,
  board: "global",
  season: 1,
  total_players: entries.length,
  version: 100,
  entries,
  me: null,
  ...more,
});

/** What changed in the one step after the snapshot's, unless told otherwise. */
export const updateOf = (more: Partial<UpdateFrame> = {}): UpdateFrame => ({
  type: "update",
  seq: 11,
  prev: 10,
  total_players: 3,
  version: 101,
  entries: [],
  moved: [],
  left: [],
  ...more,
});

/** The state after one more frame, which must leave no gap. */
export function advance(state: LiveState, frame: Parameters<typeof applyFrame>[1]): LiveState {
  const next = applyFrame(state, frame);
  if (next === GAP) throw new Error("a gap");
  return next;
}

export const stateOf = (...entries: Entry[]): LiveState => advance(NO_STATE, snapshotOf(entries));
