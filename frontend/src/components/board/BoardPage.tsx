import { useBoard } from "../../hooks/useBoard";
import { useIsWide } from "../../hooks/useMedia";
import { useTitle } from "../../hooks/useTitle";
import type { Board } from "../../utils/api/types";
import { text } from "../../utils/text";
import { NotFound } from "../layout/NotFound";
import { JustNow } from "../player/JustNow";
import { UserRankCard } from "../player/UserRankCard";
import { ScoreSubmissionForm } from "../submit/ScoreSubmissionForm";
import { BoardSkeleton } from "./BoardSkeleton";
import { FailedBoard } from "./BoardStates";
import { PhoneBar } from "./PhoneBar";
import { RankingBoard } from "./RankingBoard";

export function BoardPage() {
  const found = useBoard();
  useTitle(found.state === "there" ? `${found.board.name} · ${text.appName}` : text.appName);
  switch (found.state) {
    case "loading":
      return <BoardSkeleton />;
    case "failed":
      return (
        <main id="content" className="flex flex-1">
          <FailedBoard error={found.error} onRetry={found.retry} />
        </main>
      );
    case "unknown":
      return <NotFound title={text.board.unknown} hint={text.board.unknownHint} />;
    case "there":
      return <Arena board={found.board} />;
  }
}

function Arena({ board }: { board: Board }) {
  const wide = useIsWide();
  return (
    <>
      <main
        id="content"
        className="mx-auto grid min-h-0 w-full max-w-[86rem] flex-1 grid-rows-[minmax(0,1fr)] gap-4 sm:p-4 lg:grid-cols-[minmax(0,1fr)_21rem] 3xl:max-w-[110rem] 3xl:grid-cols-[minmax(0,1fr)_26rem]"
      >
        <RankingBoard board={board} />
        {wide && (
          <aside aria-label={text.me.title} className="flex min-h-0 flex-col gap-4 overflow-y-auto">
            <UserRankCard board={board} />
            <ScoreSubmissionForm board={board} />
            <JustNow />
          </aside>
        )}
      </main>
      {!wide && <PhoneBar board={board} />}
    </>
  );
}
