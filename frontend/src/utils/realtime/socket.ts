/**
 * One socket that comes back by itself. It knows nothing of boards: what to resume from is asked
 * of its owner whenever it connects.
 */
import { backoff } from "./backoff";
import { type Frame, parseFrame } from "./frames";

export type Phase = "connecting" | "open" | "waiting" | "offline" | "ended";

export interface Connection {
  phase: Phase;
  /** When the next attempt begins (ms since 1970), while `waiting` or `offline`. */
  retryAt: number | null;
  /** Attempts that failed in a row. */
  failures: number;
  /** Why it `ended` for good: the close code (0 while it has not) and what was said. */
  code: number;
  reason: string;
}

export const NOT_CONNECTED: Connection = {
  phase: "connecting",
  retryAt: null,
  failures: 0,
  code: 0,
  reason: "",
};

interface Options {
  /** The address to connect to, made anew for each attempt. */
  url: () => string;
  /** The subprotocols to offer, made anew likewise. */
  protocols?: () => string[];
  onFrame: (frame: Frame) => void;
  onChange: (connection: Connection) => void;
}

/** The service restarts. It lets its sockets go a few at a time, so each may come back soon. */
const RESTARTING = 1012;
export const UNAUTHENTICATED = 4401;
export const FORBIDDEN = 4403;
/** Close codes that say what was wrong: to come back would not help. */
const FINAL = new Set([4400, UNAUTHENTICATED, FORBIDDEN, 4404, 4429]);

/** An attempt that is neither taken nor refused for so long leads nowhere. */
const OPEN_WITHIN_MS = 10_000;
const PING_EVERY_MS = 20_000;
/** A server that doesn't answer a ping for so long is gone, whatever the socket believes. */
const PONG_WITHIN_MS = 8_000;
/** The same after the browser said that the network is gone. */
const PROBE_WITHIN_MS = 3_000;
/** So long a connection must hold for the next failure to be a first one again. */
const STEADY_MS = 5_000;

export class LiveSocket {
  private socket: WebSocket | null = null;
  private connection: Connection = NOT_CONNECTED;
  private retry: ReturnType<typeof setTimeout> | undefined;
  /** Until the other side has to have said something. */
  private ping: ReturnType<typeof setTimeout> | undefined;
  private steady: ReturnType<typeof setTimeout> | undefined;
  private stopped = true;

  private readonly options: Options;

  constructor(options: Options) {
    this.options = options;
  }

  start(): void {
    this.stopped = false;
    addEventListener("online", this.onOnline);
    addEventListener("offline", this.onOffline);
    document.addEventListener("visibilitychange", this.onVisible);
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    removeEventListener("online", this.onOnline);
    removeEventListener("offline", this.onOffline);
    document.removeEventListener("visibilitychange", this.onVisible);
    this.drop();
  }

  /**
   * Connects anew after a gap, within half a second and at a moment of its own: what made the gap
   * made it for all who watch.
   */
  resume(): void {
    if (this.stopped) return;
    this.drop();
    this.wait();
  }

  /** Connects anew at once, because the reader asked for it. */
  reconnect(): void {
    if (this.stopped) return;
    this.drop();
    this.connect();
  }

  private connect(): void {
    this.tell({ phase: "connecting", retryAt: null, code: 0, reason: "" });
    const socket = this.open();
    if (socket === null) return;
    this.socket = socket;
    this.ping = setTimeout(this.giveUp, OPEN_WITHIN_MS);
    socket.onopen = () => {
      this.tell({ phase: "open" });
      this.steady = setTimeout(() => this.tell({ failures: 0 }), STEADY_MS);
      this.pingLater();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      this.pingLater();
      const frame = parseFrame(event.data);
      if (frame !== null) this.options.onFrame(frame);
    };
    socket.onclose = (event) => this.onClose(event);
  }

  /** A browser refuses at once what it may not connect to, or a token with odd characters. */
  private open(): WebSocket | null {
    try {
      return new WebSocket(this.options.url(), this.options.protocols?.() ?? []);
    } catch {
      this.wait();
      return null;
    }
  }

  private onClose(event: CloseEvent): void {
    this.drop();
    if (FINAL.has(event.code)) {
      this.tell({ phase: "ended", retryAt: null, code: event.code, reason: event.reason });
      return;
    }
    if (event.code === RESTARTING) this.tell({ failures: 0 });
    this.wait();
  }

  private wait(): void {
    const failures = this.connection.failures + 1;
    const ms = backoff(failures, Math.random());
    // Only a hint: a service on the same machine answers without any network.
    const phase = navigator.onLine ? "waiting" : "offline";
    this.tell({ phase, retryAt: Date.now() + ms, failures });
    this.retry = setTimeout(() => this.connect(), ms);
  }

  /** Silence for a while: ask. A laptop that slept has a socket that only looks alive. */
  private pingLater(after = PING_EVERY_MS, within = PONG_WITHIN_MS): void {
    clearTimeout(this.ping);
    this.ping = setTimeout(() => {
      this.socket?.send('{"type":"ping"}');
      this.ping = setTimeout(this.giveUp, within);
    }, after);
  }

  private readonly giveUp = () => {
    this.drop();
    this.wait();
  };

  /** Lets go of the socket; nothing that it still says is heard. */
  private drop(): void {
    clearTimeout(this.retry);
    clearTimeout(this.ping);
    clearTimeout(this.steady);
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  private tell(change: Partial<Connection>): void {
    this.connection = { ...this.connection, ...change };
    this.options.onChange(this.connection);
  }

  private readonly onOnline = () => {
    if (this.connection.phase !== "open" && this.connection.phase !== "ended") this.reconnect();
  };

  private readonly onOffline = () => {
    if (this.connection.phase === "open") this.pingLater(0, PROBE_WITHIN_MS);
  };

  private readonly onVisible = () => {
    if (document.visibilityState !== "visible") return;
    if (this.connection.phase === "open") this.pingLater(0);
    else if (this.connection.retryAt !== null) this.reconnect();
  };
}
