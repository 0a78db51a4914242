/** What the socket says, for React to read. The socket itself lives outside React. */
import { create } from "zustand";
import { currentToken, freshToken } from "../utils/api/credential";
import { applyFrame, GAP, type LiveState, NO_STATE } from "../utils/realtime/liveState";
import { addSample, type Sample } from "../utils/realtime/rate";
import {
  type Connection,
  LiveSocket,
  NOT_CONNECTED,
  UNAUTHENTICATED,
} from "../utils/realtime/socket";

interface Live {
  state: LiveState;
  connection: Connection;
  samples: readonly Sample[];
  /** When the server was heard last, ms since 1970; null before the first word. */
  heardAt: number | null;
}

export const useLive = create<Live>()(() => ({
  state: NO_STATE,
  connection: NOT_CONNECTED,
  samples: [],
  heardAt: null,
}));

/** What one socket is for: a board in a season, watched by a player or by a spectator. */
export interface Watch {
  board: string;
  season?: number | undefined;
  userId: number | null;
}

let current: LiveSocket | null = null;
/** Which season the last watch asked for. */
let asked: number | undefined;

/** Connects anew now instead of when the wait is over. */
export const reconnectNow = (): void => current?.reconnect();

/**
 * Watches a board until the function that it returns is called. What is known of the same board
 * stays: the new socket resumes where the last one was.
 */
export function watchBoard(watch: Watch): () => void {
  const { state } = useLive.getState();
  const same =
    state.board === watch.board && (watch.season === asked || watch.season === state.season);
  asked = watch.season;
  useLive.setState({ state: same ? { ...state, me: null } : NO_STATE, samples: [] });
  const socket = new LiveSocket({
    url: () => addressOf(watch, useLive.getState().state),
    protocols: () => protocolsFor(currentToken()),
    onChange: (connection) => {
      useLive.setState({ connection });
      // What was missed would be counted as of the moment when it is told.
      if (connection.phase === "connecting") useLive.setState({ samples: [] });
      if (connection.code === UNAUTHENTICATED && currentToken() === null) void signInAgain(socket);
    },
    onFrame: (frame) => {
      const before = useLive.getState();
      const next = applyFrame(before.state, frame);
      if (next === GAP) {
        socket.resume();
        return;
      }
      const now = Date.now();
      const { version } = next;
      const grown = version !== before.state.version;
      useLive.setState({
        state: next,
        heardAt: now,
        samples: grown ? addSample(before.samples, { at: now, version }) : before.samples,
      });
    },
  });
  current = socket;
  socket.start();
  return () => {
    socket.stop();
    if (current === socket) current = null;
  };
}

/** A private board was asked for with a token that had run out: once more, with a new one. */
async function signInAgain(socket: LiveSocket): Promise<void> {
  const token = await freshToken();
  if (token !== null && current === socket) socket.reconnect();
}

/** A browser's socket can't send headers: the token travels beside the protocol's name. */
const protocolsFor = (token: string | null): string[] =>
  token === null ? [] : ["leaderboard", `bearer.${token}`];

function addressOf({ board, season, userId }: Watch, state: LiveState): string {
  const query = new URLSearchParams({ board });
  if (season !== undefined) query.set("season", `${season}`);
  if (state.seq >= 0 && state.epoch !== "") {
    query.set("since", `${state.seq}`);
    query.set("epoch", state.epoch);
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const player = userId === null ? "" : `/${userId}`;
  return `${scheme}://${location.host}/ws/leaderboard${player}?${query}`;
}
