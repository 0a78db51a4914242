/** Scores that were sent and have no answer yet. */
import { drop, isSafe } from "../../context/outboxStore";
import { useServerNow } from "../../hooks/useNow";
import { useWaiting } from "../../hooks/useOutbox";
import type { Board } from "../../utils/api/types";
import { text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { Button } from "../ui/Button";

interface WaitingScoresProps {
  board: Board;
  userId: number | undefined;
  /** Whether the newest one is being sent right now, which is told elsewhere. */
  sending: boolean;
}

export function WaitingScores({ board, userId, sending }: WaitingScoresProps) {
  const now = useServerNow();
  const waiting = useWaiting(userId);
  const shown = sending ? waiting.slice(0, -1) : waiting;
  if (shown.length === 0) return null;
  return (
    <ul aria-label={text.submit.waitingTitle} className="mt-2 space-y-1 text-sm">
      {shown.map((each) => (
        <li key={each.key} className="flex items-center gap-2">
          <span className="min-w-0 flex-1">
            <span className="numeral font-semibold">{formatOf(board)(each.score)}</span>{" "}
            <span className="text-muted">
              {isSafe(each, now) ? text.submit.waits : text.submit.tooOld}
            </span>
          </span>
          <Button size="small" look="quiet" onClick={() => drop(each.key)}>
            {text.submit.discard}
          </Button>
        </li>
      ))}
    </ul>
  );
}
