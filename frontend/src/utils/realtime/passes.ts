/** Who passed whom, told from two looks at the neighbourhood of a player. */

export interface Neighbour {
  user_id: number;
  username: string;
  rank: number;
}

export interface Passes {
  /** Stood below before and stand above now, nearest first. */
  passedMe: readonly Neighbour[];
  /** Stood above before and stand below now, nearest first. */
  passedByMe: readonly Neighbour[];
}

const NOBODY: Passes = { passedMe: [], passedByMe: [] };

/** Only players who are in both looks count: about others nothing is known. */
export function findPasses(
  before: readonly Neighbour[],
  after: readonly Neighbour[],
  myId: number,
): Passes {
  const was = before.find((each) => each.user_id === myId);
  const is = after.find((each) => each.user_id === myId);
  if (was === undefined || is === undefined) return NOBODY;
  const stood = new Map(before.map((each) => [each.user_id, each.rank]));
  const passedMe = after.filter(({ user_id: id, rank }) => {
    const old = stood.get(id);
    return old !== undefined && old > was.rank && rank < is.rank;
  });
  const passedByMe = after.filter(({ user_id: id, rank }) => {
    const old = stood.get(id);
    return old !== undefined && old < was.rank && rank > is.rank;
  });
  return { passedMe: passedMe.reverse(), passedByMe };
}
