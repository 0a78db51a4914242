import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import type { PropsWithChildren } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SubmissionResult } from "../utils/api/types";
import type { Game } from "../utils/submission";
import { ok, serve } from "../utils/testing/service";

const { useSubmitScore } = await import("./useSubmitScore");

const first: Game = { score: 100, game_mode: "ranked" };
const second: Game = { ...first, score: 250 };
const counted: SubmissionResult = {
  session_id: 5,
  new_rank: 3,
  rank_change: 2,
  total_players: 40,
  replayed: false,
  message: "Counted.",
  boards: {},
};
const refused = { status: 422, data: { code: "invalid-input", detail: "No." } };

/** The scores that were asked for, with their keys. */
let asked: [score: number, key: string][];
let results: SubmissionResult[];

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  results = [];
});

afterEach(() => vi.useRealTimers());

function answer(...answers: ReturnType<Parameters<typeof serve>[0]>[]): void {
  serve(({ path, body, headers }) => {
    expect(path).toBe("/leaderboard/submit");
    asked.push([(body as Game).score, `${headers.get("Idempotency-Key")}`]);
    return answers.shift() ?? "none";
  });
}

function start() {
  const client = new QueryClient();
  const wrapper = ({ children }: PropsWithChildren) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const hook = renderHook(() => useSubmitScore((result) => results.push(result)), { wrapper });
  return {
    hook: hook.result,
    send: (game: Game) =>
      act(async () => {
        hook.result.current.mutate({ userId: 7, game });
        await vi.advanceTimersByTimeAsync(30_000);
      }),
  };
}

const keys = () => asked.map(([, key]) => key);

test("lost answers are asked for again with the same key", async () => {
  answer("none", { status: 503, data: "" }, ok(counted));
  const { send } = start();
  await send(first);
  expect(keys()).toEqual([keys()[0], keys()[0], keys()[0]]);
  expect(keys()[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(results).toEqual([counted]);
});

test("a score that was counted is done: the same again is another one", async () => {
  answer(ok(counted), ok(counted));
  const { send } = start();
  await send(first);
  await send(first);
  expect(new Set(keys()).size).toBe(2);
  expect(results).toHaveLength(2);
});

test("without any answer it gives up, and what is sent by hand is still the same submission", async () => {
  answer();
  const { hook, send } = start();
  await send(first);
  expect(asked).toHaveLength(4);
  expect(hook.current.error).toMatchObject({ status: 0 });
  answer(ok(counted));
  await send(first);
  expect(asked).toHaveLength(5);
  expect(new Set(keys()).size).toBe(1);
  expect(results).toEqual([counted]);
});

test("another score in between has its own key, and the first keeps its", async () => {
  answer();
  const { send } = start();
  await send(first);
  await send(second);
  await send(first);
  expect(new Set(asked.map(String)).size).toBe(2);
  answer(ok(counted), ok(counted));
  await send(second);
  await send(first);
  expect(new Set(asked.map(String)).size).toBe(2);
  expect(results).toHaveLength(2);
});

test("a refusal is final", async () => {
  answer(refused);
  const { hook, send } = start();
  await send(first);
  expect(asked).toHaveLength(1);
  expect(hook.current.error).toMatchObject({ status: 422, code: "invalid-input" });
  expect(results).toEqual([]);
});
