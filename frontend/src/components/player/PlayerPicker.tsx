/** "Who are you?": an account of this device, a player there is, or a new one. */
import { useQuery } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { useDrafts } from "../../context/draftStore";
import { useSession } from "../../context/sessionStore";
import { useJoin } from "../../hooks/useJoin";
import { toProblem } from "../../utils/api/problem";
import { authQuery } from "../../utils/api/queries";
import { text } from "../../utils/text";
import { later } from "../layout/later";
import { Avatar } from "../ui/Avatar";
import { inputClass } from "../ui/Field";
import { Words } from "../ui/Words";
import { type Choice, PlayerCombobox } from "./PlayerCombobox";

const Recover = later(async () => (await import("./Recover")).Recover);

export function PlayerPicker() {
  const become = useSession((session) => session.become);
  const typed = useDrafts((drafts) => drafts.name);
  const { join, mayJoin } = useJoin();
  const choose = (choice: Choice) => {
    if (choice.kind === "player") become(choice.player);
    else join.mutate(choice.name);
  };
  return (
    <>
      <OwnAccounts />
      <PlayerCombobox
        label={text.search.pickLabel}
        placeholder={text.search.pickPlaceholder}
        typed={typed}
        onType={(name) => useDrafts.setState({ name })}
        offerNew={mayJoin}
        onChoose={choose}
        inputClassName={`${inputClass} ps-9!`}
      />
      {join.isError && (
        <p role="alert" className="mt-2 text-xs text-down">
          {describe(join.error)}
        </p>
      )}
      <RecoveryCode />
    </>
  );
}

function OwnAccounts() {
  const others = useSession((session) => session.others);
  const become = useSession((session) => session.become);
  if (others.length === 0) return null;
  return (
    <ul aria-label={text.account.yours} className="mb-3 space-y-1">
      {others.map(({ player }) => (
        <li key={player.user_id}>
          <button
            type="button"
            onClick={() => become(player)}
            className="flex min-h-11 w-full items-center gap-3 rounded-sm border border-edge px-3 text-start text-sm hover:bg-high"
          >
            <Avatar seed={player.user_id} size={28} />
            <span className="min-w-0">
              <Words>{text.account.continueAs(player.username)}</Words>
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Where everything is open there are no secrets, and so no codes. */
function RecoveryCode() {
  const { data: auth } = useQuery(authQuery);
  const [open, setOpen] = useState(false);
  if (auth?.mode !== "closed") return null;
  return (
    <div className="mt-3">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="rounded-sm text-sm text-muted hover:text-ink"
      >
        {text.account.recover}
      </button>
      {open && (
        <Suspense fallback={<div className="h-28" />}>
          <Recover />
        </Suspense>
      )}
    </div>
  );
}

function describe(error: Error): string {
  const problem = toProblem(error);
  if (problem.code === "username-taken") return text.search.taken;
  return problem.fields["username"] ?? problem.message;
}
