/** The browser's WebSocket, for tests: the test says what the network does. */
export class FakeWebSocket {
  static all: FakeWebSocket[] = [];

  /** The newest one. */
  static get last(): FakeWebSocket {
    const last = FakeWebSocket.all.at(-1);
    if (last === undefined) throw new Error("nothing has connected");
    return last;
  }

  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  readonly url: string;
  readonly protocols: string[];
  readonly sent: string[] = [];
  state: "connecting" | "open" | "closed" = "connecting";

  constructor(url: string, protocols: string[] = []) {
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.all.push(this);
  }

  send(data: string): void {
    if (this.state === "connecting") throw new DOMException("too early", "InvalidStateError");
    if (this.state === "open") this.sent.push(data);
  }

  /** A real one still hands on what is on its way, so `say` and `end` work after this. */
  close(): void {
    this.state = "closed";
  }

  open(): void {
    this.state = "open";
    this.onopen?.();
  }

  say(frame: object | string): void {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  end(code = 1006, reason = ""): void {
    this.state = "closed";
    this.onclose?.({ code, reason });
  }
}
