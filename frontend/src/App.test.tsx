import { act, render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Board } from "./utils/api/types";
import { entryOf, snapshotOf, updateOf } from "./utils/testing/board";
import { FakeWebSocket } from "./utils/testing/FakeWebSocket";
import { ok, serve } from "./utils/testing/service";
import { text } from "./utils/text";

const { App } = await import("./App");

const board: Board = {
  slug: "global",
  name: "Everybody",
  game_modes: null,
  operator: "sum",
  sort_order: "desc",
  tie_policy: "ordinal",
  decimals: 0,
  unit: null,
  season: 1,
  client_submissions: false,
  is_private: false,
  limits: {
    min_score: 0,
    max_score: 1_000,
    max_duration_ms: 60_000,
    max_metadata_bytes: 64,
    game_mode_pattern: "",
  },
  tiers: [{ name: "Gold", percentile: 0 }],
};

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  vi.stubGlobal("WebSocket", FakeWebSocket);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const wait = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const ranking = () =>
  within(screen.getByRole("table"))
    .getAllByRole("row")
    .slice(1)
    .map((row) =>
      within(row)
        .getAllByRole("cell")
        .slice(0, 2)
        .map((cell) => cell.textContent),
    );

test("an unreachable service is said so; then the board comes, and follows the socket", async () => {
  serve(() => "none");
  render(<App />);
  expect(within(screen.getByRole("banner")).getByText(text.appName)).toBeTruthy();
  expect(screen.getByLabelText(text.board.loading)).toBeTruthy();
  await wait(5_000);
  expect(screen.getByRole("alert").textContent).toContain(text.problems.network);

  serve(({ path }) => (path === "/boards" ? ok({ boards: [board] }) : "none"));
  const user = userEvent.setup({ advanceTimers: vi.advanceTimersByTime });
  await user.click(screen.getByRole("button", { name: text.board.retry }));
  await wait(100);
  expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Everybody");

  act(() => {
    FakeWebSocket.last.open();
    FakeWebSocket.last.say(snapshotOf([entryOf(1, 1), entryOf(2, 2)]));
  });
  expect(ranking()).toEqual([
    ["1", expect.stringContaining("player 1")],
    ["2", expect.stringContaining("player 2")],
  ]);
  act(() => FakeWebSocket.last.say(updateOf({ left: [1], moved: [[2, 1]], total_players: 1 })));
  expect(ranking()).toEqual([["1", expect.stringContaining("player 2")]]);
});

test("an empty board invites nobody who can't send a score", async () => {
  serve(({ path }) => {
    if (path === "/boards") return ok({ boards: [board] });
    return path === "/auth" ? ok({ mode: "closed", guest_sign_in: false }) : "none";
  });
  render(<App />);
  await wait(100);
  act(() => {
    FakeWebSocket.last.open();
    FakeWebSocket.last.say(snapshotOf([]));
  });
  expect(screen.getByText(text.board.emptyElsewhere)).toBeTruthy();
  expect(screen.queryByText(text.board.empty)).toBeNull();
  expect(document.body.textContent).not.toMatch(/send a score/i);
});
