import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { drop, keep, type Waiting } from "../context/outboxStore";
import { submitScore } from "../utils/api/client";
import { Problem } from "../utils/api/problem";
import type { SubmissionResult } from "../utils/api/types";
import { serverNow } from "../utils/serverClock";
import { type Game, writeBody } from "../utils/submission";

const ATTEMPTS = 4;

/** Keys of the scores that this page is sending, retries included. */
export const inHand = new Set<string>();

/**
 * Sends a waiting score once. It leaves the outbox when the service has taken or refused it. It
 * stays while that is not known, and while this device may not send it.
 */
export async function deliver(
  { key, body, userId }: Waiting,
  client: QueryClient,
): Promise<SubmissionResult> {
  try {
    const result = await submitScore(body, key);
    drop(key);
    for (const queryKey of [["around"], ["sessions", userId], ["history"]]) {
      void client.invalidateQueries({ queryKey });
    }
    return result;
  } catch (error) {
    if (isFinal(error)) drop(key);
    throw error;
  }
}

/** Whether the score itself was refused, so that sending it again would not help. */
export const isFinal = (error: unknown): boolean =>
  error instanceof Problem && !error.passing && error.status !== 401 && error.status !== 403;

interface PlayedGame {
  userId: number;
  game: Game;
}

interface Sent extends PlayedGame {
  waiting: Waiting;
}

/** Sends a score that was just typed, and again after a lost answer. `mutate` keeps it first. */
export function useSubmitScore(on: {
  counted: (result: SubmissionResult) => void;
  /** There is no answer for now: the outbox goes on. */
  waits: () => void;
}) {
  const client = useQueryClient();
  const sending = useMutation<SubmissionResult, Error, Sent>({
    mutationFn: ({ waiting }) => deliver(waiting, client),
    retry: (failures, error) =>
      failures < ATTEMPTS - 1 && error instanceof Problem && error.passing,
    retryDelay: (attempt) => 600 * 2 ** attempt,
    onSuccess: on.counted,
    onError: (error, { waiting }) => {
      if (isFinal(error)) return;
      if (error instanceof Problem && error.passing) on.waits();
      // Not allowed: that is told at once, and the form keeps what was typed.
      else drop(waiting.key);
    },
    onSettled: (_, __, { waiting }) => inHand.delete(waiting.key),
  });
  const send = ({ userId, game }: PlayedGame) => {
    const body = writeBody(userId, game);
    const waiting = keep({ userId, score: game.score, body, at: serverNow() });
    inHand.add(waiting.key);
    sending.mutate({ userId, game, waiting });
  };
  return { ...sending, send };
}
