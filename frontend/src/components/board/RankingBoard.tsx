/** The live board: podium, rows, and the way to any of them. */
import { useEffect, useMemo, useState } from "react";
import { useLive } from "../../context/liveStore";
import { useBoardRef } from "../../hooks/useBoardRef";
import { useIsFresh } from "../../hooks/useFreshness";
import { useHold } from "../../hooks/useHold";
import { useLongScroll } from "../../hooks/useLongScroll";
import { useMe } from "../../hooks/useMe";
import { useRows } from "../../hooks/useRows";
import type { Board, Entry } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { AroundMe } from "./AroundMe";
import { BoardHead } from "./BoardHead";
import { BoardRows, RowSkeletons } from "./BoardRows";
import { EmptyBoard, FailedBoard, PausedNote } from "./BoardStates";
import { columnWidths } from "./columns";
import { FILTERS, type Filter } from "./filters";
import { formatOf } from "./LeaderboardCard";
import { MyRowPill } from "./MyRowPill";
import { Podium } from "./Podium";
import { TableHead } from "./TableHead";

const ROW = 56;
const TABLE_HEAD = 36;
const PODIUM_ROWS = 3;
/** The podium is higher than the rows it stands for; see Podium. */
const PODIUM = { height: 232, head: 232 - PODIUM_ROWS * ROW };
const FOLD_AT = 24;

export function RankingBoard({ board }: { board: Board }) {
  const ref = useBoardRef();
  const [filter, setFilter] = useState<Filter>("all");
  const me = useMe(ref);
  const around = filter === "around";
  const [wanted, setWanted] = useState<number | null>(null);
  return (
    <section
      aria-label={text.board.title}
      className="@container flex min-h-0 flex-col overflow-hidden panel max-sm:rounded-none max-sm:border-x-0"
    >
      <BoardHead
        board={board}
        filter={filter}
        onFilter={setFilter}
        myRank={me?.rank ?? null}
        onJump={(rank) => {
          setFilter("all");
          setWanted(rank - 1);
        }}
      />
      <PausedNote />
      {around ? (
        <AroundMe board={board} me={me} />
      ) : (
        <Table
          key={`${ref.board} ${ref.season}`}
          board={board}
          most={FILTERS[filter].most}
          wanted={wanted}
          onArrived={() => setWanted(null)}
        />
      )}
    </section>
  );
}

interface TableProps {
  board: Board;
  most: number;
  /** A row to go to, from 0. */
  wanted: number | null;
  onArrived: () => void;
}

function Table({ board, most, wanted, onArrived }: TableProps) {
  const ref = useBoardRef();
  const state = useLive((live) => live.state);
  const fresh = useIsFresh();
  const me = useMe(ref);
  // As state and not as references: they come and go with what there is to show.
  const [scrolled, setScrolled] = useState<HTMLElement | null>(null);
  const [body, setBody] = useState<HTMLElement | null>(null);
  const held = useHold(body);
  const { shown, waiting } = useHeld(state, held);
  const [range, setRange] = useState({ first: 0, last: 20 });
  const rows = useRows({ ref, live: shown, fresh, most, range, held });
  const head = rows.count > 0 ? PODIUM.head : 0;
  const scroll = useLongScroll(scrolled, {
    count: rows.count,
    height: ROW,
    head,
    covered: TABLE_HEAD,
  });
  const { settled, scrollToRow } = scroll;
  useEffect(() => setRange(settled), [settled]);
  useEffect(() => {
    if (wanted === null || rows.count === 0) return;
    scrollToRow(Math.min(wanted, rows.count - 1));
    onArrived();
  }, [wanted, rows.count, scrollToRow, onArrived]);

  const [inFirstRows, setInFirstRows] = useState(false);
  const folded = scroll.top > FOLD_AT || inFirstRows;
  const best = rows.at(0);
  const first = usePodium(rows.at(0), rows.at(1), rows.at(2));
  const widths = useMemo(
    () => columnWidths(formatNumber(rows.count), formatOf(board)(best?.total_score ?? 0)),
    [rows.count, board, best?.total_score],
  );

  if (rows.error !== null && rows.count === 0) {
    return <FailedBoard error={rows.error} onRetry={rows.retry} />;
  }
  if (shown.seq >= 0 && rows.count === 0) return <EmptyBoard />;
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={setScrolled}
        tabIndex={0}
        role="table"
        id="board"
        aria-label={text.board.table}
        aria-rowcount={rows.count + 1}
        style={{ ...widths, ["--row" as string]: `${ROW}px` }}
        className="relative min-h-0 flex-1 overflow-y-auto overscroll-contain [scrollbar-gutter:stable] focus-visible:-outline-offset-2"
      >
        <TableHead height={TABLE_HEAD} />
        <div
          ref={setBody}
          role="rowgroup"
          className="relative"
          style={{ height: rows.count === 0 ? "100%" : scroll.barHeight }}
          onFocus={(event) => setInFirstRows(isInFirstRows(event.target))}
          onBlur={() => setInFirstRows(false)}
        >
          {rows.count === 0 && <RowSkeletons />}
          {first.length > 0 && (
            <Podium
              entries={first}
              boardRef={ref}
              board={board}
              myId={me?.player.user_id}
              folded={folded}
              height={PODIUM.height}
            />
          )}
          <BoardRows
            rows={rows}
            scroll={scroll}
            board={board}
            boardRef={ref}
            total={shown.totalPlayers || rows.count}
            myId={me?.player.user_id}
            rowHeight={ROW}
            head={head}
            covered={folded ? 0 : PODIUM_ROWS}
          />
        </div>
      </div>
      <MyRowPill
        rank={me?.rank ?? null}
        count={rows.count}
        scroll={scroll}
        rowHeight={ROW}
        head={head}
      />
      {held && waiting > 0 && (
        <p className="pointer-events-none absolute end-4 top-11 z-10 animate-fade-in rounded-full border hairline bg-high px-3 py-1 text-xs text-muted">
          {text.board.held(waiting)}
        </p>
      )}
    </div>
  );
}

/** What is shown while somebody aims at a row: the state as it was, and how much has come since. */
function useHeld<T extends { version: number }>(state: T, held: boolean) {
  const [kept, setKept] = useState<T | null>(null);
  if (held && kept === null) setKept(state);
  if (!held && kept !== null) setKept(null);
  const shown = held ? (kept ?? state) : state;
  return { shown, waiting: Math.max(0, state.version - shown.version) };
}

function usePodium(...entries: (Entry | undefined)[]): readonly Entry[] {
  const [one, two, three] = entries;
  return useMemo(
    () => [one, two, three].filter((each) => each !== undefined && each.rank <= PODIUM_ROWS),
    [one, two, three],
  ) as readonly Entry[];
}

function isInFirstRows(element: Element): boolean {
  const row = element.closest("[aria-rowindex]")?.getAttribute("aria-rowindex");
  return row !== null && row !== undefined && Number(row) - 2 < PODIUM_ROWS;
}
