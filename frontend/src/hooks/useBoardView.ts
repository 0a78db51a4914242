/** What the reader sees of a board, kept in the address: Back, a reload and a link bring it back. */
import { useCallback } from "react";
import { useNavigate, useSearchParams } from "react-router";
import type { BoardRef } from "../utils/api/client";
import { type Filter, isFilter } from "../utils/filters";
import { playerPath } from "./useBoardRef";

const VIEW = "view";
const RANK = "rank";

export function useFilter(): [Filter, (filter: Filter) => void] {
  const [query, setQuery] = useSearchParams();
  const view = query.get(VIEW);
  const filter = isFilter(view) ? view : "all";
  const choose = (next: Filter) =>
    setQuery(
      (old) => {
        old.delete(RANK);
        if (next === "all") old.delete(VIEW);
        else old.set(VIEW, next);
        return old;
      },
      { replace: true },
    );
  return [filter, choose];
}

/** The rank at the top of the rows, as the address has it; null: the first. */
export function readTopRank(): number | null {
  const rank = Number(new URLSearchParams(location.search).get(RANK));
  return Number.isSafeInteger(rank) && rank > 0 ? rank : null;
}

/** Writes it there. Past the router, because nothing on the page depends on it. */
export function writeTopRank(rank: number | null): void {
  if (rank === readTopRank()) return;
  const query = new URLSearchParams(location.search);
  if (rank === null) query.delete(RANK);
  else query.set(RANK, `${rank}`);
  const search = query.size === 0 ? "" : `?${query}`;
  history.replaceState(history.state, "", `${location.pathname}${search}`);
}

/** What a player's page knows of the board that it was opened from: its address. */
export interface FromBoard {
  board?: string;
}

/** A click anywhere on a row, or a stand, opens its player. Give it to what holds the rows. */
export function useOpenPlayer(ref: BoardRef) {
  const navigate = useNavigate();
  return useCallback(
    (event: React.MouseEvent) => {
      const row = (event.target as Element).closest("[data-player]");
      const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey);
      // Who marks a name with the mouse wants to copy it.
      const marks = getSelection()?.isCollapsed === false;
      if (row === null || !plain || event.altKey || event.defaultPrevented || marks) return;
      event.preventDefault();
      const state: FromBoard = { board: `${location.pathname}${location.search}` };
      const player = Number(row.getAttribute("data-player"));
      void navigate(playerPath(ref, player), { state });
    },
    [navigate, ref],
  );
}
