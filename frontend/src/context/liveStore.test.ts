import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setCredential, type Token } from "../utils/api/credential";
import { NO_STATE } from "../utils/realtime/liveState";
import { perMinute } from "../utils/realtime/rate";
import { entryOf, snapshotOf, updateOf } from "../utils/testing/board";
import { FakeWebSocket } from "../utils/testing/FakeWebSocket";
import { reconnectNow, useLive, watchBoard } from "./liveStore";

const SPECTATOR = { board: "global", userId: null };
const snapshot = snapshotOf([entryOf(1, 1), entryOf(2, 2)]);

let stop: () => void = () => undefined;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeWebSocket);
  FakeWebSocket.all = [];
  useLive.setState(useLive.getInitialState(), true);
});

afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function watch(...args: Parameters<typeof watchBoard>): void {
  stop();
  stop = watchBoard(...args);
  FakeWebSocket.last.open();
}

const state = () => useLive.getState().state;

test("the address says who watches what, and where to go on from", () => {
  watch(SPECTATOR);
  const host = `ws://${location.host}/ws/leaderboard`;
  expect(FakeWebSocket.last.url).toBe(`${host}?board=global`);
  FakeWebSocket.last.say(snapshot);
  FakeWebSocket.last.say(updateOf({ seq: 14 }));
  reconnectNow();
  expect(FakeWebSocket.last.url).toBe(`${host}?board=global&since=14&epoch=e1`);
  watch({ board: "a&b", season: 3, userId: 42 });
  expect(FakeWebSocket.last.url).toBe(`${host}/42?board=a%26b&season=3`);
});

test("standings that belong to no build of the index are no place to go on from", () => {
  watch(SPECTATOR);
  FakeWebSocket.last.say({ ...snapshot, seq: 0, epoch: "", live: false });
  expect(state().order).toEqual([1, 2]);
  reconnectNow();
  expect(FakeWebSocket.last.url).not.toContain("since");
});

test("after a gap it soon connects anew, and goes on from what it has", () => {
  watch(SPECTATOR);
  FakeWebSocket.last.say(snapshot);
  const { last: gappy } = FakeWebSocket;
  gappy.say(updateOf({ seq: 30, prev: 20, left: [1] }));
  expect(gappy.state).toBe("closed");
  expect(FakeWebSocket.all).toHaveLength(1);
  vi.advanceTimersByTime(500);
  expect(FakeWebSocket.all).toHaveLength(2);
  expect(FakeWebSocket.last.url).toContain("since=10&");
  expect(state().order).toEqual([1, 2]);
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(updateOf({ seq: 30, prev: 10, left: [1], moved: [[2, 1]] }));
  expect(state()).toMatchObject({ seq: 30, order: [2] });
});

test("another player on the same board keeps the top, another board or season nothing", () => {
  watch({ board: "global", userId: 2 });
  FakeWebSocket.last.say({ ...snapshot, me: { ...entryOf(2, 2), percentile: 50, tier: "Gold" } });
  expect(state().me?.rank).toBe(2);
  const { order } = state();
  watch({ board: "global", userId: 1 });
  expect(state().order).toBe(order);
  expect(state().me).toBeNull();
  watch({ board: "global", season: 1, userId: 1 });
  expect(state().order).toBe(order);
  // Season 1 by its number needn't be the current one.
  watch(SPECTATOR);
  expect(state()).toBe(NO_STATE);
  FakeWebSocket.last.say(snapshot);
  watch({ board: "global", season: 2, userId: null });
  expect(state()).toBe(NO_STATE);
  FakeWebSocket.last.say({ ...snapshot, season: 2 });
  watch({ board: "other", season: 2, userId: null });
  expect(state()).toBe(NO_STATE);
});

test("after the watch nothing is heard", () => {
  watch(SPECTATOR);
  FakeWebSocket.last.say(snapshot);
  stop();
  const known = useLive.getState();
  FakeWebSocket.last.say(updateOf({ left: [1] }));
  reconnectNow();
  expect(useLive.getState()).toBe(known);
  expect(FakeWebSocket.all).toHaveLength(1);
});

test("how busy the board is comes from what was seen, not from what was missed", () => {
  watch(SPECTATOR);
  const rate = () => perMinute(useLive.getState().samples, Date.now());
  FakeWebSocket.last.say(snapshot);
  vi.advanceTimersByTime(10_000);
  FakeWebSocket.last.say(updateOf({ version: 120 }));
  expect(rate()).toBe(120);
  expect(useLive.getState().heardAt).toBe(Date.now());

  reconnectNow();
  vi.advanceTimersByTime(8_000);
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(updateOf({ seq: 900, version: 90_000 }));
  vi.advanceTimersByTime(6_000);
  expect(rate()).toBe(0);
});

test("a token that has run out is renewed when the socket is refused, and one that is good is not", async () => {
  let token: Token | null = { text: "old", expiresAt: Date.now() };
  const renew = vi.fn(() => {
    token = { text: "new", expiresAt: Date.now() + 3_600_000 };
    return Promise.resolve(token);
  });
  setCredential({ token: () => token, renew });
  watch({ board: "club", userId: 2 });
  FakeWebSocket.last.end(4401, "sign in");
  await vi.advanceTimersByTimeAsync(0);
  expect(FakeWebSocket.all).toHaveLength(2);
  expect(FakeWebSocket.last.protocols).toEqual(["leaderboard", "bearer.new"]);
  FakeWebSocket.last.open();
  FakeWebSocket.last.end(4401, "sign in");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeWebSocket.all).toHaveLength(2);
  expect(useLive.getState().connection).toMatchObject({ phase: "ended", code: 4401 });
  expect(renew).toHaveBeenCalledTimes(1);
});

test("who has no token and is refused is left to sign in", async () => {
  setCredential({ token: () => null, renew: () => Promise.resolve(null) });
  watch({ board: "club", userId: null });
  FakeWebSocket.last.end(4401, "sign in");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeWebSocket.all).toHaveLength(1);
  expect(useLive.getState().connection.phase).toBe("ended");
});
