import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type Problem, toProblem } from "../utils/api/problem";
import { suggestionsQuery } from "../utils/api/queries";
import type { FoundUser } from "../utils/api/types";
import { useThrottled } from "./useThrottled";

const ASK_EVERY_MS = 150;

export interface PlayerSearch {
  /** Players whose names have what was typed, with rank and score. */
  found: readonly FoundUser[];
  /** Whether `found` is the answer to what stands there now. */
  settled: boolean;
  /** Why there is no answer. */
  problem: Problem | null;
}

const NOBODY: readonly FoundUser[] = [];

export function usePlayerSearch(typed: string): PlayerSearch {
  const prefix = typed.trim();
  const asked = useThrottled(prefix, ASK_EVERY_MS);
  const { data, error, isPlaceholderData } = useQuery({
    ...suggestionsQuery(asked),
    enabled: asked !== "",
    placeholderData: keepPreviousData,
    retry: (failures, problem) => failures < 1 && toProblem(problem).passing,
  });
  const found = prefix === "" || error !== null ? NOBODY : (data ?? NOBODY);
  return {
    found,
    settled: asked === prefix && data !== undefined && !isPlaceholderData,
    problem: error !== null && asked === prefix ? toProblem(error) : null,
  };
}
