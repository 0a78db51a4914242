import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { boardPath, DEFAULT_BOARD } from "../../hooks/useBoardRef";
import { authQuery } from "../../utils/api/queries";
import { text } from "../../utils/text";
import { PlayerSearch } from "../player/PlayerSearch";
import { BoardPicker } from "./BoardPicker";
import { ConnectionBadge } from "./ConnectionBadge";

export function Header() {
  return (
    <header className="relative z-30 flex h-14 low:h-11 shrink-0 items-center gap-3 border-b hairline bg-ground/85 px-3 sm:px-5">
      <Link
        to={boardPath({ board: DEFAULT_BOARD })}
        className="flex items-center gap-2.5 rounded-sm text-base font-semibold tracking-tight"
      >
        <Mark />
        <span className="max-sm:sr-only [font-stretch:112%]">{text.appName}</span>
      </Link>
      <OpenModeTag />
      <BoardPicker />
      <div className="ms-auto flex min-w-0 items-center gap-3">
        <PlayerSearch />
        <ConnectionBadge />
      </div>
    </header>
  );
}

/** Says so where nobody is asked who they are. */
function OpenModeTag() {
  const { data: auth } = useQuery(authQuery);
  if (auth?.mode !== "open") return null;
  return (
    <span
      title={text.openModeHint}
      className="rounded-full border hairline px-2 py-0.5 text-xs whitespace-nowrap text-muted max-md:hidden"
    >
      {text.openMode}
    </span>
  );
}

/** Three bars of a podium, the highest one lit: the app's sign. */
function Mark() {
  return (
    <svg viewBox="0 0 24 24" className="size-6" aria-hidden="true">
      <rect x="2" y="13" width="5.5" height="9" rx="1.2" className="fill-edge" />
      <rect x="9.25" y="3" width="5.5" height="19" rx="1.2" className="fill-you" />
      <rect x="16.5" y="9" width="5.5" height="13" rx="1.2" className="fill-edge" />
    </svg>
  );
}
