import type { components } from "../src/utils/api/schema";

type Schemas = components["schemas"];
type Optional = "game_mode" | "duration_ms" | "metadata" | "won" | "played_at";
type Submission = Pick<Schemas["ScoreSubmission"], "user_id" | "score"> &
  Partial<Pick<Schemas["ScoreSubmission"], Optional>>;

/** What a game server would do, over plain HTTP. Every answer that is no success throws. */
export class Api {
  readonly #base: () => string;
  readonly #key: string | undefined;

  constructor(base: () => string, key?: string) {
    this.#base = base;
    this.#key = key;
  }

  /** The id of a new player. */
  async createUser(username: string): Promise<number> {
    const made = await this.#ask<Schemas["UserProfile"]>("/api/users", { username });
    return made.user_id;
  }

  submit(
    user_id: number,
    score: number,
    more: Partial<Submission> = {},
  ): Promise<Schemas["SubmissionResult"]> {
    return this.#ask("/api/leaderboard/submit", { user_id, score, ...more });
  }

  submitBatch(submissions: Submission[]): Promise<Schemas["BatchResult"]> {
    return this.#ask("/api/leaderboard/submit/batch", { submissions });
  }

  top(limit = 100, offset = 0): Promise<Schemas["EntryList"]> {
    return this.#ask(`/api/leaderboard/top?limit=${limit}&offset=${offset}`);
  }

  rank(userId: number): Promise<Schemas["RankAnswer"]> {
    return this.#ask(`/api/leaderboard/rank/${userId}`);
  }

  /** Whether the worker that answers says that all parts are well. */
  async isWell(): Promise<boolean> {
    const health = await this.#ask<Schemas["Health"]>("/api/leaderboard/health").catch(() => null);
    return health?.status === "ok";
  }

  async #ask<T>(path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.#base()}${path}`, {
      // A connection each, so that all workers take their turn.
      headers: {
        connection: "close",
        ...(this.#key && { authorization: `Bearer ${this.#key}` }),
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}: ${text}`);
    return JSON.parse(text);
  }
}
