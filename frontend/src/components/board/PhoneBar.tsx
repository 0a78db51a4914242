/** On a phone: my rank at the bottom, which opens as a sheet with all that is mine. */
import { useEffect, useRef, useState } from "react";
import { useBoardRef } from "../../hooks/useBoardRef";
import { useMaySubmit } from "../../hooks/useMaySubmit";
import { useMe } from "../../hooks/useMe";
import type { Board } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { JustNow } from "../player/JustNow";
import { UserRankCard } from "../player/UserRankCard";
import { ScoreSubmissionForm } from "../submit/ScoreSubmissionForm";
import { Avatar } from "../ui/Avatar";
import { Icon } from "../ui/Icon";
import { RollingNumber } from "../ui/RollingNumber";
import { Name } from "../ui/Words";

export function PhoneBar({ board }: { board: Board }) {
  const [open, setOpen] = useState(false);
  const may = useMaySubmit(board);
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        aria-haspopup="dialog"
        className="flex h-16 w-full shrink-0 items-center gap-3 border-t hairline bg-raised px-4 pb-[env(safe-area-inset-bottom)] text-start low:h-11"
      >
        <BarContent />
        <span className="sr-only">{may === "servers-only" ? text.me.openRank : text.me.open}</span>
        <Icon name="chevron" className="rotate-180 text-muted" />
      </button>
      {open && <Sheet board={board} onClose={() => setOpen(false)} />}
    </>
  );
}

function BarContent() {
  const me = useMe(useBoardRef());
  if (me === null) {
    return (
      <>
        <span className="grid size-9 low:size-7 place-items-center rounded-sm border border-dashed border-you text-you">
          <Icon name="user" />
        </span>
        <span className="flex-1 font-semibold">{text.me.pick}</span>
      </>
    );
  }
  return (
    <>
      <Avatar seed={me.player.user_id} size={36} className="ring-1 ring-you/60 low:size-7" />
      <span className="flex min-w-0 flex-1 font-semibold">
        <Name>{me.player.username}</Name>
      </span>
      {me.rank == null ? (
        <span className="text-sm text-muted">{text.me.unranked}</span>
      ) : (
        <span className="flex items-baseline gap-1.5 whitespace-nowrap">
          <span className="sr-only">{text.me.title}: </span>
          <span className="numeral text-xl font-bold text-you low:text-lg">
            <RollingNumber value={me.rank} format={formatNumber} />
          </span>
          <span className="numeral text-xs text-muted">{text.me.of(me.total)}</span>
        </span>
      )}
    </>
  );
}

/** The browser's own dialog: it keeps the focus, and Escape closes it. */
function Sheet({ board, onClose }: { board: Board; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") dialog.current?.close();
      }}
      aria-label={text.me.title}
      className="sheet m-0 mt-auto max-h-[88dvh] w-full max-w-none overflow-y-auto rounded-t-lg border-t hairline bg-ground p-3 pb-[calc(0.75rem+env(safe-area-inset-bottom))] text-ink backdrop:bg-black/60"
    >
      <div className="flex items-center justify-between ps-2">
        <p aria-hidden="true" className="text-sm font-semibold text-muted">
          {text.me.title}
        </p>
        <button
          type="button"
          onClick={() => dialog.current?.close()}
          aria-label={text.me.close}
          className="grid size-11 place-items-center rounded-sm text-muted hover:text-ink"
        >
          <Icon name="close" />
        </button>
      </div>
      <div className="space-y-3">
        <UserRankCard board={board} />
        <ScoreSubmissionForm board={board} />
        <JustNow />
      </div>
    </dialog>
  );
}
