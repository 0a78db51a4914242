/** The live board: podium, rows, and the way to any of them. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useLive } from "../../context/liveStore";
import { useBoardRef } from "../../hooks/useBoardRef";
import { readTopRank, useFilter, useOpenPlayer, writeTopRank } from "../../hooks/useBoardView";
import { useIsFresh } from "../../hooks/useFreshness";
import { useHold } from "../../hooks/useHold";
import { type LongScroll, useLongScroll } from "../../hooks/useLongScroll";
import { useMe, useMine } from "../../hooks/useMe";
import { useRowSizes } from "../../hooks/useMedia";
import { useRowKeys } from "../../hooks/useRowKeys";
import { type Rows, useRows } from "../../hooks/useRows";
import { type Size, useSize } from "../../hooks/useSize";
import type { Board, Entry } from "../../utils/api/types";
import { FILTERS } from "../../utils/filters";
import { formatNumber } from "../../utils/format";
import { longestOf, podiumSize, shapeRows } from "../../utils/rowShape";
import { text } from "../../utils/text";
import { AroundMe } from "./AroundMe";
import { BoardHead } from "./BoardHead";
import { BoardRows, RowSkeletons } from "./BoardRows";
import { EmptyBoard, FailedBoard, PausedNote } from "./BoardStates";
import { shapeOf } from "./columns";
import { formatOf } from "./LeaderboardCard";
import { MyRowPill } from "./MyRowPill";
import { Podium } from "./Podium";
import { TableHead } from "./TableHead";

const PODIUM_ROWS = 3;
const PODIUM_HEIGHT = 232;
/** A podium leaves room for so many rows below it, or there is none. */
const ROWS_BELOW = 2;
const FOLD_AT = 24;
/** When the hand has rested for so long, its place is written to the address. */
const REST_MS = 150;

export function RankingBoard({ board }: { board: Board }) {
  const ref = useBoardRef();
  const [filter, setFilter] = useFilter();
  const me = useMe(ref);
  const [wanted, setWanted] = useState<number | null>(null);
  const openPlayer = useOpenPlayer(ref);
  return (
    <section
      aria-label={text.board.title}
      onClickCapture={openPlayer}
      className="@container flex min-h-0 flex-col overflow-hidden panel max-sm:rounded-none max-sm:border-x-0"
    >
      <BoardHead
        board={board}
        filter={filter}
        onFilter={setFilter}
        me={me}
        onJump={(rank) => {
          setFilter("all");
          setWanted(rank - 1);
        }}
      />
      <PausedNote />
      {filter === "around" ? (
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

/** Rows from 0, both included. */
interface Range {
  first: number;
  last: number;
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
  const mine = useMine();
  // As state and not as references: they come and go with what there is to show.
  const [scrolled, setScrolled] = useState<HTMLElement | null>(null);
  const [body, setBody] = useState<HTMLElement | null>(null);
  const size = useSize(scrolled);
  const held = useHold(body);
  const { shown, waiting } = useHeld(state, held);
  const [range, setRange] = useState<Range>({ first: 0, last: 20 });
  const rows = useRows({ ref, live: shown, fresh, most, range, held, mine });

  const first = usePodium(rows.at(0), rows.at(1), rows.at(2));
  const { row, tableHead, head, scoreSize, shape } = useShape(size, rows, range, board);

  const scroll = useLongScroll(scrolled, {
    count: rows.count,
    height: row,
    head,
    covered: tableHead,
  });
  const { settled, scrollToRow, revealRow } = scroll;
  useEffect(() => setRange(settled), [settled]);
  useEffect(() => {
    if (wanted === null || rows.count === 0) return;
    scrollToRow(Math.min(wanted, rows.count - 1));
    onArrived();
  }, [wanted, rows.count, scrollToRow, onArrived]);
  useStart(most, scroll);
  useKeptPlace(scrolled, scroll, rows.count);

  const list = useRef<HTMLElement | null>(null);
  const { keys, stop } = useRowKeys(list, {
    count: rows.count,
    ...scroll.visible,
    reveal: revealRow,
  });
  const [inFirstRows, setInFirstRows] = useState(false);
  const folded = scroll.top > FOLD_AT || inFirstRows;
  const take = useCallback((element: HTMLElement | null) => {
    list.current = element;
    setScrolled(element);
  }, []);

  if (rows.error !== null && rows.count === 0) {
    return <FailedBoard error={rows.error} onRetry={rows.retry} />;
  }
  if (shown.seq >= 0 && rows.count === 0) return <EmptyBoard board={board} />;
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={take}
        tabIndex={-1}
        role="table"
        id="board"
        aria-label={text.board.table}
        aria-rowcount={rows.count + 1}
        {...shapeOf(shape)}
        style={{ ...shape.widths, ["--row" as string]: `${row}px` }}
        className="relative min-h-0 flex-1 overflow-x-hidden overflow-y-auto overscroll-contain [scrollbar-gutter:stable] focus-visible:-outline-offset-2"
        {...keys}
      >
        <TableHead height={tableHead} />
        <div
          ref={setBody}
          role="rowgroup"
          className="relative"
          style={{ height: rows.count === 0 ? "100%" : scroll.barHeight }}
          onFocus={(event) => setInFirstRows(isInFirstRows(event.target))}
          onBlur={() => setInFirstRows(false)}
        >
          {rows.count === 0 && <RowSkeletons />}
          {scoreSize !== null && first.length > 0 && (
            <Podium
              entries={first}
              boardRef={ref}
              board={board}
              myId={me?.player.user_id}
              folded={folded}
              height={PODIUM_HEIGHT}
              scoreSize={scoreSize}
            />
          )}
          <BoardRows
            rows={rows}
            scroll={scroll}
            board={board}
            boardRef={ref}
            total={shown.totalPlayers || rows.count}
            myId={me?.player.user_id}
            rowHeight={row}
            head={head}
            covered={folded || scoreSize === null ? 0 : PODIUM_ROWS}
            tabStop={stop}
          />
        </div>
      </div>
      <MyRowPill
        rank={me?.rank ?? null}
        count={rows.count}
        scroll={scroll}
        rowHeight={row}
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

/** What fits: the table's head, the podium, and name and score beside each other. */
function useShape({ width, height }: Size, rows: Rows, { first, last }: Range, board: Board) {
  const format = formatOf(board);
  const onPodium = scoresOf(rows, 0, PODIUM_ROWS - 1);
  const longest = longestOf([...onPodium, ...scoresOf(rows, first, last)], format);
  const lastRank = formatNumber(rows.count);
  const { row, tableHead } = useRowSizes();
  const roomy = rows.count > 0 && height >= tableHead + PODIUM_HEIGHT + ROWS_BELOW * row;
  const scoreSize = roomy ? podiumSize(width, longestOf(onPodium, format)) : null;
  const shape = useMemo(() => shapeRows(width, lastRank, longest), [width, lastRank, longest]);
  // The podium is higher than the rows that it stands for.
  const head = scoreSize === null ? 0 : PODIUM_HEIGHT - PODIUM_ROWS * row;
  return { row, tableHead, head, scoreSize, shape };
}

function scoresOf(rows: Rows, first: number, last: number): number[] {
  const indexes = Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
  return indexes.flatMap((index) => rows.at(index)?.total_score ?? []);
}

/** Another choice of rows begins with its first: the old place means nothing among them. */
function useStart(most: number, { goToRow }: LongScroll): void {
  const chosen = useRef(most);
  useLayoutEffect(() => {
    if (chosen.current === most) return;
    chosen.current = most;
    goToRow(0);
  }, [most, goToRow]);
}

/** Goes to the rank that the address names, once, and keeps the address up to date from then on. */
function useKeptPlace(scrolled: HTMLElement | null, scroll: LongScroll, count: number): void {
  const { rowAtTop, goToRow, viewport } = scroll;
  const restored = useRef(false);
  useEffect(() => {
    if (restored.current || count === 0 || viewport === 0) return;
    restored.current = true;
    const rank = readTopRank();
    if (rank !== null) goToRow(Math.min(rank, count) - 1);
  }, [count, viewport, goToRow]);

  useEffect(() => {
    if (scrolled === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const write = () => {
      clearTimeout(timer);
      timer = undefined;
      const row = rowAtTop();
      if (restored.current) writeTopRank(row === 0 ? null : row + 1);
    };
    const onScroll = () => {
      clearTimeout(timer);
      timer = setTimeout(write, REST_MS);
    };
    // Who leaves by a row takes along the place where it was.
    const onLeave = () => {
      if (timer !== undefined) write();
    };
    scrolled.addEventListener("scroll", onScroll, { passive: true });
    scrolled.addEventListener("pointerdown", onLeave);
    return () => {
      clearTimeout(timer);
      scrolled.removeEventListener("scroll", onScroll);
      scrolled.removeEventListener("pointerdown", onLeave);
    };
  }, [scrolled, rowAtTop]);
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
  const row = element.closest("[data-index]")?.getAttribute("data-index");
  return row !== null && row !== undefined && Number(row) < PODIUM_ROWS;
}
