import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { BoardRef } from "../utils/api/client";
import { PAGE, pageQuery } from "../utils/api/queries";
import type { Entry, EntryList } from "../utils/api/types";
import { type Mine, rowAt } from "../utils/placeMe";
import type { LiveState } from "../utils/realtime/liveState";

/** Rows that are on screen and not in the live top are asked for again so often. */
const REFRESH_MS = 2_500;

export interface Rows {
  /** All there are, loaded or not. */
  count: number;
  /** Row from 0; undefined while it is on its way. */
  at: (index: number) => Entry | undefined;
  error: Error | null;
  retry: () => void;
}

interface Wanted {
  ref: BoardRef;
  /** What the socket said. */
  live: LiveState;
  /** Whether the socket's word is the newest there is; if not, all is asked for. */
  fresh: boolean;
  /** At most so many rows. */
  most: number;
  /** Rows on screen, from 0, both included. */
  range: { first: number; last: number };
  /** Leave the rows as they are. */
  held: boolean;
  mine?: Mine | null;
}

/** A board's rows: the live top from the socket, all others page by page. */
export function useRows({ ref, live, fresh, most, range, held, mine = null }: Wanted): Rows {
  const fromSocket = fresh ? live.order.length : 0;
  const started = live.seq >= 0 || !fresh;
  // Without a socket the answers say how many there are, and the first one is asked on trust.
  const told = useRef(1);
  const known = Math.max(live.totalPlayers, told.current);
  const pages = started ? pagesIn(range, fromSocket, Math.min(most, known)) : [];
  const answers = useQueries({
    queries: pages.map((page) => ({
      ...pageQuery(ref, page),
      placeholderData: keepPreviousData as never,
      // What failed stays told until somebody asks again, or the socket brings the rows.
      refetchInterval: ({ state }: { state: { data: unknown } }) =>
        held || state.data === undefined ? (false as const) : REFRESH_MS,
    })),
    combine: (results) => ({
      lists: new Map(results.map((each, at) => [pages[at], each.data as EntryList | undefined])),
      error: results.find((each) => each.error !== null && each.data === undefined)?.error ?? null,
      retry: () => {
        for (const each of results) void each.refetch();
      },
    }),
  });
  const asked = [...answers.lists.values()].find((list) => list !== undefined)?.total_players;
  useEffect(() => {
    told.current = asked ?? told.current;
  }, [asked]);
  const total = fresh ? live.totalPlayers : (asked ?? live.totalPlayers);
  const listedAt = (index: number) =>
    answers.lists.get(Math.floor(index / PAGE))?.entries[index % PAGE];
  const me = held ? undefined : findIn(answers.lists, mine);
  return {
    count: Math.min(most, total),
    at: (index) => {
      const top = live.entries.get(live.order[index] ?? -1);
      if (index < fromSocket) return top;
      const listed =
        me === undefined || mine === null
          ? listedAt(index)
          : rowAt(index + 1, (rank) => listedAt(rank - 1), me, mine);
      // A page may be a moment older than the top: nobody stands in two places.
      if (listed !== undefined && fresh && live.entries.has(listed.user_id)) return undefined;
      return listed ?? top;
    },
    error: answers.error,
    retry: answers.retry,
  };
}

function findIn(
  lists: ReadonlyMap<number | undefined, EntryList | undefined>,
  mine: Mine | null,
): Entry | undefined {
  if (mine === null) return undefined;
  for (const list of lists.values()) {
    const found = list?.entries.find((each) => each.user_id === mine.userId);
    if (found !== undefined) return found;
  }
  return undefined;
}

function pagesIn({ first, last }: Wanted["range"], from: number, count: number): number[] {
  const start = Math.max(first, from);
  // Before it is known how many rows there are, the first ones are wanted.
  const end = Math.min(Math.max(last, 0), count - 1);
  if (end < start) return [];
  const firstPage = Math.floor(start / PAGE);
  const lastPage = Math.floor(end / PAGE);
  return Array.from({ length: lastPage - firstPage + 1 }, (_, at) => firstPage + at);
}
