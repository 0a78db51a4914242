import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeWebSocket } from "../testing/FakeWebSocket";
import type { Frame } from "./frames";
import { type Connection, LiveSocket, NOT_CONNECTED } from "./socket";

const SECOND = 1_000;
const pong = { type: "pong", seq: 1 };

let frames: Frame[];
let told: Connection[];
let socket: LiveSocket;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeWebSocket);
  FakeWebSocket.all = [];
  // The longest wait that chance allows.
  vi.spyOn(Math, "random").mockReturnValue(1);
  frames = [];
  told = [];
  socket = new LiveSocket({
    url: () => `ws://here/?try=${FakeWebSocket.all.length + 1}`,
    onFrame: (frame) => frames.push(frame),
    onChange: (connection) => told.push(connection),
  });
  socket.start();
});

afterEach(() => {
  socket.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const now = (): Connection => told.at(-1) ?? NOT_CONNECTED;
const attempts = (): number => FakeWebSocket.all.length;
const lose = () => FakeWebSocket.last.end();

function setOnline(online: boolean): void {
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(online);
  dispatchEvent(new Event(online ? "online" : "offline"));
}

function setVisible(state: DocumentVisibilityState): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  document.dispatchEvent(new Event("visibilitychange"));
}

test("connects, and hands on frames and nothing else", () => {
  expect(now().phase).toBe("connecting");
  FakeWebSocket.last.open();
  expect(now()).toEqual({ ...NOT_CONNECTED, phase: "open" });
  for (const said of [pong, "junk", { type: "unheard" }]) FakeWebSocket.last.say(said);
  expect(frames).toEqual([pong]);
});

test("comes back after growing waits, up to a cap, asking for its address each time", () => {
  const waits = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
  waits.forEach((wait, failed) => {
    lose();
    expect(now()).toMatchObject({
      phase: "waiting",
      retryAt: Date.now() + wait,
      failures: failed + 1,
    });
    vi.advanceTimersByTime(wait - 1);
    expect(attempts()).toBe(failed + 1);
    vi.advanceTimersByTime(1);
    expect(now()).toMatchObject({ phase: "connecting", retryAt: null });
    expect(FakeWebSocket.last.url).toBe(`ws://here/?try=${failed + 2}`);
  });
});

test("waits grow until a connection has held for a while", () => {
  const reopenAfter = (wait: number) => {
    vi.advanceTimersByTime(wait);
    FakeWebSocket.last.open();
  };
  lose();
  reopenAfter(500);
  vi.advanceTimersByTime(4.9 * SECOND);
  lose();
  expect(now()).toMatchObject({ failures: 2, retryAt: Date.now() + 1_000 });
  reopenAfter(1_000);
  vi.advanceTimersByTime(5 * SECOND);
  expect(now()).toMatchObject({ phase: "open", failures: 0 });
  lose();
  expect(now()).toMatchObject({ failures: 1, retryAt: Date.now() + 500 });
});

test.each([1000, 1006, 1012, 1013, 4408])("close code %i means: come back", (code) => {
  FakeWebSocket.last.open();
  FakeWebSocket.last.end(code);
  expect(now()).toMatchObject({ phase: "waiting", code: 0 });
});

test("who is let go by a service that restarts comes back soon, each time", () => {
  lose();
  vi.advanceTimersByTime(500);
  for (let restarts = 0; restarts < 3; restarts++) {
    FakeWebSocket.last.open();
    FakeWebSocket.last.end(1012, "restarting");
    expect(now()).toMatchObject({ failures: 1, retryAt: Date.now() + 500 });
    vi.advanceTimersByTime(500);
  }
  lose();
  expect(now()).toMatchObject({ failures: 2, retryAt: Date.now() + 1_000 });
});

test.each([4400, 4401, 4403, 4404, 4429])(
  "close code %i is final, until the reader asks anew",
  (code) => {
    FakeWebSocket.last.open();
    FakeWebSocket.last.end(code, "for a reason");
    const ended = { ...NOT_CONNECTED, phase: "ended", code, reason: "for a reason" };
    expect(now()).toEqual(ended);
    setOnline(false);
    setOnline(true);
    setVisible("visible");
    vi.advanceTimersByTime(60 * SECOND);
    expect(now()).toEqual(ended);
    expect(attempts()).toBe(1);
    socket.reconnect();
    expect(now()).toEqual({ ...NOT_CONNECTED, phase: "connecting" });
    expect(attempts()).toBe(2);
  },
);

test("silence is asked into, and an answer is enough", () => {
  const { last } = FakeWebSocket;
  last.open();
  vi.advanceTimersByTime(19 * SECOND);
  last.say({ type: "status", seq: 1, live: true });
  vi.advanceTimersByTime(19 * SECOND);
  expect(last.sent).toEqual([]);
  vi.advanceTimersByTime(1 * SECOND);
  expect(last.sent).toEqual(['{"type":"ping"}']);
  vi.advanceTimersByTime(7.9 * SECOND);
  last.say(pong);
  vi.advanceTimersByTime(20 * SECOND);
  expect(last.sent).toHaveLength(2);
  expect(now().phase).toBe("open");
});

test("no answer to a ping: it connects anew", () => {
  const { last } = FakeWebSocket;
  last.open();
  vi.advanceTimersByTime(28 * SECOND - 1);
  expect(now().phase).toBe("open");
  vi.advanceTimersByTime(1);
  expect(last.state).toBe("closed");
  expect(now()).toMatchObject({ phase: "waiting", failures: 1 });
  vi.advanceTimersByTime(500);
  expect(attempts()).toBe(2);
});

test("an attempt that leads nowhere is given up", () => {
  const { last } = FakeWebSocket;
  vi.advanceTimersByTime(10 * SECOND - 1);
  expect(now().phase).toBe("connecting");
  vi.advanceTimersByTime(1);
  expect(last.state).toBe("closed");
  expect(now()).toMatchObject({ phase: "waiting", failures: 1 });
});

test("news of a lost network is a hint: an open connection is asked, and stays if it answers", () => {
  const { last } = FakeWebSocket;
  last.open();
  setOnline(false);
  vi.advanceTimersByTime(0);
  expect(last.sent).toEqual(['{"type":"ping"}']);
  last.say(pong);
  vi.advanceTimersByTime(10 * SECOND);
  expect(now().phase).toBe("open");
  expect(attempts()).toBe(1);
});

test("without a network it keeps trying, and connects at once when the network is back", () => {
  FakeWebSocket.last.open();
  setOnline(false);
  vi.advanceTimersByTime(3 * SECOND);
  expect(now()).toMatchObject({ phase: "offline", failures: 1, retryAt: Date.now() + 500 });
  vi.advanceTimersByTime(500);
  expect(attempts()).toBe(2);
  FakeWebSocket.last.open();
  expect(now().phase).toBe("open");
  lose();
  expect(now().phase).toBe("offline");
  setOnline(true);
  expect(attempts()).toBe(3);
});

test("what the browser refuses to open is tried again", () => {
  vi.stubGlobal("WebSocket", () => {
    throw new DOMException("no", "SyntaxError");
  });
  lose();
  vi.advanceTimersByTime(500);
  expect(now()).toMatchObject({ phase: "waiting", failures: 2 });
  vi.stubGlobal("WebSocket", FakeWebSocket);
  vi.advanceTimersByTime(1_000);
  FakeWebSocket.last.open();
  expect(now().phase).toBe("open");
});

test("an open connection outlives the news that there is a network", () => {
  FakeWebSocket.last.open();
  setOnline(true);
  expect(attempts()).toBe(1);
});

test("a reader who comes back doesn't wait: it asks, or connects, at once", () => {
  const { last } = FakeWebSocket;
  last.open();
  setVisible("hidden");
  vi.advanceTimersByTime(0);
  expect(last.sent).toEqual([]);
  setVisible("visible");
  vi.advanceTimersByTime(0);
  expect(last.sent).toEqual(['{"type":"ping"}']);
  vi.advanceTimersByTime(8 * SECOND);
  expect(now().phase).toBe("waiting");
  setVisible("visible");
  expect(attempts()).toBe(2);
});

test.each<[string, () => void]>([
  ["connecting", () => undefined],
  ["open", () => FakeWebSocket.last.open()],
  ["waiting", lose],
  [
    "offline",
    () => {
      setOnline(false);
      lose();
    },
  ],
])("stopped while %s, it stays still", (phase, reach) => {
  reach();
  expect(now().phase).toBe(phase);
  socket.stop();
  const known = told.length;
  expect(FakeWebSocket.last.state).toBe("closed");
  expect(vi.getTimerCount()).toBe(0);
  setOnline(false);
  setOnline(true);
  setVisible("visible");
  socket.reconnect();
  FakeWebSocket.last.say(pong);
  lose();
  vi.advanceTimersByTime(60 * SECOND);
  expect(attempts()).toBe(1);
  expect(told).toHaveLength(known);
  expect(frames).toEqual([]);
});

test.each([0, 1])("after a gap it comes back at a moment of its own", (random) => {
  vi.spyOn(Math, "random").mockReturnValue(random);
  FakeWebSocket.last.open();
  socket.resume();
  expect(FakeWebSocket.all[0]?.state).toBe("closed");
  expect(now().phase).toBe("waiting");
  vi.advanceTimersByTime(random ? 499 : 249);
  expect(attempts()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(attempts()).toBe(2);
  socket.stop();
  socket.resume();
  vi.advanceTimersByTime(60 * SECOND);
  expect(attempts()).toBe(2);
});

test("what a dropped socket still says is not heard", () => {
  const { last: dropped } = FakeWebSocket;
  socket.reconnect();
  expect(dropped.state).toBe("closed");
  dropped.open();
  expect(now().phase).toBe("connecting");
  FakeWebSocket.last.open();
  dropped.say(pong);
  dropped.end(4400, "late");
  expect(frames).toEqual([]);
  expect(now()).toMatchObject({ phase: "open", code: 0 });
  expect(attempts()).toBe(2);
});
