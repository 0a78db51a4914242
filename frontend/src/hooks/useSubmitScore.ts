import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { submitScore } from "../utils/api/client";
import { Problem } from "../utils/api/problem";
import type { ScoreSubmission, SubmissionResult } from "../utils/api/types";
import { uniqueKey } from "../utils/uniqueKey";

const ATTEMPTS = 4;

/**
 * Sends a score, and again after a lost answer. What was sent keeps its key until the service has
 * answered, so that a double click, a retry by hand and one by ourselves all count once.
 */
export function useSubmitScore(onCounted: (result: SubmissionResult) => void) {
  const client = useQueryClient();
  const open = useRef<{ body: string; key: string }>(undefined);
  return useMutation<SubmissionResult, Error, ScoreSubmission>({
    mutationFn: (body) => {
      const text = JSON.stringify(body);
      if (open.current?.body !== text) open.current = { body: text, key: uniqueKey() };
      return submitScore(body, open.current.key);
    },
    retry: (failures, error) =>
      failures < ATTEMPTS - 1 && error instanceof Problem && error.passing,
    retryDelay: (attempt) => 600 * 2 ** attempt,
    // Offline is an answer too: tell it, and let the retry by hand be the same submission.
    networkMode: "always",
    onSuccess: (result, { user_id: userId }) => {
      open.current = undefined;
      onCounted(result);
      void client.invalidateQueries({ queryKey: ["around"] });
      void client.invalidateQueries({ queryKey: ["sessions", userId] });
      void client.invalidateQueries({ queryKey: ["history"] });
    },
  });
}
