/** The calls to the service. All of them throw a Problem. */
import axios from "axios";
import { toProblem } from "./problem";
import type {
  Board,
  EntryList,
  History,
  HistoryRange,
  RankAnswer,
  ScoreSubmission,
  SeasonList,
  SessionList,
  SubmissionResult,
  TierTable,
  UserProfile,
} from "./types";

/** A board in one of its seasons; without a season the current one. */
export interface BoardRef {
  board: string;
  season?: number | undefined;
}

const http = axios.create({ baseURL: "/api", timeout: 10_000 });

http.interceptors.response.use(undefined, (error: unknown) => {
  throw toProblem(error);
});

async function get<T>(path: string, params: object = {}, signal?: AbortSignal): Promise<T> {
  const answer = await http.get<T>(path, { params, ...(signal && { signal }) });
  return answer.data;
}

async function post<T>(path: string, body: object, headers: object = {}): Promise<T> {
  const answer = await http.post<T>(path, body, { headers: { ...headers } });
  return answer.data;
}

export const fetchBoards = async (signal?: AbortSignal): Promise<Board[]> =>
  (await get<{ boards: Board[] }>("/boards", {}, signal)).boards;

export const fetchSeasons = (board: string, signal?: AbortSignal): Promise<SeasonList> =>
  get(`/boards/${encodeURIComponent(board)}/seasons`, {}, signal);

export const fetchTop = (
  ref: BoardRef,
  offset: number,
  limit: number,
  signal?: AbortSignal,
): Promise<EntryList> => get("/leaderboard/top", { ...ref, offset, limit }, signal);

export const fetchAround = (
  ref: BoardRef,
  userId: number,
  radius: number,
  signal?: AbortSignal,
): Promise<EntryList> => get(`/leaderboard/around/${userId}`, { ...ref, radius }, signal);

export const fetchRank = (
  ref: BoardRef,
  userId: number,
  signal?: AbortSignal,
): Promise<RankAnswer> => get(`/leaderboard/rank/${userId}`, ref, signal);

export const fetchTiers = (ref: BoardRef, signal?: AbortSignal): Promise<TierTable> =>
  get("/leaderboard/tiers", ref, signal);

export const fetchUser = (userId: number, signal?: AbortSignal): Promise<UserProfile> =>
  get(`/users/${userId}`, {}, signal);

export const fetchSessions = (
  userId: number,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<SessionList> =>
  get(`/users/${userId}/sessions`, { limit: 20, ...(cursor !== null && { cursor }) }, signal);

export const fetchHistory = (
  ref: BoardRef,
  userId: number,
  range: HistoryRange,
  signal?: AbortSignal,
): Promise<History> => get(`/users/${userId}/history`, { ...ref, range, points: 160 }, signal);

export const suggestUsers = async (prefix: string, signal?: AbortSignal): Promise<UserProfile[]> =>
  (await get<{ users: UserProfile[] }>("/users", { prefix, limit: 8 }, signal)).users;

export const createUser = (username: string): Promise<UserProfile> => post("/users", { username });

/** Sent again with the same key, the score counts once. */
export const submitScore = (body: ScoreSubmission, key: string): Promise<SubmissionResult> =>
  post("/leaderboard/submit", body, { "Idempotency-Key": key });
