/** The player of this device with the nearest neighbours above and below. */
import { useLayoutEffect, useRef, useState } from "react";
import { useBoardRef } from "../../hooks/useBoardRef";
import { useGlide } from "../../hooks/useGlide";
import { type MyStanding, useNeighbours } from "../../hooks/useMe";
import { useRowSizes } from "../../hooks/useMedia";
import { useRowKeys } from "../../hooks/useRowKeys";
import { useSize } from "../../hooks/useSize";
import type { Board } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { longestOf, shapeRows } from "../../utils/rowShape";
import { text } from "../../utils/text";
import { RowSkeletons } from "./BoardRows";
import { shapeOf } from "./columns";
import { formatOf, LeaderboardCard, tierOf } from "./LeaderboardCard";
import { TableHead } from "./TableHead";

export function AroundMe({ board, me }: { board: Board; me: MyStanding | null }) {
  const ref = useBoardRef();
  const { data } = useNeighbours(ref, me?.player ?? null);
  const entries = data?.entries ?? [];
  const elements = useRef(new Map<number, HTMLElement>());
  const [list, setList] = useState<HTMLElement | null>(null);
  const size = useSize(list);
  const { row, tableHead } = useRowSizes();
  const myIndex = entries.findIndex((each) => each.user_id === me?.player.user_id);
  const scrolledBy = useCentred(list, myIndex, size.height - tableHead, row);
  useGlide(
    elements,
    entries.map(({ user_id: id }, index) => ({ id, index })),
    row,
    scrolledBy,
  );
  const { keys, stop } = useRowKeys(
    { current: list },
    {
      count: entries.length,
      first: 0,
      last: entries.length - 1,
      reveal: (index) =>
        list?.querySelector(`[data-index="${index}"]`)?.scrollIntoView({ block: "nearest" }),
    },
  );
  if (me === null) return <Hint says={text.board.aroundNeedsYou} />;
  if (me.rank === null) return <Hint says={text.board.aroundNeedsScore} />;
  const total = data?.total_players ?? 0;
  const format = formatOf(board);
  const scores = entries.map((each) => each.total_score);
  const shape = shapeRows(
    size.width,
    formatNumber(entries.at(-1)?.rank ?? 1),
    longestOf(scores, format),
  );
  return (
    <div
      ref={setList}
      tabIndex={-1}
      role="table"
      aria-label={text.board.aroundMe}
      {...shapeOf(shape)}
      style={{ ...shape.widths, ["--row" as string]: `${row}px`, scrollPaddingTop: tableHead }}
      className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto [scrollbar-gutter:stable] focus-visible:-outline-offset-2"
      {...keys}
    >
      <TableHead height={tableHead} />
      <div role="rowgroup" className="relative" style={{ height: (entries.length || 10) * row }}>
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
            data-index={index}
            data-player={entry.user_id}
            className="absolute inset-x-0 top-0 h-(--row)"
            style={{ transform: `translateY(${index * row}px)` }}
          >
            <LeaderboardCard
              entry={entry}
              boardRef={ref}
              board={board}
              tier={tierOf(entry.rank, total, board)}
              mine={entry.user_id === me.player.user_id}
              tabStop={index === stop}
            />
          </div>
        ))}
      </div>
    </div>
  );
}

/**
 * Holds my row in the middle. A reader who scrolls away by hand stays there: from then on the row
 * keeps its distance from the top.
 *
 * @returns the pixels that the list was scrolled by because my row has another index now
 */
function useCentred(list: HTMLElement | null, myIndex: number, height: number, row: number) {
  const known = useRef<{ index: number; height: number } | null>(null);
  const scrolledBy = useRef(0);
  useLayoutEffect(() => {
    if (list === null || myIndex < 0 || height <= 0) return;
    const middleOf = (index: number, within: number) => index * row - (within - row) / 2;
    const before = known.current;
    known.current = { index: myIndex, height };
    const away = before === null ? 0 : list.scrollTop - middleOf(before.index, before.height);
    // At either end of the list there is no more to scroll, and that is no wish to be elsewhere.
    const atEnd =
      list.scrollTop <= 0 || list.scrollTop >= list.scrollHeight - list.clientHeight - 1;
    const wish = atEnd || Math.abs(away) < row / 2 ? 0 : away;
    const from = list.scrollTop;
    list.scrollTop = middleOf(myIndex, height) + wish;
    if (before !== null && before.index !== myIndex) scrolledBy.current = list.scrollTop - from;
  }, [list, myIndex, height, row]);
  return scrolledBy;
}

function Hint({ says }: { says: string }) {
  return <p className="grid flex-1 place-items-center p-8 text-center text-muted">{says}</p>;
}
