/** Signing out for good: a step of its own, which shows what brings the player back. */
import { useState } from "react";
import { type Account, recoveryCode, useSession } from "../../context/sessionStore";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";

interface SignOutProps {
  account: Account;
  onStay: () => void;
}

export function SignOut({ account, onStay }: SignOutProps) {
  const signOut = useSession((session) => session.signOut);
  const [said, setSaid] = useState("");
  const code = recoveryCode(account);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code);
      setSaid(text.account.copied);
    } catch {
      // Without a secure context there is no clipboard: the code can be selected.
      setSaid("");
    }
  };
  return (
    <div
      role="group"
      aria-label={text.account.signOut}
      className="mt-4 border-t hairline pt-3 text-sm"
    >
      <p className="mb-2 text-muted">{text.account.signOutHint}</p>
      <p className="mb-2">
        <span className="sr-only">{text.account.code}: </span>
        <code
          data-testid="recovery-code"
          className="block rounded-sm bg-ground p-2 break-all select-all"
        >
          {code}
        </code>
      </p>
      <div className="flex flex-wrap items-center gap-2">
        <Button size="small" onClick={() => void copy()}>
          {text.account.copy}
        </Button>
        <Button size="small" onClick={signOut}>
          {text.account.signOut}
        </Button>
        <Button size="small" look="quiet" onClick={onStay}>
          {text.account.stay}
        </Button>
        <span role="status" className="text-xs text-muted">
          {said}
        </span>
      </div>
    </div>
  );
}
