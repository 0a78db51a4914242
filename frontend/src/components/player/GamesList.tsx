/** A player's games, newest first. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useServerNow } from "../../hooks/useNow";
import { sessionsQuery } from "../../utils/api/queries";
import type { Session } from "../../utils/api/types";
import { formatAgo, formatDuration, formatMoment, formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Skeleton";

export function GamesList({ userId }: { userId: number }) {
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useInfiniteQuery(
    { ...sessionsQuery(userId), refetchInterval: 10_000 },
  );
  const games = data?.pages.flatMap((page) => page.sessions);
  return (
    <section aria-labelledby="games" className="panel p-4">
      <h2 id="games" className="mb-2 text-sm font-semibold text-muted">
        {text.player.sessions}
      </h2>
      {games === undefined && error === null && <Skeleton className="h-24 w-full" />}
      {games === undefined && error !== null && (
        <div role="alert" className="text-sm">
          <p className="mb-3 text-muted">{text.player.sessionsFailed}</p>
          <Button size="small" onClick={() => void refetch()}>
            <Icon name="retry" className="size-4!" />
            {text.board.retry}
          </Button>
        </div>
      )}
      {games?.length === 0 && <p className="text-sm text-muted">{text.player.sessionsEmpty}</p>}
      {games !== undefined && games.length > 0 && <GamesTable games={games} />}
      {hasNextPage && (
        <Button
          size="small"
          className="mt-3"
          disabled={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          {text.player.more}
        </Button>
      )}
    </section>
  );
}

function GamesTable({ games }: { games: readonly Session[] }) {
  const now = useServerNow();
  return (
    <table className="w-full text-sm">
      <thead className="text-xs text-muted">
        <tr className="border-b hairline">
          <th className="py-2 text-start font-normal">{text.player.time}</th>
          <th className="max-xs:hidden w-full px-2 py-2 text-start font-normal">
            {text.player.mode}
          </th>
          <th className="px-2 py-2 text-end font-normal max-sm:hidden">{text.player.duration}</th>
          <th className="px-2 py-2 text-start font-normal max-xs:hidden">{text.player.result}</th>
          <th className="py-2 text-end font-normal">{text.player.score}</th>
        </tr>
      </thead>
      <tbody>
        {games.map((game) => {
          const at = new Date(game.played_at);
          return (
            <tr key={game.session_id} className="border-b hairline last:border-0">
              <td className="max-w-24 py-2 whitespace-nowrap text-muted">
                <time dateTime={game.played_at} title={formatMoment(at)}>
                  {formatAgo(at, new Date(now))}
                </time>
                <span className="block truncate xs:hidden">{game.game_mode}</span>
              </td>
              <td className="max-xs:hidden max-w-0 truncate px-2 py-2" title={game.game_mode}>
                {game.game_mode}
              </td>
              <td className="numeral px-2 py-2 text-end text-muted max-sm:hidden">
                {game.duration_ms === null ? "–" : formatDuration(game.duration_ms)}
              </td>
              <td className="px-2 py-2 max-xs:hidden">
                <Result won={game.won} />
              </td>
              <td className="numeral py-2 text-end font-semibold whitespace-nowrap">
                {formatNumber(game.score)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Result({ won }: { won: boolean | null }) {
  if (won === null) return <span className="text-muted">–</span>;
  return (
    <span className={won ? "text-up" : "text-down"}>
      {won ? text.player.won : text.player.lost}
    </span>
  );
}
