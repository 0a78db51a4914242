import { useQuery } from "@tanstack/react-query";
import { boardsQuery } from "../utils/api/queries";
import type { Board } from "../utils/api/types";
import { useBoardRef } from "./useBoardRef";

export type BoardState =
  | { state: "loading" }
  | { state: "failed"; error: Error; retry: () => void }
  | { state: "unknown" }
  | { state: "there"; board: Board };

/** The board that the address names, with its rules. */
export function useBoard(): BoardState {
  const { board: slug } = useBoardRef();
  const { data, error, refetch } = useQuery(boardsQuery);
  if (data === undefined) {
    return error === null
      ? { state: "loading" }
      : { state: "failed", error, retry: () => void refetch() };
  }
  const board = data.find((each) => each.slug === slug);
  return board === undefined ? { state: "unknown" } : { state: "there", board };
}
