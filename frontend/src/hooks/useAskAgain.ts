import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useLive } from "../context/liveStore";
import { Problem } from "../utils/api/problem";

/** The socket tells that the service is back. Where it does not, this often. */
const TRY_EVERY_MS = 15_000;

/** Asks again for everything that failed, so that no part of the page waits for a press. */
export function useAskAgain(): void {
  const client = useQueryClient();
  const isOpen = useLive(({ connection }) => connection.phase === "open");
  useEffect(() => {
    const askAgain = () =>
      client.refetchQueries({
        type: "active",
        predicate: ({ state: { status, error } }) =>
          status === "error" && error instanceof Problem && error.passing,
      });
    if (isOpen) void askAgain();
    const timer = setInterval(askAgain, TRY_EVERY_MS);
    return () => clearInterval(timer);
  }, [isOpen, client]);
}
