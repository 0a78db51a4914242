import { useQuery } from "@tanstack/react-query";
import { useSession } from "../context/sessionStore";
import { authQuery } from "../utils/api/queries";
import type { Board } from "../utils/api/types";

/**
 * Whether this device may send scores for its player, and if not, why: nobody was picked, the
 * board takes scores from game servers alone, or the device only looks on as the player.
 */
export type MaySubmit = "yes" | "nobody" | "servers-only" | "looking-on";

export function useMaySubmit(board: Board): MaySubmit {
  const { data: auth } = useQuery(authQuery);
  const player = useSession((session) => session.player);
  const proven = useSession(({ proof, refused }) => proof !== null && !refused);
  if (auth?.mode === "closed" && !board.client_submissions) return "servers-only";
  if (player === null) return "nobody";
  return auth?.mode === "closed" && !proven ? "looking-on" : "yes";
}
