/** "Who are you?": a player there is, or a new one. */
import { useSession } from "../../context/sessionStore";
import { useJoin } from "../../hooks/useJoin";
import { toProblem } from "../../utils/api/problem";
import { text } from "../../utils/text";
import { inputClass } from "../ui/Field";
import { type Choice, PlayerCombobox } from "./PlayerCombobox";

export function PlayerPicker() {
  const become = useSession((session) => session.become);
  const { join, mayJoin } = useJoin();
  const choose = (choice: Choice) => {
    if (choice.kind === "player") become(choice.player);
    else join.mutate(choice.name);
  };
  return (
    <PlayerCombobox
      label={text.search.pickLabel}
      placeholder={text.search.pickPlaceholder}
      offerNew={mayJoin}
      onChoose={choose}
      inputClassName={`${inputClass} ps-9!`}
    >
      {join.isError && (
        <p role="alert" className="mt-2 text-xs text-down">
          {describe(join.error)}
        </p>
      )}
    </PlayerCombobox>
  );
}

function describe(error: Error): string {
  const problem = toProblem(error);
  if (problem.code === "username-taken") return text.search.taken;
  return problem.fields["username"] ?? problem.message;
}
