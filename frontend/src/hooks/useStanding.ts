import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { BoardRef } from "../utils/api/client";
import { Problem } from "../utils/api/problem";
import { aroundQuery, rankQuery } from "../utils/api/queries";
import type { Entry, RankAnswer } from "../utils/api/types";
import { type Mine, placeMe } from "../utils/placeMe";
import { useMine } from "./useMe";

const REFRESH_MS = 5_000;
const NEIGHBOURS = 3;

export interface Standing {
  rank: RankAnswer | undefined;
  /** The player's row with the nearest ones; empty while unranked. */
  around: readonly Entry[];
  unranked: boolean;
}

/** Where any player stands, kept fresh while it is on screen; one's own rank is pushed anyway. */
export function useStanding(ref: BoardRef, userId: number): Standing {
  const refresh = { refetchInterval: REFRESH_MS, placeholderData: keepPreviousData };
  const { data, error } = useQuery({ ...rankQuery(ref, userId), ...refresh });
  const { data: list } = useQuery({ ...aroundQuery(ref, userId, NEIGHBOURS), ...refresh });
  const mine = useMine();
  const pushed = mine?.userId === userId ? mine : null;
  const unranked = error instanceof Problem && error.code === "not-ranked";
  return {
    rank: data === undefined || unranked ? undefined : withMine(data, pushed),
    around: unranked ? [] : placeMe(list?.entries ?? [], mine),
    unranked,
  };
}

const withMine = (answer: RankAnswer, mine: Mine | null): RankAnswer =>
  mine === null ? answer : { ...answer, rank: mine.rank, score: mine.score ?? answer.score };
