import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { useLive } from "../context/liveStore";
import { type Player, useSession } from "../context/sessionStore";
import type { BoardRef } from "../utils/api/client";
import { Problem } from "../utils/api/problem";
import { aroundQuery } from "../utils/api/queries";
import type { Entry } from "../utils/api/types";
import { type Mine, placeMe } from "../utils/placeMe";
import { useIsFresh } from "./useFreshness";
import { useThrottled } from "./useThrottled";

export const NEIGHBOURS = 10;
/** Ranks move many times a second; names around them needn't be asked for as often. */
const ASK_EVERY_MS = 1_200;
const POLL_MS = 3_000;

/** The players around this device's player, and the player. Asked again when the rank moved. */
export function useNeighbours(ref: BoardRef, player: Player | null) {
  const fresh = useIsFresh();
  const moves = useThrottled(
    useLive(({ state }) => state.me?.moves ?? 0),
    ASK_EVERY_MS,
  );
  const query = useQuery({
    ...aroundQuery(ref, player?.user_id ?? 0, NEIGHBOURS),
    enabled: player !== null,
    placeholderData: keepPreviousData,
    // After a failure nothing but another attempt brings them.
    refetchInterval: ({ state: { error } }) =>
      fresh && !(error instanceof Problem && error.passing) ? false : POLL_MS,
  });
  const { refetch } = query;
  const known = player !== null;
  useEffect(() => {
    // Several parts of the page ask this: whoever comes second joins the first.
    if (known && moves > 0) void refetch({ cancelRefetch: false });
  }, [known, moves, refetch]);
  const mine = useMine();
  const entries = useMemo(() => placeMe(query.data?.entries ?? [], mine), [query.data, mine]);
  const data = query.data && { ...query.data, entries };
  return { data, error: query.error };
}

export interface MyStanding {
  player: Player;
  /** null: not ranked here; undefined: not known yet. */
  rank: number | null | undefined;
  score: number | null;
  total: number;
  /** Places climbed in the last change. */
  change: number;
  moves: number;
  entry: Entry | undefined;
}

/** Among the visible rows the row says it, so that card and row never differ. */
const rankIn = (row: Entry | undefined) =>
  row === undefined ? {} : { rank: row.rank, score: row.total_score };

/** My own rank as it was pushed, for lists that are older; null while nothing was pushed. */
export function useMine(): Mine | null {
  const userId = useSession(({ player }) => player?.user_id);
  const fresh = useIsFresh();
  const row = useLive(({ state }) => state.entries.get(userId ?? -1));
  const me = useLive(({ state }) => state.me);
  const { rank = null, score = null } = { ...me, ...rankIn(row) };
  return useMemo(
    () => (fresh && userId !== undefined && rank !== null ? { userId, rank, score } : null),
    [fresh, userId, rank, score],
  );
}

/** Where this device's player stands: the socket's word, else the last answer. */
export function useMe(ref: BoardRef): MyStanding | null {
  const player = useSession((session) => session.player);
  const me = useLive(({ state }) => state.me);
  const total = useLive(({ state }) => state.totalPlayers);
  const top = useLive(({ state }) => state.entries.get(player?.user_id ?? -1));
  const fresh = useIsFresh();
  const { data, error } = useNeighbours(ref, player);
  if (player === null) return null;
  const listed = data?.entries.find((each) => each.user_id === player.user_id);
  const entry = top ?? listed;
  const heard = fresh && me !== null ? { ...me, ...rankIn(top) } : null;
  const unranked = error instanceof Problem && error.code === "not-ranked";
  return {
    player: { user_id: player.user_id, username: entry?.username ?? player.username },
    rank: heard ? heard.rank : (listed?.rank ?? (unranked ? null : undefined)),
    score: heard?.score ?? entry?.total_score ?? null,
    total: fresh ? total : (data?.total_players ?? total),
    change: me?.change ?? 0,
    moves: me?.moves ?? 0,
    entry,
  };
}
