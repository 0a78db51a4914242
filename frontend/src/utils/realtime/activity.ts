/** What happened on the board, told from two states of it: few things, the telling ones first. */

import type { LiveState } from "./liveState";
import { findPasses, type Neighbour, type Passes } from "./passes";

export type Happening =
  | { kind: "leader"; userId: number; username: string }
  | { kind: "entered"; userId: number; username: string; rank: number }
  | { kind: "rose"; userId: number; username: string; rank: number; places: number };

/** Places within which coming and climbing is news for everybody. */
const NEWS_PLACES = 10;

/** The most telling thing between two states of one board, if there is any. */
export function findHappening(before: LiveState, after: LiveState): Happening | null {
  if (before.order === after.order || before.order.length === 0) return null;
  const found: Happening[] = [];
  for (const userId of after.order.slice(0, NEWS_PLACES)) {
    const entry = after.entries.get(userId);
    const old = before.entries.get(userId);
    if (entry === undefined) continue;
    const { username, rank } = entry;
    const places = (old?.rank ?? Number.POSITIVE_INFINITY) - rank;
    if (places <= 0) continue;
    if (rank === 1) return { kind: "leader", userId, username };
    if (old === undefined || old.rank > NEWS_PLACES) {
      found.push({ kind: "entered", userId, username, rank });
    } else {
      found.push({ kind: "rose", userId, username, rank, places });
    }
  }
  // Who pushes others down is news; who was carried up by somebody's fall is not.
  return found.find((each) => scored(before, after, each.userId)) ?? null;
}

function scored(before: LiveState, after: LiveState, userId: number): boolean {
  return before.entries.get(userId)?.total_score !== after.entries.get(userId)?.total_score;
}

/** Passes that the visible top alone can tell: both looks must have the player in them. */
export function findVisiblePasses(before: LiveState, after: LiveState, myId: number): Passes {
  return findPasses(listNeighbours(before), listNeighbours(after), myId);
}

const listNeighbours = (state: LiveState): Neighbour[] =>
  state.order.flatMap((userId) => state.entries.get(userId) ?? []);
