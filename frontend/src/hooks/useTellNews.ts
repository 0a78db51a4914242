import { useEffect, useRef } from "react";
import { useLive } from "../context/liveStore";
import { type Notice, useNotices } from "../context/noticeStore";
import { useSession } from "../context/sessionStore";
import type { BoardRef } from "../utils/api/client";
import { findHappening, findVisiblePasses, type Happening } from "../utils/realtime/activity";
import type { LiveState } from "../utils/realtime/liveState";
import { findPasses, type Neighbour, type Passes } from "../utils/realtime/passes";
import { text } from "../utils/text";
import { useNeighbours } from "./useMe";

/** Others' news come at most so often; one's own come as they are. */
const NEWS_EVERY_MS = 1_500;

type News = Omit<Notice, "id" | "at">;

/** Turns what the board does into notices, for as long as the page is there. */
export function useTellNews(ref: BoardRef): void {
  useTellHappenings();
  useTellPasses(ref);
}

function useTellHappenings(): void {
  useEffect(() => {
    let quietUntil = 0;
    return useLive.subscribe(({ state }, { state: before }) => {
      if (state === before || !isNextOf(state, before) || Date.now() < quietUntil) return;
      const happening = findHappening(before, state);
      if (happening === null || happening.userId === useSession.getState().player?.user_id) return;
      quietUntil = Date.now() + NEWS_EVERY_MS;
      useNotices.getState().add({ text: say(happening), tone: "news", own: false });
    });
  }, []);
}

/** Between two boards, or over a pause, nothing "just happened". */
const isNextOf = (state: LiveState, before: LiveState): boolean =>
  state.board === before.board && state.epoch === before.epoch && before.seq >= 0;

function say(happening: Happening): string {
  const { notices } = text;
  switch (happening.kind) {
    case "leader":
      return notices.newLeader(happening.username);
    case "entered":
      return notices.entered(happening.username, happening.rank);
    case "rose":
      return notices.rose(happening.username, happening.places, happening.rank);
  }
}

/** Who passed this device's player, and whom the player passed. */
function useTellPasses(ref: BoardRef): void {
  const player = useSession((session) => session.player);
  const userId = player?.user_id;
  const { data } = useNeighbours(ref, player);
  const known = useRef<{ userId: number | undefined; rows: readonly Neighbour[] }>(undefined);

  // Among the visible rows the socket tells it at once.
  useEffect(() => {
    if (userId === undefined) return;
    return useLive.subscribe(({ state }, { state: before }) => {
      if (state.order === before.order || !isNextOf(state, before)) return;
      tell(findVisiblePasses(before, state, userId));
    });
  }, [userId]);

  // Beyond them it takes two looks at the neighbours.
  useEffect(() => {
    const before = known.current;
    const rows = data?.entries;
    if (rows === undefined) return;
    known.current = { userId, rows };
    if (userId === undefined || before?.userId !== userId) return;
    if (useLive.getState().state.entries.has(userId)) return;
    tell(findPasses(before.rows, rows, userId));
  }, [data, userId]);
}

function tell({ passedMe, passedByMe }: Passes): void {
  const { notices } = text;
  const lost = sayPasses(passedMe, notices.passedYou, notices.severalPassedYou);
  if (lost !== null) add({ text: lost, tone: "passed", own: true });
  const won = sayPasses(passedByMe, notices.youPassed, notices.youPassedSeveral);
  if (won !== null) add({ text: won, tone: "climbed", own: true });
}

const add = (news: News): void => useNotices.getState().add(news);

function sayPasses(
  found: readonly Neighbour[],
  one: (name: string) => string,
  several: (name: string, more: number) => string,
): string | null {
  const nearest = found[0];
  if (nearest === undefined) return null;
  return found.length === 1 ? one(nearest.username) : several(nearest.username, found.length - 1);
}
