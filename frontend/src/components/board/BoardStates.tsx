/** The board when there is nothing to rank, nothing to show, or no live word of it. */
import { useLive } from "../../context/liveStore";
import { useJoin } from "../../hooks/useJoin";
import { useMaySubmit } from "../../hooks/useMaySubmit";
import type { Board } from "../../utils/api/types";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";

export function EmptyBoard({ board }: { board: Board }) {
  const { mayJoin } = useJoin();
  const may = useMaySubmit(board);
  // An invitation is for those who can take it.
  const invited = may === "yes" || (may === "nobody" && mayJoin);
  return (
    <div className="grid min-h-0 flex-1 place-items-center overflow-y-auto p-8 text-center low:p-3">
      <div className="max-w-sm animate-fade-in">
        <svg viewBox="0 0 120 72" className="mx-auto mb-6 w-40 low:hidden" aria-hidden="true">
          <g fill="none" strokeWidth="1.5" className="stroke-edge" strokeDasharray="4 4">
            <rect x="6" y="40" width="32" height="32" rx="4" />
            <rect x="82" y="50" width="32" height="22" rx="4" />
          </g>
          <rect
            x="44"
            y="20"
            width="32"
            height="52"
            rx="4"
            fill="none"
            strokeWidth="1.5"
            strokeDasharray="4 4"
            className="stroke-you"
          />
          <path d="M60 4v8M56 8h8" strokeWidth="2" strokeLinecap="round" className="stroke-you" />
        </svg>
        <h2 className="mb-2 text-lg font-semibold">
          {invited ? text.board.empty : text.board.emptyElsewhere}
        </h2>
        <p className="text-sm text-muted">
          {invited ? text.board.emptyHint : text.board.emptyElsewhereHint}
        </p>
      </div>
    </div>
  );
}

export function FailedBoard({ error, onRetry }: { error: Error; onRetry: () => void }) {
  return (
    <div
      role="alert"
      className="grid min-h-0 flex-1 place-items-center overflow-y-auto p-8 text-center low:p-3"
    >
      <div className="max-w-sm animate-fade-in">
        <h2 className="mb-2 text-lg font-semibold">{text.board.failed}</h2>
        <p className="mb-6 text-sm text-muted">{error.message}</p>
        <Button onClick={onRetry}>
          <Icon name="retry" className="size-4!" />
          {text.board.retry}
        </Button>
      </div>
    </div>
  );
}

/** The service answers from PostgreSQL while its index comes back: exact, and not pushed. */
export function PausedNote() {
  const paused = useLive(
    ({ connection, state }) => connection.phase === "open" && state.seq >= 0 && !state.live,
  );
  if (!paused) return null;
  return (
    <p role="status" className="border-b hairline bg-high px-4 py-2 text-sm text-ink">
      {text.board.paused}
    </p>
  );
}
