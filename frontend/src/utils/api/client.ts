/** The calls to the service. All of them throw a Problem. */
import axios, { type AxiosRequestConfig } from "axios";
import { noteServerTime } from "../serverClock";
import { freshToken, renewToken } from "./credential";
import { Problem, toProblem } from "./problem";
import type {
  AuthState,
  Board,
  EntryList,
  FoundUser,
  GuestAnswer,
  History,
  HistoryRange,
  RankAnswer,
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

/** One request, in whose name it says. */
async function send<T>(config: AxiosRequestConfig, token: string | null): Promise<T> {
  const who = token === null ? {} : { Authorization: `Bearer ${token}` };
  const sentAt = Date.now();
  try {
    const answer = await http.request<T>({ ...config, headers: { ...config.headers, ...who } });
    noteServerTime(answer.headers["date"], sentAt, Date.now());
    return answer.data;
  } catch (error) {
    throw toProblem(error);
  }
}

/**
 * A request in the player's name. If the token is refused, once more with a new one; and what can't
 * be had at all in the player's name may still be there for everybody to read.
 */
async function ask<T>(config: AxiosRequestConfig): Promise<T> {
  const token = await freshToken();
  try {
    return await send<T>(config, token);
  } catch (error) {
    const refused = token !== null && error instanceof Problem && error.status === 401;
    if (!refused) throw error;
    const renewed = await renewToken();
    if (renewed === null && config.method !== undefined) throw error;
    return send<T>(config, renewed);
  }
}

const get = <T>(path: string, params: object = {}, signal?: AbortSignal): Promise<T> =>
  ask({ url: path, params, ...(signal && { signal }) });

const post = <T>(
  path: string,
  body: object | string,
  headers: Record<string, string> = {},
): Promise<T> => ask({ url: path, method: "POST", data: body, headers });

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

export const suggestUsers = async (prefix: string, signal?: AbortSignal): Promise<FoundUser[]> =>
  (await get<{ users: FoundUser[] }>("/users", { search: prefix, limit: 8 }, signal)).users;

export const fetchAuth = (signal?: AbortSignal): Promise<AuthState> => get("/auth", {}, signal);

/** A new player who can prove it: the secret is told this once. */
export const joinAsGuest = (username: string): Promise<GuestAnswer> => signIn({ username });

/** A new token for a guest. */
export const renewGuest = (userId: number, secret: string): Promise<GuestAnswer> =>
  signIn({ user_id: userId, guest_secret: secret });

/** In nobody's name: a token that has run out would be refused. */
const signIn = (data: object): Promise<GuestAnswer> =>
  send({ url: "/auth/guest", method: "POST", data }, null);

export const createUser = (username: string): Promise<UserProfile> => post("/users", { username });

/** Sent again with the same key, the score counts once. */
/** `body`: a submission as JSON, sent as it is. */
export const submitScore = (body: string, key: string): Promise<SubmissionResult> =>
  post("/leaderboard/submit", body, {
    "Idempotency-Key": key,
    "Content-Type": "application/json",
  });
