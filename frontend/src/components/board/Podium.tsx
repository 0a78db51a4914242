/**
 * The first three, above the rows. It stands where rows 1 to 3 stand and folds into them when the
 * reader scrolls; those who listen or use the keyboard find the rows, so here is only the picture.
 */
import { memo, useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { playerPath } from "../../hooks/useBoardRef";
import type { BoardRef } from "../../utils/api/client";
import type { Board, Entry } from "../../utils/api/types";
import { Avatar } from "../ui/Avatar";
import { Icon } from "../ui/Icon";
import { RollingNumber } from "../ui/RollingNumber";
import { Name } from "../ui/Words";
import { formatOf } from "./LeaderboardCard";

interface PodiumProps {
  entries: readonly Entry[];
  boardRef: BoardRef;
  board: Board;
  myId: number | undefined;
  folded: boolean;
  height: number;
  /** Class of the size at which three scores fit side by side. */
  scoreSize: string;
}

/** By place: where it stands, how high, and in which light. */
const STANDS: Record<number, { at: string; high: string; light: string; step: string }> = {
  1: { at: "start-1/3", high: "bottom-0 top-0", light: "text-gold", step: "h-14 @xl:h-18" },
  2: { at: "start-0", high: "bottom-0 top-0", light: "text-silver", step: "h-9 @xl:h-12" },
  3: { at: "start-2/3", high: "bottom-0 top-0", light: "text-bronze", step: "h-6 @xl:h-8" },
};

export function Podium({ entries, boardRef, board, myId, folded, height, scoreSize }: PodiumProps) {
  // In order of ids: an element that changes its place among others would lose its way there.
  const stable = [...entries].sort((a, b) => a.user_id - b.user_id);
  return (
    <div
      aria-hidden="true"
      style={{ height }}
      className={`absolute inset-x-0 top-0 z-2 overflow-hidden border-b hairline transition-[opacity,transform] duration-200 ease-glide ${
        folded ? "pointer-events-none -translate-y-2 opacity-0" : "opacity-100"
      }`}
    >
      {stable.map((entry) => (
        <Stand
          key={entry.user_id}
          entry={entry}
          boardRef={boardRef}
          board={board}
          mine={entry.user_id === myId}
          scoreSize={scoreSize}
        />
      ))}
    </div>
  );
}

interface StandProps {
  entry: Entry;
  boardRef: BoardRef;
  board: Board;
  mine: boolean;
  scoreSize: string;
}

const Stand = memo(function StandView({ entry, boardRef, board, mine, scoreSize }: StandProps) {
  const stand = STANDS[entry.rank];
  const pulse = usePulse(entry.rank === 1);
  if (stand === undefined) return null;
  const leads = entry.rank === 1;
  return (
    <div
      data-player={entry.user_id}
      className={`absolute flex w-1/3 cursor-pointer flex-col items-center justify-end transition-[inset-inline-start] duration-300 ease-glide ${stand.at} ${stand.high}`}
    >
      <div className="relative mb-1.5 grid place-items-center">
        {leads && (
          <span className="absolute size-24 rounded-full bg-[radial-gradient(closest-side,rgb(255_207_92/0.28),transparent)]" />
        )}
        {pulse && (
          <span className="absolute size-16 animate-pulse-once rounded-full border-2 border-gold" />
        )}
        {leads && <Icon name="crown" className="absolute -top-5 size-5! text-gold" />}
        <Avatar
          seed={entry.user_id}
          size={leads ? 56 : 44}
          className={`relative rounded-lg! ${leads ? "ring-1 ring-gold/70" : ""} ${mine ? "ring-2 ring-you" : ""}`}
        />
      </div>
      <Link
        to={playerPath(boardRef, entry.user_id)}
        tabIndex={-1}
        className={`flex max-w-full px-2 text-sm font-semibold hover:text-you @xl:text-base ${mine ? "text-you" : ""}`}
      >
        <Name>{entry.username}</Name>
      </Link>
      <span className={`numeral font-semibold whitespace-nowrap ${scoreSize} ${stand.light}`}>
        <RollingNumber value={entry.total_score} format={formatOf(board)} />
      </span>
      <div
        className={`numeral mt-1.5 flex w-[calc(100%-0.5rem)] items-start justify-center rounded-t-sm border border-b-0 hairline bg-gradient-to-b from-high to-raised pt-1 text-base font-bold @xl:text-lg ${stand.step} ${stand.light}`}
      >
        {entry.rank}
      </div>
    </div>
  );
});

/** True for a moment after somebody has come to lead. */
function usePulse(leads: boolean): boolean {
  const [pulses, setPulses] = useState(false);
  const led = useRef(leads);
  useEffect(() => {
    if (led.current === leads) return;
    led.current = leads;
    if (!leads) return;
    setPulses(true);
    const timer = setTimeout(() => setPulses(false), 1_700);
    return () => clearTimeout(timer);
  }, [leads]);
  return pulses;
}
