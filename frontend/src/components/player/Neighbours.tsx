/** Who stands just above and below a player. */
import { Link } from "react-router";
import { useSession } from "../../context/sessionStore";
import { playerPath, useBoardRef } from "../../hooks/useBoardRef";
import { useStanding } from "../../hooks/useStanding";
import type { Board } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { Avatar } from "../ui/Avatar";

export function Neighbours({ userId, board }: { userId: number; board: Board }) {
  const ref = useBoardRef();
  const { around } = useStanding(ref, userId);
  const myId = useSession((session) => session.player?.user_id);
  if (around.length < 2) return null;
  return (
    <section aria-labelledby="neighbours" className="panel p-4">
      <h2 id="neighbours" className="mb-2 text-sm font-semibold text-muted">
        {text.player.neighbours}
      </h2>
      <ol>
        {around.map((entry) => {
          const here = entry.user_id === userId;
          return (
            <li
              key={entry.user_id}
              aria-current={here || undefined}
              className={`flex h-11 items-center gap-3 rounded-sm px-2 text-sm ${here ? "bg-high" : ""}`}
            >
              <span className="numeral min-w-8 text-muted">{formatNumber(entry.rank)}</span>
              <Avatar seed={entry.user_id} size={24} />
              <Link
                to={playerPath(ref, entry.user_id)}
                className={`min-w-0 flex-1 truncate rounded-sm hover:text-you ${entry.user_id === myId ? "text-you" : ""}`}
              >
                <bdi>{entry.username}</bdi>
              </Link>
              <span className="numeral font-semibold">{formatOf(board)(entry.total_score)}</span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
