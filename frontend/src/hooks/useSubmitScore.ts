import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { submitScore } from "../utils/api/client";
import { Problem } from "../utils/api/problem";
import type { SubmissionResult } from "../utils/api/types";
import { type Game, writeBody } from "../utils/submission";
import { uniqueKey } from "../utils/uniqueKey";

const ATTEMPTS = 4;

interface PlayedGame {
  userId: number;
  game: Game;
}

/**
 * Sends a score, and again after a lost answer. What was sent keeps its key until the service has
 * answered, so that a double click, a retry by hand and one by ourselves all count once.
 */
export function useSubmitScore(onCounted: (result: SubmissionResult) => void) {
  const client = useQueryClient();
  /** Keys of what has no answer yet, by the body that was sent. */
  const open = useRef(new Map<string, string>());
  return useMutation<SubmissionResult, Error, PlayedGame>({
    mutationFn: ({ userId, game }) => {
      const body = writeBody(userId, game);
      const key = open.current.get(body) ?? uniqueKey();
      open.current.set(body, key);
      return submitScore(body, key);
    },
    retry: (failures, error) =>
      failures < ATTEMPTS - 1 && error instanceof Problem && error.passing,
    retryDelay: (attempt) => 600 * 2 ** attempt,
    // Offline is an answer too: tell it, and let the retry by hand be the same submission.
    networkMode: "always",
    onSuccess: (result, { userId, game }) => {
      open.current.delete(writeBody(userId, game));
      onCounted(result);
      void client.invalidateQueries({ queryKey: ["around"] });
      void client.invalidateQueries({ queryKey: ["sessions", userId] });
      void client.invalidateQueries({ queryKey: ["history"] });
    },
  });
}
