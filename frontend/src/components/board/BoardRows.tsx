/** The rows that are on screen, each at its place, gliding to a new one. */
import { useCallback, useRef } from "react";
import { type Placed, useGlide } from "../../hooks/useGlide";
import type { LongScroll } from "../../hooks/useLongScroll";
import type { Rows } from "../../hooks/useRows";
import type { BoardRef } from "../../utils/api/client";
import type { Board, Entry } from "../../utils/api/types";
import { Skeleton } from "../ui/Skeleton";
import { rowGrid } from "./columns";
import { LeaderboardCard, tierOf } from "./LeaderboardCard";

interface BoardRowsProps {
  rows: Rows;
  scroll: LongScroll;
  board: Board;
  boardRef: BoardRef;
  total: number;
  myId: number | undefined;
  rowHeight: number;
  head: number;
  /** The first rows that the podium covers. */
  covered: number;
  /** The row that Tab stops at. */
  tabStop: number;
}

interface Drawn extends Placed {
  entry: Entry;
}

export function BoardRows({
  rows,
  scroll,
  board,
  boardRef,
  total,
  myId,
  rowHeight,
  head,
  covered,
  tabStop,
}: BoardRowsProps) {
  const elements = useRef(new Map<number, HTMLElement>());
  const drawn: Drawn[] = [];
  const waiting: number[] = [];
  const seen = new Set<number>();
  for (let index = scroll.first; index <= scroll.last; index += 1) {
    const entry = rows.at(index);
    if (entry === undefined || seen.has(entry.user_id)) waiting.push(index);
    else {
      seen.add(entry.user_id);
      drawn.push({ id: entry.user_id, index, entry });
    }
  }
  useGlide(elements, drawn, rowHeight);
  const place = (index: number) =>
    `translateY(${Math.round(head + index * rowHeight + scroll.shift)}px)`;
  const remember = useCallback((id: number, element: HTMLElement | null) => {
    if (element === null) elements.current.delete(id);
    else elements.current.set(id, element);
  }, []);
  return (
    <>
      {drawn.map(({ id, index, entry }) => (
        <div
          key={id}
          ref={(element) => remember(id, element)}
          role="row"
          aria-rowindex={index + 2}
          data-index={index}
          data-player={id}
          className={`absolute inset-x-0 top-0 h-(--row) ${index < covered ? "opacity-0" : ""} ${
            index < 3 ? "transition-opacity duration-200" : ""
          }`}
          style={{ transform: place(index) }}
        >
          <LeaderboardCard
            entry={entry}
            boardRef={boardRef}
            board={board}
            tier={tierOf(entry.rank, total, board)}
            mine={id === myId}
            tabStop={index === tabStop}
          />
        </div>
      ))}
      {waiting.map((index) => (
        <div
          key={`waiting ${index}`}
          aria-hidden="true"
          className="absolute inset-x-0 top-0 h-(--row)"
          style={{ transform: place(index) }}
        >
          <RowSkeleton />
        </div>
      ))}
    </>
  );
}

const SOME = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** As many rows as may be on screen, while it is not known how many there are. */
export function RowSkeletons() {
  return SOME.map((row) => (
    <div key={row} className="h-(--row)">
      <RowSkeleton />
    </div>
  ));
}

function RowSkeleton() {
  return (
    <div className={`${rowGrid} h-full border-b hairline`}>
      <Skeleton className="h-4 w-6" />
      <span className="flex items-center gap-3">
        <Skeleton className="size-8.5" />
        <Skeleton className="h-4 w-32 max-w-1/2" />
      </span>
      <Skeleton className="col-start-[-2] h-4 w-16 justify-self-end in-data-stacked:hidden" />
    </div>
  );
}
