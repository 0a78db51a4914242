/** Whether what is on screen is now: live, on its way back, or from when. */
import { reconnectNow, useLive } from "../../context/liveStore";
import { useBoard } from "../../hooks/useBoard";
import { useFastNow } from "../../hooks/useNow";
import { formatClock } from "../../utils/format";
import { type Connection, FORBIDDEN, UNAUTHENTICATED } from "../../utils/realtime/socket";
import { toServerTime } from "../../utils/serverClock";
import { text } from "../../utils/text";
import { Icon } from "../ui/Icon";

/** A short cut is no news: what was shown is still as good as live. */
const STALE_MS = 4_000;

export function ConnectionBadge() {
  const connection = useLive((live) => live.connection);
  const isLive = useLive((live) => live.state.live);
  const heardAt = useLive((live) => live.heardAt);
  const board = useBoard();
  // The page says that there is no such board. Nothing of it can be live or away.
  if (board.state === "unknown") return null;
  if (connection.phase === "open" && (isLive || heardAt === null)) {
    return (
      <Badge
        light="live"
        label={heardAt === null ? text.connection.connecting : text.connection.live}
      />
    );
  }
  if (connection.phase === "open") return <Badge light="wait" label={text.connection.paused} />;
  return <Away connection={connection} heardAt={heardAt} />;
}

function Away({ connection, heardAt }: { connection: Connection; heardAt: number | null }) {
  const now = useFastNow();
  const since =
    heardAt !== null && now - heardAt > STALE_MS
      ? text.connection.since(formatClock(new Date(toServerTime(heardAt))))
      : null;
  const label = describe(connection, now);
  const canRetry = connection.retryAt !== null || connection.phase === "ended";
  return (
    <span className="flex items-center gap-2">
      <Badge
        light={connection.phase === "offline" ? "off" : "wait"}
        label={label}
        short={
          connection.phase === "waiting"
            ? text.connection.inSeconds(secondsTo(connection, now))
            : ""
        }
        since={since}
      />
      {canRetry && (
        <button
          type="button"
          onClick={reconnectNow}
          aria-label={text.connection.retryNow}
          title={text.connection.retryNow}
          className="grid size-8 place-items-center rounded-sm text-muted hover:bg-high hover:text-ink"
        >
          <Icon name="retry" className="size-4!" />
        </button>
      )}
    </span>
  );
}

const secondsTo = ({ retryAt }: Connection, now: number): number =>
  Math.max(0, Math.ceil(((retryAt ?? now) - now) / 1_000));

function describe(connection: Connection, now: number): string {
  const { phase, failures } = connection;
  const words = text.connection;
  switch (phase) {
    case "offline":
      return words.offline;
    case "ended":
      if (connection.code === UNAUTHENTICATED) return words.signIn;
      return connection.code === FORBIDDEN ? words.notAllowed : words.ended;
    case "waiting": {
      const seconds = secondsTo(connection, now);
      return seconds > 0 ? words.reconnectingIn(seconds) : words.reconnecting;
    }
    default:
      return failures > 0 ? words.reconnecting : words.connecting;
  }
}

const LIGHTS = {
  live: "forced-colors:bg-[Highlight] forced-color-adjust-none bg-you animate-beat shadow-[0_0_8px_var(--color-you)]",
  wait: "forced-color-adjust-none bg-down",
  off: "forced-color-adjust-none bg-muted",
} as const;

interface BadgeProps {
  light: keyof typeof LIGHTS;
  label: string;
  /** What a phone has room for; the whole is still there for those who listen. */
  short?: string;
  since?: string | null;
}

function Badge({ light, label, short = "", since = null }: BadgeProps) {
  return (
    <span className="flex items-center gap-2 text-sm whitespace-nowrap" data-testid="connection">
      <span className={`size-2 rounded-full ${LIGHTS[light]}`} aria-hidden="true" />
      <span className="sr-only">{text.connection.label}: </span>
      <span
        className={`${light === "live" ? "text-ink" : "text-muted"} ${short ? "max-sm:sr-only" : ""}`}
      >
        {label}
      </span>
      {short !== "" && (
        <span aria-hidden="true" className="text-muted sm:hidden">
          {short}
        </span>
      )}
      {since !== null && <span className="text-muted max-md:hidden">{since}</span>}
    </span>
  );
}
