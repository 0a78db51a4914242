import { afterEach, expect, test } from "vitest";
import { useSession } from "./sessionStore";

const KEY = "leaderboard.session";

afterEach(() => useSession.setState(useSession.getInitialState(), true));

test("the device remembers its player, and no more of them than it needs", () => {
  const found = { user_id: 7, username: "Nova", email: "nova@example.com" };
  useSession.getState().become(found);
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
  expect(kept.state).toEqual({ player: { user_id: 7, username: "Nova" }, gameMode: "ranked" });
  useSession.getState().forget();
  expect(localStorage.getItem(KEY)).not.toContain("Nova");
});

test("what another tab says holds in this one", async () => {
  const state = { player: { user_id: 8, username: "Orion" }, gameMode: "blitz" };
  localStorage.setItem(KEY, JSON.stringify({ state, version: 1 }));
  dispatchEvent(new StorageEvent("storage", { key: "something else" }));
  await Promise.resolve();
  expect(useSession.getState().player).toBeNull();
  dispatchEvent(new StorageEvent("storage", { key: KEY }));
  await Promise.resolve();
  expect(useSession.getState()).toMatchObject(state);
});
