import { useMemo } from "react";
import { useParams, useSearchParams } from "react-router";
import type { BoardRef } from "../utils/api/client";

export const DEFAULT_BOARD = "global";

/** The board and season that the address names. */
export function useBoardRef(): BoardRef {
  const { slug } = useParams();
  const [query] = useSearchParams();
  const given = Number(query.get("season") ?? Number.NaN);
  const season = Number.isSafeInteger(given) && given > 0 ? given : undefined;
  return useMemo(() => ({ board: slug ?? DEFAULT_BOARD, season }), [slug, season]);
}

/** Addresses within a board; the default board's are the short ones. */
export function boardPath({ board, season }: BoardRef): string {
  const path = board === DEFAULT_BOARD ? "/" : `/boards/${encodeURIComponent(board)}`;
  return season === undefined ? path : `${path}?season=${season}`;
}

export function playerPath({ board, season }: BoardRef, userId: number): string {
  const base = board === DEFAULT_BOARD ? "" : `/boards/${encodeURIComponent(board)}`;
  return `${base}/players/${userId}${season === undefined ? "" : `?season=${season}`}`;
}
