/** Sending a score: checked while it is typed, told honestly, counted once. */
import { type FormEvent, useEffect, useId, useState } from "react";
import { clearDraft, editDraft, useDrafts } from "../../context/draftStore";
import { useSession } from "../../context/sessionStore";
import { type MaySubmit, useMaySubmit } from "../../hooks/useMaySubmit";
import { useSubmitScore } from "../../hooks/useSubmitScore";
import { toProblem } from "../../utils/api/problem";
import type { Board, SubmissionResult } from "../../utils/api/types";
import {
  checkDraft,
  type Draft,
  type DraftErrors,
  EMPTY_DRAFT,
  FIELD_OF,
} from "../../utils/submission";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { Icon } from "../ui/Icon";
import { Segments } from "../ui/Segments";
import { WaitingScores } from "./WaitingScores";

/** What became of a score is told for so long: ranks move on. */
const TOLD_MS = 8_000;

export function ScoreSubmissionForm({ board }: { board: Board }) {
  const player = useSession((session) => session.player);
  const may = useMaySubmit(board);
  const gameMode = useSession((session) => session.gameMode);
  const typed = useDrafts((drafts) => drafts.score);
  const touched = useDrafts((drafts) => drafts.touched);
  const draft = typed ?? { ...EMPTY_DRAFT, mode: modeFor(board, gameMode) };
  const [told, setTold] = useBriefly<SubmissionResult | "kept">();
  const modes = useId();
  const sending = useSubmitScore({
    counted: (result) => {
      setTold(result);
      clearDraft(draft);
    },
    waits: () => {
      setTold("kept");
      sending.reset();
      clearDraft(draft);
    },
  });

  const checked = checkDraft(draft, board.limits);
  const wrong = sending.isError ? problemErrors(sending.error) : {};
  const errorOf = (name: keyof Draft): string | undefined => {
    const own = checked.ok ? undefined : checked.errors[name];
    return (touched.has(name) ? own : undefined) ?? wrong[name];
  };
  const change = (name: keyof Draft, value: string) => {
    editDraft(draft, name, value);
    setTold(null);
    if (!sending.isPending) sending.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    useDrafts.setState({ touched: new Set(["score", "mode", "duration", "metadata"]) });
    if (!checked.ok || player === null || may !== "yes" || sending.isPending) return;
    useSession.getState().setGameMode(checked.game.game_mode);
    setTold(null);
    sending.send({ userId: player.user_id, game: checked.game });
  };
  const field = (name: "score" | "mode" | "duration" | "metadata") => ({
    value: draft[name],
    error: errorOf(name),
    onChange: (event: { target: { value: string } }) => change(name, event.target.value),
    autoComplete: "off",
  });

  if (may === "servers-only") return <ServersOnly />;
  return (
    <section aria-labelledby="submit-title" className="panel shrink-0 p-4">
      <h2 id="submit-title" className="mb-3 text-sm font-semibold text-muted">
        {text.submit.title}
      </h2>
      <form onSubmit={submit} noValidate={true}>
        <Field
          label={text.submit.score}
          inputMode="numeric"
          enterKeyHint="send"
          {...field("score")}
        />
        <div className="grid grid-cols-2 gap-3">
          <Field label={text.submit.mode} list={modes} maxLength={32} {...field("mode")} />
          <Field label={text.submit.duration} placeholder="1:33" {...field("duration")} />
        </div>
        <datalist id={modes}>
          {board.game_modes?.map((mode) => (
            <option key={mode} value={mode} />
          ))}
        </datalist>
        <details className="text-sm">
          <summary className="w-fit cursor-pointer rounded-sm text-muted hover:text-ink">
            {text.submit.more}
          </summary>
          <p className="mt-2 mb-1 text-muted">{text.submit.result}</p>
          <Segments
            label={text.submit.result}
            value={draft.result}
            onChange={(value) => change("result", value)}
            options={[
              { value: "won", label: text.submit.won },
              { value: "lost", label: text.submit.lost },
              { value: "none", label: text.submit.noResult },
            ]}
          />
          <Field
            label={text.submit.metadata}
            className="mt-3"
            spellCheck={false}
            placeholder='{"level": 7}'
            {...field("metadata")}
          />
        </details>
        <Button
          type="submit"
          look="primary"
          disabled={may !== "yes" || sending.isPending}
          className="mt-3 w-full"
        >
          {buttonWord(sending.isPending, sending.isError)}
        </Button>
        <Outcome
          may={may}
          failures={sending.isPending ? sending.failureCount : 0}
          error={sending.isError ? sending.error : null}
          told={told}
        />
        <WaitingScores board={board} userId={player?.user_id} sending={sending.isPending} />
      </form>
    </section>
  );
}

/** Where only game servers send scores there is nothing to fill in. */
function ServersOnly() {
  return <p className="panel shrink-0 p-4 text-sm text-muted">{text.submit.serversOnly}</p>;
}

const modeFor = (board: Board, last: string): string =>
  board.game_modes === null || board.game_modes.includes(last)
    ? last
    : (board.game_modes[0] ?? last);

function buttonWord(pending: boolean, failed: boolean): string {
  if (pending) return text.submit.sending;
  return failed ? text.submit.again : text.submit.send;
}

/** The service's word on each field. */
function problemErrors(error: Error): DraftErrors {
  const { fields } = toProblem(error);
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, message]) => {
      const field = FIELD_OF[name.split(".")[0] ?? ""];
      return field === undefined ? [] : [[field, message]];
    }),
  );
}

const WHY_NOT: Record<Exclude<MaySubmit, "yes" | "servers-only">, string> = {
  nobody: text.submit.anonymous,
  "looking-on": text.submit.lookingOn,
};

interface OutcomeProps {
  may: Exclude<MaySubmit, "servers-only">;
  /** Attempts that failed while another one is under way. */
  failures: number;
  error: Error | null;
  told: SubmissionResult | "kept" | null;
}

function Outcome({ may, failures, error, told }: OutcomeProps) {
  return (
    <div role="status" className="mt-2 min-h-5 text-sm">
      {may !== "yes" && <p className="text-muted">{WHY_NOT[may]}</p>}
      {failures > 0 && <p className="text-muted">{text.submit.retrying}</p>}
      {error !== null && <p className="text-down">{toProblem(error).message}</p>}
      {told === "kept" && <p className="text-muted">{text.submit.kept}</p>}
      {told !== null && told !== "kept" && (
        <p className="flex animate-fade-in items-center gap-2 text-up">
          <Icon name="check" className="size-4!" />
          {confirm(told)}
        </p>
      )}
    </div>
  );
}

function confirm({ replayed, new_rank: rank, rank_change: change }: SubmissionResult): string {
  if (replayed) return text.submit.replayed;
  // The score is stored, and its rank can't be told now: the board will show it.
  if (rank === null) return text.submit.stored;
  return change !== null && change > 0
    ? text.submit.climbed(rank, change)
    : text.submit.confirmed(rank);
}

/** A value that goes away by itself. */
function useBriefly<T>() {
  const [value, setValue] = useState<T | null>(null);
  useEffect(() => {
    if (value === null) return;
    const timer = setTimeout(() => setValue(null), TOLD_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return [value, setValue] as const;
}
