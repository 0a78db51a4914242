/** One rank of a player on the whole page: the pushed one, also in lists that are a moment older. */
import type { Entry } from "./api/types";

export interface Mine {
  userId: number;
  rank: number;
  score: number | null;
}

/** An entry's rank once one player has moved from `old` to `now`, and nobody else. */
function shifted(rank: number, old: number, now: number): number {
  if (now < old) return rank >= now && rank < old ? rank + 1 : rank;
  return rank > old && rank <= now ? rank - 1 : rank;
}

const at = (entry: Entry, rank: number): Entry =>
  entry.rank === rank ? entry : { ...entry, rank };

/** The list with me where I am by now. Others stand as if I alone had moved. */
export function placeMe(entries: readonly Entry[], mine: Mine | null): readonly Entry[] {
  const listed = entries.find((each) => each.user_id === mine?.userId);
  if (mine === null || listed === undefined || listed.rank === mine.rank) return entries;
  const score = mine.score ?? listed.total_score;
  return entries
    .map((each) =>
      each === listed
        ? { ...each, rank: mine.rank, total_score: score }
        : at(each, shifted(each.rank, listed.rank, mine.rank)),
    )
    .sort((a, b) => a.rank - b.rank);
}

/**
 * The same for rows that are looked up one by one.
 *
 * @param listed the row of a rank, as it was answered
 * @param me my own entry as it was answered, if it is known
 */
export function rowAt(
  rank: number,
  listed: (rank: number) => Entry | undefined,
  me: Entry | undefined,
  mine: Mine,
): Entry | undefined {
  if (me === undefined || me.rank === mine.rank) return listed(rank);
  if (rank === mine.rank) return placeMe([me], mine)[0];
  const now = mine.rank < me.rank;
  const moved = now ? rank > mine.rank && rank <= me.rank : rank >= me.rank && rank < mine.rank;
  const found = listed(moved ? rank + (now ? -1 : 1) : rank);
  return found && at(found, rank);
}
