/** What is asked of the service, how long an answer is good, and under which key it is kept. */
import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import type { BoardRef } from "./client";
import * as api from "./client";
import { Problem } from "./problem";
import type { HistoryRange } from "./types";

export const PAGE = 50;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      // Whether there is a network is a guess of the browser's: the service may be on this machine.
      mutations: { networkMode: "always" },
      queries: {
        networkMode: "always",
        staleTime: 5_000,
        gcTime: 60_000,
        retry: (failures, error) => failures < 3 && error instanceof Problem && error.passing,
        retryDelay: (attempt) => Math.min(8_000, 400 * 2 ** attempt),
      },
    },
  });
}

const keyOf = ({ board, season }: BoardRef) => [board, season ?? "now"] as const;

export const boardsQuery = queryOptions({
  queryKey: ["boards"],
  queryFn: ({ signal }) => api.fetchBoards(signal),
  staleTime: 60_000,
});

/** Whether the service asks who one is. */
export const authQuery = queryOptions({
  queryKey: ["auth"],
  queryFn: ({ signal }) => api.fetchAuth(signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export const seasonsQuery = (board: string) =>
  queryOptions({
    queryKey: ["seasons", board],
    queryFn: ({ signal }) => api.fetchSeasons(board, signal),
    staleTime: 60_000,
  });

/** Rows `page * PAGE` to `(page + 1) * PAGE - 1`, from 0. */
export const pageQuery = (ref: BoardRef, page: number) =>
  queryOptions({
    queryKey: ["page", ...keyOf(ref), page],
    queryFn: ({ signal }) => api.fetchTop(ref, page * PAGE, PAGE, signal),
    staleTime: 2_000,
  });

export const aroundQuery = (ref: BoardRef, userId: number, radius: number) =>
  queryOptions({
    queryKey: ["around", ...keyOf(ref), userId, radius],
    queryFn: ({ signal }) => api.fetchAround(ref, userId, radius, signal),
    staleTime: 1_000,
  });

export const rankQuery = (ref: BoardRef, userId: number) =>
  queryOptions({
    queryKey: ["rank", ...keyOf(ref), userId],
    queryFn: ({ signal }) => api.fetchRank(ref, userId, signal),
    staleTime: 1_000,
  });

export const tiersQuery = (ref: BoardRef) =>
  queryOptions({
    queryKey: ["tiers", ...keyOf(ref)],
    queryFn: ({ signal }) => api.fetchTiers(ref, signal),
    refetchInterval: 10_000,
  });

export const userQuery = (userId: number) =>
  queryOptions({
    queryKey: ["user", userId],
    queryFn: ({ signal }) => api.fetchUser(userId, signal),
    staleTime: 30_000,
  });

export const historyQuery = (ref: BoardRef, userId: number, range: HistoryRange) =>
  queryOptions({
    queryKey: ["history", ...keyOf(ref), userId, range],
    queryFn: ({ signal }) => api.fetchHistory(ref, userId, range, signal),
    staleTime: 10_000,
  });

export const sessionsQuery = (userId: number) =>
  infiniteQueryOptions({
    queryKey: ["sessions", userId],
    queryFn: ({ pageParam, signal }) => api.fetchSessions(userId, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next_cursor }) => next_cursor,
    staleTime: 10_000,
  });

export const suggestionsQuery = (prefix: string) =>
  queryOptions({
    queryKey: ["suggestions", prefix],
    queryFn: ({ signal }) => api.suggestUsers(prefix, signal),
    staleTime: 10_000,
  });
