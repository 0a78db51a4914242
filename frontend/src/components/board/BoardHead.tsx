/** Above the rows: what this board is, how busy it is, which rows, and the way to a rank. */
import { type FormEvent, useState } from "react";
import { useLive } from "../../context/liveStore";
import type { MyStanding } from "../../hooks/useMe";
import { useIsLow } from "../../hooks/useMedia";
import { useNow } from "../../hooks/useNow";
import type { Board } from "../../utils/api/types";
import type { Filter } from "../../utils/filters";
import { perMinute } from "../../utils/realtime/rate";
import { text } from "../../utils/text";
import { readRank } from "../../utils/typed";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { type SegmentOption, Segments } from "../ui/Segments";
import { Select } from "../ui/Select";
import { Name } from "../ui/Words";

type FilterOption = SegmentOption<Filter>;

interface BoardHeadProps {
  board: Board;
  filter: Filter;
  onFilter: (filter: Filter) => void;
  me: MyStanding | null;
  /** To a rank, from 1. */
  onJump: (rank: number) => void;
}

export function BoardHead({ board, filter, onFilter, me, onJump }: BoardHeadProps) {
  const myRank = me?.rank ?? null;
  const isEmpty = useLive(({ state }) => state.seq >= 0 && state.totalPlayers === 0);
  const isLow = useIsLow();
  const options: FilterOption[] = [
    { value: "all", label: text.board.all },
    { value: "top10", label: text.board.top(10) },
    { value: "top50", label: text.board.top(50) },
    {
      value: "around",
      label: text.board.aroundMe,
      // A link may bring it to somebody who has no rank: then it can be left, and says why.
      disabled: myRank === null && filter !== "around",
      hint: whyNotAround(me),
    },
  ];
  const toRank = (
    <>
      <JumpToRank onJump={onJump} />
      <Button
        size="small"
        disabled={myRank === null}
        onClick={() => myRank !== null && onJump(myRank)}
        className="h-9! @max-md:w-9 @max-md:px-0!"
      >
        <Icon name="target" className="size-4!" />
        <span className="@max-md:sr-only">{text.board.findMe}</span>
      </Button>
    </>
  );
  if (isLow) {
    return (
      <div className="flex items-center gap-2 border-b hairline px-3 py-0.5">
        <h1 className="me-auto flex min-w-0 text-sm font-semibold @max-md:sr-only">
          <Name>{board.name}</Name>
        </h1>
        <Select
          label={text.board.filters}
          value={filter}
          onChange={(event) => onFilter(event.target.value as Filter)}
          className="min-w-0 @max-md:flex-1"
        >
          {options.map(({ value, label, disabled = false }) => (
            <option key={value} value={value} disabled={disabled}>
              {label}
            </option>
          ))}
        </Select>
        {toRank}
      </div>
    );
  }
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-3 border-b hairline px-3 py-3 @xl:px-4">
      <div className="me-auto min-w-0 flex-1 @2xl:order-1">
        <h1 className="flex text-lg font-semibold">
          <Name>{board.name}</Name>
        </h1>
        <Vitals />
      </div>
      {!isEmpty && (
        <>
          <div className="flex items-center gap-2 @2xl:order-3">{toRank}</div>
          <Segments<Filter>
            label={text.board.filters}
            value={filter}
            onChange={onFilter}
            className="@max-2xl:w-full @2xl:order-2"
            options={options}
          />
        </>
      )}
    </div>
  );
}

/** What is missing; nothing while it is not known whether something is. */
function whyNotAround(me: MyStanding | null): string | undefined {
  if (me === null) return text.board.aroundNeedsYou;
  return me.rank === null ? text.board.aroundNeedsScore : undefined;
}

function Vitals() {
  const total = useLive((live) => live.state.totalPlayers);
  const started = useLive((live) => live.state.seq >= 0);
  const samples = useLive((live) => live.samples);
  const now = useNow();
  const rate = perMinute(samples, Math.max(now, samples.at(-1)?.at ?? 0));
  return (
    <p className="numeral text-sm text-muted" data-testid="vitals">
      {started ? text.board.players(total) : " "}
      {started && rate !== null && rate > 0 && (
        // Where it would begin a second line, it would push all rows down.
        <span className="@max-xl:hidden">
          <span aria-hidden="true"> · </span>
          {text.board.perMinute(rate)}
        </span>
      )}
    </p>
  );
}

function JumpToRank({ onJump }: { onJump: (rank: number) => void }) {
  const total = useLive((live) => live.state.totalPlayers);
  const [given, setGiven] = useState("");
  const [wrong, setWrong] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const rank = readRank(given);
    const right = rank !== null && rank >= 1 && rank <= total;
    setWrong(!right);
    if (right) onJump(rank);
  };
  return (
    <form onSubmit={submit} className="relative flex items-center" noValidate={true}>
      <label className="sr-only" htmlFor="jump">
        {text.board.jump}
      </label>
      <input
        id="jump"
        inputMode="numeric"
        autoComplete="off"
        enterKeyHint="go"
        placeholder={text.board.jump}
        value={given}
        aria-invalid={wrong}
        aria-describedby={wrong ? "jump-says" : undefined}
        onChange={(event) => {
          setGiven(event.target.value);
          setWrong(false);
        }}
        className="numeral h-9 w-28 min-w-0 rounded-sm border hairline bg-ground px-3 text-sm placeholder:text-muted hover:border-edge aria-invalid:border-down"
      />
      {wrong && (
        <p
          id="jump-says"
          role="alert"
          className="absolute start-0 top-10 z-20 rounded-sm border hairline bg-high px-2 py-1 text-xs whitespace-nowrap text-down"
        >
          {text.board.outOfRange(total)}
        </p>
      )}
    </form>
  );
}
