/** A name being typed, and the players it may be. */
import { useQuery } from "@tanstack/react-query";
import { useCombobox } from "downshift";
import type { ReactNode } from "react";
import { DEFAULT_BOARD } from "../../hooks/useBoardRef";
import { usePlayerSearch } from "../../hooks/usePlayerSearch";
import type { Problem } from "../../utils/api/problem";
import { boardsQuery } from "../../utils/api/queries";
import type { FoundUser } from "../../utils/api/types";
import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { Avatar } from "../ui/Avatar";
import { Icon } from "../ui/Icon";
import { Name, Words } from "../ui/Words";

/** What can be chosen: a player there is, or a name that nobody has yet. */
export type Choice = { kind: "player"; player: FoundUser } | { kind: "new"; name: string };

interface PlayerComboboxProps {
  label: string;
  placeholder: string;
  typed: string;
  onType: (typed: string) => void;
  /** Whether a name that nobody has may be chosen. */
  offerNew?: boolean;
  onChoose: (choice: Choice) => void;
  className?: string;
  inputClassName: string;
  /** Beside the list, such as an error. */
  children?: ReactNode;
}

const POPUP =
  "absolute inset-x-0 top-full z-40 mt-1 min-w-56 overflow-hidden rounded-lg border hairline bg-high shadow-float";

export function PlayerCombobox({
  label,
  placeholder,
  typed,
  onType: setTyped,
  offerNew = false,
  onChoose,
  className = "",
  inputClassName,
  children,
}: PlayerComboboxProps) {
  const { found, settled, problem } = usePlayerSearch(typed);
  const { data: boards } = useQuery(boardsQuery);
  const board = boards?.find(({ slug }) => slug === DEFAULT_BOARD);
  // Ranks and scores of the search are those of the default board.
  const format = board === undefined ? formatNumber : formatOf(board);
  const choices = listChoices(found, typed, offerNew && settled);
  const box = useCombobox<Choice>({
    items: choices,
    inputValue: typed,
    defaultHighlightedIndex: 0,
    itemToString: nameOf,
    // What is typed is set by the input's own event, see below. This is for what a key clears.
    onInputValueChange: ({ type, inputValue }) => {
      if (type !== useCombobox.stateChangeTypes.InputChange) setTyped(inputValue);
    },
    stateReducer: (_, { type, changes }) =>
      // What is half typed stays when the eye wanders, and nothing is chosen by that.
      type === useCombobox.stateChangeTypes.InputBlur
        ? { ...changes, inputValue: typed, selectedItem: null }
        : changes,
    onSelectedItemChange: ({ selectedItem }) => {
      if (selectedItem === null) return;
      // What was chosen is gone from here: the next choice starts from nothing.
      box.reset();
      onChoose(selectedItem);
    },
  });
  const open = box.isOpen && typed.trim() !== "";
  const listed = open && choices.length > 0;
  return (
    <div className={`relative ${className}`}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: downshift's properties name the input */}
      <label {...box.getLabelProps({ className: "sr-only" })}>{label}</label>
      <Icon
        name="search"
        className="pointer-events-none absolute start-3 top-1/2 size-4! -translate-y-1/2 text-muted"
      />
      <input
        {...box.getInputProps({
          placeholder,
          // At once: a value that is set later, when the input has moved on, overwrites what an
          // input method composes and takes the caret to the end.
          onChange: ({ currentTarget }) => setTyped(currentTarget.value),
          onKeyDown: ({ key, nativeEvent }) => {
            // The caret's keys, as in any field. Arrows go through the list.
            if (key === "Home" || key === "End") {
              Object.assign(nativeEvent, { preventDownshiftDefault: true });
            }
          },
          maxLength: 64,
          autoComplete: "off",
          spellCheck: false,
          className: inputClassName,
          "aria-expanded": listed,
          // It names the first choice before there is one.
          ...(listed ? {} : { "aria-activedescendant": "" }),
        })}
      />
      <ul
        {...box.getMenuProps({
          className: `${POPUP} ${listed ? "" : "hidden"}`,
        })}
      >
        {listed &&
          choices.map((choice, index) => (
            <li
              key={choice.kind === "player" ? choice.player.user_id : "new"}
              {...box.getItemProps({
                item: choice,
                index,
                className: `flex min-h-11 items-center gap-3 px-3 py-1 text-sm ${box.highlightedIndex === index ? "bg-you/15 forced-colors:outline-2 forced-colors:-outline-offset-2" : ""}`,
              })}
            >
              <Option choice={choice} format={format} />
            </li>
          ))}
      </ul>
      {open && !listed && (
        <p className={`${POPUP} p-3 text-sm text-muted`}>
          <Words>{emptyWord(problem, settled, typed.trim())}</Words>
        </p>
      )}
      <p aria-live="polite" className="sr-only">
        {open && settled && text.search.results(found.length)}
      </p>
      {children}
    </div>
  );
}

/** Where a player stands, who has a score. */
function Standing({ player, format }: { player: FoundUser; format: (score: number) => string }) {
  const { rank, total_score: score } = player;
  return (
    <span className="numeral flex flex-wrap gap-x-2 text-xs whitespace-nowrap text-muted">
      {rank !== null && <span>{text.search.rank(rank)}</span>}
      {score !== null && <span>{format(score)}</span>}
    </span>
  );
}

interface OptionProps {
  choice: Choice;
  format: (score: number) => string;
}

function Option({ choice, format }: OptionProps) {
  if (choice.kind === "player") {
    return (
      <>
        <Avatar seed={choice.player.user_id} size={28} />
        <span className="min-w-0">
          <Name>{choice.player.username}</Name>
          <Standing player={choice.player} format={format} />
        </span>
      </>
    );
  }
  return (
    <>
      <span className="grid size-7 place-items-center rounded-sm border border-dashed border-you text-you">
        <Icon name="plus" className="size-4!" />
      </span>
      <span className="min-w-0">
        <Words>{text.search.join(choice.name)}</Words>
      </span>
    </>
  );
}

function nameOf(choice: Choice | null): string {
  if (choice === null) return "";
  return choice.kind === "player" ? choice.player.username : choice.name;
}

function listChoices(found: readonly FoundUser[], typed: string, offerNew: boolean): Choice[] {
  const name = typed.trim();
  const choices: Choice[] = found.map((player) => ({ kind: "player", player }));
  const taken = found.some((each) => each.username.toLowerCase() === name.toLowerCase());
  if (offerNew && name !== "" && !taken) choices.push({ kind: "new", name });
  return choices;
}

function emptyWord(problem: Problem | null, settled: boolean, name: string): string {
  // A name that the service refuses is no failure of the search.
  if (problem?.status === 422) return Object.values(problem.fields)[0] ?? problem.message;
  if (problem !== null) return text.search.failed;
  return settled ? text.search.none(name) : " ";
}
