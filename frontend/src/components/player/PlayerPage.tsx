/** One player: who, where on the board, how that came about, and the games. */
import { useQuery } from "@tanstack/react-query";
import { Link, useLocation, useParams } from "react-router";
import { useBoard } from "../../hooks/useBoard";
import { boardPath, useBoardRef } from "../../hooks/useBoardRef";
import type { FromBoard } from "../../hooks/useBoardView";
import { useTitle } from "../../hooks/useTitle";
import { Problem } from "../../utils/api/problem";
import { userQuery } from "../../utils/api/queries";
import type { Board } from "../../utils/api/types";
import { text } from "../../utils/text";
import { FailedBoard } from "../board/BoardStates";
import { NotFound } from "../layout/NotFound";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Skeleton";
import { GamesList } from "./GamesList";
import { HistoryPanel } from "./HistoryPanel";
import { Neighbours } from "./Neighbours";
import { ProfileCard } from "./ProfileCard";

export function PlayerPage() {
  const { id = "" } = useParams();
  const found = useBoard();
  const userId = /^\d{1,15}$/.test(id) ? Number(id) : 0;
  const ref = useBoardRef();
  const from = useLocation().state as FromBoard | null;
  const back = from?.board ?? boardPath(ref);
  const user = useQuery({ ...userQuery(userId), enabled: userId > 0 });
  const { data: player, error } = user;
  useTitle(player === undefined ? text.appName : text.player.title(player.username));
  if (userId === 0 || (error instanceof Problem && error.status === 404)) {
    return <NotFound title={text.player.unknown} hint={text.player.unknownHint} />;
  }
  if (found.state === "unknown") {
    return <NotFound title={text.board.unknown} hint={text.board.unknownHint} />;
  }
  const failed = found.state === "failed" ? found.error : player === undefined && error;
  if (failed) {
    const retry = () => {
      if (found.state === "failed") found.retry();
      void user.refetch();
    };
    return (
      <main id="content" className="flex flex-1">
        <FailedBoard error={failed} onRetry={retry} />
      </main>
    );
  }
  return (
    <main id="content" className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-5xl space-y-4 p-3 pb-12 sm:p-5">
        <Link
          to={back}
          className="inline-flex h-9 items-center gap-2 rounded-sm pe-2 text-sm text-muted hover:text-ink"
        >
          <Icon name="back" className="size-4!" />
          {text.player.back}
        </Link>
        {player === undefined || found.state !== "there" ? (
          <PageSkeleton />
        ) : (
          <>
            <ProfileCard player={player} board={found.board} />
            <Details userId={userId} board={found.board} key={userId} />
          </>
        )}
      </div>
    </main>
  );
}

function Details({ userId, board }: { userId: number; board: Board }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="min-w-0 space-y-4">
        <HistoryPanel userId={userId} board={board} />
        <GamesList userId={userId} />
      </div>
      <Neighbours userId={userId} board={board} />
    </div>
  );
}

function PageSkeleton() {
  return (
    <div aria-busy="true" className="space-y-4">
      <div className="flex items-center gap-4 panel p-5">
        <Skeleton className="size-20" />
        <div className="space-y-3">
          <Skeleton className="h-7 w-48" />
          <Skeleton className="h-4 w-32" />
        </div>
      </div>
      <Skeleton className="h-72 w-full" />
    </div>
  );
}
