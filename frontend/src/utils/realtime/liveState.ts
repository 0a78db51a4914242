/**
 * What a watcher knows of a board, and how a frame changes it. Pure: the same frames in the same
 * order end in the same state, and what a frame doesn't touch keeps its identity.
 */
import type { Entry } from "../api/types";
import type { Frame, RankFrame, SnapshotFrame, UpdateFrame } from "./frames";

export interface LiveState {
  /** Which build of the server's index the numbers belong to; with `seq` enough to resume. */
  epoch: string;
  /** The newest change that is in `entries`; -1 before the first snapshot. */
  seq: number;
  /** Whether updates flow. If not, a snapshot follows. */
  live: boolean;
  board: string;
  season: number;
  totalPlayers: number;
  version: number;
  /** The visible top, by player. */
  entries: ReadonlyMap<number, Entry>;
  /** The players of the visible top, best first. */
  order: readonly number[];
  me: Me | null;
}

/** The connected player's own standing. `rank` is null while there is none. */
export interface Me {
  rank: number | null;
  score: number | null;
  /** Places climbed in the last change. */
  change: number;
  /** Counts the changes, so that two alike are told apart. */
  moves: number;
}

export const NO_STATE: LiveState = {
  epoch: "",
  seq: -1,
  live: false,
  board: "",
  season: 0,
  totalPlayers: 0,
  version: 0,
  entries: new Map(),
  order: [],
  me: null,
};

/** A change was missed: what is known can't be brought up to date, so connect anew. */
export const GAP = Symbol("gap");

export function applyFrame(state: LiveState, frame: Frame): LiveState | typeof GAP {
  switch (frame.type) {
    case "snapshot":
      return applySnapshot(state, frame);
    case "update":
      return applyUpdate(state, frame);
    case "rank":
      return applyRank(state, frame);
    case "status":
      return state.live === frame.live ? state : { ...state, live: frame.live };
    case "pong":
      return state;
  }
}

function applySnapshot(state: LiveState, frame: SnapshotFrame): LiveState {
  const entries = new Map(
    frame.entries.map((entry) => [entry.user_id, reuse(state.entries.get(entry.user_id), entry)]),
  );
  return {
    epoch: frame.epoch,
    seq: frame.seq,
    live: frame.live,
    board: frame.board,
    season: frame.season,
    totalPlayers: frame.total_players,
    version: frame.version,
    entries,
    order: sortByRank(entries),
    me: move(state.me, frame.me?.rank ?? null, frame.me?.total_score ?? null, 0),
  };
}

function applyUpdate(state: LiveState, frame: UpdateFrame): LiveState | typeof GAP {
  // Older than the snapshot that it crossed on its way, or nothing was missed: still, updates flow.
  if (frame.seq <= state.seq) return state.live ? state : { ...state, live: true };
  if (frame.prev > state.seq) return GAP;
  const entries = new Map(state.entries);
  for (const userId of frame.left) entries.delete(userId);
  for (const [userId, rank] of frame.moved) {
    const entry = entries.get(userId);
    if (entry !== undefined && entry.rank !== rank) entries.set(userId, { ...entry, rank });
  }
  for (const entry of frame.entries) {
    entries.set(entry.user_id, reuse(state.entries.get(entry.user_id), entry));
  }
  const touched = frame.left.length + frame.moved.length + frame.entries.length > 0;
  return {
    ...state,
    seq: frame.seq,
    live: true,
    totalPlayers: frame.total_players,
    version: frame.version,
    entries: touched ? entries : state.entries,
    order: touched ? sortByRank(entries) : state.order,
  };
}

/** Own ranks come between updates. They don't move `seq`, or they would hide a gap. */
function applyRank(state: LiveState, frame: RankFrame): LiveState {
  const me = move(state.me, frame.rank, frame.score, frame.rank_change);
  if (me === state.me && state.totalPlayers === frame.total_players) return state;
  return { ...state, me, totalPlayers: frame.total_players };
}

function move(me: Me | null, rank: number | null, score: number | null, change: number): Me {
  if (me !== null && me.rank === rank && me.score === score) return me;
  return { rank, score, change, moves: (me?.moves ?? 0) + 1 };
}

/** The entry that is known already if nothing in it changed, so that its row isn't drawn again. */
function reuse(known: Entry | undefined, entry: Entry): Entry {
  const same =
    known !== undefined &&
    known.rank === entry.rank &&
    known.total_score === entry.total_score &&
    known.games_played === entry.games_played &&
    known.username === entry.username &&
    known.win_rate === entry.win_rate &&
    known.achieved_at === entry.achieved_at;
  return same ? known : entry;
}

function sortByRank(entries: ReadonlyMap<number, Entry>): number[] {
  return [...entries.values()]
    .sort((a, b) => a.rank - b.rank || a.user_id - b.user_id)
    .map((entry) => entry.user_id);
}
