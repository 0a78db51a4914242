import { useEffect } from "react";
import { useLive, watchBoard } from "../context/liveStore";
import { useSession } from "../context/sessionStore";
import type { BoardRef } from "../utils/api/client";

/** The service knows no such player: the device remembers somebody of another database. */
const UNKNOWN_PLAYER = 4404;

/** Keeps one socket open for the board on show and the player of this device. */
export function useWatch({ board, season }: BoardRef): void {
  const userId = useSession(({ player }) => player?.user_id ?? null);
  useEffect(() => watchBoard({ board, season, userId }), [board, season, userId]);

  const unknown = useLive(({ connection }) => connection.code === UNKNOWN_PLAYER);
  useEffect(() => {
    if (unknown) useSession.getState().leave();
  }, [unknown]);
}
