/** Who stands just above and below a player. */
import { useRef } from "react";
import { Link, useLocation } from "react-router";
import { useSession } from "../../context/sessionStore";
import { playerPath, useBoardRef } from "../../hooks/useBoardRef";
import { useRowKeys } from "../../hooks/useRowKeys";
import { useStanding } from "../../hooks/useStanding";
import type { Board } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { Avatar } from "../ui/Avatar";
import { Name } from "../ui/Words";

/** Longer scores are smaller, so that names have room. */
const MOST_CHARACTERS = 14;

export function Neighbours({ userId, board }: { userId: number; board: Board }) {
  const ref = useBoardRef();
  const { around } = useStanding(ref, userId);
  const myId = useSession((session) => session.player?.user_id);
  const { state } = useLocation();
  const list = useRef<HTMLOListElement>(null);
  const { keys, stop } = useRowKeys(list, {
    count: around.length,
    first: 0,
    last: around.length - 1,
    reveal: (index) => list.current?.children[index]?.scrollIntoView({ block: "nearest" }),
  });
  if (around.length < 2) return null;
  return (
    <section aria-labelledby="neighbours" className="panel p-4">
      <h2 id="neighbours" className="mb-2 text-sm font-semibold text-muted">
        {text.player.neighbours}
      </h2>
      <ol ref={list} tabIndex={-1} {...keys} className="focus-visible:outline-none">
        {around.map((entry, index) => {
          const here = entry.user_id === userId;
          return (
            <li
              key={entry.user_id}
              aria-current={here || undefined}
              data-index={index}
              className={`flex h-11 items-center gap-2 rounded-sm px-1 text-sm ${here ? "bg-high" : ""}`}
            >
              <span className="numeral min-w-8 text-muted">{formatNumber(entry.rank)}</span>
              <Avatar seed={entry.user_id} size={24} />
              {/* A score that leaves no room for the name stands below it. */}
              <span className="flex min-w-0 flex-1 flex-wrap items-baseline justify-end gap-x-2">
                <Link
                  to={playerPath(ref, entry.user_id)}
                  state={state}
                  tabIndex={index === stop ? 0 : -1}
                  title={entry.username}
                  className={`flex min-w-0 flex-[1_1_3rem] rounded-sm hover:text-you ${entry.user_id === myId ? "text-you" : ""}`}
                >
                  <Name>{entry.username}</Name>
                </Link>
                <Score>{formatOf(board)(entry.total_score)}</Score>
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function Score({ children }: { children: string }) {
  const size = children.length > MOST_CHARACTERS ? "text-xs" : "";
  return <span className={`numeral font-semibold whitespace-nowrap ${size}`}>{children}</span>;
}
