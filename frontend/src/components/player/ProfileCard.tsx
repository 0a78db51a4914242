import { useEffect, useState } from "react";
import { Link } from "react-router";
import { useSession } from "../../context/sessionStore";
import { boardPath, useBoardRef } from "../../hooks/useBoardRef";
import { useStanding } from "../../hooks/useStanding";
import type { Board, UserProfile } from "../../utils/api/types";
import { formatDay, formatFine, formatNumber, formatShare } from "../../utils/format";
import { percentileOf, tierAt } from "../../utils/standing";
import { text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { Avatar } from "../ui/Avatar";
import { Button, buttonClass } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { RollingNumber } from "../ui/RollingNumber";
import { TierEmblem } from "../ui/TierEmblem";

const PLACE_LIGHT: Record<number, string> = {
  1: "text-gold",
  2: "text-silver",
  3: "text-bronze",
};

export function ProfileCard({ player, board }: { player: UserProfile; board: Board }) {
  const { user_id: userId, username } = player;
  const mine = useSession((session) => session.player?.user_id === userId);
  return (
    <section aria-labelledby="player-name" className="panel p-4 sm:p-6">
      <div className="flex flex-wrap items-center gap-4">
        <Avatar
          seed={userId}
          size={72}
          className={`rounded-lg! ${mine ? "ring-2 ring-you" : ""}`}
        />
        <div className="min-w-0 flex-1 basis-48">
          <h1 id="player-name" className="text-xl font-semibold wrap-anywhere">
            <bdi>{username}</bdi>
          </h1>
          <p className="text-sm text-muted">
            {text.player.joined(formatDay(new Date(player.join_date)))}
          </p>
        </div>
        <Actions player={player} mine={mine} />
      </div>
      {player.is_active ? (
        <Figures userId={userId} board={board} />
      ) : (
        <p className="mt-5 border-t hairline pt-4 text-muted">{text.player.inactive}</p>
      )}
    </section>
  );
}

function Actions({ player, mine }: { player: UserProfile; mine: boolean }) {
  const ref = useBoardRef();
  const become = useSession((session) => session.become);
  return (
    <div className="flex flex-wrap items-center gap-2 max-sm:w-full">
      {mine ? (
        <span className="flex items-center gap-1.5 px-2 text-sm font-semibold text-you">
          <Icon name="check" className="size-4!" />
          {text.player.isMe}
        </span>
      ) : (
        player.is_active && (
          <Button size="small" onClick={() => become(player)}>
            {text.player.claim}
          </Button>
        )
      )}
      {mine && (
        <Link to={boardPath(ref)} className={buttonClass("plain", "small")}>
          {text.player.showOnBoard}
        </Link>
      )}
      <ShareButton title={text.player.title(player.username)} />
    </div>
  );
}

const SAID_MS = 2_500;

/** The browser's own way to share where it has one, else the address on the clipboard. */
function ShareButton({ title }: { title: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => setSaid(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const share = async () => {
    const url = location.href;
    try {
      if (navigator.share !== undefined) await navigator.share({ title, url });
      else {
        await navigator.clipboard.writeText(url);
        setSaid(text.player.copied);
      }
    } catch (error) {
      // Closing the share sheet is no failure.
      const closed = error instanceof DOMException && error.name === "AbortError";
      if (!closed) setSaid(text.player.copyFailed);
    }
  };
  return (
    <>
      <Button size="small" onClick={() => void share()}>
        <Icon name={said === text.player.copied ? "check" : "share"} className="size-4!" />
        {text.player.share}
      </Button>
      <span role="status" className="text-xs text-muted empty:hidden">
        {said}
      </span>
    </>
  );
}

function Figures({ userId, board }: { userId: number; board: Board }) {
  const ref = useBoardRef();
  const { rank, around, unranked } = useStanding(ref, userId);
  if (unranked) {
    return <p className="mt-5 border-t hairline pt-4 text-muted">{text.player.unranked}</p>;
  }
  const entry = around.find((each) => each.user_id === userId);
  const percentile =
    rank === undefined ? null : percentileOf(rank.rank, Math.max(rank.rank, rank.total_players));
  const tier = percentile === null ? null : tierAt(percentile, board.tiers);
  return (
    <dl className="mt-5 flex flex-wrap gap-x-8 gap-y-4 border-t hairline pt-4">
      <Figure label={text.player.rank}>
        {rank !== undefined && (
          <span className={PLACE_LIGHT[rank.rank] ?? ""} data-testid="player-rank">
            <RollingNumber value={rank.rank} format={formatNumber} />
            <span className="ms-1.5 text-sm font-normal whitespace-nowrap text-muted">
              {text.player.of(rank.total_players)}
            </span>
          </span>
        )}
      </Figure>
      <Figure label={text.player.score}>
        {rank !== undefined && (
          <span className="text-base whitespace-nowrap sm:text-lg">
            <RollingNumber value={rank.score} format={formatOf(board)} />
          </span>
        )}
      </Figure>
      <Figure label={text.player.tier}>
        {tier !== null && (
          <span className="flex items-center gap-2">
            <TierEmblem at={tier.at} name={tier.tier.name} size={20} />
            {tier.tier.name}
          </span>
        )}
      </Figure>
      <Figure label={text.player.percentile}>
        {percentile !== null && formatFine(percentile)}
      </Figure>
      <Figure label={text.player.games}>
        {entry !== undefined && formatNumber(entry.games_played)}
      </Figure>
      <Figure label={text.player.winRate}>
        {entry !== undefined && (entry.win_rate === null ? "–" : formatShare(entry.win_rate))}
      </Figure>
    </dl>
  );
}

function Figure({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="min-w-26 max-w-full">
      <dt className="text-xs text-muted">{label}</dt>
      <dd className="numeral mt-0.5 min-h-7 text-lg font-semibold">{children}</dd>
    </div>
  );
}
