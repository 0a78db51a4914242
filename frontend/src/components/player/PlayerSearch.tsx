/** The way to any player's page, from every page. */
import { useState } from "react";
import { useNavigate } from "react-router";
import { playerPath, useBoardRef } from "../../hooks/useBoardRef";
import { text } from "../../utils/text";
import { PlayerCombobox } from "./PlayerCombobox";

export function PlayerSearch() {
  const ref = useBoardRef();
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  return (
    <PlayerCombobox
      label={text.search.label}
      placeholder={text.search.placeholder}
      typed={typed}
      onType={setTyped}
      onChoose={(choice) => {
        if (choice.kind === "player") void navigate(playerPath(ref, choice.player.user_id));
      }}
      className="w-full max-w-64 min-w-0"
      inputClassName="h-9 w-full rounded-sm border hairline bg-raised ps-9 pe-3 text-sm placeholder:text-muted hover:border-edge"
    />
  );
}
