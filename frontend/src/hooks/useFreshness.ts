import { useLive } from "../context/liveStore";

/** Whether what the socket said is the newest there is: it is open, and updates flow. */
export const useIsFresh = (): boolean =>
  useLive(({ connection, state }) => connection.phase === "open" && state.live);
