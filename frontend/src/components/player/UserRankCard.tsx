/** Where this device's player stands, right now. */
import { useQuery } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { Link } from "react-router";
import { useLive } from "../../context/liveStore";
import { useSession } from "../../context/sessionStore";
import { playerPath, useBoardRef } from "../../hooks/useBoardRef";
import { useJoin } from "../../hooks/useJoin";
import { useMaySubmit } from "../../hooks/useMaySubmit";
import type { MyStanding } from "../../hooks/useMe";
import { useMe } from "../../hooks/useMe";
import { tiersQuery } from "../../utils/api/queries";
import type { Board, TierStanding } from "../../utils/api/types";
import { formatFine, formatNumber, formatShare } from "../../utils/format";
import { percentileOf, progress, tierAt } from "../../utils/standing";
import { text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { later } from "../layout/later";
import { Avatar } from "../ui/Avatar";
import { ChangeChip } from "../ui/ChangeChip";
import { RollingNumber } from "../ui/RollingNumber";
import { Skeleton } from "../ui/Skeleton";
import { TierEmblem } from "../ui/TierEmblem";
import { Name } from "../ui/Words";
import { PlayerPicker } from "./PlayerPicker";

const SignOut = later(async () => (await import("./SignOut")).SignOut);

export function UserRankCard({ board }: { board: Board }) {
  const me = useMe(useBoardRef());
  return (
    <section aria-labelledby="my-rank" className="panel shrink-0 p-4">
      <h2 id="my-rank" className="sr-only">
        {text.me.title}
      </h2>
      {me === null ? <Unknown /> : <Known board={board} me={me} />}
    </section>
  );
}

function Unknown() {
  const { mayJoin } = useJoin();
  return (
    <div>
      <p className="text-lg font-semibold">{text.me.pick}</p>
      <p className="mt-1 mb-4 text-sm text-muted">
        {mayJoin ? text.me.pickHint : text.me.pickOnlyHint}
      </p>
      <PlayerPicker />
    </div>
  );
}

function Known({ board, me }: { board: Board; me: MyStanding }) {
  const ref = useBoardRef();
  const leave = useSession((session) => session.leave);
  const proof = useSession((session) => session.proof);
  const [leaving, setLeaving] = useState(false);
  const may = useMaySubmit(board);
  const { player, rank } = me;
  return (
    <>
      <div className="flex items-center gap-3">
        <Avatar seed={player.user_id} size={40} className="ring-1 ring-you/60" />
        <div className="min-w-0 flex-1">
          <Link
            to={playerPath(ref, player.user_id)}
            className="flex min-h-6 rounded-sm font-semibold hover:text-you"
          >
            <Name>{player.username}</Name>
          </Link>
          <p className="flex flex-wrap gap-x-3 text-xs text-muted">
            <button type="button" onClick={leave} className="rounded-sm hover:text-ink">
              {proof === null ? text.me.change : text.me.switch}
            </button>
            {proof !== null && (
              <button
                type="button"
                aria-expanded={leaving}
                onClick={() => setLeaving(!leaving)}
                className="rounded-sm hover:text-ink"
              >
                {text.account.signOut}
              </button>
            )}
          </p>
        </div>
        {rank !== null && rank !== undefined && me.change !== 0 && (
          <span key={me.moves} className="animate-chip">
            <ChangeChip places={me.change} />
          </span>
        )}
      </div>
      {rank === undefined && <Skeleton className="mt-4 h-50 w-full" />}
      {rank === null && (
        <p className="mt-4">
          <span className="block text-lg font-semibold">{text.me.unranked}</span>
          <span className="text-sm text-muted">
            {may === "yes" ? text.me.unrankedHint : text.me.unrankedElsewhere}
          </span>
        </p>
      )}
      {rank !== null && rank !== undefined && <Standing board={board} me={me} rank={rank} />}
      {leaving && proof !== null && (
        <Suspense fallback={<div className="h-36" />}>
          <SignOut account={{ player, proof }} onStay={() => setLeaving(false)} />
        </Suspense>
      )}
    </>
  );
}

function Standing({ board, me, rank }: { board: Board; me: MyStanding; rank: number }) {
  const total = Math.max(me.total, rank);
  const percentile = percentileOf(rank, total);
  const found = tierAt(percentile, board.tiers);
  return (
    <>
      <p className="mt-4 flex h-16 items-baseline gap-2" data-testid="my-rank">
        <span className="sr-only">{text.me.standing(rank, total)}</span>
        <span
          aria-hidden="true"
          className={`numeral font-bold text-you [text-shadow:0_0_28px_rgb(56_225_255/0.35)] ${rank < 10_000 ? "text-3xl" : "text-2xl"}`}
        >
          <RollingNumber value={rank} format={formatNumber} />
        </span>
        <span aria-hidden="true" className="numeral text-sm text-muted">
          {text.me.of(total)}
        </span>
      </p>
      <p className="mt-1 text-sm text-muted">
        {rank === 1 ? text.me.best : text.me.percentile(formatFine(percentile))}
      </p>
      {found !== null && (
        <TierLine board={board} me={me} at={found.at} name={found.tier.name} rank={rank} />
      )}
      <dl className="mt-4 flex flex-wrap gap-x-6 gap-y-2 border-t hairline pt-3 text-sm">
        <Figure label={text.me.score}>
          {me.score === null ? "–" : <RollingNumber value={me.score} format={formatOf(board)} />}
        </Figure>
        <Figure label={text.me.games}>
          {me.entry === undefined ? "–" : formatNumber(me.entry.games_played)}
        </Figure>
        <Figure label={text.me.winRate}>
          {me.entry?.win_rate == null ? "–" : formatShare(me.entry.win_rate)}
        </Figure>
      </dl>
    </>
  );
}

function Figure({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="min-w-16">
      <dt className="text-xs text-muted">{label}</dt>
      <dd className="numeral font-semibold whitespace-nowrap">{children}</dd>
    </div>
  );
}

interface TierLineProps {
  board: Board;
  me: MyStanding;
  at: number;
  name: string;
  rank: number;
}

/** The tier, and how far it is to the next. */
function TierLine({ board, me, at, name, rank }: TierLineProps) {
  const ref = useBoardRef();
  const { data } = useQuery(tiersQuery(ref));
  const isLive = useLive(({ state }) => state.live);
  const next = data?.tiers[at - 1];
  const own = data?.tiers[at];
  const way = next === undefined || own === undefined ? null : measure(next, own, me, rank, board);
  return (
    <div className="mt-4" data-stale={!isLive}>
      <p className="flex items-center gap-2 text-sm">
        <TierEmblem at={at} name={name} size={20} />
        <span className="font-semibold">{name}</span>
        <span className="ms-auto truncate text-xs text-muted">
          {at === 0 ? text.me.topTier : way?.says}
        </span>
      </p>
      {at === 0 ? (
        <div className="mt-2 h-1" />
      ) : (
        <div
          role="progressbar"
          aria-label={next === undefined ? name : text.me.tierProgress(next.name)}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round((way?.done ?? 0) * 100)}
          className="mt-2 h-1 overflow-hidden rounded-full bg-high"
        >
          <div
            className="h-full origin-left bg-you forced-color-adjust-none forced-colors:bg-[Highlight] transition-transform duration-500 ease-glide rtl:origin-right"
            style={{ transform: `scaleX(${way?.done ?? 0})` }}
          />
        </div>
      )}
    </div>
  );
}

/** The way from this tier's last score to the next tier's, and what is left of it. */
function measure(
  next: TierStanding,
  own: TierStanding,
  me: MyStanding,
  rank: number,
  board: Board,
): { done: number; says: string } {
  const places = Math.max(1, rank - next.rank);
  if (next.score === null || own.score === null || me.score === null) {
    return { done: 0, says: text.me.nextTierPlaces(next.name, places) };
  }
  const points = Math.abs(next.score - me.score) + 1;
  const reached = board.sort_order === "desc" ? me.score > next.score : me.score < next.score;
  return {
    done: progress(own.score, next.score, me.score),
    says: reached
      ? text.me.nextTierNow(next.name)
      : text.me.nextTier(next.name, formatOf(board)(points)),
  };
}
