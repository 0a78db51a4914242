/** A player's row on the board. Drawn again only if its own entry changed. */
import { memo, useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { playerPath } from "../../hooks/useBoardRef";
import { useServerNow } from "../../hooks/useNow";
import type { BoardRef } from "../../utils/api/client";
import type { Board, Entry } from "../../utils/api/types";
import {
  formatAgo,
  formatMoment,
  formatNumber,
  formatScore,
  formatShare,
} from "../../utils/format";
import { isBusy } from "../../utils/motion";
import { percentileOf, tierAt } from "../../utils/standing";
import { text } from "../../utils/text";
import { Avatar } from "../ui/Avatar";
import { ChangeChip } from "../ui/ChangeChip";
import { RollingNumber } from "../ui/RollingNumber";
import { TierEmblem } from "../ui/TierEmblem";
import { Name } from "../ui/Words";
import { fromMedium, fromWide, rowGrid } from "./columns";

const PLACE_COLORS: Record<number, string> = {
  1: "text-gold",
  2: "text-silver",
  3: "text-bronze",
};

interface LeaderboardCardProps {
  entry: Entry;
  boardRef: BoardRef;
  board: Board;
  /** Which of the board's tiers the rank is in, from 0; -1 for none. */
  tier: number;
  mine: boolean;
  /** Whether Tab stops here: at one row of a list. */
  tabStop: boolean;
}

export const LeaderboardCard = memo(function LeaderboardCardView({
  entry,
  boardRef,
  board,
  tier,
  mine,
  tabStop,
}: LeaderboardCardProps) {
  const { rank, user_id: userId, username } = entry;
  const change = useChange(rank);
  const format = formatOf(board);
  const tierName = board.tiers[tier]?.name;
  return (
    <div
      className={`${rowGrid} h-full cursor-pointer border-b hairline transition-colors duration-150 hover:bg-high/70 in-data-stacked:py-0.5 ${
        mine
          ? "forced-colors:outline-2 forced-colors:-outline-offset-2 bg-you/9 shadow-[inset_3px_0_0_var(--color-you)] rtl:shadow-[inset_-3px_0_0_var(--color-you)]"
          : ""
      }`}
    >
      <span
        role="cell"
        className={`numeral text-sm font-semibold @xl:text-base in-data-stacked:row-span-2 ${PLACE_COLORS[rank] ?? (mine ? "text-you" : "text-muted")}`}
      >
        {formatNumber(rank)}
      </span>
      <span role="cell" className="flex min-w-0 items-center gap-3">
        <Avatar seed={userId} size={34} className="in-data-stacked:size-6" />
        <span className="flex min-w-0 items-center gap-2">
          <Link
            to={playerPath(boardRef, userId)}
            tabIndex={tabStop ? 0 : -1}
            className="flex min-w-0 rounded-sm font-medium hover:text-you"
            title={username}
          >
            <Name>{username}</Name>
          </Link>
          {tierName !== undefined && <TierEmblem at={tier} name={tierName} />}
          {mine && <span className="text-xs font-semibold text-you">{text.board.you}</span>}
          {change !== null && (
            <span key={change.count} className="animate-chip">
              <ChangeChip places={change.places} />
            </span>
          )}
        </span>
      </span>
      <span role="cell" className={`${fromMedium} numeral text-end text-sm text-muted`}>
        {formatNumber(entry.games_played)}
      </span>
      <span role="cell" className={`${fromMedium} numeral text-end text-sm text-muted`}>
        <WinRate value={entry.win_rate} />
      </span>
      <span role="cell" className={`${fromWide} text-end text-sm text-muted`}>
        <Ago at={entry.achieved_at} />
      </span>
      <span
        role="cell"
        className={`numeral text-end text-base font-semibold whitespace-nowrap @xl:text-lg in-data-stacked:text-base in-data-stacked:leading-5 ${mine ? "text-you" : ""}`}
      >
        <RollingNumber value={entry.total_score} format={format} calm={isBusy(performance.now())} />
      </span>
    </div>
  );
});

/** By how many places the row moved the last time, for the chip that fades. */
function useChange(rank: number): { places: number; count: number } | null {
  const [change, setChange] = useState<{ places: number; count: number } | null>(null);
  const before = useRef(rank);
  useEffect(() => {
    const places = before.current - rank;
    before.current = rank;
    if (places !== 0) setChange((last) => ({ places, count: (last?.count ?? 0) + 1 }));
  }, [rank]);
  return change;
}

const formats = new Map<string, (value: number) => string>();

/** The board's way to write scores: one function a style, so that rows needn't be drawn again. */
export function formatOf({ decimals, unit }: Board): (value: number) => string {
  const key = `${decimals} ${unit}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = (value) => formatScore(value, { decimals, unit });
    formats.set(key, format);
  }
  return format;
}

function WinRate({ value }: { value: number | null }) {
  if (value !== null) return formatShare(value);
  return (
    <>
      <span aria-hidden="true">–</span>
      <span className="sr-only">{text.board.noRate}</span>
    </>
  );
}

function Ago({ at }: { at: string }) {
  const now = useServerNow();
  const date = new Date(at);
  return (
    <time dateTime={at} title={formatMoment(date)}>
      {formatAgo(date, new Date(now))}
    </time>
  );
}

/** Which of a board's tiers a rank is in, from 0; -1 for none. */
export function tierOf(rank: number, total: number, board: Board): number {
  return rank > total ? -1 : (tierAt(percentileOf(rank, total), board.tiers)?.at ?? -1);
}
