/** What Chromium's own trace says of the page's main thread. */
import type { Page } from "@playwright/test";

interface TraceEvent {
  name: string;
  cat: string;
  ph: string;
  /** Microseconds. */
  ts: number;
  dur?: number;
  pid: number;
  tid: number;
  args?: { name?: string };
}

const CATEGORIES = ["devtools.timeline", "toplevel", "disabled-by-default-devtools.timeline"];

/** Script, style and layout, as the browser's developer tools sort them. */
const WORK = new Set([
  "EvaluateScript",
  "FireAnimationFrame",
  "FunctionCall",
  "RunMicrotasks",
  "TimerFire",
  "EventDispatch",
  "WebSocketReceive",
  "XHRReadyStateChange",
  "MinorGC",
  "MajorGC",
  "UpdateLayoutTree",
  "Layout",
]);

export interface Trace {
  /** ms of script, style and layout, frame by frame. */
  frames: number[];
  /** ms of every task of the main thread. */
  tasks: number[];
}

/** Records while `act` runs. */
export async function record(page: Page, act: () => Promise<void>): Promise<Trace> {
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => {
    events.push(...(value as unknown as TraceEvent[]));
  });
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: CATEGORIES, recordMode: "recordAsMuchAsPossible" },
  });
  await act();
  const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await complete;
  return read(events);
}

function read(events: readonly TraceEvent[]): Trace {
  const thread = findMainThread(events);
  const own = events
    .filter(({ pid, tid }) => `${pid}/${tid}` === thread)
    .sort((a, b) => a.ts - b.ts);
  const starts = own.filter(isFrame).map(({ ts }) => ts);
  const frames = new Array<number>(Math.max(0, starts.length - 1)).fill(0);
  let frame = 0;
  let until = 0;
  for (const { name, ts, dur = 0 } of own) {
    if (!WORK.has(name)) continue;
    while (frame < frames.length && ts >= (starts[frame + 1] ?? Number.POSITIVE_INFINITY)) {
      frame += 1;
    }
    if (ts < (starts[0] ?? 0) || frame >= frames.length) continue;
    // What runs inside of something that counts already is not counted twice.
    const counted = Math.max(0, ts + dur - Math.max(ts, until));
    until = Math.max(until, ts + dur);
    frames[frame] = (frames[frame] ?? 0) + counted / 1_000;
  }
  const tasks = own.filter(({ name }) => name === "RunTask").map(({ dur = 0 }) => dur / 1_000);
  return { frames, tasks };
}

const isFrame = ({ name, ph }: TraceEvent): boolean => name === "AnimationFrame" && ph === "b";

/** The page's: of all renderers' main threads the one with the most frames. */
function findMainThread(events: readonly TraceEvent[]): string {
  const counts = new Map<string, number>();
  for (const event of events.filter(isFrame)) {
    const key = `${event.pid}/${event.tid}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const [busiest] = [...counts].sort(([, a], [, b]) => b - a);
  if (busiest === undefined) throw new Error("the trace has no frames");
  return busiest[0];
}

/** The value below which a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
