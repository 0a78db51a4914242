import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import type { PropsWithChildren } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Entry } from "../utils/api/types";
import { NO_STATE } from "../utils/realtime/liveState";
import { advance, entryOf, snapshotOf, stateOf } from "../utils/testing/board";
import { ok, serve } from "../utils/testing/service";

const { useRows } = await import("./useRows");

const TOTAL = 120;
const BOARD = Array.from({ length: TOTAL }, (_, at) => entryOf(at + 1, at + 1));
const live = advance(NO_STATE, snapshotOf(BOARD.slice(0, 10), { total_players: TOTAL }));

/** Where the pages that were asked for begin. */
let asked: unknown[];

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  answerWith(BOARD);
});

afterEach(() => vi.useRealTimers());

function answerWith(board: readonly Entry[]): void {
  serve(({ params }) => {
    asked.push(params["offset"]);
    const from = Number(params["offset"]);
    const entries = board.slice(from, from + Number(params["limit"]));
    return ok({ board: "global", season: 1, total_players: board.length, version: 1, entries });
  });
}

type Wanted = Parameters<typeof useRows>[0];

const wait = (ms: number) =>
  act(async () => {
    await vi.advanceTimersByTimeAsync(ms);
  });

async function start(wanted: Partial<Wanted>) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const wrapper = ({ children }: PropsWithChildren) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const initialProps: Wanted = {
    ref: { board: "global" },
    live,
    fresh: true,
    most: Number.POSITIVE_INFINITY,
    range: { first: 0, last: 9 },
    held: false,
    ...wanted,
  };
  const hook = renderHook(useRows, { wrapper, initialProps });
  await wait(10);
  return {
    rows: hook.result,
    change: (next: Partial<Wanted>) => hook.rerender({ ...initialProps, ...next }),
    ids: (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => hook.result.current.at(from + at)?.user_id),
  };
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => from + at + 1);

test("what the socket tells is not asked for", async () => {
  const { rows, ids } = await start({});
  expect(ids(0, 10)).toEqual(numbers(0, 10));
  expect(rows.current.count).toBe(TOTAL);
  expect(asked).toEqual([]);
});

test("further down come the pages on screen, and no others", async () => {
  const { rows, ids } = await start({ range: { first: 4, last: 60 } });
  expect(asked).toEqual([0, 50]);
  expect(ids(0, 100)).toEqual(numbers(0, 100));
  expect(rows.current.at(100)).toBeUndefined();
});

test("pages are asked for again, but not while the board is held", async () => {
  const { change } = await start({ range: { first: 20, last: 30 } });
  await wait(5_100);
  expect(asked).toEqual([0, 0, 0]);
  change({ held: true });
  await wait(10_000);
  expect(asked).toHaveLength(3);
  change({ held: false });
  await wait(2_600);
  expect(asked).toHaveLength(4);
});

test("nobody stands in two places, though a page is older than the top", async () => {
  const risen = stateOf(...[15, 1, 2].map((id, at) => entryOf(id, at + 1)));
  const { ids } = await start({
    live: { ...risen, totalPlayers: TOTAL },
    range: { first: 0, last: 20 },
  });
  expect(ids(0, 6)).toEqual([15, 1, 2, 4, 5, 6]);
  expect(ids(14, 16)).toEqual([undefined, 16]);
});

test("without a socket everything is asked for", async () => {
  const { rows, ids } = await start({ live: NO_STATE, fresh: false });
  expect(asked).toEqual([0]);
  expect(rows.current.count).toBe(TOTAL);
  expect(ids(0, 10)).toEqual(numbers(0, 10));
});

test("a shorter view ends where it says", async () => {
  const { rows } = await start({ most: 10, range: { first: 0, last: 60 } });
  expect(rows.current.count).toBe(10);
  expect(asked).toEqual([]);
});

test("a page that fails is told of, and can be asked for again", async () => {
  serve(() => "none");
  const { rows, ids } = await start({ range: { first: 20, last: 30 } });
  expect(rows.current.error).toMatchObject({ status: 0 });
  expect(ids(20, 21)).toEqual([undefined]);
  answerWith(BOARD);
  act(() => rows.current.retry());
  await wait(10);
  expect(rows.current.error).toBeNull();
  expect(ids(20, 21)).toEqual([21]);
});
