import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import type { PropsWithChildren } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SubmissionResult } from "../utils/api/types";
import type { Game } from "../utils/submission";
import { ok, serve } from "../utils/testing/service";

const { deliver, useSubmitScore } = await import("./useSubmitScore");
const { isSafe, useOutbox } = await import("../context/outboxStore");

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
/** How many scores were left to the outbox. */
let left: number;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  results = [];
  left = 0;
  localStorage.clear();
  useOutbox.setState({ waiting: [] });
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
  const on = {
    counted: (result: SubmissionResult) => {
      results.push(result);
    },
    waits: () => {
      left += 1;
    },
  };
  const hook = renderHook(() => useSubmitScore(on), { wrapper });
  return {
    client,
    hook: hook.result,
    send: (game: Game) =>
      act(async () => {
        hook.result.current.send({ userId: 7, game });
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

const waiting = () => useOutbox.getState().waiting;

test("without any answer a score waits with its key, outlives the page, and counts once", async () => {
  answer();
  const { client, send } = start();
  await send(first);
  expect(asked).toHaveLength(4);
  expect(left).toBe(1);
  // What is kept is what a page that is opened later finds.
  const kept = JSON.parse(localStorage.getItem("leaderboard.outbox") ?? "[]");
  expect(kept).toMatchObject([{ key: keys()[0], userId: 7, score: 100 }]);
  answer(ok(counted));
  await deliver(kept[0], client);
  expect(asked).toHaveLength(5);
  expect(new Set(keys()).size).toBe(1);
  expect(waiting()).toEqual([]);
  expect(localStorage.getItem("leaderboard.outbox")).toBe("[]");
});

test("a score is kept before it is sent", async () => {
  const seen: number[] = [];
  serve(() => {
    seen.push(JSON.parse(localStorage.getItem("leaderboard.outbox") ?? "[]").length);
    return ok(counted);
  });
  await start().send(first);
  expect(seen).toEqual([1]);
  expect(waiting()).toEqual([]);
});

test("the same score again, while the first waits, is another one", async () => {
  answer();
  const { send } = start();
  await send(first);
  await send(second);
  await send(first);
  expect(waiting().map(({ score }) => score)).toEqual([100, 250, 100]);
  expect(new Set(waiting().map(({ key }) => key)).size).toBe(3);
});

test("what another tab keeps is not lost", async () => {
  answer();
  const { send } = start();
  const other = { key: "k", userId: 8, score: 5, body: "{}", at: 1 };
  localStorage.setItem("leaderboard.outbox", JSON.stringify([other]));
  await send(first);
  expect(waiting()).toMatchObject([other, { score: 100 }]);
});

test("a score that has waited for a day may have counted, and is not sent by itself", async () => {
  answer();
  await start().send(first);
  const [each] = waiting();
  if (each === undefined) throw new Error("nothing waits");
  expect(isSafe(each, each.at + 22 * 3_600_000)).toBe(true);
  expect(isSafe(each, each.at + 24 * 3_600_000)).toBe(false);
});

test("who may not send a score is told, and nothing waits", async () => {
  answer({ status: 403, data: { code: "forbidden", detail: "No." } });
  const { hook, send } = start();
  await send(first);
  expect(hook.current.error).toMatchObject({ status: 403 });
  expect([waiting(), left]).toEqual([[], 0]);
});

test("a refusal is final", async () => {
  answer(refused);
  const { hook, send } = start();
  await send(first);
  expect(asked).toHaveLength(1);
  expect(hook.current.error).toMatchObject({ status: 422, code: "invalid-input" });
  expect(results).toEqual([]);
  expect(waiting()).toEqual([]);
});
