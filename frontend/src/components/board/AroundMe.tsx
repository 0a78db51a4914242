/** The player of this device with the nearest neighbours above and below. */
import { useRef } from "react";
import { useBoardRef } from "../../hooks/useBoardRef";
import { useGlide } from "../../hooks/useGlide";
import { type MyStanding, useNeighbours } from "../../hooks/useMe";
import type { Board } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { RowSkeletons } from "./BoardRows";
import { columnWidths } from "./columns";
import { formatOf, LeaderboardCard, tierOf } from "./LeaderboardCard";
import { TableHead } from "./TableHead";

const ROW = 56;

export function AroundMe({ board, me }: { board: Board; me: MyStanding | null }) {
  const ref = useBoardRef();
  const { data } = useNeighbours(ref, me?.player ?? null);
  const entries = data?.entries ?? [];
  const elements = useRef(new Map<number, HTMLElement>());
  useGlide(
    elements,
    entries.map(({ user_id: id }, index) => ({ id, index })),
    ROW,
  );
  if (me === null) return <Hint says={text.board.aroundNeedsYou} />;
  if (me.rank === null) return <Hint says={text.board.aroundNeedsScore} />;
  const total = data?.total_players ?? 0;
  const best = entries[0]?.total_score ?? 0;
  return (
    <div
      tabIndex={0}
      role="table"
      aria-label={text.board.aroundMe}
      style={{
        ...columnWidths(formatNumber(entries.at(-1)?.rank ?? 1), formatOf(board)(best)),
        ["--row" as string]: `${ROW}px`,
      }}
      className="min-h-0 flex-1 overflow-y-auto [scrollbar-gutter:stable] focus-visible:-outline-offset-2"
    >
      <TableHead height={36} />
      <div role="rowgroup" className="relative" style={{ height: (entries.length || 10) * ROW }}>
        {entries.length === 0 && <RowSkeletons />}
        {entries.map((entry, index) => (
          <div
            key={entry.user_id}
            ref={(element) => {
              if (element === null) elements.current.delete(entry.user_id);
              else elements.current.set(entry.user_id, element);
            }}
            role="row"
            aria-rowindex={index + 2}
            className="absolute inset-x-0 top-0 h-(--row)"
            style={{ transform: `translateY(${index * ROW}px)` }}
          >
            <LeaderboardCard
              entry={entry}
              boardRef={ref}
              board={board}
              tier={tierOf(entry.rank, total, board)}
              mine={entry.user_id === me.player.user_id}
            />
          </div>
        ))}
      </div>
    </div>
  );
}

function Hint({ says }: { says: string }) {
  return <p className="grid flex-1 place-items-center p-8 text-center text-muted">{says}</p>;
}
